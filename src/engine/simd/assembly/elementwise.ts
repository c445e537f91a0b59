/**
 * Functions of single numbers and of pairs. Every tensor's block is rounded up to 64 bytes, so
 * the last vector may run over the end and no loop has a tail.
 *
 * An operation is a constant to an inlined loop; the optimizer leaves one tight loop for each.
 */
import { JOB, parallel } from './parallel';

/** Elements in a chunk; a multiple of 4. */
const CHUNK: i32 = 16384;

@unmanaged
class ElementwiseJob {
  op: i32;
  a: usize;
  b: usize;
  out: usize;
  count: i32;
  period: i32;
  mode: i32;
  alpha: f32;
}

// @ts-ignore: decorator
@inline
function job(): ElementwiseJob {
  return changetype<ElementwiseJob>(JOB);
}

/** e^x, relative error < 2e-7 (Cephes expf: halve by powers of two, polynomial on ±ln 2 / 2). */
export function exp4(value: v128): v128 {
  const high = f32x4.splat(88.3762626647949);
  const low = f32x4.splat(-87.3365478515625);
  const x = f32x4.max(f32x4.min(value, high), low);
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  // 2^n in two halves: n may be 128, which is no exponent.
  const k = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(k, 1);
  const one = i32x4.splat(127);
  p = f32x4.mul(p, i32x4.shl(i32x4.add(half, one), 23));
  p = f32x4.mul(p, i32x4.shl(i32x4.add(i32x4.sub(k, half), one), 23));
  p = v128.bitselect(f32x4.splat(Infinity), p, f32x4.gt(value, high));
  return v128.andnot(p, f32x4.lt(value, f32x4.splat(-103.9)));
}

/** Natural logarithm, relative error < 2e-7 (Cephes logf). */
export function log4(value: v128): v128 {
  // Subnormals are scaled into range first.
  const tiny = f32x4.lt(value, f32x4.splat(1.17549435e-38));
  const scaled = v128.bitselect(f32x4.mul(value, f32x4.splat(8388608)), value, tiny);
  const bits = i32x4.sub(scaled, i32x4.splat(0x3f3504f3)); // mantissa in [√½, √2)
  const exponent = i32x4.shr_s(bits, 23);
  const m = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));
  const x = f32x4.sub(m, f32x4.splat(1));
  let e = f32x4.convert_i32x4_s(exponent);
  e = f32x4.sub(e, v128.and(f32x4.splat(23), tiny));
  const z = f32x4.mul(x, x);
  let p = f32x4.splat(7.0376836292e-2);
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(-1.1514610310e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(1.1676998740e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(-1.2420140846e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(1.4249322787e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(-1.6668057665e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(2.0000714765e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(-2.4999993993e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(3.3333331174e-1));
  let y = f32x4.mul(f32x4.mul(p, x), z);
  y = f32x4.add(y, f32x4.mul(e, f32x4.splat(-2.12194440e-4)));
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)));
  y = f32x4.add(f32x4.add(x, y), f32x4.mul(e, f32x4.splat(0.693359375)));
  y = v128.bitselect(f32x4.splat(-Infinity), y, f32x4.eq(value, f32x4.splat(0)));
  y = v128.bitselect(value, y, f32x4.eq(value, f32x4.splat(Infinity)));
  // Negative or NaN in, NaN out.
  return v128.bitselect(y, f32x4.splat(NaN), f32x4.ge(value, f32x4.splat(0)));
}

function tanh4(x: v128): v128 {
  // Near zero 1 - 2 / (e^2x + 1) loses its digits: there a polynomial (Cephes tanhf).
  const z = f32x4.mul(x, x);
  let p = f32x4.splat(-5.70498872745e-3);
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(2.06390887954e-2));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-5.37397155531e-2));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(1.33314422036e-1));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-3.33332819422e-1));
  const near = f32x4.add(f32x4.mul(f32x4.mul(p, z), x), x);
  const e = exp4(f32x4.add(x, x));
  const far = f32x4.sub(f32x4.splat(1), f32x4.div(f32x4.splat(2), f32x4.add(e, f32x4.splat(1))));
  return v128.bitselect(near, far, f32x4.lt(f32x4.abs(x), f32x4.splat(0.625)));
}

// Unary operations; the numbers are those of operations.ts in JavaScript.
const RELU: i32 = 0, STEP: i32 = 1, EXP: i32 = 2, LOG: i32 = 3, SQRT: i32 = 4, RSQRT: i32 = 5,
  SQUARE: i32 = 6, NEG: i32 = 7, ABS: i32 = 8, SIGMOID: i32 = 9, TANH: i32 = 10,
  RECIPROCAL: i32 = 11, FLOOR: i32 = 12, CEIL: i32 = 13, RELU6: i32 = 14, LEAKY_RELU: i32 = 15;

// @ts-ignore: decorator
@inline
function applyUnary(op: i32, x: v128, alpha: v128): v128 {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  if (op == RELU) return f32x4.max(x, zero);
  if (op == STEP) {
    const stepped = v128.bitselect(one, alpha, f32x4.gt(x, zero));
    return v128.bitselect(stepped, x, f32x4.eq(x, x));
  }
  if (op == EXP) return exp4(x);
  if (op == LOG) return log4(x);
  if (op == SQRT) return f32x4.sqrt(x);
  if (op == RSQRT) return f32x4.div(one, f32x4.sqrt(x));
  if (op == SQUARE) return f32x4.mul(x, x);
  if (op == NEG) return f32x4.neg(x);
  if (op == ABS) return f32x4.abs(x);
  if (op == SIGMOID) return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
  if (op == TANH) return tanh4(x);
  if (op == RECIPROCAL) return f32x4.div(one, x);
  if (op == FLOOR) return f32x4.floor(x);
  if (op == CEIL) return f32x4.ceil(x);
  if (op == RELU6) return f32x4.min(f32x4.max(x, zero), f32x4.splat(6));
  return v128.bitselect(f32x4.mul(x, alpha), x, f32x4.lt(x, zero)); // LEAKY_RELU
}

// @ts-ignore: decorator
@inline
function unaryLoop(op: i32, chunk: i32): void {
  const first = chunk * CHUNK;
  const last = min(first + CHUNK, job().count);
  const alpha = f32x4.splat(job().alpha);
  let from = job().a + (<usize>first << 2);
  let to = job().out + (<usize>first << 2);
  for (let i = first; i < last; i += 4) {
    v128.store(to, applyUnary(op, v128.load(from), alpha));
    from += 16;
    to += 16;
  }
}

/** out = op(x). `alpha`: slope below zero of STEP and LEAKY_RELU. x and out may be the same. */
export function unary(op: i32, x: usize, out: usize, count: i32, alpha: f32): void {
  job().op = op;
  job().a = x;
  job().out = out;
  job().count = count;
  job().alpha = alpha;
  parallel(unaryChunk, (count + CHUNK - 1) / CHUNK);
}

function unaryChunk(chunk: i32): void {
  switch (job().op) {
    case RELU: unaryLoop(RELU, chunk); break;
    case STEP: unaryLoop(STEP, chunk); break;
    case EXP: unaryLoop(EXP, chunk); break;
    case LOG: unaryLoop(LOG, chunk); break;
    case SQRT: unaryLoop(SQRT, chunk); break;
    case RSQRT: unaryLoop(RSQRT, chunk); break;
    case SQUARE: unaryLoop(SQUARE, chunk); break;
    case NEG: unaryLoop(NEG, chunk); break;
    case ABS: unaryLoop(ABS, chunk); break;
    case SIGMOID: unaryLoop(SIGMOID, chunk); break;
    case TANH: unaryLoop(TANH, chunk); break;
    case RECIPROCAL: unaryLoop(RECIPROCAL, chunk); break;
    case FLOOR: unaryLoop(FLOOR, chunk); break;
    case CEIL: unaryLoop(CEIL, chunk); break;
    case RELU6: unaryLoop(RELU6, chunk); break;
    default: unaryLoop(LEAKY_RELU, chunk);
  }
}

// Binary operations; the numbers are those of operations.ts in JavaScript.
const ADD: i32 = 0, SUB: i32 = 1, MUL: i32 = 2, DIV: i32 = 3, MAXIMUM: i32 = 4, MINIMUM: i32 = 5,
  SQUARED_DIFFERENCE: i32 = 6;

// What the sides are.
const SAME: i32 = 0, SCALAR_B: i32 = 1, SCALAR_A: i32 = 2, REPEAT_B: i32 = 3;

// @ts-ignore: decorator
@inline
function applyBinary(op: i32, a: v128, b: v128): v128 {
  if (op == ADD) return f32x4.add(a, b);
  if (op == SUB) return f32x4.sub(a, b);
  if (op == MUL) return f32x4.mul(a, b);
  if (op == DIV) return f32x4.div(a, b);
  if (op == MAXIMUM) return f32x4.max(a, b);
  if (op == MINIMUM) return f32x4.min(a, b);
  const d = f32x4.sub(a, b); // SQUARED_DIFFERENCE
  return f32x4.mul(d, d);
}

// @ts-ignore: decorator
@inline
function binaryLoop(op: i32, chunk: i32): void {
  const mode = job().mode;
  if (mode == REPEAT_B) {
    repeatLoop(op, chunk);
    return;
  }
  const first = chunk * CHUNK;
  const last = min(first + CHUNK, job().count);
  let a = job().a + (mode == SCALAR_A ? 0 : <usize>first << 2);
  let b = job().b + (mode == SCALAR_B ? 0 : <usize>first << 2);
  let to = job().out + (<usize>first << 2);
  if (mode == SAME) {
    for (let i = first; i < last; i += 4) {
      v128.store(to, applyBinary(op, v128.load(a), v128.load(b)));
      a += 16;
      b += 16;
      to += 16;
    }
  } else if (mode == SCALAR_B) {
    const scalar = v128.load32_splat(b);
    for (let i = first; i < last; i += 4) {
      v128.store(to, applyBinary(op, v128.load(a), scalar));
      a += 16;
      to += 16;
    }
  } else {
    const scalar = v128.load32_splat(a);
    for (let i = first; i < last; i += 4) {
      v128.store(to, applyBinary(op, scalar, v128.load(b)));
      b += 16;
      to += 16;
    }
  }
}

/** Rows of `period` numbers against one row. Rows in a chunk fill about CHUNK numbers. */
// @ts-ignore: decorator
@inline
function repeatLoop(op: i32, chunk: i32): void {
  const period = job().period;
  const rows = job().count / period;
  const perChunk = rowsPerChunk(period);
  const first = chunk * perChunk;
  const last = min(first + perChunk, rows);
  const whole = period & ~3;
  for (let row = first; row < last; row++) {
    const a = job().a + (<usize>(row * period) << 2);
    const to = job().out + (<usize>(row * period) << 2);
    const b = job().b;
    for (let i = 0; i < whole; i += 4) {
      const at = <usize>i << 2;
      v128.store(to + at, applyBinary(op, v128.load(a + at), v128.load(b + at)));
    }
    for (let i = whole; i < period; i++) {
      const at = <usize>i << 2;
      const value = applyBinary(op, v128.load32_splat(a + at), v128.load32_splat(b + at));
      store<f32>(to + at, f32x4.extract_lane(value, 0));
    }
  }
}

function rowsPerChunk(period: i32): i32 {
  return max(1, CHUNK / period);
}

/**
 * out = op(a, b), `count` numbers. `mode` says whether a side is one number, or b one row of
 * `period` numbers that repeats.
 */
export function binary(
  op: i32, a: usize, b: usize, out: usize, count: i32, mode: i32, period: i32,
): void {
  job().op = op;
  job().a = a;
  job().b = b;
  job().out = out;
  job().count = count;
  job().mode = mode;
  job().period = period;
  if (mode == REPEAT_B) {
    const perChunk = rowsPerChunk(period);
    parallel(binaryChunk, (count / period + perChunk - 1) / perChunk);
  } else {
    parallel(binaryChunk, (count + CHUNK - 1) / CHUNK);
  }
}

function binaryChunk(chunk: i32): void {
  switch (job().op) {
    case ADD: binaryLoop(ADD, chunk); break;
    case SUB: binaryLoop(SUB, chunk); break;
    case MUL: binaryLoop(MUL, chunk); break;
    case DIV: binaryLoop(DIV, chunk); break;
    case MAXIMUM: binaryLoop(MAXIMUM, chunk); break;
    case MINIMUM: binaryLoop(MINIMUM, chunk); break;
    default: binaryLoop(SQUARED_DIFFERENCE, chunk);
  }
}

/**
 * Drops each number with probability `rate` and scales the rest by 1 / (1 - rate). The mask is a
 * hash of seed and position, so the gradient calls this again with the same seed instead of keeping
 * it (M. O'Neill's and C. Wellons's "lowbias32" mixer).
 */
export function dropout(x: usize, out: usize, count: i32, rate: f32, seed: i32): void {
  job().a = x;
  job().out = out;
  job().count = count;
  job().alpha = rate;
  job().period = seed;
  parallel(dropoutChunk, (count + CHUNK - 1) / CHUNK);
}

function dropoutChunk(chunk: i32): void {
  const first = chunk * CHUNK;
  const last = min(first + CHUNK, job().count);
  const scale = f32x4.splat(<f32>1 / (<f32>1 - job().alpha));
  // The upper 24 bits of the hash against the rate, as numbers in [0, 2^24).
  const threshold = i32x4.splat(<i32>(job().alpha * 16777216));
  const seed = i32x4.splat(job().period);
  let position = i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3));
  for (let i = first; i < last; i += 4) {
    const at = <usize>i << 2;
    let h = v128.xor(i32x4.mul(position, i32x4.splat(0x9e3779b1)), seed);
    h = v128.xor(h, i32x4.shr_u(h, 16));
    h = i32x4.mul(h, i32x4.splat(0x7feb352d));
    h = v128.xor(h, i32x4.shr_u(h, 15));
    h = i32x4.mul(h, i32x4.splat(0x846ca68b));
    h = v128.xor(h, i32x4.shr_u(h, 16));
    const kept = i32x4.ge_s(i32x4.shr_u(h, 8), threshold);
    v128.store(job().out + at, v128.and(f32x4.mul(v128.load(job().a + at), scale), kept));
    position = i32x4.add(position, i32x4.splat(4));
  }
}
