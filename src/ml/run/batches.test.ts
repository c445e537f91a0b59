import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { FASHION_MNIST, PIXELS, SIDE } from '../../fashion.ts';
import { DEFAULT_RECIPE, type Recipe } from '../spec/recipe.ts';
import { createBatches } from './batches.ts';

const NUM_ROWS = 64;
const dataset: Dataset = {
  pixels: new Uint8Array(NUM_ROWS * PIXELS).fill(9),
  labels: Uint8Array.from({ length: NUM_ROWS }, (_, row) => row % 10),
  spec: FASHION_MNIST,
};
const rows = Uint32Array.from({ length: NUM_ROWS }, (_, row) => row);

function makeBatch(change: Partial<Recipe>) {
  return createBatches(dataset, { ...DEFAULT_RECIPE, ...change }, NUM_ROWS, 10)(rows);
}

/** `[10]` of one image. */
const targetOf = (targets: Float32Array, index: number) =>
  Array.from(targets.subarray(index * 10, (index + 1) * 10));

describe('a batch', () => {
  it('has what the recipe asks for and nothing else', () => {
    const plain = makeBatch({ augment: 'none' });
    expect(plain).toMatchObject({ images: { kind: 'rows', rows }, changes: null, mixing: null });
    expect(targetOf(plain.targets, 13)).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    const light = makeBatch({ augment: 'light' });
    expect(light.changes?.every(({ erased }) => erased === null)).toBe(true);
    expect(makeBatch({ augment: 'photos' }).images.kind).toBe('pixels');
  });

  it('is the same for a seed, and light changes are the same beside an erasing that never comes', () => {
    const all = { erasing: 0.5, mixing: 0.4 };
    expect(makeBatch(all)).toEqual(makeBatch(all));
    expect(makeBatch(all)).not.toEqual(makeBatch({ ...all, seed: 8 }));
    const areasAside = makeBatch({ erasing: 0, erasingArea: 0.4 });
    expect(areasAside).toEqual(makeBatch({}));
  });
});

describe('erasing', () => {
  it.each(['none', 'photos'] as const)(
    'paints over rectangles inside the image (%s)',
    (augment) => {
      const { changes } = makeBatch({ augment, erasing: 1, erasingArea: 0.25 });
      const areas = changes?.flatMap(({ erased }) => erased ?? []) ?? [];
      expect(areas).toHaveLength(NUM_ROWS);
      for (const { left, top, width, height, fill } of areas) {
        expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
        expect(Math.max(left + width, top + height)).toBeLessThanOrEqual(SIDE);
        expect(fill).toBeGreaterThanOrEqual(0);
        expect(fill).toBeLessThanOrEqual(255);
        const share = (width * height) / PIXELS;
        expect(share).toBeGreaterThan(0.01);
        expect(share).toBeLessThan(0.27);
      }
      expect(new Set(areas.map(({ width, height }) => `${width} ${height}`)).size).toBeGreaterThan(
        20,
      );
    },
  );

  it('takes the share of the images that it is told', () => {
    const { changes } = makeBatch({ erasing: 0.25 });
    const numErased = changes?.filter(({ erased }) => erased).length ?? 0;
    expect(numErased).toBeGreaterThan(NUM_ROWS * 0.1);
    expect(numErased).toBeLessThan(NUM_ROWS * 0.45);
  });
});

describe('mixing', () => {
  it('mixes targets as images, each with another of the batch', () => {
    const { mixing, targets } = makeBatch({ mixing: 0.4 });
    if (!mixing) throw new Error('Nothing is mixed.');
    expect(Array.from(mixing.partners).sort((a, b) => a - b)).toEqual(Array.from(rows));
    for (const index of rows) {
      const share = mixing.shares[index] ?? 0;
      expect(share).toBeGreaterThanOrEqual(0.5);
      expect(share).toBeLessThanOrEqual(1);
      const expected = new Array<number>(10).fill(0);
      expected[index % 10] = share;
      const partner = (mixing.partners[index] ?? 0) % 10;
      expected[partner] = (expected[partner] ?? 0) + 1 - share;
      targetOf(targets, index).forEach((target, label) => {
        expect(target).toBeCloseTo(expected[label] ?? 0, 6);
      });
    }
  });

  it('blends more evenly the stronger it is, and never gives what is no number', () => {
    const meanShare = (mixing: number) => {
      const shares = Array.from(makeBatch({ mixing }).mixing?.shares ?? []);
      expect(shares.every(Number.isFinite)).toBe(true);
      return shares.reduce((sum, share) => sum + share, 0) / shares.length;
    };
    // By hand: the mean of the larger part is 3/4 where the draw is even, and 1 in the limit of 0.
    expect(Math.abs(meanShare(1) - 0.75)).toBeLessThan(0.06);
    expect(meanShare(0.2)).toBeGreaterThan(0.8);
    expect(meanShare(0.0001)).toBe(1);
  });
});
