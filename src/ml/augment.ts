/**
 * Owns the random changes to training pictures. Works in place on a batch; seeded by the generator
 * it is given.
 */
import { PIXELS, SIDE } from '../fashion.ts';

/** Furthest that a picture moves, in pixels, along each axis. */
const MAX_SHIFT = 2;

/**
 * Mirrors about half of the pictures left to right and moves each by up to two pixels; what comes
 * in at the edges is black, as around every garment of the data.
 *
 * @param pictures `[numPictures, 28, 28]`, changed in place.
 * @param random Uniform in [0, 1).
 */
export function augmentBatch(
  pictures: Float32Array,
  numPictures: number,
  random: () => number,
): void {
  const original = new Float32Array(PIXELS);
  for (let index = 0; index < numPictures; index++) {
    const picture = pictures.subarray(index * PIXELS, (index + 1) * PIXELS);
    const isMirrored = random() < 0.5;
    const right = drawShift(random);
    const down = drawShift(random);
    if (!isMirrored && right === 0 && down === 0) continue;
    original.set(picture);
    picture.fill(0);
    for (let y = Math.max(0, down); y < Math.min(SIDE, SIDE + down); y++) {
      const row = (y - down) * SIDE;
      for (let x = Math.max(0, right); x < Math.min(SIDE, SIDE + right); x++) {
        const from = x - right;
        picture[y * SIDE + x] = original[row + (isMirrored ? SIDE - 1 - from : from)] as number;
      }
    }
  }
}

/** A whole number from −MAX_SHIFT to MAX_SHIFT. */
function drawShift(random: () => number): number {
  return Math.floor(random() * (2 * MAX_SHIFT + 1)) - MAX_SHIFT;
}
