import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { createOptimizer } from './optimizer.ts';

beforeAll(() => tf.setBackend('cpu'));

/** A model with weights `[3, 2]` and `[2]`. */
function makeModel(): tf.Sequential {
  return tf.sequential({
    layers: [
      tf.layers.dense({
        inputShape: [3],
        units: 2,
        kernelInitializer: tf.initializers.heNormal({ seed: 5 }),
      }),
    ],
  });
}

const gradientsAt = (step: number) => [
  tf.randomNormal([3, 2], 0, 1, 'float32', step + 1),
  tf.randomNormal([2], 0, 1, 'float32', step + 101),
];

it.each([
  { optimizer: 'adam', stock: () => tf.train.adam(0.01, 0.9, 0.999, 1e-7) },
  { optimizer: 'sgd', stock: () => tf.train.momentum(0.01, 0.8) },
] as const)('$optimizer steps as the stock optimizer does', ({ optimizer, stock }) => {
  const theirs = makeModel();
  const other = stock();
  const names = theirs.trainableWeights.map((weight) => (weight.read() as tf.Variable).name);
  for (let step = 0; step < 6; step++) {
    tf.tidy(() => {
      const gradients = gradientsAt(step);
      other.applyGradients(names.map((name, at) => ({ name, tensor: gradients[at] as tf.Tensor })));
    });
  }
  const expected = theirs.trainableWeights.map((weight) => weight.read().dataSync());

  const numTensors = tf.memory().numTensors;
  const ours = makeModel();
  const own = createOptimizer(ours.trainableWeights, { optimizer, momentum: 0.8 });
  for (let step = 0; step < 6; step++) tf.tidy(() => own.step(gradientsAt(step), 0.01));
  ours.trainableWeights.forEach((weight, index) => {
    const actual = weight.read().dataSync();
    expect(actual.length).toBe(expected[index]?.length);
    actual.forEach((value, at) => {
      expect(value).toBeCloseTo(expected[index]?.[at] as number, 5);
    });
  });
  own.dispose();
  ours.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
});
