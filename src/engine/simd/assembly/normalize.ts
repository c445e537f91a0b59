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
  scale: usize;
  shift: usize;
  partials: usize;
  rows: i32;
  channels: i32;
  relu: i32;
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

/** Bytes of shared workspace for this module. Two rows of channels a chunk, and four more. */
export function normWorkspace(rows: i32, channels: i32): usize {
  return (<usize>numChunks(rows) * 2 + 4) * <usize>((channels + 3) & ~3) * 4;
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

/**
 * y = (x - mean) / √(variance + epsilon) · gamma + beta, then ReLU where asked. gamma, beta 0: 1, 0.
 */
export function normalize(
  x: usize, mean: usize, variance: usize, gamma: usize, beta: usize, y: usize, partials: usize,
  rows: i32, channels: i32, epsilon: f32, relu: i32,
): void {
  const j = job();
  j.x = x;
  j.y = y;
  j.rows = rows;
  j.channels = channels;
  j.relu = relu;
  j.scale = partials;
  j.shift = partials + vectorBytes();
  const bytes = <usize>channels << 2;
  for (let c: usize = 0; c < bytes; c += 4) {
    const g: f32 = gamma ? load<f32>(gamma + c) : 1;
    const b: f32 = beta ? load<f32>(beta + c) : 0;
    const scale = g / sqrt<f32>(load<f32>(variance + c) + epsilon);
    store<f32>(j.scale + c, scale);
    store<f32>(j.shift + c, b - load<f32>(mean + c) * scale);
  }
  parallel(normalizeChunk, numChunks(rows));
}

function normalizeChunk(chunk: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const last = min(first + CHUNK_ROWS, j.rows);
  const bytes = vectorBytes();
  const zero = f32x4.splat(0);
  for (let row = first; row < last; row++) {
    const offset = <usize>row * (<usize>j.channels << 2);
    for (let c: usize = 0; c < bytes; c += 16) {
      let value = f32x4.add(
        f32x4.mul(v128.load(j.x + offset + c), v128.load(j.scale + c)),
        v128.load(j.shift + c),
      );
      if (j.relu) value = f32x4.max(value, zero);
      storeChannels(j.y + offset + c, value, j.channels - <i32>(c >> 2));
    }
  }
}

/**
 * The gradient of `normalize` with the batch's own moments: dx, dGamma, dBeta from dy. `y` not 0: a
 * ReLU was fused, and dy counts only where y > 0. gamma 0: 1.
 */
export function normalizeGradient(
  x: usize, y: usize, dy: usize, mean: usize, variance: usize, gamma: usize,
  dx: usize, dGamma: usize, dBeta: usize, partials: usize,
  rows: i32, channels: i32, epsilon: f32,
): void {
  const j = job();
  j.x = x;
  j.y = y;
  j.dy = dy;
  j.dx = dx;
  j.mean = mean;
  j.variance = variance;
  j.partials = partials;
  j.rows = rows;
  j.channels = channels;
  parallel(gradientSumsChunk, numChunks(rows));

  // dx = a · dy + b · (x - mean) + c, a channel at a time; a, b, c lie behind the partials.
  const bytes = vectorBytes();
  const count = numChunks(rows);
  const terms = partials + <usize>count * bytes * 2;
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
    store<f32>(terms + at, g * inverse);
    store<f32>(terms + bytes + at, -g * inverse * inverse * dG / n);
    store<f32>(terms + bytes * 2 + at, -g * inverse * sumDy / n);
  }
  j.scale = terms;
  parallel(gradientChunk, count);
}

function gradientSumsChunk(chunk: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const count = min(CHUNK_ROWS, j.rows - first);
  const step = <usize>j.channels << 2;
  const bytes = vectorBytes();
  const out = j.partials + <usize>chunk * bytes * 2;
  const zero = f32x4.splat(0);
  for (let c: usize = 0; c < bytes; c += 16) {
    const mean = v128.load(j.mean + c);
    let sumDy = zero, sumDyX = zero;
    let at = <usize>first * step + c;
    for (let r = 0; r < count; r++) {
      let d = v128.load(j.dy + at);
      if (j.y) d = v128.and(d, f32x4.gt(v128.load(j.y + at), zero));
      sumDy = f32x4.add(sumDy, d);
      sumDyX = f32x4.add(sumDyX, f32x4.mul(d, f32x4.sub(v128.load(j.x + at), mean)));
      at += step;
    }
    v128.store(out + c, sumDy);
    v128.store(out + bytes + c, sumDyX);
  }
}

function gradientChunk(chunk: i32): void {
  const j = job();
  const first = chunk * CHUNK_ROWS;
  const last = min(first + CHUNK_ROWS, j.rows);
  const bytes = vectorBytes();
  const zero = f32x4.splat(0);
  const scale = j.scale;
  for (let row = first; row < last; row++) {
    const offset = <usize>row * (<usize>j.channels << 2);
    for (let c: usize = 0; c < bytes; c += 16) {
      let d = v128.load(j.dy + offset + c);
      if (j.y) d = v128.and(d, f32x4.gt(v128.load(j.y + offset + c), zero));
      let value = f32x4.mul(d, v128.load(scale + c));
      const centred = f32x4.sub(v128.load(j.x + offset + c), v128.load(j.mean + c));
      value = f32x4.add(value, f32x4.mul(centred, v128.load(scale + bytes + c)));
      value = f32x4.add(value, v128.load(scale + bytes * 2 + c));
      storeChannels(j.dx + offset + c, value, j.channels - <i32>(c >> 2));
    }
  }
}
