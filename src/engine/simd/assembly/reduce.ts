/**
 * Sums, maxima and minima over the middle axis of [outer, size, inner], softmax over the last.
 * JavaScript brings every reduction into this form.
 */
import { exp4 } from './elementwise';
import { JOB, parallel } from './parallel';

const SUM: i32 = 0, MAX: i32 = 1, MIN: i32 = 2, PROD: i32 = 3;

@unmanaged
class ReduceJob {
  op: i32;
  x: usize;
  out: usize;
  partials: usize;
  outer: i32;
  size: i32;
  inner: i32;
  pieces: i32;
  scale: f32;
}

// @ts-ignore: decorator
@inline
function job(): ReduceJob {
  return changetype<ReduceJob>(JOB);
}

// @ts-ignore: decorator
@inline
function combine(op: i32, a: v128, b: v128): v128 {
  if (op == SUM) return f32x4.add(a, b);
  if (op == MAX) return f32x4.max(a, b);
  if (op == MIN) return f32x4.min(a, b);
  return f32x4.mul(a, b);
}

// @ts-ignore: decorator
@inline
function combine1(op: i32, a: f32, b: f32): f32 {
  if (op == SUM) return a + b;
  if (op == MAX) return max<f32>(a, b);
  if (op == MIN) return min<f32>(a, b);
  return a * b;
}

function identity(op: i32): f32 {
  return op == SUM ? 0 : op == MAX ? -Infinity : op == MIN ? Infinity : 1;
}

/** Rows of the middle axis that one partial sums: short sums also round less. */
const PIECE: i32 = 512;

/** Bytes of shared workspace for `reduce`. */
export function reduceWorkspace(outer: i32, size: i32, inner: i32): usize {
  return <usize>outer * <usize>piecesOf(size) * <usize>inner * 4;
}

function piecesOf(size: i32): i32 {
  return (size + PIECE - 1) / PIECE;
}

/** out[outer][inner] = scale · op over the middle axis of x[outer][size][inner]. size ≥ 1. */
export function reduce(
  op: i32, x: usize, out: usize, partials: usize, outer: i32, size: i32, inner: i32, scale: f32,
): void {
  job().op = op;
  job().x = x;
  job().out = out;
  job().partials = partials;
  job().outer = outer;
  job().size = size;
  job().inner = inner;
  job().pieces = piecesOf(size);
  job().scale = scale;
  const numJobs = outer * job().pieces;
  // One chunk does several short reductions: at least 16384 numbers where there are as many.
  job().outer = numJobs;
  const perChunk = max(1, 16384 / max(1, min(size, PIECE) * inner));
  const numChunks = (numJobs + perChunk - 1) / perChunk;
  parallel(reduceChunk, numChunks);
  combinePieces(outer);
}

function reduceChunk(chunk: i32): void {
  const j = job();
  const perChunk = max(1, 16384 / max(1, min(j.size, PIECE) * j.inner));
  const last = min((chunk + 1) * perChunk, j.outer);
  for (let piece = chunk * perChunk; piece < last; piece++) {
    const outer = piece / j.pieces;
    const first = (piece % j.pieces) * PIECE;
    const count = min(PIECE, j.size - first);
    const from = j.x + (<usize>(outer * j.size + first) * <usize>j.inner) * 4;
    const to = j.partials + (<usize>piece * <usize>j.inner) * 4;
    switch (j.op) {
      case SUM: reducePiece(SUM, from, to, count, j.inner); break;
      case MAX: reducePiece(MAX, from, to, count, j.inner); break;
      case MIN: reducePiece(MIN, from, to, count, j.inner); break;
      default: reducePiece(PROD, from, to, count, j.inner);
    }
  }
}

// @ts-ignore: decorator
@inline
function reducePiece(op: i32, from: usize, to: usize, count: i32, inner: i32): void {
  if (inner == 1) {
    let sum = f32x4.splat(identity(op));
    const whole = count & ~3;
    for (let i = 0; i < whole; i += 4) sum = combine(op, sum, v128.load(from + (<usize>i << 2)));
    let result = combine1(
      op,
      combine1(op, f32x4.extract_lane(sum, 0), f32x4.extract_lane(sum, 1)),
      combine1(op, f32x4.extract_lane(sum, 2), f32x4.extract_lane(sum, 3)),
    );
    for (let i = whole; i < count; i++) result = combine1(op, result, load<f32>(from + (<usize>i << 2)));
    store<f32>(to, result);
    return;
  }
  const step = <usize>inner << 2;
  const whole = inner & ~3;
  for (let c = 0; c < whole; c += 4) {
    let at = from + (<usize>c << 2);
    let sum = v128.load(at);
    for (let i = 1; i < count; i++) {
      at += step;
      sum = combine(op, sum, v128.load(at));
    }
    v128.store(to + (<usize>c << 2), sum);
  }
  for (let c = whole; c < inner; c++) {
    let at = from + (<usize>c << 2);
    let sum = load<f32>(at);
    for (let i = 1; i < count; i++) {
      at += step;
      sum = combine1(op, sum, load<f32>(at));
    }
    store<f32>(to + (<usize>c << 2), sum);
  }
}

function combinePieces(outer: i32): void {
  const j = job();
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < j.inner; c++) {
      let at = j.partials + (<usize>(o * j.pieces * j.inner + c) << 2);
      let sum = load<f32>(at);
      for (let i = 1; i < j.pieces; i++) {
        at += <usize>j.inner << 2;
        const value = load<f32>(at);
        sum = j.op == SUM ? sum + value
          : j.op == MAX ? max<f32>(sum, value)
          : j.op == MIN ? min<f32>(sum, value)
          : sum * value;
      }
      store<f32>(j.out + (<usize>(o * j.inner + c) << 2), sum * j.scale);
    }
  }
}

/** out[outer][inner] (i32): where along the middle axis the first greatest or least number lies. */
export function argReduce(least: i32, x: usize, out: usize, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      let at = x + (<usize>(o * size * inner + c) << 2);
      let best = load<f32>(at);
      let where = 0;
      for (let i = 1; i < size; i++) {
        at += <usize>inner << 2;
        const value = load<f32>(at);
        if (least ? value < best : value > best) {
          best = value;
          where = i;
        }
      }
      store<i32>(out + (<usize>(o * inner + c) << 2), where);
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Softmax over the last axis

@unmanaged
class SoftmaxJob {
  logits: usize;
  probabilities: usize;
  rows: i32;
  classes: i32;
}

/** Rows in a chunk. */
const SOFTMAX_ROWS: i32 = 64;

/** out = softmax(logits). */
export function softmax(logits: usize, out: usize, rows: i32, classes: i32): void {
  const j = changetype<SoftmaxJob>(JOB);
  j.logits = logits;
  j.probabilities = out;
  j.rows = rows;
  j.classes = classes;
  parallel(softmaxChunk, (rows + SOFTMAX_ROWS - 1) / SOFTMAX_ROWS);
}

function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

function softmaxChunk(chunk: i32): void {
  const j = changetype<SoftmaxJob>(JOB);
  const last = min((chunk + 1) * SOFTMAX_ROWS, j.rows);
  const bytes = <usize>j.classes << 2;
  for (let row = chunk * SOFTMAX_ROWS; row < last; row++) {
    const from = j.logits + <usize>row * bytes;
    const to = j.probabilities + <usize>row * bytes;
    let greatest: f32 = -Infinity;
    for (let at: usize = 0; at < bytes; at += 4) greatest = max<f32>(greatest, load<f32>(from + at));
    let sum: f32 = 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const e = exp1(load<f32>(from + at) - greatest);
      store<f32>(to + at, e);
      sum += e;
    }
    const scale: f32 = <f32>1 / sum;
    for (let at: usize = 0; at < bytes; at += 4) store<f32>(to + at, load<f32>(to + at) * scale);
  }
}
