/**
 * Journeys through the first load: its weight, and the rooms further down that come after it.
 */
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright/test';
import { expect, openApp, test } from './fixtures.ts';

/** Packed bytes. What is over must come later, or be worth it and said so in the README. */
const FIRST_LOAD_LIMIT = 190_000;
/** With what comes by itself once the browser is idle. */
const IDLE_LIMIT = 210_000;

const findings = (page: Page) => page.locator('#evaluate').getByText('No test pictures yet');
const importing = (page: Page) => page.getByRole('button', { name: 'Import a model' });
const linkTo = (page: Page, room: string) =>
  page.getByRole('navigation').getByRole('link', { name: room });

/** As a browser that never has a moment: nothing comes before somebody is near. */
async function neverIdle(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.requestIdleCallback = () => 0;
  });
}

/** Scripts of the page itself, not of its workers, that arrive from now on. */
function collectScripts(page: Page): () => Promise<number> {
  const bodies: Promise<Buffer>[] = [];
  page.on('response', (response) => {
    const path = new URL(response.url()).pathname;
    if (path.endsWith('.js') && !/worker/i.test(path)) bodies.push(response.body());
  });
  return async () => {
    await page.waitForLoadState('networkidle');
    const scripts = await Promise.all(bodies);
    expect(scripts.length).toBeGreaterThan(0);
    return scripts.reduce((sum, body) => sum + gzipSync(body, { level: 9 }).length, 0);
  };
}

test('the first load leaves out what is not seen first', async ({ page }) => {
  await neverIdle(page);
  const weigh = collectScripts(page);
  await openApp(page);
  expect(await weigh()).toBeLessThan(FIRST_LOAD_LIMIT);
  await expect(findings(page)).toHaveCount(0);
  await expect(importing(page)).toHaveCount(0);
});

test('every room comes by itself once the browser is idle, and stays light', async ({ page }) => {
  const weigh = collectScripts(page);
  await openApp(page);
  await expect(findings(page)).toBeAttached();
  await expect(importing(page)).toBeAttached();
  expect(await weigh()).toBeLessThan(IDLE_LIMIT);
});

for (const [width, height] of [
  [1280, 900],
  [390, 844],
] as const) {
  for (const room of ['Evaluate', 'Models'] as const) {
    test(`${room} can be jumped to before it has come, and stays put, ${width} wide`, async ({
      page,
    }) => {
      await page.setViewportSize({ width, height });
      await neverIdle(page);
      let letThrough = () => {};
      const mayPass = new Promise<void>((resolve) => {
        letThrough = resolve;
      });
      await page.route(/\/(Findings|Models)-[^/]*\.js$/, async (route) => {
        await mayPass;
        await route.continue();
      });
      await openApp(page);
      await linkTo(page, room).focus();
      await page.keyboard.press('Enter');
      const title = page.getByRole('heading', { name: room, level: 2 });
      await expect(title).toBeInViewport();
      const section = page.getByRole('region', { name: room, exact: true });
      await expect(section.getByText('One moment.')).toBeVisible();
      const measure = async () => ({
        top: (await title.boundingBox())?.y ?? 0,
        height: (await section.boundingBox())?.height ?? 0,
      });
      const before = await measure();

      letThrough();
      await expect(room === 'Models' ? importing(page) : findings(page)).toBeVisible();
      const after = await measure();
      expect(Math.abs(after.height - before.height)).toBeLessThan(48);
      expect(Math.abs(after.top - before.top)).toBeLessThan(48);
      // The keyboard goes on from the room it was led to.
      await page.keyboard.press('Tab');
      await expect(section.locator(':focus')).toBeVisible();
    });
  }
}

test('a room that cannot be fetched says so to whoever comes near, and comes when asked again', async ({
  page,
}) => {
  const findingsScript = /\/Findings-[^/]*\.js$/;
  let numRefused = 0;
  await page.route(findingsScript, (route) => {
    numRefused++;
    return route.abort();
  });
  await openApp(page);
  // Models came, so the browser has been idle: what failed then, nobody has missed.
  await expect(importing(page)).toBeAttached();
  await expect.poll(() => numRefused).toBeGreaterThan(0);
  const alert = page.getByRole('alert').filter({ hasText: 'The Evaluate room broke' });
  await expect(alert).toHaveCount(0);

  await linkTo(page, 'Evaluate').click();
  await expect(alert).toContainText('could not be fetched');
  await page.unroute(findingsScript);
  await alert.getByRole('button', { name: 'Show it again' }).click();
  await expect(findings(page)).toBeVisible();
});
