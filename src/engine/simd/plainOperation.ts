/**
 * Nodes that the CPU engine has no kernels for: runs their plain definition through TensorFlow.js
 * within a planned step, on copies of planned memory. Right for every kind, and slow.
 */
import * as tf from '@tensorflow/tfjs';
import type { Shape } from '../../network/layers.ts';
import { layerOf, type NetworkNode } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import type { Operation } from './fusion.ts';
import type { Plan, PlannedForward, WeightPlace } from './plan.ts';

const noted = new Set<string>();

/** Says once on the console, for each kind of node, what people should know of such a node. */
export function notePlain(node: NetworkNode): string {
  const note = `${layerOf(node).describe(node)} runs by its plain definition, which is slower.`;
  if (!noted.has(note)) console.info(`CPU engine: ${note}`);
  noted.add(note);
  return note;
}

/** Plans one node, forward and backward, by `LAYERS`. */
export function planPlain(plan: Plan, { placed, inputs }: Operation): PlannedForward {
  const { node, inputShapes, shape, weights } = placed;
  const { kernels, batchSize } = plan;
  const layer = layerOf(node);
  const places = weights.map((weight) => ({ weight, place: plan.weight(node.id, weight.name) }));
  const trained = places.filter(({ weight }) => weight.role !== 'statistic');
  const sources = inputs.map((input) => plan.value(input));
  const y = plan.batchOf(shape);

  const read = (address: number, count: number) =>
    kernels.f32.slice(address / 4, address / 4 + count);
  const batchTensor = (address: number, ofOne: Shape) => {
    const batchShape = [batchSize, ...ofOne];
    return tf.tensor(read(address, tf.util.sizeFromShape(batchShape)), batchShape);
  };
  const weightTensor = ({ value, count }: WeightPlace, weightShape: readonly number[]) =>
    tf.tensor(read(value, count), [...weightShape]);
  const write = (address: number, tensor: tf.Tensor) => {
    const values = tensor.dataSync();
    // Looked up last: the memory may have grown meanwhile.
    kernels.f32.set(values, address / 4);
  };
  const readInputs = () =>
    sources.map(({ address }, index) => batchTensor(address, inputShapes[index] ?? []));
  const readWeights = (of: typeof places) =>
    of.map(({ weight, place }) => weightTensor(place, weight.shape));

  /** @param observe Takes the batch's own statistics. */
  const apply = (
    tensors: readonly tf.Tensor[],
    named: Readonly<Record<string, tf.Tensor>>,
    observe: (name: string, value: tf.Tensor) => void,
  ): tf.Tensor => {
    // The same for the same batch, so that both directions drop the same units.
    const random = createRandom(plan.state.seed);
    const dropoutMask = (maskShape: readonly number[], rate: number) => {
      const mask = new Float32Array(tf.util.sizeFromShape([...maskShape]));
      const kept = 1 / (1 - rate);
      for (let unit = 0; unit < mask.length; unit++) if (random() >= rate) mask[unit] = kept;
      return tf.tensor(mask, [...maskShape]);
    };
    const dropoutRate = (own: number | null) => own ?? plan.dropout;
    const training = { dropoutRate, dropoutMask, observe };
    return layer.apply(tf, { node, inputs: tensors, weights: named, training });
  };
  const byName = (of: typeof places, tensors: readonly tf.Tensor[]) =>
    Object.fromEntries(of.map(({ weight }, index) => [weight.name, tensors[index] as tf.Tensor]));

  plan.call([...sources, y], () =>
    tf.tidy(() => {
      const named = byName(places, readWeights(places));
      write(
        y.address,
        apply(readInputs(), named, (name, value) =>
          write(plan.weight(node.id, name).gradient, value),
        ),
      );
    }),
  );
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const targets = inputs.map((_, index) => gradients.into(index));
      const written = targets.flatMap((target) => (target ? [target.buffer] : []));
      plan.call([...sources, dy, ...written], () =>
        tf.tidy(() => {
          const constants = places.filter(({ weight }) => weight.role === 'statistic');
          const fixed = byName(constants, readWeights(constants));
          const gradientsBy = tf.grads((...tensors: tf.Tensor[]) => {
            const named = byName(trained, tensors.slice(sources.length));
            const result = apply(
              tensors.slice(0, sources.length),
              { ...fixed, ...named },
              () => {},
            );
            // A node that hands on what it is given would be no function to differentiate.
            return tf.clone(result);
          });
          const results = gradientsBy(
            [...readInputs(), ...readWeights(trained)],
            batchTensor(dy.address, shape),
          );
          targets.forEach((target, index) => {
            if (target) write(target.buffer.address, results[index] as tf.Tensor);
          });
          trained.forEach(({ place }, index) => {
            write(place.gradient, results[sources.length + index] as tf.Tensor);
          });
        }),
      );
      for (const target of targets) target?.done();
    },
  };
}
