/**
 * Owns the browser of the benchmarks: builds their page, serves it isolated (so that threads work),
 * and gives one page, with a worker and a backend of its own, for each system under test.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright';
import { build } from 'vite';
import { ensureBrowser, launchOptions } from '../scripts/browser.ts';
import { buildKernels } from '../scripts/kernels.ts';
import { serve } from '../scripts/serve.ts';
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
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-'));
  await build({
    configFile: false,
    root: join(import.meta.dirname, 'page'),
    base: './',
    logLevel: 'error',
    worker: { format: 'es' },
    // Jasmine looks for Node's name of the global object.
    define: { global: 'globalThis' },
    // Stock wasm with threads sends its own source text to its workers; minified, that text breaks.
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
      rollupOptions: {
        input: join(import.meta.dirname, 'page', entry),
        // The tests of TensorFlow.js are nothing but side effects, which its package denies.
        treeshake: false,
      },
    },
  });
  const server = await serve({ folder, headers: HEADERS });
  const browser: Browser = await chromium.launch(launchOptions(await ensureBrowser(), 'software'));
  return {
    version: `Chromium ${browser.version()}`,
    async open(system) {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error));
      await page.goto(server.url);
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
      await page.goto(`${server.url}${entry}`, { waitUntil: 'load' });
      // Playwright unwraps handles inside arguments, which ours do not hold.
      const result = await page.evaluate(run as never, argument as never);
      await page.close();
      return result as Awaited<ReturnType<typeof run>>;
    },
    async close() {
      await browser.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
