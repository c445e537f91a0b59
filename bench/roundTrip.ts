/**
 * Owns how a test image is turned back into a picture such as a person might drop: un-negated,
 * enlarged, and pasted off centre on a larger sheet. Seeded, so that a measurement repeats.
 */
import { SIDE } from '../src/fashion.ts';
import type { Picture } from '../src/image/picture.ts';

export type Enlarging = 'pixels' | 'smooth';

export interface Rendering {
  /** Factor the 28 pixels are enlarged by. */
  readonly scale: number;
  /** Hard squares (nearest neighbour), or bilinear. */
  readonly enlarging: Enlarging;
  /** Grey level of the sheet, 0–255. */
  readonly sheet: number;
}

/** Margin the garment keeps to the sheet's edge, and how much larger the sheet is, in pixels. */
const MIN_MARGIN = 8;
const EXTRA = 60;

/**
 * Renders one test image.
 *
 * @param pixels `[784]`, light on black
 * @param random uniform in [0, 1), e.g. `seededRandom(1)`
 */
export function renderOnSheet(
  pixels: Uint8Array,
  { scale, enlarging, sheet }: Rendering,
  random: () => number,
): Picture {
  const side = SIDE * scale;
  const width = side + 2 * MIN_MARGIN + Math.floor(random() * EXTRA);
  const height = side + 2 * MIN_MARGIN + Math.floor(random() * EXTRA);
  const left = MIN_MARGIN + Math.floor(random() * (width - side - 2 * MIN_MARGIN));
  const top = MIN_MARGIN + Math.floor(random() * (height - side - 2 * MIN_MARGIN));
  const toneAt = enlarging === 'pixels' ? nearest : bilinear;

  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < data.length; i += 4) data.set([sheet, sheet, sheet, 255], i);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const light = 255 - toneAt(pixels, (x + 0.5) / scale, (y + 0.5) / scale);
      data.fill(
        Math.round(light),
        ((top + y) * width + left + x) * 4,
        ((top + y) * width + left + x) * 4 + 3,
      );
    }
  }
  return { width, height, data };
}

function nearest(pixels: Uint8Array, x: number, y: number): number {
  return pixels[Math.floor(y) * SIDE + Math.floor(x)] ?? 0;
}

function bilinear(pixels: Uint8Array, x: number, y: number): number {
  const clamp = (value: number) => Math.max(0, Math.min(SIDE - 1, value));
  const column = Math.floor(x - 0.5);
  const row = Math.floor(y - 0.5);
  const right = x - 0.5 - column;
  const down = y - 0.5 - row;
  const at = (dx: number, dy: number) => pixels[clamp(row + dy) * SIDE + clamp(column + dx)] ?? 0;
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
