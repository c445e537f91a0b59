/**
 * Owns the making of a calibration, by a look at rows that a model did not learn from, and its use on
 * a picture.
 */
import type * as tf from '@tensorflow/tfjs';
import { type Dataset, gatherLabels, type Split } from '../data/dataset.ts';
import { NUM_CLASSES } from '../fashion.ts';
import { type Calibration, fitTemperature, softmaxAt, toLogits } from './calibration.ts';
import { fitFamiliarity, remotenessOf } from './familiarity.ts';
import { examine, examineRows } from './features.ts';
import { predictPicture, predictRows } from './predict.ts';

/** What a model makes of one picture. */
export interface PictureAnswer {
  /** `[10]`, calibrated where the model is. */
  readonly probabilities: Float32Array;
  /** See `remotenessOf`; null where the model has no measure of it. */
  readonly remoteness: number | null;
}

/**
 * Runs the model on one picture, once.
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
      probabilities: softmaxAt(insight.logits, temperature),
      remoteness: remotenessOf(familiarity, insight.features),
    };
  }
  const probabilities = await predictPicture(model, pixels);
  return { probabilities: softmaxAt(toLogits(probabilities), temperature), remoteness: null };
}

/** Training rows that the classes' centres and covariance are taken from; more change little. */
const MAX_KNOWN = 5000;

export interface CalibrationRequest {
  readonly model: tf.LayersModel;
  /** The whole training file. */
  readonly dataset: Dataset;
  /** Name of the file. */
  readonly data: string;
  /** As the model was trained: it never learnt from the validation rows. */
  readonly split: Split;
}

/**
 * Looks at the rows that were held out from training, and at some that were not, and learns from them
 * how far to believe the model. The model stays as it is.
 *
 * @param onProgress Hears after each batch how many rows are done; ends the work by throwing.
 */
export async function calibrateModel(
  { model, dataset, data, split }: CalibrationRequest,
  onProgress?: (done: number, total: number) => void,
): Promise<Calibration> {
  const heldOut = split.validation;
  const step = Math.max(1, split.train.length / MAX_KNOWN);
  const known = Uint32Array.from(
    { length: Math.min(MAX_KNOWN, split.train.length) },
    (_, i) => split.train[Math.floor(i * step)] as number,
  );
  const total = heldOut.length + known.length;
  const labels = new Uint8Array(heldOut.length);
  gatherLabels(dataset, heldOut, labels);
  const numRows = heldOut.length;

  const outside = await featuresOf(model, dataset, heldOut, (done) => onProgress?.(done, total));
  if (!outside) {
    const probabilities = await predictRows(model, dataset, heldOut, (done) =>
      onProgress?.(done, numRows),
    );
    const temperature = fitTemperature(toLogits(probabilities), labels);
    return { data, numRows, temperature, familiarity: null };
  }
  const temperature = fitTemperature(outside.logits, labels);
  const inside = await featuresOf(model, dataset, known, (done) =>
    onProgress?.(numRows + done, total),
  );
  const knownLabels = new Uint8Array(known.length);
  gatherLabels(dataset, known, knownLabels);
  const familiarity =
    inside &&
    fitFamiliarity(
      { features: inside.features, labels: knownLabels },
      outside.features,
      outside.numFeatures,
    );
  return { data, numRows, temperature, familiarity };
}

interface Look {
  /** `[n · numFeatures]`. */
  readonly features: Float32Array;
  readonly numFeatures: number;
  /** `[n · 10]`. */
  readonly logits: Float32Array;
}

/** Null where the network gives no features. */
async function featuresOf(
  model: tf.LayersModel,
  dataset: Dataset,
  rows: Uint32Array,
  onBatch: (done: number) => void,
): Promise<Look | null> {
  const logits = new Float32Array(rows.length * NUM_CLASSES);
  let features = new Float32Array(0);
  let numFeatures = 0;
  const isWhole = await examineRows(model, dataset, rows, (insight, from) => {
    if (from === 0) {
      numFeatures = insight.numFeatures;
      features = new Float32Array(rows.length * numFeatures);
    }
    features.set(insight.features, from * numFeatures);
    logits.set(insight.logits, from * NUM_CLASSES);
    onBatch(Math.min(rows.length, from + insight.logits.length / NUM_CLASSES));
  });
  return isWhole ? { features, numFeatures, logits } : null;
}
