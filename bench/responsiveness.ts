/**
 * Owns the measurement of how free the page stays while the model worker trains: the tasks of its
 * main thread, in the built page, with the charts in view and out of it.
 *
 *   npm run bench -- responsiveness
 */
import { chromium, type Page } from 'playwright';
import { ensureBrowser, launchOptions } from '../scripts/browser.ts';
import { BUILD_FOLDER, ensureBuild } from '../scripts/build.ts';
import { serve } from '../scripts/serve.ts';

export const summary = "longest tasks of the page's main thread while training";

/** Tasks longer than this are felt. The browser reports those over 50 ms. */
const FELT_MS = 100;

/** Trains on the sample and gives the lengths of the long tasks meanwhile, in ms. */
async function longTasksWhileTraining(page: Page, room: string): Promise<readonly number[]> {
  await page.locator(`#${room}`).scrollIntoViewIfNeeded();
  return page.evaluate(async () => {
    const lengths: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) lengths.push(duration);
    });
    observer.observe({ entryTypes: ['longtask'] });
    window.atelier.setRecipe({ epochs: 6, patience: 0 });
    await window.atelier.train(window.atelier.formJob());
    observer.disconnect();
    return lengths;
  });
}

export async function run(): Promise<void> {
  await ensureBuild();
  const server = await serve({ folder: BUILD_FOLDER });
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), 'software'));
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(server.url);
    await page.evaluate(() => window.atelier.loadData('sample'));
    console.log(`\nTasks of the main thread over ${FELT_MS} ms, six epochs of the sample\n`);
    for (const [room, where] of [
      ['train', 'first run: the charts load and draw'],
      ['train', 'charts in view'],
      ['models', 'charts out of view'],
    ] as const) {
      const lengths = await longTasksWhileTraining(page, room);
      const felt = lengths.filter((ms) => ms > FELT_MS).length;
      const longest = Math.round(Math.max(0, ...lengths));
      console.log(
        `${where.padEnd(38)} ${felt} over ${FELT_MS} ms, longest ${longest === 0 ? 'under 50' : longest} ms`,
      );
    }
  } finally {
    await browser.close();
    await server.close();
  }
}
