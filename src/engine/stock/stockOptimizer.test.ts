import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OptimizerSpec } from '../contract.ts';
import { StockOptimizer } from './stockOptimizer.ts';

beforeAll(() => tf.setBackend('cpu'));

const KEYS = {
  trainable: ['layer/kernel', 'layer/bias'],
  statistics: [],
  decaying: new Set(['layer/kernel']),
};
const SHAPES = [[3, 2], [2]];
const SGD: OptimizerSpec = {
  rule: { kind: 'sgd', momentum: 0.8, isNesterov: false },
  weightDecay: 0,
  maxGradientNorm: null,
  averageDecay: null,
};

const startOf = (key: string) =>
  tf.randomNormal(SHAPES[KEYS.trainable.indexOf(key)] as number[], 0, 1, 'float32', key.length);
const gradientsAt = (step: number) => [
  tf.randomNormal([3, 2], 0, 1, 'float32', step + 1),
  tf.randomNormal([2], 0, 1, 'float32', step + 101),
];

/** Weights after `numSteps`, one list after the other. */
function run(spec: OptimizerSpec, numSteps: number, scale = 1): number[] {
  return tf.tidy(() => {
    const optimizer = new StockOptimizer(KEYS, startOf, spec, null);
    for (let step = 0; step < numSteps; step++) {
      optimizer.step(
        gradientsAt(step).map((gradient) => tf.mul(gradient, scale)),
        0.01,
      );
    }
    const values = optimizer.values.flatMap((value) => [...value.dataSync()]);
    optimizer.dispose();
    return values;
  });
}

function runStock(stock: tf.Optimizer, numSteps: number): number[] {
  return tf.tidy(() => {
    const variables = KEYS.trainable.map((key) => tf.variable(startOf(key)));
    for (let step = 0; step < numSteps; step++) {
      const gradients = gradientsAt(step);
      stock.applyGradients(
        variables.map(({ name }, at) => ({ name, tensor: gradients[at] as tf.Tensor })),
      );
    }
    const values = variables.flatMap((value) => [...value.dataSync()]);
    tf.dispose(variables);
    stock.dispose();
    return values;
  });
}

const expectClose = (actual: number[], expected: number[]) => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, at) => {
    expect(value).toBeCloseTo(expected[at] as number, 5);
  });
};

describe('an optimizer steps as the stock one does', () => {
  it.each([
    [
      'Adam',
      { ...SGD, rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } },
      () => tf.train.adam(0.01, 0.9, 0.999, 1e-7),
    ],
    ['SGD with momentum', SGD, () => tf.train.momentum(0.01, 0.8)],
    [
      'SGD with Nesterov’s momentum',
      { ...SGD, rule: { kind: 'sgd', momentum: 0.8, isNesterov: true } },
      () => tf.train.momentum(0.01, 0.8, true),
    ],
  ] as const)('%s', (_, spec, stock) => {
    const expected = runStock(stock(), 6);
    const { numTensors } = tf.memory();
    expectClose(run(spec, 6), expected);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});

it('decays kernels alone, by rate times decay', () => {
  const still = run({ ...SGD, weightDecay: 0.5 }, 1, 0);
  const start = KEYS.trainable.map((key) => [...startOf(key).dataSync()]);
  expectClose(still, [
    ...(start[0] ?? []).map((value) => value * (1 - 0.01 * 0.5)),
    ...(start[1] ?? []),
  ]);
});

it('shortens gradients that are too long, all by one factor, and leaves short ones', () => {
  const norm = Math.hypot(...gradientsAt(0).flatMap((gradient) => [...gradient.dataSync()]));
  const clipped = { ...SGD, maxGradientNorm: norm / 2 };
  expectClose(run(clipped, 1), run(SGD, 1, 0.5));
  expectClose(run(clipped, 1, 0.4), run(SGD, 1, 0.4));
});
