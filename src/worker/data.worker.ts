/**
 * The data worker: holds the data in use and answers for it, to the page in small pieces and to the
 * model worker whole. A thin shell around data/; the page learns its API as a type.
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
import './abortSignal.ts';
import type { DataSupplier, PartName } from './dataSupply.ts';

export type DataWorkerApi = typeof api;

interface NamedDataset {
  /** Empty where nothing has been loaded. */
  readonly file: string;
  readonly dataset: Dataset;
}

interface DataInUse {
  /** Of this load and no other, of this worker or one before it. */
  readonly id: string;
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

let inUse: DataInUse = {
  id: newId(),
  spec: FASHION_MNIST,
  source: 'own',
  train: NOTHING,
  test: NOTHING,
};

const supplier: DataSupplier = {
  copy(part, id) {
    if (id !== inUse.id) {
      throw new Error('Other data came into use just now. Start once more to use it.');
    }
    return giveAway(copyDataset(inUse[part].dataset));
  },
};

const api = {
  /** Answers the model worker on the port; see `DataSupplier`. */
  supply(port: MessagePort): void {
    Comlink.expose(supplier, port);
  },

  /**
   * Loads both files of a source. What was in use stays until both are whole.
   * @throws the signal's reason where it is aborted.
   */
  async load(
    source: 'full' | 'sample',
    onProgress: (progress: DataProgress) => void,
    signal: AbortSignal,
  ): Promise<DataInfo> {
    const startedAt = performance.now();
    const options = loadOptions(onProgress, signal);
    const spec = FASHION_MNIST;
    const files = spec.files[source];
    const bring = (part: PartName) =>
      loadFromServer(files[part], spec, PAGE_URL, datasetCache, options);
    const train = await bring('train');
    const test = await bring('test');
    inUse = {
      id: newId(),
      spec,
      source,
      train: { file: fileName(files.train), dataset: train.dataset },
      test: { file: fileName(files.test), dataset: test.dataset },
    };
    return describe(train.fromCache && test.fromCache, startedAt);
  },

  /**
   * Replaces one part by a person's own CSV, after all of it checked out.
   * @throws the signal's reason where it is aborted.
   */
  async loadOwn(
    part: PartName,
    file: File,
    onProgress: (progress: DataProgress) => void,
    signal: AbortSignal,
  ): Promise<DataInfo> {
    const startedAt = performance.now();
    const dataset = await loadOwnFile(file, inUse.spec, loadOptions(onProgress, signal));
    inUse = { ...inUse, id: newId(), source: 'own', [part]: { file: file.name, dataset } };
    return describe(false, startedAt);
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

function loadOptions(
  onProgress: (progress: DataProgress) => void,
  signal: AbortSignal,
): LoadOptions {
  let sent: DataProgress | null = null;
  let sentAt = 0;
  return {
    signal,
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
  const { id, spec, source, train, test } = inUse;
  return {
    id,
    spec,
    source,
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

function newId(): string {
  return `${performance.timeOrigin} ${performance.now()}`;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Moves every byte array of an answer instead of copying it. */
function giveAway<Answer extends Dataset>(answer: Answer): Answer {
  const buffers = Object.values(answer).flatMap((value: unknown) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : [],
  );
  return Comlink.transfer(answer, buffers);
}

Comlink.expose(api);
