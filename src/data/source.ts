/**
 * Owns how a CSV file becomes a `Dataset`: fetched with byte progress, unpacked and parsed as it
 * arrives, retried when the connection drops, and kept parsed for the next visit.
 */
import type { Dataset } from './dataset.ts';

/** What was chosen as the data in use. */
export type DataSource = 'full' | 'sample' | 'own';

/** A parsed file as kept for the next visit. */
export interface CachedDataset {
  /** Names the state of the file on the server that was parsed, e.g. its ETag. */
  readonly version: string;
  readonly dataset: Dataset;
}

/**
 * Where parsed files are kept, one entry a file. `read` gives null for an entry that is missing or
 * fails its checksum. Both may reject; loading then goes on without the cache.
 */
export interface DatasetCache {
  /** @param key The file's path, e.g. "data/sample_train.csv.gz". */
  read(key: string): Promise<CachedDataset | null>;
  /** Replaces the entry, whatever its version. */
  write(key: string, cached: CachedDataset): Promise<void>;
}

/** How far a load has come. */
export interface DataProgress {
  readonly stage: 'cache' | 'fetch' | 'parse' | 'keep';
  readonly file: string;
  readonly loadedBytes: number;
  /** Null where the server does not say. */
  readonly totalBytes: number | null;
  readonly rows: number;
  /** 1 on the first try. */
  readonly attempt: number;
}

/** What the page knows of the data in the worker. */
export interface DataInfo {
  readonly source: DataSource;
  /** Names of the files, e.g. "fashion-mnist_train.csv.gz"; empty where there is none yet. */
  readonly trainFile: string;
  readonly testFile: string;
  readonly numTrain: number;
  readonly numTest: number;
  /** Rows of each class, by label. */
  readonly trainCounts: readonly number[];
  readonly testCounts: readonly number[];
  /** True where the parsed copy came from IndexedDB. */
  readonly fromCache: boolean;
  readonly elapsedMs: number;
}
