/** The page of the benchmarks: hands what Node asks for to a fresh worker, as the app does. */
import { wrap } from 'comlink';
import type { BenchWorkerApi } from './bench.worker.ts';

declare global {
  /** What Node calls through Playwright. */
  var bench: <Name extends keyof BenchWorkerApi>(
    name: Name,
    ...args: Parameters<BenchWorkerApi[Name]>
  ) => Promise<Awaited<ReturnType<BenchWorkerApi[Name]>>>;
}

const worker = new Worker(new URL('./bench.worker.ts', import.meta.url), { type: 'module' });
const api = wrap<BenchWorkerApi>(worker);

globalThis.bench = async (name, ...args) => {
  const call = api[name] as unknown as (...values: unknown[]) => Promise<never>;
  return call(...args);
};
