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
  return { gain, numRuns, elapsedMs: nowMs };
}

describe('the race of two kernels', () => {
  it('is decided by the median, not by a run that something held up', () => {
    expect(runners([2, 9, 2, 2], [1]).gain).toBe(0.5);
    expect(runners([1], [2, 2, 2, 40]).gain).toBe(2);
  });

  it('ends with its time', () => {
    const { elapsedMs, numRuns } = runners([3], [4]);
    expect(elapsedMs).toBe(21);
    expect(numRuns).toBe(6);
    expect(runners([1], [60]).numRuns).toBe(2);
    expect(runners([0.1], [0.1]).numRuns).toBe(18);
  });
});
