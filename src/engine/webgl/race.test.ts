import { describe, expect, it } from 'vitest';
import { race } from './race.ts';

/** Runs that take the given times, one after the other, and how often they ran. */
function runners(firstMs: readonly number[], secondMs: readonly number[]) {
  let nowMs = 0;
  let numRuns = 0;
  const run = (times: readonly number[]) => {
    let turn = 0;
    return () => {
      numRuns++;
      nowMs += times[turn++ % times.length] ?? 0;
    };
  };
  const gain = race(run(firstMs), run(secondMs), 20, () => nowMs);
  return { gain, numRuns };
}

describe('the race of two kernels', () => {
  it('is decided by the median, not by a run that something held up', () => {
    expect(runners([2, 2, 9, 2], [1]).gain).toBe(0.5);
    expect(runners([1], [2, 2, 40, 2]).gain).toBe(2);
  });

  it('takes three pairs, and more while there is time', () => {
    // The first run is for waking up.
    expect(runners([30], [40]).numRuns).toBe(1 + 2 * 3);
    expect(runners([2], [3]).numRuns).toBe(1 + 2 * 4);
    expect(runners([0.1], [0.1]).numRuns).toBe(1 + 2 * 9);
  });
});
