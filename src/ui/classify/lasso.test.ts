import { describe, expect, it } from 'vitest';
import { areasOf, type Point, pathOf, sizeOf } from './lasso.ts';

const SIDE = 120;
const points = (...pairs: readonly (readonly [number, number])[]): Point[] =>
  pairs.map(([x, y]) => ({ x, y }));

describe('areasOf', () => {
  it('leaves a lasso as it was drawn', () => {
    const drawn = points([10, 10], [40, 10], [40, 40]);
    expect(areasOf(drawn, SIDE, false)).toEqual([drawn]);
  });

  it('reflects in the vertical middle', () => {
    const drawn = points([10, 10], [40, 10], [40, 40]);
    expect(areasOf(drawn, SIDE, true)).toEqual([drawn, points([110, 10], [80, 10], [80, 40])]);
  });

  it('leads half a garment onto the axis, so that the halves meet', () => {
    const [half, other] = areasOf(points([66, 20], [100, 20], [100, 90], [63, 90]), SIDE, true);
    expect(half?.[0]).toEqual({ x: 60, y: 20 });
    expect(half?.at(-1)).toEqual({ x: 60, y: 90 });
    expect(other?.at(-1)).toEqual({ x: 60, y: 90 });
  });

  it('does not reach for the axis where only one end is near', () => {
    const drawn = points([62, 20], [100, 20], [100, 90]);
    expect(areasOf(drawn, SIDE, true)[0]).toEqual(drawn);
  });

  it('knows nothing of an empty lasso', () => {
    expect(pathOf(areasOf([], SIDE, true))).toBe('');
  });
});

it('writes closed paths', () => {
  expect(pathOf([points([0, 0], [2, 0.25]), points([1, 1])])).toBe('M0.0 0.0L2.0 0.3ZM1.0 1.0Z');
});

it('measures areas whichever way round they were drawn', () => {
  const square = points([0, 0], [10, 0], [10, 10], [0, 10]);
  expect(sizeOf(square)).toBe(100);
  expect(sizeOf([...square].reverse())).toBe(100);
  expect(sizeOf(points([0, 0], [50, 0]))).toBe(0);
});
