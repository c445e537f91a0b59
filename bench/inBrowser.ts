/**
 * Owns the browser of the benchmarks: serves their page isolated (so that threads work), and gives one page, with a worker and a backend of its own, for each system under test.
 */
import { buildKernels } from '../scripts/kernels.ts';
import { openBuiltPage } from './builtPage.ts';
import type { BenchWorkerApi, System } from './page/bench.worker.ts';

/** One page with one backend; `call` runs a function of its worker. */
export interface BenchPage {
  /** What the backend turned out to be. */
  readonly detail: string;
  call<Name extends keyof BenchWorkerApi>(
    name: Name,
    ...args: Parameters<BenchWorkerApi[Name]>
  ): Promise<Awaited<ReturnType<BenchWorkerApi[Name]>>>;
}

export interface BenchBrowser {
  /** Such as "Chromium 156.0". */
  readonly version: string;
  open(system: System): Promise<BenchPage>;
  /** Runs a function in a fresh page without a backend. */
  evaluate<Argument, Result>(
    run: (argument: Argument) => Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  close(): Promise<void>;
}

/** Cross-origin isolation, and nothing else: stock TensorFlow.js wants workers from blobs. */
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
};

/** @param entry the page to build, of bench/page/ */
export async function openBenchBrowser(entry = 'index.html'): Promise<BenchBrowser> {
  await buildKernels();
  const { browser, version, url, close } = await openBuiltPage('page', 'software', {
    entry,
    headers: HEADERS,
    // The tests of TensorFlow.js are nothing but side effects, which its package denies.
    treeshake: false,
  });
  return {
    version,
    close,
    async open(system) {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error));
      await page.goto(url);
      await page.waitForFunction(() => typeof globalThis.bench === 'function');
      const call = (name: string, ...args: readonly unknown[]): Promise<unknown> =>
        page.evaluate(
          ([kernel, values]) =>
            (globalThis.bench as (name: string, ...args: readonly unknown[]) => Promise<unknown>)(
              kernel,
              ...values,
            ),
          [name, args] as const,
        );
      const detail = await call('start', system);
      return { detail: String(detail), call: call as BenchPage['call'] };
    },
    async evaluate(run, argument) {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error));
      await page.goto(`${url}${entry}`, { waitUntil: 'load' });
      // Playwright unwraps handles inside arguments, which ours do not hold.
      const result = await page.evaluate(run as never, argument as never);
      await page.close();
      return result as Awaited<ReturnType<typeof run>>;
    },
  };
}
