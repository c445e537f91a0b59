/**
 * Brings a page of the benchmarks into a browser: builds it, serves it, starts the browser. Pages of
 * other checkouts can join it in the same browser.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright';
import { build } from 'vite';
import { ensureBrowser, type Graphics, launchOptions } from '../scripts/browser.ts';
import { PRODUCTION_HEADERS } from '../scripts/headers.ts';
import { type PageServer, serve } from '../scripts/serve.ts';

export interface BuiltPage {
  readonly browser: Browser;
  /** Such as "Chromium 156.0". */
  readonly version: string;
  /** Of the folder that the page is in, with a slash at the end. */
  readonly url: string;
  /**
   * Builds and serves one more page, with the same options.
   * @param root Folder of the page, anywhere.
   * @returns Its address, with a slash at the end.
   */
  add(root: string): Promise<string>;
  close(): Promise<void>;
}

export interface PageOptions {
  readonly entry?: string;
  /** Whether modules that nothing is imported from may be left out. */
  readonly treeshake?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param folder Of this one, with the page in it. */
export async function openBuiltPage(
  folder: string,
  graphics: Graphics,
  options: PageOptions = {},
): Promise<BuiltPage> {
  const servers: PageServer[] = [];
  const add = async (root: string): Promise<string> => {
    const server = await buildAndServe(root, options);
    servers.push(server);
    return server.url;
  };
  const url = await add(join(import.meta.dirname, folder));
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), graphics));
  return {
    browser,
    version: `Chromium ${browser.version()}`,
    url,
    add,
    async close() {
      await browser.close();
      for (const server of servers) await server.close();
    },
  };
}

/** What is built is removed when the server closes. */
async function buildAndServe(
  root: string,
  { entry = 'index.html', treeshake = true, headers = PRODUCTION_HEADERS }: PageOptions,
): Promise<PageServer> {
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
  return {
    url: server.url,
    async close() {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
