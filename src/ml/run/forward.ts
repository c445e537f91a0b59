/**
 * Owns the forward pass of training: the network's layers applied to a batch so that TensorFlow.js
 * can take gradients, without the detours that tf.layers makes there. What it computes is what the
 * model of `build.ts` computes, dropout and batch statistics aside; a test holds it to that.
 *
 * Two shortcuts, both exact to the bit. Max pooling commutes with adding a channel's bias and with
 * ReLU, since both never decrease: they are done after pooling, on a quarter of the values. And
 * nothing asks for the gradient of the pictures, which `tf.layers` computes for a first layer
 * without activation.
 */
import * as tf from '@tensorflow/tfjs';
import { simdBackend } from '../../engine/simd/training.ts';
import {
  conv2d,
  dropout as dropUnits,
  softmaxCrossEntropy,
} from '../../engine/simd/trainingKernels.ts';
import { batchNormInTraining } from '../../engine/stock/batchNorm.ts';
import { convMaxPoolGrey } from '../../engine/stock/greyConv.ts';
import { hasBias, type LayerSpec } from '../spec/network.ts';
import { BATCH_NORM_EPSILON } from './build.ts';

/** Mean and variance of a batch at one batch normalisation, `[channels]` each. */
export interface BatchMoments {
  readonly mean: tf.Tensor1D;
  readonly variance: tf.Tensor1D;
}

export interface ForwardPass {
  /** `[n, 10]`. */
  readonly logits: tf.Tensor2D;
  /** One for each batch normalisation, in order. */
  readonly moments: readonly BatchMoments[];
}

/** Uniform in [0, 1). */
export type Random = () => number;

/** Number of trainable weights that a layer takes from the list. */
function countWeights(layers: readonly LayerSpec[], index: number): number {
  switch (layers[index]?.kind) {
    case 'conv':
      return hasBias(layers, index) ? 2 : 1;
    case 'batchNorm':
    case 'dense':
      return 2;
    default:
      return 0;
  }
}

/** Whether a layer is a first convolution that takes the pooling after it along. */
function poolsItself(layers: readonly LayerSpec[], index: number): boolean {
  const layer = layers[index];
  return (
    index === 0 &&
    layer?.kind === 'conv' &&
    layer.kernel === 3 &&
    layers[index + 1]?.kind === 'maxPool'
  );
}

/** Rows of channels: where TensorFlow.js adds and sums along channels fastest. */
function overChannels(x: tf.Tensor, change: (rows: tf.Tensor2D) => tf.Tensor): tf.Tensor {
  const channels = x.shape.at(-1) ?? 1;
  return tf.reshape(change(tf.reshape(x, [-1, channels])), x.shape);
}

/**
 * Applies the layers as in training. Call inside `tf.tidy`.
 *
 * @param weights Trainable weights in the order of the model's: kernel, bias, gamma, beta.
 * @param x `[n, 28, 28, 1]`.
 * @param dropout Share of units to drop, 0–1; the rest is scaled up to make up for it.
 */
export function applyInTraining(
  layers: readonly LayerSpec[],
  weights: readonly tf.Tensor[],
  x: tf.Tensor4D,
  dropout: number,
  random: Random,
): ForwardPass {
  // The 'simd' backend has bias, ReLU and dropout at the price of none.
  const fuses = simdBackend() !== null;
  const moments: BatchMoments[] = [];
  let value: tf.Tensor = x;
  let next = 0;
  /** What waits for the pooling that follows. */
  let afterPool: ((pooled: tf.Tensor) => tf.Tensor) | null = null;

  layers.forEach((layer, index) => {
    const [first, second] = weights.slice(next, next + countWeights(layers, index));
    next += countWeights(layers, index);
    const isPooledNext = layers[index + 1]?.kind === 'maxPool';
    const apply = (change: (input: tf.Tensor) => tf.Tensor) => {
      if (isPooledNext) afterPool = change;
      else value = change(value);
    };
    switch (layer.kind) {
      case 'conv': {
        const kernel = first as tf.Tensor4D;
        if (fuses && !isPooledNext) {
          value = conv2d(value as tf.Tensor4D, kernel, (second ?? null) as tf.Tensor1D | null, {
            pad: layer.padding,
            relu: layer.activation === 'relu',
            needsInputGradient: index > 0,
          });
          break;
        }
        if (poolsItself(layers, index)) value = convMaxPoolGrey(x, kernel, layer.padding);
        else value = tf.conv2d(value as tf.Tensor4D, kernel, 1, layer.padding);
        apply((input) =>
          overChannels(input, (rows) => {
            const shifted = second ? tf.add(rows, second) : rows;
            return layer.activation === 'relu' ? tf.relu(shifted) : shifted;
          }),
        );
        break;
      }
      case 'batchNorm': {
        const normed = batchNormInTraining(
          value,
          first as tf.Tensor1D,
          second as tf.Tensor1D,
          BATCH_NORM_EPSILON,
          fuses && layers[index + 1]?.kind === 'relu',
        );
        moments.push({ mean: normed.mean, variance: normed.variance });
        value = normed.value;
        break;
      }
      case 'relu':
        if (!fuses || layers[index - 1]?.kind !== 'batchNorm') apply(tf.relu);
        break;
      case 'maxPool': {
        const pooled = poolsItself(layers, index - 1)
          ? value
          : tf.maxPool(value as tf.Tensor4D, 2, 2, 'valid');
        value = afterPool ? afterPool(pooled) : pooled;
        afterPool = null;
        break;
      }
      case 'globalAveragePool':
        value = tf.mean(value, [1, 2]);
        break;
      case 'flatten':
        value = tf.reshape(value, [x.shape[0], -1]);
        break;
      case 'dropout':
        if (dropout === 0) break;
        value = fuses
          ? dropUnits(value, dropout, Math.floor(random() * 2 ** 32))
          : tf.mul(value, dropoutMask(value.shape, dropout, random));
        break;
      case 'dense': {
        const product = tf.matMul(value as tf.Tensor2D, first as tf.Tensor2D);
        const shifted = tf.add(product, second as tf.Tensor1D);
        value = layer.activation === 'relu' ? tf.relu(shifted) : shifted;
        break;
      }
      default:
        throw new RangeError(`Unknown layer ${layer satisfies never}.`);
    }
  });
  return { logits: value as tf.Tensor2D, moments };
}

/**
 * 0 for dropped units, 1 / (1 − rate) for the others. Made here and not by the stock layer, which
 * repeats one mask in every step when it has a seed and repeats nothing when it has none.
 */
function dropoutMask(shape: number[], rate: number, random: Random): tf.Tensor {
  const mask = new Float32Array(tf.util.sizeFromShape(shape));
  const kept = 1 / (1 - rate);
  for (let unit = 0; unit < mask.length; unit++) if (random() >= rate) mask[unit] = kept;
  return tf.tensor(mask, shape);
}

/**
 * Mean cross-entropy of logits `[n, 10]` against targets `[n, 10]` that sum to 1, in nats.
 * Differentiable by the logits: softmax and logarithm are taken together, which cannot overflow.
 */
export function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  if (simdBackend()) return tf.mean(softmaxCrossEntropy(targets, logits));
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
