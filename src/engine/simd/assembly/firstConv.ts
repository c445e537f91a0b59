/**
 * What nearly every network begins with, in one go: a 3×3 convolution of images with one channel, a
 * bias, a ReLU and pooling of 2×2. The output of the convolution, by far the largest of such a
 * network, exists in registers only; nobody asks for a gradient of the images.
 *
 * A pooled place looks at 4×4 pixels. Each is loaded once for four filters, whose nine weights (or,
 * backwards, sums) stay in registers. The number of filters is a multiple of four.
 */
import { madd } from './gemm';
import { JOB, parallel, scratch } from './parallel';
import { ConvShape } from './shape';

/** The shape is that of the convolution. */
@unmanaged
class FirstConvJob extends ConvShape {
  spare: i32;
  x: usize;
  w: usize;
  bias: usize;
  y: usize;
  winners: usize;
  dy: usize;
  partials: usize;
  relu: i32;
  numChunks: i32;
}

/** Partial sums over the batch; a fixed number, so that threads do not change the result. */
const MAX_PARTIALS: i32 = 16;

const TAPS: i32 = 9;

// @ts-ignore: decorator
@inline
function job(): FirstConvJob {
  return changetype<FirstConvJob>(JOB);
}

// @ts-ignore: decorator
@inline
function paddedWidth(): i32 {
  return job().outWidth + 2;
}

/** Bytes of scratch that a thread needs for the shape at hand: one image with its padding. */
export function firstConvScratch(): usize {
  return <usize>((job().outHeight + 2) * paddedWidth()) * 4 + 64;
}

/** Copies an image with zeros around it to this thread's scratch. */
function padImage(image: i32): usize {
  const s = job();
  const padded = scratch();
  const line = <usize>paddedWidth() << 2;
  memory.fill(padded, 0, <usize>(s.outHeight + 2) * line);
  const rowBytes = <usize>s.width << 2;
  let from = s.x + <usize>(image * s.height) * rowBytes;
  let to = padded + <usize>s.padTop * line + (<usize>s.padLeft << 2);
  // Without padding the last row or column may be one that no place looks at.
  const numRows = min(s.height, s.outHeight + 2 - s.padTop);
  const bytes = <usize>min(s.width, paddedWidth() - s.padLeft) << 2;
  for (let row = 0; row < numRows; row++) {
    memory.copy(to, from, bytes);
    from += rowBytes;
    to += line;
  }
  return padded;
}

/**
 * y = the greatest of each 2×2 places of relu?(conv(x, w) + bias?), [batch][outHeight / 2][outWidth
 * / 2][outChannels]; winners, a byte each: which of the four it was. `bias` 0: none.
 */
export function firstConvForward(
  x: usize, w: usize, bias: usize, y: usize, winners: usize, relu: i32,
): void {
  const s = job();
  s.x = x;
  s.w = w;
  s.bias = bias;
  s.y = y;
  s.winners = winners;
  s.relu = relu;
  parallel(forwardImage, s.batch);
}

// @ts-ignore: decorator
@inline
function pixel(at: usize): v128 {
  return v128.load32_splat(at);
}

function forwardImage(image: i32): void {
  const s = job();
  const padded = padImage(image);
  const line = <usize>paddedWidth() << 2;
  const step = <usize>s.outChannels << 2;
  const rows = s.outHeight >> 1, columns = s.outWidth >> 1;
  const start = <usize>(image * rows * columns);
  const zero = f32x4.splat(0);
  for (let channel: usize = 0; channel < step; channel += 16) {
    let at = s.w + channel;
    const w0 = v128.load(at), w1 = v128.load(at + step), w2 = v128.load(at + step * 2);
    at += step * 3;
    const w3 = v128.load(at), w4 = v128.load(at + step), w5 = v128.load(at + step * 2);
    at += step * 3;
    const w6 = v128.load(at), w7 = v128.load(at + step), w8 = v128.load(at + step * 2);
    const bias = s.bias ? v128.load(s.bias + channel) : zero;
    let to = s.y + start * step + channel;
    let winner = s.winners + ((start * step + channel) >> 2);
    for (let row = 0; row < rows; row++) {
      let p = padded + <usize>(row * 2) * line;
      for (let column = 0; column < columns; column++) {
        let q = p;
        let v = pixel(q);
        let a = f32x4.mul(w0, v);
        v = pixel(q + 4);
        a = madd(w1, v, a);
        let b = f32x4.mul(w0, v);
        v = pixel(q + 8);
        a = madd(w2, v, a);
        b = madd(w1, v, b);
        b = madd(w2, pixel(q + 12), b);
        q += line;
        v = pixel(q);
        a = madd(w3, v, a);
        let c = f32x4.mul(w0, v);
        v = pixel(q + 4);
        a = madd(w4, v, a);
        b = madd(w3, v, b);
        c = madd(w1, v, c);
        let d = f32x4.mul(w0, v);
        v = pixel(q + 8);
        a = madd(w5, v, a);
        b = madd(w4, v, b);
        c = madd(w2, v, c);
        d = madd(w1, v, d);
        v = pixel(q + 12);
        b = madd(w5, v, b);
        d = madd(w2, v, d);
        q += line;
        v = pixel(q);
        a = madd(w6, v, a);
        c = madd(w3, v, c);
        v = pixel(q + 4);
        a = madd(w7, v, a);
        b = madd(w6, v, b);
        c = madd(w4, v, c);
        d = madd(w3, v, d);
        v = pixel(q + 8);
        a = madd(w8, v, a);
        b = madd(w7, v, b);
        c = madd(w5, v, c);
        d = madd(w4, v, d);
        v = pixel(q + 12);
        b = madd(w8, v, b);
        d = madd(w5, v, d);
        q += line;
        c = madd(w6, pixel(q), c);
        v = pixel(q + 4);
        c = madd(w7, v, c);
        d = madd(w6, v, d);
        v = pixel(q + 8);
        c = madd(w8, v, c);
        d = madd(w7, v, d);
        d = madd(w8, pixel(q + 12), d);

        // The first of equals wins, as in pool.ts.
        let wins = f32x4.gt(b, a);
        let best = v128.bitselect(b, a, wins);
        let place = v128.and(wins, i32x4.splat(1));
        wins = f32x4.gt(c, best);
        best = v128.bitselect(c, best, wins);
        place = v128.bitselect(i32x4.splat(2), place, wins);
        wins = f32x4.gt(d, best);
        best = v128.bitselect(d, best, wins);
        place = v128.bitselect(i32x4.splat(3), place, wins);
        best = f32x4.add(best, bias);
        if (s.relu) best = f32x4.max(best, zero);
        v128.store(to, best);
        const words = i16x8.narrow_i32x4_u(place, place);
        v128.store32_lane(winner, i8x16.narrow_i16x8_u(words, words), 0);
        to += step;
        winner += step >> 2;
        p += 8;
      }
    }
  }
}

function numPartials(): i32 {
  return min(MAX_PARTIALS, job().batch);
}

/** Of a partial: every tap, then the bias. */
function partialBytes(): usize {
  return <usize>((TAPS + 1) * job().outChannels) << 2;
}

/** Bytes of shared workspace for `firstConvGradient`. */
export function firstConvWorkspace(): usize {
  return <usize>numPartials() * partialBytes();
}

/**
 * dw from the gradient dy of what was pooled. `y` not 0: a ReLU was fused, and dy counts only where
 * y > 0. `dBias` not 0 receives the sum of dy over all places.
 */
export function firstConvGradient(
  x: usize, dy: usize, winners: usize, dw: usize, partials: usize, y: usize, dBias: usize,
): void {
  const s = job();
  s.x = x;
  s.dy = dy;
  s.winners = winners;
  s.partials = partials;
  s.y = y;
  s.numChunks = numPartials();
  parallel(gradientChunk, s.numChunks);
  const step = <usize>s.outChannels << 2;
  for (let tap = 0; tap <= TAPS; tap++) {
    if (tap == TAPS && !dBias) return;
    const to = tap == TAPS ? dBias : dw + <usize>tap * step;
    for (let channel: usize = 0; channel < step; channel += 16) {
      let sum = f32x4.splat(0);
      for (let i = 0; i < s.numChunks; i++) {
        const from = partials + <usize>i * partialBytes() + <usize>tap * step;
        sum = f32x4.add(sum, v128.load(from + channel));
      }
      v128.store(to + channel, sum);
    }
  }
}

function gradientChunk(chunk: i32): void {
  const s = job();
  const partial = s.partials + <usize>chunk * partialBytes();
  memory.fill(partial, 0, partialBytes());
  const first = <i32>((<i64>s.batch * chunk) / s.numChunks);
  const last = <i32>((<i64>s.batch * (chunk + 1)) / s.numChunks);
  for (let image = first; image < last; image++) gradientImage(image, partial);
}

function gradientImage(image: i32, partial: usize): void {
  const s = job();
  const padded = padImage(image);
  const line = <usize>paddedWidth() << 2;
  const step = <usize>s.outChannels << 2;
  const rows = s.outHeight >> 1, columns = s.outWidth >> 1;
  const start = <usize>(image * rows * columns) * step;
  const zero = f32x4.splat(0);
  for (let channel: usize = 0; channel < step; channel += 16) {
    let at = partial + channel;
    let g0 = v128.load(at), g1 = v128.load(at + step), g2 = v128.load(at + step * 2);
    at += step * 3;
    let g3 = v128.load(at), g4 = v128.load(at + step), g5 = v128.load(at + step * 2);
    at += step * 3;
    let g6 = v128.load(at), g7 = v128.load(at + step), g8 = v128.load(at + step * 2);
    at += step * 3;
    let offset = start + channel;
    for (let row = 0; row < rows; row++) {
      let p = padded + <usize>(row * 2) * line;
      for (let column = 0; column < columns; column++) {
        let dy = v128.load(s.dy + offset);
        if (s.y) dy = v128.and(dy, f32x4.gt(v128.load(s.y + offset), zero));
        v128.store(at, f32x4.add(v128.load(at), dy));
        const place = i32x4.extend_low_i16x8_u(
          i16x8.extend_low_i8x16_u(v128.load32_zero(s.winners + (offset >> 2))),
        );
        const a = v128.and(dy, i32x4.eq(place, i32x4.splat(0)));
        const b = v128.and(dy, i32x4.eq(place, i32x4.splat(1)));
        const c = v128.and(dy, i32x4.eq(place, i32x4.splat(2)));
        const d = v128.and(dy, i32x4.eq(place, i32x4.splat(3)));
        let q = p;
        g0 = madd(a, pixel(q), g0);
        let v = pixel(q + 4);
        g1 = madd(a, v, g1);
        g0 = madd(b, v, g0);
        v = pixel(q + 8);
        g2 = madd(a, v, g2);
        g1 = madd(b, v, g1);
        g2 = madd(b, pixel(q + 12), g2);
        q += line;
        v = pixel(q);
        g3 = madd(a, v, g3);
        g0 = madd(c, v, g0);
        v = pixel(q + 4);
        g4 = madd(a, v, g4);
        g3 = madd(b, v, g3);
        g1 = madd(c, v, g1);
        g0 = madd(d, v, g0);
        v = pixel(q + 8);
        g5 = madd(a, v, g5);
        g4 = madd(b, v, g4);
        g2 = madd(c, v, g2);
        g1 = madd(d, v, g1);
        v = pixel(q + 12);
        g5 = madd(b, v, g5);
        g2 = madd(d, v, g2);
        q += line;
        v = pixel(q);
        g6 = madd(a, v, g6);
        g3 = madd(c, v, g3);
        v = pixel(q + 4);
        g7 = madd(a, v, g7);
        g6 = madd(b, v, g6);
        g4 = madd(c, v, g4);
        g3 = madd(d, v, g3);
        v = pixel(q + 8);
        g8 = madd(a, v, g8);
        g7 = madd(b, v, g7);
        g5 = madd(c, v, g5);
        g4 = madd(d, v, g4);
        v = pixel(q + 12);
        g8 = madd(b, v, g8);
        g5 = madd(d, v, g5);
        q += line;
        g6 = madd(c, pixel(q), g6);
        v = pixel(q + 4);
        g7 = madd(c, v, g7);
        g6 = madd(d, v, g6);
        v = pixel(q + 8);
        g8 = madd(c, v, g8);
        g7 = madd(d, v, g7);
        g8 = madd(d, pixel(q + 12), g8);
        offset += step;
        p += 8;
      }
    }
    at = partial + channel;
    v128.store(at, g0);
    v128.store(at + step, g1);
    v128.store(at + step * 2, g2);
    at += step * 3;
    v128.store(at, g3);
    v128.store(at + step, g4);
    v128.store(at + step * 2, g5);
    at += step * 3;
    v128.store(at, g6);
    v128.store(at + step, g7);
    v128.store(at + step * 2, g8);
  }
}
