import { describe, expect, it } from 'vitest';
import { type Grid, minCut } from './minCut.ts';

/** Whole numbers from 0 up to the bound, the same in every run. */
function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return (state >> 8) % bound;
  };
}

/** What a division of the pixels costs: the odds gone against, and the neighbours parted. */
function costOfCut({ width, height, odds, costOf }: Grid, inside: (i: number) => number): number {
  let cost = 0;
  for (let i = 0; i < width * height; i++) {
    const value = odds[i] ?? 0;
    cost += inside(i) === 1 ? Math.max(0, -value) : Math.max(0, value);
    for (const [dx, dy] of [
      [1, 0],
      [-1, 1],
      [0, 1],
      [1, 1],
    ] as const) {
      const x = (i % width) + dx;
      const y = Math.floor(i / width) + dy;
      if (x < 0 || x >= width || y >= height) continue;
      const j = y * width + x;
      if (inside(i) !== inside(j)) cost += costOf(i, j, dx !== 0 && dy !== 0);
    }
  }
  return cost;
}

describe('minCut', () => {
  it('finds the cheapest of all divisions of small grids', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const next = numbers(seed);
      const width = 3;
      const height = 3 + (seed % 2);
      const numPixels = width * height;
      const costs = Array.from({ length: numPixels ** 2 }, () => next(8));
      const grid: Grid = {
        width,
        height,
        odds: Float32Array.from({ length: numPixels }, () => next(21) - 10),
        costOf: (i, j) => costs[Math.min(i, j) * numPixels + Math.max(i, j)] ?? 0,
      };
      const cut = minCut(grid);
      let cheapest = Number.POSITIVE_INFINITY;
      for (let division = 0; division < 2 ** numPixels; division++) {
        cheapest = Math.min(
          cheapest,
          costOfCut(grid, (i) => (division >> i) & 1),
        );
      }
      expect(costOfCut(grid, (i) => cut[i] ?? 0)).toBe(cheapest);
    }
  });

  it('follows the odds where parting costs nothing, and lets the many outvote one', () => {
    const odds = Float32Array.of(2, -1, 2, 2, 2, 2, 2, 2, 2);
    const cut = (cost: number) => [...minCut({ width: 3, height: 3, odds, costOf: () => cost })];
    expect(cut(0)).toEqual([1, 0, 1, 1, 1, 1, 1, 1, 1]);
    expect(cut(1)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('copes with a single pixel and with a line', () => {
    const costOf = () => 1;
    expect([...minCut({ width: 1, height: 1, odds: Float32Array.of(0.5), costOf })]).toEqual([1]);
    const line = Float32Array.of(-3, 0, 0, 3);
    expect([...minCut({ width: 4, height: 1, odds: line, costOf })].slice(0, 1)).toEqual([0]);
    expect([...minCut({ width: 1, height: 4, odds: line, costOf })].slice(3)).toEqual([1]);
  });
});
