/**
 * Owns the parsed data files kept in IndexedDB, so that a second visit has them at once. A cache:
 * anything doubtful in it counts as absent, and it gives way when models need the room.
 */
import * as v from 'valibot';
import type { CachedDataset, DatasetCache } from '../data/source.ts';
import { NUM_CLASSES, PIXELS } from '../fashion.ts';
import { crc32 } from '../formats/crc32.ts';
import { StorageError, withDatabase, writeAtOnce } from './database.ts';

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
  async read(key: string): Promise<CachedDataset | null> {
    const value = await withDatabase('read the data kept from the last visit', (database) =>
      database.get('datasets', key),
    );
    const parsed = v.safeParse(KeptDatasetSchema, value);
    if (!parsed.success) return null;
    const { version, pixels, labels, checksum } = parsed.output;
    const isWhole =
      pixels.length === labels.length * PIXELS &&
      checksumOf(pixels, labels) === checksum &&
      labels.every((label) => label < NUM_CLASSES);
    return isWhole ? { version, dataset: { pixels, labels } } : null;
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
          (transaction) => transaction.objectStore('datasets').put(kept, key),
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
