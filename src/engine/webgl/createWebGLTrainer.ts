/** Training steps by our shaders on WebGL, where they are right on this device. */
import type { Trainer, TrainerRequest } from '../contract.ts';
import { isRemoved } from './replacements.ts';
import { trainsRightly } from './selfCheck.ts';
import { WebGLTrainer } from './webglTrainer.ts';

/**
 * The caller disposes it.
 * @returns null where another backend is in charge, the shaders are wrong on this device, or it has
 * not what the network needs.
 */
export async function createWebGLTrainer(request: TrainerRequest): Promise<Trainer | null> {
  if (isRemoved('TrainingStep')) return null;
  return (await trainsRightly(request.network)) ? WebGLTrainer.create(request) : null;
}
