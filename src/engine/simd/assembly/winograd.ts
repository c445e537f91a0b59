/**
 * Owns 3×3 convolutions of stride 1 by Winograd's minimal filtering (A. Lavin and S. Gray,
 * arXiv:1509.09308): a tile of 4 × 4 outputs from 6 × 6 inputs with 36 multiplications for each pair
 * of channels, where the direct way needs 144.
 *
 *   forward, input gradient   y  = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A      summed over input channels
 *   filter gradient           dw = Gᵀ [ Σ tiles (Bᵀ x B) ⊙ (A dy Aᵀ) ] G
 *
 * Each of the 36 places of ⊙ is a matrix product over channels or tiles, on the register tiles of
 * gemm.ts. Tiles are transformed a chunk at a time, so that what lies between the transforms stays in
 * the cache.
 *
 * The filter is evaluated at 0, ±√½, ±√2 and ∞. With the usual 0, ±1, ±2, ∞ numbers of very different
 * size meet, and the largest error was three to five times as large; here it stays near 1e-6 of the
 * largest result, for sums over 128 channels.
 */
import {
  ACCUMULATE, ADD_BIAS, HEAD_BYTES, RELU, SEGMENT_BYTES, TILE_COLUMNS, TILE_ROWS, TILE_SCRATCH,
  columnTile, madd, rowTile,
} from './gemm';
import { JOB, parallel, scratch } from './parallel';
import { ConvShape } from './shape';

/** Outputs of a tile along each side, inputs of a tile along each side, and products of a tile. */
const OUT_SIDE: i32 = 4;
const IN_SIDE: i32 = 6;
const PLACES: i32 = 36;

// The points ±P and ±Q, and what follows from them.
const P: f64 = 0.7071067811865476;
const Q: f64 = 1.4142135623730951;
const P2: f64 = 0.5;
const Q2: f64 = 2;
/** Denominators of Lagrange's interpolation: at 0; at ±P; at ±Q. */
const N0: f64 = P2 * Q2;
const NP: f64 = 2 * P2 * (P2 - Q2);
const NQ: f64 = 2 * Q2 * (Q2 - P2);

/** Tiles that are transformed and multiplied together: with 64 channels 590 KB, half of an L2. */
const CHUNK_TILES: i32 = 32;

/** Tiles of the filter gradient that one thread transforms at a time, and that are summed at a time. */
const TRANSFORM_TILES: i32 = 16;
const GROUP_TILES: i32 = 128;

/**
 * Planes of the 36 places lie this much more than their size apart: a power of two between them would
 * put all 36 in the same corner of the cache.
 */
const PLANE_GAP: usize = 64;

/**
 * Measured against the direct way: with 8 channels this one takes 0.5 to 0.75 of its time, with 64 a
 * third to a half. With fewer tiles than these the transform of the filter costs what is gained.
 */
const MIN_CHANNELS: i32 = 8;
const MIN_TILES: i32 = 24;

/** Outputs that a tile must have inside the picture, on average; the others are work for nothing. */
const MIN_OUTPUTS: i32 = 6;

@unmanaged
class WinogradJob extends ConvShape {
  spare: i32;
  // Forward and input gradient: which picture is read, which is written.
  from: usize;
  fromHeight: i32;
  fromWidth: i32;
  fromChannels: i32;
  to: usize;
  toHeight: i32;
  toWidth: i32;
  toChannels: i32;
  top: i32;
  left: i32;
  w: usize;
  isRotated: i32;
  bias: usize;
  flags: i32;
  packed: usize;
  numPanels: i32;
  tilesDown: i32;
  tilesAcross: i32;
  numTiles: i32;
  // Filter gradient.
  dy: usize;
  y: usize;
  maskedDy: usize;
  dw: usize;
  dBias: usize;
  xPlanes: usize;
  dyPlanes: usize;
  sums: usize;
  biasSums: usize;
  firstTile: i32;
  groupTiles: i32;
}

// @ts-ignore: decorator
@inline
function job(): WinogradJob {
  return changetype<WinogradJob>(JOB);
}

/** Whether this way is the faster one, for a picture of this size to be written. */
function pays(height: i32, width: i32): bool {
  const s = job();
  if (s.filterHeight != 3 || s.filterWidth != 3) return false;
  if (s.strideHeight != 1 || s.strideWidth != 1) return false;
  if (s.dilationHeight != 1 || s.dilationWidth != 1) return false;
  if ((s.channels | s.outChannels) & 3) return false;
  if (s.channels < MIN_CHANNELS || s.outChannels < MIN_CHANNELS) return false;
  const tiles = tilesAlong(height) * tilesAlong(width);
  return s.batch * tiles >= MIN_TILES && tiles * MIN_OUTPUTS <= height * width;
}

/** Whether `winogradForward` and `winogradFilterGradient` pay for the shape at hand. */
export function winogradForwardPays(): bool {
  return pays(job().outHeight, job().outWidth);
}

/** Whether `winogradInputGradient` pays for the shape at hand. */
export function winogradInputPays(): bool {
  return pays(job().height, job().width);
}

// @ts-ignore: decorator
@inline
function tilesAlong(length: i32): i32 {
  return (length + OUT_SIDE - 1) / OUT_SIDE;
}

// ---------------------------------------------------------------------------------------------
// The transforms of one line. Each reads vectors of four channels and stores at to + i · step.

/** Bᵀ: six inputs to six places. */
// @ts-ignore: decorator
@inline
function inputLine(
  d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, to: usize, step: usize,
): void {
  const minusP2 = f32x4.splat(<f32>-P2);
  const minusQ2 = f32x4.splat(<f32>-Q2);
  const minusSum = f32x4.splat(<f32>(-P2 - Q2));
  // P²·Q² is 1.
  v128.store(to, madd(d2, minusSum, f32x4.add(d0, d4)));
  const evenP = madd(d2, minusQ2, d4);
  const oddP = f32x4.mul(madd(d1, minusQ2, d3), f32x4.splat(<f32>P));
  v128.store(to + step, f32x4.add(evenP, oddP));
  v128.store(to + 2 * step, f32x4.sub(evenP, oddP));
  const evenQ = madd(d2, minusP2, d4);
  const oddQ = f32x4.mul(madd(d1, minusP2, d3), f32x4.splat(<f32>Q));
  v128.store(to + 3 * step, f32x4.add(evenQ, oddQ));
  v128.store(to + 4 * step, f32x4.sub(evenQ, oddQ));
  v128.store(to + 5 * step, madd(d3, minusSum, f32x4.add(d1, d5)));
}

/** A: four outputs' gradients to six places. */
// @ts-ignore: decorator
@inline
function gradientLine(d0: v128, d1: v128, d2: v128, d3: v128, to: usize, step: usize): void {
  v128.store(to, d0);
  const evenP = madd(d2, f32x4.splat(<f32>P2), d0);
  const oddP = f32x4.mul(madd(d3, f32x4.splat(<f32>P2), d1), f32x4.splat(<f32>P));
  v128.store(to + step, f32x4.add(evenP, oddP));
  v128.store(to + 2 * step, f32x4.sub(evenP, oddP));
  const evenQ = madd(d2, f32x4.splat(<f32>Q2), d0);
  const oddQ = f32x4.mul(madd(d3, f32x4.splat(<f32>Q2), d1), f32x4.splat(<f32>Q));
  v128.store(to + 3 * step, f32x4.add(evenQ, oddQ));
  v128.store(to + 4 * step, f32x4.sub(evenQ, oddQ));
  v128.store(to + 5 * step, d3);
}

/** G: three weights to six places. */
// @ts-ignore: decorator
@inline
function filterLine(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  v128.store(to, f32x4.mul(g0, f32x4.splat(<f32>(1 / N0))));
  const evenP = madd(g2, f32x4.splat(<f32>(P2 / NP)), f32x4.mul(g0, f32x4.splat(<f32>(1 / NP))));
  const oddP = f32x4.mul(g1, f32x4.splat(<f32>(P / NP)));
  v128.store(to + step, f32x4.add(evenP, oddP));
  v128.store(to + 2 * step, f32x4.sub(evenP, oddP));
  const evenQ = madd(g2, f32x4.splat(<f32>(Q2 / NQ)), f32x4.mul(g0, f32x4.splat(<f32>(1 / NQ))));
  const oddQ = f32x4.mul(g1, f32x4.splat(<f32>(Q / NQ)));
  v128.store(to + 3 * step, f32x4.add(evenQ, oddQ));
  v128.store(to + 4 * step, f32x4.sub(evenQ, oddQ));
  v128.store(to + 5 * step, g2);
}

/** Aᵀ: six places, `stride` apart, to four outputs. */
// @ts-ignore: decorator
@inline
function outputLine(from: usize, stride: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + stride), m2 = v128.load(from + 2 * stride);
  const m3 = v128.load(from + 3 * stride), m4 = v128.load(from + 4 * stride);
  const evenP = f32x4.add(m1, m2), evenQ = f32x4.add(m3, m4);
  const oddP = f32x4.mul(f32x4.sub(m1, m2), f32x4.splat(<f32>P));
  const oddQ = f32x4.mul(f32x4.sub(m3, m4), f32x4.splat(<f32>Q));
  v128.store(to, f32x4.add(v128.load(from), f32x4.add(evenP, evenQ)));
  v128.store(to + step, f32x4.add(oddP, oddQ));
  v128.store(
    to + 2 * step,
    madd(evenP, f32x4.splat(<f32>P2), f32x4.mul(evenQ, f32x4.splat(<f32>Q2))),
  );
  v128.store(
    to + 3 * step,
    madd(
      oddP, f32x4.splat(<f32>P2), madd(oddQ, f32x4.splat(<f32>Q2), v128.load(from + 5 * stride)),
    ),
  );
}

/** Gᵀ: six places, `stride` apart, to three weights. */
// @ts-ignore: decorator
@inline
function filterGradientLine(from: usize, stride: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + stride), m2 = v128.load(from + 2 * stride);
  const m3 = v128.load(from + 3 * stride), m4 = v128.load(from + 4 * stride);
  const evenP = f32x4.mul(f32x4.add(m1, m2), f32x4.splat(<f32>(1 / NP)));
  const evenQ = f32x4.mul(f32x4.add(m3, m4), f32x4.splat(<f32>(1 / NQ)));
  const oddP = f32x4.mul(f32x4.sub(m1, m2), f32x4.splat(<f32>(P / NP)));
  const oddQ = f32x4.mul(f32x4.sub(m3, m4), f32x4.splat(<f32>(Q / NQ)));
  v128.store(
    to,
    madd(v128.load(from), f32x4.splat(<f32>(1 / N0)), f32x4.add(evenP, evenQ)),
  );
  v128.store(to + step, f32x4.add(oddP, oddQ));
  v128.store(
    to + 2 * step,
    madd(
      evenP, f32x4.splat(<f32>P2), madd(evenQ, f32x4.splat(<f32>Q2), v128.load(from + 5 * stride)),
    ),
  );
}

/** Bytes of the small square between the two passes of a transform. */
const SQUARE_BYTES: usize = 640;

/**
 * Bᵀ d B of a 6 × 6 window of a picture, four channels at a time: to + place · plane, each four
 * channels `step` bytes on.
 *
 * @param top, left the window's corner; what lies outside the picture is 0
 * @param zeros at least six pixels of zeros
 */
function inputTile(
  picture: usize, height: i32, width: i32, channels: i32, top: i32, left: i32,
  zeros: usize, square: usize, to: usize, plane: usize, step: usize,
): void {
  const pixel = <usize>channels << 2;
  const firstX = max(0, -left), endX = min(IN_SIDE, width - left);
  const line = <usize>width * pixel;
  // May lie before the picture: only columns and rows inside are read.
  const corner = picture + <usize>top * line + <usize>left * pixel;
  const r0 = <u32>top < <u32>height ? corner : zeros;
  const r1 = <u32>(top + 1) < <u32>height ? corner + line : zeros;
  const r2 = <u32>(top + 2) < <u32>height ? corner + line * 2 : zeros;
  const r3 = <u32>(top + 3) < <u32>height ? corner + line * 3 : zeros;
  const r4 = <u32>(top + 4) < <u32>height ? corner + line * 4 : zeros;
  const r5 = <u32>(top + 5) < <u32>height ? corner + line * 5 : zeros;
  const zero = f32x4.splat(0);
  for (let c: usize = 0; c < pixel; c += 16) {
    for (let column = 0; column < IN_SIDE; column++) {
      const at = square + (<usize>column << 4);
      if (column < firstX || column >= endX) {
        v128.store(at, zero);
        v128.store(at, zero, 96);
        v128.store(at, zero, 192);
        v128.store(at, zero, 288);
        v128.store(at, zero, 384);
        v128.store(at, zero, 480);
        continue;
      }
      const x = <usize>column * pixel + c;
      inputLine(
        v128.load(r0 + x), v128.load(r1 + x), v128.load(r2 + x), v128.load(r3 + x),
        v128.load(r4 + x), v128.load(r5 + x), at, 96,
      );
    }
    let out = to;
    for (let row: usize = 0; row < 6 * 96; row += 96) {
      const at = square + row;
      inputLine(
        v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48),
        v128.load(at, 64), v128.load(at, 80), out, plane,
      );
      out += plane * 6;
    }
    to += step;
  }
}

// ---------------------------------------------------------------------------------------------
// Forward and input gradient

// @ts-ignore: decorator
@inline
function fromPlane(channels: i32): usize {
  return <usize>(CHUNK_TILES * channels) * 4 + PLANE_GAP;
}

/** Bytes of scratch that a thread needs here for the shape at hand. */
export function winogradScratch(): usize {
  const s = job();
  const zeros = <usize>(IN_SIDE * max(s.channels, s.outChannels)) * 4;
  const table = HEAD_BYTES + SEGMENT_BYTES + 8;
  const planes = <usize>PLACES * (fromPlane(s.channels) + fromPlane(s.outChannels));
  return TILE_SCRATCH + SQUARE_BYTES * 2 + zeros
    + <usize>(CHUNK_TILES / TILE_ROWS) * table + planes + 64;
}

function filterBytes(fromChannels: i32, toChannels: i32): usize {
  return <usize>(PLACES * ((toChannels + 7) >> 3)) * <usize>fromChannels * 32;
}

/** Bytes of shared workspace for `winogradForward`. */
export function winogradForwardWorkspace(): usize {
  return filterBytes(job().channels, job().outChannels);
}

/** Bytes of shared workspace for `winogradInputGradient`. */
export function winogradInputGradientWorkspace(): usize {
  return filterBytes(job().outChannels, job().channels);
}

/** y = relu?(conv(x, w) + bias?). `bias` 0: none. */
export function winogradForward(
  x: usize, w: usize, bias: usize, y: usize, packed: usize, relu: i32,
): void {
  const s = job();
  s.from = x;
  s.fromHeight = s.height;
  s.fromWidth = s.width;
  s.fromChannels = s.channels;
  s.to = y;
  s.toHeight = s.outHeight;
  s.toWidth = s.outWidth;
  s.toChannels = s.outChannels;
  s.top = s.padTop;
  s.left = s.padLeft;
  s.isRotated = 0;
  s.bias = bias;
  s.flags = (bias ? ADD_BIAS : 0) | (relu ? RELU : 0);
  convolve(w, packed);
}

/**
 * dx: the convolution of dy with the filter turned by 180°, its two channel axes exchanged.
 * `accumulate` not 0: added to what dx holds.
 */
export function winogradInputGradient(
  dy: usize, w: usize, dx: usize, packed: usize, accumulate: i32,
): void {
  const s = job();
  s.from = dy;
  s.fromHeight = s.outHeight;
  s.fromWidth = s.outWidth;
  s.fromChannels = s.outChannels;
  s.to = dx;
  s.toHeight = s.height;
  s.toWidth = s.width;
  s.toChannels = s.channels;
  s.top = 2 - s.padTop;
  s.left = 2 - s.padLeft;
  s.isRotated = 1;
  s.bias = 0;
  s.flags = accumulate ? ACCUMULATE : 0;
  convolve(w, packed);
}

function convolve(w: usize, packed: usize): void {
  const s = job();
  s.w = w;
  s.packed = packed;
  s.numPanels = (s.toChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  s.tilesDown = tilesAlong(s.toHeight);
  s.tilesAcross = tilesAlong(s.toWidth);
  s.numTiles = s.batch * s.tilesDown * s.tilesAcross;
  parallel(transformFilter, s.numPanels);
  parallel(convolveChunk, (s.numTiles + CHUNK_TILES - 1) / CHUNK_TILES);
}

/** Weights of one tap, from one channel to four, as the convolution at hand sees them. */
// @ts-ignore: decorator
@inline
function loadWeights(tap: i32, from: i32, to: i32): v128 {
  const s = job();
  if (!s.isRotated) {
    return v128.load(s.w + (<usize>((tap * s.fromChannels + from) * s.toChannels + to) << 2));
  }
  let at = s.w + (<usize>(((8 - tap) * s.toChannels + to) * s.fromChannels + from) << 2);
  const step = <usize>s.fromChannels << 2;
  let weights = v128.load32_zero(at);
  weights = v128.load32_lane(at + step, weights, 1);
  weights = v128.load32_lane(at + step * 2, weights, 2);
  return v128.load32_lane(at + step * 3, weights, 3);
}

/** G w Gᵀ of eight output channels: packed[place][panel][input channel][8]. */
function transformFilter(panel: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const panelBytes = <usize>s.fromChannels * 32;
  const plane = <usize>s.numPanels * panelBytes;
  for (let half = 0; half < 2; half++) {
    const to = panel * TILE_COLUMNS + half * 4;
    for (let from = 0; from < s.fromChannels; from++) {
      const out = s.packed + <usize>panel * panelBytes + <usize>from * 32 + <usize>half * 16;
      if (to >= s.toChannels) {
        for (let place = 0; place < PLACES; place++) {
          v128.store(out + <usize>place * plane, f32x4.splat(0));
        }
        continue;
      }
      for (let kx = 0; kx < 3; kx++) {
        filterLine(
          loadWeights(kx, from, to), loadWeights(3 + kx, from, to), loadWeights(6 + kx, from, to),
          square + (<usize>kx << 4), 48,
        );
      }
      for (let row: usize = 0; row < 6; row++) {
        const at = square + row * 48;
        filterLine(
          v128.load(at), v128.load(at, 16), v128.load(at, 32), out + row * 6 * plane, plane,
        );
      }
    }
  }
}

function convolveChunk(chunk: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const zeros = square + SQUARE_BYTES;
  const zeroBytes = <usize>(IN_SIDE * s.fromChannels) * 4;
  memory.fill(zeros, 0, zeroBytes);
  const table = zeros + zeroBytes;
  const tileBytes = HEAD_BYTES + SEGMENT_BYTES;
  const a = (table + <usize>(CHUNK_TILES / TILE_ROWS) * tileBytes + 63) & ~63;
  const aStep = <usize>s.fromChannels << 2;
  const aPlane = fromPlane(s.fromChannels);
  const products = a + <usize>PLACES * aPlane;
  const outStep = <usize>s.toChannels << 2;
  const outPlane = fromPlane(s.toChannels);

  const first = chunk * CHUNK_TILES;
  const count = min(CHUNK_TILES, s.numTiles - first);
  const perPicture = s.tilesDown * s.tilesAcross;
  const pictureBytes = <usize>(s.fromHeight * s.fromWidth) * aStep;
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perPicture;
    inputTile(
      s.from + <usize>((first + t) / perPicture) * pictureBytes,
      s.fromHeight, s.fromWidth, s.fromChannels,
      (tile / s.tilesAcross) * OUT_SIDE - s.top, (tile % s.tilesAcross) * OUT_SIDE - s.left,
      zeros, square, a + <usize>t * aStep, aPlane, 16,
    );
  }

  // Rows past the last tile multiply what an earlier chunk left there; nobody reads their products.
  const numRowTiles = (count + TILE_ROWS - 1) / TILE_ROWS;
  const panelBytes = <usize>s.fromChannels * 32;
  for (let place = 0; place < PLACES; place++) {
    const rows = a + <usize>place * aPlane;
    const outs = products + <usize>place * outPlane;
    for (let t = 0; t < numRowTiles; t++) {
      const entry = table + <usize>t * tileBytes;
      store<i32>(entry, 1, 16);
      store<usize>(entry, 0, HEAD_BYTES);
      for (let r = 0; r < TILE_ROWS; r++) {
        const row = <usize>(t * TILE_ROWS + r);
        store<usize>(entry + (<usize>r << 2), outs + row * outStep);
        store<usize>(entry + (<usize>r << 2), rows + row * aStep, HEAD_BYTES + 4);
      }
    }
    for (let panel = 0; panel < s.numPanels; panel++) {
      const column = panel * TILE_COLUMNS;
      const b = s.packed + <usize>(place * s.numPanels + panel) * panelBytes;
      for (let t = 0; t < numRowTiles; t++) {
        rowTile(
          table + <usize>t * tileBytes, s.fromChannels, b, <usize>column << 2,
          min(TILE_COLUMNS, s.toChannels - column), 0, 0,
        );
      }
    }
  }

  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perPicture;
    const top = (tile / s.tilesAcross) * OUT_SIDE;
    const left = (tile % s.tilesAcross) * OUT_SIDE;
    const image = (first + t) / perPicture;
    outputTile(
      products + <usize>t * outStep, outPlane, square,
      s.to + <usize>((image * s.toHeight + top) * s.toWidth + left) * outStep,
      min(OUT_SIDE, s.toHeight - top), min(OUT_SIDE, s.toWidth - left),
    );
  }
}

/** Aᵀ m A of one tile, with bias and ReLU; of it, the rows and columns that are in the picture. */
function outputTile(
  from: usize, plane: usize, square: usize, to: usize, numRows: i32, numColumns: i32,
): void {
  const s = job();
  const pixel = <usize>s.toChannels << 2;
  const line = <usize>s.toWidth * pixel;
  const outputs = square + 6 * 64;
  const zero = f32x4.splat(0);
  for (let c: usize = 0; c < pixel; c += 16) {
    for (let column: usize = 0; column < 6; column++) {
      outputLine(from + c + column * plane, plane * 6, square + (column << 4), 96);
    }
    const bias = s.flags & ADD_BIAS ? v128.load(s.bias + c) : zero;
    let out = to + c;
    for (let row = 0; row < numRows; row++) {
      outputLine(square + <usize>row * 96, 16, outputs, 16);
      for (let column = 0; column < numColumns; column++) {
        let value = f32x4.add(v128.load(outputs + (<usize>column << 4)), bias);
        const at = out + <usize>column * pixel;
        if (s.flags & ACCUMULATE) value = f32x4.add(value, v128.load(at));
        if (s.flags & RELU) value = f32x4.max(value, zero);
        v128.store(at, value);
      }
      out += line;
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Gradient of the filter

// A group of tiles is transformed into shared planes, x as [place][channel / 4][tile][4] and dy as
// [place][channel / 8][tile][8]; then every place is one product, the work of one thread. So there
// are no partial sums to keep for each thread, and the result does not depend on their number.

// @ts-ignore: decorator
@inline
function xPlane(): usize {
  return <usize>(job().channels * GROUP_TILES) * 4 + PLANE_GAP;
}

// @ts-ignore: decorator
@inline
function dyPlane(): usize {
  return <usize>(((job().outChannels + 7) & ~7) * GROUP_TILES) * 4 + PLANE_GAP;
}

// @ts-ignore: decorator
@inline
function sumPlane(): usize {
  return <usize>(((job().outChannels + 7) & ~7) * job().channels) * 4 + PLANE_GAP;
}

function outputTiles(): i32 {
  const s = job();
  return s.batch * tilesAlong(s.outHeight) * tilesAlong(s.outWidth);
}

function numTransforms(): i32 {
  return (outputTiles() + TRANSFORM_TILES - 1) / TRANSFORM_TILES;
}

/** Bytes of shared workspace for `winogradFilterGradient`. */
export function winogradFilterGradientWorkspace(): usize {
  return <usize>PLACES * (xPlane() + dyPlane() + sumPlane())
    + <usize>numTransforms() * <usize>job().outChannels * 4;
}

/** dw, with the same riders as `convFilterGradient`. */
export function winogradFilterGradient(
  x: usize, dy: usize, dw: usize, workspace: usize, y: usize, maskedDy: usize, dBias: usize,
): void {
  const s = job();
  s.from = x;
  s.dy = dy;
  s.dw = dw;
  s.y = y;
  s.maskedDy = maskedDy;
  s.dBias = dBias;
  s.xPlanes = workspace;
  s.dyPlanes = s.xPlanes + <usize>PLACES * xPlane();
  s.sums = s.dyPlanes + <usize>PLACES * dyPlane();
  s.biasSums = s.sums + <usize>PLACES * sumPlane();
  s.numPanels = (s.outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  s.tilesDown = tilesAlong(s.outHeight);
  s.tilesAcross = tilesAlong(s.outWidth);
  s.numTiles = outputTiles();
  for (let first = 0; first < s.numTiles; first += GROUP_TILES) {
    s.firstTile = first;
    s.groupTiles = min(GROUP_TILES, s.numTiles - first);
    parallel(transformTiles, (s.groupTiles + TRANSFORM_TILES - 1) / TRANSFORM_TILES);
    parallel(multiplyPlace, PLACES);
  }
  parallel(finishFilter, s.channels + 1);
}

function transformTiles(chunk: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const zeros = square + SQUARE_BYTES * 2;
  memory.fill(zeros, 0, <usize>(IN_SIDE * s.channels) * 4);
  const bias = s.biasSums
    + <usize>(s.firstTile / TRANSFORM_TILES + chunk) * <usize>s.outChannels * 4;
  memory.fill(bias, 0, <usize>s.outChannels * 4);
  const perPicture = s.tilesDown * s.tilesAcross;
  const pictureBytes = <usize>(s.height * s.width * s.channels) * 4;
  const last = min((chunk + 1) * TRANSFORM_TILES, s.groupTiles);
  for (let t = chunk * TRANSFORM_TILES; t < last; t++) {
    const tile = (s.firstTile + t) % perPicture;
    const image = (s.firstTile + t) / perPicture;
    const top = (tile / s.tilesAcross) * OUT_SIDE;
    const left = (tile % s.tilesAcross) * OUT_SIDE;
    inputTile(
      s.from + <usize>image * pictureBytes, s.height, s.width, s.channels,
      top - s.padTop, left - s.padLeft, zeros, square,
      s.xPlanes + <usize>t * 16, xPlane(), GROUP_TILES * 16,
    );
    gradientTile(image, top, left, bias, square, s.dyPlanes + <usize>t * 32);
  }
}

/** A dy Aᵀ of one tile; on the way, ReLU's mask and the sum for the bias. */
function gradientTile(
  image: i32, top: i32, left: i32, bias: usize, square: usize, to: usize,
): void {
  const s = job();
  const pixel = <usize>s.outChannels << 2;
  const line = <usize>s.outWidth * pixel;
  const corner = <usize>((image * s.outHeight + top) * s.outWidth + left) * pixel;
  const numRows = min(OUT_SIDE, s.outHeight - top);
  const numColumns = min(OUT_SIDE, s.outWidth - left);
  const plane = dyPlane();
  const inputs = square + SQUARE_BYTES;
  const zero = f32x4.splat(0);
  for (let place: usize = 0; place < 256; place += 16) v128.store(inputs + place, zero);
  for (let c: usize = 0; c < pixel; c += 16) {
    let sum = v128.load(bias + c);
    for (let row = 0; row < numRows; row++) {
      let at = corner + <usize>row * line + c;
      let input = inputs + (<usize>row << 6);
      for (let column = 0; column < numColumns; column++) {
        let value = v128.load(s.dy + at);
        if (s.y) {
          value = v128.and(value, f32x4.gt(v128.load(s.y + at), zero));
          if (s.maskedDy) v128.store(s.maskedDy + at, value);
        }
        v128.store(input, value);
        sum = f32x4.add(sum, value);
        at += pixel;
        input += 16;
      }
    }
    v128.store(bias + c, sum);
    for (let column: usize = 0; column < 64; column += 16) {
      const at = inputs + column;
      gradientLine(
        v128.load(at), v128.load(at, 64), v128.load(at, 128), v128.load(at, 192),
        square + column, 64,
      );
    }
    let out = to + (c >> 5) * <usize>GROUP_TILES * 32 + (c & 16);
    for (let row: usize = 0; row < 6 * 64; row += 64) {
      const at = square + row;
      gradientLine(
        v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48), out, plane,
      );
      out += plane * 6;
    }
  }
}

/** One place of the group: sums[channel][output channel] += Σ tiles. */
function multiplyPlace(place: i32): void {
  const s = job();
  const a = s.xPlanes + <usize>place * xPlane();
  const b = s.dyPlanes + <usize>place * dyPlane();
  const out = s.sums + <usize>place * sumPlane();
  const outStep = <usize>s.numPanels * 32;
  const flags = s.firstTile ? ACCUMULATE : 0;
  for (let panel = 0; panel < s.numPanels; panel++) {
    for (let channel = 0; channel < s.channels; channel += TILE_ROWS) {
      columnTile(
        a + <usize>(channel * GROUP_TILES) * 4, 16, s.groupTiles, 0, 1, 0, 1,
        b + <usize>(panel * GROUP_TILES) * 32, 32,
        out + <usize>channel * outStep + <usize>panel * 32, outStep,
        TILE_ROWS, TILE_COLUMNS, flags,
      );
    }
  }
}

/** Gᵀ sums G of one input channel, or (index = number of channels) the gradient of the bias. */
function finishFilter(channel: i32): void {
  const s = job();
  const pixel = <usize>s.outChannels << 2;
  if (channel == s.channels) {
    if (!s.dBias) return;
    const count = numTransforms();
    for (let c: usize = 0; c < pixel; c += 16) {
      let sum = f32x4.splat(0);
      for (let i = 0; i < count; i++) {
        sum = f32x4.add(sum, v128.load(s.biasSums + <usize>i * pixel + c));
      }
      v128.store(s.dBias + c, sum);
    }
    return;
  }
  const square = scratch() + TILE_SCRATCH;
  const plane = sumPlane();
  const from = s.sums + <usize>channel * <usize>s.numPanels * 32;
  const tap = <usize>s.channels * pixel;
  for (let c: usize = 0; c < pixel; c += 16) {
    for (let column: usize = 0; column < 6; column++) {
      filterGradientLine(from + c + column * plane, plane * 6, square + (column << 4), 96);
    }
    for (let row: usize = 0; row < 3; row++) {
      filterGradientLine(
        square + row * 96, 16, s.dw + row * 3 * tap + <usize>channel * pixel + c, tap,
      );
    }
  }
}
