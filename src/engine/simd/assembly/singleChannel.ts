/**
 * 3×3 convolutions of stride 1 over pictures of one channel: the first layer of every network here.
 * A patch of nine numbers is too short for the ways of conv.ts, which would spend more time on its
 * address than on its products. A thread copies one picture at a time, with its border of zeros, and
 * finds every number of every patch at a fixed distance.
 */
import { ADD_BIAS, RELU, TILE_COLUMNS, TILE_SCRATCH, finish, madd } from './gemm';
import { JOB, parallel, scratch } from './parallel';
import { ConvShape } from './shape';

@unmanaged
class SingleJob extends ConvShape {
  x: usize;
  w: usize;
  bias: usize;
  y: usize;
  flags: i32;
  // Filter gradient.
  dy: usize;
  maskedDy: usize;
  dBias: usize;
  partials: usize;
  numChunks: i32;
}

/** Output positions side by side in a tile of the forward pass. */
const TILE_WIDTH: i32 = 4;

/** Partial sums over the batch; a fixed number, so that threads do not change the result. */
const MAX_PARTIALS: i32 = 16;

/** Rows of a partial: nine taps and the bias. */
const PARTIAL_ROWS: i32 = 10;

/** Numbers of dy that the filter gradient goes through before it turns to the next channels. */
const BAND_FLOATS: i32 = 6144;

// @ts-ignore: decorator
@inline
function job(): SingleJob {
  return changetype<SingleJob>(JOB);
}

/** Whether forward pass and filter gradient of the shape at hand are of this kind. */
export function isSingleChannel(): bool {
  const s = job();
  return s.channels == 1 && s.filterHeight == 3 && s.filterWidth == 3
    && s.strideHeight == 1 && s.strideWidth == 1 && s.dilationHeight == 1 && s.dilationWidth == 1
    && s.outWidth >= TILE_WIDTH && s.outChannels % TILE_COLUMNS == 0;
}

/** Bytes of a row of the picture with its border. */
// @ts-ignore: decorator
@inline
function pitch(): usize {
  return <usize>(job().outWidth + 2) << 2;
}

/** Bytes of scratch that a thread needs here. */
export function singleChannelScratch(): usize {
  return TILE_SCRATCH + <usize>(job().outHeight + 2) * pitch() + 64;
}

/** Copies what the outputs of a picture read, zeros included, to scratch. */
function copyPicture(image: i32): usize {
  const s = job();
  const to = scratch() + TILE_SCRATCH;
  const numRows = s.outHeight + 2;
  memory.fill(to, 0, <usize>numRows * pitch());
  const firstX = max(0, -s.padLeft), first = max(0, s.padLeft);
  const count = min(s.outWidth + 2 - first, s.width - firstX);
  const picture = s.x + (<usize>(image * s.height * s.width) << 2);
  for (let row = 0; row < numRows; row++) {
    const y = row - s.padTop;
    if (<u32>y >= <u32>s.height) continue;
    memory.copy(
      to + <usize>row * pitch() + (<usize>first << 2),
      picture + (<usize>(y * s.width + firstX) << 2), <usize>count << 2,
    );
  }
  return to;
}

/** y = relu?(conv(x, w) + bias?). `bias` 0: none. */
export function singleChannelForward(x: usize, w: usize, bias: usize, y: usize, relu: i32): void {
  const s = job();
  s.x = x;
  s.w = w;
  s.bias = bias;
  s.y = y;
  s.flags = (bias ? ADD_BIAS : 0) | (relu ? RELU : 0);
  parallel(forwardPicture, s.batch);
}

function forwardPicture(image: i32): void {
  const s = job();
  const picture = copyPicture(image);
  const pixel = <usize>s.outChannels << 2;
  let out = s.y + <usize>(image * s.outHeight * s.outWidth) * pixel;
  for (let row = 0; row < s.outHeight; row++) {
    for (let column = 0; column < s.outWidth; column += TILE_WIDTH) {
      // The last tile lies over its neighbour rather than over the edge.
      const x = min(column, s.outWidth - TILE_WIDTH);
      const from = picture + <usize>row * pitch() + (<usize>x << 2);
      for (let c: usize = 0; c < pixel; c += TILE_COLUMNS * 4) {
        forwardTile(from, pitch(), s.w + c, pixel, out + <usize>x * pixel + c, s.bias + c, s.flags);
      }
    }
    out += <usize>s.outWidth * pixel;
  }
}

/**
 * Four outputs side by side, eight channels: every number of a row of the picture is loaded once for
 * all the outputs that it touches.
 *
 * @param line bytes from a row of the picture to the next
 * @param pixel bytes from a tap of the filter to the next, and from an output to the next
 */
function forwardTile(
  from: usize, line: usize, w: usize, pixel: usize, out: usize, bias: usize, flags: i32,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const end = from + line * 3;
  do {
    const l0 = v128.load(w), l1 = v128.load(w, 16);
    w += pixel;
    const m0 = v128.load(w), m1 = v128.load(w, 16);
    w += pixel;
    const r0 = v128.load(w), r1 = v128.load(w, 16);
    w += pixel;
    let s = v128.load32_splat(from);
    c00 = madd(s, l0, c00);
    c01 = madd(s, l1, c01);
    s = v128.load32_splat(from, 4);
    c00 = madd(s, m0, c00);
    c01 = madd(s, m1, c01);
    c10 = madd(s, l0, c10);
    c11 = madd(s, l1, c11);
    s = v128.load32_splat(from, 8);
    c00 = madd(s, r0, c00);
    c01 = madd(s, r1, c01);
    c10 = madd(s, m0, c10);
    c11 = madd(s, m1, c11);
    c20 = madd(s, l0, c20);
    c21 = madd(s, l1, c21);
    s = v128.load32_splat(from, 12);
    c10 = madd(s, r0, c10);
    c11 = madd(s, r1, c11);
    c20 = madd(s, m0, c20);
    c21 = madd(s, m1, c21);
    c30 = madd(s, l0, c30);
    c31 = madd(s, l1, c31);
    s = v128.load32_splat(from, 16);
    c20 = madd(s, r0, c20);
    c21 = madd(s, r1, c21);
    c30 = madd(s, m0, c30);
    c31 = madd(s, m1, c31);
    s = v128.load32_splat(from, 20);
    c30 = madd(s, r0, c30);
    c31 = madd(s, r1, c31);
    from += line;
  } while (from < end);
  let bias0 = f32x4.splat(0), bias1 = f32x4.splat(0);
  if (flags & ADD_BIAS) {
    bias0 = v128.load(bias);
    bias1 = v128.load(bias, 16);
  }
  finish(c00, out, bias0, flags);
  finish(c01, out + 16, bias1, flags);
  out += pixel;
  finish(c10, out, bias0, flags);
  finish(c11, out + 16, bias1, flags);
  out += pixel;
  finish(c20, out, bias0, flags);
  finish(c21, out + 16, bias1, flags);
  out += pixel;
  finish(c30, out, bias0, flags);
  finish(c31, out + 16, bias1, flags);
}

// ---------------------------------------------------------------------------------------------
// Gradient of the filter

/** Bytes of shared workspace for `singleChannelFilterGradient`. */
export function singleChannelWorkspace(): usize {
  const s = job();
  return <usize>(min(MAX_PARTIALS, s.batch) * PARTIAL_ROWS * s.outChannels) << 2;
}

/** dw, with the same riders as `convFilterGradient`. */
export function singleChannelFilterGradient(
  x: usize, dy: usize, dw: usize, partials: usize, y: usize, maskedDy: usize, dBias: usize,
): void {
  const s = job();
  s.x = x;
  s.dy = dy;
  s.y = y;
  s.maskedDy = maskedDy;
  s.dBias = dBias;
  s.partials = partials;
  s.numChunks = min(MAX_PARTIALS, s.batch);
  parallel(filterChunk, s.numChunks);
  const pixel = <usize>s.outChannels << 2;
  const rows = dBias ? PARTIAL_ROWS : PARTIAL_ROWS - 1;
  for (let row = 0; row < rows; row++) {
    const to = row < 9 ? dw + <usize>row * pixel : dBias;
    for (let c: usize = 0; c < pixel; c += 16) {
      let at = partials + <usize>row * pixel + c;
      let sum = v128.load(at);
      for (let chunk = 1; chunk < s.numChunks; chunk++) {
        at += <usize>PARTIAL_ROWS * pixel;
        sum = f32x4.add(sum, v128.load(at));
      }
      v128.store(to + c, sum);
    }
  }
}

function filterChunk(chunk: i32): void {
  const s = job();
  const pixel = <usize>s.outChannels << 2;
  const partial = s.partials + <usize>(chunk * PARTIAL_ROWS) * pixel;
  memory.fill(partial, 0, <usize>PARTIAL_ROWS * pixel);
  const first = <i32>((<i64>s.batch * chunk) / s.numChunks);
  const last = <i32>((<i64>s.batch * (chunk + 1)) / s.numChunks);
  const bandRows = max(1, BAND_FLOATS / (s.outWidth * s.outChannels));
  for (let image = first; image < last; image++) {
    const picture = copyPicture(image);
    for (let row = 0; row < s.outHeight; row += bandRows) {
      const end = min(row + bandRows, s.outHeight);
      const offset = <usize>((image * s.outHeight + row) * s.outWidth) * pixel;
      for (let c: usize = 0; c < pixel; c += 16) {
        const from = picture + <usize>row * pitch();
        if (s.y) sumBand(from, end - row, offset + c, partial + c, true, true);
        else if (s.dBias) sumBand(from, end - row, offset + c, partial + c, false, true);
        else sumBand(from, end - row, offset + c, partial + c, false, false);
      }
    }
  }
}

/** Adds to nine taps (and the bias) of four channels what some rows of outputs give. */
// @ts-ignore: decorator
@inline
function sumBand(
  from: usize, numRows: i32, offset: usize, partial: usize, masks: bool, sumsBias: bool,
): void {
  const s = job();
  const pixel = <usize>s.outChannels << 2;
  const line = pitch();
  const dy = s.dy, y = s.y, maskedDy = s.maskedDy;
  const zero = f32x4.splat(0);
  let t0 = v128.load(partial), t1 = v128.load(partial + pixel);
  let t2 = v128.load(partial + pixel * 2), t3 = v128.load(partial + pixel * 3);
  let t4 = v128.load(partial + pixel * 4), t5 = v128.load(partial + pixel * 5);
  let t6 = v128.load(partial + pixel * 6), t7 = v128.load(partial + pixel * 7);
  let t8 = v128.load(partial + pixel * 8), bias = v128.load(partial + pixel * 9);
  for (let row = 0; row < numRows; row++) {
    let above = from, middle = from + line, below = middle + line;
    const end = offset + <usize>s.outWidth * pixel;
    do {
      let d = v128.load(dy + offset);
      if (masks) {
        d = v128.and(d, f32x4.gt(v128.load(y + offset), zero));
        if (maskedDy) v128.store(maskedDy + offset, d);
      }
      if (sumsBias) bias = f32x4.add(bias, d);
      t0 = madd(v128.load32_splat(above), d, t0);
      t1 = madd(v128.load32_splat(above, 4), d, t1);
      t2 = madd(v128.load32_splat(above, 8), d, t2);
      t3 = madd(v128.load32_splat(middle), d, t3);
      t4 = madd(v128.load32_splat(middle, 4), d, t4);
      t5 = madd(v128.load32_splat(middle, 8), d, t5);
      t6 = madd(v128.load32_splat(below), d, t6);
      t7 = madd(v128.load32_splat(below, 4), d, t7);
      t8 = madd(v128.load32_splat(below, 8), d, t8);
      above += 4;
      middle += 4;
      below += 4;
      offset += pixel;
    } while (offset < end);
    from += line;
  }
  v128.store(partial, t0);
  v128.store(partial + pixel, t1);
  v128.store(partial + pixel * 2, t2);
  v128.store(partial + pixel * 3, t3);
  v128.store(partial + pixel * 4, t4);
  v128.store(partial + pixel * 5, t5);
  v128.store(partial + pixel * 6, t6);
  v128.store(partial + pixel * 7, t7);
  v128.store(partial + pixel * 8, t8);
  v128.store(partial + pixel * 9, bias);
}
