import { describe, expect, it } from 'vitest';
import { createRandom } from '../data/dataset.ts';
import { PIXELS, SIDE } from '../fashion.ts';
import { augmentBatch } from './augment.ts';

/** A generator that gives the listed numbers. */
const fixed =
  (...numbers: number[]) =>
  () =>
    numbers.shift() ?? 0;
const STAY = 0.5; // the middle of five shifts
const LEAVE = 0.9; // not mirrored

/** One picture with one lit pixel. */
function pictureWith(x: number, y: number): Float32Array {
  const picture = new Float32Array(PIXELS);
  picture[y * SIDE + x] = 1;
  return picture;
}

describe('augmentation', () => {
  it('mirrors left to right', () => {
    const picture = pictureWith(3, 10);
    augmentBatch(picture, 1, fixed(0.1, STAY, STAY));
    expect(picture).toEqual(pictureWith(SIDE - 1 - 3, 10));
  });

  it('moves right and down, and up and left', () => {
    const picture = pictureWith(3, 10);
    augmentBatch(picture, 1, fixed(LEAVE, 0.99, 0.7));
    expect(picture).toEqual(pictureWith(5, 11));
    augmentBatch(picture, 1, fixed(LEAVE, 0, 0.3));
    expect(picture).toEqual(pictureWith(3, 10));
  });

  it('brings in black and drops what leaves the picture', () => {
    const picture = new Float32Array(PIXELS).fill(1);
    augmentBatch(picture, 1, fixed(LEAVE, 0.99, STAY));
    expect(picture.subarray(0, SIDE).slice(0, 3)).toEqual(Float32Array.of(0, 0, 1));
    expect(picture.reduce((sum, value) => sum + value, 0)).toBe(SIDE * (SIDE - 2));
  });

  it('changes each picture of a batch by itself, and repeats for a seed', () => {
    const batch = () =>
      Float32Array.from({ length: 20 * PIXELS }, (_, at) => ((at % PIXELS) % 29) / 29);
    const augmented = (seed: number) => {
      const pictures = batch();
      augmentBatch(pictures, 20, createRandom(seed));
      return pictures;
    };
    expect(augmented(1)).toEqual(augmented(1));
    expect(augmented(1)).not.toEqual(augmented(2));
    const first = augmented(1).slice(0, PIXELS);
    const others = Array.from({ length: 19 }, (_, index) =>
      augmented(1).slice((index + 1) * PIXELS, (index + 2) * PIXELS),
    );
    expect(others.some((other) => other.some((value, at) => value !== first[at]))).toBe(true);
  });

  it('leaves what lies behind the batch', () => {
    const pictures = new Float32Array(2 * PIXELS).fill(1);
    augmentBatch(pictures, 1, fixed(LEAVE, 0, 0));
    expect(pictures.subarray(PIXELS).every((value) => value === 1)).toBe(true);
  });
});
