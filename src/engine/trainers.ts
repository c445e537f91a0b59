/** Finds who takes a network's training steps on the backend in charge. */
import type { Trainer, TrainerRequest } from './contract.ts';
import { SimdTrainer } from './simd/simdTrainer.ts';
import { StockTrainer } from './stock/stockTrainer.ts';

/**
 * The backend's own trainer where it has one for this network, else TensorFlow.js's operations, which
 * take every network on every backend. The caller disposes it.
 */
export async function createTrainer(request: TrainerRequest): Promise<Trainer> {
  return SimdTrainer.create(request) ?? new StockTrainer(request);
}
