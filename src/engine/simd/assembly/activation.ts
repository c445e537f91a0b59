/**
 * Activations between layers and their gradients, each one pass over memory. Every tensor's block is
 * rounded up to 64 bytes, so the last vector may run over the end.
 */
import { exp4 } from './elementwise';
import { JOB, parallel } from './parallel';

// The numbers are those of operations.ts in JavaScript.
const RELU: i32 = 0, LEAKY_RELU: i32 = 1, SILU: i32 = 2, GELU: i32 = 3, SIGMOID: i32 = 4;

/** Numbers in a chunk; a multiple of 4. */
const CHUNK: i32 = 16384;

@unmanaged
class ActivationJob {
  op: i32;
  from: usize;
  dy: usize;
  to: usize;
  count: i32;
  slope: f32;
}

// @ts-ignore: decorator
@inline
function job(): ActivationJob {
  return changetype<ActivationJob>(JOB);
}

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/**
 * The share of a normal distribution below x: (1 + erf(x / √2)) / 2, error < 1e-7 (Abramowitz and
 * Stegun, 7.1.26).
 */
function normalShare4(x: v128): v128 {
  const one = f32x4.splat(1);
  const z = f32x4.mul(f32x4.abs(x), f32x4.splat(0.7071067811865476));
  const t = f32x4.div(one, f32x4.add(one, f32x4.mul(z, f32x4.splat(0.3275911))));
  let p = f32x4.splat(1.061405429);
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-1.453152027));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(1.421413741));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-0.284496736));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.254829592));
  const tail = f32x4.mul(f32x4.mul(p, t), exp4(f32x4.neg(f32x4.mul(z, z))));
  // Half of the tail lies beyond |x|.
  const beyond = f32x4.mul(tail, f32x4.splat(0.5));
  return v128.bitselect(beyond, f32x4.sub(one, beyond), f32x4.lt(x, f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function apply(op: i32, x: v128, slope: v128): v128 {
  if (op == RELU) return f32x4.max(x, f32x4.splat(0));
  if (op == LEAKY_RELU) return v128.bitselect(f32x4.mul(x, slope), x, f32x4.lt(x, f32x4.splat(0)));
  if (op == SILU) return f32x4.mul(x, sigmoid4(x));
  if (op == GELU) return f32x4.mul(x, normalShare4(x));
  return sigmoid4(x);
}

/** How the result changes, from the input (SiLU, GELU) or the result itself (the others). */
// @ts-ignore: decorator
@inline
function derivative(op: i32, value: v128, slope: v128): v128 {
  const one = f32x4.splat(1), zero = f32x4.splat(0);
  if (op == RELU) return v128.and(one, f32x4.gt(value, zero));
  if (op == LEAKY_RELU) return v128.bitselect(one, slope, f32x4.gt(value, zero));
  if (op == SILU) {
    const s = sigmoid4(value);
    return f32x4.mul(s, f32x4.add(one, f32x4.mul(value, f32x4.sub(one, s))));
  }
  if (op == GELU) {
    const density = f32x4.mul(
      exp4(f32x4.mul(f32x4.mul(value, value), f32x4.splat(-0.5))), f32x4.splat(0.3989422804014327),
    );
    return f32x4.add(normalShare4(value), f32x4.mul(value, density));
  }
  return f32x4.mul(value, f32x4.sub(one, value)); // SIGMOID
}

/** y = op(x). `slope`: of a leaky ReLU below zero. */
export function activate(op: i32, x: usize, y: usize, count: i32, slope: f32): void {
  const j = job();
  j.op = op;
  j.from = x;
  j.to = y;
  j.count = count;
  j.slope = slope;
  parallel(activateChunk, (count + CHUNK - 1) / CHUNK);
}

function activateChunk(chunk: i32): void {
  switch (job().op) {
    case RELU: activateLoop(RELU, chunk); break;
    case LEAKY_RELU: activateLoop(LEAKY_RELU, chunk); break;
    case SILU: activateLoop(SILU, chunk); break;
    case GELU: activateLoop(GELU, chunk); break;
    default: activateLoop(SIGMOID, chunk);
  }
}

// @ts-ignore: decorator
@inline
function activateLoop(op: i32, chunk: i32): void {
  const j = job();
  const slope = f32x4.splat(j.slope);
  const end = <usize>min((chunk + 1) * CHUNK, j.count) << 2;
  for (let at = <usize>(chunk * CHUNK) << 2; at < end; at += 16) {
    v128.store(j.to + at, apply(op, v128.load(j.from + at), slope));
  }
}

/**
 * dx = dy · op′. `from`: the input of SiLU and GELU, the output of the others. dx and dy may be the
 * same.
 */
export function activateGradient(
  op: i32, from: usize, dy: usize, dx: usize, count: i32, slope: f32,
): void {
  const j = job();
  j.op = op;
  j.from = from;
  j.dy = dy;
  j.to = dx;
  j.count = count;
  j.slope = slope;
  parallel(gradientChunk, (count + CHUNK - 1) / CHUNK);
}

function gradientChunk(chunk: i32): void {
  switch (job().op) {
    case RELU: gradientLoop(RELU, chunk); break;
    case LEAKY_RELU: gradientLoop(LEAKY_RELU, chunk); break;
    case SILU: gradientLoop(SILU, chunk); break;
    case GELU: gradientLoop(GELU, chunk); break;
    default: gradientLoop(SIGMOID, chunk);
  }
}

// @ts-ignore: decorator
@inline
function gradientLoop(op: i32, chunk: i32): void {
  const j = job();
  const slope = f32x4.splat(j.slope);
  const end = <usize>min((chunk + 1) * CHUNK, j.count) << 2;
  for (let at = <usize>(chunk * CHUNK) << 2; at < end; at += 16) {
    const d = derivative(op, v128.load(j.from + at), slope);
    v128.store(j.to + at, f32x4.mul(v128.load(j.dy + at), d));
  }
}
