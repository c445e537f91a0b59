/**
 * Starts the `wasm` backend in Node, for tests and measurements. The app starts it in
 * `startEngine.ts`, from binaries that the bundler knows.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { registerWasmKernels } from './wasmKernels.ts';

/** Makes `wasm`, with our kernels, the backend in use. May be called again. */
export async function startWasmInNode(): Promise<void> {
  const require = createRequire(import.meta.url);
  const binary = require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm');
  setWasmPaths(`${dirname(binary)}/`);
  registerWasmKernels();
  if (!(await tf.setBackend('wasm'))) throw new Error('The wasm backend did not start.');
}
