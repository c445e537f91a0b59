/**
 * Owns how a test image is turned back into a picture such as a person might drop: un-negated or
 * not, enlarged, pasted somewhere on a larger sheet, and saved as a JPEG. Seeded, so that a
 * measurement repeats.
 */
import { decode, encode } from 'jpeg-js';
import { SIDE } from '../src/fashion.ts';
import type { Picture } from '../src/image/picture.ts';

type Color = readonly [number, number, number];

/** What the garment is pasted on, and whether as a photo shows it or as the data has it. */
export interface Setting {
  readonly name: string;
  /** How far from direct the upload path may end up, in points of accuracy. */
  readonly allowedPoints: number;
  /** Light on dark, as the data has it, rather than dark on light. */
  readonly isNegative: boolean;
  /** Colour of the sheet at (x, y), each 0–1, for one picture. */
  readonly sheet: (random: () => number) => (x: number, y: number) => Color;
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

/** Margin the garment keeps to the sheet's edge, in its own pixels, and how much larger the sheet is. */
const MIN_MARGIN = 2;
const MAX_EXTRA = 1.2;

/**
 * One test image as a photo of it: 3 to 12 times as large with smooth edges, anywhere on the sheet,
 * JPEG of quality 60 to 95.
 *
 * @param pixels `[784]`, light on black
 * @param random uniform in [0, 1), e.g. `seededRandom(1)`
 */
export function renderOnSheet(
  pixels: Uint8Array,
  { isNegative, sheet }: Setting,
  random: () => number,
): Picture {
  const scale = 3 + 9 * random();
  const side = Math.round(SIDE * scale);
  const margin = Math.round(MIN_MARGIN * scale);
  const room = () => Math.round(side * MAX_EXTRA * random());
  const width = side + 2 * margin + room();
  const height = side + 2 * margin + room();
  const left = margin + Math.floor(random() * (width - side - 2 * margin));
  const top = margin + Math.floor(random() * (height - side - 2 * margin));
  const colorAt = sheet(random);
  const isGarment = pixels.map((level) => (level > 0 ? 255 : 0));

  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const color = colorAt(x / width, y / height);
      const u = (x - left + 0.5) / scale;
      const v = (y - top + 0.5) / scale;
      const isBeside = u < -1 || v < -1 || u > SIDE + 1 || v > SIDE + 1;
      // The garment's own black is cut out: what shows through it is the sheet.
      const opacity = isBeside ? 0 : bilinear(isGarment, u, v) / 255;
      const light = opacity > 0 ? bilinear(pixels, u, v) / opacity : 0;
      const garment = isNegative ? light : 255 - light;
      for (let channel = 0; channel < 3; channel++) {
        const behind = color[channel] ?? 0;
        data[(y * width + x) * 4 + channel] = opacity * garment + (1 - opacity) * behind;
      }
      data[(y * width + x) * 4 + 3] = 255;
    }
  }
  const quality = 60 + Math.round(35 * random());
  const jpeg = encode({ width, height, data: Buffer.from(data.buffer) }, quality);
  const decoded = decode(jpeg.data, { useTArray: true });
  return { width, height, data: new Uint8ClampedArray(decoded.data.buffer) };
}

/** Black outside. */
function bilinear(pixels: Uint8Array, x: number, y: number): number {
  const column = Math.floor(x - 0.5);
  const row = Math.floor(y - 0.5);
  const right = x - 0.5 - column;
  const down = y - 0.5 - row;
  const at = (dx: number, dy: number) => {
    const isOutside = column + dx < 0 || row + dy < 0 || column + dx >= SIDE || row + dy >= SIDE;
    return isOutside ? 0 : (pixels[(row + dy) * SIDE + column + dx] ?? 0);
  };
  return (
    (at(0, 0) * (1 - right) + at(1, 0) * right) * (1 - down) +
    (at(0, 1) * (1 - right) + at(1, 1) * right) * down
  );
}

/** Uniform numbers in [0, 1) from a seed. Mulberry32, by Tommy Ettinger (public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
