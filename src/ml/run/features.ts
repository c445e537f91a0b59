/**
 * Owns a look at a network just before its answer: the features that its last dense layer weighs up,
 * and the scores (logits) that it gives to the classes.
 */
import * as tf from '@tensorflow/tfjs';
import { type Dataset, gatherBatch } from '../../data/dataset.ts';
import { PIXELS, SIDE } from '../../fashion.ts';
import { BATCH_SIZE } from './predict.ts';
import { nextTurn } from './yielding.ts';

export interface Insight {
  /** `[n · numFeatures]`. */
  readonly features: Float32Array;
  readonly numFeatures: number;
  /** `[n · classes]`, before softmax. */
  readonly logits: Float32Array;
}

/**
 * A model of the same layers that ends at the features. It holds no weights of its own, and
 * disposing it would take the shared ones away: it goes with the model it was made from.
 */
const featureModels = new WeakMap<tf.LayersModel, tf.LayersModel>();

/**
 * The dense layer whose sums, put through a softmax, are the answer; in every network of ours there
 * is one. Followed from the output backwards: in an imported graph the last of a list of layers may
 * lie elsewhere, and other layers may bend the sums on their way.
 */
function headOf(model: tf.LayersModel): tf.layers.Layer | null {
  let layer = (model.outputs[0] as tf.SymbolicTensor).sourceLayer;
  let isSoftmaxAhead = false;
  for (;;) {
    // Otherwise it is shared, and has no one input.
    if (layer.inboundNodes.length !== 1) return null;
    const { input } = layer;
    const { activation, axis } = layer.getConfig();
    const name = layer.getClassName();
    if (Array.isArray(input)) return null;
    if (name === 'Dense') {
      const isHead = activation === (isSoftmaxAhead ? 'linear' : 'softmax') && input.rank === 2;
      return isHead ? layer : null;
    }
    const isSoftmax =
      (name === 'Softmax' && (axis === undefined || axis === -1 || axis === 1)) ||
      (name === 'Activation' && activation === 'softmax');
    if (!isSoftmax || isSoftmaxAhead) return null;
    isSoftmaxAhead = true;
    layer = input.sourceLayer;
  }
}

/**
 * Looks at pictures.
 *
 * @param pixels `[n · 784]`, 0–1.
 * @returns Null where the network does not end in a dense layer.
 */
export async function examine(
  model: tf.LayersModel,
  pixels: Float32Array,
): Promise<Insight | null> {
  const head = headOf(model);
  if (!head) return null;
  let upToFeatures = featureModels.get(model);
  if (!upToFeatures) {
    upToFeatures = tf.model({ inputs: model.inputs, outputs: head.input as tf.SymbolicTensor });
    featureModels.set(model, upToFeatures);
  }
  const numPictures = pixels.length / PIXELS;
  const [features, logits] = tf.tidy(() => {
    const pictures = tf.tensor4d(pixels, [numPictures, SIDE, SIDE, 1]);
    const output = upToFeatures.predictOnBatch(pictures) as tf.Tensor2D;
    const [kernel, bias] = head.weights.map((weight) => weight.read());
    const scores: tf.Tensor2D = tf.matMul(output, kernel as tf.Tensor2D);
    const result: [tf.Tensor2D, tf.Tensor2D] = [output, bias ? tf.add(scores, bias) : scores];
    return result;
  });
  try {
    return {
      features: await features.data<'float32'>(),
      numFeatures: features.shape[1],
      logits: await logits.data<'float32'>(),
    };
  } finally {
    tf.dispose([features, logits]);
  }
}

/**
 * Looks at rows of a data set, in batches of one size, giving way to other work between them.
 *
 * @param onBatch Is handed what the network makes of `from` and the rows after it, as far as the
 *   batch goes; ends the work by throwing.
 * @returns False where the network does not end in a dense layer: nothing has been handed over then.
 */
export async function examineRows(
  model: tf.LayersModel,
  dataset: Dataset,
  rows: Uint32Array,
  onBatch: (insight: Insight, from: number) => void,
): Promise<boolean> {
  const pixels = new Float32Array(BATCH_SIZE * PIXELS);
  for (let from = 0; from < rows.length; from += BATCH_SIZE) {
    const batch = rows.subarray(from, from + BATCH_SIZE);
    gatherBatch(dataset, batch, pixels);
    const insight = await examine(model, pixels);
    if (!insight) return false;
    const { features, numFeatures, logits } = insight;
    const numLogits = logits.length / BATCH_SIZE;
    onBatch(
      {
        features: features.subarray(0, batch.length * numFeatures),
        numFeatures,
        logits: logits.subarray(0, batch.length * numLogits),
      },
      from,
    );
    await nextTurn();
  }
  return true;
}
