/**
 * Journeys through the Models room: keeping models, taking one away and bringing it back, and what
 * happens when storage is full or a file is not what it should be.
 */
import { readFile } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import type { Download, Page } from 'playwright/test';
import {
  answerRows,
  chooseNetwork,
  expect,
  openApp,
  openWithSample,
  readState,
  test,
  waitForState,
} from './fixtures.ts';

const room = (page: Page) => page.getByRole('region', { name: 'Models', exact: true });
const kept = (page: Page, name: string) =>
  room(page).getByRole('listitem').filter({ hasText: name });

/** Trains the smallest network for one epoch on the sample, on the CPU path. */
async function trainBriefly(page: Page): Promise<void> {
  await chooseNetwork(page, 'small');
  await page.evaluate(async () => {
    const { atelier } = window;
    await atelier.chooseBackend('wasm');
    atelier.setRecipe({ epochs: 1, batchSize: 64, seed: 3 });
    await atelier.train(atelier.formJob());
  });
  await waitForState(page, (state) => state.evaluation.phase === 'ready', 120_000);
  expect(await readState(page, (state) => state.training.phase)).toBe('finished');
}

/** Probabilities of the current model for ten rows of the test file, `[100]`. */
function probabilities(page: Page): Promise<number[]> {
  return answerRows(
    page,
    Array.from({ length: 10 }, (_, i) => i * 37),
  );
}

function expectSame(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(100);
  expect(Math.max(...expected)).toBeGreaterThan(0.2);
  const differences = actual.map((value, i) => Math.abs(value - (expected[i] ?? 0)));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6);
}

async function save(page: Page, name: string): Promise<void> {
  await room(page).getByLabel('Name', { exact: true }).fill(name);
  await room(page).getByRole('button', { name: 'Save', exact: true }).click();
}

async function chooseFiles(
  page: Page,
  files: { name: string; mimeType: string; buffer: Buffer }[],
): Promise<void> {
  const choosing = page.waitForEvent('filechooser');
  await room(page).getByRole('button', { name: 'Import a model' }).click();
  await (await choosing).setFiles(files);
}

async function contentOf(download: Download): Promise<Buffer> {
  return readFile(await download.path());
}

const liveName = (page: Page) =>
  readState(page, ({ model }) => (model.phase === 'live' ? model.card.name : null));

test('a model leaves as a zip and predicts the same in another profile, also after a reload', async ({
  page,
  browser,
  guard,
  baseURL,
}) => {
  await openWithSample(page);
  await trainBriefly(page);
  const before = await probabilities(page);
  const card = await readState(page, ({ model }) => (model.phase === 'live' ? model.card : null));
  const downloading = page.waitForEvent('download');
  await room(page).getByRole('button', { name: 'Download as a zip' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^atelier-.*\.zip$/);
  const zip = {
    name: 'taken-away.zip',
    mimeType: 'application/zip',
    buffer: await contentOf(download),
  };

  const fresh = await browser.newContext(baseURL ? { baseURL } : {});
  guard.watch(fresh);
  const other = await fresh.newPage();
  await openWithSample(other);
  await other.evaluate(() => window.atelier.chooseBackend('wasm'));
  await chooseFiles(other, [zip]);
  await expect(other.getByText(`“${card?.name}” is imported and live`)).toBeVisible();
  expectSame(await probabilities(other), before);
  const imported = await readState(other, ({ model }) =>
    model.phase === 'live' ? model.card : null,
  );
  expect(imported).toMatchObject({ origin: 'imported', history: card?.history, test: card?.test });
  expect(imported?.calibration?.familiarity).toBeTruthy();
  expect(imported?.calibration).toEqual(card?.calibration);

  // It keeps itself: the person has said by choosing the file that they want it here.
  await openWithSample(other);
  expect(await liveName(other)).toBe(card?.name);
  expectSame(await probabilities(other), before);
  await fresh.close();
});

/** The files of an export, with the card's calibration taken out. */
function withoutCalibration(zip: Buffer): { name: string; mimeType: string; buffer: Buffer }[] {
  return Object.entries(unzipSync(zip)).map(([name, bytes]) => {
    if (name !== 'metadata.json') return { name, mimeType: '', buffer: Buffer.from(bytes) };
    const { card, ...rest } = JSON.parse(Buffer.from(bytes).toString());
    const buffer = Buffer.from(JSON.stringify({ ...rest, card: { ...card, calibration: null } }));
    return { name, mimeType: 'application/json', buffer };
  });
}

test('a model without calibration is calibrated by the rows that it did not learn from', async ({
  page,
}) => {
  await openWithSample(page);
  await trainBriefly(page);
  const evaluate = page.getByRole('region', { name: 'Evaluate', exact: true });
  const diagrams = evaluate.getByRole('img', { name: /^Reliability diagram/ });
  await expect(diagrams).toHaveCount(2);
  const found = await readState(page, ({ model }) =>
    model.phase === 'live' ? model.card.calibration : null,
  );
  expect(found).toMatchObject({ data: 'sample_train.csv.gz', numRows: 200 });

  const downloading = page.waitForEvent('download');
  await room(page).getByRole('button', { name: 'Download as a zip' }).click();
  await chooseFiles(page, withoutCalibration(await contentOf(await downloading)));
  await waitForState(page, ({ model }) => model.phase === 'live' && !model.card.calibration);
  await evaluate.getByRole('button', { name: 'Evaluate', exact: true }).click();
  await expect(diagrams).toHaveCount(1);
  await expect(evaluate.getByText('Not calibrated')).toBeVisible();

  await evaluate.getByRole('button', { name: 'Calibrate', exact: true }).click();
  await expect(diagrams).toHaveCount(2);
  await expect(evaluate.getByText(/Calibrated on 200 rows of sample_train/)).toBeVisible();
  await evaluate.getByText('The same as a table').click();
  await expect(evaluate.getByRole('table', { name: 'Calibrated', exact: true })).toBeVisible();
  // The very same as at the end of the run, but for the last digits.
  const again = await readState(page, ({ model }) =>
    model.phase === 'live' ? model.card.calibration : null,
  );
  expect(again?.temperature).toBeCloseTo(found?.temperature ?? 0, 4);
  expect(again?.familiarity?.threshold).toBeCloseTo(found?.familiarity?.threshold ?? 0, 2);
});

test('a kept model is renamed, deleted, brought back, and live again after a reload', async ({
  page,
}) => {
  await openApp(page);
  await save(page, 'Autumn');
  await expect(page.getByText('Saved as “Autumn”')).toBeVisible();
  await expect(kept(page, 'Autumn').getByText('Live')).toBeVisible();

  // By keys alone: rename in place, and the focus comes back to where it was.
  await kept(page, 'Autumn').getByRole('button', { name: 'Rename Autumn' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('Winter');
  await page.keyboard.press('Enter');
  await expect(kept(page, 'Winter')).toBeVisible();
  await expect(kept(page, 'Autumn')).toHaveCount(0);
  await expect(room(page).getByRole('button', { name: 'Rename Winter' })).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.type('Not this');
  await page.keyboard.press('Escape');
  await expect(kept(page, 'Winter')).toBeVisible();
  expect(await liveName(page)).toBe('Winter');

  await room(page).getByRole('button', { name: 'Delete Winter' }).click();
  await expect(kept(page, 'Winter')).toHaveCount(0);
  await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await expect(kept(page, 'Winter')).toBeVisible();

  await openApp(page);
  expect(await liveName(page)).toBe('Winter');
  await room(page).getByRole('button', { name: 'Delete Winter' }).click();
  await expect(kept(page, 'Winter')).toHaveCount(0);
  await openApp(page);
  await expect(room(page).getByText('Nothing is kept yet.')).toBeVisible();
});

/** Writes into another database of the page until not even a small record fits. */
async function fillStorage(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('filler');
      opening.onupgradeneeded = () => opening.result.createObjectStore('bytes');
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    const fits = (numBytes: number) =>
      new Promise<boolean>((resolve) => {
        // Noise, since the database packs what it can.
        const bytes = new Uint8Array(numBytes);
        for (let at = 0; at < numBytes; at += 65_536) {
          crypto.getRandomValues(bytes.subarray(at, at + 65_536));
        }
        const transaction = database.transaction('bytes', 'readwrite');
        transaction.objectStore('bytes').put(bytes, crypto.randomUUID());
        transaction.oncomplete = () => resolve(true);
        transaction.onabort = () => resolve(false);
      });
    for (let numBytes = 4_000_000; numBytes > 5_000; numBytes /= 4) {
      while (await fits(numBytes));
    }
    database.close();
  });
}

test('over quota nothing is claimed and nothing is lost, and the download is offered', async ({
  page,
  context,
  baseURL,
}) => {
  const devtools = await context.newCDPSession(page);
  const { origin } = new URL(baseURL ?? '');
  const setQuota = (quotaSize: number) =>
    devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize });
  await setQuota(25_000_000);
  await openApp(page);
  await save(page, 'Kept before');
  await expect(kept(page, 'Kept before')).toBeVisible();
  const id = await readState(page, ({ model }) => (model.phase === 'live' ? model.card.id : null));
  const downloading = page.waitForEvent('download');
  await room(page).getByRole('button', { name: 'Download as a zip' }).click();
  const zip = {
    name: 'more.zip',
    mimeType: 'application/zip',
    buffer: await contentOf(await downloading),
  };

  await fillStorage(page);
  // Filled first, since the browser remembers for a while how much room it last saw.
  await setQuota(1000);
  await chooseFiles(page, [zip]);
  await waitForState(
    page,
    ({ model }) => model.phase === 'live' && model.card.origin === 'imported',
  );
  await expect(room(page).getByText('Not kept yet')).toBeVisible();
  await expect(room(page).getByRole('alert')).toContainText('was not saved');
  await expect(page.getByText('is live, but not kept')).toBeVisible();
  await expect(page.getByText('is imported and live')).toHaveCount(0);
  await save(page, 'One too many');

  const alert = room(page).getByRole('alert');
  await expect(alert).toContainText('“One too many” was not saved');
  await expect(alert).toContainText('Nothing that was kept before is lost');
  await expect(page.getByText('Saved as “One too many”')).toHaveCount(0);
  await expect(kept(page, 'One too many')).toHaveCount(0);
  await expect(kept(page, 'Kept before')).toBeVisible();
  const rescuing = page.waitForEvent('download');
  await alert.getByRole('button', { name: 'Download the live model' }).click();
  expect((await contentOf(await rescuing)).subarray(0, 2).toString()).toBe('PK');

  // What was kept is whole: it is live again after a reload.
  await openApp(page);
  await expect(kept(page, 'One too many')).toHaveCount(0);
  await expect(kept(page, 'Kept before').getByText('Live')).toBeVisible();
  expect(
    await readState(page, ({ model }) => (model.phase === 'live' ? model.card.id : null)),
  ).toBe(id);

  // With room again, the same file is kept beside it.
  await setQuota(100_000_000);
  await chooseFiles(page, [zip]);
  await expect(kept(page, 'Kept before')).toHaveCount(2);
  await expect(room(page).getByRole('alert')).toHaveCount(0);
});

test('a file that is not a model is refused with the reason, and the live model stays', async ({
  page,
}) => {
  await openApp(page);
  const before = await liveName(page);
  const modelJson = {
    modelTopology: { class_name: 'Sequential', config: { layers: [{ class_name: 'Lambda' }] } },
    weightsManifest: [{ paths: ['weights.bin'], weights: [] }],
  };
  await chooseFiles(page, [
    {
      name: 'model.json',
      mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify(modelJson)),
    },
    { name: 'weights.bin', mimeType: 'application/octet-stream', buffer: Buffer.from([]) },
  ]);
  const alert = room(page).getByRole('alert');
  await expect(alert).toContainText('This model was not imported');
  await expect(alert).toContainText('"Lambda"');
  expect(await liveName(page)).toBe(before);
});

test('model files dropped on the room are imported', async ({ page }) => {
  await openApp(page);
  const downloading = page.waitForEvent('download');
  await room(page).getByRole('button', { name: 'Download as a zip' }).click();
  const zip = (await contentOf(await downloading)).toString('base64');
  const transfer = await page.evaluateHandle((base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], 'dropped.zip', { type: 'application/zip' }));
    return data;
  }, zip);
  const target = room(page).getByRole('button', { name: 'Import a model' });
  await target.dispatchEvent('dragover', { dataTransfer: transfer });
  await expect(room(page).getByText('Drop to import')).toBeVisible();
  await target.dispatchEvent('drop', { dataTransfer: transfer });
  await expect(page.getByText('is imported and live')).toBeVisible();
  await expect(room(page).getByText('Drop to import')).toHaveCount(0);
});

test('a damaged record is told of and can be removed; the others stay', async ({ page }) => {
  await openApp(page);
  await save(page, 'Whole');
  await expect(kept(page, 'Whole')).toBeVisible();
  await page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open('atelier');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const transaction = opening.result.transaction('models', 'readwrite');
          transaction.objectStore('models').put({ card: 'torn' }, 'torn');
          transaction.oncomplete = () => resolve();
        };
      }),
  );
  await openApp(page);
  const notice = room(page).getByRole('status').filter({ hasText: 'A kept model cannot be read' });
  await expect(notice).toBeVisible();
  await expect(kept(page, 'Whole')).toBeVisible();
  await notice.getByRole('button', { name: 'Remove it' }).click();
  await expect(notice).toHaveCount(0);
  await expect(kept(page, 'Whole')).toBeVisible();
});
