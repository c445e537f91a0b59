import { describe, expect, it } from 'vitest';
import { estimateBackground, paintBackground } from './background.ts';
import { type Color, paint } from './fixtures.ts';
import { areaOf, type Mask } from './mask.ts';
import { distanceFrom } from './segment.ts';
import { cutFromSheet } from './sheet.ts';

const SIDE = 120;

function cut(at: (x: number, y: number) => number | Color, tolerance = 1): Mask {
  const picture = paint(SIDE, SIDE, at);
  const background = estimateBackground(picture);
  return cutFromSheet(
    picture,
    distanceFrom(paintBackground(background, picture), picture),
    background,
    tolerance,
  );
}

const isIn = (mask: Mask, x: number, y: number) => mask.inside[y * SIDE + x] === 1;
const isSquare = (x: number, y: number) => x >= 30 && x < 90 && y >= 30 && y < 90;

describe('cutFromSheet', () => {
  it('cuts a garment out of grey and out of coloured paper', () => {
    for (const sheet of [128, [230, 120, 150], [90, 200, 120]] as const) {
      const mask = cut((x, y) => (isSquare(x, y) ? 40 : sheet));
      expect(Math.abs(areaOf(mask) - 3600)).toBeLessThan(40);
    }
  });

  it('keeps a garment whole whose folds pass through the tone of the sheet', () => {
    const mask = cut((x, y) => (isSquare(x, y) ? 134 + 5 * Math.sin(x / 3) : 128));
    for (let x = 40; x < 84; x++) expect(isIn(mask, x, 60)).toBe(true);
  });

  it('leaves out the sheet that shows through a handle', () => {
    const isBag = (x: number, y: number) =>
      isSquare(x, y) && !(x >= 40 && x < 80 && y < 60 && y > 34);
    const mask = cut((x, y) => (isBag(x, y) ? 30 : [120, 170, 230]));
    expect(isIn(mask, 60, 45)).toBe(false);
    expect(isIn(mask, 60, 32)).toBe(true);
    expect(isIn(mask, 60, 75)).toBe(true);
  });

  it('takes white dust around a dark garment for no part of it', () => {
    const isDust = (x: number, y: number) =>
      (x >= 94 && x < 97) || (x >= 24 && x < 27) ? y % 24 < 20 && y >= 30 && y < 90 : false;
    const mask = cut((x, y) => (isSquare(x, y) ? 30 : isDust(x, y) ? 255 : 128));
    for (const x of [25, 28, 91, 95]) expect(isIn(mask, x, 61)).toBe(false);
    expect(isIn(mask, 60, 60)).toBe(true);
  });

  it('keeps a white garment on grey', () => {
    const mask = cut((x, y) => (isSquare(x, y) ? 255 : 128));
    expect(Math.abs(areaOf(mask) - 3600)).toBeLessThan(40);
  });

  it('takes the outer half off a blurred edge', () => {
    // Wide enough for the edge to be as blurred as one of the 28 pixels: 64 to 70.
    const side = 280;
    const cover = (x: number) => Math.max(0, Math.min(1, (x - 64) / 6));
    const isLevel = (y: number) => y >= 56 && y < 224;
    const picture = paint(side, side, (x, y) =>
      isLevel(y) && x < 224 ? 180 - 160 * cover(x) : 180,
    );
    const background = estimateBackground(picture);
    const mask = cutFromSheet(
      picture,
      distanceFrom(paintBackground(background, picture), picture),
      background,
      1,
    );
    expect(Array.from({ length: 10 }, (_, i) => mask.inside[140 * side + 62 + i])).toEqual([
      0, 0, 0, 0, 0, 1, 1, 1, 1, 1,
    ]);
  });

  it('gives more to the sheet with more tolerance', () => {
    const faint = (x: number, y: number) => (isSquare(x, y) ? 128 + (x > 60 ? 90 : 12) : 128);
    expect(isIn(cut(faint, 1), 45, 60)).toBe(true);
    expect(isIn(cut(faint, 4), 45, 60)).toBe(false);
    expect(isIn(cut(faint, 4), 75, 60)).toBe(true);
  });
});
