/**
 * Compares kernels: random cases from printed seeds, run on the stock `cpu` backend and
 * on ours.
 */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { BACKEND_NAME } from '../backend.ts';

/** Random choices of one case, all from its seed. */
export class Draw {
  readonly #random: () => number;

  constructor(seed: number) {
    // Numerical Recipes' linear congruence: its upper bits are random enough to choose shapes.
    let state = seed >>> 0;
    this.#random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) / 2 ** 24;
    };
    for (let i = 0; i < 8; i++) this.#random();
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.#random();
  }

  /** A whole number from `low` to `high`. */
  int(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.int(0, choices.length - 1)];
    if (choice === undefined) throw new RangeError('Nothing to pick from.');
    return choice;
  }

  /** Numbers in [-1, 1). */
  numbers(count: number): Float32Array {
    return new Float32Array(count).map(() => this.#random() * 2 - 1);
  }

  /** A tensor of numbers in [-1, 1), the same on every backend. */
  maker(shape: number[], change: (value: number) => number = (value) => value): () => tf.Tensor {
    const values = this.numbers(tf.util.sizeFromShape(shape)).map(change);
    return () => tf.tensor(values, shape);
  }
}

/** Largest difference, relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let scale = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN];
    if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    difference = Math.max(difference, Number.isNaN(a - b) ? Infinity : Math.abs(a - b));
  }
  return scale === 0 ? difference : difference / scale;
}

/** What `compute` gives on a backend, as shapes and numbers. Nothing may be left behind. */
async function runOn(backend: string, compute: () => tf.Tensor | tf.Tensor[]) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const tensors = tf.tidy(() => [compute()].flat());
  const results = tensors.map((tensor) => ({
    shape: tensor.shape,
    dtype: tensor.dtype,
    values: tensor.dataSync(),
  }));
  tf.dispose(tensors);
  expect(tf.memory().numTensors).toBe(before);
  return results;
}

/** Expects the same shapes, types and (to 1e-4) numbers from the `cpu` backend and from ours. */
export async function expectSameAsCpu(
  label: string,
  compute: () => tf.Tensor | tf.Tensor[],
  tolerance = 1e-4,
): Promise<void> {
  const expected = await runOn('cpu', compute);
  const actual = await runOn(BACKEND_NAME, compute);
  expect(actual.length, label).toBe(expected.length);
  expected.forEach((result, i) => {
    const ours = actual[i];
    expect(ours?.shape, label).toEqual(result.shape);
    expect(ours?.dtype, label).toBe(result.dtype);
    const error = relativeError(ours?.values ?? [], result.values);
    expect(error, `${label}, output ${i}`).toBeLessThanOrEqual(tolerance);
  });
}

/** Runs `test` on `count` seeds; whatever fails names its seed. */
export async function forSeeds(
  count: number,
  test: (draw: Draw, label: string) => Promise<void>,
): Promise<void> {
  for (let seed = 1; seed <= count; seed++) await test(new Draw(seed), `seed ${seed}`);
}
