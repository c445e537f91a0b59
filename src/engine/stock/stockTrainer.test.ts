import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { resolveNetwork } from '../../network/spec.ts';
import { resolveRandomNetwork } from '../../network/testing/randomNetworks.ts';
import type { OptimizerSpec } from '../contract.ts';
import {
  compareSteps,
  makeBatch,
  makeRequest,
  makeWeights,
  PLAIN_SGD,
  referenceStep,
  trainerStep,
} from '../testing/gradients.ts';
import { crossEntropy } from './plainNetwork.ts';
import { StockTrainer } from './stockTrainer.ts';
import { startWasmInNode } from './wasmInNode.ts';

let numTensors = 0;

beforeEach(async () => {
  await startWasmInNode();
  numTensors = tf.memory().numTensors;
});

afterEach(async () => {
  await startWasmInNode();
  expect(tf.memory().numTensors).toBe(numTensors);
});

const BATCH_SIZE = 2;
const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

const presets = Object.values(NETWORK_PRESETS).map(({ spec }) => resolveNetwork(spec, 10));

describe.each(['cpu', 'wasm'])('on %s', (backend) => {
  const cases = [
    // The largest take the `cpu` backend minutes; it is asked for the reference already.
    ...(backend === 'cpu' ? [] : presets),
    ...SEEDS.map((seed) => resolveRandomNetwork(seed)),
  ].map((network) => [network.spec.title, network] as const);

  it.each(cases)('the gradients of %s are those of the plain definitions', async (_, network) => {
    const values = makeWeights(network, 3);
    const batch = makeBatch(network, BATCH_SIZE, 4);
    const expected = await referenceStep(network, values, batch, { labelSmoothing: 0.1 });
    await tf.setBackend(backend);
    const request = makeRequest(network, values, { batchSize: BATCH_SIZE, labelSmoothing: 0.1 });
    const trainer = new StockTrainer(request);
    const actual = await trainerStep(trainer, request, values, batch);
    const { error, at } = compareSteps(actual, expected);
    expect(error, at).toBeLessThan(1e-4);
    expect(actual.accuracy).toBeCloseTo(expected.accuracy, 6);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });
});

const small = resolveNetwork(NETWORK_PRESETS.small.spec, 10);
const classic = resolveNetwork(NETWORK_PRESETS.classic.spec, 10);

/** Weights after some steps, by key. */
async function trainFor(
  numSteps: number,
  optimizer: OptimizerSpec,
  { restartsAt = -1, which = 'current' as 'current' | 'average' } = {},
) {
  const values = makeWeights(classic, 5);
  const request = makeRequest(classic, values, { batchSize: BATCH_SIZE, optimizer });
  let trainer = new StockTrainer(request);
  for (let step = 0; step < numSteps; step++) {
    if (step === restartsAt) {
      const optimizerState = await trainer.readOptimizerState();
      trainer.sync();
      trainer.dispose();
      trainer = new StockTrainer({ ...request, optimizerState });
    }
    trainer.load(makeBatch(classic, BATCH_SIZE, 10 + step));
    trainer.step(0.01).dispose();
  }
  trainer.sync(which);
  const result = Object.fromEntries(
    [...request.variables].map(([key, variable]) => [key, [...variable.dataSync()]]),
  );
  trainer.dispose();
  tf.dispose([...request.variables.values()]);
  return result;
}

const ADAM: OptimizerSpec = {
  ...PLAIN_SGD,
  rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: null },
};

describe('a trainer', () => {
  it.each([
    ['Adam', ADAM],
    ['SGD', { ...PLAIN_SGD, rule: { kind: 'sgd', momentum: 0.9, isNesterov: true } }],
    ['an average', { ...ADAM, averageDecay: 0.99, weightDecay: 0.1, maxGradientNorm: 1 }],
  ] as const)('goes on with %s from where another stopped', async (_, optimizer) => {
    const which = optimizer.averageDecay === null ? 'current' : 'average';
    const whole = await trainFor(6, optimizer, { which });
    const resumed = await trainFor(6, optimizer, { which, restartsAt: 3 });
    for (const [key, values] of Object.entries(whole)) {
      values.forEach((value, at) => {
        expect(resumed[key]?.[at]).toBeCloseTo(value, 5);
      });
    }
  });

  it('keeps an average that lags behind the weights', async () => {
    const optimizer = { ...ADAM, averageDecay: 0.999 };
    const [current, average] = [
      await trainFor(5, optimizer),
      await trainFor(5, optimizer, { which: 'average' }),
    ];
    const start = makeWeights(classic, 5);
    const key = 'hidden/kernel';
    const moved = (values: Record<string, number[]>) =>
      (values[key] ?? []).reduce(
        (sum, v, at) => sum + Math.abs(v - (start.get(key)?.[at] ?? 0)),
        0,
      );
    expect(moved(average)).toBeLessThan(moved(current));
    expect(moved(average)).toBeGreaterThan(0);
    expect(average['norm1/moving_mean']).not.toEqual(current['norm1/moving_mean']);
  });

  it('has no average to give where it keeps none', async () => {
    await expect(trainFor(1, ADAM, { which: 'average' })).rejects.toThrow(RangeError);
    tf.disposeVariables();
    numTensors = tf.memory().numTensors;
  });

  it('takes rows, changed and mixed, as it takes the same pixels', async () => {
    const values = makeWeights(small, 6);
    const batchSize = 4;
    const { images, ...rest } = makeBatch(small, batchSize, 7);
    if (images.kind !== 'pixels') throw new Error('A batch of pixels was to be made.');
    const data = { pixels: images.pixels, numRows: batchSize };
    const batch = {
      ...rest,
      images: { kind: 'rows', rows: new Uint32Array([3, 1, 0, 2]) },
      changes: Array.from({ length: batchSize }, (_, index) => ({
        isMirrored: index % 2 === 0,
        right: index - 1,
        down: 1 - index,
        erased: index === 1 ? { left: 3, top: 4, width: 5, height: 6, fill: 200 } : null,
      })),
      mixing: {
        partners: new Uint32Array([1, 2, 3, 0]),
        shares: new Float32Array([1, 0.5, 0.75, 0.25]),
      },
    } as const;
    const expected = await referenceStep(small, values, batch, { data });
    await startWasmInNode();
    const request = makeRequest(small, values, { batchSize, data });
    const trainer = new StockTrainer(request);
    const { error, at } = compareSteps(
      await trainerStep(trainer, request, values, batch),
      expected,
    );
    expect(error, at).toBeLessThan(1e-4);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });

  it('lets two batches wait and no third', () => {
    const values = makeWeights(small, 6);
    const request = makeRequest(small, values, { batchSize: BATCH_SIZE });
    const trainer = new StockTrainer(request);
    expect(() => trainer.step(1)).toThrow(RangeError);
    const batch = makeBatch(small, BATCH_SIZE, 7);
    trainer.load(batch);
    trainer.load(batch);
    expect(() => trainer.load(batch)).toThrow(RangeError);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });
});

describe('cross-entropy', () => {
  it('does not overflow', () => {
    tf.tidy(() => {
      const logits = tf.tensor2d([[1000, -1000]]);
      const { value, grad } = tf.valueAndGrad((scores) =>
        crossEntropy(scores as tf.Tensor2D, tf.tensor2d([[0, 1]])),
      )(logits);
      expect(value.dataSync()[0]).toBeCloseTo(2000);
      expect([...grad.dataSync()]).toEqual([1, -1]);
    });
  });
});
