/** Makes a calibration, by a look at rows that a model was not trained on. */
import type * as tf from '@tensorflow/tfjs';
import { countClasses, type Dataset, type Split, selectRows } from '../../data/dataset.ts';
import { createRandom } from '../../random.ts';
import { augmentBatch } from '../spec/augment.ts';
import { type Calibration, fitTemperature, toLogits } from '../spec/calibration.ts';
import { fitFamiliarity } from '../spec/familiarity.ts';
import type { Augmentation } from '../spec/recipe.ts';
import { examineRows } from './features.ts';
import { predictRows } from './predict.ts';

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
  /** As in training: what a model has learnt to know, it is not to call unfamiliar. */
  readonly augment: Augmentation;
}

/**
 * Looks at the rows that were held out from training, and at some that were not, and learns from them
 * how far to believe the model. The model stays as it is. After a training on pictures varied like
 * photos, what is familiar is learnt of rows as they are and of varied ones, as many of each; the
 * temperature is always of rows as they are.
 *
 * @param onProgress Hears after each batch how many rows are done; ends the work by throwing.
 */
export async function calibrateModel(
  { model, dataset, data, split, augment }: CalibrationRequest,
  onProgress?: (done: number, total: number) => void,
): Promise<Calibration> {
  const heldOut = split.validation;
  const step = Math.max(1, split.train.length / MAX_KNOWN);
  const known = Uint32Array.from(
    { length: Math.min(MAX_KNOWN, split.train.length) },
    (_, i) => split.train[Math.floor(i * step)] as number,
  );
  const numLooks = augment === 'photos' ? 2 : 1;
  const total = numLooks * (heldOut.length + known.length);
  let numBefore = 0;
  const tell = (done: number) => onProgress?.(numBefore + done, total);
  const look = async (pictures: Dataset) => {
    const found = await featuresOf(model, pictures, tell);
    numBefore += pictures.labels.length;
    return found;
  };
  const numRows = heldOut.length;
  const outside = selectRows(dataset, heldOut);
  const seen = await look(outside);
  if (!seen) {
    const probabilities = await predictRows(model, dataset, heldOut, (done) =>
      onProgress?.(done, numRows),
    );
    const temperature = fitTemperature(toLogits(probabilities), outside.labels);
    return { data, numRows, temperature, familiarity: null };
  }
  const temperature = fitTemperature(seen.logits, outside.labels);

  const inside = selectRows(dataset, known);
  const features = { inside: [] as Float32Array[], outside: [seen.features] };
  for (const pictures of [inside, ...(numLooks === 2 ? [vary(inside, 1)] : [])]) {
    features.inside.push((await look(pictures))?.features ?? new Float32Array(0));
  }
  if (numLooks === 2) {
    features.outside.push((await look(vary(outside, 2)))?.features ?? new Float32Array(0));
  }
  const labels = new Uint8Array(numLooks * known.length);
  for (let at = 0; at < labels.length; at += known.length) labels.set(inside.labels, at);
  const familiarity = fitFamiliarity(
    { features: join(features.inside), labels },
    join(features.outside),
    seen.numFeatures,
  );
  return { data, numRows, temperature, familiarity };
}

/** Copies, changed as in a training with 'photos'. */
function vary(dataset: Dataset, seed: number): Dataset {
  const varied = dataset.pixels.slice();
  augmentBatch(varied, dataset.labels.length, 'photos', createRandom(seed));
  return { ...dataset, pixels: varied };
}

function join(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

interface Look {
  /** `[n · numFeatures]`. */
  readonly features: Float32Array;
  readonly numFeatures: number;
  /** `[n · classes]`. */
  readonly logits: Float32Array;
}

/** A look at every row; null where the network gives no features. */
async function featuresOf(
  model: tf.LayersModel,
  dataset: Dataset,
  onBatch: (done: number) => void,
): Promise<Look | null> {
  const rows = Uint32Array.from(dataset.labels, (_, row) => row);
  const numClasses = countClasses(dataset);
  const logits = new Float32Array(rows.length * numClasses);
  let features = new Float32Array(0);
  let numFeatures = 0;
  const isWhole = await examineRows(model, dataset, rows, (insight, from) => {
    if (from === 0) {
      numFeatures = insight.numFeatures;
      features = new Float32Array(rows.length * numFeatures);
    }
    features.set(insight.features, from * numFeatures);
    logits.set(insight.logits, from * numClasses);
    onBatch(Math.min(rows.length, from + insight.logits.length / numClasses));
  });
  return isWhole ? { features, numFeatures, logits } : null;
}
