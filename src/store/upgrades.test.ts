import 'fake-indexeddb/auto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { deleteDB } from 'idb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Dataset, gatherBatch } from '../data/dataset.ts';
import { PIXELS, SIDE } from '../fashion.ts';
import { importFiles } from '../formats/zip.ts';
import { closeDatabase } from './database.ts';
import { datasetCache } from './datasets.ts';
import { listModels, loadLastModel, loadModel } from './models.ts';
import {
  probedRows,
  putOlderRecords,
  readFixture,
  readOlderRecords,
  readProbabilities,
} from './olderRecords.ts';
import { listRuns } from './runs.ts';
import { readEngineMemory, readSettings } from './settings.ts';

let numTensorsBefore = 0;

beforeEach(async () => {
  await tf.setBackend('cpu');
  numTensorsBefore = tf.memory().numTensors;
});

afterEach(async () => {
  await closeDatabase();
  await deleteDB('atelier');
  expect(tf.memory().numTensors).toBe(numTensorsBefore);
});

/** `[n · 10]` probabilities. */
function classify(model: tf.LayersModel, dataset: Dataset): Float32Array {
  const rows = Uint32Array.from(dataset.labels, (_, row) => row);
  const pictures = new Float32Array(rows.length * PIXELS);
  gatherBatch(dataset, rows, pictures);
  return tf.tidy(() => {
    const output = model.predict(tf.tensor4d(pictures, [rows.length, SIDE, SIDE, 1]));
    return Float32Array.from((output as tf.Tensor).dataSync());
  });
}

function expectSame(actual: Float32Array, expected: readonly number[] | undefined): void {
  expect(expected).toHaveLength(200);
  const differences = Array.from(actual, (value, i) => Math.abs(value - (expected?.[i] ?? 0)));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6);
}

describe('records without a version', () => {
  it.each(['small', 'classic', 'deep'])('%s opens and classifies as it did', async (name) => {
    await putOlderRecords(1);
    const stored = (await listModels()).models.find((kept) => kept.card.network === name);
    const { model, card } = await loadModel(stored?.card.id ?? '');
    const probabilities = classify(model, await probedRows());
    model.dispose();
    expectSame(probabilities, readProbabilities(1)[name]);
    expect(card).toMatchObject({ origin: 'trained', trainedOn: 'simd', test: { numRows: 500 } });
    expect(card.calibration?.familiarity).toBeTruthy();
  });

  it('are all there, and the model used last is', async () => {
    await putOlderRecords(1);
    const { models, unreadable } = await listModels();
    expect(unreadable).toEqual([]);
    expect(models.map(({ card, kind }) => [card.name, kind])).toEqual([
      ['Deep, kept', 'named'],
      ['Classic, kept', 'named'],
      ['Small, kept', 'named'],
    ]);
    const last = await loadLastModel();
    last?.model.dispose();
    expect(last?.card.name).toBe('Classic, kept');

    const runs = await listRuns();
    expect(runs.map(({ network }) => network)).toEqual(['deep', 'classic', 'small']);
    const { runs: kept, settings } = readOlderRecords(1);
    for (const [id, { recipe, history }] of kept) {
      expect(runs.find((run) => run.id === id)).toMatchObject({ recipe, history });
    }
    expect(await readSettings()).toMatchObject(new Map(settings).get('page') ?? {});
    expect(await readEngineMemory()).toEqual(new Map(settings).get('engine'));
    expect((await datasetCache.read('data/sample_train.csv.gz'))?.dataset.labels).toHaveLength(12);
  });

  it('are read in their older spellings', async () => {
    await putOlderRecords(1, (store, record) => {
      const { recipe, card, includesWebGPU: _, ...rest } = record;
      if (store === 'models') {
        const { calibration: _none, ...older } = card as Record<string, unknown>;
        return { ...rest, card: { ...older, recipe: older.recipe && spellAsBefore(older.recipe) } };
      }
      return recipe === undefined ? rest : { ...rest, recipe: spellAsBefore(recipe) };
    });
    const { models, unreadable } = await listModels();
    expect(unreadable).toEqual([]);
    expect(models.map(({ card }) => [card.recipe?.augment, card.calibration])).toEqual([
      ['light', null],
      ['light', null],
      ['none', null],
    ]);
    expect((await listRuns()).map(({ recipe }) => recipe.augment)).toEqual([
      'light',
      'light',
      'none',
    ]);
    expect(await readSettings()).toMatchObject({
      recipe: { augment: 'light' },
      includesWebGPU: false,
    });
  });
});

describe('a zip without a version of its card', () => {
  it.each([
    ['small', () => readFixture(1, 'small.zip')],
    ['shipped', readShippedZip],
  ])('%s opens and classifies as it did', async (name, read) => {
    const bytes = read();
    const file = { name: 'model.zip', size: bytes.length, arrayBuffer: async () => bytes.buffer };
    const { model, card } = await importFiles([file]);
    const probabilities = classify(model, await probedRows());
    model.dispose();
    expectSame(probabilities, readProbabilities(1)[name]);
    expect(card.origin).toBe('imported');
    expect(card.calibration?.familiarity).toBeTruthy();
    expect(card.recipe?.batchSize).toBe(name === 'small' ? 64 : 128);
  });
});

function readShippedZip(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    readFileSync(join(import.meta.dirname, '../../public/models/shipped.zip')),
  );
}

/** The first spelling of how pictures are varied was a yes or a no. */
function spellAsBefore(recipe: unknown): unknown {
  const { augment, ...rest } = recipe as Record<string, unknown>;
  return { ...rest, augment: augment !== 'none' };
}
