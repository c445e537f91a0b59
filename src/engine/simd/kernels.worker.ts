/**
 * One helper thread of the CPU backend: an instance of the kernels over the shared memory that looks
 * for work for ever. It ends when its owner terminates it.
 */
import type { ThreadStart } from './kernels.ts';

addEventListener('message', async ({ data }: MessageEvent<ThreadStart>) => {
  const { module, memory, index, numThreads } = data;
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const { initThread, serve } = exports;
  if (typeof initThread !== 'function' || typeof serve !== 'function') {
    throw new Error('The CPU kernels lack what a thread needs.');
  }
  initThread(index, numThreads, 1);
  serve();
});
