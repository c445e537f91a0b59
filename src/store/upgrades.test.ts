import 'fake-indexeddb/auto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { deleteDB, openDB } from 'idb';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Dataset, gatherBatch } from '../data/dataset.ts';
import { FASHION_MNIST, PIXELS, SIDE } from '../fashion.ts';
import { makeCard, makeModel } from '../formats/testing/smallModel.ts';
import { importFiles } from '../formats/zip.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { resolveNetwork } from '../network/spec.ts';
import { closeDatabase } from './database.ts';
import { datasetCache } from './datasets.ts';
import {
  deleteModel,
  listModels,
  loadLastModel,
  loadModel,
  purgeDeleted,
  renameModel,
  saveModel,
  updateCard,
} from './models.ts';
import type { RunSummary, Settings } from './records.ts';
import { listRuns, saveRun } from './runs.ts';
import { readEngineMemory, readSettings, writeEngineMemory, writeSettings } from './settings.ts';
import {
  probedRows,
  putOlderRecords,
  readFixture,
  readOlderRecords,
  readProbabilities,
} from './testing/olderRecords.ts';

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
  it.each(['small', 'classic', 'deep'] as const)(
    '%s opens and classifies as it did',
    async (name) => {
      await putOlderRecords(1);
      const { spec } = NETWORK_PRESETS[name];
      const stored = (await listModels()).models.find(
        ({ card }) => card.network.title === spec.title,
      );
      const { model, card } = await loadModel(stored?.card.id ?? '');
      const probabilities = classify(model, await probedRows());
      model.dispose();
      expectSame(probabilities, readProbabilities(1)[name]);
      expect(card).toMatchObject({ origin: 'trained', trainedOn: 'simd', test: { numRows: 500 } });
      expect(card.calibration?.familiarity).toBeTruthy();
      // The name has become the network that it meant.
      expect(card.network).toEqual(spec);
      expect(card.numParams).toBe(resolveNetwork(spec, 10).params);
      expect(card.dataSpec).toEqual(FASHION_MNIST);
    },
  );

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
    const { small, classic, deep } = NETWORK_PRESETS;
    expect(runs.map(({ network }) => network)).toEqual([deep.spec, classic.spec, small.spec]);
    const { runs: kept, settings } = readOlderRecords(1);
    for (const [id, { recipe, history }] of kept) {
      expect(runs.find((run) => run.id === id)).toMatchObject({ recipe, history });
    }
    expect(await readSettings()).toMatchObject({
      ...fieldsOf(new Map(settings).get('page')),
      network: deep.spec,
    });
    expect(await readEngineMemory()).toEqual(new Map(settings).get('engine'));
    expect(
      (await datasetCache.read('data/sample_train.csv.gz', FASHION_MNIST))?.dataset.labels,
    ).toHaveLength(12);
  });

  it('are read in their older spellings', async () => {
    await putOlderRecords(1, (store, record) => {
      const { recipe, card, includesWebGPU: _, ...rest } = record;
      if (store === 'models') {
        const { calibration: _none, ...older } = fieldsOf(card);
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

  it('of a model that only has the name of a network keep the name', async () => {
    await putOlderRecords(1, (store, record) =>
      store === 'models'
        ? { ...record, card: { ...fieldsOf(record.card), network: 'small', numParams: 7 } }
        : { ...record, network: 'abacus' },
    );
    const { models } = await listModels();
    expect(models.map(({ card }) => card.network)).toEqual(
      new Array(3).fill({ title: 'small', nodes: null }),
    );
    expect((await listRuns())[0]?.network).toEqual({ title: 'abacus', nodes: null });
    expect(await readSettings()).toBeNull();
  });

  it('are of this version once something about them changes, and not before', async () => {
    await putOlderRecords(1);
    const [kept, other] = (await listModels()).models;
    const id = kept?.card.id ?? '';
    await renameModel(id, 'Another name');
    expect(await rawRecord('models', id)).toMatchObject({
      recordVersion: 2,
      card: { name: 'Another name', network: NETWORK_PRESETS.deep.spec },
    });
    expect(await rawRecord('models', other?.card.id ?? '')).not.toHaveProperty('recordVersion');
    const { model, card } = await loadModel(id);
    model.dispose();
    expect(card).toEqual({ ...kept?.card, name: 'Another name' });
  });
});

describe('records of a newer version', () => {
  /** As the next version might write them: some fields mean something else. */
  async function putNewer(): Promise<string> {
    await putOlderRecords(1, (_store, record) => ({
      ...record,
      recordVersion: 3,
      kind: 'latest',
      card: 'a card is a text now',
      history: null,
    }));
    return readOlderRecords(1).models[0]?.[0] ?? '';
  }

  it('are counted and told, and are not taken for damaged ones', async () => {
    const id = await putNewer();
    expect(await listModels()).toEqual({
      models: [],
      unreadable: [],
      newer: { numModels: 3, numRuns: 3, hasSettings: true },
    });
    expect(await listRuns()).toEqual([]);
    expect(await readSettings()).toBeNull();
    expect(await readEngineMemory()).toBeNull();
    expect(await datasetCache.read('data/sample_train.csv.gz', FASHION_MNIST)).toBeNull();
    await expect(loadModel(id)).rejects.toMatchObject({
      reason: 'newer',
      message: expect.stringMatching(/newer version of Atelier.*Reload/),
    });
    await expect(loadLastModel()).rejects.toMatchObject({ reason: 'newer' });
  });

  it('stay as they are, whatever this page does', async () => {
    const id = await putNewer();
    const before = await rawRecords();
    const refusal = { reason: 'newer' };
    await expect(renameModel(id, 'Mine')).rejects.toMatchObject(refusal);
    await expect(deleteModel(id)).rejects.toMatchObject(refusal);
    const model = makeModel();
    await expect(saveModel(model, makeCard({ id }), 'named')).rejects.toMatchObject(refusal);
    await expect(updateCard(makeCard({ id }))).rejects.toMatchObject(refusal);
    const run = { ...runOf(makeCard()), id };
    await expect(saveRun(run)).rejects.toMatchObject(refusal);
    const settings: Settings = {
      network: NETWORK_PRESETS.small.spec,
      recipe: DEFAULT_RECIPE,
      backend: 'auto',
      includesWebGPU: true,
      source: null,
    };
    await expect(writeSettings(settings)).rejects.toMatchObject(refusal);
    const memory = { fingerprint: 'other', trials: {} };
    await expect(writeEngineMemory(memory)).rejects.toMatchObject(refusal);
    const dataset = { pixels: new Uint8Array(PIXELS), labels: new Uint8Array(1) };
    await datasetCache.write('data/sample_train.csv.gz', {
      version: 'other',
      dataset: { ...dataset, spec: FASHION_MNIST },
    });
    expect(await rawRecords()).toEqual(before);

    // The latest model of this page takes the place of its own kind alone.
    await saveModel(model, makeCard({ name: 'latest here' }), 'latest');
    model.dispose();
    expect((await listModels()).newer?.numModels).toBe(3);
    expect(await purgeDeleted(Number.POSITIVE_INFINITY)).toBe(0);
  });

  it('are known as damaged where the version makes no sense', async () => {
    await putOlderRecords(1, (_store, record) => ({ ...record, recordVersion: 'two' }));
    const { unreadable, newer } = await listModels();
    expect(unreadable).toHaveLength(3);
    expect(newer).toBeNull();
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

/** Whatever is in the database, as it is. */
async function rawRecords(): Promise<unknown> {
  const database = await openDB('atelier');
  const records = await Promise.all(
    ['models', 'runs', 'settings', 'datasets'].map((store) => database.getAll(store)),
  );
  database.close();
  return records;
}

async function rawRecord(store: string, key: string): Promise<unknown> {
  const database = await openDB('atelier');
  const record: unknown = await database.get(store, key);
  database.close();
  return record;
}

function runOf({ id, recipe, history }: ModelCard): RunSummary {
  return {
    id,
    network: NETWORK_PRESETS.small.spec,
    recipe: recipe ?? DEFAULT_RECIPE,
    backend: 'simd',
    dataName: 'sample_train.csv.gz',
    numTrain: 1800,
    startedAt: '2026-11-22T08:00:00.000Z',
    elapsedMs: 1,
    reason: 'completed',
    history,
    testAccuracy: null,
    testLoss: null,
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return v.parse(v.looseObject({}), value);
}

function readShippedZip(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    readFileSync(join(import.meta.dirname, '../../public/models/shipped.zip')),
  );
}

/** The first spelling of how pictures are varied was a yes or a no. */
function spellAsBefore(recipe: unknown): unknown {
  const { augment, ...rest } = fieldsOf(recipe);
  return { ...rest, augment: augment !== 'none' };
}
