/**
 * Journeys through the Data room: choosing data, looking at it closely, and what happens when a file
 * is wrong or the connection is gone.
 */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright/test';
import { expect, openApp, openWithSample, readState, test, waitForState } from './fixtures.ts';

const SAMPLE_FILES = '**/data/sample_*.csv.gz';

const room = (page: Page) => page.getByRole('region', { name: 'Data', exact: true });

/** A CSV of four Trousers and a Bag; pixel p is p % 256. `change` maps [row, column] to a cell. */
function makeCsv(change?: {
  readonly row: number;
  readonly column: number;
  readonly cell: string;
}) {
  const rows = [1, 1, 1, 1, 8].map((label) => [
    String(label),
    ...Array.from({ length: 784 }, (_, at) => String(at % 256)),
  ]);
  const header = ['label', ...Array.from({ length: 784 }, (_, at) => `pixel${at + 1}`)];
  const lines = [header, ...rows];
  const line = lines[(change?.row ?? 1) - 1];
  if (change && line) line[change.column - 1] = change.cell;
  return {
    name: 'wardrobe.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(lines.map((cells) => cells.join(',')).join('\n')),
  };
}

test('the sample loads, shows its counts, and its pictures can be looked at closely', async ({
  page,
}) => {
  await openApp(page);
  await expect(room(page).getByText('No pictures are loaded yet')).toBeVisible();
  await room(page).getByRole('button', { name: 'Use the sample' }).click();

  await expect(room(page).getByRole('radio', { name: '2,000 Training pictures' })).toBeChecked();
  await expect(room(page).getByText('Even: 200 of each.')).toBeVisible();
  await room(page).getByRole('button', { name: 'Trouser 200' }).click();
  await expect(room(page).getByText('1–70 of 200')).toBeVisible();
  await room(page).getByRole('button', { name: 'Next page' }).click();
  await expect(room(page).getByText('71–140 of 200')).toBeVisible();

  // Keys alone: into the grid, two pictures on, open, read, close, and back where one was.
  const tiles = room(page).getByRole('button', { name: /^Trouser, picture / });
  await expect(tiles).toHaveCount(70);
  await tiles.first().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await expect(tiles.nth(2)).toBeFocused();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Trouser' });
  await expect(dialog.getByRole('table').getByRole('row')).toHaveCount(29);
  const [firstCell, pixels] = await Promise.all([
    dialog.getByRole('row').nth(15).getByRole('cell').nth(14).textContent(),
    page.evaluate(async () => {
      const query = { part: 'train', label: 1, offset: 72, count: 1 } as const;
      return [...(await window.atelier.garments(query)).pixels];
    }),
  ]);
  expect(Number(firstCell)).toBe(pixels[14 * 28 + 14]);

  const { violations } = await new AxeBuilder({ page }).include('[role=dialog]').analyze();
  expect(violations).toEqual([]);
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(tiles.nth(2)).toBeFocused();

  await room(page).getByRole('radio', { name: '500 Test pictures' }).check({ force: true });
  await expect(room(page).getByText('1–50 of 50')).toBeVisible();
});

test('a corrupt CSV is refused with row and column, and the app goes on', async ({ page }) => {
  await openWithSample(page);
  const trainingFile = page.locator('input[data-own-file=train]');

  await trainingFile.setInputFiles(makeCsv({ row: 4, column: 17, cell: 'linen' }));
  const alert = room(page).getByRole('alert');
  await expect(alert).toContainText('wardrobe.csv, row 4, column 17 (pixel16)');
  await expect(alert).toContainText('“linen”');
  await expect(alert).toContainText('2,000 training and 500 test pictures from before');
  await expect(room(page).getByRole('radio', { name: '2,000 Training pictures' })).toBeVisible();
  await room(page).getByRole('button', { name: 'Bag 200' }).click();
  await expect(room(page).getByText('1–70 of 200')).toBeVisible();

  // The same file, corrected.
  await trainingFile.setInputFiles(makeCsv());
  await expect(alert).toBeHidden();
  await expect(room(page).getByRole('radio', { name: '5 Training pictures' })).toBeVisible();
  await expect(room(page).getByRole('button', { name: 'Trouser 4' })).toBeVisible();
  await expect(room(page).getByText('8 classes have no pictures at all.')).toBeVisible();
  expect(
    await readState(page, ({ data }) => (data.phase === 'ready' ? data.info : null)),
  ).toMatchObject({
    source: 'own',
    trainFile: 'wardrobe.csv',
    testFile: 'sample_test.csv.gz',
    numTest: 500,
  });
});

test('without a connection Retry appears and works; the next visit needs none', async ({
  page,
}) => {
  await openApp(page);
  await page.route(SAMPLE_FILES, (route) => route.abort('connectionrefused'));
  await room(page).getByRole('button', { name: 'Use the sample' }).click();
  const alert = room(page).getByRole('alert');
  await expect(alert).toContainText('sample_train.csv.gz could not be loaded');
  await expect(alert).toContainText('after 4 tries');

  await page.unroute(SAMPLE_FILES);
  await alert.getByRole('button', { name: 'Retry' }).click();
  await expect(room(page).getByRole('radio', { name: '2,000 Training pictures' })).toBeVisible();
  await expect(alert).toBeHidden();

  // A visit later: one question a file, no bytes.
  const methods: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/data/sample_')) methods.push(request.method());
  });
  await openApp(page);
  await waitForState(page, ({ data }) => data.phase === 'ready');
  await expect(room(page).getByText('from this browser’s own storage')).toBeVisible();
  expect(methods).toEqual(['HEAD', 'HEAD']);

  // And one without any connection to the data.
  await page.route(SAMPLE_FILES, (route) => route.abort('connectionrefused'));
  await openApp(page);
  await waitForState(page, ({ data }) => data.phase === 'ready' && data.info.fromCache);
});

test('a load can be cancelled, and what was in use stays', async ({ page }) => {
  await openWithSample(page);
  let release = (): void => {};
  await page.route('**/data/fashion-mnist_*', async (route) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    await route.abort();
  });
  await room(page).getByRole('button', { name: 'Use the full set' }).click();
  await room(page).getByRole('button', { name: 'Cancel' }).click();
  await expect(room(page).getByText('Even: 200 of each.')).toBeVisible();
  await expect(room(page).getByRole('button', { name: 'Cancel' })).toBeHidden();
  expect(await readState(page, ({ data }) => data.phase)).toBe('ready');
  release();
});
