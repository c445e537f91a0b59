import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pace } from './pace.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const INTERVAL_MS = 500;

/** A draw that takes `drawMs`, with a log of when which wish was begun. */
function makeDraw(drawMs: number) {
  const begun: { wish: string; atMs: number }[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const startMs = performance.now();
  const draw = async (wish: string) => {
    begun.push({ wish, atMs: performance.now() - startMs });
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, drawMs));
    underWay--;
    if (wish === 'faulty') throw new Error('no paint');
  };
  return { draw, begun, mostUnderWay: () => mostUnderWay };
}

describe('pace', () => {
  it('draws the first wish at once and, of those that follow, the latest after the interval', async () => {
    const { draw, begun } = makeDraw(10);
    const drawing = pace(draw, INTERVAL_MS, () => {});
    for (const wish of ['a', 'b', 'c']) drawing.push(wish);
    await vi.advanceTimersByTimeAsync(2000);
    expect(begun).toEqual([
      { wish: 'a', atMs: 0 },
      { wish: 'c', atMs: INTERVAL_MS },
    ]);
  });

  it('never draws twice at a time, however slow a draw is', async () => {
    const { draw, begun, mostUnderWay } = makeDraw(1300);
    const drawing = pace(draw, INTERVAL_MS, () => {});
    for (let i = 0; i < 50; i++) {
      drawing.push(`wish ${i}`);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(begun.length).toBeGreaterThan(2);
    expect(mostUnderWay()).toBe(1);
  });

  it('tells of a failed draw and goes on', async () => {
    const { draw, begun } = makeDraw(10);
    const faults: unknown[] = [];
    const drawing = pace(draw, INTERVAL_MS, (fault) => faults.push(fault));
    drawing.push('faulty');
    await vi.advanceTimersByTimeAsync(20);
    drawing.push('next');
    await vi.advanceTimersByTimeAsync(1000);
    expect(faults).toEqual([new Error('no paint')]);
    expect(begun.map(({ wish }) => wish)).toEqual(['faulty', 'next']);
  });

  it('ends only after the draw under way, and draws nothing after', async () => {
    const { draw, begun } = makeDraw(100);
    const drawing = pace(draw, INTERVAL_MS, () => {});
    const closed = vi.fn();
    drawing.push('a');
    drawing.push('b');
    drawing.end(closed);
    expect(closed).not.toHaveBeenCalled();
    drawing.push('c');
    await vi.advanceTimersByTimeAsync(2000);
    expect(closed).toHaveBeenCalledOnce();
    expect(begun.map(({ wish }) => wish)).toEqual(['a']);
  });

  it('ends at once where nothing is being drawn', () => {
    const closed = vi.fn();
    pace(makeDraw(1).draw, INTERVAL_MS, () => {}).end(closed);
    expect(closed).toHaveBeenCalledOnce();
  });
});
