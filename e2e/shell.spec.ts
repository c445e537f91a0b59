/**
 * Journeys through what holds the rooms together: keyboard, theme, phone, faults of the engine and of
 * a room, accessibility of every room in light and dark.
 */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright/test';
import { DEFAULT_RECIPE } from '../src/ml/spec/recipe.ts';
import {
  chooseNetwork,
  expect,
  openApp,
  openWithSample,
  readState,
  test,
  waitForState,
} from './fixtures.ts';

const ROOMS = ['data', 'train', 'evaluate', 'try', 'models'] as const;

const trainRoom = (page: Page) => page.getByRole('region', { name: 'Train', exact: true });
/** The title stands first in the label, its unit after it. */
const knob = (page: Page, title: string) =>
  trainRoom(page).getByRole('textbox', { name: new RegExp(`^${title}`) });

/** What is grave enough to shut somebody out, a line each. */
async function seriousFaults(page: Page, selector: string): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).include(selector).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

/** Presses Tab until the focus is there, as somebody without a mouse does. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const wanted = page.locator(':focus').and(page.getByRole('button', { name, exact: true }));
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab');
    if ((await wanted.count()) === 1) return;
  }
  throw new Error(`Eighty presses of Tab do not reach ${name}.`);
}

for (const scheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in any room, ${scheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await openWithSample(page);
    await chooseNetwork(page, 'small');
    await page.evaluate(() => window.atelier.setRecipe({ epochs: 1, patience: 0 }));
    await page.evaluate(() => window.atelier.train(window.atelier.formJob()));
    await waitForState(page, (state) => state.evaluation.phase === 'ready');
    for (const summary of await page.locator('summary').all()) await summary.click();
    await expect(
      trainRoom(page).getByRole('heading', { name: 'Finished', exact: true }),
    ).toBeVisible();

    expect(await seriousFaults(page, 'header')).toEqual([]);
    expect(await seriousFaults(page, '#top')).toEqual([]);
    for (const room of ROOMS) expect(await seriousFaults(page, `#${room}`)).toEqual([]);
    expect(await seriousFaults(page, 'footer')).toEqual([]);

    await page.getByRole('button', { name: /^Engine: / }).click();
    await expect(page.getByRole('menu')).toBeVisible();
    expect(await seriousFaults(page, '[role="menu"]')).toEqual([]);
  });
}

test('the keyboard alone trains, pauses, goes on and stops', async ({ page }) => {
  await openWithSample(page);
  await chooseNetwork(page, 'small');
  await page.evaluate(() => window.atelier.setRecipe({ epochs: 200, patience: 0 }));

  await tabTo(page, 'Train');
  await page.keyboard.press('Enter');
  await expect(trainRoom(page).getByRole('heading', { name: 'Learning' })).toBeFocused();

  await tabTo(page, 'Pause');
  await page.keyboard.press('Enter');
  await expect(trainRoom(page).getByRole('button', { name: 'Resume' })).toBeFocused();
  const held = await readState(page, ({ training }) => ('run' in training ? training.run : null));
  expect(held?.step).toBeGreaterThan(0);

  await page.keyboard.press('Enter');
  await expect(trainRoom(page).getByRole('button', { name: 'Pause' })).toBeFocused();
  await tabTo(page, 'Stop');
  await page.keyboard.press('Enter');
  await expect(trainRoom(page).getByRole('heading', { name: 'Stopped' })).toBeVisible();
  await expect(trainRoom(page).getByRole('button', { name: 'Start another run' })).toBeFocused();
});

test('the first press of Tab skips to the rooms', async ({ page }) => {
  await openApp(page);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the rooms' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();
});

test('a link of the header leads to its room and marks it', async ({ page }) => {
  await openApp(page);
  const link = page.getByRole('navigation').getByRole('link', { name: 'Evaluate' });
  await link.click();
  await expect(page.getByRole('heading', { name: 'Evaluate', level: 2 })).toBeInViewport();
  await expect(link).toHaveAttribute('aria-current', 'true');
});

test('the keyboard reaches header and pad without losing the place in the rooms', async ({
  page,
}) => {
  await openApp(page);
  await page.getByRole('heading', { name: 'Evaluate', level: 2 }).scrollIntoViewIfNeeded();
  const before = await page.evaluate(() => window.scrollY);
  expect(before).toBeGreaterThan(0);

  const links = page.getByRole('navigation').getByRole('link');
  await links.first().focus();
  for (let presses = 0; presses < 3; presses++) await page.keyboard.press('Tab');
  await expect(links.filter({ hasText: 'Try' })).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect(page.locator('#try :focus')).toBeVisible();
  expect(await page.evaluate(() => window.scrollY)).toBe(before);
});

test('the theme chosen by keyboard outlives a reload', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await openApp(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();

  await page.getByRole('button', { name: /^Colours: / }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitemradio', { name: 'Dark' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Colours: dark' })).toBeFocused();
  const dark = await ground();
  expect(dark).not.toBe(light);

  await page.reload();
  await expect(page.getByRole('button', { name: 'Colours: dark' })).toBeVisible();
  expect(await ground()).toBe(dark);
});

test('a knob takes what is typed, keeps within its bounds and goes back', async ({ page }) => {
  await openApp(page);
  await trainRoom(page).getByText('All knobs').click();
  const preset = trainRoom(page).getByRole('radio', { name: /^Balanced/ });
  await expect(preset).toBeChecked();

  await knob(page, 'Learning rate').fill('0.0007');
  await knob(page, 'Learning rate').press('Enter');
  await knob(page, 'Epochs').fill('9999');
  await knob(page, 'Epochs').press('Tab');
  await expect(knob(page, 'Epochs')).toHaveValue('200');
  const { learningRate, epochs } = await readState(page, (state) => state.recipe);
  expect({ learningRate, epochs }).toEqual({ learningRate: 0.0007, epochs: 200 });
  await expect(preset).not.toBeChecked();

  await expect(knob(page, 'Momentum')).toBeDisabled();
  await trainRoom(page).getByRole('combobox', { name: 'Optimizer' }).selectOption('sgd');
  await expect(knob(page, 'Momentum')).toBeEnabled();

  await trainRoom(page).getByRole('button', { name: 'Back to the defaults' }).click();
  await expect(preset).toBeChecked();
  await expect(knob(page, 'Epochs')).toHaveValue(String(DEFAULT_RECIPE.epochs));
  await expect(knob(page, 'Learning rate')).toHaveValue(String(DEFAULT_RECIPE.learningRate));
});

test('an explanation opens by keyboard and closes by Escape', async ({ page }) => {
  await openApp(page);
  await trainRoom(page).getByText('All knobs').click();
  const mark = trainRoom(page).getByRole('button', { name: 'What is learning rate?' });
  await mark.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Learning rate' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog', { name: 'Learning rate' })).toBeHidden();
  await expect(mark).toBeFocused();
});

test('an engine that fails is told, and Retry brings one up', async ({ page }) => {
  await openApp(page);
  await page.evaluate(() =>
    window.atelier.store.setState({
      engine: {
        phase: 'failed',
        fault: { name: 'EngineError', message: 'No backend started.' },
        next: null,
        last: null,
      },
    }),
  );
  const alert = page.getByRole('alert').filter({ hasText: 'No backend started.' });
  await expect(alert).toBeVisible();
  await alert.getByRole('button', { name: 'Retry' }).click();
  await expect(alert).toBeHidden();
  await waitForState(page, (state) => state.engine.phase === 'ready');
});

test('a room that breaks leaves the others standing and can be shown again', async ({ page }) => {
  await openApp(page);
  // A state that cannot be, as a defect would make it.
  await page.evaluate(() => window.atelier.store.setState({ runs: undefined as never }));
  const alert = page.getByRole('alert').filter({ hasText: 'The Train room broke' });
  await expect(alert).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Data', level: 2 })).toBeVisible();

  await page.evaluate(() => window.atelier.store.setState({ runs: [] }));
  await alert.getByRole('button', { name: 'Show it again' }).click();
  await expect(trainRoom(page)).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('nothing sticks out sideways and the pad is one tap away', async ({ page }) => {
    await openWithSample(page);
    const overhang = () =>
      page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    for (const summary of await page.locator('summary').all()) await summary.tap();
    expect(await overhang()).toBeLessThanOrEqual(0);

    await chooseNetwork(page, 'small');
    await page.evaluate(() => window.atelier.setRecipe({ epochs: 1, patience: 0 }));
    await page.evaluate(() => window.atelier.train(window.atelier.formJob()));
    await waitForState(page, (state) => state.evaluation.phase === 'ready');
    expect(await overhang()).toBeLessThanOrEqual(0);

    const draw = page.getByRole('link', { name: 'Draw', exact: true });
    await draw.tap();
    await expect(page.getByRole('heading', { name: 'Try', level: 2 })).toBeInViewport();
    await expect(draw).toBeHidden();
  });
});
