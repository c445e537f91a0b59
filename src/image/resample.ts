/**
 * Owns resampling: every change of size in the picture pipeline is one exact area average, so that
 * a pixel of the result is the mean of precisely the patch of the source that it covers.
 */
import type { Picture } from './picture.ts';

/** A rectangle in pixels of its picture. Edges may lie between pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Which source samples make up one output sample along an axis, and with which weights. */
interface Span {
  readonly first: number;
  /** Sum to 1. */
  readonly weights: Float32Array;
}

function spansOf(size: number, start: number, length: number, outSize: number): Span[] {
  const scale = length / outSize;
  return Array.from({ length: outSize }, (_, i) => {
    const from = Math.max(0, Math.min(size, start + i * scale));
    const to = Math.max(0, Math.min(size, start + (i + 1) * scale));
    const first = Math.min(Math.floor(from), size - 1);
    const last = Math.max(first + 1, Math.min(size, Math.ceil(to)));
    const weights = new Float32Array(last - first);
    for (let j = first; j < last; j++) {
      weights[j - first] = Math.max(0, Math.min(to, j + 1) - Math.max(from, j)) / (to - from);
    }
    return { first, weights };
  });
}

/**
 * The area average of `box` in a grid of `outWidth` × `outHeight` cells. Enlarging works too: each
 * cell then shows the pixel it lies in, or the weighted mean of the two or four it straddles.
 *
 * @param source `[height · width · channels]`, interleaved
 * @param box must overlap the source; parts beyond its edges are left out of the average
 * @returns `[outHeight · outWidth · channels]`
 */
export function averageArea(
  source: Float32Array | Uint8ClampedArray,
  { width, height, channels }: { width: number; height: number; channels: number },
  box: Box,
  outWidth: number,
  outHeight: number,
): Float32Array {
  const columns = spansOf(width, box.left, box.width, outWidth);
  const rows = spansOf(height, box.top, box.height, outHeight);
  const result = new Float32Array(outWidth * outHeight * channels);
  const line = new Float32Array(width * channels);
  for (let y = 0; y < outHeight; y++) {
    // Down first: the inner loop then runs over contiguous memory.
    const row = rows[y]!;
    line.fill(0);
    for (let j = 0; j < row.weights.length; j++) {
      const weight = row.weights[j]!;
      const offset = (row.first + j) * line.length;
      for (let i = 0; i < line.length; i++) line[i]! += weight * source[offset + i]!;
    }
    for (let x = 0; x < outWidth; x++) {
      const { first, weights } = columns[x]!;
      const out = (y * outWidth + x) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let j = 0; j < weights.length; j++) {
          sum += weights[j]! * line[(first + j) * channels + channel]!;
        }
        result[out + channel] = sum;
      }
    }
  }
  return result;
}

/** Samples a side of a block that the first, coarse pass reads. */
const BLOCK_SAMPLES = 3;

/**
 * Means of whole blocks of `block` × `block` pixels, estimated from a regular grid of at most 3 × 3
 * samples in each: the first pass over a large photo, where reading all 12 million pixels would
 * take longer than everything after it. A last, incomplete block is dropped.
 */
function averageBlocks(picture: Picture, block: number): Picture {
  const width = Math.floor(picture.width / block);
  const height = Math.floor(picture.height / block);
  const stride = Math.max(1, Math.floor(block / BLOCK_SAMPLES));
  const data = new Uint8ClampedArray(width * height * 4);
  const source = picture.data;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let alpha = 0;
      let samples = 0;
      for (let dy = stride >> 1; dy < block; dy += stride) {
        let i = ((y * block + dy) * picture.width + x * block + (stride >> 1)) * 4;
        for (let dx = stride >> 1; dx < block; dx += stride, i += stride * 4) {
          const a = source[i + 3]!;
          red += source[i]! * a;
          green += source[i + 1]! * a;
          blue += source[i + 2]! * a;
          alpha += a;
          samples += 1;
        }
      }
      const out = (y * width + x) * 4;
      if (alpha > 0) {
        data[out] = red / alpha;
        data[out + 1] = green / alpha;
        data[out + 2] = blue / alpha;
        data[out + 3] = alpha / samples;
      }
    }
  }
  return { width, height, data };
}

/**
 * The picture with its longest edge at `longest` pixels; a smaller one is returned as it is.
 * Colours are weighted by their opacity, so that what is transparent does not bleed in.
 */
export function shrinkPicture(picture: Picture, longest: number): Picture {
  const factor = Math.max(picture.width, picture.height) / longest;
  if (factor <= 1) return picture;
  // The coarse pass stops at twice the wanted size and leaves an exact average to do.
  const block = Math.min(Math.floor(factor / 2), picture.width, picture.height);
  if (block >= 2) return shrinkPicture(averageBlocks(picture, block), longest);

  const width = Math.max(1, Math.round(picture.width / factor));
  const height = Math.max(1, Math.round(picture.height / factor));
  const whole = { left: 0, top: 0, width: picture.width, height: picture.height };
  const size = { width: picture.width, height: picture.height, channels: 4 };
  if (isOpaque(picture)) {
    const averaged = averageArea(picture.data, size, whole, width, height);
    return { width, height, data: new Uint8ClampedArray(averaged) };
  }
  const averaged = averageArea(premultiply(picture), size, whole, width, height);
  const data = new Uint8ClampedArray(averaged.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = averaged[i + 3]! / 255;
    if (alpha === 0) continue;
    data[i] = averaged[i]! / alpha;
    data[i + 1] = averaged[i + 1]! / alpha;
    data[i + 2] = averaged[i + 2]! / alpha;
    data[i + 3] = averaged[i + 3]!;
  }
  return { width, height, data };
}

function isOpaque({ data }: Picture): boolean {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
  return true;
}

/** Colours weighted by opacity, in place of the colours. */
function premultiply({ data }: Picture): Float32Array {
  const weighted = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]! / 255;
    weighted[i] = data[i]! * alpha;
    weighted[i + 1] = data[i + 1]! * alpha;
    weighted[i + 2] = data[i + 2]! * alpha;
    weighted[i + 3] = data[i + 3]!;
  }
  return weighted;
}
