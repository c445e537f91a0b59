/**
 * Holds our WebGL training to what it promises, on software WebGL: gradients as the `cpu` backend's,
 * no growth, few draws, half floats, and a word to the page when the context is lost.
 */

import { openWebGLBrowser, type WebGLBrowser, type WebGLPage } from '../bench/webglPage.ts';
import { KERNEL_NAMES, REPLACEMENT_NAMES } from '../src/engine/webgl/replacements.ts';
import { chooseNetwork, expect, openWithSample, test, waitForState } from './fixtures.ts';

/** More of them: `npm run bench -- webgl --only networks`. */
const SEEDS = [3, 9, 25, 36];
const PLAIN = { weightDecay: 0, maxGradientNorm: null, averageDecay: null };
const SGD = { kind: 'sgd', momentum: 0.9 } as const;

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

  for (const name of ['small', 'SBatchNorm', 'residualS'] as const) {
    test(`a step of ${name} is that of the cpu backend`, async () => {
      const { error, at, numWeights } = await page.call('checkStep', name, { batchSize: 3 });
      expect(numWeights).toBeGreaterThan(5);
      expect(error, at).toBeLessThan(1e-4);
    });
  }

  for (const seed of SEEDS) {
    test(`a step of random network ${seed} is that of the cpu backend`, async () => {
      // No multiple of 4: matrices end with rows that do not count.
      const { error, at, note } = await page.call('checkStep', seed, { batchSize: 5 });
      expect(error, at).toBeLessThan(1e-3);
      expect(note).toBeNull();
    });
  }

  test('images are changed and mixed as the processor does it', async () => {
    const options = { batchSize: 6, isChanged: true };
    const { error, at } = await page.call('checkStep', 'tiny', options);
    expect(error, at).toBeLessThan(1e-4);
  });

  for (const numClasses of [2, 100]) {
    test(`${numClasses} classes`, async () => {
      const { error, at } = await page.call('checkStep', 'tiny', { batchSize: 4, numClasses });
      expect(error, at).toBeLessThan(1e-4);
    });
  }

  test('nodes without shaders run by their plain definition, and the trainer says so', async () => {
    const plainKinds = ['batchNorm', 'maxPool', 'dense'] as const;
    const options = { batchSize: 4, plainKinds };
    const { error, at, note } = await page.call('checkStep', 'SBatchNorm', options);
    expect(error, at).toBeLessThan(1e-4);
    expect(note).toContain('node2, node4');
  });

  for (const [title, optimizer] of [
    ['Adam', { ...PLAIN, rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-3 } }],
    [
      'SGD with decay and clipping',
      {
        weightDecay: 0.05,
        maxGradientNorm: 0.2,
        averageDecay: null,
        rule: { ...SGD, isNesterov: false },
      },
    ],
    [
      'Nesterov with an average',
      { ...PLAIN, averageDecay: 0.9, rule: { ...SGD, isNesterov: true } },
    ],
  ] as const) {
    test(`${title} is that of the stock engine, resumed as well`, async () => {
      expect(await page.call('checkOptimizer', optimizer, 2)).toBeLessThan(1e-3);
    });
  }

  for (const without of [
    ['TrainingStep'],
    ['TrainingStep', 'Conv2D', 'MaxPoolGrad'],
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
      const { error, at } = await bare.call('checkStep', 'small', { batchSize: 4 });
      expect(error, at).toBeLessThan(1e-3);
      await bare.close();
    });
  }

  test('a device that compiles shaders wrongly is left to the stock engine', async () => {
    for (const [misreads, isTinyTaken] of [
      [['r0 += p.x * g', 'r0 += p.y * g'], false],
      [['v * 0.39894228', 'v * 0.38'], true],
    ] as const) {
      const wrong = await browser.open();
      await wrong.call('start', { misreads });
      expect(await wrong.call('isTaken', 'tiny')).toBe(isTinyTaken);
      // Its layers are checked only where a network has them.
      expect(await wrong.call('isTaken', 'graph')).toBe(false);
      await wrong.close();
    }
  });

  test('a batch is the same however it comes to the device', async () => {
    const { slabs, images, uploaded } = await page.call('lossesByWay', 'tiny', 8);
    expect(slabs?.every(Number.isFinite)).toBe(true);
    expect(images).toEqual(slabs);
    expect(uploaded).toEqual(slabs);
  });

  for (const plainKinds of [[], ['batchNorm', 'add', 'dropout']] as const) {
    const title = plainKinds.length > 0 ? ', with plain definitions between' : '';
    test(`many steps hold no more than few, and none leave anything${title}`, async () => {
      const numSteps = plainKinds.length > 0 ? 20 : 300;
      const { losses, tensors, bytes, ownBytes, ownTensors } = await page.call(
        'trainLong',
        'graph',
        6,
        numSteps,
        plainKinds,
      );
      expect(losses).toHaveLength(numSteps + 3);
      expect(losses.every(Number.isFinite)).toBe(true);
      expect(tensors[1]).toBe(tensors[0]);
      expect(bytes[1]).toBeLessThanOrEqual(bytes[0]);
      expect(ownBytes[1]).toBe(ownBytes[0]);
      expect(ownTensors[1]).toBe(ownTensors[0]);
    });
  }

  test('a step takes few draws', async () => {
    await page.call('train', 'ours', 'S', 8, 1);
    const once = await page.call('train', 'ours', 'S', 8, 1);
    const twice = await page.call('train', 'ours', 'S', 8, 2);
    expect(twice.draws - once.draws).toBeLessThan(40);
  });

  test('half floats train without losing the numbers', async () => {
    const half = await browser.open();
    await half.call('start', { half: true });
    const { losses } = await half.call('trainLong', 'small', 16, 30);
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
