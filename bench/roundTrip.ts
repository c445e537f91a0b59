/** The sheets that test images make their way back from: through the upload path, as photos do. */
import { pasteOnSheet, type Sheet, saveAsJpeg } from '../scripts/sheets.ts';
import type { Picture } from '../src/image/picture.ts';

/** A kind of sheet, and what it may cost. */
export interface Setting extends Sheet {
  readonly name: string;
  /** How far from direct the upload path may end up, in points of accuracy. */
  readonly allowedPoints: number;
}

const even = (level: number) => () => () => [level, level, level] as const;

/** A level that falls off softly in some direction, by 25 to 60 levels in all. */
const shaded = (level: number, sign: 1 | -1) => (random: () => number) => {
  const angle = random() * 2 * Math.PI;
  const depth = 25 + 35 * random();
  return (x: number, y: number) => {
    const along = 0.5 + ((x - 0.5) * Math.cos(angle) + (y - 0.5) * Math.sin(angle)) / Math.SQRT2;
    const shade = level + sign * depth * along;
    return [shade, shade, shade] as const;
  };
};

/** A light colour of any hue. */
const colored = (random: () => number) => {
  const hue = random() * 2 * Math.PI;
  const part = (turn: number) => 170 + 70 * Math.cos(hue + (turn * 2 * Math.PI) / 3);
  const color = [part(0), part(1), part(2)] as const;
  return () => color;
};

export const SETTINGS: readonly Setting[] = [
  { name: 'near-white', allowedPoints: 1, isNegative: false, sheet: even(248) },
  { name: 'near-black, negative', allowedPoints: 1, isNegative: true, sheet: even(6) },
  { name: 'mid-grey', allowedPoints: 3, isNegative: false, sheet: even(128) },
  { name: 'coloured', allowedPoints: 3, isNegative: false, sheet: colored },
  { name: 'softly shaded', allowedPoints: 3, isNegative: false, sheet: shaded(250, -1) },
  { name: 'shaded dark, negative', allowedPoints: 3, isNegative: true, sheet: shaded(4, 1) },
];

/** One test image as a photo of it: `pasteOnSheet`, then `saveAsJpeg`. */
export function renderOnSheet(pixels: Uint8Array, setting: Setting, random: () => number): Picture {
  return saveAsJpeg(pasteOnSheet(pixels, setting, random).picture, random);
}
