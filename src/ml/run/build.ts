/**
 * Makes a tf.layers model of a network. What comes out is stock: it needs nothing of Atelier to be
 * saved, loaded or run.
 */
import * as tf from '@tensorflow/tfjs';
import type { ModelWeight } from '../../engine/contract.ts';
import { SIDE } from '../../fashion.ts';
import {
  INPUT,
  isChain,
  layerOf,
  type Network,
  type PlacedNode,
  weightKey,
} from '../../network/spec.ts';

/** Of the layer at the end, which makes probabilities of the logits. */
const SOFTMAX = 'softmax';

/** Spreads the layers' seeds. Never 0: TensorFlow.js takes that for "no seed". */
function layerSeed(seed: number, index: number): number {
  return ((Math.imul(seed, 7919) + index) >>> 0) + 1;
}

/**
 * Builds a model from images `[n, 28, 28, 1]` (0–1, light on black) to probabilities `[n, classes]`,
 * with fresh weights that follow from the seed: sequential where the network is a chain, functional
 * where it forks. Its layers are the network's nodes, by id, and a softmax. The caller disposes it.
 *
 * Weights start after He et al., "Delving Deep into Rectifiers", 2015; those of the output after
 * Glorot and Bengio, 2010.
 *
 * @param dropout Share for dropout nodes that have none of their own, 0–1.
 */
export function buildModel(
  network: Network,
  { dropout, seed }: { readonly dropout: number; readonly seed: number },
): tf.LayersModel {
  const layers = network.nodes.map((placed, index) => {
    const { node, inputShapes, shape } = placed;
    const initializer =
      node.id === network.output ? tf.initializers.glorotUniform : tf.initializers.heNormal;
    return layerOf(node).stock(
      tf,
      node,
      {
        name: node.id,
        kernelInitializer: initializer({ seed: layerSeed(seed, index) }),
        dropoutRate: dropout,
      },
      inputShapes,
      shape,
    );
  });
  const name = network.spec.title.replace(/[^A-Za-z0-9]+/g, '_').toLowerCase() || 'network';
  const softmax = tf.layers.softmax({ name: SOFTMAX });
  if (isChain(network)) {
    const input = tf.layers.inputLayer({ inputShape: [SIDE, SIDE, 1], name: INPUT });
    return tf.sequential({ name, layers: [input, ...layers, softmax] });
  }
  const input = tf.input({ shape: [SIDE, SIDE, 1], name: INPUT });
  const values = new Map<string, tf.SymbolicTensor>([[INPUT, input]]);
  network.nodes.forEach(({ node }, index) => {
    const inputs = node.from.map((id) => values.get(id) as tf.SymbolicTensor);
    const output = layers[index]?.apply(inputs.length === 1 ? (inputs[0] ?? []) : inputs);
    values.set(node.id, output as tf.SymbolicTensor);
  });
  const output = softmax.apply(values.get(network.output) as tf.SymbolicTensor);
  return tf.model({ name, inputs: input, outputs: output as tf.SymbolicTensor });
}

/** The weights of a model that was built for a network, by key. */
export function modelWeights(
  model: tf.LayersModel,
  network: Network,
): ReadonlyMap<string, ModelWeight> {
  return new Map(
    network.nodes.flatMap(({ node, weights }: PlacedNode) => {
      // Layers without weights may be left out by who asks for none.
      const found = weights.length > 0 ? model.getLayer(node.id).weights : [];
      return weights.map(({ name }, index): [string, ModelWeight] => {
        const weight = found[index];
        if (!weight) throw new RangeError(`The model lacks the weight ${name} of ${node.id}.`);
        return [weightKey(node.id, name), weight];
      });
    }),
  );
}
