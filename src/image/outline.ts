/**
 * Owns guessing a garment's outline on a plain sheet of about its own tone: the part of the picture
 * that the network looks at, what it is shown of it, and what it says of every pixel.
 */
import { lightness } from './background.ts';
import { boxOf, keepLargest, PART_SHARE } from './mask.ts';
import { decodeWeights, FRAME_CHANNELS, FRAME_SIDE, runOutlineNetwork } from './outlineNetwork.ts';
import { OUTLINE_WEIGHTS } from './outlineWeights.ts';
import type { Picture } from './picture.ts';

/** RGB distance from the sheet of what surely is no sheet. */
const CLEAR_DISTANCE = 40;
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

/** The square around what clearly stands out, specks apart, or around the whole picture where nothing does. */
export function frameOf(
  { width, height }: { readonly width: number; readonly height: number },
  distance: Float32Array,
): Frame {
  const inside = Uint8Array.from(distance, (value) => (value > CLEAR_DISTANCE ? 1 : 0));
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
 * What the network is shown: how much lighter than the sheet, and how far from its colour.
 * `[56 · 56 · 2]`, 0 beyond the picture.
 *
 * @param behind the sheet as `paintBackground` paints it
 * @param distance RGB distance of each pixel from the sheet, `[height · width]`
 */
export function readFrame(
  { width, height, data }: Picture,
  behind: Float32Array,
  distance: Float32Array,
  { left, top, side }: Frame,
): Float32Array {
  const frame = new Float32Array(FRAME_SIDE * FRAME_SIDE * FRAME_CHANNELS);
  const cell = side / FRAME_SIDE;
  const numSamples = Math.max(1, Math.round(cell));
  const share = 1 / (numSamples * numSamples);
  for (let y = 0; y < FRAME_SIDE * numSamples; y++) {
    const v = Math.floor(top + ((y + 0.5) * cell) / numSamples);
    if (v < 0 || v >= height) continue;
    for (let x = 0; x < FRAME_SIDE * numSamples; x++) {
      const u = Math.floor(left + ((x + 0.5) * cell) / numSamples);
      if (u < 0 || u >= width) continue;
      const i = v * width + u;
      const at =
        (Math.floor(y / numSamples) * FRAME_SIDE + Math.floor(x / numSamples)) * FRAME_CHANNELS;
      const level = lightness(data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!);
      const sheet = lightness(behind[i * 3]!, behind[i * 3 + 1]!, behind[i * 3 + 2]!);
      frame[at]! += (share * (level - sheet)) / LIGHTNESS_UNIT;
      frame[at + 1]! += (share * distance[i]!) / DISTANCE_UNIT;
    }
  }
  return frame;
}

const weights = decodeWeights(OUTLINE_WEIGHTS);

/**
 * Log-odds that the garment covers each pixel, `[height · width]`.
 *
 * @param behind the sheet as `paintBackground` paints it
 * @param distance RGB distance of each pixel from the sheet, `[height · width]`
 */
export function guessOutline(
  picture: Picture,
  behind: Float32Array,
  distance: Float32Array,
): Float32Array {
  const { width, height } = picture;
  const frame = frameOf(picture, distance);
  const logits = runOutlineNetwork(readFrame(picture, behind, distance, frame), weights);
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
