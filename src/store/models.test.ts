import 'fake-indexeddb/auto';
import * as tf from '@tensorflow/tfjs';
import { deleteDB, openDB } from 'idb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FASHION_MNIST } from '../fashion.ts';
import { makeCard, makeModel, makePixels, probe } from '../formats/testing/smallModel.ts';
import { MAX_NAME_LENGTH } from '../ml/spec/modelCard.ts';
import { closeDatabase, StorageError } from './database.ts';
import { datasetCache } from './datasets.ts';
import {
  deleteModel,
  listModels,
  loadLastModel,
  loadModel,
  purgeDeleted,
  renameModel,
  restoreModel,
  saveModel,
  setLastUsed,
  updateCard,
} from './models.ts';

let numTensorsBefore = 0;

beforeEach(async () => {
  await tf.setBackend('cpu');
  numTensorsBefore = tf.memory().numTensors;
});

afterEach(async () => {
  vi.restoreAllMocks();
  await closeDatabase();
  await deleteDB('atelier');
  expect(tf.memory().numTensors).toBe(numTensorsBefore);
});

/** Saves a small model of its own. */
async function save(change: Parameters<typeof makeCard>[0] = {}, kind?: 'latest' | 'named') {
  const model = makeModel();
  const stored = await saveModel(model, makeCard(change), kind ?? 'named').finally(() =>
    model.dispose(),
  );
  return stored.card.id;
}

/** Changes a record behind the store's back. */
async function tamper(
  store: 'models' | 'weights',
  id: string,
  change: (value: Record<string, unknown> & ArrayBuffer) => unknown,
): Promise<void> {
  const database = await openDB('atelier');
  await database.put(store, change(await database.get(store, id)), id);
  database.close();
}

async function failure(promise: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await promise.then(
    () => new Error('It succeeded.'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError;
}

/** From now on the browser has room for `numPuts` more records, then for none. */
function fillStorage(numPuts: number): void {
  const put = IDBObjectStore.prototype.put;
  let left = numPuts;
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
    this: IDBObjectStore,
    ...args
  ) {
    if (left-- > 0) return put.apply(this, args);
    throw new DOMException('No room.', 'QuotaExceededError');
  });
}

const names = async () => (await listModels()).models.map(({ card }) => card.name);

describe('keeping a model', () => {
  it('brings it back, after a reload, with the same predictions and card', async () => {
    const model = makeModel();
    const before = probe(model);
    const card = makeCard();
    const stored = await saveModel(model, card, 'named');
    model.dispose();
    expect(stored).toMatchObject({ card, kind: 'named' });
    expect(stored.bytes).toBeGreaterThan(2_000 * 4);

    await closeDatabase();
    const back = await loadModel(card.id);
    const after = probe(back.model);
    for (const [i, value] of after.entries()) {
      expect(Math.abs(value - (before[i] ?? 0))).toBeLessThanOrEqual(1e-6);
    }
    expect(back.card).toEqual(card);
    expect(await listModels()).toEqual({ models: [stored], unreadable: [], newer: null });
    back.model.dispose();
  });

  it('lists the most recent first', async () => {
    await save({ name: 'b', createdAt: '2026-11-21T08:00:00.000Z' });
    await save({ name: 'c', createdAt: '2026-11-22T08:00:00.000Z' });
    await save({ name: 'a', createdAt: '2026-11-20T08:00:00.000Z' });
    expect(await names()).toEqual(['c', 'b', 'a']);
  });

  it('lets the latest replace the latest, and a named model stay', async () => {
    await save({ name: 'named' }, 'named');
    await save({ name: 'first run' }, 'latest');
    const second = await save({ name: 'second run' }, 'latest');
    expect((await names()).sort()).toEqual(['named', 'second run']);

    await save({ id: second, name: 'worth keeping' }, 'named');
    await save({ id: second, name: 'worth keeping' }, 'latest');
    await save({ name: 'third run' }, 'latest');
    expect((await names()).sort()).toEqual(['named', 'third run', 'worth keeping']);
  });

  it('does not say saved where something else was kept', async () => {
    const kept = await save({ name: 'before' });
    const put = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
      this: IDBObjectStore,
      value,
      key,
    ) {
      const damaged = value instanceof ArrayBuffer ? value.slice(4) : value;
      return put.call(this, damaged, key);
    });
    const error = await failure(save({ name: 'other' }));
    expect(error.message).toMatch(/“other” was not saved/);
    vi.restoreAllMocks();
    expect(await names()).toEqual(['before']);
    const last = await loadLastModel();
    expect(last?.card.id).toBe(kept);
    last?.model.dispose();
  });
});

describe('the model used last', () => {
  it('is the one saved or loaded last', async () => {
    expect(await loadLastModel()).toBeNull();
    const first = await save();
    const second = await save();
    const afterSave = await loadLastModel();
    expect(afterSave?.card.id).toBe(second);
    afterSave?.model.dispose();

    (await loadModel(first)).model.dispose();
    const afterLoad = await loadLastModel();
    expect(afterLoad?.card.id).toBe(first);
    afterLoad?.model.dispose();
  });

  it('is none once it is deleted, or another that is not kept is live', async () => {
    const id = await save();
    await deleteModel(id);
    expect(await loadLastModel()).toBeNull();
    await restoreModel(id);
    await setLastUsed(null);
    expect(await loadLastModel()).toBeNull();
  });
});

describe('storage that is full', () => {
  // Room for none of the records of a model, for one, for two.
  it.each([0, 1, 2])('claims nothing and loses nothing (%i records fit)', async (numPuts) => {
    const before = await save({ name: 'before' }, 'latest');
    fillStorage(numPuts);
    const error = await failure(save({ name: 'too much' }, 'latest'));
    expect(error.reason).toBe('full');
    expect(error.message).toMatch(/“too much” was not saved/);
    expect(error.message).toMatch(/Nothing that was kept before is lost/);
    expect(error.message).toMatch(/Download the model/);

    vi.restoreAllMocks();
    expect(await names()).toEqual(['before']);
    const last = await loadLastModel();
    expect(last?.card.id).toBe(before);
    last?.model.dispose();
  });

  it('gives up deleted models and parsed data for a new model', async () => {
    await deleteModel(await save({ name: 'deleted' }));
    const dataset = { pixels: makePixels(2), labels: new Uint8Array(2), spec: FASHION_MNIST };
    await datasetCache.write('a.csv', { version: '1', dataset });
    const put = IDBObjectStore.prototype.put;
    let isFull = true;
    vi.spyOn(IDBObjectStore.prototype, 'clear').mockImplementationOnce(function (
      this: IDBObjectStore,
    ) {
      isFull = false;
      return this.delete(IDBKeyRange.lowerBound(''));
    });
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
      this: IDBObjectStore,
      ...args
    ) {
      if (isFull) throw new DOMException('No room.', 'QuotaExceededError');
      return put.apply(this, args);
    });
    await save({ name: 'new' });
    expect(await names()).toEqual(['new']);
    expect(await purgeDeleted(Number.POSITIVE_INFINITY)).toBe(0);
    expect(await datasetCache.read('a.csv', FASHION_MNIST)).toBeNull();
  });
});

describe('renaming, deleting and bringing back', () => {
  it('renames, and so keeps the latest', async () => {
    const id = await save({ name: 'run' }, 'latest');
    expect((await renameModel(id, '  Winter coats ')).name).toBe('Winter coats');
    await save({ name: 'next run' }, 'latest');
    expect((await names()).sort()).toEqual(['Winter coats', 'next run']);
  });

  it('refuses an empty name, one too long, and a model that is gone', async () => {
    const id = await save({ name: 'before' });
    expect((await failure(renameModel(id, ' \n'))).message).toMatch(/at least one letter/);
    const tooLong = 'x'.repeat(MAX_NAME_LENGTH + 1);
    expect((await failure(renameModel(id, tooLong))).message).toMatch(/at most 80/);
    expect((await failure(renameModel('gone', 'name'))).reason).toBe('missing');
    expect(await names()).toEqual(['before']);
  });

  it('undoes a deletion until it is made final', async () => {
    const id = await save({ name: 'coat' });
    await deleteModel(id);
    expect(await names()).toEqual([]);
    expect((await failure(loadModel(id))).reason).toBe('missing');
    // The next start lets a deletion of this moment stand.
    expect(await purgeDeleted()).toBe(0);
    await restoreModel(id);
    expect(await names()).toEqual(['coat']);
    (await loadModel(id)).model.dispose();

    await deleteModel(id);
    expect(await purgeDeleted(Date.now() + 1)).toBe(1);
    expect((await failure(restoreModel(id))).reason).toBe('missing');
    const database = await openDB('atelier');
    expect(await database.count('weights')).toBe(0);
    database.close();
  });

  it('notes new figures under the name it has by now', async () => {
    const card = makeCard({ name: 'old name', test: null });
    await save(card);
    await renameModel(card.id, 'new name');
    const test = { data: 'fashion-mnist_test.csv.gz', numRows: 10_000, accuracy: 0.91, loss: 0.25 };
    await updateCard({ ...card, test });
    const { models } = await listModels();
    expect(models[0]?.card).toEqual({ ...card, name: 'new name', test });
    await updateCard(makeCard({ name: 'never kept' }));
    expect(await names()).toEqual(['new name']);
  });
});

describe('a record that is not what was saved', () => {
  it('is told apart from the others, and can be deleted', async () => {
    const id = await save({ name: 'bent' });
    await save({ name: 'whole' });
    await tamper('models', id, (value) => ({ ...value, card: { name: 5 } }));
    const { models, unreadable } = await listModels();
    expect(models.map(({ card }) => card.name)).toEqual(['whole']);
    expect(unreadable).toEqual([{ id, reason: expect.stringMatching(/card/) }]);
    expect((await failure(loadModel(id))).reason).toBe('corrupt');
    await deleteModel(id);
    expect((await listModels()).unreadable).toEqual([]);
  });

  it('survives a record that is no object at all', async () => {
    const id = await save();
    await tamper('models', id, () => 42);
    expect((await listModels()).unreadable).toHaveLength(1);
    expect((await failure(loadModel(id))).reason).toBe('corrupt');
  });

  it.each<[string, 'models' | 'weights', Parameters<typeof tamper>[2], RegExp]>([
    ['cut weights', 'weights', (value) => value.slice(4), /not the ones that were saved/],
    ['lengthened weights', 'weights', (value) => grown(value), /not the ones that were saved/],
    ['one changed bit', 'weights', (value) => flipped(value), /not the ones that were saved/],
    ['no weights', 'weights', () => 'nothing', /not the ones that were saved/],
    [
      'layers of an unknown class',
      'models',
      (value) => ({ ...value, topology: String(value.topology).replace('"Conv2D"', '"Lambda"') }),
      /"Lambda"/,
    ],
    [
      'layers cut short',
      'models',
      (value) => ({ ...value, topology: String(value.topology).slice(0, -1) }),
      /not JSON/,
    ],
    [
      'another list of weights',
      'models',
      (value) => ({ ...value, weightSpecs: [] }),
      /should be 0 bytes/,
    ],
  ])('is not loaded: %s', async (_what, store, change, reason) => {
    const id = await save({ name: 'coat' });
    await tamper(store, id, change);
    const error = await failure(loadModel(id));
    expect(error.reason).toBe('corrupt');
    expect(error.message).toMatch(/“coat” is damaged/);
    expect(error.message).toMatch(reason);
  });

  it('is not loaded where its weights are no numbers', async () => {
    const model = makeModel();
    const weights = [tf.fill([3, 3, 1, 4], Number.NaN), tf.zeros([4])];
    model.layers[0]?.setWeights(weights);
    tf.dispose(weights);
    const card = makeCard();
    await saveModel(model, card, 'named');
    model.dispose();
    const error = await failure(loadModel(card.id));
    expect(error.message).toMatch(/not finite/);
  });
});

function grown(bytes: ArrayBuffer): ArrayBuffer {
  const longer = new Uint8Array(bytes.byteLength + 4);
  longer.set(new Uint8Array(bytes));
  return longer.buffer;
}

function flipped(bytes: ArrayBuffer): ArrayBuffer {
  const copy = new Uint8Array(bytes.slice(0));
  copy[100] = (copy[100] ?? 0) ^ 1;
  return copy.buffer;
}

describe('a browser that keeps nothing', () => {
  it('says so, and works again once it does', async () => {
    const { indexedDB } = globalThis;
    try {
      Reflect.deleteProperty(globalThis, 'indexedDB');
      const error = await failure(listModels());
      expect(error.reason).toBe('unavailable');
      expect(error.message).toMatch(/does not let Atelier keep anything/);
    } finally {
      globalThis.indexedDB = indexedDB;
    }
    expect(await names()).toEqual([]);
  });

  it('says so where opening fails', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('Denied.', 'SecurityError');
    });
    expect((await failure(listModels())).reason).toBe('unavailable');
  });
});
