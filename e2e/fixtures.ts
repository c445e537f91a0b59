/**
 * Owns what every journey shares: a server of the production build, a guard that fails a journey on
 * what must never happen, and the ways to open the page.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BrowserContext, test as base, expect, type Page } from 'playwright/test';
import { BUILD_FOLDER } from '../scripts/build.ts';
import { PRODUCTION_HEADERS } from '../scripts/headers.ts';
import { type PageServer, serve } from '../scripts/serve.ts';
import { NETWORK_PRESETS, type NetworkPresetName } from '../src/network/presets.ts';
import type { SessionState } from '../src/session/state.ts';

export { expect } from 'playwright/test';

/** What the guard saw that must never happen, in words. */
export interface Guard {
  readonly faults: string[];
  /** Watches another context as well, of `browser.newContext()`. */
  watch(context: BrowserContext): void;
  /** Takes the page of another server than the tests' own for local as well. */
  allow(address: string): void;
}

/** A report in a line, e.g. "script-src forbade eval in …/worker.js:1". */
function describeBreach(body: string): string {
  const report = JSON.parse(body)['csp-report'] as Record<string, unknown>;
  const place = `${report['source-file'] ?? report['document-uri']}:${report['line-number'] ?? '?'}`;
  return `${report['effective-directive']} forbade ${report['blocked-uri']} in ${place}`;
}

interface Fixtures {
  readonly guard: Guard;
}

interface TestServer extends PageServer {
  /** Breaches of the policy that the browser has reported and no journey has answered for. */
  readonly breaches: string[];
}

interface WorkerFixtures {
  readonly server: TestServer;
}

const REPORT_PATH = '/policy-report';

/**
 * Serves the build with the production headers, and has the browser report each breach of the policy:
 * a report comes from workers too, and from evaluations whose error the code caught.
 */
async function serveBuild(): Promise<TestServer> {
  if (!existsSync(join(BUILD_FOLDER, 'index.html'))) {
    throw new Error(`There is no build in ${BUILD_FOLDER}. Run "npm run build" first.`);
  }
  const breaches: string[] = [];
  const policy = PRODUCTION_HEADERS['Content-Security-Policy'];
  const server = await serve({
    folder: BUILD_FOLDER,
    headers: {
      ...PRODUCTION_HEADERS,
      'Content-Security-Policy': `${policy}; report-uri ${REPORT_PATH}`,
    },
    intercept(request, response) {
      if (request.url !== REPORT_PATH) return false;
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        breaches.push(describeBreach(body));
        response.writeHead(204).end();
      });
      return true;
    },
  });
  return { ...server, breaches };
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from the pattern
    async ({}, use) => {
      const server = await serveBuild();
      await use(server);
      await server.close();
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  guard: [
    async ({ context, server }, use) => {
      const faults: string[] = [];
      const origins = new Set([new URL(server.url).origin]);
      const watch = (watched: BrowserContext): void => {
        watched.on('weberror', (error) => faults.push(`Uncaught: ${String(error.error())}`));
        watched.on('request', (request) => {
          const url = new URL(request.url());
          const isLocal = origins.has(url.origin) || /^(data|chrome|about):$/.test(url.protocol);
          if (!isLocal) faults.push(`A request left the origin: ${request.url()}`);
        });
      };
      watch(context);
      await use({ faults, watch, allow: (address) => origins.add(new URL(address).origin) });
      faults.push(...server.breaches.splice(0));
      expect(faults, 'breaches of policy, uncaught errors and foreign requests').toEqual([]);
    },
    { auto: true },
  ],
});

/** Opens the page and waits until an engine runs and the last or the shipped model is live (or none). */
export async function openApp(page: Page, address = './'): Promise<void> {
  await page.goto(address);
  await expect.poll(() => page.evaluate(() => window.atelier !== undefined)).toBe(true);
  await waitForState(page, (state) => state.engine.phase !== 'starting');
  await waitForState(page, (state) => state.model.phase !== 'loading');
}

/** Opens the page and loads the sample through the session, where loading itself is not the journey. */
export async function openWithSample(page: Page, address = './'): Promise<void> {
  await openApp(page, address);
  await page.evaluate(() => window.atelier.loadData('sample'));
  await waitForState(page, (state) => state.data.phase === 'ready');
}

/** Sets the network in the Train room's form. */
export async function chooseNetwork(page: Page, name: NetworkPresetName): Promise<void> {
  await page.evaluate((spec) => window.atelier.setNetwork(spec), NETWORK_PRESETS[name].spec);
}

/**
 * Waits until the session's state satisfies the condition. The condition runs in the page: it sees
 * nothing but its arguments.
 */
export async function waitForState(
  page: Page,
  condition: (state: SessionState) => boolean,
  timeoutMs = 60_000,
): Promise<void> {
  // Not `waitForFunction`: from its second look on it evaluates in the page, which the policy forbids.
  await expect
    .poll(
      () => page.evaluate<boolean>(`(${condition.toString()})(window.atelier.store.getState())`),
      {
        timeout: timeoutMs,
        intervals: [50, 100, 250],
        message: condition.toString(),
      },
    )
    .toBe(true);
}

/** Reads from the session's state. The selection runs in the page and must return plain data. */
export function readState<T>(page: Page, select: (state: SessionState) => T): Promise<T> {
  return page.evaluate<T>(`(${select.toString()})(window.atelier.store.getState())`);
}

/**
 * Probabilities of the current model for rows of the test data, as the page answers them, `[n · 10]`:
 * each row is laid on the pad's own way to the model, with every step but the last one off.
 */
export function answerRows(page: Page, rows: readonly number[]): Promise<number[]> {
  return page.evaluate(async (wanted) => {
    const { atelier } = window;
    const { pixels } = await atelier.garmentsAt('test', Uint32Array.from(wanted));
    const found: number[] = [];
    for (let row = 0; row < wanted.length; row++) {
      const grey = pixels.subarray(row * 784, (row + 1) * 784);
      const data = new Uint8ClampedArray(784 * 4);
      grey.forEach((tone, i) => {
        data.set([tone, tone, tone, 255], i * 4);
      });
      atelier.putImage('row', () => ({ width: 28, height: 28, data }));
      const answer = await atelier.classify('row', {
        quarterTurns: 0,
        crop: null,
        tolerance: 1,
        negate: 'never',
        off: ['garment', 'fill', 'fit', 'sharpen', 'levels'],
      });
      if (answer?.kind !== 'garment') throw new Error('Nothing was seen.');
      found.push(...answer.probabilities);
    }
    return found;
  }, rows);
}
