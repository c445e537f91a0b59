/**
 * Owns the models that are measured, and their training step by operations of TensorFlow.js. Speed does
 * not depend on what weights and pictures are, so both are random.
 */
import * as tf from '@tensorflow/tfjs';
import { FASHION_MNIST, SIDE } from '../../src/fashion.ts';
import { applyInTraining, crossEntropy } from '../../src/ml/run/forward.ts';
import { hasBias, type LayerSpec } from '../../src/ml/spec/network.ts';

/**
 * A network as a tf.layers model that ends in logits. Biases and scales are random, too: zeros would
 * hide errors.
 */
export function buildModel(layers: readonly LayerSpec[]): tf.LayersModel {
  const model = tf.sequential();
  const bias = { biasInitializer: 'randomNormal' } as const;
  layers.forEach((layer, index) => {
    const input = index === 0 ? { inputShape: [SIDE, SIDE, 1] } : {};
    switch (layer.kind) {
      case 'conv': {
        const { filters, kernel: kernelSize, padding, activation } = layer;
        const useBias = hasBias(layers, index);
        const options = { ...input, ...bias, filters, kernelSize, padding, activation, useBias };
        model.add(tf.layers.conv2d(options));
        break;
      }
      case 'batchNorm':
        model.add(
          tf.layers.batchNormalization({ momentum: 0.9, gammaInitializer: 'randomNormal' }),
        );
        break;
      case 'relu':
        model.add(tf.layers.reLU());
        break;
      case 'maxPool':
        model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
        break;
      case 'globalAveragePool':
        model.add(tf.layers.globalAveragePooling2d({}));
        break;
      case 'flatten':
        model.add(tf.layers.flatten());
        break;
      case 'dropout':
        // Dropping is nothing that a model does by itself outside training.
        model.add(tf.layers.dropout({ rate: 0 }));
        break;
      case 'dense':
        model.add(tf.layers.dense({ ...bias, units: layer.units, activation: layer.activation }));
        break;
      default:
        throw new RangeError(`Unknown layer ${layer satisfies never}.`);
    }
  });
  return model;
}

/** Loss and gradients of the weights, on the backend in charge. Call inside `tf.tidy`. */
export function gradientsOf(
  layers: readonly LayerSpec[],
  weights: tf.Tensor[],
  x: tf.Tensor4D,
  targets: tf.Tensor2D,
  dropout: number,
): { value: tf.Scalar; grads: tf.Tensor[] } {
  return tf.valueAndGrads((...values: tf.Tensor[]) =>
    crossEntropy(applyInTraining(layers, values, x, dropout, Math.random).logits, targets),
  )(weights);
}

/** `[n, 10]`, 1 at the label. */
export function oneHot(labels: Uint8Array): tf.Tensor2D {
  const values = new Float32Array(labels.length * FASHION_MNIST.classNames.length);
  labels.forEach((label, row) => {
    values[row * FASHION_MNIST.classNames.length + label] = 1;
  });
  return tf.tensor2d(values, [labels.length, FASHION_MNIST.classNames.length]);
}
