/**
 * Owns the data worker: holds the data in use and answers for it. A thin shell around data/; the
 * page learns its API as a type.
 */
import * as Comlink from 'comlink';
import type { DataSpec } from '../data/dataSpec.ts';
import {
  copyDataset,
  countLabels,
  type Dataset,
  type GarmentPage,
  pageRows,
  type RowQuery,
  selectRows,
} from '../data/dataset.ts';
import {
  type DataInfo,
  type DataProgress,
  type DataSource,
  type LoadOptions,
  loadFromServer,
  loadOwnFile,
} from '../data/source.ts';
import { FASHION_MNIST } from '../fashion.ts';
import { datasetCache } from '../store/datasets.ts';

export type DataWorkerApi = typeof api;

type PartName = 'train' | 'test';

interface NamedDataset {
  /** Empty where nothing has been loaded. */
  readonly file: string;
  readonly dataset: Dataset;
}

interface DataInUse {
  readonly spec: DataSpec;
  readonly source: DataSource;
  readonly train: NamedDataset;
  readonly test: NamedDataset;
}

const NOTHING: NamedDataset = {
  file: '',
  dataset: { pixels: new Uint8Array(0), labels: new Uint8Array(0), spec: FASHION_MNIST },
};

/** Progress crosses to the page at most this often, but each new stage, file and try at once. */
const PROGRESS_INTERVAL_MS = 80;

/** The page's address. The build puts workers one folder down; while developing, they lie in src. */
const PAGE_URL = new URL(
  import.meta.env.DEV ? import.meta.env.BASE_URL : '../',
  self.location.href,
);

let inUse: DataInUse = { spec: FASHION_MNIST, source: 'own', train: NOTHING, test: NOTHING };
let underWay: AbortController | null = null;

const api = {
  /** Brings both files of a source. What was in use stays until both are whole. */
  async load(
    source: 'full' | 'sample',
    onProgress: (progress: DataProgress) => void,
  ): Promise<DataInfo> {
    const startedAt = performance.now();
    const options = beginLoad(onProgress);
    const spec = FASHION_MNIST;
    const files = spec.files[source];
    const bring = (part: PartName) =>
      loadFromServer(files[part], spec, PAGE_URL, datasetCache, options);
    const train = await bring('train');
    const test = await bring('test');
    inUse = {
      spec,
      source,
      train: { file: fileName(files.train), dataset: train.dataset },
      test: { file: fileName(files.test), dataset: test.dataset },
    };
    return describe(train.fromCache && test.fromCache, startedAt);
  },

  /** Replaces one part by a person's own CSV, after all of it checked out. */
  async loadOwn(
    part: PartName,
    file: File,
    onProgress: (progress: DataProgress) => void,
  ): Promise<DataInfo> {
    const startedAt = performance.now();
    const dataset = await loadOwnFile(file, inUse.spec, beginLoad(onProgress));
    inUse = { ...inUse, source: 'own', [part]: { file: file.name, dataset } };
    return describe(false, startedAt);
  },

  /** Aborts the load under way: it rejects with an AbortError. */
  cancel(): void {
    underWay?.abort();
  },

  /** A copy of a part of the data in use, transferred. Empty where there is none. */
  copy(part: PartName): Dataset {
    return giveAway(copyDataset(inUse[part].dataset));
  },

  /** Rows of one class (null: all), in file order, transferred. */
  garments({ part, ...query }: { part: PartName } & RowQuery): GarmentPage {
    return giveAway(pageRows(inUse[part].dataset, query));
  },

  /** The given rows, in the given order, transferred. */
  garmentsAt(part: PartName, rows: Uint32Array): Dataset {
    return giveAway(selectRows(inUse[part].dataset, rows));
  },
};

/** A new load ends the one before. */
function beginLoad(onProgress: (progress: DataProgress) => void): LoadOptions {
  underWay?.abort();
  underWay = new AbortController();
  let sent: DataProgress | null = null;
  let sentAt = 0;
  return {
    signal: underWay.signal,
    onProgress(progress) {
      const isNews =
        progress.stage !== sent?.stage ||
        progress.file !== sent.file ||
        progress.attempt !== sent.attempt;
      if (!isNews && performance.now() - sentAt < PROGRESS_INTERVAL_MS) return;
      sent = progress;
      sentAt = performance.now();
      onProgress(progress);
    },
  };
}

function describe(fromCache: boolean, startedAt: number): DataInfo {
  const { spec, source, train, test } = inUse;
  return {
    source,
    spec,
    trainFile: train.file,
    testFile: test.file,
    numTrain: train.dataset.labels.length,
    numTest: test.dataset.labels.length,
    trainCounts: countLabels(train.dataset),
    testCounts: countLabels(test.dataset),
    fromCache,
    elapsedMs: performance.now() - startedAt,
  };
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Moves every byte array of an answer to the page instead of copying it. */
function giveAway<Answer extends Dataset>(answer: Answer): Answer {
  const buffers = Object.values(answer).flatMap((value: unknown) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : [],
  );
  return Comlink.transfer(answer, buffers);
}

Comlink.expose(api);
