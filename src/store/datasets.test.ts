import 'fake-indexeddb/auto';
import { deleteDB, openDB } from 'idb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CachedDataset } from '../data/source.ts';
import { FASHION_MNIST } from '../fashion.ts';
import { makePixels } from '../formats/testing/smallModel.ts';
import { closeDatabase } from './database.ts';
import { datasetCache } from './datasets.ts';

const KEY = 'data/sample_train.csv.gz';

afterEach(async () => {
  vi.restoreAllMocks();
  await closeDatabase();
  await deleteDB('atelier');
});

function makeEntry(numRows: number): CachedDataset {
  const labels = Uint8Array.from({ length: numRows }, (_, i) => i % 10);
  return {
    version: '"etag"',
    dataset: { pixels: makePixels(numRows), labels, spec: FASHION_MNIST },
  };
}

async function tamper(change: (entry: { pixels: Uint8Array; labels: Uint8Array }) => unknown) {
  const database = await openDB('atelier');
  await database.put('datasets', change(await database.get('datasets', KEY)), KEY);
  database.close();
}

describe('the kept data', () => {
  it('comes back as it was', async () => {
    expect(await datasetCache.read(KEY, FASHION_MNIST)).toBeNull();
    const entry = makeEntry(20);
    await datasetCache.write(KEY, entry);
    expect(await datasetCache.read(KEY, FASHION_MNIST)).toEqual(entry);
    const other = makeEntry(5);
    await datasetCache.write(KEY, other);
    expect(await datasetCache.read(KEY, FASHION_MNIST)).toEqual(other);
  });

  it('counts as absent where anything about it changed', async () => {
    const changes: Parameters<typeof tamper>[0][] = [
      (entry) => ({ ...entry, pixels: entry.pixels.with(100, entry.pixels.at(100) === 0 ? 1 : 0) }),
      (entry) => ({ ...entry, labels: entry.labels.with(3, 9) }),
      (entry) => ({ ...entry, pixels: entry.pixels.subarray(0, 784), labels: entry.labels }),
      (entry) => ({ ...entry, checksum: 'none' }),
      () => null,
    ];
    for (const change of changes) {
      await datasetCache.write(KEY, makeEntry(20));
      await tamper(change);
      expect(await datasetCache.read(KEY, FASHION_MNIST)).toBeNull();
    }
  });

  it('is not kept over quota, without a complaint', async () => {
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('No room.', 'QuotaExceededError');
    });
    await datasetCache.write(KEY, makeEntry(3));
    expect(await datasetCache.read(KEY, FASHION_MNIST)).toBeNull();
  });
});
