import { describe, expect, it } from 'vitest';
import { estimateBackground, paintBackground } from './background.ts';
import { type Color, paint } from './fixtures.ts';
import { areaOf, type Mask } from './mask.ts';
import type { Picture } from './picture.ts';
import { distanceFrom, splitInTwo } from './segment.ts';
import { cutFromSheet } from './sheet.ts';

const SIDE = 120;

function cutPicture(picture: Picture, tolerance = 1): Mask {
  const { width, height } = picture;
  const behind = paintBackground(estimateBackground(picture), picture);
  const distance = distanceFrom(behind, picture);
  const { threshold } = splitInTwo(distance);
  const inside = Uint8Array.from(distance, (value) => (value > threshold ? 1 : 0));
  return cutFromSheet(picture, behind, distance, { width, height, inside }, tolerance);
}

function cut(at: (x: number, y: number) => number | Color, tolerance = 1): Mask {
  return cutPicture(paint(SIDE, SIDE, at), tolerance);
}

const isIn = (mask: Mask, x: number, y: number) => mask.inside[y * SIDE + x] === 1;
const isSquare = (x: number, y: number) => x >= 30 && x < 90 && y >= 30 && y < 90;

describe('cutFromSheet', () => {
  it('cuts a garment out of grey and out of coloured paper', () => {
    for (const sheet of [128, [230, 120, 150], [90, 200, 120]] as const) {
      const mask = cut((x, y) => (isSquare(x, y) ? 40 : sheet));
      expect(Math.abs(areaOf(mask) - 3600)).toBeLessThan(180);
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
      (x >= 92 && x < 94) || (x >= 26 && x < 28) ? y % 6 < 4 && y >= 30 && y < 90 : false;
    const mask = cut((x, y) => (isSquare(x, y) ? 60 : isDust(x, y) ? 255 : 128));
    const isOver = (x: number) => Array.from({ length: 60 }, (_, i) => isIn(mask, x, 30 + i));
    for (const x of [26, 93]) expect(isOver(x).filter(Boolean).length).toBeLessThan(6);
    expect(isIn(mask, 60, 60)).toBe(true);
  });

  it('keeps a white garment on grey', () => {
    const mask = cut((x, y) => (isSquare(x, y) ? 255 : 128));
    // But for a pixel all round.
    expect(Math.abs(areaOf(mask) - 3600)).toBeLessThan(240);
  });

  it('takes the outer half off a blurred edge', () => {
    // Wide enough for the edge to be as blurred as one of the 28 pixels: 64 to 70.
    const side = 280;
    const cover = (x: number) => Math.max(0, Math.min(1, (x - 64) / 6));
    const isLevel = (y: number) => y >= 56 && y < 224;
    const picture = paint(side, side, (x, y) =>
      isLevel(y) && x < 224 ? 180 - 160 * cover(x) : 180,
    );
    const mask = cutPicture(picture);
    const edge = Array.from({ length: 10 }, (_, i) => mask.inside[140 * side + 62 + i]).indexOf(1);
    expect(Math.abs(62 + edge - 67)).toBeLessThan(2);
  });

  it('takes in what a drawn outline encloses', () => {
    const isLine = (x: number, y: number) =>
      isSquare(x, y) && !(x >= 33 && x < 87 && y >= 33 && y < 87);
    const mask = cut((x, y) => (isLine(x, y) ? 40 : [230, 190, 150]));
    expect(areaOf(mask)).toBe(3600);
  });

  it('gives more to the sheet with more tolerance', () => {
    const faint = (x: number, y: number) => (isSquare(x, y) ? 128 + (x > 60 ? 90 : 12) : 128);
    const areas = [0.25, 0.5, 1, 2, 4].map((tolerance) => areaOf(cut(faint, tolerance)));
    expect(areas).toEqual([...areas].sort((a, b) => b - a));
    expect(areas[4]).toBeLessThan(0.9 * areas[0]!);
    expect(isIn(cut(faint, 4), 75, 60)).toBe(true);
  });
});
