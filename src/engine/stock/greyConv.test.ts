import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { convMaxPoolGrey } from './greyConv.ts';
import { startWasmInNode } from './wasmInNode.ts';

beforeAll(startWasmInNode);

interface Case {
  readonly size: readonly [height: number, width: number];
  readonly padding: 'same' | 'valid';
}

/** Output and filter gradient on a backend. */
async function compute(
  backend: 'cpu' | 'wasm',
  { size, padding }: Case,
  change: (pictures: tf.Tensor4D) => tf.Tensor4D,
) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const results = tf.tidy(() => {
    const pictures = change(tf.randomNormal([3, ...size, 1], 0, 1, 'float32', 1) as tf.Tensor4D);
    const filter = tf.randomNormal([3, 3, 1, 5], 0, 1, 'float32', 2) as tf.Tensor4D;
    const apply = (kernel: tf.Tensor) =>
      backend === 'wasm'
        ? convMaxPoolGrey(pictures, kernel as tf.Tensor4D, padding)
        : tf.maxPool(tf.conv2d(pictures, kernel as tf.Tensor4D, 1, padding), 2, 2, 'valid');
    const output = apply(filter);
    const dy = tf.randomNormal(output.shape, 0, 1, 'float32', 3);
    return [output, tf.grad(apply)(filter, dy)];
  });
  const values = results.map((tensor) => tensor.dataSync<'float32'>());
  tf.dispose(results);
  expect(tf.memory().numTensors).toBe(before);
  return values;
}

async function expectSame(
  example: Case,
  change: (pictures: tf.Tensor4D) => tf.Tensor4D = (pictures) => pictures,
): Promise<void> {
  const expected = await compute('cpu', example, change);
  const actual = await compute('wasm', example, change);
  expected.forEach((values, index) => {
    const scale = Math.max(...values.map(Math.abs));
    expect(actual[index]?.length).toBe(values.length);
    values.forEach((value, at) => {
      expect(Math.abs((actual[index]?.[at] as number) - value) / scale).toBeLessThanOrEqual(1e-4);
    });
  });
}

describe('convolution of grey pictures with pooling', () => {
  it.each<Case>([
    { size: [28, 28], padding: 'same' },
    { size: [28, 28], padding: 'valid' },
    { size: [9, 12], padding: 'same' },
    { size: [10, 7], padding: 'valid' },
  ])('has the value and gradient of both in turn: $size, $padding', (example) =>
    expectSame(example),
  );

  it('sends the gradient to the first of equal values', () =>
    expectSame({ size: [8, 8], padding: 'same' }, (pictures) => tf.onesLike(pictures)));
});
