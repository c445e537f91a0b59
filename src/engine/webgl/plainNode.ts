/**
 * A node that has no shaders, by the plain definition of its kind in operations of TensorFlow.js, in
 * the middle of a planned step: its inputs become tensors and what it gives becomes a volume again.
 * The gradient applies it a second time, since nothing of a step's tensors outlives its place in it.
 */
import * as tf from '@tensorflow/tfjs';
import type { TrainingPass } from '../../network/layers.ts';
import { layerOf, type PlacedNode, weightKey } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import type { Target } from './device.ts';
import type { Value } from './drawPlan.ts';
import { dropoutSeed } from './elementwise.ts';
import { layOutNode, type Planning } from './nodes.ts';
import { type Region, type RegionPlan, type Rows, readRegion, targetOf } from './parameters.ts';
import { bringIn, bringInRegion, bringOut, flat } from './tensors.ts';
import type { Volume } from './volume.ts';

/** A region for each weight: what its matrix means is the definition's business. */
export function placePlain(
  regions: RegionPlan,
  { weights }: PlacedNode,
): Readonly<Record<string, Rows>> {
  return Object.fromEntries(
    weights.map(({ name, shape }) => {
      const columns = shape.at(-1) ?? 1;
      const rows = tf.util.sizeFromShape([...shape]) / columns;
      return [name, { region: regions.add(rows, columns), firstRow: 0, depth: rows }];
    }),
  );
}

export function planPlain(planning: Planning, placed: PlacedNode, inputs: readonly Value[]): Value {
  const { plan, graph, batchSize, gradientTarget, places } = planning;
  const { device } = plan;
  const { node, inputShapes } = placed;
  const index = graph.numDropouts++;

  const readVolume = ({ layout, texture }: Volume, shape: readonly number[]): tf.Tensor =>
    tf
      .engine()
      .makeTensorFromTensorInfo(
        device.drawTensor([batchSize, ...shape], (width) => bringOut(layout, width), [
          texture.handle,
        ]),
      );
  const placeOf = (name: string): Rows => {
    const place = places.get(weightKey(node.id, name));
    if (!place) throw new Error(`The weight ${name} of ${node.id} has no place.`);
    return place;
  };
  const readWeight = (name: string, shape: readonly number[]): tf.Tensor =>
    tf
      .engine()
      .makeTensorFromTensorInfo(
        device.drawTensor([...shape], (width) => readRegion(placeOf(name), width), [
          planning.weights(),
        ]),
      );
  const writeTensor = (
    tensor: tf.Tensor,
    makeSpec: (from: ReturnType<typeof flat>) => ReturnType<typeof bringIn>,
    target: Target,
  ) => {
    const from = flat(device, tensor);
    device.draw(device.program(makeSpec(from)), [from.handle], target);
    from.dispose();
  };
  const writeVolume = (tensor: tf.Tensor, { layout, target }: Volume) =>
    writeTensor(tensor, (from) => bringIn(layout, from), target);
  const writeRegion = (tensor: tf.Tensor, region: Region) =>
    writeTensor(tensor, (from) => bringInRegion(region, from), targetOf(region, gradientTarget));

  /** The same each time within a step. */
  const makePass = (observe: TrainingPass['observe']): TrainingPass => {
    const random = createRandom(dropoutSeed(planning.seed(), index));
    return {
      dropoutRate: (own) => own ?? planning.dropout,
      dropoutMask(shape, rate) {
        const mask = Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () =>
          random() >= rate ? 1 / (1 - rate) : 0,
        );
        return tf.tensor(mask, [...shape]);
      },
      observe,
    };
  };
  const readAll = () => ({
    tensors: inputs.map(({ volume }, at) => readVolume(volume, inputShapes[at] ?? [])),
    weights: placed.weights.map(({ name, shape }) => readWeight(name, shape)),
  });
  const apply = (
    tensors: readonly tf.Tensor[],
    weights: readonly tf.Tensor[],
    observe: TrainingPass['observe'],
  ) =>
    layerOf(node).apply(tf, {
      node,
      inputs: tensors,
      weights: Object.fromEntries(
        placed.weights.map(({ name }, at) => [name, weights[at] as tf.Tensor]),
      ),
      training: makePass(observe),
    });

  const volume = plan.makeVolume(layOutNode(planning, placed));
  plan.call(() => {
    tf.tidy(() => {
      const { tensors, weights } = readAll();
      writeVolume(
        apply(tensors, weights, () => {}),
        volume,
      );
    });
  });
  const isTrained = placed.weights.some(({ role }) => role !== 'statistic');
  return plan.addStage(inputs, { volume, isTrained }, (gradient) => {
    const parts = inputs.map((input) =>
      input.needsGradient ? plan.makeVolume(input.volume.layout) : null,
    );
    plan.call(() => {
      tf.tidy(() => {
        const { tensors, weights } = readAll();
        const isWanted = (at: number) => parts[at] !== null;
        const isTrainable = (at: number) => placed.weights[at]?.role !== 'statistic';
        const wanted = [
          ...tensors.filter((_, at) => isWanted(at)),
          ...weights.filter((_, at) => isTrainable(at)),
        ];
        const dy = readVolume(gradient, placed.shape);
        const gradients = tf.grads((...given: tf.Tensor[]) => {
          const unread = [...given];
          const all = tensors.map((tensor, at) =>
            isWanted(at) ? (unread.shift() as tf.Tensor) : tensor,
          );
          const own = weights.map((weight, at) =>
            isTrainable(at) ? (unread.shift() as tf.Tensor) : weight,
          );
          return apply(all, own, (name, value) => writeRegion(value, placeOf(name).region));
        })(wanted, dy);
        for (const part of parts) {
          if (part) writeVolume(gradients.shift() as tf.Tensor, part);
        }
        placed.weights.forEach(({ name }, at) => {
          if (isTrainable(at)) writeRegion(gradients.shift() as tf.Tensor, placeOf(name).region);
        });
      });
    });
    inputs.forEach((input, at) => {
      const part = parts[at];
      if (part) plan.share(input, part);
    });
  });
}
