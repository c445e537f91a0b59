/**
 * The browser of the benchmarks: serves their page isolated (so that threads work), and gives one
 * page, with a worker and a backend of its own, for each system under test.
 */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
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
  close(): Promise<void>;
}

/** A page of another version, whose functions may take and give something else. */
export type AnyCall = (name: string, ...args: readonly unknown[]) => Promise<unknown>;

export interface BenchBrowser {
  /** Such as "Chromium 156.0". */
  readonly version: string;
  open(system: System): Promise<BenchPage>;
  /**
   * Builds the page of another checkout and serves it, too.
   * @param root Folder of that page.
   * @returns Opens one more of its pages and gives the calls of its worker.
   */
  addVersion(root: string): Promise<() => Promise<AnyCall>>;
  /** Runs a function in a fresh page without a backend. */
  evaluate<Argument, Result>(
    run: (argument: Argument) => Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  /**
   * Most memory that a process of a page has had in RAM so far, workers included, in bytes. Null
   * where the system does not say (it does on Linux).
   */
  peakProcessBytes(): Promise<number | null>;
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
  const { browser, version, url, add, close } = await openBuiltPage('page', 'software', {
    entry,
    headers: HEADERS,
    // The tests of TensorFlow.js are nothing but side effects, which its package denies.
    treeshake: false,
  });

  async function openAt(address: string): Promise<{ page: Page; call: AnyCall }> {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error));
    await page.goto(address);
    await page.waitForFunction(() => typeof globalThis.bench === 'function');
    const call: AnyCall = (name, ...args) =>
      page.evaluate(
        ([method, values]) => (globalThis.bench as unknown as AnyCall)(method, ...values),
        [name, args] as const,
      );
    return { page, call };
  }

  return {
    version,
    close,
    async open(system) {
      const { page, call } = await openAt(url);
      const detail = await call('start', system);
      return {
        detail: String(detail),
        call: call as BenchPage['call'],
        close: () => page.close(),
      };
    },
    async addVersion(root) {
      const address = await add(root);
      return async () => (await openAt(address)).call;
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
    async peakProcessBytes() {
      if (process.platform !== 'linux') return null;
      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      await session.detach();
      const peaks = processInfo
        .filter(({ type }) => type === 'renderer')
        .map(async ({ id }) => {
          const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
          return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
        });
      return Math.max(0, ...(await Promise.all(peaks))) || null;
    },
  };
}
