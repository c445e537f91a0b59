/** What a model answers to one image, and what that answer is worth. */
import type * as tf from '@tensorflow/tfjs';
import { normalizePicture } from '../../image/normalize.ts';
import type { Picture, PictureSettings } from '../../image/picture.ts';
import { type Calibration, softmaxAt, toLogits } from '../spec/calibration.ts';
import { remotenessOf } from '../spec/familiarity.ts';
import { type Classification, judge } from '../spec/verdict.ts';
import { examine } from './features.ts';
import { predictPicture } from './predict.ts';

/** What a model makes of one image. */
export interface PictureAnswer {
  /** `[classes]`, calibrated where the model is. */
  readonly probabilities: Float32Array;
  /** See `remotenessOf`; null where the model has no measure of it. */
  readonly remoteness: number | null;
}

/**
 * Runs the model on one image, once.
 * @param pixels `[784]` bytes, light on black.
 */
export async function answerPicture(
  model: tf.LayersModel,
  calibration: Calibration | null,
  pixels: Uint8Array,
): Promise<PictureAnswer> {
  const { temperature = 1, familiarity = null } = calibration ?? {};
  const insight =
    familiarity &&
    (await examine(
      model,
      Float32Array.from(pixels, (pixel) => pixel / 255),
    ));
  if (insight) {
    return {
      probabilities: softmaxAt(insight.logits, temperature, insight.logits.length),
      remoteness: remotenessOf(familiarity, insight.features),
    };
  }
  const probabilities = await predictPicture(model, pixels);
  const numClasses = probabilities.length;
  return {
    probabilities: softmaxAt(toLogits(probabilities), temperature, numClasses),
    remoteness: null,
  };
}

export interface ClassifyOptions {
  /** What a person has changed about the steps. */
  readonly settings?: PictureSettings | undefined;
  /** Whether the steps are to come with their images: quicker without. */
  readonly areStepsSeen?: boolean | undefined;
  /** Looked at before the model runs. */
  readonly signal?: AbortSignal;
}

/**
 * Brings an image to the 28 × 28 pixels the model sees, classifies it and judges the answer.
 * @throws the signal's reason where it is aborted.
 */
export async function classifyPicture(
  model: tf.LayersModel,
  calibration: Calibration | null,
  picture: Picture,
  { settings, areStepsSeen, signal }: ClassifyOptions = {},
): Promise<Classification> {
  const startedMs = performance.now();
  signal?.throwIfAborted();
  const normalized = normalizePicture(picture, settings, areStepsSeen);
  if (normalized.kind === 'blank') {
    return { ...normalized, verdict: { kind: 'cannotSay', reason: 'blank' } };
  }
  const { pixels, doubts } = normalized;
  const { probabilities, remoteness } = await answerPicture(model, calibration, pixels);
  return {
    ...normalized,
    probabilities,
    verdict: judge({ probabilities, remoteness, doubts }),
    elapsedMs: performance.now() - startedMs,
  };
}
