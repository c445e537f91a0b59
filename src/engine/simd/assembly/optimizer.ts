/**
 * The optimizers: one pass over a run of weights, their state and their gradients, in place; and what
 * else reads all weights of a network. Runs are whole cache lines, so no loop has a tail.
 */
import { JOB, parallel } from './parallel';

const CHUNK: i32 = 16384;

@unmanaged
class OptimizerJob {
  weights: usize;
  gradients: usize;
  first: usize;
  second: usize;
  count: i32;
  learningRate: f32;
  beta1: f32;
  beta2: f32;
  correction2: f32;
  epsilon: f32;
  kept: f32;
  gradientScale: f32;
  nesterov: i32;
  partials: usize;
}

// @ts-ignore: decorator
@inline
function job(): OptimizerJob {
  return changetype<OptimizerJob>(JOB);
}

function numChunks(count: i32): i32 {
  return (count + CHUNK - 1) / CHUNK;
}

/**
 * Adam: first = β₁·first + (1-β₁)·g, second = β₂·second + (1-β₂)·g²,
 * weight = kept · weight - rate · (first / correction1) / (√(second / correction2) + ε), where
 * g = gradientScale · gradient and correctionᵢ = 1 - βᵢ^step.
 */
export function adam(
  weights: usize, gradients: usize, first: usize, second: usize, count: i32, learningRate: f32,
  kept: f32, gradientScale: f32,
  beta1: f32, beta2: f32, correction1: f32, correction2: f32, epsilon: f32,
): void {
  const j = job();
  j.weights = weights;
  j.gradients = gradients;
  j.first = first;
  j.second = second;
  j.count = count;
  j.learningRate = learningRate / correction1;
  j.kept = kept;
  j.gradientScale = gradientScale;
  j.beta1 = beta1;
  j.beta2 = beta2;
  j.correction2 = correction2;
  j.epsilon = epsilon;
  parallel(adamChunk, numChunks(count));
}

function adamChunk(chunk: i32): void {
  const j = job();
  const last = min((chunk + 1) * CHUNK, j.count);
  const beta1 = f32x4.splat(j.beta1), rest1 = f32x4.splat(<f32>1 - j.beta1);
  const beta2 = f32x4.splat(j.beta2), rest2 = f32x4.splat(<f32>1 - j.beta2);
  const rate = f32x4.splat(j.learningRate);
  const scale2 = f32x4.splat(<f32>1 / j.correction2);
  const epsilon = f32x4.splat(j.epsilon);
  const kept = f32x4.splat(j.kept), gradientScale = f32x4.splat(j.gradientScale);
  for (let i = chunk * CHUNK; i < last; i += 4) {
    const at = <usize>i << 2;
    const g = f32x4.mul(v128.load(j.gradients + at), gradientScale);
    const m = f32x4.add(f32x4.mul(beta1, v128.load(j.first + at)), f32x4.mul(rest1, g));
    const v = f32x4.add(
      f32x4.mul(beta2, v128.load(j.second + at)),
      f32x4.mul(rest2, f32x4.mul(g, g)),
    );
    v128.store(j.first + at, m);
    v128.store(j.second + at, v);
    const size = f32x4.add(f32x4.sqrt(f32x4.mul(v, scale2)), epsilon);
    const step = f32x4.div(f32x4.mul(rate, m), size);
    const weight = f32x4.mul(kept, v128.load(j.weights + at));
    v128.store(j.weights + at, f32x4.sub(weight, step));
  }
}

/**
 * SGD: velocity = momentum · velocity + g; weight = kept · weight - rate · velocity, or with
 * Nesterov's momentum rate · (g + momentum · velocity), where g = gradientScale · gradient.
 */
export function sgd(
  weights: usize, gradients: usize, velocity: usize, count: i32, learningRate: f32,
  kept: f32, gradientScale: f32, momentum: f32, nesterov: i32,
): void {
  const j = job();
  j.weights = weights;
  j.gradients = gradients;
  j.first = velocity;
  j.count = count;
  j.learningRate = learningRate;
  j.kept = kept;
  j.gradientScale = gradientScale;
  j.beta1 = momentum;
  j.nesterov = nesterov;
  parallel(sgdChunk, numChunks(count));
}

function sgdChunk(chunk: i32): void {
  const j = job();
  const last = min((chunk + 1) * CHUNK, j.count);
  const rate = f32x4.splat(j.learningRate);
  const momentum = f32x4.splat(j.beta1);
  const kept = f32x4.splat(j.kept), gradientScale = f32x4.splat(j.gradientScale);
  for (let i = chunk * CHUNK; i < last; i += 4) {
    const at = <usize>i << 2;
    const g = f32x4.mul(v128.load(j.gradients + at), gradientScale);
    const velocity = f32x4.add(f32x4.mul(momentum, v128.load(j.first + at)), g);
    v128.store(j.first + at, velocity);
    const step = j.nesterov ? f32x4.add(g, f32x4.mul(momentum, velocity)) : velocity;
    const weight = f32x4.mul(kept, v128.load(j.weights + at));
    v128.store(j.weights + at, f32x4.sub(weight, f32x4.mul(rate, step)));
  }
}

/** average = kept · average + (1 - kept) · value. */
export function blend(average: usize, value: usize, count: i32, kept: f32): void {
  const j = job();
  j.weights = average;
  j.gradients = value;
  j.count = count;
  j.kept = kept;
  parallel(blendChunk, numChunks(count));
}

function blendChunk(chunk: i32): void {
  const j = job();
  const last = min((chunk + 1) * CHUNK, j.count);
  const kept = f32x4.splat(j.kept), rest = f32x4.splat(<f32>1 - j.kept);
  for (let i = chunk * CHUNK; i < last; i += 4) {
    const at = <usize>i << 2;
    const old = f32x4.mul(kept, v128.load(j.weights + at));
    v128.store(j.weights + at, f32x4.add(old, f32x4.mul(rest, v128.load(j.gradients + at))));
  }
}

/** Bytes of shared workspace for `sumOfSquares`. */
export function squaresWorkspace(count: i32): usize {
  return <usize>numChunks(count) * 8;
}

/** Σ x²; not finite where a number is not. */
export function sumOfSquares(x: usize, partials: usize, count: i32): f64 {
  const j = job();
  j.weights = x;
  j.partials = partials;
  j.count = count;
  parallel(squaresChunk, numChunks(count));
  let sum: f64 = 0;
  for (let i = 0; i < numChunks(count); i++) sum += load<f64>(partials + (<usize>i << 3));
  return sum;
}

function squaresChunk(chunk: i32): void {
  const j = job();
  const last = min((chunk + 1) * CHUNK, j.count);
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (let i = chunk * CHUNK; i < last; i += 4) {
    const x = v128.load(j.weights + (<usize>i << 2));
    const a = f64x2.promote_low_f32x4(x);
    const b = f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const sum = f64x2.add(low, high);
  store<f64>(
    j.partials + (<usize>chunk << 3), f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1),
  );
}
