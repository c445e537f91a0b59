/**
 * Owns how a network of `network.ts` becomes a tf.layers model. What comes out is stock: it needs
 * nothing of Atelier to be saved, loaded or run.
 */
import * as tf from '@tensorflow/tfjs';
import { SIDE } from '../../fashion.ts';
import { hasBias, type LayerSpec, NETWORKS, type NetworkName } from '../spec/network.ts';

/** Added to a variance before its root is taken, by batch normalisation. Keras's default. */
export const BATCH_NORM_EPSILON = 1e-3;
/**
 * Share of the old value that the tracked mean and variance keep in each step. Keras's default of
 * 0.99 needs hundreds of steps to forget the start, more than a run on a small data set has.
 */
export const BATCH_NORM_MOMENTUM = 0.9;

/** Spreads the layers' seeds. Never 0: TensorFlow.js takes that for "no seed". */
function layerSeed(seed: number, index: number): number {
  return ((Math.imul(seed, 7919) + index) >>> 0) + 1;
}

/**
 * Builds a model from pictures `[n, 28, 28, 1]` (0–1, light on black) to probabilities `[n, 10]`,
 * with fresh weights that follow from the seed. Its layers are those of the network, one to one,
 * and a softmax at the end. The caller disposes it.
 *
 * Layers before a ReLU start after He et al., "Delving Deep into Rectifiers", 2015; the last one
 * after Glorot and Bengio, 2010.
 */
export function buildModel(
  network: NetworkName,
  { dropout, seed }: { readonly dropout: number; readonly seed: number },
): tf.Sequential {
  const { layers } = NETWORKS[network];
  const model = tf.sequential({ name: network });
  layers.forEach((layer, index) => {
    const input = index === 0 ? { inputShape: [SIDE, SIDE, 1] } : {};
    const name = `${layer.kind}_${index + 1}`;
    const initializer =
      index === layers.length - 1
        ? tf.initializers.glorotUniform({ seed: layerSeed(seed, index) })
        : tf.initializers.heNormal({ seed: layerSeed(seed, index) });
    model.add(makeLayer(layer, { ...input, name }, initializer, dropout, hasBias(layers, index)));
  });
  model.add(tf.layers.softmax({ name: 'softmax' }));
  return model;
}

function makeLayer(
  layer: LayerSpec,
  common: { readonly name: string; readonly inputShape?: number[] },
  kernelInitializer: ReturnType<typeof tf.initializers.heNormal>,
  dropout: number,
  useBias: boolean,
): tf.layers.Layer {
  switch (layer.kind) {
    case 'conv':
      return tf.layers.conv2d({
        ...common,
        filters: layer.filters,
        kernelSize: layer.kernel,
        padding: layer.padding,
        activation: layer.activation,
        kernelInitializer,
        useBias,
      });
    case 'batchNorm':
      return tf.layers.batchNormalization({
        ...common,
        epsilon: BATCH_NORM_EPSILON,
        momentum: BATCH_NORM_MOMENTUM,
      });
    case 'relu':
      return tf.layers.reLU(common);
    case 'maxPool':
      return tf.layers.maxPooling2d({ ...common, poolSize: 2, strides: 2 });
    case 'globalAveragePool':
      return tf.layers.globalAveragePooling2d(common);
    case 'flatten':
      return tf.layers.flatten(common);
    case 'dropout':
      return tf.layers.dropout({ ...common, rate: dropout });
    case 'dense':
      return tf.layers.dense({
        ...common,
        units: layer.units,
        activation: layer.activation,
        kernelInitializer,
      });
    default:
      throw new RangeError(`Unknown layer ${layer satisfies never}.`);
  }
}
