import { describe, expect, it } from 'vitest';
import { boxMean, createGuidedFilter } from './guidedFilter.ts';

const WIDTH = 13;
const HEIGHT = 9;
const field = (value: (x: number, y: number) => number) =>
  Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => value(i % WIDTH, Math.floor(i / WIDTH)));

describe('boxMean', () => {
  it.each([0, 1, 3, 20])(
    'is the mean of the square of radius %i, cut off at the edges',
    (radius) => {
      const values = field((x, y) => ((x * 7 + y * 13) % 11) - 4);
      const naive = field((x, y) => {
        let sum = 0;
        let count = 0;
        for (let v = Math.max(0, y - radius); v <= Math.min(HEIGHT - 1, y + radius); v++) {
          for (let u = Math.max(0, x - radius); u <= Math.min(WIDTH - 1, x + radius); u++) {
            sum += values[v * WIDTH + u] ?? 0;
            count += 1;
          }
        }
        return sum / count;
      });
      boxMean(values, WIDTH, HEIGHT, radius).forEach((value, i) => {
        expect(value).toBeCloseTo(naive[i] ?? 0, 4);
      });
    },
  );
});

describe('createGuidedFilter', () => {
  /** Dark to the left of column 6, light from there on. */
  const guide = field((x) => (x < 6 ? 20 : 220));
  const noisyStep = field((x, y) => (x < 6 ? -1 : 1) + 0.6 * ((x + y) % 2 === 0 ? 1 : -1));
  const smooth = createGuidedFilter(guide, WIDTH, HEIGHT, 2, 60).smooth(noisyStep);

  it('keeps a step where the guide has an edge, and evens out the rest', () => {
    smooth.forEach((value, i) => {
      expect(Math.abs(value - (i % WIDTH < 6 ? -1 : 1))).toBeLessThan(0.25);
    });
  });

  it('smooths a step away where the guide has no edge', () => {
    const flat = createGuidedFilter(
      field(() => 100),
      WIDTH,
      HEIGHT,
      2,
      60,
    ).smooth(noisyStep);
    const beside = flat[4 * WIDTH + 5] ?? -1;
    expect(Math.abs(beside)).toBeLessThan(0.6);
  });
});
