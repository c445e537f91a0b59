/**
 * Gets tests and benches in Node the backend: binaries from disk, helper threads from
 * `node:worker_threads`.
 */
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { SimdBackend } from '../backend.ts';
import type { KernelOptions, Thread, ThreadStart } from '../kernels.ts';
import { registerSimdBackend } from '../register.ts';

const SERVE = `
  const { workerData: { module, memory, index, numThreads } } = require('node:worker_threads');
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.initThread(index, numThreads, 1);
  exports.serve();
`;

function startThread(start: ThreadStart): Thread {
  const worker = new Worker(SERVE, { eval: true, workerData: start });
  worker.unref();
  return { terminate: () => void worker.terminate() };
}

/** Reads a binary that `npm run build:kernels` made. */
async function loadBinary(name: string): Promise<BufferSource> {
  return new Uint8Array(await readFile(new URL(`../build/${name}`, import.meta.url)));
}

/** The options under which the kernels run in Node. */
export const NODE_OPTIONS: KernelOptions = { numThreads: 1, loadBinary, startThread };

export function registerInNode(options: KernelOptions = {}): Promise<SimdBackend> {
  return registerSimdBackend({ ...NODE_OPTIONS, ...options });
}
