/**
 * Owns guessing a garment's outline on a plain sheet of about its own tone: the part of the picture
 * that the network looks at, what it is shown of it, and what it says of every pixel.
 */
import { lightness } from './background.ts';
import { boxOf, keepLargest, PART_SHARE } from './mask.ts';
import {
  decodeWeights,
  FRAME_CHANNELS,
  FRAME_SIDE,
  type OutlineWeights,
  runOutlineNetwork,
} from './outlineNetwork.ts';
import { OUTLINE_WEIGHTS } from './outlineWeights.ts';
import type { Picture } from './picture.ts';

/** RGB distance from the sheet of what is no ripple of JPEG: this, or thrice the sheet's spread. */
const MIN_CLEAR = 20;
/** How much larger than the box of what is clear the frame is: faint sleeves reach beyond it. */
const FRAME_ROOM = 1.3;
/** Levels (0–255) that make 1 in what the network is shown. */
const LIGHTNESS_UNIT = 40;
const DISTANCE_UNIT = 60;
/** Log-odds beyond the frame. */
const SURELY_SHEET = -6;

/** A square of the picture, in its pixels; it may reach beyond. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly side: number;
}

/**
 * The square around what clearly stands out, specks apart, or around the whole picture where nothing
 * does.
 *
 * @param distance RGB distance of each pixel from the sheet, `[height · width]`
 * @param spread RGB distance that the sheet itself strays
 */
export function frameOf(
  { width, height }: { readonly width: number; readonly height: number },
  distance: Float32Array,
  spread: number,
): Frame {
  const clear = Math.max(MIN_CLEAR, 3 * spread);
  const inside = Uint8Array.from(distance, (value) => (value > clear ? 1 : 0));
  const parts = keepLargest({ width, height, inside }, PART_SHARE);
  const box = boxOf(parts) ?? { left: 0, top: 0, width, height };
  const side = FRAME_ROOM * Math.max(box.width, box.height);
  return {
    left: box.left + (box.width - side) / 2,
    top: box.top + (box.height - side) / 2,
    side,
  };
}

/**
 * What the network is shown of each place in the frame: how much lighter than the sheet its mean
 * colour is, and how far from the sheet's. `[56 · 56 · 2]`, 0 beyond the picture.
 *
 * @param behind the sheet as `paintBackground` paints it
 */
export function readFrame(
  { width, height, data }: Picture,
  behind: Float32Array,
  { left, top, side }: Frame,
): Float32Array {
  const cell = side / FRAME_SIDE;
  const numSamples = Math.max(1, Math.round(cell));
  const frame = new Float32Array(FRAME_SIDE * FRAME_SIDE * FRAME_CHANNELS);
  for (let place = 0; place < FRAME_SIDE * FRAME_SIDE; place++) {
    // Colours are averaged before they are measured: the grain of paper then cancels out.
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let sample = 0; sample < numSamples * numSamples; sample++) {
      const across = (place % FRAME_SIDE) + ((sample % numSamples) + 0.5) / numSamples;
      const down =
        Math.floor(place / FRAME_SIDE) + (Math.floor(sample / numSamples) + 0.5) / numSamples;
      const x = Math.floor(left + across * cell);
      const y = Math.floor(top + down * cell);
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      const i = y * width + x;
      red += data[i * 4]! - behind[i * 3]!;
      green += data[i * 4 + 1]! - behind[i * 3 + 1]!;
      blue += data[i * 4 + 2]! - behind[i * 3 + 2]!;
    }
    const count = numSamples * numSamples;
    const away = Math.sqrt(red * red + green * green + blue * blue);
    frame[place * FRAME_CHANNELS] = lightness(red, green, blue) / count / LIGHTNESS_UNIT;
    frame[place * FRAME_CHANNELS + 1] = Math.min(255, away / count) / DISTANCE_UNIT;
  }
  return frame;
}

/** Decoded when first needed: the page opens sooner, and a network to be trained needs none. */
let weights: OutlineWeights[] | null = null;

/**
 * Log-odds that the garment covers each pixel, `[height · width]`.
 *
 * @param behind the sheet as `paintBackground` paints it
 */
export function guessOutline(picture: Picture, behind: Float32Array, frame: Frame): Float32Array {
  const { width, height } = picture;
  weights ??= decodeWeights(OUTLINE_WEIGHTS);
  const logits = runOutlineNetwork(readFrame(picture, behind, frame), weights);
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= FRAME_SIDE || y >= FRAME_SIDE
      ? SURELY_SHEET
      : logits[y * FRAME_SIDE + x]!;
  const odds = new Float32Array(width * height);
  const scale = FRAME_SIDE / frame.side;
  for (let y = 0; y < height; y++) {
    const v = (y + 0.5 - frame.top) * scale - 0.5;
    const row = Math.floor(v);
    const down = v - row;
    for (let x = 0; x < width; x++) {
      const u = (x + 0.5 - frame.left) * scale - 0.5;
      const column = Math.floor(u);
      const right = u - column;
      odds[y * width + x] =
        (at(column, row) * (1 - right) + at(column + 1, row) * right) * (1 - down) +
        (at(column, row + 1) * (1 - right) + at(column + 1, row + 1) * right) * down;
    }
  }
  return odds;
}
