/**
 * Owns the optimizers: one pass over a variable, its state and its gradient, in place. The formulas
 * are those of TensorFlow.js's own optimizers.
 */
import { JOB, parallel } from './parallel';

const CHUNK: i32 = 16384;

@unmanaged
class OptimizerJob {
  variable: usize;
  gradient: usize;
  first: usize;
  second: usize;
  count: i32;
  learningRate: f32;
  beta1: f32;
  beta2: f32;
  correction1: f32;
  correction2: f32;
  epsilon: f32;
  nesterov: i32;
}

// @ts-ignore: decorator
@inline
function job(): OptimizerJob {
  return changetype<OptimizerJob>(JOB);
}

/**
 * Adam: first = β₁·first + (1-β₁)·g, second = β₂·second + (1-β₂)·g²,
 * variable -= rate · (first / correction1) / (√(second / correction2) + ε); correctionᵢ = 1 - βᵢ^step.
 */
export function adam(
  variable: usize, gradient: usize, first: usize, second: usize, count: i32, learningRate: f32,
  beta1: f32, beta2: f32, correction1: f32, correction2: f32, epsilon: f32,
): void {
  const j = job();
  j.variable = variable;
  j.gradient = gradient;
  j.first = first;
  j.second = second;
  j.count = count;
  j.learningRate = learningRate;
  j.beta1 = beta1;
  j.beta2 = beta2;
  j.correction1 = correction1;
  j.correction2 = correction2;
  j.epsilon = epsilon;
  parallel(adamChunk, (count + CHUNK - 1) / CHUNK);
}

function adamChunk(chunk: i32): void {
  const j = job();
  const last = min((chunk + 1) * CHUNK, j.count);
  const beta1 = f32x4.splat(j.beta1), rest1 = f32x4.splat(<f32>1 - j.beta1);
  const beta2 = f32x4.splat(j.beta2), rest2 = f32x4.splat(<f32>1 - j.beta2);
  const rate = f32x4.splat(j.learningRate / j.correction1);
  const scale2 = f32x4.splat(<f32>1 / j.correction2);
  const epsilon = f32x4.splat(j.epsilon);
  for (let i = chunk * CHUNK; i < last; i += 4) {
    const at = <usize>i << 2;
    const g = v128.load(j.gradient + at);
    const m = f32x4.add(f32x4.mul(beta1, v128.load(j.first + at)), f32x4.mul(rest1, g));
    const v = f32x4.add(
      f32x4.mul(beta2, v128.load(j.second + at)),
      f32x4.mul(rest2, f32x4.mul(g, g)),
    );
    v128.store(j.first + at, m);
    v128.store(j.second + at, v);
    const size = f32x4.add(f32x4.sqrt(f32x4.mul(v, scale2)), epsilon);
    const step = f32x4.div(f32x4.mul(rate, m), size);
    v128.store(j.variable + at, f32x4.sub(v128.load(j.variable + at), step));
  }
}

/**
 * SGD: velocity = momentum · velocity + g; variable -= rate · velocity, or with Nesterov's
 * momentum rate · (g + momentum · velocity). `velocity` 0: plain SGD.
 */
export function sgd(
  variable: usize, gradient: usize, velocity: usize, count: i32, learningRate: f32, momentum: f32,
  nesterov: i32,
): void {
  const j = job();
  j.variable = variable;
  j.gradient = gradient;
  j.first = velocity;
  j.count = count;
  j.learningRate = learningRate;
  j.beta1 = momentum;
  j.nesterov = nesterov;
  parallel(sgdChunk, (count + CHUNK - 1) / CHUNK);
}

function sgdChunk(chunk: i32): void {
  const j = job();
  const last = min((chunk + 1) * CHUNK, j.count);
  const rate = f32x4.splat(j.learningRate);
  const momentum = f32x4.splat(j.beta1);
  for (let i = chunk * CHUNK; i < last; i += 4) {
    const at = <usize>i << 2;
    const g = v128.load(j.gradient + at);
    let step = g;
    if (j.first) {
      const velocity = f32x4.add(f32x4.mul(momentum, v128.load(j.first + at)), g);
      v128.store(j.first + at, velocity);
      step = j.nesterov ? f32x4.add(g, f32x4.mul(momentum, velocity)) : velocity;
    }
    v128.store(j.variable + at, f32x4.sub(v128.load(j.variable + at), f32x4.mul(rate, step)));
  }
}
