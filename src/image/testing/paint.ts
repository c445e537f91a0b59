/** Small painted images for the tests of the image pipeline. */
import type { Picture } from '../picture.ts';

export type Color = readonly [number, number, number];

/** A picture whose pixel at (x, y) is a grey level, a colour, or a colour with alpha. */
export function paint(
  width: number,
  height: number,
  at: (x: number, y: number) => number | Color | readonly [number, number, number, number],
): Picture {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = at(x, y);
      const rgba = typeof value === 'number' ? [value, value, value, 255] : [...value, 255];
      data.set(rgba.slice(0, 4), (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

/** A T of 28 × 28: bar on top, trunk below, a paler patch in the trunk; 0 elsewhere. */
export function teeTone(x: number, y: number): number {
  const inBar = y >= 0 && y < 9 && x >= 0 && x < 28;
  const inTrunk = y >= 9 && y < 28 && x >= 8 && x < 20;
  if (!inBar && !inTrunk) return 0;
  return inTrunk && x >= 11 && x < 15 && y >= 14 && y < 18 ? 90 : 210;
}

/** The T as `[784]` bytes, as the training data has it: light on black. */
export function teePixels(): Uint8Array {
  return Uint8Array.from({ length: 784 }, (_, i) => teeTone(i % 28, Math.floor(i / 28)));
}
