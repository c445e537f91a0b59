/** Finds who takes a network's training steps on the backend in charge. */
import * as tf from '@tensorflow/tfjs';
import { BACKEND_TITLES } from './backends.ts';
import type { Trainer, TrainerRequest } from './contract.ts';
import { SimdTrainer } from './simd/simdTrainer.ts';
import { StockTrainer } from './stock/stockTrainer.ts';
import { createWebGLTrainer } from './webgl/createWebGLTrainer.ts';

/**
 * The backend's own trainer where it has one that takes this network, else TensorFlow.js's operations,
 * which take every network on every backend. The caller disposes it.
 */
export async function createTrainer(request: TrainerRequest): Promise<Trainer> {
  const simd = SimdTrainer.create(request);
  if (simd) return simd;
  const webgl = await createWebGLTrainer(request);
  if (webgl) return webgl;
  const note =
    tf.getBackend() === 'webgl'
      ? `${BACKEND_TITLES.webgl} cannot take whole training steps of this network on this device: TensorFlow.js’s own operations train it, which is slower.`
      : null;
  return new StockTrainer(request, note);
}
