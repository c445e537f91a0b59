/**
 * Owns a page of the benchmarks on its way into a browser: builds it, serves it, starts the browser.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright';
import { build } from 'vite';
import { ensureBrowser, type Graphics, launchOptions } from '../scripts/browser.ts';
import { PRODUCTION_HEADERS } from '../scripts/headers.ts';
import { serve } from '../scripts/serve.ts';

export interface BuiltPage {
  readonly browser: Browser;
  /** Such as "Chromium 156.0". */
  readonly version: string;
  /** Of the folder that the page is in, with a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param folder Of this one, with the page in it.
 * @param options `treeshake`: whether modules that nothing is imported from may be left out.
 */
export async function openBuiltPage(
  folder: string,
  graphics: Graphics,
  {
    entry = 'index.html',
    treeshake = true,
    headers = PRODUCTION_HEADERS,
  }: {
    readonly entry?: string;
    readonly treeshake?: boolean;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<BuiltPage> {
  const root = join(import.meta.dirname, folder);
  const outDir = await mkdtemp(join(tmpdir(), 'atelier-bench-'));
  await build({
    configFile: false,
    root,
    base: './',
    logLevel: 'error',
    worker: { format: 'es' },
    // Jasmine looks for Node's name of the global object.
    define: { global: 'globalThis' },
    // Stock wasm with threads sends its own source text to its workers; minified, that text breaks.
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
      rollupOptions: { input: join(root, entry), treeshake },
    },
  });
  const server = await serve({ folder: outDir, headers });
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), graphics));
  return {
    browser,
    version: `Chromium ${browser.version()}`,
    url: server.url,
    async close() {
      await browser.close();
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
