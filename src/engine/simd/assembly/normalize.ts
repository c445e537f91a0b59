/**
 * Owns batch normalisation over [rows, channels]: statistics, the transform, and the gradient, each
 * in as few passes over memory as its data flow allows (one, one, two), with a ReLU behind it fused.
 */
import { madd } from './gemm';
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
  const size = <usize>count * step;
  const share = f32x4.splat(<f32>1 / <f32>count);
  const zero = f32x4.splat(0);
  let c: usize = 0;
  for (; c + 64 <= bytes; c += 64) {
    // Around the first row, so that a mean far from zero keeps its last digits.
    const start = from + c, end = start + size;
    let m0 = v128.load(start), m1 = v128.load(start, 16);
    let m2 = v128.load(start, 32), m3 = v128.load(start, 48);
    let s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    for (let at = start; at < end; at += step) {
      s0 = f32x4.add(s0, f32x4.sub(v128.load(at), m0));
      s1 = f32x4.add(s1, f32x4.sub(v128.load(at, 16), m1));
      s2 = f32x4.add(s2, f32x4.sub(v128.load(at, 32), m2));
      s3 = f32x4.add(s3, f32x4.sub(v128.load(at, 48), m3));
    }
    m0 = f32x4.add(m0, f32x4.mul(s0, share));
    m1 = f32x4.add(m1, f32x4.mul(s1, share));
    m2 = f32x4.add(m2, f32x4.mul(s2, share));
    m3 = f32x4.add(m3, f32x4.mul(s3, share));
    s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    for (let at = start; at < end; at += step) {
      let d = f32x4.sub(v128.load(at), m0);
      s0 = madd(d, d, s0);
      d = f32x4.sub(v128.load(at, 16), m1);
      s1 = madd(d, d, s1);
      d = f32x4.sub(v128.load(at, 32), m2);
      s2 = madd(d, d, s2);
      d = f32x4.sub(v128.load(at, 48), m3);
      s3 = madd(d, d, s3);
    }
    const to = out + c;
    v128.store(to, m0);
    v128.store(to, m1, 16);
    v128.store(to, m2, 32);
    v128.store(to, m3, 48);
    v128.store(to + bytes, s0);
    v128.store(to + bytes, s1, 16);
    v128.store(to + bytes, s2, 32);
    v128.store(to + bytes, s3, 48);
  }
  for (; c < bytes; c += 16) {
    const start = from + c, end = start + size;
    let mean = v128.load(start), sum = zero;
    for (let at = start; at < end; at += step) {
      sum = f32x4.add(sum, f32x4.sub(v128.load(at), mean));
    }
    mean = f32x4.add(mean, f32x4.mul(sum, share));
    sum = zero;
    for (let at = start; at < end; at += step) {
      const d = f32x4.sub(v128.load(at), mean);
      sum = madd(d, d, sum);
    }
    v128.store(out + c, mean);
    v128.store(out + bytes + c, sum);
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

// Rows are walked one after the other, as they lie in memory. What stands behind the normalisation is
// known before the loop, and the loop compiled for each.

function normalizeChunk(chunk: i32): void {
  const j = job();
  if (j.add) {
    if (j.mode == RELU) normalizeRows(chunk, true, true, false);
    else if (j.mode == ADD_THEN_RELU) normalizeRows(chunk, false, true, true);
    else normalizeRows(chunk, false, true, false);
  } else if (j.mode) normalizeRows(chunk, true, false, false);
  else normalizeRows(chunk, false, false, false);
}

// @ts-ignore: decorator
@inline
function normalizeRows(chunk: i32, relu: bool, adds: bool, reluLast: bool): void {
  const j = job();
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  const zero = f32x4.splat(0);
  const add = j.add, terms = j.terms;
  let x = j.x + <usize>(chunk * CHUNK_ROWS) * step, y = j.y + <usize>(chunk * CHUNK_ROWS) * step;
  const count = min(CHUNK_ROWS, j.rows - chunk * CHUNK_ROWS);
  const end = x + <usize>count * step;
  const toAdd = add - j.x;
  for (; x < end; x += step) {
    for (let c: usize = 0; c < bytes; c += 16) {
      const at = terms + c;
      let value = normalized(v128.load(x + c), v128.load(at), v128.load(at + bytes));
      if (relu) value = f32x4.max(value, zero);
      if (adds) value = f32x4.add(value, v128.load(x + c + toAdd));
      if (reluLast) value = f32x4.max(value, zero);
      if (bytes == step) v128.store(y + c, value);
      else storeChannels(y + c, value, j.channels - <i32>(c >> 2));
    }
    y += step;
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

// How a loop over dy cuts it: not at all, by y, by the sign of n.
const UNCUT: i32 = 0;
const CUT_BY_Y: i32 = 1;
const CUT_BY_X: i32 = 2;

/** dy of four channels, cut where the fused ReLU let nothing through. `terms`: scale and shift. */
// @ts-ignore: decorator
@inline
function cutDy(cut: i32, dy: usize, y: usize, x: v128, terms: usize, bytes: usize): v128 {
  const zero = f32x4.splat(0);
  const d = v128.load(dy);
  if (cut == CUT_BY_Y) return v128.and(d, f32x4.gt(v128.load(y), zero));
  if (cut == CUT_BY_X) {
    return v128.and(d, f32x4.gt(normalized(x, v128.load(terms), v128.load(terms + bytes)), zero));
  }
  return d;
}

function gradientSumsChunk(chunk: i32): void {
  const j = job();
  if (j.y) sumRows(chunk, CUT_BY_Y);
  else if (j.flags & MASK_BY_X) sumRows(chunk, CUT_BY_X);
  else sumRows(chunk, UNCUT);
}

// @ts-ignore: decorator
@inline
function sumRows(chunk: i32, cut: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  const out = j.partials + <usize>chunk * bytes * 2;
  const size = <usize>min(CHUNK_ROWS, j.rows - first) * step;
  const x = j.x + <usize>first * step;
  const toDy = j.dy - j.x, toY = j.y - j.x;
  let c: usize = 0;
  // Sixteen channels are a line of memory: it is read once.
  for (; c + 64 <= bytes; c += 64) {
    const m = j.mean + c, t = j.terms + c;
    const m0 = v128.load(m), m1 = v128.load(m, 16), m2 = v128.load(m, 32), m3 = v128.load(m, 48);
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, q0 = s0, q1 = s0, q2 = s0, q3 = s0;
    const end = x + c + size;
    for (let at = x + c; at < end; at += step) {
      let v = v128.load(at);
      let d = cutDy(cut, at + toDy, at + toY, v, t, bytes);
      s0 = f32x4.add(s0, d);
      q0 = madd(d, f32x4.sub(v, m0), q0);
      v = v128.load(at, 16);
      d = cutDy(cut, at + toDy + 16, at + toY + 16, v, t + 16, bytes);
      s1 = f32x4.add(s1, d);
      q1 = madd(d, f32x4.sub(v, m1), q1);
      v = v128.load(at, 32);
      d = cutDy(cut, at + toDy + 32, at + toY + 32, v, t + 32, bytes);
      s2 = f32x4.add(s2, d);
      q2 = madd(d, f32x4.sub(v, m2), q2);
      v = v128.load(at, 48);
      d = cutDy(cut, at + toDy + 48, at + toY + 48, v, t + 48, bytes);
      s3 = f32x4.add(s3, d);
      q3 = madd(d, f32x4.sub(v, m3), q3);
    }
    const to = out + c;
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
    v128.store(to + bytes, q0);
    v128.store(to + bytes, q1, 16);
    v128.store(to + bytes, q2, 32);
    v128.store(to + bytes, q3, 48);
  }
  for (; c < bytes; c += 16) {
    const mean = v128.load(j.mean + c);
    let sum = f32x4.splat(0), squares = f32x4.splat(0);
    const end = x + c + size;
    for (let at = x + c; at < end; at += step) {
      const v = v128.load(at);
      const d = cutDy(cut, at + toDy, at + toY, v, j.terms + c, bytes);
      sum = f32x4.add(sum, d);
      squares = madd(d, f32x4.sub(v, mean), squares);
    }
    v128.store(out + c, sum);
    v128.store(out + bytes + c, squares);
  }
}

function gradientChunk(chunk: i32): void {
  const j = job();
  if (j.y) differentiateRows(chunk, CUT_BY_Y);
  else if (j.flags & MASK_BY_X) differentiateRows(chunk, CUT_BY_X);
  else differentiateRows(chunk, UNCUT);
}

// @ts-ignore: decorator
@inline
function differentiateRows(chunk: i32, cut: i32): void {
  const j = job();
  const first = <usize>(chunk * CHUNK_ROWS);
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  const terms = j.terms, factors = j.factors, mean = j.mean;
  const toDy = j.dy - j.x, toY = j.y - j.x, toDx = j.dx - j.x, toAdd = j.add - j.x;
  const adds = j.add != 0;
  const addsToDx = (j.flags & ACCUMULATE_DX) != 0, addsToAdd = (j.flags & ACCUMULATE_DADD) != 0;
  let x = j.x + first * step;
  const end = x + <usize>min(CHUNK_ROWS, j.rows - chunk * CHUNK_ROWS) * step;
  for (; x < end; x += step) {
    for (let c: usize = 0; c < bytes; c += 16) {
      const at = x + c;
      const v = v128.load(at);
      const d = cutDy(cut, at + toDy, at + toY, v, terms + c, bytes);
      const f = factors + c;
      let value = madd(
        f32x4.sub(v, v128.load(mean + c)), v128.load(f + bytes), v128.load(f + bytes * 2),
      );
      value = madd(d, v128.load(f), value);
      const left = bytes == step ? 4 : j.channels - <i32>(c >> 2);
      if (addsToDx) value = f32x4.add(value, v128.load(at + toDx));
      storeChannels(at + toDx, value, left);
      if (adds) {
        const sum = addsToAdd ? f32x4.add(d, v128.load(at + toAdd)) : d;
        storeChannels(at + toAdd, sum, left);
      }
    }
  }
}
