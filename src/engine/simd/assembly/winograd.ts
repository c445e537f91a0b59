/**
 * 3×3 convolutions of stride 1 by Winograd's minimal filtering (A. Lavin and S. Gray,
 * arXiv:1509.09308), from tiles of two sizes: 4 × 4 outputs by 36 multiplications for each pair of
 * channels, or 7 × 7 outputs by 100, where the direct way needs 144 and 441. The size with less work
 * for the picture is taken: 14×14 and 7×7 are whole tiles of 7.
 *
 *   forward, input gradient   y  = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A      summed over input channels
 *   filter gradient           dw = Gᵀ [ Σ tiles (Bᵀ x B) ⊙ (A dy Aᵀ) ] G
 *
 * Each place of ⊙ is a matrix product over channels or tiles, on the register tiles of gemm.ts.
 *
 * Tiles of 4 evaluate the filter at 0, ±√½, ±√2 and ∞. With the usual 0, ±1, ±2, ∞ numbers of very
 * different size meet, and the largest error was three to five times as large.
 * Tiles of 7 evaluate it at 0, three pairs ±p, and modulo t² + 1, that is at ±i: a complex product
 * by three real ones, of the filter's remainder u + v·t: places u, v and u + v. That is one product more than
 * nine real points need, but those lose a digit and a half (errors of 5e-5 of the largest
 * result, over 64 channels). As it is both sizes stay near 2e-6, for sums over 128 channels.
 */
import {
  ACCUMULATE, ADD_BIAS, BLOCK_DEPTH, BLOCK_ROWS, RELU, TILE_COLUMNS, TILE_ROWS,
  TILE_SCRATCH, blockTile, madd, packedTile,
} from './gemm';
import { JOB, parallel, scratch } from './parallel';
import { ConvShape } from './shape';

// The points ±P and ±Q of tiles of 4, and what follows from them.
const P: f64 = 0.7071067811865476;
const Q: f64 = 1.4142135623730951;
const P2: f64 = 0.5;
const Q2: f64 = 2;
/** Denominators of Lagrange's interpolation: at 0; at ±P; at ±Q. */
const N0: f64 = P2 * Q2;
const NP: f64 = 2 * P2 * (P2 - Q2);
const NQ: f64 = 2 * Q2 * (Q2 - P2);

// The points ±A, ±B and ±C of tiles of 7: the least error of a search over all three. With
// a = A², …, the tile's polynomial is t (t² + 1) (t² - a) (t² - b) (t² - c).
const A: f64 = 0.6;
const B: f64 = 1.136;
const C: f64 = 2.66;
const A2: f64 = A * A;
const B2: f64 = B * B;
const C2: f64 = C * C;
/** Its derivative at 0, ±A, ±B, ±C; and its cofactor of t² + 1 at i, over -i. */
const M0: f64 = -A2 * B2 * C2;
const MA: f64 = 2 * A2 * (A2 + 1) * (A2 - B2) * (A2 - C2);
const MB: f64 = 2 * B2 * (B2 + 1) * (B2 - A2) * (B2 - C2);
const MC: f64 = 2 * C2 * (C2 + 1) * (C2 - A2) * (C2 - B2);
const MI: f64 = (1 + A2) * (1 + B2) * (1 + C2);
/** (x + 1)(x - b)(x - c) = A_0 + A_1 x + A_2 x² + x³, and so on; I: (x - a)(x - b)(x - c). */
const A_0: f64 = B2 * C2;
const A_1: f64 = B2 * C2 - B2 - C2;
const A_2: f64 = 1 - B2 - C2;
const B_0: f64 = A2 * C2;
const B_1: f64 = A2 * C2 - A2 - C2;
const B_2: f64 = 1 - A2 - C2;
const C_0: f64 = A2 * B2;
const C_1: f64 = A2 * B2 - A2 - B2;
const C_2: f64 = 1 - A2 - B2;
const I_0: f64 = -A2 * B2 * C2;
const I_1: f64 = A2 * B2 + A2 * C2 + B2 * C2;
const I_2: f64 = -A2 - B2 - C2;
/** (x + 1) (I_0 + I_1 x + I_2 x² + x³), for the point 0. */
const Z_0: f64 = I_0;
const Z_1: f64 = I_0 + I_1;
const Z_2: f64 = I_1 + I_2;
const Z_3: f64 = I_2 + 1;

/** Bytes of a chunk's tiles and products that should find room in an L2 cache beside the filter. */
const CHUNK_BYTES: i32 = 655360;

/** Panels of the filter that a chunk multiplies with before it transforms the products back. */
const PASS_PANELS: i32 = 8;

/** Blocks of rows that are chunks of their own, at the end. */
const LAST_BLOCKS: i32 = 4;

/** Tiles of x that the filter gradient transforms and multiplies together. */
const GROUP_TILES: i32 = 64;

/** Bytes of transformed dy that it goes through before it transforms more. */
const PART_BYTES: i32 = 3500000;

/** Bytes of packed filter that one pass over a group's tiles multiplies: half of an L1 cache. */
const PASS_BYTES: i32 = 16384;

/** Tiles of the filter gradient that one thread transforms at a time. */
const TRANSFORM_TILES: i32 = 8;
/** Of these, tiles and bytes of a pixel that take turns: they fill the same lines of the cache. */
const TURN_TILES: i32 = 4;
const TURN_BYTES: usize = 32;

/**
 * Planes of the places lie this much more than their size apart: a power of two between them would
 * put all of them in the same corner of the cache.
 */
const PLANE_GAP: usize = 64;

/**
 * Measured against the direct way: with 8 channels this one takes 0.5 to 0.75 of its time, with 64 a
 * quarter to a half. With fewer tiles than these the transform of the filter costs what is gained.
 */
const MIN_CHANNELS: i32 = 8;
const MIN_TILES_OF_4: i32 = 24;
const MIN_TILES_OF_7: i32 = 12;

/** Multiplications for an output pixel, of 9 in the direct way, that still leave a gain. */
const MAX_PLACES_PER_OUTPUT: i32 = 6;

@unmanaged
class WinogradJob extends ConvShape {
  /** Outputs of a tile along a side, 4 or 7; places along a side, 6 or 10; places in all. */
  side: i32;
  points: i32;
  places: i32;
  tilesDown: i32;
  tilesAcross: i32;
  numTiles: i32;
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
  numPanels: i32;
  numBlocks: i32;
  blocksPerChunk: i32;
  wholeChunks: i32;
  /** The filter, [place][panel][from channel][8]. */
  packed: usize;
  // Filter gradient.
  dy: usize;
  y: usize;
  maskedDy: usize;
  dw: usize;
  dBias: usize;
  dyPlanes: usize;
  biasSums: usize;
  sums: usize;
  channelsPerChunk: i32;
  groupsPerPart: i32;
  firstTile: i32;
  partTiles: i32;
}

// @ts-ignore: decorator
@inline
function job(): WinogradJob {
  return changetype<WinogradJob>(JOB);
}

// @ts-ignore: decorator
@inline
function tilesAlong(length: i32, side: i32): i32 {
  return (length + side - 1) / side;
}

/** Outputs along a side of the tiles to write such a picture with; 0: the direct way is faster. */
function tileSide(height: i32, width: i32): i32 {
  const s = job();
  if (s.filterHeight != 3 || s.filterWidth != 3) return 0;
  if (s.strideHeight != 1 || s.strideWidth != 1) return 0;
  if (s.dilationHeight != 1 || s.dilationWidth != 1) return 0;
  if ((s.channels | s.outChannels) & 3) return 0;
  if (s.channels < MIN_CHANNELS || s.outChannels < MIN_CHANNELS) return 0;
  const tiles4 = tilesAlong(height, 4) * tilesAlong(width, 4);
  const tiles7 = tilesAlong(height, 7) * tilesAlong(width, 7);
  const most = height * width * MAX_PLACES_PER_OUTPUT;
  if (s.batch * tiles7 >= MIN_TILES_OF_7 && tiles7 * 100 <= min(most, tiles4 * 36)) return 7;
  if (s.batch * tiles4 >= MIN_TILES_OF_4 && tiles4 * 36 <= most) return 4;
  return 0;
}

/** Whether `winogradForward` and `winogradFilterGradient` pay for the shape at hand. */
export function winogradForwardPays(): bool {
  return tileSide(job().outHeight, job().outWidth) != 0;
}

/** Whether `winogradInputGradient` pays for the shape at hand. */
export function winogradInputPays(): bool {
  return tileSide(job().height, job().width) != 0;
}

/** Cuts a picture to be written into tiles. */
function cutIntoTiles(height: i32, width: i32): void {
  const s = job();
  s.side = tileSide(height, width);
  s.points = s.side == 7 ? 10 : 6;
  s.places = s.points * s.points;
  s.tilesDown = tilesAlong(height, s.side);
  s.tilesAcross = tilesAlong(width, s.side);
  s.numTiles = s.batch * s.tilesDown * s.tilesAcross;
}

// ---------------------------------------------------------------------------------------------
// The transforms of one line, on vectors of four channels; results go to to + i · step. Names end in
// the side of the tile. V8 keeps few vectors in registers: what is loaded late lives short.

// The factors lie in memory, each at the address of its name: V8 spends three instructions on a
// vector constant, in every use of it, and one on loading and spreading a number.
const MINUS_SUM: usize = memory.data<f32>([<f32>(-P2 - Q2)]);
const MINUS_Q2: usize = memory.data<f32>([<f32>(-Q2)]);
const FP: usize = memory.data<f32>([<f32>(P)]);
const MINUS_P2: usize = memory.data<f32>([<f32>(-P2)]);
const FQ: usize = memory.data<f32>([<f32>(Q)]);
const ODD_A0: usize = memory.data<f32>([<f32>(A * A_0)]);
const ODD_A1: usize = memory.data<f32>([<f32>(A * A_1)]);
const ODD_A2: usize = memory.data<f32>([<f32>(A * A_2)]);
const ONE_A: usize = memory.data<f32>([<f32>(A)]);
const ODD_B0: usize = memory.data<f32>([<f32>(B * B_0)]);
const ODD_B1: usize = memory.data<f32>([<f32>(B * B_1)]);
const ODD_B2: usize = memory.data<f32>([<f32>(B * B_2)]);
const ONE_B: usize = memory.data<f32>([<f32>(B)]);
const ODD_C0: usize = memory.data<f32>([<f32>(C * C_0)]);
const ODD_C1: usize = memory.data<f32>([<f32>(C * C_1)]);
const ODD_C2: usize = memory.data<f32>([<f32>(C * C_2)]);
const ONE_C: usize = memory.data<f32>([<f32>(C)]);
const I0: usize = memory.data<f32>([<f32>(I_0)]);
const I1: usize = memory.data<f32>([<f32>(I_1)]);
const I2: usize = memory.data<f32>([<f32>(I_2)]);
const EVEN_A0: usize = memory.data<f32>([<f32>(A_0)]);
const EVEN_A1: usize = memory.data<f32>([<f32>(A_1)]);
const EVEN_A2: usize = memory.data<f32>([<f32>(A_2)]);
const EVEN_B0: usize = memory.data<f32>([<f32>(B_0)]);
const EVEN_B1: usize = memory.data<f32>([<f32>(B_1)]);
const EVEN_B2: usize = memory.data<f32>([<f32>(B_2)]);
const EVEN_C0: usize = memory.data<f32>([<f32>(C_0)]);
const EVEN_C1: usize = memory.data<f32>([<f32>(C_1)]);
const EVEN_C2: usize = memory.data<f32>([<f32>(C_2)]);
const Z0: usize = memory.data<f32>([<f32>(Z_0)]);
const Z1: usize = memory.data<f32>([<f32>(Z_1)]);
const Z2: usize = memory.data<f32>([<f32>(Z_2)]);
const Z3: usize = memory.data<f32>([<f32>(Z_3)]);
const P_SQUARED: usize = memory.data<f32>([<f32>(P2)]);
const Q_SQUARED: usize = memory.data<f32>([<f32>(Q2)]);
const A_SQUARED: usize = memory.data<f32>([<f32>(A2)]);
const B_SQUARED: usize = memory.data<f32>([<f32>(B2)]);
const C_SQUARED: usize = memory.data<f32>([<f32>(C2)]);
const ONE_BY_N0: usize = memory.data<f32>([<f32>(1 / N0)]);
const P2_BY_NP: usize = memory.data<f32>([<f32>(P2 / NP)]);
const ONE_BY_NP: usize = memory.data<f32>([<f32>(1 / NP)]);
const P_BY_NP: usize = memory.data<f32>([<f32>(P / NP)]);
const Q2_BY_NQ: usize = memory.data<f32>([<f32>(Q2 / NQ)]);
const ONE_BY_NQ: usize = memory.data<f32>([<f32>(1 / NQ)]);
const Q_BY_NQ: usize = memory.data<f32>([<f32>(Q / NQ)]);
const ONE_BY_M0: usize = memory.data<f32>([<f32>(1 / M0)]);
const A2_BY_MA: usize = memory.data<f32>([<f32>(A2 / MA)]);
const ONE_BY_MA: usize = memory.data<f32>([<f32>(1 / MA)]);
const A_BY_MA: usize = memory.data<f32>([<f32>(A / MA)]);
const B2_BY_MB: usize = memory.data<f32>([<f32>(B2 / MB)]);
const ONE_BY_MB: usize = memory.data<f32>([<f32>(1 / MB)]);
const B_BY_MB: usize = memory.data<f32>([<f32>(B / MB)]);
const C2_BY_MC: usize = memory.data<f32>([<f32>(C2 / MC)]);
const ONE_BY_MC: usize = memory.data<f32>([<f32>(1 / MC)]);
const C_BY_MC: usize = memory.data<f32>([<f32>(C / MC)]);
const ONE_BY_MI: usize = memory.data<f32>([<f32>(1 / MI)]);
const A_FOURTH: usize = memory.data<f32>([<f32>(A2 * A2)]);
const B_FOURTH: usize = memory.data<f32>([<f32>(B2 * B2)]);
const C_FOURTH: usize = memory.data<f32>([<f32>(C2 * C2)]);
const A_SIXTH: usize = memory.data<f32>([<f32>(A2 * A2 * A2)]);
const B_SIXTH: usize = memory.data<f32>([<f32>(B2 * B2 * B2)]);
const C_SIXTH: usize = memory.data<f32>([<f32>(C2 * C2 * C2)]);

// @ts-ignore: decorator
@inline
function times(value: v128, factor: usize): v128 {
  return f32x4.mul(value, v128.load32_splat(factor));
}

// @ts-ignore: decorator
@inline
function plus(value: v128, factor: usize, sum: v128): v128 {
  return madd(value, v128.load32_splat(factor), sum);
}

// @ts-ignore: decorator
@inline
function storePair(even: v128, odd: v128, to: usize, step: usize): void {
  v128.store(to, f32x4.add(even, odd));
  v128.store(to + step, f32x4.sub(even, odd));
}

/** Bᵀ: six inputs, at the addresses given, to six places. */
// @ts-ignore: decorator
@inline
function inputLine4(
  p0: usize, p1: usize, p2: usize, p3: usize, p4: usize, p5: usize, to: usize, step: usize,
): void {
  const d1 = v128.load(p1), d2 = v128.load(p2), d3 = v128.load(p3), d4 = v128.load(p4);
  // P²·Q² is 1.
  v128.store(to, plus(d2, MINUS_SUM, f32x4.add(v128.load(p0), d4)));
  storePair(plus(d2, MINUS_Q2, d4), times(plus(d1, MINUS_Q2, d3), FP), to + step, step);
  storePair(plus(d2, MINUS_P2, d4), times(plus(d1, MINUS_P2, d3), FQ), to + 3 * step, step);
  v128.store(to + 5 * step, plus(d3, MINUS_SUM, f32x4.add(d1, v128.load(p5))));
}

/** Bᵀ: nine inputs to ten places. */
// @ts-ignore: decorator
@inline
function inputLine7(
  p0: usize, p1: usize, p2: usize, p3: usize, p4: usize, p5: usize, p6: usize, p7: usize,
  p8: usize, to: usize, step: usize,
): void {
  const d1 = v128.load(p1), d3 = v128.load(p3), d5 = v128.load(p5), d7 = v128.load(p7);
  const oddA = plus(d1, ODD_A0, plus(d3, ODD_A1, plus(d5, ODD_A2, times(d7, ONE_A))));
  const oddB = plus(d1, ODD_B0, plus(d3, ODD_B1, plus(d5, ODD_B2, times(d7, ONE_B))));
  const oddC = plus(d1, ODD_C0, plus(d3, ODD_C1, plus(d5, ODD_C2, times(d7, ONE_C))));
  const oddI = plus(d1, I0, plus(d3, I1, plus(d5, I2, d7)));
  const d2 = v128.load(p2), d4 = v128.load(p4), d6 = v128.load(p6), d8 = v128.load(p8);
  storePair(plus(d2, EVEN_A0, plus(d4, EVEN_A1, plus(d6, EVEN_A2, d8))), oddA, to + step, step);
  storePair(plus(d2, EVEN_B0, plus(d4, EVEN_B1, plus(d6, EVEN_B2, d8))), oddB, to + 3 * step, step);
  storePair(plus(d2, EVEN_C0, plus(d4, EVEN_C1, plus(d6, EVEN_C2, d8))), oddC, to + 5 * step, step);
  storePair(oddI, plus(d2, I0, plus(d4, I1, plus(d6, I2, d8))), to + 7 * step, step);
  v128.store(to + 9 * step, oddI);
  v128.store(
    to, plus(v128.load(p0), Z0, plus(d2, Z1, plus(d4, Z2, plus(d6, Z3, d8)))),
  );
}

/** A: four gradients of outputs, `stride` apart, to six places. */
// @ts-ignore: decorator
@inline
function gradientLine4(from: usize, stride: usize, to: usize, step: usize): void {
  const d0 = v128.load(from), d1 = v128.load(from + stride);
  const d2 = v128.load(from + 2 * stride), d3 = v128.load(from + 3 * stride);
  v128.store(to, d0);
  storePair(plus(d2, P_SQUARED, d0), times(plus(d3, P_SQUARED, d1), FP), to + step, step);
  storePair(plus(d2, Q_SQUARED, d0), times(plus(d3, Q_SQUARED, d1), FQ), to + 3 * step, step);
  v128.store(to + 5 * step, d3);
}

/** A: seven gradients of outputs, `stride` apart, to ten places. */
// @ts-ignore: decorator
@inline
function gradientLine7(from: usize, stride: usize, to: usize, step: usize): void {
  const d1 = v128.load(from + stride), d3 = v128.load(from + 3 * stride);
  const d5 = v128.load(from + 5 * stride);
  const oddA = times(plus(plus(d5, A_SQUARED, d3), A_SQUARED, d1), ONE_A);
  const oddB = times(plus(plus(d5, B_SQUARED, d3), B_SQUARED, d1), ONE_B);
  const oddC = times(plus(plus(d5, C_SQUARED, d3), C_SQUARED, d1), ONE_C);
  const oddI = f32x4.add(f32x4.sub(d1, d3), d5);
  const d0 = v128.load(from), d2 = v128.load(from + 2 * stride);
  const d4 = v128.load(from + 4 * stride), d6 = v128.load(from + 6 * stride);
  v128.store(to, d0);
  storePair(plus(plus(plus(d6, A_SQUARED, d4), A_SQUARED, d2), A_SQUARED, d0), oddA, to + step, step);
  storePair(plus(plus(plus(d6, B_SQUARED, d4), B_SQUARED, d2), B_SQUARED, d0), oddB, to + 3 * step, step);
  storePair(plus(plus(plus(d6, C_SQUARED, d4), C_SQUARED, d2), C_SQUARED, d0), oddC, to + 5 * step, step);
  const evenI = f32x4.add(f32x4.sub(d0, d2), f32x4.sub(d4, d6));
  v128.store(to + 7 * step, evenI);
  v128.store(to + 8 * step, oddI);
  v128.store(to + 9 * step, f32x4.add(evenI, oddI));
}

/** G: three weights to six places. */
// @ts-ignore: decorator
@inline
function filterLine4(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  v128.store(to, times(g0, ONE_BY_N0));
  storePair(plus(g2, P2_BY_NP, times(g0, ONE_BY_NP)), times(g1, P_BY_NP), to + step, step);
  storePair(plus(g2, Q2_BY_NQ, times(g0, ONE_BY_NQ)), times(g1, Q_BY_NQ), to + 3 * step, step);
  v128.store(to + 5 * step, g2);
}

/** G: three weights to ten places. */
// @ts-ignore: decorator
@inline
function filterLine7(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  v128.store(to, times(g0, ONE_BY_M0));
  storePair(plus(g2, A2_BY_MA, times(g0, ONE_BY_MA)), times(g1, A_BY_MA), to + step, step);
  storePair(plus(g2, B2_BY_MB, times(g0, ONE_BY_MB)), times(g1, B_BY_MB), to + 3 * step, step);
  storePair(plus(g2, C2_BY_MC, times(g0, ONE_BY_MC)), times(g1, C_BY_MC), to + 5 * step, step);
  const u = times(f32x4.sub(g0, g2), ONE_BY_MI), v = times(g1, ONE_BY_MI);
  v128.store(to + 7 * step, u);
  v128.store(to + 8 * step, v);
  v128.store(to + 9 * step, f32x4.neg(f32x4.add(u, v)));
}

/** Gᵀ: six places, `stride` apart, to three weights. */
// @ts-ignore: decorator
@inline
function filterGradientLine4(from: usize, stride: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + stride), m2 = v128.load(from + 2 * stride);
  const m3 = v128.load(from + 3 * stride), m4 = v128.load(from + 4 * stride);
  const evenP = times(f32x4.add(m1, m2), ONE_BY_NP), evenQ = times(f32x4.add(m3, m4), ONE_BY_NQ);
  const oddP = times(f32x4.sub(m1, m2), P_BY_NP), oddQ = times(f32x4.sub(m3, m4), Q_BY_NQ);
  v128.store(to, plus(v128.load(from), ONE_BY_N0, f32x4.add(evenP, evenQ)));
  v128.store(to + step, f32x4.add(oddP, oddQ));
  v128.store(to + 2 * step, plus(evenP, P_SQUARED, plus(evenQ, Q_SQUARED, v128.load(from + 5 * stride))));
}

/** Gᵀ: ten places, `stride` apart, to three weights. */
// @ts-ignore: decorator
@inline
function filterGradientLine7(from: usize, stride: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + stride), m2 = v128.load(from + 2 * stride);
  const evenA = times(f32x4.add(m1, m2), ONE_BY_MA), oddA = times(f32x4.sub(m1, m2), A_BY_MA);
  const m3 = v128.load(from + 3 * stride), m4 = v128.load(from + 4 * stride);
  const evenB = times(f32x4.add(m3, m4), ONE_BY_MB), oddB = times(f32x4.sub(m3, m4), B_BY_MB);
  const m5 = v128.load(from + 5 * stride), m6 = v128.load(from + 6 * stride);
  const evenC = times(f32x4.add(m5, m6), ONE_BY_MC), oddC = times(f32x4.sub(m5, m6), C_BY_MC);
  const m9 = v128.load(from + 9 * stride);
  const u = times(f32x4.sub(v128.load(from + 7 * stride), m9), ONE_BY_MI);
  const v = times(f32x4.sub(v128.load(from + 8 * stride), m9), ONE_BY_MI);
  const even = f32x4.add(f32x4.add(evenA, evenB), f32x4.add(evenC, u));
  v128.store(to, plus(v128.load(from), ONE_BY_M0, even));
  v128.store(to + step, f32x4.add(f32x4.add(oddA, oddB), f32x4.add(oddC, v)));
  v128.store(
    to + 2 * step, f32x4.sub(plus(evenA, A_SQUARED, plus(evenB, B_SQUARED, times(evenC, C_SQUARED))), u),
  );
}

/** Aᵀ: six places, `stride` apart, to four outputs. */
// @ts-ignore: decorator
@inline
function outputLine4(from: usize, stride: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + stride), m2 = v128.load(from + 2 * stride);
  const m3 = v128.load(from + 3 * stride), m4 = v128.load(from + 4 * stride);
  const evenP = f32x4.add(m1, m2), evenQ = f32x4.add(m3, m4);
  const oddP = times(f32x4.sub(m1, m2), FP), oddQ = times(f32x4.sub(m3, m4), FQ);
  v128.store(to, f32x4.add(v128.load(from), f32x4.add(evenP, evenQ)));
  v128.store(to + step, f32x4.add(oddP, oddQ));
  v128.store(to + 2 * step, plus(evenP, P_SQUARED, times(evenQ, Q_SQUARED)));
  v128.store(
    to + 3 * step, plus(oddP, P_SQUARED, plus(oddQ, Q_SQUARED, v128.load(from + 5 * stride))),
  );
}

/** Aᵀ: ten places, `stride` apart, to seven outputs. */
// @ts-ignore: decorator
@inline
function outputLine7(from: usize, stride: usize, to: usize, step: usize): void {
  const m1 = v128.load(from + stride), m2 = v128.load(from + 2 * stride);
  const evenA = f32x4.add(m1, m2), oddA = times(f32x4.sub(m1, m2), ONE_A);
  const m3 = v128.load(from + 3 * stride), m4 = v128.load(from + 4 * stride);
  const evenB = f32x4.add(m3, m4), oddB = times(f32x4.sub(m3, m4), ONE_B);
  const m5 = v128.load(from + 5 * stride), m6 = v128.load(from + 6 * stride);
  const evenC = f32x4.add(m5, m6), oddC = times(f32x4.sub(m5, m6), ONE_C);
  const m9 = v128.load(from + 9 * stride);
  const u = f32x4.add(v128.load(from + 7 * stride), m9);
  const even = f32x4.add(f32x4.add(evenA, evenB), f32x4.add(evenC, u));
  v128.store(to, f32x4.add(v128.load(from), even));
  v128.store(to + 2 * step, f32x4.sub(plus(evenA, A_SQUARED, plus(evenB, B_SQUARED, times(evenC, C_SQUARED))), u));
  v128.store(
    to + 4 * step,
    plus(evenA, A_FOURTH, plus(evenB, B_FOURTH, plus(evenC, C_FOURTH, u))),
  );
  v128.store(
    to + 6 * step,
    f32x4.sub(
      plus(evenA, A_SIXTH, plus(evenB, B_SIXTH, times(evenC, C_SIXTH))), u,
    ),
  );
  const v = f32x4.add(v128.load(from + 8 * stride), m9);
  v128.store(to + step, f32x4.add(f32x4.add(oddA, oddB), f32x4.add(oddC, v)));
  v128.store(to + 3 * step, f32x4.sub(plus(oddA, A_SQUARED, plus(oddB, B_SQUARED, times(oddC, C_SQUARED))), v));
  v128.store(
    to + 5 * step, plus(oddA, A_FOURTH, plus(oddB, B_FOURTH, plus(oddC, C_FOURTH, v))),
  );
}

// ---------------------------------------------------------------------------------------------
// The transforms of one tile: all its columns into a small square in scratch, then all its rows.

/** Bytes of that square, at most 10 × 10 vectors. */
const SQUARE_BYTES: usize = 1600;

/**
 * Bᵀ d B of a window of a picture, four channels at a time: to + place · plane, each four channels
 * `step` bytes on.
 *
 * @param c, end bytes into a pixel: the first channels of interest and those after the last
 * @param top, left the window's corner; what lies outside the picture is 0
 * @param zeros at least nine pixels of zeros
 */
function inputTile(
  picture: usize, height: i32, width: i32, channels: i32, c: usize, end: usize,
  top: i32, left: i32, zeros: usize, square: usize, to: usize, plane: usize, step: usize,
): void {
  const inSide = job().side + 2;
  const pixel = <usize>channels << 2;
  const firstX = max(0, -left), endX = min(inSide, width - left);
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
  if (inSide == 6) {
    for (; c < end; c += 16) {
      for (let column = 0; column < 6; column++) {
        const at = square + (<usize>column << 4);
        if (column < firstX || column >= endX) {
          for (let row: usize = 0; row < 6 * 96; row += 96) v128.store(at + row, zero);
          continue;
        }
        const x = <usize>column * pixel + c;
        inputLine4(r0 + x, r1 + x, r2 + x, r3 + x, r4 + x, r5 + x, at, 96);
      }
      let out = to;
      for (let row: usize = 0; row < 6 * 96; row += 96) {
        const at = square + row;
        inputLine4(at, at + 16, at + 32, at + 48, at + 64, at + 80, out, plane);
        out += plane * 6;
      }
      to += step;
    }
    return;
  }
  const r6 = <u32>(top + 6) < <u32>height ? corner + line * 6 : zeros;
  const r7 = <u32>(top + 7) < <u32>height ? corner + line * 7 : zeros;
  const r8 = <u32>(top + 8) < <u32>height ? corner + line * 8 : zeros;
  for (; c < end; c += 16) {
    for (let column = 0; column < 9; column++) {
      const at = square + (<usize>column << 4);
      if (column < firstX || column >= endX) {
        for (let row: usize = 0; row < 10 * 144; row += 144) v128.store(at + row, zero);
        continue;
      }
      const x = <usize>column * pixel + c;
      inputLine7(
        r0 + x, r1 + x, r2 + x, r3 + x, r4 + x, r5 + x, r6 + x, r7 + x, r8 + x, at, 144,
      );
    }
    let out = to;
    for (let row: usize = 0; row < 10 * 144; row += 144) {
      const at = square + row;
      inputLine7(
        at, at + 16, at + 32, at + 48, at + 64, at + 80, at + 96, at + 112, at + 128, out, plane,
      );
      out += plane * 10;
    }
    to += step;
  }
}

// ---------------------------------------------------------------------------------------------
// Forward and input gradient

// A thread takes a few blocks of rows (of tiles) at a time, transforms them into its scratch memory,
// [block][place][from channel / 16][row][16], multiplies every place with the filter, [block][panel]
// [place][row][8], and transforms the products back: all that lies between stays in its L2 cache,
// while the filter, which may be larger, streams by.

/** Bytes of one place of a block of rows. */
// @ts-ignore: decorator
@inline
function placeBytes(channels: i32): usize {
  const depths = (channels + BLOCK_DEPTH - 1) / BLOCK_DEPTH;
  return <usize>(depths * BLOCK_DEPTH * BLOCK_ROWS) * 4 + PLANE_GAP;
}

/** Bytes of one place of a block's products with one panel. */
const PRODUCT_BYTES: usize = <usize>(BLOCK_ROWS * TILE_COLUMNS) * 4;

// @ts-ignore: decorator
@inline
function filterPlane(): usize {
  const s = job();
  return <usize>(s.numPanels * s.fromChannels * TILE_COLUMNS) * 4 + PLANE_GAP;
}

// @ts-ignore: decorator
@inline
function zerosBytes(): usize {
  const s = job();
  return (<usize>(9 * max(s.channels, s.outChannels)) * 4 + 63) & ~63;
}

function convolveScratch(height: i32, width: i32, fromChannels: i32, toChannels: i32): usize {
  if (!tileSide(height, width)) return 0;
  const s = job();
  cutIntoTiles(height, width);
  s.fromChannels = fromChannels;
  s.toChannels = toChannels;
  const panels = min(PASS_PANELS, (toChannels + TILE_COLUMNS - 1) / TILE_COLUMNS);
  const bytes = placeBytes(fromChannels) + <usize>panels * PRODUCT_BYTES;
  return <usize>(blocksPerChunk() * s.places) * bytes;
}

/** Bytes of scratch that a thread needs here for the shape at hand. */
export function winogradScratch(): usize {
  const s = job();
  const forward = convolveScratch(s.outHeight, s.outWidth, s.channels, s.outChannels);
  const filter = winogradForwardPays() ? filterGradientScratch() : 0;
  const backward = convolveScratch(s.height, s.width, s.outChannels, s.channels);
  return TILE_SCRATCH + SQUARE_BYTES * 2 + zerosBytes() + max(max(forward, backward), filter) + 64;
}

/** Blocks of rows in a chunk: what lies between the transforms should stay in an L2 cache. */
function blocksPerChunk(): i32 {
  const s = job();
  const bytes = s.places * BLOCK_ROWS * 4 * (s.fromChannels + min(s.toChannels, PASS_PANELS * 8));
  return max(2, min(8, CHUNK_BYTES / bytes));
}

/** Bytes of shared workspace for `convolve`: the transformed filter. */
function convolveWorkspace(
  height: i32, width: i32, fromChannels: i32, toChannels: i32,
): usize {
  const s = job();
  cutIntoTiles(height, width);
  s.fromChannels = fromChannels;
  s.numPanels = (toChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  return <usize>s.places * filterPlane();
}

/** Bytes of shared workspace for `winogradForward`. */
export function winogradForwardWorkspace(): usize {
  const s = job();
  return convolveWorkspace(s.outHeight, s.outWidth, s.channels, s.outChannels);
}

/** Bytes of shared workspace for `winogradInputGradient`. */
export function winogradInputGradientWorkspace(): usize {
  const s = job();
  return convolveWorkspace(s.height, s.width, s.outChannels, s.channels);
}

/** y = relu?(conv(x, w) + bias?). `bias` 0: none. */
export function winogradForward(
  x: usize, w: usize, bias: usize, y: usize, workspace: usize, relu: i32,
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
  convolve(w, workspace);
}

/**
 * dx: the convolution of dy with the filter turned by 180°, its two channel axes exchanged.
 * `accumulate` not 0: added to what dx holds.
 */
export function winogradInputGradient(
  dy: usize, w: usize, dx: usize, workspace: usize, accumulate: i32,
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
  convolve(w, workspace);
}

function convolve(w: usize, workspace: usize): void {
  const s = job();
  cutIntoTiles(s.toHeight, s.toWidth);
  s.w = w;
  s.numPanels = (s.toChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  s.packed = workspace;
  parallel(transformFilter, s.numPanels);
  s.numBlocks = (s.numTiles + BLOCK_ROWS - 1) / BLOCK_ROWS;
  s.blocksPerChunk = blocksPerChunk();
  // The last blocks go one by one, so that threads end together.
  s.wholeChunks = max(0, s.numBlocks - LAST_BLOCKS) / s.blocksPerChunk;
  parallel(convolveChunk, s.wholeChunks + s.numBlocks - s.wholeChunks * s.blocksPerChunk);
}

function convolveChunk(chunk: i32): void {
  const s = job();
  const isWhole = chunk < s.wholeChunks;
  const first = isWhole
    ? chunk * s.blocksPerChunk
    : s.wholeChunks * (s.blocksPerChunk - 1) + chunk;
  const count = isWhole ? s.blocksPerChunk : 1;
  const inputs = scratch() + TILE_SCRATCH + SQUARE_BYTES * 2 + zerosBytes();
  const blockBytes = <usize>s.places * placeBytes(s.fromChannels);
  const products = inputs + <usize>s.blocksPerChunk * blockBytes;
  for (let block = 0; block < count; block++) {
    transformBlock(first + block, inputs + <usize>block * blockBytes);
  }
  for (let panel = 0; panel < s.numPanels; panel += PASS_PANELS) {
    const numPanels = min(PASS_PANELS, s.numPanels - panel);
    for (let place = 0; place < s.places; place++) {
      multiplyPlace(place, count, panel, numPanels, inputs, products);
    }
    const step = <usize>(numPanels * s.places) * PRODUCT_BYTES;
    for (let block = 0; block < count; block++) {
      finishBlock(first + block, panel, numPanels, products + <usize>block * step);
    }
  }
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

/** G w Gᵀ of eight output channels. */
function transformFilter(panel: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const plane = filterPlane();
  const isLarge = s.side == 7;
  let out = s.packed + <usize>(panel * s.fromChannels) * 32;
  for (let from = 0; from < s.fromChannels; from++) {
    for (let half = 0; half < 2; half++) {
      const to = panel * TILE_COLUMNS + half * 4;
      if (to >= s.toChannels) {
        for (let place = 0; place < s.places; place++) {
          v128.store(out + <usize>place * plane, f32x4.splat(0));
        }
      } else {
        for (let kx = 0; kx < 3; kx++) {
          const g0 = loadWeights(kx, from, to);
          const g1 = loadWeights(3 + kx, from, to), g2 = loadWeights(6 + kx, from, to);
          const at = square + (<usize>kx << 4);
          if (isLarge) filterLine7(g0, g1, g2, at, 48);
          else filterLine4(g0, g1, g2, at, 48);
        }
        let line = out;
        for (let row = 0; row < s.points; row++) {
          const at = square + <usize>row * 48;
          const g0 = v128.load(at), g1 = v128.load(at, 16), g2 = v128.load(at, 32);
          if (isLarge) filterLine7(g0, g1, g2, line, plane);
          else filterLine4(g0, g1, g2, line, plane);
          line += <usize>s.points * plane;
        }
      }
      out += 16;
    }
  }
}

/** Bᵀ x B of the tiles of a block of rows. */
function transformBlock(block: i32, out: usize): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const zeros = square + SQUARE_BYTES * 2;
  const pixel = <usize>s.fromChannels << 2;
  memory.fill(zeros, 0, pixel * 9);
  const plane = placeBytes(s.fromChannels);
  const perPicture = s.tilesDown * s.tilesAcross;
  const pictureBytes = <usize>(s.fromHeight * s.fromWidth) * pixel;
  const depthBytes = <usize>BLOCK_DEPTH * 4;
  const last = min((block + 1) * BLOCK_ROWS, s.numTiles);
  for (let index = block * BLOCK_ROWS; index < last; index++) {
    const tile = index % perPicture;
    const picture = s.from + <usize>(index / perPicture) * pictureBytes;
    const top = (tile / s.tilesAcross) * s.side - s.top;
    const left = (tile % s.tilesAcross) * s.side - s.left;
    let to = out;
    for (let c: usize = 0; c < pixel; c += depthBytes) {
      inputTile(
        picture, s.fromHeight, s.fromWidth, s.fromChannels, c, min(pixel, c + depthBytes),
        top, left, zeros, square, to, plane, 16,
      );
      to += depthBytes * <usize>BLOCK_ROWS;
    }
    out += depthBytes;
  }
}

/**
 * One place of some blocks against some panels of the filter. Rows past the last tile multiply what
 * was there before; nobody reads their products.
 */
function multiplyPlace(
  place: i32, numBlocks: i32, firstPanel: i32, numPanels: i32, inputs: usize, products: usize,
): void {
  const s = job();
  const panelBytes = <usize>s.fromChannels * 32;
  const filter = s.packed + <usize>place * filterPlane() + <usize>firstPanel * panelBytes;
  const plane = placeBytes(s.fromChannels);
  const step = <usize>s.places * PRODUCT_BYTES;
  const perPass = max(1, PASS_BYTES / <i32>panelBytes);
  for (let first = 0; first < numPanels; first += perPass) {
    const last = min(first + perPass, numPanels);
    for (let block = 0; block < numBlocks; block++) {
      const rows = inputs + <usize>(block * s.places + place) * plane;
      let out = products + <usize>((block * numPanels + first) * s.places + place) * PRODUCT_BYTES;
      for (let panel = first; panel < last; panel++) {
        blockTile(rows, s.fromChannels, filter + <usize>panel * panelBytes, out);
        out += step;
      }
    }
  }
}

/** Aᵀ m A of the tiles of a block of rows, for some panels of channels. */
function finishBlock(block: i32, firstPanel: i32, numPanels: i32, products: usize): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const pixel = <usize>s.toChannels << 2;
  const perPicture = s.tilesDown * s.tilesAcross;
  const first = block * BLOCK_ROWS;
  const last = min(first + BLOCK_ROWS, s.numTiles);
  for (let panel = 0; panel < numPanels; panel++) {
    const c = <usize>(firstPanel + panel) * 32;
    let from = products + <usize>(panel * s.places) * PRODUCT_BYTES;
    for (let index = first; index < last; index++) {
      const tile = index % perPicture;
      const image = index / perPicture;
      const top = (tile / s.tilesAcross) * s.side;
      const left = (tile % s.tilesAcross) * s.side;
      const to = s.to + <usize>((image * s.toHeight + top) * s.toWidth + left) * pixel + c;
      const numRows = min(s.side, s.toHeight - top);
      const numColumns = min(s.side, s.toWidth - left);
      outputTile(from, square, to, s.bias + c, numRows, numColumns);
      if (c + 16 < pixel) {
        outputTile(from + 16, square, to + 16, s.bias + c + 16, numRows, numColumns);
      }
      from += 32;
    }
  }
}

/**
 * Aᵀ m A of one tile and four channels, with bias and ReLU; of it, the rows and columns that are in
 * the picture.
 */
function outputTile(
  from: usize, square: usize, to: usize, bias: usize, numRows: i32, numColumns: i32,
): void {
  const s = job();
  const pixel = <usize>s.toChannels << 2;
  const outputs = square + SQUARE_BYTES;
  if (s.side == 7) {
    for (let column: usize = 0; column < 10; column++) {
      outputLine7(from + column * PRODUCT_BYTES, PRODUCT_BYTES * 10, square + (column << 4), 160);
    }
  } else {
    for (let column: usize = 0; column < 6; column++) {
      outputLine4(from + column * PRODUCT_BYTES, PRODUCT_BYTES * 6, square + (column << 4), 96);
    }
  }
  const flags = s.flags;
  if (flags == 0 && numColumns == s.side) {
    for (let row = 0; row < numRows; row++) {
      if (numColumns == 7) outputLine7(square + <usize>row * 160, 16, to, pixel);
      else outputLine4(square + <usize>row * 96, 16, to, pixel);
      to += <usize>s.toWidth * pixel;
    }
    return;
  }
  const zero = f32x4.splat(0);
  const offset = flags & ADD_BIAS ? v128.load(bias) : zero;
  for (let row = 0; row < numRows; row++) {
    if (s.side == 7) outputLine7(square + <usize>row * 160, 16, outputs, 16);
    else outputLine4(square + <usize>row * 96, 16, outputs, 16);
    let at = to;
    for (let column = 0; column < numColumns; column++) {
      let value = f32x4.add(v128.load(outputs + (<usize>column << 4)), offset);
      if (flags & ACCUMULATE) value = f32x4.add(value, v128.load(at));
      if (flags & RELU) value = f32x4.max(value, zero);
      v128.store(at, value);
      at += pixel;
    }
    to += <usize>s.toWidth * pixel;
  }
}

// ---------------------------------------------------------------------------------------------
// Gradient of the filter

// A part of dy's tiles is transformed into shared memory, [group of tiles][place][channel / 8][tile]
// [8]. Then a thread takes a few channels of x, transforms a group's tiles of them into its scratch
// memory, [place][channel / 4][tile][4], and adds that group's products to the sums of these
// channels, [place][channel][output channel]: its L2 cache keeps both while dy streams by. Every sum
// belongs to one thread at a time, and the result does not depend on their number.

/** Bytes of one place of the sums. */
// @ts-ignore: decorator
@inline
function sumPlane(): usize {
  const s = job();
  return <usize>(s.numPanels * TILE_COLUMNS * s.channels) * 4 + PLANE_GAP;
}

/** Bytes of one place of a group's tiles of a few channels of x. */
// @ts-ignore: decorator
@inline
function xPlane(): usize {
  return <usize>(job().channelsPerChunk * GROUP_TILES) * 4 + PLANE_GAP;
}

/** Bytes of one place of a group's tiles of dy. */
// @ts-ignore: decorator
@inline
function dyPlane(): usize {
  return <usize>(job().numPanels * TILE_COLUMNS * GROUP_TILES) * 4 + PLANE_GAP;
}

function cutFilterGradient(): void {
  const s = job();
  cutIntoTiles(s.outHeight, s.outWidth);
  s.numPanels = (s.outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  // With less at a time dy would stream by more often; with more, few threads find work.
  s.channelsPerChunk = s.channels >= 32 ? 16 : 8;
  const groups = (s.numTiles + GROUP_TILES - 1) / GROUP_TILES;
  s.groupsPerPart = max(1, min(groups, PART_BYTES / <i32>(<usize>s.places * dyPlane())));
}

function filterGradientScratch(): usize {
  cutFilterGradient();
  return <usize>job().places * xPlane();
}

function numTransforms(): i32 {
  return (job().numTiles + TRANSFORM_TILES - 1) / TRANSFORM_TILES;
}

/** Bytes of shared workspace for `winogradFilterGradient`. */
export function winogradFilterGradientWorkspace(): usize {
  const s = job();
  cutFilterGradient();
  return <usize>s.places * (<usize>s.groupsPerPart * dyPlane() + sumPlane())
    + <usize>(numTransforms() * s.outChannels) * 4;
}

/** dw, with the same riders as `convFilterGradient`. */
export function winogradFilterGradient(
  x: usize, dy: usize, dw: usize, workspace: usize, y: usize, maskedDy: usize, dBias: usize,
): void {
  const s = job();
  cutFilterGradient();
  s.from = x;
  s.dy = dy;
  s.dw = dw;
  s.y = y;
  s.maskedDy = maskedDy;
  s.dBias = dBias;
  s.dyPlanes = workspace;
  s.sums = workspace + <usize>(s.groupsPerPart * s.places) * dyPlane();
  s.biasSums = s.sums + <usize>s.places * sumPlane();
  const numChunks = (s.channels + s.channelsPerChunk - 1) / s.channelsPerChunk;
  const partTiles = s.groupsPerPart * GROUP_TILES;
  for (let first = 0; first < s.numTiles; first += partTiles) {
    s.firstTile = first;
    s.partTiles = min(partTiles, s.numTiles - first);
    parallel(transformGradients, (s.partTiles + TRANSFORM_TILES - 1) / TRANSFORM_TILES);
    parallel(sumChannels, numChunks);
  }
  parallel(finishFilter, s.channels);
  if (!dBias) return;
  const pixel = <usize>s.outChannels << 2;
  for (let c: usize = 0; c < pixel; c += 16) {
    let sum = f32x4.splat(0);
    for (let chunk = 0; chunk < numTransforms(); chunk++) {
      sum = f32x4.add(sum, v128.load(s.biasSums + <usize>chunk * pixel + c));
    }
    v128.store(dBias + c, sum);
  }
}

/** A dy Aᵀ of a few tiles; those that share lines of memory take turns. */
function transformGradients(chunk: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const pixel = <usize>s.outChannels << 2;
  const bias = s.biasSums + <usize>(s.firstTile / TRANSFORM_TILES + chunk) * pixel;
  memory.fill(bias, 0, pixel);
  const perPicture = s.tilesDown * s.tilesAcross;
  const last = min((chunk + 1) * TRANSFORM_TILES, s.partTiles);
  const group = s.dyPlanes
    + <usize>(chunk * TRANSFORM_TILES / GROUP_TILES * s.places) * dyPlane();
  for (let turn = chunk * TRANSFORM_TILES; turn < last; turn += TURN_TILES) {
    const end = min(turn + TURN_TILES, last);
    for (let c: usize = 0; c < pixel; c += 32) {
      for (let t = turn; t < end; t++) {
        const tile = (s.firstTile + t) % perPicture;
        const image = (s.firstTile + t) / perPicture;
        const top = (tile / s.tilesAcross) * s.side, left = (tile % s.tilesAcross) * s.side;
        const to = group + c * <usize>GROUP_TILES + <usize>(t % GROUP_TILES) * 32;
        gradientTile(image, top, left, c, bias + c, square, to);
        if (c + 16 < pixel) {
          gradientTile(image, top, left, c + 16, bias + c + 16, square, to + 16);
        }
      }
    }
  }
}

/** A dy Aᵀ of one tile and four channels; on the way, ReLU's mask and the sum for the bias. */
function gradientTile(
  image: i32, top: i32, left: i32, c: usize, bias: usize, square: usize, to: usize,
): void {
  const s = job();
  const side = s.side;
  const pixel = <usize>s.outChannels << 2;
  const line = <usize>s.outWidth * pixel;
  const corner = <usize>((image * s.outHeight + top) * s.outWidth + left) * pixel + c;
  const numRows = min(side, s.outHeight - top);
  const numColumns = min(side, s.outWidth - left);
  const plane = dyPlane();
  // What the transform reads: dy itself, where nothing is to be done on the way.
  let inputs = s.dy + corner, down = line, across = pixel;
  if (s.y || s.dBias || numRows < side || numColumns < side) {
    inputs = square + SQUARE_BYTES;
    down = <usize>side << 4;
    across = 16;
    const zero = f32x4.splat(0);
    if (numRows < side || numColumns < side) {
      for (let place: usize = 0; place < <usize>side * down; place += 16) {
        v128.store(inputs + place, zero);
      }
    }
    let sum = v128.load(bias);
    for (let row = 0; row < numRows; row++) {
      let at = corner + <usize>row * line;
      let input = inputs + <usize>row * down;
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
    v128.store(bias, sum);
  }
  if (side == 7) {
    for (let column: usize = 0; column < 7; column++) {
      gradientLine7(inputs + column * across, down, square + (column << 4), 112);
    }
    for (let row: usize = 0; row < 10 * 112; row += 112) {
      gradientLine7(square + row, 16, to, plane);
      to += plane * 10;
    }
  } else {
    for (let column: usize = 0; column < 4; column++) {
      gradientLine4(inputs + column * across, down, square + (column << 4), 64);
    }
    for (let row: usize = 0; row < 6 * 64; row += 64) {
      gradientLine4(square + row, 16, to, plane);
      to += plane * 6;
    }
  }
}

/** What the part at hand adds to the sums of a few channels of x. */
function sumChannels(chunk: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const zeros = square + SQUARE_BYTES * 2;
  const planes = zeros + zerosBytes();
  const pixel = <usize>s.channels << 2;
  memory.fill(zeros, 0, pixel * 9);
  const perPicture = s.tilesDown * s.tilesAcross;
  const pictureBytes = <usize>(s.height * s.width) * pixel;
  const channel = chunk * s.channelsPerChunk;
  const numChannels = min(s.channelsPerChunk, s.channels - channel);
  const firstByte = <usize>channel << 2, endByte = <usize>(channel + numChannels) << 2;
  const outStep = <usize>s.numPanels * 32;
  for (let first = 0; first < s.partTiles; first += GROUP_TILES) {
    const firstTile = s.firstTile + first;
    const count = min(GROUP_TILES, s.partTiles - first);
    for (let turn = 0; turn < count; turn += TURN_TILES) {
      const end = min(turn + TURN_TILES, count);
      for (let c = firstByte; c < endByte; c += TURN_BYTES) {
        for (let t = turn; t < end; t++) {
          const tile = (firstTile + t) % perPicture;
          inputTile(
            s.from + <usize>((firstTile + t) / perPicture) * pictureBytes,
            s.height, s.width, s.channels, c, min(endByte, c + TURN_BYTES),
            (tile / s.tilesAcross) * s.side - s.padTop,
            (tile % s.tilesAcross) * s.side - s.padLeft,
            zeros, square, planes + (c - firstByte) * <usize>GROUP_TILES + <usize>t * 16,
            xPlane(), <usize>GROUP_TILES * 16,
          );
        }
      }
    }
    const flags = firstTile ? ACCUMULATE : 0;
    const group = s.dyPlanes + <usize>(first / GROUP_TILES * s.places) * dyPlane();
    for (let place = 0; place < s.places; place++) {
      const a = planes + <usize>place * xPlane();
      const b = group + <usize>place * dyPlane();
      const out = s.sums + <usize>place * sumPlane() + <usize>channel * outStep;
      for (let panel = 0; panel < s.numPanels; panel++) {
        for (let c = 0; c < numChannels; c += TILE_ROWS) {
          packedTile(
            a + <usize>(c * GROUP_TILES) * 4, b + <usize>(panel * GROUP_TILES) * 32, count,
            out + <usize>c * outStep + <usize>panel * 32, outStep, flags,
          );
        }
      }
    }
  }
}

/** Gᵀ sums G of one input channel. */
function finishFilter(channel: i32): void {
  const s = job();
  const square = scratch() + TILE_SCRATCH;
  const pixel = <usize>s.outChannels << 2;
  const plane = sumPlane();
  const from = s.sums + <usize>channel * <usize>s.numPanels * 32;
  const tap = <usize>s.channels * pixel;
  const to = s.dw + <usize>channel * pixel;
  const isLarge = s.side == 7;
  const points = <usize>s.points;
  for (let c: usize = 0; c < pixel; c += 16) {
    for (let column: usize = 0; column < points; column++) {
      const at = from + c + column * plane, line = square + (column << 4);
      if (isLarge) filterGradientLine7(at, plane * 10, line, 160);
      else filterGradientLine4(at, plane * 6, line, 96);
    }
    for (let row: usize = 0; row < 3; row++) {
      const at = square + row * (points << 4);
      if (isLarge) filterGradientLine7(at, 16, to + c + row * 3 * tap, tap);
      else filterGradientLine4(at, 16, to + c + row * 3 * tap, tap);
    }
  }
}
