/**
 * Journeys between versions: what an earlier one kept in the browser opens in this one, and what a
 * newer one kept is reported and stays as it is.
 */
import { gunzipSync } from 'node:zlib';
import type { Page } from 'playwright/test';
import { softmaxAt, toLogits } from '../src/ml/spec/calibration.ts';
import {
  readFixture,
  readOlderRecords,
  readProbabilities,
} from '../src/store/testing/olderRecords.ts';
import { answerRows, expect, openApp, openWithSample, readState, test } from './fixtures.ts';

type Entry = readonly [store: string, key: string, value: unknown];

/** Writes records behind the page's back; `weights` are given as lists of bytes. */
async function putRecords(page: Page, entries: readonly Entry[]): Promise<void> {
  await page.evaluate(
    (all) =>
      new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open('atelier');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const stores = [...opening.result.objectStoreNames];
          const transaction = opening.result.transaction(stores, 'readwrite');
          for (const [store, key, value] of all) {
            const record = store === 'weights' ? Uint8Array.from(value as number[]).buffer : value;
            transaction.objectStore(store).put(record, key);
          }
          transaction.onabort = () => reject(transaction.error);
          transaction.oncomplete = () => {
            opening.result.close();
            resolve();
          };
        };
      }),
    entries,
  );
}

function readRecord(page: Page, store: string, key: string): Promise<unknown> {
  return page.evaluate(
    ([name, id]) =>
      new Promise<unknown>((resolve, reject) => {
        const opening = indexedDB.open('atelier');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const asking = opening.result.transaction(name).objectStore(name).get(id);
          asking.onsuccess = () => {
            opening.result.close();
            resolve(asking.result);
          };
        };
      }),
    [store, key] as const,
  );
}

test('models, runs and settings that version 0.1.0 kept open here and answer the same', async ({
  page,
}) => {
  const { models, runs, settings } = readOlderRecords(1);
  const idOf = (title: string) =>
    models.find(([, { card }]) => (card as { name: string }).name.startsWith(title))?.[0] ?? '';
  await openApp(page);
  await putRecords(page, [
    ...models.map(([id, model]): Entry => ['models', id, model]),
    ...models.map(
      ([id]): Entry => ['weights', id, Array.from(gunzipSync(readFixture(1, `${id}.weights.gz`)))],
    ),
    ...runs.map(([id, run]): Entry => ['runs', id, run]),
    ...settings.map(([key, value]): Entry => ['settings', key, value]),
  ]);

  await openWithSample(page);
  expect(
    await readState(page, ({ model, library, network, runs: kept }) => ({
      current: model.phase === 'live' && model.card.name,
      numModels: library.phase === 'ready' && library.models.length,
      unreadable: library.phase === 'ready' && library.unreadable,
      network,
      runs: kept.map((run) => run.network.title),
    })),
  ).toMatchObject({
    current: 'Classic, kept',
    numModels: 3,
    unreadable: [],
    runs: ['Deep', 'Classic', 'Small'],
  });
  for (const [name, title] of [
    ['small', 'Small'],
    ['deep', 'Deep'],
  ] as const) {
    await page.evaluate((id) => window.atelier.loadModel(id), idOf(title));
    const rows = Array.from({ length: 20 }, (_, i) => i * 23);
    const calibrated = Float32Array.from(await answerRows(page, rows));
    const temperature = await readState(page, ({ model }) =>
      model.phase === 'live' ? model.card.calibration?.temperature : undefined,
    );
    // What was kept is as the network gives it: without the calibration.
    const answered = Array.from(softmaxAt(toLogits(calibrated), 1 / (temperature ?? 1), 10));
    const expected = readProbabilities(1)[name] ?? [];
    expect(answered).toHaveLength(expected.length);
    const differences = answered.map((value, i) => Math.abs(value - (expected[i] ?? 0)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6);
  }
});

test('what a newer version has kept is reported and stays as it is', async ({ page }) => {
  const [run] = readOlderRecords(1).runs;
  const newerRun = { ...run?.[1], recordVersion: 3, recipe: 'a text now' };
  const newerSettings = { recordVersion: 3, theme: 'dark' };
  await openApp(page);
  await putRecords(page, [
    ['models', 'newer', { recordVersion: 3, kind: 'latest' }],
    ['runs', 'newer', newerRun],
    ['settings', 'page', newerSettings],
  ]);
  await openApp(page);
  const models = page.getByRole('region', { name: 'Models', exact: true });
  const notice = models.getByRole('status').filter({ hasText: 'A newer version of Atelier' });
  await expect(notice).toContainText('It has kept a model, a run and your settings');
  await expect(models.getByText('A kept model cannot be read')).toHaveCount(0);

  // Neither what the person sets nor a model that is kept takes their place.
  await page.evaluate(async () => {
    window.atelier.setRecipe({ epochs: 3 });
    await window.atelier.saveModel('Mine');
  });
  await expect(models.getByRole('listitem').filter({ hasText: 'Mine' })).toBeVisible();
  expect(await readRecord(page, 'settings', 'page')).toEqual(newerSettings);
  expect(await readRecord(page, 'runs', 'newer')).toEqual(newerRun);
  expect(await readRecord(page, 'models', 'newer')).toEqual({ recordVersion: 3, kind: 'latest' });
});
