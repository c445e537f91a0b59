/**
 * A network by the plain definitions of its layers, in TensorFlow.js operations on whatever backend
 * is in charge: what the other engines are tested against.
 */
import * as tf from '@tensorflow/tfjs';
import { BATCH_NORM_EPSILON, type TrainingPass } from '../../network/layers.ts';
import {
  INPUT,
  layerOf,
  type Network,
  type NetworkNode,
  type PlacedNode,
  weightKey,
} from '../../network/spec.ts';
import { batchNormInTraining } from './batchNorm.ts';
import { convMaxPoolGrey } from './greyConv.ts';

/** What one training pass observes, by weight key: mean and variance of the batch. */
export type Observations = ReadonlyMap<string, tf.Tensor>;

/** Uniform in [0, 1), and the recipe's share of units to drop. */
export interface Dropping {
  readonly rate: number;
  random(): number;
}

/**
 * Applies a network. Differentiable; call inside `tf.tidy`.
 *
 * @param weightOf By weight key.
 * @param x `[n, 28, 28, 1]`.
 * @param dropping Null: as the network answers, by its statistics and without dropout.
 * @returns `logits`, `[n, classes]`, and in training what was observed, which is not differentiable.
 */
export function applyNetwork(
  network: Network,
  weightOf: (key: string) => tf.Tensor,
  x: tf.Tensor4D,
  dropping: Dropping | null,
  { usesShortcuts = false }: { readonly usesShortcuts?: boolean } = {},
): { readonly logits: tf.Tensor2D; readonly observed: Observations } {
  const observed = new Map<string, tf.Tensor>();
  const values = new Map<string, tf.Tensor>([[INPUT, x]]);
  for (const placed of network.nodes) {
    const { node } = placed;
    const training = dropping && trainingPass(node.id, dropping, observed);
    const weights = Object.fromEntries(
      placed.weights.map(({ name }) => [name, weightOf(weightKey(node.id, name))]),
    );
    const inputs = node.from.map((id) => values.get(id) as tf.Tensor);
    const call = { node, inputs, weights, training };
    const shortcut = usesShortcuts ? SHORTCUTS[node.kind] : undefined;
    const value =
      (training && shortcut?.(network, placed, { ...call, training, x, weightOf })) ??
      layerOf(node).apply(tf, call);
    values.set(node.id, value);
  }
  return { logits: values.get(network.output) as tf.Tensor2D, observed };
}

function trainingPass(
  id: string,
  { rate, random }: Dropping,
  observed: Map<string, tf.Tensor>,
): TrainingPass {
  return {
    dropoutRate: (own) => own ?? rate,
    // Made here and not by the stock layer, which repeats one mask in every step when it has a seed
    // and repeats nothing when it has none.
    dropoutMask(shape, share) {
      const mask = new Float32Array(tf.util.sizeFromShape([...shape]));
      const kept = 1 / (1 - share);
      for (let unit = 0; unit < mask.length; unit++) if (random() >= share) mask[unit] = kept;
      return tf.tensor(mask, [...shape]);
    },
    observe: (name, value) => observed.set(weightKey(id, name), value),
  };
}

interface ShortcutCall {
  readonly inputs: readonly tf.Tensor[];
  readonly weights: Readonly<Record<string, tf.Tensor>>;
  readonly training: TrainingPass;
  readonly x: tf.Tensor4D;
  weightOf(key: string): tf.Tensor;
}

/** The same by fewer operations in training, where that is worth a second way; else null. */
type Shortcut = (network: Network, placed: PlacedNode, call: ShortcutCall) => tf.Tensor | null;

const SHORTCUTS: { readonly [Kind in NetworkNode['kind']]?: Shortcut } = {
  batchNorm(_, __, { inputs, weights, training }) {
    const { value, mean, variance } = batchNormInTraining(
      inputs[0] as tf.Tensor,
      weights.gamma as tf.Tensor1D,
      weights.beta as tf.Tensor1D,
      BATCH_NORM_EPSILON,
    );
    training.observe('moving_mean', mean);
    training.observe('moving_variance', variance);
    return value;
  },
  // The first convolution and its pooling in one; its own output, which nobody else reads, is not
  // asked for then.
  conv: (network, { node }, { inputs }) => {
    const first = node.kind === 'conv' && pooledFirstConv(network, node.id);
    return first ? (inputs[0] as tf.Tensor) : null;
  },
  maxPool(network, { node }, { x, weightOf }) {
    const source = node.from[0] as string;
    const conv = pooledFirstConv(network, source);
    if (!conv) return null;
    const kernel = weightOf(weightKey(source, 'kernel')) as tf.Tensor4D;
    return convMaxPoolGrey(x, kernel, conv.padding);
  },
};

/** The convolution of that id, where it is a first one of 3×3 that only a pooling of 2×2 reads. */
function pooledFirstConv({ nodes }: Network, id: string) {
  const node = nodes.find((placed) => placed.node.id === id)?.node;
  if (node?.kind !== 'conv' || node.from[0] !== INPUT) return null;
  if (node.size !== 3 || node.stride !== 1 || node.bias) return null;
  const readers = nodes.filter((placed) => placed.node.from.includes(id));
  const [reader] = readers.map((placed) => placed.node);
  if (readers.length !== 1 || reader?.kind !== 'maxPool') return null;
  const isPlainPool = reader.size === 2 && reader.stride === 2 && reader.padding === 'valid';
  return isPlainPool ? node : null;
}

/**
 * Mean cross-entropy of logits `[n, classes]` against targets `[n, classes]` that sum to 1, in nats.
 * Differentiable by the logits: softmax and logarithm are taken together, which cannot overflow.
 */
export function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  const numRows = logits.shape[0];
  const compute = tf.customGrad((...inputs) => {
    const [scores, save] = inputs as [tf.Tensor, tf.GradSaveFunc];
    const logProbabilities = tf.logSoftmax(scores);
    save([logProbabilities, targets]);
    const value = tf.div(tf.sum(tf.mul(logProbabilities, targets)), -numRows);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [scoresOut, goal] = saved as [tf.Tensor, tf.Tensor];
        return tf.mul(tf.sub(tf.exp(scoresOut), goal), tf.div(dy, numRows));
      },
    };
  });
  return compute(logits) as tf.Scalar;
}
