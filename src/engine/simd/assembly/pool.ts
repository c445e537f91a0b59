/**
 * Owns pooling over NHWC pictures. Max pooling remembers, a byte a number, which place of its window
 * won (the first among equals, as in the `cpu` backend), so that the gradient reads neither input
 * nor output. A window that is all negative, or all -∞, has a winner like any other.
 */
import { JOB, parallel } from './parallel';
import { ConvShape } from './shape';

/** A pool's shape is a ConvShape whose channels and outChannels are equal. */
@unmanaged
class PoolJob extends ConvShape {
  spare: i32;
  x: usize;
  y: usize;
  winners: usize; // 0: not wanted
  dy: usize;
  dx: usize;
  rowsPerChunk: i32;
  disjoint: i32;
  accumulate: i32;
}

// @ts-ignore: decorator
@inline
function job(): PoolJob {
  return changetype<PoolJob>(JOB);
}

/** Output rows in a chunk: about 16384 numbers read. */
function rowsPerChunk(): i32 {
  const s = job();
  const perRow = s.width * s.channels * s.strideHeight;
  return max(1, 16384 / max(1, perRow));
}

/** y = the greatest of each window; winners: its place, u8, [positions][channels rounded up to 4]. */
export function maxPool(x: usize, y: usize, winners: usize): void {
  const s = job();
  s.x = x;
  s.y = y;
  s.winners = winners;
  s.rowsPerChunk = rowsPerChunk();
  const rows = s.batch * s.outHeight;
  parallel(maxPoolChunk, (rows + s.rowsPerChunk - 1) / s.rowsPerChunk);
}

function maxPoolChunk(chunk: i32): void {
  const s = job();
  const pixelBytes = <usize>s.channels * 4;
  const rowBytes = <usize>s.width * pixelBytes;
  const winnerBytes = <usize>((s.channels + 3) & ~3);
  // The window of nearly every network, with whole vectors of channels, has a way of its own.
  const isSquare = s.filterHeight == 2 && s.filterWidth == 2 && (s.channels & 3) == 0
    && s.dilationHeight == 1 && s.dilationWidth == 1;
  const last = min((chunk + 1) * s.rowsPerChunk, s.batch * s.outHeight);
  for (let row = chunk * s.rowsPerChunk; row < last; row++) {
    const image = row / s.outHeight;
    const top = (row % s.outHeight) * s.strideHeight - s.padTop;
    const picture = s.x + <usize>image * <usize>s.height * rowBytes;
    // Of a window's rows, those inside the picture.
    const firstY = firstInside(top, s.dilationHeight);
    const endY = endInside(top, s.dilationHeight, s.filterHeight, s.height);
    for (let column = 0; column < s.outWidth; column++) {
      const left = column * s.strideWidth - s.padLeft;
      const firstX = firstInside(left, s.dilationWidth);
      const endX = endInside(left, s.dilationWidth, s.filterWidth, s.width);
      const position = <usize>(row * s.outWidth + column);
      const to = s.y + position * pixelBytes;
      const winner = s.winners + position * winnerBytes;
      if (isSquare && firstY == 0 && firstX == 0 && endY == 2 && endX == 2) {
        const corner = picture + <usize>top * rowBytes + <usize>left * pixelBytes;
        maxOfFour(corner, pixelBytes, rowBytes, to, s.winners ? winner : 0);
        continue;
      }
      for (let c = 0; c < s.channels; c += 4) {
        let best = f32x4.splat(-Infinity);
        let place = i32x4.splat(-1);
        for (let ky = firstY; ky < endY; ky++) {
          const line = picture + <usize>(top + ky * s.dilationHeight) * rowBytes + (<usize>c << 2);
          for (let kx = firstX; kx < endX; kx++) {
            const value = v128.load(line + <usize>(left + kx * s.dilationWidth) * pixelBytes);
            // The first place wins even at -∞; NaN never does.
            const wins = v128.or(
              f32x4.gt(value, best),
              v128.and(i32x4.lt_s(place, i32x4.splat(0)), f32x4.eq(value, value)),
            );
            best = v128.bitselect(value, best, wins);
            place = v128.bitselect(i32x4.splat(ky * s.filterWidth + kx), place, wins);
          }
        }
        if (c + 4 <= s.channels) v128.store(to + (<usize>c << 2), best);
        else storePart(to + (<usize>c << 2), best, s.channels - c);
        if (s.winners) {
          const words = i16x8.narrow_i32x4_u(v128.and(place, i32x4.splat(255)), place);
          v128.store32_lane(winner + <usize>c, i8x16.narrow_i16x8_u(words, words), 0);
        }
      }
    }
  }
}

/** One window of 2 × 2, all channels. `winner` 0: not wanted. */
// @ts-ignore: decorator
@inline
function maxOfFour(
  corner: usize, pixelBytes: usize, rowBytes: usize, to: usize, winner: usize,
): void {
  const below = corner + rowBytes;
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const a = v128.load(corner + at), b = v128.load(corner + pixelBytes + at);
    const c = v128.load(below + at), d = v128.load(below + pixelBytes + at);
    // pmax(x, y) is x < y ? y : x, which passes over a NaN in y.
    let best = f32x4.pmax(f32x4.splat(-Infinity), a);
    best = f32x4.pmax(best, b);
    best = f32x4.pmax(best, c);
    best = f32x4.pmax(best, d);
    v128.store(to + at, best);
    if (winner) {
      let place = v128.bitselect(i32x4.splat(2), i32x4.splat(3), f32x4.eq(c, best));
      place = v128.bitselect(i32x4.splat(1), place, f32x4.eq(b, best));
      place = v128.andnot(place, f32x4.eq(a, best));
      const words = i16x8.narrow_i32x4_u(place, place);
      v128.store32_lane(winner + (at >> 2), i8x16.narrow_i16x8_u(words, words), 0);
    }
  }
}

// @ts-ignore: decorator
@inline
function firstInside(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (-start + dilation - 1) / dilation;
}

// @ts-ignore: decorator
@inline
function endInside(start: i32, dilation: i32, size: i32, limit: i32): i32 {
  return min(size, (limit - start + dilation - 1) / dilation);
}

function storePart(to: usize, value: v128, count: i32): void {
  store<f32>(to, f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(to + 4, f32x4.extract_lane(value, 1));
  if (count > 2) store<f32>(to + 8, f32x4.extract_lane(value, 2));
}

function addPart(to: usize, value: v128, count: i32): void {
  store<f32>(to, load<f32>(to) + f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(to + 4, load<f32>(to + 4) + f32x4.extract_lane(value, 1));
  if (count > 2) store<f32>(to + 8, load<f32>(to + 8) + f32x4.extract_lane(value, 2));
}

/**
 * dx: dy at the winners, 0 elsewhere; sums where windows overlap. One chunk a picture.
 * `accumulate` not 0: added to what dx holds.
 */
export function maxPoolGradient(dy: usize, winners: usize, dx: usize, accumulate: i32): void {
  const s = job();
  s.dy = dy;
  s.winners = winners;
  s.dx = dx;
  s.accumulate = accumulate;
  s.disjoint = i32(
    !accumulate && s.strideHeight >= s.filterHeight && s.strideWidth >= s.filterWidth
      && s.dilationHeight == 1 && s.dilationWidth == 1,
  );
  parallel(maxPoolGradientChunk, s.batch);
}

function maxPoolGradientChunk(image: i32): void {
  const s = job();
  const pixelBytes = <usize>s.channels * 4;
  const rowBytes = <usize>s.width * pixelBytes;
  const winnerBytes = <usize>((s.channels + 3) & ~3);
  const picture = s.dx + <usize>image * <usize>s.height * rowBytes;
  // Windows that lie side by side write every number of theirs once; what no window covers, and
  // sums where they overlap, start from zero.
  const covers = s.disjoint && s.strideHeight == s.filterHeight && s.strideWidth == s.filterWidth
    && s.outHeight * s.filterHeight - s.padTop >= s.height
    && s.outWidth * s.filterWidth - s.padLeft >= s.width;
  if (!covers && !s.accumulate) memory.fill(picture, 0, <usize>s.height * rowBytes);
  const isSquare = (s.disjoint || s.accumulate) && s.filterHeight == 2 && s.filterWidth == 2
    && s.dilationHeight == 1 && s.dilationWidth == 1 && (s.channels & 3) == 0;
  for (let row = 0; row < s.outHeight; row++) {
    const top = row * s.strideHeight - s.padTop;
    const firstY = firstInside(top, s.dilationHeight);
    const endY = endInside(top, s.dilationHeight, s.filterHeight, s.height);
    for (let column = 0; column < s.outWidth; column++) {
      const left = column * s.strideWidth - s.padLeft;
      const firstX = firstInside(left, s.dilationWidth);
      const endX = endInside(left, s.dilationWidth, s.filterWidth, s.width);
      const position = <usize>((image * s.outHeight + row) * s.outWidth + column);
      const from = s.dy + position * pixelBytes;
      const winner = s.winners + position * winnerBytes;
      if (isSquare && firstY == 0 && firstX == 0 && endY == 2 && endX == 2) {
        const corner = picture + <usize>top * rowBytes + <usize>left * pixelBytes;
        if (s.accumulate) addToOneOfFour(from, winner, corner, pixelBytes, rowBytes);
        else oneOfFour(from, winner, corner, pixelBytes, rowBytes);
        continue;
      }
      for (let c = 0; c < s.channels; c += 4) {
        const value = v128.load(from + (<usize>c << 2));
        const place = i32x4.extend_low_i16x8_u(
          i16x8.extend_low_i8x16_u(v128.load32_zero(winner + <usize>c)),
        );
        for (let ky = firstY; ky < endY; ky++) {
          const line = picture + <usize>(top + ky * s.dilationHeight) * rowBytes + (<usize>c << 2);
          for (let kx = firstX; kx < endX; kx++) {
            const at = line + <usize>(left + kx * s.dilationWidth) * pixelBytes;
            const part = v128.and(value, i32x4.eq(place, i32x4.splat(ky * s.filterWidth + kx)));
            if (c + 4 > s.channels) {
              if (s.disjoint) storePart(at, part, s.channels - c);
              else addPart(at, part, s.channels - c);
            } else {
              v128.store(at, s.disjoint ? part : f32x4.add(v128.load(at), part));
            }
          }
        }
      }
    }
  }
}

/** The gradient of one window of 2 × 2 that no other touches, all channels. */
// @ts-ignore: decorator
@inline
function oneOfFour(
  from: usize, winner: usize, corner: usize, pixelBytes: usize, rowBytes: usize,
): void {
  const below = corner + rowBytes;
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const value = v128.load(from + at);
    const place = i32x4.extend_low_i16x8_u(
      i16x8.extend_low_i8x16_u(v128.load32_zero(winner + (at >> 2))),
    );
    v128.store(corner + at, v128.and(value, i32x4.eq(place, i32x4.splat(0))));
    v128.store(corner + pixelBytes + at, v128.and(value, i32x4.eq(place, i32x4.splat(1))));
    v128.store(below + at, v128.and(value, i32x4.eq(place, i32x4.splat(2))));
    v128.store(below + pixelBytes + at, v128.and(value, i32x4.eq(place, i32x4.splat(3))));
  }
}

/** As `oneOfFour`, added to what is there; windows may overlap. */
// @ts-ignore: decorator
@inline
function addToOneOfFour(
  from: usize, winner: usize, corner: usize, pixelBytes: usize, rowBytes: usize,
): void {
  const below = corner + rowBytes;
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const value = v128.load(from + at);
    const place = i32x4.extend_low_i16x8_u(
      i16x8.extend_low_i8x16_u(v128.load32_zero(winner + (at >> 2))),
    );
    addMasked(corner + at, value, i32x4.eq(place, i32x4.splat(0)));
    addMasked(corner + pixelBytes + at, value, i32x4.eq(place, i32x4.splat(1)));
    addMasked(below + at, value, i32x4.eq(place, i32x4.splat(2)));
    addMasked(below + pixelBytes + at, value, i32x4.eq(place, i32x4.splat(3)));
  }
}

// @ts-ignore: decorator
@inline
function addMasked(to: usize, value: v128, mask: v128): void {
  v128.store(to, f32x4.add(v128.load(to), v128.and(value, mask)));
}

/** y = the mean of each window, over the places inside the picture. */
export function averagePool(x: usize, y: usize): void {
  const s = job();
  s.x = x;
  s.y = y;
  s.rowsPerChunk = rowsPerChunk();
  parallel(averagePoolChunk, (s.batch * s.outHeight + s.rowsPerChunk - 1) / s.rowsPerChunk);
}

function averagePoolChunk(chunk: i32): void {
  const s = job();
  const pixelBytes = <usize>s.channels * 4;
  const rowBytes = <usize>s.width * pixelBytes;
  const last = min((chunk + 1) * s.rowsPerChunk, s.batch * s.outHeight);
  for (let row = chunk * s.rowsPerChunk; row < last; row++) {
    const top = (row % s.outHeight) * s.strideHeight - s.padTop;
    const picture = s.x + <usize>(row / s.outHeight) * <usize>s.height * rowBytes;
    const firstY = firstInside(top, s.dilationHeight);
    const endY = endInside(top, s.dilationHeight, s.filterHeight, s.height);
    for (let column = 0; column < s.outWidth; column++) {
      const left = column * s.strideWidth - s.padLeft;
      const firstX = firstInside(left, s.dilationWidth);
      const endX = endInside(left, s.dilationWidth, s.filterWidth, s.width);
      const to = s.y + <usize>(row * s.outWidth + column) * pixelBytes;
      const count = f32x4.splat(<f32>((endY - firstY) * (endX - firstX)));
      for (let c = 0; c < s.channels; c += 4) {
        let sum = f32x4.splat(0);
        for (let ky = firstY; ky < endY; ky++) {
          const line = picture + <usize>(top + ky * s.dilationHeight) * rowBytes + (<usize>c << 2);
          for (let kx = firstX; kx < endX; kx++) {
            sum = f32x4.add(sum, v128.load(line + <usize>(left + kx * s.dilationWidth) * pixelBytes));
          }
        }
        const mean = f32x4.div(sum, count);
        if (c + 4 <= s.channels) v128.store(to + (<usize>c << 2), mean);
        else storePart(to + (<usize>c << 2), mean, s.channels - c);
      }
    }
  }
}

/**
 * dx: each dy shared equally by its whole window. Like the `cpu` backend, places outside the picture
 * take their share too. `accumulate` not 0: added to what dx holds.
 */
export function averagePoolGradient(dy: usize, dx: usize, accumulate: i32): void {
  const s = job();
  s.accumulate = accumulate;
  s.dy = dy;
  s.dx = dx;
  parallel(averagePoolGradientChunk, s.batch);
}

function averagePoolGradientChunk(image: i32): void {
  const s = job();
  const pixelBytes = <usize>s.channels * 4;
  const rowBytes = <usize>s.width * pixelBytes;
  const picture = s.dx + <usize>image * <usize>s.height * rowBytes;
  const share = f32x4.splat(<f32>1 / <f32>(s.filterHeight * s.filterWidth));
  if (!s.accumulate) memory.fill(picture, 0, <usize>s.height * rowBytes);
  for (let row = 0; row < s.outHeight; row++) {
    const top = row * s.strideHeight - s.padTop;
    const firstY = firstInside(top, s.dilationHeight);
    const endY = endInside(top, s.dilationHeight, s.filterHeight, s.height);
    for (let column = 0; column < s.outWidth; column++) {
      const left = column * s.strideWidth - s.padLeft;
      const firstX = firstInside(left, s.dilationWidth);
      const endX = endInside(left, s.dilationWidth, s.filterWidth, s.width);
      const from = s.dy + <usize>((image * s.outHeight + row) * s.outWidth + column) * pixelBytes;
      for (let c = 0; c < s.channels; c += 4) {
        const value = f32x4.mul(v128.load(from + (<usize>c << 2)), share);
        for (let ky = firstY; ky < endY; ky++) {
          const line = picture + <usize>(top + ky * s.dilationHeight) * rowBytes + (<usize>c << 2);
          for (let kx = firstX; kx < endX; kx++) {
            const at = line + <usize>(left + kx * s.dilationWidth) * pixelBytes;
            if (c + 4 <= s.channels) v128.store(at, f32x4.add(v128.load(at), value));
            else addPart(at, value, s.channels - c);
          }
        }
      }
    }
  }
}
