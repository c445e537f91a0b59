/**
 * The evaluation of a model on labelled images. The figures themselves are in `evaluation.ts`, which
 * the page may import.
 */
import type * as tf from '@tensorflow/tfjs';
import { countClasses, type Dataset } from '../../data/dataset.ts';
import {
  type Calibration,
  measureReliability,
  type Reliability,
  softmaxAt,
  toLogits,
} from '../spec/calibration.ts';
import { judgePredictions } from '../spec/evaluation.ts';
import { remotenessOf } from '../spec/familiarity.ts';
import { examineRows } from './features.ts';
import { predictRows } from './predict.ts';

export interface ClassFigures {
  /** 0–1; null where undefined (nothing predicted as this class, say). */
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  /** Rows of this class. */
  readonly support: number;
}

export interface Evaluation {
  /** Name of the file the rows came from. */
  readonly data: string;
  /** By label. */
  readonly classNames: readonly string[];
  readonly numRows: number;
  readonly accuracy: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** `confusion[actual][predicted]` counts, classes × classes. */
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly ClassFigures[];
  /** `[n]` predicted label of each row. */
  readonly predicted: Uint8Array;
  /** `[n]` probability of the predicted label, calibrated where the model is. */
  readonly confidence: Float32Array;
  /** Of the probabilities as the model gives them, which `loss` is of as well. */
  readonly reliability: Reliability;
  /** What calibration makes of them; null where the model has none. */
  readonly calibrated: {
    readonly temperature: number;
    readonly reliability: Reliability;
    /** Rows too far from the training pictures to be named; null without a measure of that. */
    readonly numRefused: number | null;
  } | null;
  readonly elapsedMs: number;
}

/**
 * Evaluates a model on every row of a data set. Measures only: neither model nor calibration change.
 *
 * @param data Name of the file the rows came from.
 * @param onProgress Hears after each batch; ends the evaluation by throwing.
 */
export async function evaluateModel(
  model: tf.LayersModel,
  calibration: Calibration | null,
  dataset: Dataset,
  data: string,
  onProgress?: (done: number, total: number) => void,
): Promise<Evaluation> {
  const startedMs = performance.now();
  const rows = Uint32Array.from(dataset.labels, (_, row) => row);
  const numClasses = countClasses(dataset);
  const tell = (done: number) => onProgress?.(done, rows.length);
  const { familiarity = null } = calibration ?? {};
  let logits: Float32Array = new Float32Array(rows.length * numClasses);
  let numRefused: number | null = null;
  if (familiarity) {
    let numRemote: number | null = 0;
    const isWhole = await examineRows(model, dataset, rows, (insight, from) => {
      logits.set(insight.logits, from * numClasses);
      const { features, numFeatures } = insight;
      for (let at = 0; at < features.length && numRemote !== null; at += numFeatures) {
        const remoteness = remotenessOf(familiarity, features.subarray(at, at + numFeatures));
        if (remoteness === null) numRemote = null;
        else if (remoteness > 1) numRemote++;
      }
      tell(from + features.length / numFeatures);
    });
    if (isWhole) numRefused = numRemote;
  }
  if (numRefused === null) logits = toLogits(await predictRows(model, dataset, rows, tell));

  const { labels } = dataset;
  const { classNames } = dataset.spec;
  const asGiven = softmaxAt(logits, 1, numClasses);
  const figures = judgePredictions(asGiven, labels, numClasses);
  const reliability = measureReliability(asGiven, labels);
  if (!calibration) {
    return {
      data,
      classNames,
      ...figures,
      reliability,
      calibrated: null,
      elapsedMs: since(startedMs),
    };
  }
  const { temperature } = calibration;
  const probabilities = softmaxAt(logits, temperature, numClasses);
  return {
    data,
    classNames,
    ...figures,
    confidence: judgePredictions(probabilities, labels, numClasses).confidence,
    reliability,
    calibrated: {
      temperature,
      reliability: measureReliability(probabilities, labels),
      numRefused,
    },
    elapsedMs: since(startedMs),
  };
}

function since(startedMs: number): number {
  return performance.now() - startedMs;
}
