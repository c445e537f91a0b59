/**
 * Owns a look at a network just before its answer: the features that its last dense layer weighs up,
 * and the scores (logits) that it gives to the classes.
 */
import * as tf from '@tensorflow/tfjs';
import { PIXELS, SIDE } from '../fashion.ts';

export interface Insight {
  /** `[n · numFeatures]`. */
  readonly features: Float32Array;
  readonly numFeatures: number;
  /** `[n · 10]`, before softmax. */
  readonly logits: Float32Array;
}

/**
 * A model of the same layers that ends at the features. It holds no weights of its own, and
 * disposing it would take the shared ones away: it goes with the model it was made from.
 */
const featureModels = new WeakMap<tf.LayersModel, tf.LayersModel>();

/** The last layer with weights where it is dense, as in every network that ends in scores. */
function headOf(model: tf.LayersModel): tf.layers.Layer | null {
  const last = model.layers.findLast((layer) => layer.weights.length > 0);
  return last?.getClassName() === 'Dense' ? last : null;
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
