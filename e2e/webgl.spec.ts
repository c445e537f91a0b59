/**
 * Holds our WebGL training to what it promises, on software WebGL: gradients as the `cpu` backend's,
 * no growth, few draws, half floats, and a word to the page when the context is lost.
 */

import { openWebGLBrowser, type WebGLBrowser, type WebGLPage } from '../bench/webglPage.ts';
import { KERNEL_NAMES, REPLACEMENT_NAMES } from '../src/engine/webgl/replacements.ts';
import { chooseNetwork, expect, openWithSample, test, waitForState } from './fixtures.ts';

test.describe('training on WebGL', () => {
  let browser: WebGLBrowser;
  let page: WebGLPage;

  test.beforeAll(async () => {
    browser = await openWebGLBrowser('software');
    page = await browser.open();
    await page.call('start', {});
    const { standings } = await page.call('replaceKernels', { evenSlower: true });
    // Each was seen to agree with the stock one.
    expect(standings.map(([, { standing }]) => standing)).toEqual(Array(4).fill('used'));
  });

  test.afterAll(() => browser.close());

  for (const name of ['small', 'SBatchNorm', 'deep'] as const) {
    test(`gradients of ${name} are those of the cpu backend`, async () => {
      const errors = Object.values(await page.call('gradientErrors', name, 4));
      expect(errors.length).toBeGreaterThan(5);
      expect(Math.max(...errors)).toBeLessThan(1e-4);
    });
  }

  for (const without of [
    ...KERNEL_NAMES.map((name) => ['TrainingStep', name] as const),
    ['TrainingStep'],
    ['DataSlabs'],
    REPLACEMENT_NAMES,
  ] as const) {
    test(`gradients are right without ${without.join(', ')}`, async () => {
      const bare = await browser.open();
      await bare.call('start', { without });
      const { standings } = await bare.call('replaceKernels', { evenSlower: true });
      for (const [name, { standing }] of standings) {
        const isRemoved = without.some((each) => each === name);
        expect([name, standing]).toEqual([name, isRemoved ? 'removed' : 'used']);
      }
      expect(await bare.call('stockKernels')).toEqual(
        KERNEL_NAMES.filter((name) => without.some((each) => each === name)),
      );
      const errors = Object.values(await bare.call('gradientErrors', 'small', 4));
      expect(Math.max(...errors)).toBeLessThan(1e-3);
      await bare.close();
    });
  }

  test('a batch is the same however it comes to the device', async () => {
    const { slabs, pictures, uploaded } = await page.call('lossesByWay', 'tiny', 8);
    expect(slabs?.every(Number.isFinite)).toBe(true);
    expect(pictures).toEqual(slabs);
    expect(uploaded).toEqual(slabs);
  });

  test('many steps hold no more than few, and none leave anything', async () => {
    const { losses, tensors, bytes, ownBytes } = await page.call('train500', 'classic', 8, 40);
    expect(tensors[1]).toBe(tensors[0]);
    expect(bytes[1]).toBeLessThanOrEqual(bytes[0] * 1.05);
    expect(ownBytes[1]).toBe(ownBytes[0]);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
  });

  test('a step takes few draws', async () => {
    await page.call('train', 'ours', 'S', 8, 1);
    const once = await page.call('train', 'ours', 'S', 8, 1);
    const twice = await page.call('train', 'ours', 'S', 8, 2);
    expect(twice.draws - once.draws).toBeLessThan(40);
  });

  test('half floats train without losing the numbers', async () => {
    const half = await browser.open();
    await half.call('start', { half: true });
    const { losses } = await half.call('train500', 'small', 16, 30);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) * 0.8);
    await half.close();
  });
});

test('tells at once when the graphics card is taken away', async ({ page }) => {
  // Keeps the worker's context within reach.
  await page.route('**/model.worker*.js', async (route) => {
    const response = await route.fetch();
    const keep = `{
      const getContext = OffscreenCanvas.prototype.getContext;
      OffscreenCanvas.prototype.getContext = function (...args) {
        return (self.lastContext = getContext.apply(this, args));
      };
    }\n`;
    await route.fulfill({ response, body: keep + (await response.text()) });
  });
  await openWithSample(page);
  await page.evaluate(() => window.atelier.chooseBackend('webgl'));
  await waitForState(
    page,
    ({ engine }) => engine.phase === 'ready' && engine.info.active === 'webgl',
  );
  await chooseNetwork(page, 'small');
  await page.evaluate(() => {
    window.atelier.setRecipe({ epochs: 50, batchSize: 32 });
    void window.atelier.train(window.atelier.formJob());
  });
  await waitForState(
    page,
    ({ training }) => training.phase === 'training' && training.run.step > 0,
  );
  for (const worker of page.workers()) {
    await worker.evaluate(() => {
      const { lastContext } = self as unknown as { lastContext?: WebGL2RenderingContext };
      lastContext?.getExtension('WEBGL_lose_context')?.loseContext();
    });
  }
  await expect(page.getByText('WebGL stopped working').first()).toBeVisible({ timeout: 5000 });
  // And starts anew.
  await waitForState(page, ({ engine }) => engine.phase === 'ready');
});
