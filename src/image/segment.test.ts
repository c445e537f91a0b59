import { describe, expect, it } from 'vitest';
import { estimateBackground } from './background.ts';
import type { Picture } from './picture.ts';
import { segmentGarment, splitInTwo } from './segment.ts';
import { paint } from './testing/paint.ts';

const segment = (picture: Picture) =>
  segmentGarment(picture, estimateBackground(picture), 1)?.mask ?? null;
const isSquare = (x: number, y: number) => x >= 30 && x < 70 && y >= 30 && y < 70;

describe('splitInTwo', () => {
  it('finds the gap between two groups', () => {
    const values = Float32Array.of(3, 4, 5, 6, 100, 101, 103);
    const { threshold, contrast } = splitInTwo(values);
    expect(threshold).toBeGreaterThan(6);
    expect(threshold).toBeLessThan(100);
    expect(contrast).toBeCloseTo(101.33 - 4.5, 1);
  });

  it('has nothing to split where all are equal', () => {
    expect(splitInTwo(new Float32Array(50).fill(7)).contrast).toBe(0);
  });
});

describe('segmentGarment', () => {
  it('finds nothing on an empty sheet, nor in its faint noise', () => {
    expect(segment(paint(100, 100, () => 255))).toBeNull();
    expect(segment(paint(100, 100, (x, y) => 250 + ((x * 7 + y * 13) % 5)))).toBeNull();
  });

  it('goes by colour where lightness is equal', () => {
    // Both have a lightness of about 110.
    const mask = segment(
      paint(100, 100, (x, y) => (isSquare(x, y) ? [255, 40, 90] : [40, 150, 90])),
    );
    // The smoothing rounds the corners.
    const area = mask?.inside.reduce((sum, value) => sum + value);
    expect(area).toBeGreaterThan(1500);
    expect(area).toBeLessThan(1700);
  });

  it('keeps faint parts that hang together with clear ones', () => {
    const picture = paint(100, 100, (x, y) =>
      isSquare(x, y) ? 40 : y >= 30 && y < 70 && x >= 10 && x < 30 ? 238 : 250,
    );
    expect(segment(picture)?.inside[50 * 100 + 12]).toBe(1);
  });

  it('does not take a white label on near-white for a part of a dark garment', () => {
    const picture = paint(100, 100, (x, y) =>
      isSquare(x, y) ? 40 : x >= 10 && x < 90 && y >= 10 && y < 90 ? 255 : 244,
    );
    const mask = segment(picture);
    expect(mask?.inside[15 * 100 + 15]).toBe(0);
    expect(mask?.inside[50 * 100 + 50]).toBe(1);
  });

  it('keeps the inside of a garment where its colour is that of the background', () => {
    const picture = paint(100, 100, (x, y) =>
      x >= 45 && x < 55 && y >= 45 && y < 55 ? 200 : isSquare(x, y) ? 60 : 200,
    );
    expect(segment(picture)?.inside[50 * 100 + 50]).toBe(1);
  });

  it('keeps several parts on a plain background, and one on a busy background', () => {
    const isParts = (x: number, y: number) =>
      isSquare(x, y) || (x >= 10 && x < 20 && y >= 40 && y < 60);
    const plain = segment(paint(100, 100, (x, y) => (isParts(x, y) ? 20 : 240)));
    expect(plain?.inside[50 * 100 + 15]).toBe(1);
    const busy = segment(
      paint(100, 100, (x, y) => (isParts(x, y) ? 20 : (x + y) % 2 === 0 ? 225 : 255)),
    );
    expect(busy?.inside[50 * 100 + 15]).toBe(0);
    expect(busy?.inside[50 * 100 + 50]).toBe(1);
  });
});
