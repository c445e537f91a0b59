/** Makes the pixels of a batch on the processor, for engines that do not make them on a device. */
import { PIXELS, SIDE } from '../fashion.ts';
import type { Batch, ErasedArea, ImageChange, TrainingData } from './contract.ts';

/**
 * Writes the images of a batch, changed and mixed, as `[n, 28, 28, 1]`, 0–1.
 *
 * @param data Has the rows that the batch names; null where it brings its pixels.
 * @throws {RangeError} where a row does not exist, or nothing has it.
 */
export function writeImages(batch: Batch, data: TrainingData | null, into: Float32Array): void {
  const { images, changes, mixing } = batch;
  const numImages = into.length / PIXELS;
  for (let index = 0; index < numImages; index++) {
    const to = index * PIXELS;
    const change = changes?.[index] ?? null;
    if (images.kind === 'pixels') {
      writeImage(images.pixels, to, change, into, to);
    } else {
      const row = images.rows[index];
      if (!data || row === undefined || row >= data.numRows) {
        throw new RangeError(`There is no image ${row} to train on.`);
      }
      writeImage(data.pixels, row * PIXELS, change, into, to);
    }
  }
  if (mixing) mixImages(mixing.partners, mixing.shares, into);
}

function writeImage(
  pixels: Uint8Array,
  from: number,
  change: ImageChange | null,
  into: Float32Array,
  to: number,
): void {
  const { isMirrored = false, right = 0, down = 0, erased = null } = change ?? {};
  if (!isMirrored && right === 0 && down === 0) {
    for (let at = 0; at < PIXELS; at++) into[to + at] = (pixels[from + at] as number) / 255;
  } else {
    into.fill(0, to, to + PIXELS);
    const step = isMirrored ? -1 : 1;
    for (let y = Math.max(0, down); y < Math.min(SIDE, SIDE + down); y++) {
      const row = from + (y - down) * SIDE + (isMirrored ? SIDE - 1 : 0);
      for (let x = Math.max(0, right); x < Math.min(SIDE, SIDE + right); x++) {
        into[to + y * SIDE + x] = (pixels[row + step * (x - right)] as number) / 255;
      }
    }
  }
  if (erased) erase(erased, into, to);
}

function erase({ left, top, width, height, fill }: ErasedArea, into: Float32Array, to: number) {
  for (let y = top; y < top + height; y++) {
    const row = to + y * SIDE;
    into.fill(fill / 255, row + left, row + left + width);
  }
}

/** Each image with its partner as it was before any was mixed. */
function mixImages(partners: Uint32Array, shares: Float32Array, into: Float32Array): void {
  const unmixed = into.slice();
  shares.forEach((share, index) => {
    if (share === 1) return;
    const to = index * PIXELS;
    const other = (partners[index] as number) * PIXELS;
    for (let at = 0; at < PIXELS; at++) {
      into[to + at] =
        share * (unmixed[to + at] as number) + (1 - share) * (unmixed[other + at] as number);
    }
  });
}
