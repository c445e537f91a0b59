import { describe, expect, it } from 'vitest';
import { cutGarment } from './cut.ts';
import { areaOf } from './mask.ts';
import type { Picture } from './picture.ts';
import { paint } from './testing/paint.ts';

const SIDE = 120;

/** A body with two sleeves. */
function isTee(x: number, y: number): boolean {
  const isBody = x >= 42 && x < 78 && y >= 28 && y < 96;
  const isSleeve = x >= 26 && x < 94 && y >= 28 && y < 48;
  return isBody || isSleeve;
}

const noise = (x: number, y: number) => ((x * 73 + y * 151 + x * y * 31) % 17) - 8;

type Color = [number, number, number, number];
const shade = ([red, green, blue, alpha]: Color, by: number): Color => [
  red + by,
  green + by,
  blue + by,
  alpha,
];

/** Two-coloured, so that no single threshold finds it. */
function tee(x: number, y: number): Color {
  return shade(y < 60 ? [190, 40, 50, 255] : [235, 225, 90, 255], noise(x, y));
}

const FLOORS: readonly [string, (x: number, y: number) => Color][] = [
  [
    'wooden boards',
    (x, y) => shade(Math.floor(y / 15) % 2 ? [140, 95, 60, 255] : [105, 70, 45, 255], noise(x, y)),
  ],
  ['tiles', (x, y) => (x % 30 < 3 || y % 30 < 3 ? [90, 95, 100, 255] : [205, 205, 215, 255])],
  ['light that falls off', (x, y) => shade([60, 90, 130, 255], (x + y) / 3 + noise(x, y) / 2)],
];

const photo = (floor: (x: number, y: number) => Color): Picture =>
  paint(SIDE, SIDE, (x, y) => (isTee(x, y) ? tee(x, y) : floor(x, y)));

/** Intersection over union with the true garment. */
function overlap(inside: Uint8Array): number {
  let both = 0;
  let either = 0;
  inside.forEach((value, i) => {
    const truth = isTee(i % SIDE, Math.floor(i / SIDE));
    if (value === 1 && truth) both += 1;
    if (value === 1 || truth) either += 1;
  });
  return both / either;
}

describe('cutGarment', () => {
  it.each(FLOORS)('finds a two-coloured garment on %s', (_, floor) => {
    const mask = cutGarment(photo(floor), 1)?.mask;
    expect(mask && overlap(mask.inside)).toBeGreaterThan(0.93);
  });

  it('gives more to the background the more tolerant it is', () => {
    const picture = photo(FLOORS[2]?.[1] ?? (() => [0, 0, 0, 255]));
    const areas = [0.25, 1, 4].map((tolerance) => {
      const mask = cutGarment(picture, tolerance)?.mask;
      return mask ? areaOf(mask) : 0;
    });
    expect(areas).toEqual(areas.slice().sort((a, b) => b - a));
    expect(areas[0]).toBeGreaterThan(areas[2] ?? 0);
  });

  it('finds nothing where place alone would have to tell', () => {
    const mask = cutGarment(
      paint(SIDE, SIDE, () => 120),
      4,
    );
    expect(mask).toBeNull();
  });

  it('copes with pictures of a few pixels', () => {
    for (const [width, height] of [
      [1, 1],
      [2, 5],
      [128, 1],
    ] as const) {
      const mask = cutGarment(
        paint(width, height, (x, y) => (x * 60 + y * 30) % 256),
        1,
      )?.mask;
      if (mask) expect([mask.width, mask.height]).toEqual([width, height]);
    }
  });
});
