/**
 * The entry of the CPU backend: `await registerSimdBackend()`, then `tf.setBackend('simd')`.
 */
import * as tf from '@tensorflow/tfjs';
import { BACKEND_NAME, SimdBackend } from './backend.ts';
import { type KernelOptions, Kernels } from './kernels.ts';
import { registerKernels } from './nativeKernels.ts';

/**
 * Loads the kernels, starts their threads and registers the backend 'simd' with TensorFlow.js. Calls
 * after the first return the same backend.
 *
 * @throws Error where the browser lacks WebAssembly SIMD or the binaries cannot be loaded
 */
export async function registerSimdBackend(options: KernelOptions = {}): Promise<SimdBackend> {
  if (!tf.engine().registryFactory[BACKEND_NAME]) {
    const kernels = await Kernels.load(options);
    registerKernels();
    // Priority 0: never chosen by itself; the engine decides.
    tf.registerBackend(BACKEND_NAME, () => new SimdBackend(kernels), 0);
  }
  const backend = tf.engine().findBackend(BACKEND_NAME);
  if (!(backend instanceof SimdBackend)) throw new Error('The name of the CPU backend is taken.');
  return backend;
}
