/** Networks as tf.layers models, and by their plain definitions, for what is measured and checked. */
import * as tf from '@tensorflow/tfjs';
import type { ModelWeight } from '../../src/engine/contract.ts';
import { INPUT, layerOf, type Network, weightKey } from '../../src/network/spec.ts';
import { SIDE } from '../../src/fashion.ts';

/** Weights that follow from a number, by key. Neither zeros nor ones, which would hide errors. */
export function makeWeights(network: Network, seed: number): Map<string, tf.Variable> {
  let index = seed * 1_000_003;
  return new Map(
    network.nodes.flatMap(({ node, weights }) =>
      weights.map(({ name, shape, role }): [string, tf.Variable] => {
        const size = tf.util.sizeFromShape([...shape]);
        const fanIn = role === 'kernel' ? size / (shape.at(-1) ?? 1) : 4;
        const values = Float32Array.from({ length: size }, () => {
          const chance = (Math.imul(++index, 0x9e3779b1) >>> 8) * 2 ** -24;
          if (role === 'statistic') return chance;
          return (role === 'scale' ? 1 : 0) + ((chance * 2 - 1) * 1.5) / Math.sqrt(fanIn);
        });
        return [weightKey(node.id, name), tf.variable(tf.tensor(values, [...shape]))];
      }),
    ),
  );
}

export function asModelWeights(
  variables: ReadonlyMap<string, tf.Variable>,
): ReadonlyMap<string, ModelWeight> {
  return new Map(
    [...variables].map(([key, variable]) => [
      key,
      { read: () => variable, write: (value: tf.Tensor) => variable.assign(value) },
    ]),
  );
}

/** The network of TensorFlow.js's own layers, which ends in logits. */
export function buildStockModel({ nodes, output }: Network): tf.LayersModel {
  const input = tf.input({ shape: [SIDE, SIDE, 1] });
  const values = new Map<string, tf.SymbolicTensor>([[INPUT, input]]);
  const kernelInitializer = tf.initializers.heNormal({ seed: 1 });
  for (const { node, inputShapes, shape } of nodes) {
    const options = { name: node.id, kernelInitializer, dropoutRate: 0 };
    const layer = layerOf(node).stock(tf, node, options, inputShapes, shape);
    const inputs = node.from.map((id) => values.get(id) as tf.SymbolicTensor);
    const value = layer.apply(inputs.length === 1 ? (inputs[0] as tf.SymbolicTensor) : inputs);
    values.set(node.id, value as tf.SymbolicTensor);
  }
  return tf.model({ inputs: input, outputs: values.get(output) as tf.SymbolicTensor });
}

/** A network in training by its plain definitions, without dropout. Call in `tf.tidy`. */
export function applyPlainly(
  { nodes, output }: Network,
  weights: ReadonlyMap<string, tf.Tensor>,
  x: tf.Tensor,
  observe: (key: string, value: tf.Tensor) => void,
): tf.Tensor2D {
  const values = new Map<string, tf.Tensor>([[INPUT, x]]);
  for (const { node, weights: own } of nodes) {
    const value = layerOf(node).apply(tf, {
      node,
      inputs: node.from.map((id) => values.get(id) as tf.Tensor),
      weights: Object.fromEntries(
        own.map(({ name }) => [name, weights.get(weightKey(node.id, name)) as tf.Tensor]),
      ),
      training: {
        dropoutRate: () => 0,
        dropoutMask: (shape) => tf.ones([...shape]),
        observe: (name, value) => observe(weightKey(node.id, name), value),
      },
    });
    values.set(node.id, value);
  }
  return values.get(output) as tf.Tensor2D;
}

/** Loss and gradients of the trainable weights, on the backend in charge. Call in `tf.tidy`. */
export function gradientsOf(
  network: Network,
  weights: ReadonlyMap<string, tf.Tensor>,
  x: tf.Tensor,
  targets: tf.Tensor,
  observe: (key: string, value: tf.Tensor) => void = () => {},
): { loss: tf.Scalar; logits: tf.Tensor2D; gradients: Map<string, tf.Tensor> } {
  const trained = network.nodes.flatMap(({ node, weights: own }) =>
    own.flatMap(({ name, role }) => (role === 'statistic' ? [] : weightKey(node.id, name))),
  );
  let logits: tf.Tensor2D | null = null;
  const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
    const byKey = new Map(trained.map((key, index) => [key, values[index] as tf.Tensor]));
    logits = tf.keep(applyPlainly(network, byKey, x, observe));
    return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), 1))) as tf.Scalar;
  })(trained.map((key) => weights.get(key) as tf.Tensor));
  if (!logits) throw new Error('The forward pass did not run.');
  return {
    loss: value as tf.Scalar,
    logits,
    gradients: new Map(trained.map((key, index) => [key, grads[index] as tf.Tensor])),
  };
}
