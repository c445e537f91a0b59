/**
 * The page of the WebGL measurements, opened in a browser with a fresh WebGL context each time.
 */
import type { Graphics } from '../scripts/browser.ts';
import { openBuiltPage } from './builtPage.ts';
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
  const { browser, version, url, close } = await openBuiltPage('webgl', graphics);
  return {
    version,
    close,
    async open() {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error));
      await page.goto(url);
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
  };
}
