/**
 * Journeys through the choice of an engine: what runs without a graphics card, with a slow one and
 * without SIMD, what the menu tells of it, that it is remembered, and what takes over where one stops.
 */
import type { Page } from 'playwright/test';
import {
  chooseNetwork,
  expect,
  openApp,
  openWithSample,
  readState,
  test,
  waitForState,
} from './fixtures.ts';

declare global {
  interface Window {
    breakModelWorker(): void;
  }
}

/** Runs `script` in the model worker before its own code does. */
async function prepareModelWorker(page: Page, script: string): Promise<void> {
  await page.route('**/model.worker*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `{${script}}\n${await response.text()}` });
  });
}

const engineOf = (page: Page) =>
  readState(page, ({ engine }) => (engine.phase === 'ready' ? engine.info : null));

/** The line of an engine in the open menu. */
const line = (page: Page, title: string) =>
  page.getByRole('menuitemradio', { name: new RegExp(`^${title.replace(/[()]/g, '\\$&')}`) });

async function openMenu(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Engine: / }).click();
  await expect(page.getByRole('menu')).toBeVisible();
}

test('where the GPU is only emulated, the page says so and uses WebAssembly', async ({ page }) => {
  await openApp(page);
  const info = await engineOf(page);
  expect(info?.active).toBe('simd');
  await expect(page.locator('#top')).toContainText(info?.reason ?? 'No engine runs.');
});

test('the menu tells how fast the processor trains, and knows it at the next visit', async ({
  page,
}) => {
  await openApp(page);
  // Nothing is measured before somebody asks.
  const untried = await readState(page, ({ trials: { phase, table } }) => ({ phase, table }));
  expect(untried).toEqual({ phase: 'idle', table: {} });

  await openMenu(page);
  await expect(line(page, 'CPU (Atelier)')).toContainText(/[\d,]+ images\/s/);
  await expect(line(page, 'CPU (Atelier)')).toBeChecked();
  await expect(line(page, 'WebGL')).toContainText('software');
  await expect(line(page, 'WebGL')).toContainText('Not measured');
  await expect(line(page, 'WebGL')).not.toHaveAttribute('aria-disabled', 'true');
  await expect(page.getByRole('menu')).toContainText('Images/s in training Classic, 128 at a time');
  const first = await readState(page, ({ trials }) => trials.table['classic@128']?.simd);
  if (first?.outcome !== 'timed') throw new Error('There is no figure.');
  expect(first.imagesPerSecond).toBeGreaterThan(100);

  await page.reload();
  await waitForState(page, ({ engine }) => engine.phase === 'ready');
  await openMenu(page);
  const figure = `${Math.round(first.imagesPerSecond).toLocaleString('en-GB')} images/s`;
  await expect(line(page, 'CPU (Atelier)')).toContainText(figure);
  expect(await readState(page, ({ trials }) => trials.phase)).toBe('idle');

  await page.getByRole('menuitem', { name: 'Measure again' }).click();
  await expect(page.getByRole('menuitem', { name: 'Measuring' })).toBeVisible();
  await expect(page.getByRole('menuitem', { name: 'Measure again' })).toBeVisible();
  const second = await readState(page, ({ trials }) => trials.table['classic@128']?.simd);
  expect(second).toMatchObject({ outcome: 'timed' });
  expect(second).not.toEqual(first);
});

test('a trial tells the speed that a run then has', async ({ page }) => {
  await openWithSample(page);
  await chooseNetwork(page, 'small');
  await page.evaluate(() => {
    window.atelier.setRecipe({ epochs: 200, patience: 0 });
    return window.atelier.tryEngines(false);
  });
  const trial = await readState(page, ({ trials }) => trials.table['small@128']?.simd);
  if (trial?.outcome !== 'timed') throw new Error('There is no figure.');
  await page.evaluate(() => void window.atelier.train(window.atelier.formJob()));
  await waitForState(
    page,
    ({ training }) => training.phase === 'training' && training.run.elapsedMs > 2000,
  );
  const speed = await readState(page, ({ training }) =>
    training.phase === 'training' ? training.run.imagesPerSecond : 0,
  );
  await page.evaluate(() => window.atelier.stop());
  await waitForState(page, ({ training }) => training.phase === 'finished');
  // What else the machine does makes a difference of some times; a wrong unit makes one of a hundred.
  expect(speed / trial.imagesPerSecond).toBeGreaterThan(1 / 8);
  expect(speed / trial.imagesPerSecond).toBeLessThan(8);
});

test('where the graphics card is slower than the processor, the processor trains', async ({
  page,
}) => {
  // An emulated card that says it is none.
  await prepareModelWorker(
    page,
    `const UNMASKED_RENDERER = 0x9246;
     const { getParameter } = WebGL2RenderingContext.prototype;
     WebGL2RenderingContext.prototype.getParameter = function (name) {
       return name === UNMASKED_RENDERER ? 'A slow graphics card' : getParameter.call(this, name);
     };`,
  );
  await openApp(page);
  await waitForState(
    page,
    ({ engine, model }) =>
      engine.phase === 'ready' && engine.info.active === 'simd' && model.phase === 'live',
  );
  const trials = await readState(page, ({ trials }) => trials.table['classic@128']);
  expect(trials?.webgl).toBeDefined();
  expect(trials?.simd?.outcome).toBe('timed');
  const { reason } = (await engineOf(page)) ?? { reason: '' };
  expect(reason).toMatch(/as fast as WebGL|WebGL did not pass its trial/);
  await expect(page.locator('#top')).toContainText(reason);

  await page.reload();
  await waitForState(page, ({ engine }) => engine.phase === 'ready');
  expect((await engineOf(page))?.active).toBe('simd');
  expect(await readState(page, ({ trials }) => trials.phase)).toBe('idle');
});

test('a browser without SIMD trains all the same, and is told why it is slow', async ({ page }) => {
  await prepareModelWorker(page, 'WebAssembly.validate = () => false;');
  await openWithSample(page);
  expect((await engineOf(page))?.active).toBe('wasm');
  await expect(page.locator('#top')).toContainText(
    'CPU (Atelier) needs WebAssembly SIMD, which this browser lacks',
  );
  await openMenu(page);
  await expect(line(page, 'CPU (Atelier)')).toContainText('not here');
  await expect(line(page, 'WASM')).toContainText(/[\d,]+ images\/s/);
  await page.keyboard.press('Escape');

  await chooseNetwork(page, 'small');
  await page.evaluate(() => {
    window.atelier.setRecipe({ epochs: 1, patience: 0 });
    return window.atelier.train(window.atelier.formJob());
  });
  const training = await readState(page, ({ training }) => training);
  expect(training).toMatchObject({ phase: 'finished', run: { backend: 'wasm' } });
});

test('an engine that stops three times gives way to the next best on Retry', async ({ page }) => {
  await page.addInitScript(() => {
    window.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        // As the browser tells of a worker that broke down.
        if (options?.name === 'model') {
          window.breakModelWorker = () =>
            this.dispatchEvent(new ErrorEvent('error', { message: 'the graphics card was lost' }));
        }
      }
    };
  });
  await openApp(page);
  await page.evaluate(() => window.atelier.chooseBackend('webgl'));
  expect((await engineOf(page))?.active).toBe('webgl');
  for (let loss = 0; loss < 3; loss++) {
    await waitForState(page, ({ engine }) => engine.phase === 'ready');
    await page.evaluate(() => window.breakModelWorker());
  }
  const alert = page.locator('#top').getByRole('alert');
  await expect(alert).toContainText('the graphics card was lost');
  await expect(alert).toContainText('Retry goes on with CPU (Atelier) instead');

  await alert.getByRole('button', { name: 'Retry with CPU (Atelier)' }).click();
  await waitForState(page, ({ model }) => model.phase === 'live');
  await expect(alert).toBeHidden();
  expect((await engineOf(page))?.active).toBe('simd');
  await expect(page.locator('#top')).toContainText('WebGL, your choice, is not available');
  await openMenu(page);
  await expect(line(page, 'WebGL')).toHaveAttribute('aria-disabled', 'true');

  // The choice was only put off.
  await page.reload();
  await waitForState(page, ({ engine }) => engine.phase === 'ready');
  expect((await engineOf(page))?.active).toBe('webgl');
});
