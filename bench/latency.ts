/**
 * Owns the measurement of how quickly the page answers: from the end of a stroke on the pad to its
 * ten probabilities, in the built page, in a browser without a GPU.
 *
 *   npm run bench -- latency
 */
import { chromium, type Page } from 'playwright';
import { ensureBrowser, launchOptions } from '../scripts/browser.ts';
import { BUILD_FOLDER, ensureBuild } from '../scripts/build.ts';
import { serve } from '../scripts/serve.ts';
import type { Session } from '../src/session/session.ts';

export const summary = 'end of a stroke to its probabilities, in the browser';

const NUM_WARM_UP = 10;
const NUM_STROKES = 100;

declare global {
  interface Window {
    strokeMs: number[];
  }
}

/** Notes, for each stroke, the time from lifting the pen to the answer about the finished drawing. */
function watchStrokes(): void {
  window.strokeMs = [];
  let liftedMs: number | null = null;
  window.addEventListener(
    'pointerup',
    () => {
      liftedMs = performance.now();
    },
    true,
  );
  const { atelier } = window as unknown as { atelier: { classify: Session['classify'] } };
  const classify = atelier.classify;
  atelier.classify = async (...asked) => {
    const fromMs = liftedMs;
    liftedMs = null;
    const answer = await classify(...asked);
    if (fromMs !== null && answer) window.strokeMs.push(performance.now() - fromMs);
    return answer;
  };
}

async function modelIsLive(page: Page): Promise<boolean> {
  return page.evaluate(() => window.atelier?.store.getState().model.phase === 'live');
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`Waited a minute in vain: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function run(): Promise<void> {
  await ensureBuild();
  const server = await serve({ folder: BUILD_FOLDER });
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), 'software'));
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(server.url);
    await until(() => modelIsLive(page), 'a model to be live');
    await page.evaluate(watchStrokes);
    // Lines: a lasso round nothing would change nothing.
    await page.getByRole('button', { name: 'Pen', exact: true }).click();
    const box = await page.getByTestId('pad').boundingBox();
    if (!box) throw new Error('The pad is not on the page.');
    for (let i = 0; i < NUM_WARM_UP + NUM_STROKES; i++) {
      const y = box.y + box.height * (0.1 + (0.8 * ((i * 7) % 20)) / 20);
      await page.mouse.move(box.x + box.width * 0.2, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.8, y, { steps: 12 });
      await page.mouse.up();
      await until(async () => (await page.evaluate(() => window.strokeMs.length)) > i, 'an answer');
    }
    const state = await page.evaluate(() => {
      const { engine, model } = window.atelier.store.getState();
      return {
        backend: engine.phase === 'ready' ? engine.info.active : engine.phase,
        model: model.phase === 'live' ? model.card.name : model.phase,
      };
    });
    const times = (await page.evaluate(() => window.strokeMs)).slice(NUM_WARM_UP);
    times.sort((a, b) => a - b);
    const at = (share: number) =>
      `${(times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0).toFixed(1)} ms`;
    console.log(
      `\nEnd of stroke to probabilities, ${times.length} strokes after ${NUM_WARM_UP} to warm up`,
    );
    console.log(`backend ${state.backend}, model ${state.model}\n`);
    console.log(`median ${at(0.5)}   p95 ${at(0.95)}   slowest ${at(1)}`);
  } finally {
    await browser.close();
    await server.close();
  }
}
