/**
 * Owns the page of the WebGL measurements: builds it, serves it, and opens it in a browser, a fresh
 * WebGL context each time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { build } from 'vite';
import { ensureBrowser, type Graphics, launchOptions } from '../scripts/browser.ts';
import { serve } from '../scripts/serve.ts';
import type { WebGLBenchApi } from './webgl/page.ts';

export interface WebGLPage {
  call<Name extends keyof WebGLBenchApi>(
    name: Name,
    ...args: Parameters<WebGLBenchApi[Name]>
  ): Promise<Awaited<ReturnType<WebGLBenchApi[Name]>>>;
  close(): Promise<void>;
}

export interface WebGLBrowser {
  /** Such as "Chromium 156.0". */
  readonly version: string;
  open(): Promise<WebGLPage>;
  close(): Promise<void>;
}

export async function openWebGLBrowser(graphics: Graphics): Promise<WebGLBrowser> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-webgl-'));
  await build({
    configFile: false,
    root: join(import.meta.dirname, 'webgl'),
    base: './',
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true, target: 'es2022', minify: false },
  });
  const server = await serve({ folder });
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), graphics));
  return {
    version: `Chromium ${browser.version()}`,
    async open() {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error));
      await page.goto(server.url);
      await page.waitForFunction(() => typeof globalThis.webglBench === 'object');
      return {
        call: (name, ...args) =>
          page.evaluate(
            ([method, values]) => {
              const call = globalThis.webglBench[method] as (...all: unknown[]) => never;
              return call(...values);
            },
            [name, args as unknown[]] as const,
          ),
        close: () => page.close(),
      };
    },
    async close() {
      await browser.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
