/**
 * What tests compare engines by: the gradients of one step as the plain definitions on the `cpu`
 * backend give them, and as a trainer does.
 */
import * as tf from '@tensorflow/tfjs';
import { PIXELS, SIDE } from '../../fashion.ts';
import { type Network, weightKey, weightKeys } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import { writeImages } from '../batchImages.ts';
import type { Batch, ModelWeight, OptimizerSpec, Trainer, TrainerRequest } from '../contract.ts';
import { applyNetwork, crossEntropy } from '../stock/plainNetwork.ts';

export type Values = ReadonlyMap<string, Float32Array>;

/** A rule under which the change of a weight is its gradient, at a learning rate of 1. */
export const PLAIN_SGD: OptimizerSpec = {
  rule: { kind: 'sgd', momentum: 0, isNesterov: false },
  weightDecay: 0,
  maxGradientNorm: null,
  averageDecay: null,
};

/** Weights in which nothing is 0, by key: kernels after He, everything else near its usual start. */
export function makeWeights(network: Network, seed: number): Values {
  const random = createRandom(seed);
  const values = new Map<string, Float32Array>();
  for (const { node, weights } of network.nodes) {
    for (const { name, shape, role } of weights) {
      const size = tf.util.sizeFromShape([...shape]);
      const fanIn = name === 'depthwise_kernel' ? (shape[0] ?? 1) ** 2 : size / (shape.at(-1) ?? 1);
      const isOne = name === 'gamma' || name === 'moving_variance';
      const spread = role === 'kernel' ? Math.sqrt(6 / fanIn) : 0.2;
      const centre = isOne ? 1 : 0;
      const draw = () => centre + spread * (2 * random() - 1);
      values.set(weightKey(node.id, name), Float32Array.from({ length: size }, draw));
    }
  }
  return values;
}

/** Images and targets at random, as a batch of pixels with no changes. */
export function makeBatch(network: Network, batchSize: number, seed: number): Batch {
  const random = createRandom(seed);
  const pixels = Uint8Array.from({ length: batchSize * PIXELS }, () => 256 * random());
  const { numClasses } = network;
  const targets = new Float32Array(batchSize * numClasses);
  for (let row = 0; row < batchSize; row++) {
    const share = 0.6 + 0.4 * random();
    const [first, second] = [random(), random()].map((at) => Math.floor(at * numClasses));
    targets[row * numClasses + (first ?? 0)] = share;
    const at = row * numClasses + (second ?? 0);
    targets[at] = (targets[at] ?? 0) + 1 - share;
  }
  return { images: { kind: 'pixels', pixels }, changes: null, mixing: null, targets, seed };
}

export interface Step {
  readonly loss: number;
  readonly accuracy: number;
  /** By key, of trainable weights. */
  readonly gradients: Values;
  /** By key, mean and variance of the batch. */
  readonly observed: Values;
}

/** One step by the plain definitions, on the `cpu` backend, which is then in charge. */
export async function referenceStep(
  network: Network,
  values: Values,
  batch: Batch,
  {
    data = null,
    labelSmoothing = 0,
  }: Partial<Pick<TrainerRequest, 'data' | 'labelSmoothing'>> = {},
): Promise<Step> {
  await tf.setBackend('cpu');
  const keys = weightKeys(network);
  const { numClasses } = network;
  const batchSize = batch.targets.length / numClasses;
  const images = new Float32Array(batchSize * PIXELS);
  writeImages(batch, data, images);
  let step: Step | undefined;
  tf.tidy(() => {
    const tensors = new Map(
      [...shapesOf(network)].map(([key, shape]) => [key, tf.tensor(values.get(key) ?? [], shape)]),
    );
    const x = tf.tensor4d(images, [batchSize, SIDE, SIDE, 1]);
    const targets = tf.tensor2d(batch.targets, [batchSize, numClasses]);
    const goals: tf.Tensor2D = tf.add(
      tf.mul(targets, 1 - labelSmoothing),
      labelSmoothing / numClasses,
    );
    const observed = new Map<string, Float32Array>();
    let loss = 0;
    let accuracy = 0;
    const { grads } = tf.valueAndGrads((...trainable: tf.Tensor[]) => {
      const byKey = new Map(keys.trainable.map((key, at) => [key, trainable[at] as tf.Tensor]));
      const pass = applyNetwork(
        network,
        (key) => byKey.get(key) ?? (tensors.get(key) as tf.Tensor),
        x,
        { rate: 0, random: () => 0 },
      );
      for (const [key, value] of pass.observed) observed.set(key, floatsOf(value));
      loss = crossEntropy(pass.logits, targets).dataSync()[0] as number;
      const isCorrect = tf.equal(tf.argMax(pass.logits, 1), tf.argMax(targets, 1));
      accuracy = tf.mean(tf.cast(isCorrect, 'float32')).dataSync()[0] as number;
      return crossEntropy(pass.logits, goals);
    })(keys.trainable.map((key) => tensors.get(key) as tf.Tensor));
    const gradients = new Map(keys.trainable.map((key, at) => [key, floatsOf(grads[at])]));
    step = { loss, accuracy, gradients, observed };
  });
  if (!step) throw new Error('The step did not run.');
  return step;
}

/** A request whose weights are variables on the backend in charge. Dispose them after use. */
export function makeRequest(
  network: Network,
  values: Values,
  change: Partial<TrainerRequest> & Pick<TrainerRequest, 'batchSize'>,
): TrainerRequest & { readonly variables: ReadonlyMap<string, tf.Variable> } {
  const variables = new Map(
    [...shapesOf(network)].map(([key, shape]) => [
      key,
      tf.tidy(() => tf.variable(tf.tensor(values.get(key) ?? [], shape), false)),
    ]),
  );
  const weights = new Map<string, ModelWeight>(
    [...variables].map(([key, variable]) => [
      key,
      { read: () => variable, write: (value: tf.Tensor) => variable.assign(value) },
    ]),
  );
  return {
    network,
    weights,
    data: null,
    optimizer: PLAIN_SGD,
    optimizerState: null,
    dropout: 0,
    labelSmoothing: 0,
    batchNormMomentum: 0.9,
    ...change,
    variables,
  };
}

/** One step of a trainer with `PLAIN_SGD`, told as `referenceStep` does. The trainer stays. */
export async function trainerStep(
  trainer: Trainer,
  request: ReturnType<typeof makeRequest>,
  values: Values,
  batch: Batch,
): Promise<Step> {
  trainer.load(batch);
  const figures = trainer.step(1);
  const [loss = Number.NaN, accuracy = Number.NaN] = await figures.data<'float32'>();
  figures.dispose();
  trainer.sync();
  const after = new Map<string, Float32Array>();
  for (const [key, variable] of request.variables) {
    after.set(key, Float32Array.from(await variable.data<'float32'>()));
  }
  const change = (key: string, scale: number) =>
    (values.get(key) ?? new Float32Array()).map(
      (before, at) => (before - (after.get(key)?.[at] as number)) * scale,
    );
  const { trainable, statistics } = weightKeys(request.network);
  return {
    loss,
    accuracy,
    gradients: new Map(trainable.map((key) => [key, change(key, 1)])),
    observed: new Map(
      statistics.map((key) => [
        key,
        change(key, -1 / (1 - request.batchNormMomentum)).map(
          (moved, at) => moved + (values.get(key)?.[at] as number),
        ),
      ]),
    ),
  };
}

/**
 * Below this share of the largest gradient of all, a weight is held to that share: the true gradient
 * of a bias before batch normalisation is 0, and what is left of it is rounding.
 */
const FLOOR = 0.05;

/** Largest difference between two steps, relative to the largest number of the weight it is about. */
export function compareSteps(actual: Step, expected: Step): { error: number; at: string } {
  let worst = {
    error: Math.abs(actual.loss - expected.loss) / Math.abs(expected.loss),
    at: 'loss',
  };
  const largest = (values: Values) =>
    Math.max(...[...values.values()].map((numbers) => magnitude(numbers)));
  for (const part of ['gradients', 'observed'] as const) {
    const floor = FLOOR * largest(expected[part]);
    for (const [key, wanted] of expected[part]) {
      const found = actual[part].get(key) ?? new Float32Array();
      const difference = magnitude(wanted.map((value, at) => value - (found[at] as number)));
      const error = difference / Math.max(magnitude(wanted), floor);
      if (!(error <= worst.error)) worst = { error, at: `${part} of ${key}` };
    }
  }
  return worst;
}

function magnitude(numbers: Float32Array): number {
  return numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function floatsOf(tensor: tf.Tensor | undefined): Float32Array {
  return Float32Array.from(tensor?.dataSync<'float32'>() ?? []);
}

function shapesOf({ nodes }: Network): ReadonlyMap<string, number[]> {
  return new Map(
    nodes.flatMap(({ node, weights }) =>
      weights.map(({ name, shape }): [string, number[]] => [weightKey(node.id, name), [...shape]]),
    ),
  );
}
