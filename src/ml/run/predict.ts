/**
 * Runs a model on rows of a data set, in batches of one size, giving way to other work of the worker
 * between batches.
 */
import * as tf from '@tensorflow/tfjs';
import { countClasses, type Dataset, gatherBatch } from '../../data/dataset.ts';
import { PIXELS, SIDE } from '../../fashion.ts';
import { nextTurn } from './yielding.ts';

/** Every batch has this many pictures, the last one padded: a new shape would compile new shaders. */
export const BATCH_SIZE = 200;

/**
 * Probabilities of rows, `[rows.length · classes]`, in the rows' order.
 *
 * @param model From `[n, 28, 28, 1]` (0–1) to `[n, classes]`.
 * @param onBatch Hears after each batch how many rows are done; ends the work by throwing.
 */
export async function predictRows(
  model: tf.LayersModel,
  dataset: Dataset,
  rows: Uint32Array,
  onBatch?: (done: number) => void,
): Promise<Float32Array> {
  const numClasses = countClasses(dataset);
  const probabilities = new Float32Array(rows.length * numClasses);
  for (let from = 0; from < rows.length; from += BATCH_SIZE) {
    const batch = rows.subarray(from, from + BATCH_SIZE);
    const pixels = new Float32Array(BATCH_SIZE * PIXELS);
    gatherBatch(dataset, batch, pixels);
    const output = tf.tidy(() => predictBatch(model, pixels, BATCH_SIZE));
    const values = await output.data<'float32'>();
    output.dispose();
    probabilities.set(values.subarray(0, batch.length * numClasses), from * numClasses);
    onBatch?.(from + batch.length);
    await nextTurn();
  }
  return probabilities;
}

/**
 * Probabilities of one image, `[classes]`.
 * @param pixels `[784]` bytes, light on black.
 */
export async function predictPicture(
  model: tf.LayersModel,
  pixels: Uint8Array,
): Promise<Float32Array> {
  const output = tf.tidy(() =>
    predictBatch(
      model,
      Float32Array.from(pixels, (pixel) => pixel / 255),
      1,
    ),
  );
  const probabilities = await output.data<'float32'>();
  output.dispose();
  return probabilities;
}

function predictBatch(model: tf.LayersModel, pixels: Float32Array, numPictures: number): tf.Tensor {
  const output = model.predictOnBatch(tf.tensor4d(pixels, [numPictures, SIDE, SIDE, 1]));
  return Array.isArray(output) ? (output[0] as tf.Tensor) : output;
}
