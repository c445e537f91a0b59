import { describe, expect, it } from 'vitest';
import { PIXELS, SIDE } from '../../fashion.ts';
import { createRandom } from '../../random.ts';
import { augmentBatch } from './augment.ts';

/** A generator that gives the listed numbers. */
const fixed =
  (...numbers: number[]) =>
  () =>
    numbers.shift() ?? 0;
const LEAVE = 0.9; // neither mirrored nor moved
const DO = 0.1;
/** Of the shifts −1, 0 and 1. */
const BACK = 0;
const STAY = 0.5;
const ON = 0.99;

/** One picture with one lit pixel. */
function pictureWith(x: number, y: number): Uint8Array {
  const picture = new Uint8Array(PIXELS);
  picture[y * SIDE + x] = 1;
  return picture;
}

describe('augmentation', () => {
  it('mirrors left to right', () => {
    const picture = pictureWith(3, 10);
    augmentBatch(picture, 1, 'light', fixed(DO, LEAVE));
    expect(picture).toEqual(pictureWith(SIDE - 1 - 3, 10));
  });

  it('moves right and down, left, and mirrored right and up', () => {
    const picture = pictureWith(3, 10);
    augmentBatch(picture, 1, 'light', fixed(LEAVE, DO, ON, ON));
    expect(picture).toEqual(pictureWith(4, 11));
    augmentBatch(picture, 1, 'light', fixed(LEAVE, DO, BACK, STAY));
    expect(picture).toEqual(pictureWith(3, 11));
    augmentBatch(picture, 1, 'light', fixed(DO, DO, ON, BACK));
    expect(picture).toEqual(pictureWith(SIDE - 1 - 3 + 1, 10));
  });

  it('brings in black and drops what leaves the picture', () => {
    const picture = new Uint8Array(PIXELS).fill(1);
    augmentBatch(picture, 1, 'light', fixed(LEAVE, DO, ON, STAY));
    expect(picture.slice(0, 3)).toEqual(Uint8Array.of(0, 1, 1));
    expect(picture.reduce((sum, value) => sum + value, 0)).toBe(SIDE * (SIDE - 1));
  });

  it('changes each picture of a batch by itself, and repeats for a seed', () => {
    const batch = () => Uint8Array.from({ length: 20 * PIXELS }, (_, at) => (at % PIXELS) % 29);
    const augmented = (seed: number) => {
      const pictures = batch();
      augmentBatch(pictures, 20, 'light', createRandom(seed));
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

  it('leaves some pictures as they are', () => {
    const picture = pictureWith(3, 10);
    augmentBatch(picture, 1, 'light', fixed(LEAVE, LEAVE));
    expect(picture).toEqual(pictureWith(3, 10));
  });

  it('leaves what lies behind the batch', () => {
    const pictures = new Uint8Array(2 * PIXELS).fill(1);
    augmentBatch(pictures, 1, 'light', fixed(LEAVE, DO, BACK, BACK));
    expect(pictures.subarray(PIXELS).every((value) => value === 1)).toBe(true);
  });
});
