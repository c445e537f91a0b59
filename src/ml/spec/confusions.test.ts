import { describe, expect, it } from 'vitest';
import { rowsTakenFor, samplingError, worstConfusions } from './confusions.ts';

describe('worstConfusions', () => {
  const confusion = [
    [90, 8, 2],
    [0, 5, 5],
    [30, 0, 970],
  ];

  it('ranks by share of the class, not by count', () => {
    expect(worstConfusions(confusion, 3)).toEqual([
      { actual: 1, taken: 2, count: 5, support: 10 },
      { actual: 0, taken: 1, count: 8, support: 100 },
      { actual: 2, taken: 0, count: 30, support: 1000 },
    ]);
  });

  it('leaves out what never happened and what was right', () => {
    expect(worstConfusions(confusion, 99)).toHaveLength(4);
    expect(
      worstConfusions(
        [
          [3, 0],
          [0, 0],
        ],
        99,
      ),
    ).toEqual([]);
  });
});

describe('rowsTakenFor', () => {
  it('gives the rows of the cell, the surest first', () => {
    const predicted = Uint8Array.of(6, 0, 6, 6, 6);
    const confidence = Float32Array.of(0.5, 0.9, 0.8, 0.95, 0.7);
    expect(rowsTakenFor(6, Uint32Array.of(0, 1, 2, 4), predicted, confidence)).toEqual([2, 4, 0]);
  });
});

describe('samplingError', () => {
  it('is ±0.56 points at 91 % on 10,000 rows', () => {
    expect(samplingError(0.91, 10_000)).toBeCloseTo(0.0056, 4);
  });

  it('is nought where everything was right', () => {
    expect(samplingError(1, 500)).toBe(0);
  });
});
