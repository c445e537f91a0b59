import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { applyInTraining, crossEntropy } from '../../ml/run/forward.ts';
import { createOptimizer } from '../../ml/run/optimizer.ts';
import type { LayerSpec } from '../../ml/spec/network.ts';
import { SimdBackend } from './backend.ts';
import { Kernels } from './kernels.ts';
import { convFilterGradient, convForward, convInfo, convInputGradient } from './nativeKernels.ts';
import { Draw, expectSameAsCpu, forSeeds, relativeError } from './testing/cases.ts';
import { NODE_OPTIONS, registerInNode } from './testing/loadInNode.ts';
import { batchNorm, conv2d, dropout, softmaxCrossEntropy } from './trainingKernels.ts';

let backend: SimdBackend;

beforeAll(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'info').mockImplementation(() => {});
  backend = await registerInNode();
});

const isNative = () => tf.getBackend() === 'simd';

describe('fused convolution', () => {
  it('gives what convolution, bias and ReLU give, and their gradients', () =>
    forSeeds(20, async (draw, seed) => {
      const channels = draw.pick([1, 3, 8, 13, 32]);
      const filters = draw.pick([1, 4, 10, 32]);
      const pad = draw.pick(['same', 'valid'] as const);
      const relu = draw.chance(0.7);
      const x = draw.maker([draw.int(1, 5), draw.int(5, 9), draw.int(5, 9), channels]);
      const filter = draw.maker([3, 3, channels, filters]);
      const bias = draw.maker([filters]);
      await expectSameAsCpu(`${seed}: ${channels} → ${filters}, ${pad}, relu ${relu}`, () => {
        const layer = (...[a, b, c]: tf.Tensor[]) => {
          const [input, weights, shift] = [a as tf.Tensor4D, b as tf.Tensor4D, c as tf.Tensor1D];
          if (isNative()) {
            return conv2d(input, weights, shift, { pad, relu, needsInputGradient: true });
          }
          const y = tf.add(tf.conv2d(input, weights, 1, pad), shift);
          return relu ? tf.relu(y) : y;
        };
        const inputs = [x(), filter(), bias()];
        const loss = (...values: tf.Tensor[]) => tf.sum(tf.square(layer(...values)));
        return [layer(...inputs), ...tf.grads(loss)(inputs)];
      });
    }));
});

describe('fused batch normalisation', () => {
  it('gives what its formula gives, and its gradients', () =>
    forSeeds(20, async (draw, seed) => {
      const channels = draw.pick([1, 2, 3, 4, 7, 32, 65]);
      const relu = draw.chance(0.5);
      const mean = draw.pick([0, 10]);
      const shape = [draw.int(2, 9), draw.int(2, 9), draw.int(2, 9), channels];
      const x = draw.maker(shape, (value) => value + mean);
      const dy = draw.maker(shape);
      const gamma = draw.maker([channels], (value) => value + 1.5);
      const beta = draw.maker([channels]);
      await expectSameAsCpu(
        `${seed}: ${channels} channels, relu ${relu}`,
        () => {
          const layer = (...[a, b, c]: tf.Tensor[]) => {
            const [input, scale, shift] = [a as tf.Tensor, b as tf.Tensor1D, c as tf.Tensor1D];
            if (isNative()) return batchNorm(input, scale, shift, 1e-3, relu).y;
            const moments = tf.moments(input, [0, 1, 2]);
            const y = tf.batchNorm(
              input,
              moments.mean as tf.Tensor1D,
              moments.variance as tf.Tensor1D,
              shift,
              scale,
              1e-3,
            );
            return relu ? tf.relu(y) : y;
          };
          const inputs = [x(), gamma(), beta()];
          const loss = (...values: tf.Tensor[]) => tf.sum(tf.mul(layer(...values), dy()));
          return [layer(...inputs), ...tf.grads(loss)(inputs)];
        },
        // Composed, the gradient cancels large terms itself.
        5e-4,
      );
    }));

  it('reports the batch’s moments, also far from zero', async () => {
    await tf.setBackend('simd');
    const draw = new Draw(7);
    const values = draw.numbers(3000).map((value) => value + 1000);
    const { mean, variance } = tf.tidy(() =>
      batchNorm(tf.tensor(values, [1000, 3]), tf.ones([3]), tf.zeros([3]), 1e-3, false),
    );
    for (let channel = 0; channel < 3; channel++) {
      const own = Array.from(values).filter((_, i) => i % 3 === channel);
      const expectedMean = own.reduce((sum, value) => sum + value, 0) / own.length;
      const expected =
        own.reduce((sum, value) => sum + (value - expectedMean) ** 2, 0) / own.length;
      expect(mean.dataSync()[channel]).toBeCloseTo(expectedMean, 2);
      expect((variance.dataSync()[channel] ?? 0) / expected).toBeCloseTo(1, 3);
    }
    tf.dispose([mean, variance]);
  });
});

describe('dropout', () => {
  it('drops the asked share, keeps the mean, and repeats by seed', async () => {
    await tf.setBackend('simd');
    const x = tf.ones([100, 997]);
    const [once, again, other] = [5, 5, 6].map((seed) => dropout(x, 0.3, seed).dataSync());
    const dropped = Array.from(once ?? []).filter((value) => value === 0).length;
    expect(dropped / x.size).toBeCloseTo(0.3, 2);
    expect(new Set(once)).toEqual(new Set([0, Math.fround(1 / Math.fround(0.7))]));
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
    const gradient = tf.grad((value) => dropout(value, 0.3, 5))(x);
    expect(gradient.dataSync()).toEqual(once);
    tf.disposeVariables();
    tf.dispose([x, gradient]);
  });
});

describe('softmax cross-entropy', () => {
  it('gives TensorFlow.js’s own losses and gradients', () =>
    forSeeds(10, async (draw, seed) => {
      const shape = [draw.int(1, 130), draw.int(2, 20)];
      const logits = draw.maker(shape, (value) => value * 30);
      const labels = draw.maker(shape, (value) => Math.abs(value));
      await expectSameAsCpu(`${seed}: [${shape}]`, () => {
        const truth = labels() as tf.Tensor2D;
        const losses = (scores: tf.Tensor) =>
          isNative()
            ? softmaxCrossEntropy(truth, scores as tf.Tensor2D)
            : tf.neg(tf.sum(tf.mul(tf.logSoftmax(scores), truth), 1));
        const x = logits();
        return [losses(x), tf.grad((scores) => tf.mean(losses(scores)))(x)];
      });
    }));
});

const NETWORK: readonly LayerSpec[] = [
  { kind: 'conv', filters: 5, kernel: 3, padding: 'same', activation: 'relu' },
  { kind: 'conv', filters: 6, kernel: 3, padding: 'valid', activation: 'linear' },
  { kind: 'batchNorm' },
  { kind: 'relu' },
  { kind: 'maxPool' },
  { kind: 'conv', filters: 8, kernel: 3, padding: 'same', activation: 'relu' },
  { kind: 'maxPool' },
  { kind: 'flatten' },
  { kind: 'dense', units: 12, activation: 'relu' },
  { kind: 'dense', units: 10, activation: 'linear' },
];

/** A model with the weights that NETWORK takes for pictures of 12×12, always the same. */
function makeModel(): tf.LayersModel {
  const model = tf.sequential();
  let seed = 1;
  const start = () => ({ kernelInitializer: tf.initializers.glorotUniform({ seed: seed++ }) });
  const conv = (filters: number, padding: 'same' | 'valid', useBias: boolean) =>
    tf.layers.conv2d({
      ...(model.layers.length === 0 ? { inputShape: [12, 12, 1] } : {}),
      ...{ filters, kernelSize: 3, padding, useBias, ...start() },
    });
  model.add(conv(5, 'same', true));
  model.add(conv(6, 'valid', false));
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(conv(8, 'same', true));
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 12, ...start() }));
  model.add(tf.layers.dense({ units: 10, ...start() }));
  return model;
}

const BATCH = 16;

/** Trains NETWORK on pictures that can be learnt; gives the losses. `watch` is called every step. */
async function trainOn(
  name: 'cpu' | 'simd',
  optimizerName: 'adam' | 'sgd',
  numSteps: number,
  watch: (model: tf.LayersModel) => void = () => {},
): Promise<number[]> {
  await tf.setBackend(name);
  const before = tf.memory().numTensors;
  const model = makeModel();
  const weights = model.trainableWeights;
  const optimizer = createOptimizer(weights, { optimizer: optimizerName, momentum: 0.9 });
  const draw = new Draw(3);
  const losses: number[] = [];
  for (let step = 0; step < numSteps; step++) {
    const labels = Array.from({ length: BATCH }, () => draw.int(0, 9));
    const pixels = draw.numbers(BATCH * 144).map((value, i) => {
      const label = labels[Math.floor(i / 144)] ?? 0;
      return value * 0.3 + (i % 12 === label ? 1 : 0);
    });
    const loss = tf.tidy(() => {
      const x = tf.tensor4d(pixels, [BATCH, 12, 12, 1]);
      const targets = tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat() as tf.Tensor2D;
      const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) =>
        crossEntropy(applyInTraining(NETWORK, values, x, 0, Math.random).logits, targets),
      )(weights.map((weight) => weight.read()));
      optimizer.step(grads, optimizerName === 'adam' ? 3e-3 : 2e-2);
      return value;
    });
    losses.push(loss.dataSync()[0] ?? Number.NaN);
    loss.dispose();
    watch(model);
  }
  optimizer.dispose();
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return losses;
}

describe('training', () => {
  for (const optimizer of ['adam', 'sgd'] as const) {
    it(`by ${optimizer} takes the same path as on the cpu backend`, async () => {
      const expected = await trainOn('cpu', optimizer, 12);
      const actual = await trainOn('simd', optimizer, 12);
      expect(relativeError(actual.slice(0, 4), expected.slice(0, 4))).toBeLessThan(1e-4);
      expect(relativeError(actual, expected)).toBeLessThan(1e-2);
    });
  }

  it('neither grows the memory nor leaves tensors', async () => {
    const { kernels } = backend;
    const used: number[] = [];
    const size: number[] = [];
    await trainOn('simd', 'adam', 60, () => {
      used.push(kernels.allocator.usedBytes);
      size.push(kernels.memoryBytes);
    });
    expect(new Set(used.slice(3)).size).toBe(1);
    expect(new Set(size.slice(3)).size).toBe(1);
  });

  it('leaves a kept copy of the weights alone', async () => {
    const copies: tf.Tensor[] = [];
    const values: tf.TypedArray[] = [];
    await tf.setBackend('simd');
    const model = makeModel();
    const weights = model.trainableWeights;
    const optimizer = createOptimizer(weights, { optimizer: 'adam', momentum: 0.9 });
    const gradients = weights.map((weight) => tf.onesLike(weight.read()));
    for (let step = 0; step < 3; step++) {
      const copy = tf.clone(weights[0]?.read() ?? tf.scalar(0));
      copies.push(copy);
      values.push(copy.dataSync());
      optimizer.step(gradients, 0.1);
    }
    expect(copies.map((copy) => copy.dataSync())).toEqual(values);
    expect(relativeError(weights[0]?.read().dataSync() ?? [], values[0] ?? [])).toBeGreaterThan(
      0.1,
    );
    tf.dispose([...copies, ...gradients]);
    optimizer.dispose();
    model.dispose();
  });
});

describe('threads', () => {
  const backends: SimdBackend[] = [];
  afterAll(() => {
    for (const { kernels } of backends) kernels.dispose();
  });

  it.each([
    { way: 'directly', channels: 18, filters: 21, strides: [2, 1] },
    { way: 'by minimal filtering', channels: 20, filters: 36, strides: [1, 1] },
  ])('convolve $way to the same bits, however many', async ({ channels, filters, strides }) => {
    const results: Float32Array[][] = [];
    for (const numThreads of [1, 2, 5]) {
      const threaded = new SimdBackend(await Kernels.load({ ...NODE_OPTIONS, numThreads }));
      backends.push(threaded);
      const draw = new Draw(11);
      const info = convInfo([37, 13, 11, channels], [3, 3, channels, filters], {
        strides,
        pad: 'same',
      });
      const make = (shape: number[]) =>
        threaded.makeTensorInfo(shape, 'float32', draw.numbers(tf.util.sizeFromShape(shape)));
      const [x, filter, bias] = [make(info.inShape), make(info.filterShape), make([filters])];
      const dy = make(info.outShape);
      const outputs: Float32Array[] = [];
      // Often, and with pauses, so that threads are met busy, idle and asleep.
      for (let round = 0; round < 12; round++) {
        if (round % 4 === 3) await new Promise((resolve) => setTimeout(resolve, 20));
        for (const output of [
          convForward(threaded, info, x, filter, bias, true),
          convInputGradient(threaded, info, dy, filter),
          convFilterGradient(threaded, info, x, dy),
        ]) {
          if (round === 11) outputs.push(threaded.readSync(output.dataId) as Float32Array);
          threaded.disposeIntermediateTensorInfo(output);
        }
      }
      results.push(outputs);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});
