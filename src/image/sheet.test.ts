import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { estimateBackground, paintBackground } from './background.ts';
import { areaOf, type Mask } from './mask.ts';
import type { Picture } from './picture.ts';
import { distanceFrom, splitInTwo } from './segment.ts';
import { cutFromSheet } from './sheet.ts';
import { type Color, paint } from './testing/paint.ts';

const SIDE = 120;

function cutPicture(picture: Picture, tolerance = 1): Mask {
  const background = estimateBackground(picture);
  const behind = paintBackground(background, picture);
  const distance = distanceFrom(behind, picture);
  const { threshold } = splitInTwo(distance);
  return cutFromSheet(picture, background, { behind, distance, threshold }, tolerance);
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

  it('takes the outer half off a blurred edge, at the left and at the top', () => {
    // Wide enough for the edge to be as blurred as one of the 28 pixels: 64 to 70.
    const side = 280;
    const cover = (at: number) => Math.max(0, Math.min(1, (at - 64) / 6));
    const isLevel = (at: number) => at >= 64 && at < 224;
    const blurred = (at: number, along: number) =>
      isLevel(along) && at < 224 ? 180 - 120 * cover(at) : 180;
    const left = cutPicture(paint(side, side, (x, y) => blurred(x, y)));
    const top = cutPicture(paint(side, side, (x, y) => blurred(y, x)));
    const edgeAt = (isInside: (at: number) => boolean) =>
      Array.from({ length: side }, (_, at) => isInside(at)).indexOf(true);
    expect(Math.abs(edgeAt((x) => left.inside[140 * side + x] === 1) - 67)).toBeLessThan(2);
    expect(Math.abs(edgeAt((y) => top.inside[y * side + 140] === 1) - 67)).toBeLessThan(2);
  });

  it('takes in what a drawn outline encloses, whatever the tolerance', () => {
    const isLine = (x: number, y: number) =>
      isSquare(x, y) && !(x >= 33 && x < 87 && y >= 33 && y < 87);
    for (const tolerance of [0.25, 1, 4]) {
      const mask = cut((x, y) => (isLine(x, y) ? 40 : [230, 190, 150]), tolerance);
      expect(areaOf(mask)).toBe(3600);
    }
  });

  it('keeps what the network does not know but stands out', () => {
    const isBelt = (x: number, y: number) => x >= 20 && x < 100 && y >= 58 && y < 61;
    for (const tolerance of [1, 4]) {
      const mask = cut((x, y) => (isBelt(x, y) ? 40 : 128), tolerance);
      expect(areaOf(mask)).toBeGreaterThan(120);
    }
  });

  it('is not misled by the grain of the paper', () => {
    const random = createRandom(3);
    const mask = cut((x, y) => (isSquare(x, y) ? 48 : 128) + 8 * (2 * random() - 1));
    expect(Math.abs(areaOf(mask) - 3600)).toBeLessThan(240);
  });

  it('finds a faint garment around its dark print', () => {
    const isPrint = (x: number, y: number) => x >= 50 && x < 70 && y >= 45 && y < 60;
    const mask = cut((x, y) => (isPrint(x, y) ? 30 : isSquare(x, y) ? 107 : 130));
    expect(areaOf(mask)).toBeGreaterThan(3240);
  });

  it('leaves specks out and keeps both of a pair', () => {
    const isShoe = (x: number, y: number) =>
      y >= 40 && y < 80 && ((x >= 20 && x < 52) || (x >= 66 && x < 98));
    const mask = cut((x, y) =>
      isShoe(x, y) || (x > 110 && x < 113 && y >= 4 && y < 9) ? 60 : 150,
    );
    expect(isIn(mask, 36, 60)).toBe(true);
    expect(isIn(mask, 82, 60)).toBe(true);
    expect(isIn(mask, 111, 6)).toBe(false);
  });

  it('gives more to the sheet with more tolerance', () => {
    const faint = (x: number, y: number) => (isSquare(x, y) ? 128 + (x > 60 ? 90 : 12) : 128);
    const areas = [0.25, 0.5, 1, 2, 4].map((tolerance) => areaOf(cut(faint, tolerance)));
    expect(areas).toEqual([...areas].sort((a, b) => b - a));
    expect(areas[4]).toBeLessThan(0.9 * areas[0]!);
    expect(isIn(cut(faint, 4), 75, 60)).toBe(true);
  });
});
