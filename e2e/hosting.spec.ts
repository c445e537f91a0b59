/**
 * The built folder on hosts of other kinds.
 */
import { BUILD_FOLDER } from '../scripts/build.ts';
import { serve } from '../scripts/serve.ts';
import {
  chooseNetwork,
  expect,
  openApp,
  openWithSample,
  readState,
  test,
  waitForState,
} from './fixtures.ts';

test('the page is cross-origin isolated under the headers of production', async ({ page }) => {
  await openApp(page);
  expect(await page.evaluate(() => window.crossOriginIsolated)).toBe(true);
});

test('a host without headers serves it under a sub-path, and it trains and classifies', async ({
  page,
  guard,
}) => {
  const host = await serve({ folder: BUILD_FOLDER, base: '/lab/atelier/', headers: {} });
  guard.allow(host.url);
  try {
    await openWithSample(page, host.url);
    expect(await page.evaluate(() => window.crossOriginIsolated)).toBe(false);
    // The model that comes with the page is fetched by a relative address, too.
    expect(
      await readState(page, ({ model }) => (model.phase === 'live' ? model.card.origin : null)),
    ).toBe('shipped');

    await chooseNetwork(page, 'small');
    await page.evaluate(() => {
      window.atelier.setRecipe({ epochs: 1 });
      void window.atelier.train(window.atelier.formJob());
    });
    await waitForState(page, ({ evaluation }) => evaluation.phase === 'ready', 120_000);
    expect(
      await readState(page, ({ model }) => (model.phase === 'live' ? model.card.origin : null)),
    ).toBe('trained');

    // Without headers the policy in the page is all there is: it holds.
    const refusedBy = await page.evaluate(
      () =>
        new Promise((resolve) => {
          addEventListener('securitypolicyviolation', ({ effectiveDirective }) =>
            resolve(effectiveDirective),
          );
          fetch('https://example.com/').catch(() => {});
        }),
    );
    expect(refusedBy).toBe('connect-src');
  } finally {
    await host.close();
  }
});
