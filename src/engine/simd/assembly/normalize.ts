/**
 * Owns batch normalisation over [rows, channels]: statistics, the transform, and the gradient, each
 * in as few passes over memory as its data flow allows (one, one, two), with a ReLU behind it fused.
 */
import { JOB, parallel } from './parallel';

/** Rows in a chunk: with 64 channels 64 KB, so that a second look finds them in the cache. */
const CHUNK_ROWS: i32 = 256;

@unmanaged
class NormJob {
  x: usize;
  y: usize;
  dy: usize;
  dx: usize;
  mean: usize;
  variance: usize;
  /** Of normalize: what is added. Of the gradient: dAdd. */
  add: usize;
  /** Rows of vectorBytes(): scale and shift of n; factors of dx. */
  terms: usize;
  factors: usize;
  partials: usize;
  rows: i32;
  channels: i32;
  mode: i32;
  flags: i32;
}

// @ts-ignore: decorator
@inline
function job(): NormJob {
  return changetype<NormJob>(JOB);
}

function numChunks(rows: i32): i32 {
  return (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
}

/** Bytes of a row of channels, filled up to whole vectors. */
// @ts-ignore: decorator
@inline
function vectorBytes(): usize {
  return <usize>((job().channels + 3) & ~3) << 2;
}

/** Bytes of shared workspace for this module. Two rows of channels a chunk, and five more. */
export function normWorkspace(rows: i32, channels: i32): usize {
  return (<usize>numChunks(rows) * 2 + 5) * <usize>((channels + 3) & ~3) * 4;
}

/** Rows lie close together: of the last vector of a row only what is the row's may be written. */
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

/**
 * Mean and variance of every channel over all rows (variance divides by the number of rows). Chunks
 * are centred on their own means and merged by Chan, Golub and LeVeque (1979): one pass over memory,
 * and no cancellation where the mean is large.
 */
export function channelMoments(
  x: usize, mean: usize, variance: usize, partials: usize, rows: i32, channels: i32,
): void {
  const j = job();
  j.x = x;
  j.partials = partials;
  j.rows = rows;
  j.channels = channels;
  parallel(momentsChunk, numChunks(rows));
  const bytes = vectorBytes();
  const count = numChunks(rows);
  for (let c: usize = 0; c < bytes; c += 16) {
    let n: f32 = 0;
    let m = f32x4.splat(0), s = f32x4.splat(0);
    for (let chunk = 0; chunk < count; chunk++) {
      const k = <f32>min(CHUNK_ROWS, rows - chunk * CHUNK_ROWS);
      const at = partials + <usize>chunk * bytes * 2 + c;
      const d = f32x4.sub(v128.load(at), m);
      const total = n + k;
      m = f32x4.add(m, f32x4.mul(d, f32x4.splat(k / total)));
      s = f32x4.add(s, v128.load(at + bytes));
      s = f32x4.add(s, f32x4.mul(f32x4.mul(d, d), f32x4.splat((n * k) / total)));
      n = total;
    }
    const left = channels - <i32>(c >> 2);
    storeChannels(mean + c, m, left);
    storeChannels(variance + c, f32x4.div(s, f32x4.splat(n)), left);
  }
}

function momentsChunk(chunk: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const count = min(CHUNK_ROWS, j.rows - first);
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  const out = j.partials + <usize>chunk * bytes * 2;
  const from = j.x + <usize>first * step;
  for (let c: usize = 0; c < bytes; c += 16) {
    // Around the first row, so that a mean far from zero keeps its last digits.
    const origin = v128.load(from + c);
    let sum = f32x4.splat(0);
    let at = from + c;
    for (let r = 0; r < count; r++) {
      sum = f32x4.add(sum, f32x4.sub(v128.load(at), origin));
      at += step;
    }
    const offset = f32x4.div(sum, f32x4.splat(<f32>count));
    let squares = f32x4.splat(0);
    at = from + c;
    for (let r = 0; r < count; r++) {
      const d = f32x4.sub(f32x4.sub(v128.load(at), origin), offset);
      squares = f32x4.add(squares, f32x4.mul(d, d));
      at += step;
    }
    v128.store(out + c, f32x4.add(origin, offset));
    v128.store(out + bytes + c, squares);
  }
}

/** What stands behind the normalisation, of `normalize`'s mode. */
const RELU: i32 = 1;
const ADD_THEN_RELU: i32 = 2;

// Flags of `normalizeGradient`.
const MASK_BY_X: i32 = 1;
const ACCUMULATE_DX: i32 = 2;
const ACCUMULATE_DADD: i32 = 4;

/**
 * With n = (x - mean) / √(variance + epsilon) · gamma + beta (gamma, beta 0: 1, 0), by `mode`:
 * 0: y = n + add; 1: y = relu(n) + add; 2: y = relu(n + add). `add` 0: nothing is added, else
 * [rows, channels]. y may be x or add.
 */
export function normalize(
  x: usize, mean: usize, variance: usize, gamma: usize, beta: usize, y: usize, partials: usize,
  rows: i32, channels: i32, epsilon: f32, mode: i32, add: usize,
): void {
  const j = job();
  j.x = x;
  j.y = y;
  j.add = add;
  j.rows = rows;
  j.channels = channels;
  j.mode = mode;
  j.terms = partials;
  affineTerms(mean, variance, gamma, beta, epsilon, partials);
  parallel(normalizeChunk, numChunks(rows));
}

/** Scale and shift of every channel, two rows of vectorBytes() at `terms`: n = x · scale + shift. */
function affineTerms(
  mean: usize, variance: usize, gamma: usize, beta: usize, epsilon: f32, terms: usize,
): void {
  const bytes = <usize>job().channels << 2;
  const shifts = terms + vectorBytes();
  for (let c: usize = 0; c < bytes; c += 4) {
    const g: f32 = gamma ? load<f32>(gamma + c) : 1;
    const b: f32 = beta ? load<f32>(beta + c) : 0;
    const scale = g / sqrt<f32>(load<f32>(variance + c) + epsilon);
    store<f32>(terms + c, scale);
    store<f32>(shifts + c, b - load<f32>(mean + c) * scale);
  }
}

/** n of four channels. Forward and gradient must agree on its sign to the last bit. */
// @ts-ignore: decorator
@inline
function normalized(x: v128, scale: v128, shift: v128): v128 {
  return f32x4.add(f32x4.mul(x, scale), shift);
}

function normalizeChunk(chunk: i32): void {
  const j = job();
  const step = <usize>j.channels << 2;
  const count = min(CHUNK_ROWS, j.rows - chunk * CHUNK_ROWS);
  const first = <usize>(chunk * CHUNK_ROWS) * step;
  const bytes = vectorBytes();
  const zero = f32x4.splat(0);
  const isWhole = bytes == step;
  const x = j.x, y = j.y, add = j.add;
  const relu = j.mode == RELU, reluLast = j.mode == ADD_THEN_RELU;
  for (let c: usize = 0; c < bytes; c += 16) {
    const scale = v128.load(j.terms + c), shift = v128.load(j.terms + bytes + c);
    const left = j.channels - <i32>(c >> 2);
    let at = first + c;
    for (let r = 0; r < count; r++) {
      let value = normalized(v128.load(x + at), scale, shift);
      if (relu) value = f32x4.max(value, zero);
      if (add) value = f32x4.add(value, v128.load(add + at));
      if (reluLast) value = f32x4.max(value, zero);
      if (isWhole) v128.store(y + at, value);
      else storeChannels(y + at, value, left);
      at += step;
    }
  }
}

/**
 * The gradient of `normalize` with the batch's own moments: dx, dGamma, dBeta from dy. gamma 0: 1.
 * dx may be dy.
 *
 * Where a ReLU was fused, dy counts only where it let through: `y` not 0 says where (y > 0; mode 2,
 * or mode 1 without `add`); or, without reading y, flag 1 (mode 1): where n > 0, found again from x
 * and `beta` (0: 0).
 *
 * @param dAdd not 0: receives dy so cut, the gradient of what mode 2 added; may be dy, not dx
 * @param flags 1: cut by the sign of n; 2: add to dx; 4: add to dAdd
 */
export function normalizeGradient(
  x: usize, y: usize, dy: usize, mean: usize, variance: usize, gamma: usize,
  dx: usize, dGamma: usize, dBeta: usize, partials: usize,
  rows: i32, channels: i32, epsilon: f32, beta: usize, dAdd: usize, flags: i32,
): void {
  const j = job();
  j.x = x;
  j.y = y;
  j.dy = dy;
  j.dx = dx;
  j.add = dAdd;
  j.mean = mean;
  j.flags = flags;
  j.partials = partials;
  j.rows = rows;
  j.channels = channels;
  const bytes = vectorBytes();
  const count = numChunks(rows);
  const terms = partials + <usize>count * bytes * 2;
  j.terms = terms;
  affineTerms(mean, variance, gamma, beta, epsilon, terms);
  parallel(gradientSumsChunk, count);

  // dx = a · dy + b · (x - mean) + c, a channel at a time.
  const factors = terms + bytes * 2;
  for (let c = 0; c < channels; c++) {
    const at = <usize>c << 2;
    let sumDy: f32 = 0, sumDyX: f32 = 0;
    for (let chunk = 0; chunk < count; chunk++) {
      const from = partials + <usize>chunk * bytes * 2 + at;
      sumDy += load<f32>(from);
      sumDyX += load<f32>(from + bytes);
    }
    const inverse: f32 = <f32>1 / sqrt<f32>(load<f32>(variance + at) + epsilon);
    const g: f32 = gamma ? load<f32>(gamma + at) : 1;
    const dG = sumDyX * inverse; // sumDyX is centred: Σ dy · (x - mean)
    store<f32>(dBeta + at, sumDy);
    store<f32>(dGamma + at, dG);
    const n = <f32>rows;
    const b = -g * inverse * inverse * dG / n;
    store<f32>(factors + at, g * inverse);
    store<f32>(factors + bytes + at, b);
    store<f32>(factors + bytes * 2 + at, -g * inverse * sumDy / n);
  }
  j.factors = factors;
  parallel(gradientChunk, count);
}

/** dy of four channels, cut where the fused ReLU let nothing through. */
// @ts-ignore: decorator
@inline
function maskedDy(at: usize, x: v128, scale: v128, shift: v128): v128 {
  const j = job();
  const zero = f32x4.splat(0);
  const d = v128.load(j.dy + at);
  if (j.y) return v128.and(d, f32x4.gt(v128.load(j.y + at), zero));
  if (j.flags & MASK_BY_X) return v128.and(d, f32x4.gt(normalized(x, scale, shift), zero));
  return d;
}

function gradientSumsChunk(chunk: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const count = min(CHUNK_ROWS, j.rows - first);
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  const out = j.partials + <usize>chunk * bytes * 2;
  for (let c: usize = 0; c < bytes; c += 16) {
    const mean = v128.load(j.mean + c);
    const scale = v128.load(j.terms + c), shift = v128.load(j.terms + bytes + c);
    let sumDy = f32x4.splat(0), sumDyX = f32x4.splat(0);
    let at = <usize>first * step + c;
    for (let r = 0; r < count; r++) {
      const x = v128.load(j.x + at);
      const d = maskedDy(at, x, scale, shift);
      sumDy = f32x4.add(sumDy, d);
      sumDyX = f32x4.add(sumDyX, f32x4.mul(d, f32x4.sub(x, mean)));
      at += step;
    }
    v128.store(out + c, sumDy);
    v128.store(out + bytes + c, sumDyX);
  }
}

function gradientChunk(chunk: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const count = min(CHUNK_ROWS, j.rows - first);
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  for (let c: usize = 0; c < bytes; c += 16) {
    const mean = v128.load(j.mean + c);
    const scale = v128.load(j.terms + c), shift = v128.load(j.terms + bytes + c);
    const ofDy = v128.load(j.factors + c), ofX = v128.load(j.factors + bytes + c);
    const constant = v128.load(j.factors + bytes * 2 + c);
    const left = j.channels - <i32>(c >> 2);
    let at = <usize>first * step + c;
    for (let r = 0; r < count; r++) {
      const x = v128.load(j.x + at);
      const d = maskedDy(at, x, scale, shift);
      let value = f32x4.add(f32x4.mul(d, ofDy), f32x4.mul(f32x4.sub(x, mean), ofX));
      value = f32x4.add(value, constant);
      if (j.flags & ACCUMULATE_DX) value = f32x4.add(value, v128.load(j.dx + at));
      storeChannels(j.dx + at, value, left);
      if (j.add) {
        const sum = j.flags & ACCUMULATE_DADD ? f32x4.add(d, v128.load(j.add + at)) : d;
        storeChannels(j.add + at, sum, left);
      }
      at += step;
    }
  }
}
