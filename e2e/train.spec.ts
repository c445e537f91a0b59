/**
 * Journeys through training: on emulated WebGL and on WebAssembly, with pause, stop, reload, and a run
 * that goes wrong. The charts, the evaluation and the comparison of runs are seen on the way.
 */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright/test';
import type { Recipe } from '../src/ml/spec/recipe.ts';
import {
  chooseNetwork,
  expect,
  openWithSample,
  readState,
  test,
  waitForState,
} from './fixtures.ts';

const trainRoom = (page: Page) => page.getByRole('region', { name: 'Train', exact: true });
const evaluateRoom = (page: Page) => page.getByRole('region', { name: 'Evaluate', exact: true });
const chart = (page: Page, title: 'Loss' | 'Accuracy') =>
  trainRoom(page).getByRole('figure').filter({ hasText: title }).first();

/** Small and short: the journey is what is tested, not the accuracy. */
const SHORT: Partial<Recipe> = {
  epochs: 1,
  batchSize: 64,
  optimizer: 'adam',
  learningRate: 0.005,
  schedule: 'constant',
  validationShare: 0.2,
  augment: 'none',
  patience: 0,
  seed: 1,
};

async function setUp(page: Page, recipe: Partial<Recipe>): Promise<void> {
  await openWithSample(page);
  await chooseNetwork(page, 'small');
  await page.evaluate((wanted) => {
    window.atelier.setRecipe(wanted);
  }, recipe);
}

async function chooseEngine(page: Page, title: 'WebGL' | 'WASM'): Promise<void> {
  await page.getByRole('button', { name: /^Engine: / }).click();
  await page.getByRole('menuitemradio', { name: new RegExp(`^${title}`) }).click();
  await expect(page.getByRole('button', { name: `Engine: ${title}` })).toBeVisible();
  await waitForState(page, (state) => state.engine.phase === 'ready');
}

const startRun = (page: Page) =>
  trainRoom(page)
    .getByRole('button', { name: /^Start (the|another) run$/ })
    .click();

/** Points of all lines that stand in a chart now. */
async function countDrawnPoints(page: Page, title: 'Loss' | 'Accuracy'): Promise<number> {
  const paths = await chart(page, title).locator('svg .mark-line path').all();
  const outlines = await Promise.all(paths.map((path) => path.getAttribute('d')));
  return outlines.join('').match(/[ML]/g)?.length ?? 0;
}

/** The live model's answer to a dark garment of our making on a light ground. */
function classifySomething(page: Page): Promise<readonly number[]> {
  return page.evaluate(async () => {
    const [width, height] = [120, 160];
    const data = new Uint8ClampedArray(width * height * 4).fill(250);
    for (let y = 20; y < 140; y++) {
      for (let x = 45; x < 75; x++) data.set([60, 60, 70, 255], (y * width + x) * 4);
    }
    window.atelier.putImage('something', () => ({ width, height, data: data.slice() }));
    const answer = await window.atelier.classify('something');
    return answer?.kind === 'garment' ? [...answer.probabilities] : [];
  });
}

/** Reports of the run within a second; one under way sends several. That nothing comes takes a while to see. */
function countReports(page: Page): Promise<number> {
  return page.evaluate(async () => {
    let numReports = 0;
    const unsubscribe = window.atelier.store.subscribe((state, before) => {
      if (state.training !== before.training) numReports++;
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    unsubscribe();
    return numReports;
  });
}

function expectProbabilities(probabilities: readonly number[]): void {
  expect(probabilities).toHaveLength(10);
  expect(probabilities.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
}

async function expectEvaluation(page: Page, timeoutMs = 90_000): Promise<void> {
  await waitForState(page, (state) => state.evaluation.phase === 'ready', timeoutMs);
  const room = evaluateRoom(page);
  await expect(room.getByText(/measured on 500 rows of sample_test/)).toBeVisible();
  // tfjs-vis drew the ten right cells and more; a hundred buttons lie on them.
  await expect(room.locator('svg .mark-rect path').nth(9)).toBeAttached();
  await expect(room.getByRole('button', { name: /recognised: \d+$/ })).toHaveCount(10);
}

test('training on WebGL moves the charts and ends in a confusion matrix', async ({ page }) => {
  test.setTimeout(480_000);
  // Half held out: a forward pass costs emulated WebGL a third of a training step.
  await setUp(page, { ...SHORT, batchSize: 100, validationShare: 0.5 });
  await chooseEngine(page, 'WebGL');
  await startRun(page);
  await waitForState(page, (state) => state.training.phase === 'training', 120_000);

  await expect.poll(() => countDrawnPoints(page, 'Loss'), { timeout: 60_000 }).toBeGreaterThan(1);
  const earlier = await countDrawnPoints(page, 'Loss');
  await expect
    .poll(() => countDrawnPoints(page, 'Loss'), { timeout: 60_000 })
    .toBeGreaterThan(earlier);
  expect(await countDrawnPoints(page, 'Accuracy')).toBeGreaterThan(1);

  await waitForState(page, (state) => state.training.phase === 'finished', 180_000);
  await expect(chart(page, 'Accuracy').getByRole('listitem').last()).toHaveText(
    /^Validation[\d.]+\s?%$/,
  );
  await expectEvaluation(page, 120_000);
  expect(await readState(page, (state) => state.runs[0]?.backend)).toBe('webgl');
});

test('a model trained on WebAssembly is measured, explained, and still there after a reload', async ({
  page,
}) => {
  await setUp(page, { ...SHORT, epochs: 3 });
  await chooseEngine(page, 'WASM');
  await startRun(page);
  await waitForState(page, (state) => state.training.phase === 'finished', 90_000);
  await expectEvaluation(page);
  const accuracy = await readState(page, (state) =>
    state.evaluation.phase === 'ready' ? state.evaluation.evaluation.accuracy : 0,
  );
  expect(accuracy).toBeGreaterThan(0.5);

  // A cell of the picture, pressed where tfjs-vis drew it, shows its garments.
  const room = evaluateRoom(page);
  const drawnCell = room.locator('svg .layer_1_marks path').nth(1);
  await drawnCell.scrollIntoViewIfNeeded();
  const box = await drawnCell.boundingBox();
  if (box === null) throw new Error('The matrix has no drawn diagonal.');
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  const cell = room.getByRole('button', { name: /^Trouser recognised: / });
  const count = Number((await cell.getAttribute('aria-label'))?.split(': ')[1]);
  await expect(room.getByRole('heading', { name: 'Trouser, recognised' })).toBeVisible();
  await expect(room.getByRole('img', { name: /^Trouser, row \d+$/ })).toHaveCount(
    Math.min(20, count),
  );
  const sureness = await room.getByTitle(/^Row \d+ of sample_test/).allTextContents();
  const shares = sureness.map((text) => Number.parseFloat(text.replace('>', '')));
  expect(shares).toEqual([...shares].sort((a, b) => b - a));
  // Arrow keys move from cell to cell.
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(room.getByRole('heading', { name: 'Trouser, taken for Pullover' })).toBeVisible();
  const { violations } = await new AxeBuilder({ page })
    .include('#train')
    .include('#evaluate')
    .analyze();
  expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual(
    [],
  );

  // A second run can be laid over the first.
  await page.evaluate(() => window.atelier.setRecipe({ seed: 2 }));
  await startRun(page);
  await waitForState(page, (state) => state.runs.length === 2, 90_000);
  await waitForState(page, (state) => state.evaluation.phase === 'ready');
  for (const checkbox of await page.getByRole('checkbox', { name: /^Compare Small/ }).all()) {
    await checkbox.check();
  }
  const comparison = page.getByRole('figure').filter({ hasText: 'Validation accuracy' }).last();
  await expect(comparison.locator('svg .mark-line path')).toHaveCount(2);
  await expect(
    page.getByRole('row', { name: 'Seed 2 1' }).or(page.getByRole('row', { name: 'Seed 1 2' })),
  ).toBeVisible();

  const before = await classifySomething(page);
  expectProbabilities(before);
  await page.reload();
  await waitForState(page, (state) => state.model.phase === 'live' && state.runs.length === 2);
  expect(
    await readState(page, (state) => state.model.phase === 'live' && state.model.card.origin),
  ).toBe('trained');
  const after = await classifySomething(page);
  for (const [label, share] of after.entries()) {
    expect(share).toBeCloseTo(before[label] ?? -1, 6);
  }
});

test('a run can be paused, resumed and stopped, and the model so far classifies', async ({
  page,
}) => {
  await setUp(page, { ...SHORT, epochs: 200, batchSize: 32 });
  await startRun(page);
  const room = trainRoom(page);
  await waitForState(
    page,
    (state) => state.training.phase === 'training' && state.training.run.step > 5,
  );

  // Classifying gets in between two batches.
  expectProbabilities(await classifySomething(page));

  await room.getByRole('button', { name: 'Pause' }).click();
  await expect(room.getByRole('button', { name: 'Resume' })).toBeVisible();
  // The batch under way still reports; from then on all is still, and the model answers.
  await expect.poll(() => countReports(page)).toBe(0);
  expectProbabilities(await classifySomething(page));
  const readStep = () =>
    readState(page, (state) => ('run' in state.training ? (state.training.run?.step ?? 0) : 0));
  const pausedAt = await readStep();

  await room.getByRole('button', { name: 'Resume' }).click();
  await expect.poll(readStep).toBeGreaterThan(pausedAt);

  await room.getByRole('button', { name: 'Stop' }).click();
  await expect(room.getByRole('heading', { name: 'Stopped' })).toBeVisible();
  await waitForState(
    page,
    (state) => state.model.phase === 'live' && state.model.card.origin === 'trained',
  );
  expectProbabilities(await classifySomething(page));
  await expectEvaluation(page);
});

test('a run that diverges says so, and the model still classifies', async ({ page }) => {
  // Beyond what the form allows: within its bounds these networks only learn nothing.
  await setUp(page, { ...SHORT, optimizer: 'sgd', learningRate: 1e12 });
  await startRun(page);
  await waitForState(page, (state) => state.training.phase === 'failed');
  const alert = trainRoom(page).getByRole('alert');
  await expect(alert).toContainText(/learning rate/i);
  await expect(trainRoom(page).getByRole('button', { name: /^Start another run$/ })).toBeEnabled();
  await waitForState(page, (state) => state.model.phase === 'live');
  expectProbabilities(await classifySomething(page));
});

test('how the pictures are varied is there to be seen', async ({ page }) => {
  await openWithSample(page);
  const varied = trainRoom(page).getByRole('img', { name: /7 times varied$/ });
  const original = trainRoom(page)
    .getByRole('img', { name: /as it is in the data$/ })
    .first();
  /** Whether every variation of the first garment is the garment itself. */
  const isUnchanged = () =>
    varied.first().evaluate((row) => {
      const canvas = row.parentElement?.querySelector('canvas');
      const drawn = [...row.querySelectorAll('canvas')].map((each) => each.toDataURL());
      return drawn.every((url) => url === canvas?.toDataURL());
    });

  await trainRoom(page).getByText('How the pictures are varied').click();
  await expect(varied).toHaveCount(6);
  await expect.poll(isUnchanged).toBe(false);

  await trainRoom(page)
    .getByRole('radio', { name: /^Quick look/ })
    .check({ force: true });
  await expect.poll(isUnchanged).toBe(true);
  await trainRoom(page)
    .getByRole('radio', { name: /^Photos and drawings/ })
    .check({ force: true });
  await expect.poll(isUnchanged).toBe(false);

  const before = await original.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  await trainRoom(page).getByRole('button', { name: 'Show others' }).click();
  await expect
    .poll(() => original.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL()))
    .not.toBe(before);
});
