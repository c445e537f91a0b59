/**
 * Turns an image of the data back into one such as a person might drop: un-negated or not, enlarged,
 * pasted somewhere on a larger sheet, and saved as a JPEG. Whatever is random is drawn from the
 * caller's generator, so that a measurement repeats.
 */
import { decode, encode } from 'jpeg-js';
import { SIDE } from '../src/fashion.ts';
import type { Picture } from '../src/image/picture.ts';

type Color = readonly [number, number, number];

/** What the garment is pasted on, and whether as a photo shows it or as the data has it. */
export interface Sheet {
  /** Light on dark, as the data has it, rather than dark on light. */
  readonly isNegative: boolean;
  /** Colour of the sheet at (x, y), each 0–1, for one picture. */
  readonly sheet: (random: () => number) => (x: number, y: number) => Color;
}

const MIN_SCALE = 3;
/** Margin the garment keeps to the sheet's edge, in its own pixels, and how much larger the sheet is. */
const MIN_MARGIN = 2;
const MAX_EXTRA = 1.2;

/** How a garment is pasted, where not as the round trip does it. */
interface Pasting {
  /** Largest enlargement. */
  readonly maxScale: number;
  /** Level (1–255) from which a pixel of the garment hides the sheet; darker ones show some of it. */
  readonly opaqueFrom: number;
}

/** A garment on a sheet, and where: pixel (0, 0) of the 28 × 28 lies at (left, top). */
export interface Pasted {
  readonly picture: Picture;
  readonly left: number;
  readonly top: number;
  readonly scale: number;
}

/**
 * One image at least 3 times as large, at most 12 unless told, with smooth edges, anywhere on the
 * sheet.
 *
 * @param pixels `[784]`, light on black
 * @param random uniform in [0, 1), e.g. `createRandom(1)`
 */
export function pasteOnSheet(
  pixels: Uint8Array,
  { isNegative, sheet }: Sheet,
  random: () => number,
  { maxScale, opaqueFrom }: Pasting = { maxScale: 12, opaqueFrom: 1 },
): Pasted {
  const scale = MIN_SCALE + (maxScale - MIN_SCALE) * random();
  const side = Math.round(SIDE * scale);
  const margin = Math.round(MIN_MARGIN * scale);
  const room = () => Math.round(side * MAX_EXTRA * random());
  const width = side + 2 * margin + room();
  const height = side + 2 * margin + room();
  const left = margin + Math.floor(random() * (width - side - 2 * margin));
  const top = margin + Math.floor(random() * (height - side - 2 * margin));
  const colorAt = sheet(random);
  const cover = Float32Array.from(pixels, (level) => Math.min(1, level / opaqueFrom));

  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const color = colorAt(x / width, y / height);
      const u = (x - left + 0.5) / scale;
      const v = (y - top + 0.5) / scale;
      const isBeside = u < -1 || v < -1 || u > SIDE + 1 || v > SIDE + 1;
      // The garment's own black is cut out: what shows through it is the sheet.
      const opacity = isBeside ? 0 : bilinear(cover, u, v);
      const light = opacity > 0 ? Math.min(255, bilinear(pixels, u, v) / opacity) : 0;
      const garment = isNegative ? light : 255 - light;
      for (let channel = 0; channel < 3; channel++) {
        const behind = color[channel] ?? 0;
        data[(y * width + x) * 4 + channel] = opacity * garment + (1 - opacity) * behind;
      }
      data[(y * width + x) * 4 + 3] = 255;
    }
  }
  return { picture: { width, height, data }, left, top, scale };
}

/** The picture as it comes back from a JPEG of quality 60 to 95. */
export function saveAsJpeg({ width, height, data }: Picture, random: () => number): Picture {
  const quality = 60 + Math.round(35 * random());
  const jpeg = encode({ width, height, data: Buffer.from(data.buffer) }, quality);
  const decoded = decode(jpeg.data, { useTArray: true });
  return { width, height, data: new Uint8ClampedArray(decoded.data.buffer) };
}

/**
 * The value at a place, `(0.5, 0.5)` being the middle of the first pixel. Black outside.
 *
 * @param pixels `[784]`
 */
export function bilinear(pixels: Uint8Array | Float32Array, x: number, y: number): number {
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
