import { describe, expect, it } from 'vitest';
import { align, type Point, thin, wholeTicks } from './series.ts';

const wave = (numPoints: number): Point[] =>
  Array.from({ length: numPoints }, (_, x) => ({ x, y: Math.sin(x / 7) }));

describe('thin', () => {
  it('leaves short series as they are', () => {
    const points = wave(300);
    expect(thin(points, 300)).toBe(points);
  });

  it('keeps exactly as many points as asked for, the ends among them, in order', () => {
    const points = wave(1234);
    for (const maxPoints of [2, 3, 10, 299]) {
      const kept = thin(points, maxPoints);
      expect(kept).toHaveLength(maxPoints);
      expect(kept[0]).toBe(points[0]);
      expect(kept.at(-1)).toBe(points.at(-1));
      expect(kept.every((point, i) => i === 0 || point.x > (kept[i - 1]?.x ?? 0))).toBe(true);
    }
  });

  it('keeps a lone spike, which every tenth point would miss', () => {
    const points = Array.from({ length: 1000 }, (_, x) => ({ x, y: x === 503 ? 9 : 0 }));
    expect(thin(points, 50).some((point) => point.y === 9)).toBe(true);
  });
});

describe('align', () => {
  it('reads series of different lengths at shared positions, on the lines between their points', () => {
    const training = [0, 1, 2, 3, 4].map((x) => ({ x, y: 10 - x }));
    const validation = [
      { x: 1, y: 4 },
      { x: 3, y: 8 },
    ];
    expect(align([training, validation], 300)).toEqual({
      xs: [0, 1, 2, 3, 4],
      ys: [
        [10, 9, 8, 7, 6],
        [null, 4, 6, 8, null],
      ],
    });
  });

  it('takes in positions that only one series has', () => {
    const { xs, ys } = align(
      [
        [
          { x: 0, y: 0 },
          { x: 2, y: 2 },
        ],
        [{ x: 0.5, y: 7 }],
      ],
      300,
    );
    expect(xs).toEqual([0, 0.5, 2]);
    expect(ys).toEqual([
      [0, 0.5, 2],
      [null, 7, null],
    ]);
  });

  it('never has more positions than asked for and thins the long series, not the short', () => {
    const short = Array.from({ length: 20 }, (_, i) => ({ x: i * 100 + 0.5, y: i }));
    const { xs, ys } = align([wave(2000), short], 300);
    expect(xs.length).toBeLessThanOrEqual(300);
    for (const point of short) expect(ys[1]?.[xs.indexOf(point.x)]).toBe(point.y);
  });

  it('leaves out figures that are not finite', () => {
    const broken = [
      { x: 0, y: 1 },
      { x: 1, y: Number.NaN },
      { x: 2, y: 3 },
    ];
    expect(align([broken], 300)).toEqual({ xs: [0, 2], ys: [[1, 3]] });
  });

  it('gives empty series nulls, and nothing for nothing', () => {
    expect(align([[{ x: 1, y: 1 }], []], 300)).toEqual({ xs: [1], ys: [[1], [null]] });
    expect(align([[], []], 300)).toEqual({ xs: [], ys: [[], []] });
  });
});

describe('the marks of an axis', () => {
  it('are whole numbers, each once', () => {
    expect(wholeTicks([0, 1], 6)).toEqual([0, 1]);
    expect(wholeTicks([0, 2], 6)).toEqual([0, 1, 2]);
    expect(wholeTicks([0, 5], 6)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(wholeTicks([0, 12], 6)).toEqual([0, 2, 4, 6, 8, 10, 12]);
    expect(wholeTicks([0, 25], 6)).toEqual([0, 5, 10, 15, 20, 25]);
    expect(wholeTicks([0, 300], 6)).toEqual([0, 50, 100, 150, 200, 250, 300]);
    expect(wholeTicks([0, 1.5], 6)).toEqual([0, 1]);
  });
});
