import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { startWasmInNode } from './wasmInNode.ts';

beforeAll(startWasmInNode);

/** Runs `compute` on a backend. Gives what it computed as plain numbers, and leaves no tensor. */
async function runOn(
  backend: 'cpu' | 'wasm',
  compute: () => tf.Tensor[],
): Promise<readonly Float32Array[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const tensors = tf.tidy(compute);
  const values = tensors.map((tensor) => tensor.dataSync<'float32'>());
  tf.dispose(tensors);
  expect(tf.memory().numTensors).toBe(before);
  return values;
}

/** Largest difference, relative to the largest value. */
function relativeError(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let scale = 0;
  let difference = 0;
  expected.forEach((value, index) => {
    scale = Math.max(scale, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - (actual[index] ?? Number.NaN)));
    if (Number.isNaN(actual[index])) difference = Number.POSITIVE_INFINITY;
  });
  expect(scale).toBeGreaterThan(0);
  return difference / scale;
}

async function expectSameOnBoth(compute: () => tf.Tensor[]): Promise<void> {
  const expected = await runOn('cpu', compute);
  const actual = await runOn('wasm', compute);
  expected.forEach((values, index) => {
    expect(relativeError(actual[index] as Float32Array, values)).toBeLessThanOrEqual(1e-4);
  });
}

/** Values of both signs that repeat. */
const noise = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

interface ConvCase {
  readonly size: readonly [height: number, width: number];
  readonly channels: readonly [input: number, output: number];
  readonly kernel: readonly [height: number, width: number];
  readonly strides: [number, number];
  readonly pad: 'same' | 'valid' | number;
}

describe('gradients of convolution', () => {
  const cases: readonly ConvCase[] = [
    { size: [28, 28], channels: [1, 8], kernel: [3, 3], strides: [1, 1], pad: 'same' },
    { size: [13, 13], channels: [8, 16], kernel: [3, 3], strides: [1, 1], pad: 'valid' },
    { size: [9, 7], channels: [5, 3], kernel: [5, 3], strides: [1, 1], pad: 'same' },
    { size: [8, 9], channels: [6, 4], kernel: [2, 4], strides: [1, 1], pad: 'same' },
    { size: [8, 9], channels: [9, 4], kernel: [2, 4], strides: [1, 1], pad: 'valid' },
    { size: [11, 10], channels: [4, 7], kernel: [3, 3], strides: [2, 2], pad: 'same' },
    { size: [10, 11], channels: [4, 7], kernel: [3, 3], strides: [2, 3], pad: 'valid' },
    { size: [10, 11], channels: [1, 7], kernel: [3, 3], strides: [2, 3], pad: 'same' },
    { size: [7, 8], channels: [6, 2], kernel: [1, 1], strides: [1, 1], pad: 'valid' },
    { size: [9, 9], channels: [6, 2], kernel: [4, 4], strides: [2, 2], pad: 'same' },
    { size: [6, 7], channels: [12, 3], kernel: [3, 3], strides: [1, 1], pad: 3 },
    { size: [6, 7], channels: [2, 3], kernel: [3, 3], strides: [2, 2], pad: 3 },
  ];

  for (const { size, channels, kernel, strides, pad } of cases) {
    const [input] = channels;
    it(`depthwise, of ${kernel.join('×')}, ${input} channels, stride ${strides}, ${pad}`, () => {
      // TensorFlow.js has but one stride for both sides there.
      const stride = Math.min(...strides);
      return expectSameOnBoth(() => {
        const x = noise([3, ...size, input], 1) as tf.Tensor4D;
        const filter = noise([...kernel, input, 2], 2) as tf.Tensor4D;
        const convolve = (a: tf.Tensor, b: tf.Tensor) =>
          tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, pad);
        const dy = noise(convolve(x, filter).shape, 3);
        return tf.grads(convolve)([x, filter], dy);
      });
    });
  }

  for (const { size, channels, kernel, strides, pad } of cases) {
    const [input, output] = channels;
    it(`of ${kernel.join('×')}, ${input} → ${output}, stride ${strides}, ${pad}`, () =>
      expectSameOnBoth(() => {
        const x = noise([3, ...size, input], 1) as tf.Tensor4D;
        const filter = noise([...kernel, input, output], 2) as tf.Tensor4D;
        const convolve = (a: tf.Tensor, b: tf.Tensor) =>
          tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad);
        const dy = noise(convolve(x, filter).shape, 3);
        return tf.grads(convolve)([x, filter], dy);
      }));
  }
});

describe('gradient of max pooling', () => {
  const cases = [
    { size: [8, 8], filter: 2, stride: 2, pad: 'valid' },
    { size: [7, 9], filter: 2, stride: 2, pad: 'valid' },
    { size: [7, 9], filter: 2, stride: 2, pad: 'same' },
    { size: [9, 8], filter: 3, stride: 2, pad: 'same' },
    { size: [9, 8], filter: 3, stride: 1, pad: 'same' },
    { size: [9, 8], filter: 2, stride: 3, pad: 'valid' },
  ] as const;

  for (const { size, filter, stride, pad } of cases) {
    const pooled = (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, filter, stride, pad);

    it(`of ${filter}×${filter}, stride ${stride}, ${pad}, on ${size.join('×')}`, () =>
      expectSameOnBoth(() => {
        const x = noise([2, ...size, 5], 4);
        return [tf.grad(pooled)(x, noise(pooled(x).shape, 5))];
      }));

    it(`of ${filter}×${filter}, stride ${stride}, ${pad}, where all values are negative`, () =>
      expectSameOnBoth(() => {
        const x = tf.sub(tf.neg(tf.abs(noise([2, ...size, 5], 6))), 0.5);
        return [tf.grad(pooled)(x, noise(pooled(x).shape, 7))];
      }));
  }

  it('goes to the first of equal values', () =>
    expectSameOnBoth(() => {
      const x = tf.round(noise([2, 8, 8, 3], 8)); // few levels, many ties
      const dy = noise([2, 4, 4, 3], 9);
      return [tf.grad((value) => tf.maxPool(value as tf.Tensor4D, 2, 2, 'valid'))(x, dy)];
    }));
});

describe('matrix products', () => {
  for (const [transposeA, transposeB] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    it(`with sides turned: ${transposeA}, ${transposeB}`, () =>
      expectSameOnBoth(() => [
        tf.matMul(
          noise(transposeA ? [2, 7, 5] : [2, 5, 7], 10),
          noise(transposeB ? [2, 6, 7] : [2, 7, 6], 11),
          transposeA,
          transposeB,
        ),
      ]));
  }
});

describe('clones', () => {
  it('outlive what they were made of', async () => {
    await tf.setBackend('wasm');
    const before = tf.memory();
    const original = tf.tensor1d([1, 2, 3]);
    const copy = tf.clone(original);
    original.dispose();
    tf.zeros([3]).dispose();
    expect(copy.arraySync()).toEqual([1, 2, 3]);
    copy.dispose();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
  });
});
