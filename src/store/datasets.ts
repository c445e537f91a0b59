/**
 * The parsed data files kept in IndexedDB, so that a second visit has them at once. A cache: anything
 * doubtful in it counts as absent, and it gives way when models need the room.
 */
import * as v from 'valibot';
import type { DataSpec } from '../data/dataSpec.ts';
import type { CachedDataset, DatasetCache } from '../data/source.ts';
import { PIXELS } from '../fashion.ts';
import { crc32 } from '../formats/crc32.ts';
import { StorageError, withDatabase, writeAtOnce } from './database.ts';
import { isNewer, readRecord, stamp } from './upgrades.ts';

const BytesSchema = v.custom<Uint8Array>((value) => value instanceof Uint8Array);
const KeptDatasetSchema = v.object({
  version: v.string(),
  pixels: BytesSchema,
  labels: BytesSchema,
  /** CRC-32 of the pixels, then the labels. 47 MB take about 40 ms. */
  checksum: v.number(),
});
type KeptDataset = v.InferOutput<typeof KeptDatasetSchema>;

/** The cache `data/source.ts` asks for. Over quota an entry is simply not kept. */
export const datasetCache: DatasetCache = {
  async read(key: string, spec: DataSpec): Promise<CachedDataset | null> {
    const value = await withDatabase('read the data kept from the last visit', (database) =>
      database.get('datasets', key),
    );
    const reading = readRecord('dataset', KeptDatasetSchema, value);
    if (reading.kind !== 'read') return null;
    const { version, pixels, labels, checksum } = reading.record;
    const isWhole =
      pixels.length === labels.length * PIXELS &&
      checksumOf(pixels, labels) === checksum &&
      labels.every((label) => label < spec.classNames.length);
    return isWhole ? { version, dataset: { pixels, labels, spec } } : null;
  },

  async write(key: string, { version, dataset }: CachedDataset): Promise<void> {
    const { pixels, labels } = dataset;
    const kept: KeptDataset = { version, pixels, labels, checksum: checksumOf(pixels, labels) };
    try {
      // Relaxed: losing a cache entry to a power cut costs one parse.
      await withDatabase('keep the data for the next visit', (database) =>
        writeAtOnce(
          database,
          ['datasets'],
          async (transaction) => {
            const datasets = transaction.objectStore('datasets');
            if (isNewer(await datasets.get(key))) return;
            await datasets.put(stamp(kept), key);
          },
          'relaxed',
        ),
      );
    } catch (error) {
      if (error instanceof StorageError && error.reason === 'full') return;
      throw error;
    }
  },
};

function checksumOf(pixels: Uint8Array, labels: Uint8Array): number {
  return crc32(labels, crc32(pixels));
}
