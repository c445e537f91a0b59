/**
 * How a CSV file becomes a `Dataset`: fetched with byte progress, unpacked and parsed as it arrives,
 * retried when the connection drops, and kept parsed for the next visit.
 */
import { createCsvReader, DatasetError } from './csv.ts';
import type { DataSpec } from './dataSpec.ts';
import type { Dataset } from './dataset.ts';

/** Waits before the second, third and fourth try. */
const BACKOFFS_MS = [500, 1500, 4000] as const;
/** A connection that brings nothing for this long counts as dropped. */
const SILENCE_MS = 20_000;
/** How long a server may think about whether a file has changed before the kept copy serves. */
const VERSION_PATIENCE_MS = 2_000;

/** A file could not be fetched. The message tells which, why, and what to do. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
}

/** What was chosen as the data in use. */
export type DataSource = 'full' | 'sample' | 'own';

/** A parsed file as kept for the next visit. */
export interface CachedDataset {
  /** Names the state of the file on the server that was parsed, e.g. its ETag; empty where it does not tell. */
  readonly version: string;
  readonly dataset: Dataset;
}

/**
 * Where parsed files are kept, one entry a file. `read` gives null for an entry that is missing or
 * fails its checksum. Both may reject; loading then goes on without the cache.
 */
export interface DatasetCache {
  /**
   * @param key The file's path, e.g. "data/sample_train.csv.gz".
   * @param spec What the labels mean; null is given where one is none of its classes.
   */
  read(key: string, spec: DataSpec): Promise<CachedDataset | null>;
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
  /** Changes with each load: by it one worker asks the other for the data that is meant. */
  readonly id: string;
  readonly source: DataSource;
  readonly spec: DataSpec;
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

export interface LoadOptions {
  readonly signal: AbortSignal;
  /** Called often; the caller thins it out. */
  readonly onProgress: (progress: DataProgress) => void;
}

/**
 * Brings a CSV file of this server, gzipped or not, from the cache or the network.
 *
 * The cached copy serves where the server names the same version of the file by HEAD, and where no
 * server answers. Else the file is fetched, and a dropped connection is tried three more times. Where
 * the server does not say which version it has, the cached copy serves if that fails.
 *
 * @param path Cache key, and the address relative to `baseUrl`.
 * @param timing For tests, which cannot wait.
 * @throws DownloadError, DatasetError, or the signal's reason where it is aborted.
 */
export async function loadFromServer(
  path: string,
  spec: DataSpec,
  baseUrl: URL,
  cache: DatasetCache,
  { signal, onProgress }: LoadOptions,
  timing: { readonly backoffsMs: readonly number[]; readonly silenceMs: number } = {
    backoffsMs: BACKOFFS_MS,
    silenceMs: SILENCE_MS,
  },
): Promise<{ readonly dataset: Dataset; readonly fromCache: boolean }> {
  signal.throwIfAborted();
  const url = new URL(path, baseUrl);
  const file = path.slice(path.lastIndexOf('/') + 1);
  let progress: DataProgress = {
    stage: 'cache',
    file,
    loadedBytes: 0,
    totalBytes: null,
    rows: 0,
    attempt: 1,
  };
  const report = (change: Partial<DataProgress>): void => {
    progress = { ...progress, ...change };
    onProgress(progress);
  };

  report({});
  const cached = await cache.read(path, spec).catch(() => null);
  signal.throwIfAborted();
  const answer = cached && (await askVersion(url, signal));
  const giveCached = ({ dataset }: CachedDataset) => {
    report({ stage: 'cache', rows: dataset.labels.length });
    return { dataset, fromCache: true };
  };
  if (cached && answer?.kind === 'silence') return giveCached(cached);
  if (cached && answer?.kind === 'version' && answer.version === cached.version) {
    return giveCached(cached);
  }

  try {
    const dataset = await fetchPatiently();
    return { dataset, fromCache: false };
  } catch (error) {
    if (cached && answer?.kind === 'untold' && error instanceof DownloadError) {
      return giveCached(cached);
    }
    throw error;
  }

  async function fetchPatiently(): Promise<Dataset> {
    for (let attempt = 1; ; attempt++) {
      report({ stage: 'fetch', loadedBytes: 0, totalBytes: null, rows: 0, attempt });
      try {
        const fetched = await fetchCsv(url, spec, file, signal, timing.silenceMs, report);
        report({ stage: 'keep' });
        await cache.write(path, fetched).catch(() => {});
        signal.throwIfAborted();
        return fetched.dataset;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof DownloadError || error instanceof DatasetError) throw error;
        const backoffMs = timing.backoffsMs[attempt - 1];
        if (backoffMs === undefined) {
          throw new DownloadError(
            `${file} could not be loaded: ${describeDrop(error, progress)}, after ${attempt} ${attempt === 1 ? 'try' : 'tries'}. Check the connection and retry.`,
            { cause: error },
          );
        }
        await wait(backoffMs, signal);
      }
    }
  }
}

/**
 * Reads a person's own CSV file, gzipped or not.
 *
 * @throws DatasetError, also where the file cannot be read or unpacked; or the signal's reason.
 */
export async function loadOwnFile(
  file: File,
  spec: DataSpec,
  { signal, onProgress }: LoadOptions,
): Promise<Dataset> {
  signal.throwIfAborted();
  let progress: DataProgress = {
    stage: 'parse',
    file: file.name,
    loadedBytes: 0,
    totalBytes: file.size,
    rows: 0,
    attempt: 1,
  };
  const report = (change: Partial<DataProgress>): void => {
    signal.throwIfAborted();
    progress = { ...progress, ...change };
    onProgress(progress);
  };
  report({});
  try {
    return await readCsvStream(file.stream(), spec, file.name, file.size, report);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DatasetError) throw error;
    throw new DatasetError(
      file.name,
      null,
      'the file could not be read or unpacked to its end. It may be damaged, or have changed or moved meanwhile. Choose it again.',
    );
  }
}

/** One try. Throws DownloadError where another would be in vain; any other error is a drop. */
async function fetchCsv(
  url: URL,
  spec: DataSpec,
  file: string,
  signal: AbortSignal,
  silenceMs: number,
  report: (change: Partial<DataProgress>) => void,
): Promise<CachedDataset> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expectMore = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error('the server fell silent')), silenceMs);
  };
  expectMore();
  try {
    // `no-cache` asks the server even where the browser holds a copy: the version must be true.
    const response = await fetch(url, {
      cache: 'no-cache',
      signal: AbortSignal.any([signal, silence.signal]),
    });
    const isPage = response.headers.get('content-type')?.startsWith('text/html') ?? false;
    if (response.ok ? isPage : isFinal(response.status)) {
      await response.body?.cancel();
      // Some servers answer with their front page for what they do not have.
      const answer = response.ok ? 'it sent a web page instead' : `it answered ${response.status}`;
      throw new DownloadError(
        `${file} is not on this server: ${answer}. Use the sample or a CSV of your own meanwhile; whoever runs the server can fetch the file with “npm run data” and put it into the page with “npm start” or “npm run build”.`,
      );
    }
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);

    // A server may pack or unpack on the way. Its length then is not that of the bytes we get.
    const encoding = response.headers.get('content-encoding') ?? 'identity';
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const totalBytes = encoding === 'identity' && Number.isFinite(length) ? length : null;
    report({ totalBytes });
    const dataset = await readCsvStream(response.body, spec, file, totalBytes, (change) => {
      expectMore();
      report(change);
    });
    return { version: readVersion(response) ?? '', dataset };
  } finally {
    clearTimeout(timer);
  }
}

/** Unpacks where the bytes begin as gzip does, parses as they come. */
async function readCsvStream(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  spec: DataSpec,
  file: string,
  totalBytes: number | null,
  report: (change: Partial<DataProgress>) => void,
): Promise<Dataset> {
  let loadedBytes = 0;
  const counted = bytes.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        loadedBytes += chunk.length;
        report({ loadedBytes });
        controller.enqueue(chunk);
      },
      flush() {
        // Browsers notice a short answer themselves; not every proxy lets them.
        if (totalBytes !== null && loadedBytes < totalBytes) {
          throw new Error('the connection ended early');
        }
        report({ stage: 'parse' });
      },
    }),
  );
  const { head, all } = await peek(counted, 4);
  if (startsWith(head, [0x50, 0x4b, 0x03, 0x04])) {
    await all.cancel();
    throw new DatasetError(
      file,
      null,
      'this is a zip archive. Unpack it and choose the CSV file inside.',
    );
  }
  const isGzip = startsWith(head, [0x1f, 0x8b]);
  const unpacked = isGzip ? all.pipeThrough(new DecompressionStream('gzip')) : all;

  const csv = createCsvReader(file, spec);
  const decoder = new TextDecoder();
  const reader = unpacked.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      csv.push(decoder.decode(value, { stream: true }));
      report({ rows: csv.numRows });
    }
    csv.push(decoder.decode());
    const dataset = csv.finish();
    report({ rows: csv.numRows });
    return dataset;
  } catch (error) {
    // Ends the download as well. It may have failed already; that failure is the one to tell.
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** The first bytes (fewer where the stream has fewer), and the stream with them in place again. */
async function peek(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  numBytes: number,
): Promise<{ head: Uint8Array; all: ReadableStream<Uint8Array<ArrayBuffer>> }> {
  const reader = stream.getReader();
  let head = new Uint8Array(0);
  while (head.length < numBytes) {
    const { done, value } = await reader.read();
    if (done) break;
    const longer = new Uint8Array(head.length + value.length);
    longer.set(head);
    longer.set(value, head.length);
    head = longer;
  }
  const all = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      if (head.length > 0) controller.enqueue(head);
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { head, all };
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, at) => bytes[at] === byte);
}

type VersionAnswer =
  | { readonly kind: 'version'; readonly version: string }
  /** The server answers, but not that. */
  | { readonly kind: 'untold' }
  /** No server answers in time. */
  | { readonly kind: 'silence' };

/** Asks the server which version of the file it has. */
async function askVersion(url: URL, signal: AbortSignal): Promise<VersionAnswer> {
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      cache: 'no-cache',
      signal: AbortSignal.any([signal, AbortSignal.timeout(VERSION_PATIENCE_MS)]),
    });
    const version = response.ok ? readVersion(response) : null;
    return version === null ? { kind: 'untold' } : { kind: 'version', version };
  } catch {
    signal.throwIfAborted();
    return { kind: 'silence' };
  }
}

/** ETag, else date and length: what the server has. Null where it has none of them. */
function readVersion({ headers }: Response): string | null {
  // Compression on the way makes a strong tag weak; the file is the same.
  const etag = headers.get('etag')?.replace(/^W\//, '');
  if (etag) return etag;
  const marks = [headers.get('last-modified'), headers.get('content-length')];
  return marks.some((mark) => mark !== null) ? marks.join(' ') : null;
}

/** Answers that the same question will get again. Not so: timeout, too many requests, 5xx. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

function describeDrop(error: unknown, { loadedBytes, totalBytes }: DataProgress): string {
  const said = error instanceof Error && error.message.startsWith('the ') ? error.message : null;
  if (loadedBytes === 0) return said ?? 'the server cannot be reached';
  const share = totalBytes === null ? '' : ` of ${inMegabytes(totalBytes)}`;
  return `${said ?? 'the connection dropped'} at ${inMegabytes(loadedBytes)}${share}`;
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
