/**
 * Depthwise convolution over NHWC images: each channel is filtered by itself, four channels at a
 * time. Filters are [height][width][channels].
 */
import { JOB, parallel } from './parallel';
import { ConvShape } from './shape';

/** A shape whose channels and outChannels are equal. */
@unmanaged
class DepthwiseJob extends ConvShape {
  spare: i32;
  x: usize;
  w: usize;
  bias: usize;
  y: usize;
  dy: usize;
  to: usize;
  partials: usize;
  dBias: usize;
  relu: i32;
  rowsPerChunk: i32;
  numChunks: i32;
}

/** Partial sums over the batch; a fixed number, so that threads do not change the result. */
const MAX_PARTIALS: i32 = 16;

// @ts-ignore: decorator
@inline
function job(): DepthwiseJob {
  return changetype<DepthwiseJob>(JOB);
}

/** Bytes of a row of channels, filled up to whole vectors. */
// @ts-ignore: decorator
@inline
function vectorBytes(): usize {
  return <usize>((job().channels + 3) & ~3) << 2;
}

/** Of the last vector of a pixel only what is the pixel's may be written. */
// @ts-ignore: decorator
@inline
function storeChannels(at: usize, value: v128, count: i32): void {
  if (count >= 4) {
    v128.store(at, value);
    return;
  }
  store<f32>(at, f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(at + 4, f32x4.extract_lane(value, 1));
  if (count > 2) store<f32>(at + 8, f32x4.extract_lane(value, 2));
}

/** y = relu?(conv(x, w) + bias?). `bias` 0: none. */
export function depthwiseForward(x: usize, w: usize, bias: usize, y: usize, relu: i32): void {
  const s = job();
  s.x = x;
  s.w = w;
  s.bias = bias;
  s.y = y;
  s.relu = relu;
  s.rowsPerChunk = max(1, 16384 / max(1, s.outWidth * s.channels));
  parallel(forwardChunk, (s.batch * s.outHeight + s.rowsPerChunk - 1) / s.rowsPerChunk);
}

function forwardChunk(chunk: i32): void {
  const s = job();
  const pixelBytes = <usize>s.channels << 2;
  const rowBytes = <usize>s.width * pixelBytes;
  const zero = f32x4.splat(0);
  const last = min((chunk + 1) * s.rowsPerChunk, s.batch * s.outHeight);
  for (let row = chunk * s.rowsPerChunk; row < last; row++) {
    const top = (row % s.outHeight) * s.strideHeight - s.padTop;
    const image = s.x + <usize>(row / s.outHeight) * <usize>s.height * rowBytes;
    const firstY = max(0, -top), endY = min(s.filterHeight, s.height - top);
    for (let column = 0; column < s.outWidth; column++) {
      const left = column * s.strideWidth - s.padLeft;
      const firstX = max(0, -left), endX = min(s.filterWidth, s.width - left);
      const to = s.y + <usize>(row * s.outWidth + column) * pixelBytes;
      for (let c: usize = 0; c < pixelBytes; c += 16) {
        let sum = s.bias ? v128.load(s.bias + c) : zero;
        for (let ky = firstY; ky < endY; ky++) {
          const line = image + <usize>(top + ky) * rowBytes + c;
          const taps = s.w + <usize>(ky * s.filterWidth) * pixelBytes + c;
          for (let kx = firstX; kx < endX; kx++) {
            sum = f32x4.add(sum, f32x4.mul(
              v128.load(line + <usize>(left + kx) * pixelBytes),
              v128.load(taps + <usize>kx * pixelBytes),
            ));
          }
        }
        if (s.relu) sum = f32x4.max(sum, zero);
        storeChannels(to + c, sum, s.channels - <i32>(c >> 2));
      }
    }
  }
}

/** dx, from dy: how the loss changes with y. */
export function depthwiseInputGradient(dy: usize, w: usize, dx: usize): void {
  const s = job();
  s.dy = dy;
  s.w = w;
  s.to = dx;
  s.rowsPerChunk = max(1, 16384 / max(1, s.width * s.channels));
  parallel(inputChunk, (s.batch * s.height + s.rowsPerChunk - 1) / s.rowsPerChunk);
}

function inputChunk(chunk: i32): void {
  const s = job();
  const pixelBytes = <usize>s.channels << 2;
  const rowBytes = <usize>s.outWidth * pixelBytes;
  const last = min((chunk + 1) * s.rowsPerChunk, s.batch * s.height);
  for (let row = chunk * s.rowsPerChunk; row < last; row++) {
    const y = row % s.height + s.padTop;
    const image = s.dy + <usize>(row / s.height) * <usize>s.outHeight * rowBytes;
    for (let column = 0; column < s.width; column++) {
      const x = column + s.padLeft;
      const to = s.to + <usize>(row * s.width + column) * pixelBytes;
      for (let c: usize = 0; c < pixelBytes; c += 16) {
        let sum = f32x4.splat(0);
        // Taps that lead from a row of outputs to this one; a stride leaves some of them out.
        for (let ky = y % s.strideHeight; ky < s.filterHeight && ky <= y; ky += s.strideHeight) {
          const outY = (y - ky) / s.strideHeight;
          if (outY >= s.outHeight) continue;
          for (let kx = x % s.strideWidth; kx < s.filterWidth && kx <= x; kx += s.strideWidth) {
            const outX = (x - kx) / s.strideWidth;
            if (outX >= s.outWidth) continue;
            sum = f32x4.add(sum, f32x4.mul(
              v128.load(image + <usize>outY * rowBytes + <usize>outX * pixelBytes + c),
              v128.load(s.w + <usize>(ky * s.filterWidth + kx) * pixelBytes + c),
            ));
          }
        }
        storeChannels(to + c, sum, s.channels - <i32>(c >> 2));
      }
    }
  }
}

function numPartials(): i32 {
  return min(MAX_PARTIALS, job().batch);
}

/** Of a partial: every tap, then the bias. */
function partialBytes(): usize {
  return <usize>(job().filterHeight * job().filterWidth + 1) * vectorBytes();
}

/** Bytes of shared workspace for `depthwiseFilterGradient`. */
export function depthwiseWorkspace(): usize {
  return <usize>numPartials() * partialBytes();
}

/** dw, from the layer's input x and dy. `dBias` not 0 receives the sum of dy over all positions. */
export function depthwiseFilterGradient(
  x: usize, dy: usize, dw: usize, partials: usize, dBias: usize,
): void {
  const s = job();
  s.x = x;
  s.dy = dy;
  s.to = dw;
  s.partials = partials;
  s.dBias = dBias;
  s.numChunks = numPartials();
  parallel(filterChunk, s.numChunks);
  const bytes = vectorBytes();
  const numTaps = s.filterHeight * s.filterWidth;
  for (let tap = 0; tap <= numTaps; tap++) {
    if (tap == numTaps && !dBias) return;
    const to = tap == numTaps ? dBias : dw + (<usize>(tap * s.channels) << 2);
    for (let c: usize = 0; c < bytes; c += 16) {
      let sum = f32x4.splat(0);
      for (let i = 0; i < s.numChunks; i++) {
        sum = f32x4.add(sum, v128.load(partials + <usize>i * partialBytes() + <usize>tap * bytes + c));
      }
      storeChannels(to + c, sum, s.channels - <i32>(c >> 2));
    }
  }
}

function filterChunk(chunk: i32): void {
  const s = job();
  const partial = s.partials + <usize>chunk * partialBytes();
  memory.fill(partial, 0, partialBytes());
  const pixelBytes = <usize>s.channels << 2;
  const bytes = vectorBytes();
  const bias = partial + partialBytes() - bytes;
  const first = <i32>((<i64>s.batch * chunk) / s.numChunks);
  const last = <i32>((<i64>s.batch * (chunk + 1)) / s.numChunks);
  for (let row = first * s.outHeight; row < last * s.outHeight; row++) {
    const top = (row % s.outHeight) * s.strideHeight - s.padTop;
    const image = s.x + <usize>(row / s.outHeight * s.height) * <usize>s.width * pixelBytes;
    const dyRow = s.dy + <usize>(row * s.outWidth) * pixelBytes;
    for (let c: usize = 0; c < pixelBytes; c += 16) {
      let sum = v128.load(bias + c);
      for (let column = 0; column < s.outWidth; column++) {
        sum = f32x4.add(sum, v128.load(dyRow + <usize>column * pixelBytes + c));
      }
      v128.store(bias + c, sum);
      for (let ky = max(0, -top); ky < min(s.filterHeight, s.height - top); ky++) {
        const line = image + <usize>((top + ky) * s.width) * pixelBytes + c;
        for (let kx = 0; kx < s.filterWidth; kx++) {
          const at = partial + <usize>(ky * s.filterWidth + kx) * bytes + c;
          sum = v128.load(at);
          for (let column = 0; column < s.outWidth; column++) {
            const inX = column * s.strideWidth - s.padLeft + kx;
            if (<u32>inX >= <u32>s.width) continue;
            sum = f32x4.add(sum, f32x4.mul(
              v128.load(line + <usize>inX * pixelBytes),
              v128.load(dyRow + <usize>column * pixelBytes + c),
            ));
          }
          v128.store(at, sum);
        }
      }
    }
  }
}
