import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FASHION_MNIST, PIXELS } from '../fashion.ts';
import { DatasetError } from './csv.ts';
import {
  type CachedDataset,
  type DataProgress,
  type DatasetCache,
  DownloadError,
  loadFromServer,
  loadOwnFile,
} from './source.ts';

const CSV = Array.from({ length: 40 }, (_, row) =>
  [row % 10, ...Array.from({ length: PIXELS }, (_, at) => (row * 31 + at * 7) % 256)].join(','),
).join('\n');
const CSV_GZ = new Uint8Array(gzipSync(CSV));
const LABELS = Array.from({ length: 40 }, (_, row) => row % 10);

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** Answers the requests in turn, the last answer again and again. */
let answers: Answer[];
let requests: IncomingMessage[];
let server: Server;
let baseUrl: URL;

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    const answer = answers[Math.min(requests.length, answers.length) - 1] as Answer;
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  baseUrl = new URL(`http://127.0.0.1:${address.port}/atelier/`);
});

afterEach(() => closeServer());

function closeServer(): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function send(body: Uint8Array | string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => {
    response.writeHead(200, { 'content-length': String(Buffer.byteLength(body)), ...headers });
    response.end(body);
  };
}

/** Promises the whole file, sends half of it and hangs up. */
const drop: Answer = (response) => {
  response.writeHead(200, { 'content-length': String(CSV_GZ.length) });
  response.write(CSV_GZ.subarray(0, CSV_GZ.length / 2), () => response.destroy());
};

function fail(status: number): Answer {
  return (response) => response.writeHead(status).end('no');
}

function createCache(): DatasetCache & { readonly entries: Map<string, CachedDataset> } {
  const entries = new Map<string, CachedDataset>();
  return {
    entries,
    read: async (key) => entries.get(key) ?? null,
    write: async (key, cached) => void entries.set(key, cached),
  };
}

const noCache: DatasetCache = {
  read: () => Promise.reject(new Error('no database here')),
  write: () => Promise.reject(new Error('no database here')),
};

async function load(cache = noCache, signal = new AbortController().signal, silenceMs = 5000) {
  const reports: DataProgress[] = [];
  const result = await loadFromServer(
    'data/my.csv.gz',
    FASHION_MNIST,
    baseUrl,
    cache,
    { signal, onProgress: (progress) => reports.push(progress) },
    { backoffsMs: [0, 0, 0], silenceMs },
  );
  return { ...result, reports };
}

describe('loadFromServer', () => {
  it('fetches relative to the page, unpacks, and counts bytes and rows to the end', async () => {
    answers = [send(CSV_GZ)];
    const { dataset, fromCache, reports } = await load();
    expect(Array.from(dataset.labels)).toEqual(LABELS);
    expect(dataset.pixels[39 * PIXELS + 1]).toBe((39 * 31 + 7) % 256);
    expect(fromCache).toBe(false);
    expect(requests[0]?.url).toBe('/atelier/data/my.csv.gz');
    expect(reports.map(({ stage }) => stage).filter((s, i, all) => s !== all[i - 1])).toEqual([
      'cache',
      'fetch',
      'parse',
      'keep',
    ]);
    expect(reports.at(-1)).toMatchObject({
      file: 'my.csv.gz',
      loadedBytes: CSV_GZ.length,
      totalBytes: CSV_GZ.length,
      rows: 40,
      attempt: 1,
    });
  });

  it('takes a file that the server unpacks on the way, whose length then says nothing', async () => {
    answers = [send(CSV_GZ, { 'content-encoding': 'gzip' })];
    const { dataset, reports } = await load();
    expect(Array.from(dataset.labels)).toEqual(LABELS);
    expect(reports.at(-1)).toMatchObject({ loadedBytes: CSV.length, totalBytes: null });
  });

  it('knows the length where the server says that it leaves the file as it is', async () => {
    answers = [send(CSV_GZ, { 'content-encoding': 'identity' })];
    expect((await load()).reports.at(-1)).toMatchObject({ totalBytes: CSV_GZ.length });
  });

  it('takes a file that is not packed', async () => {
    answers = [send(CSV)];
    expect(Array.from((await load()).dataset.labels)).toEqual(LABELS);
  });

  it('tries again when the connection drops or the server stumbles', async () => {
    answers = [drop, fail(503), send(CSV_GZ)];
    const { dataset, reports } = await load();
    expect(Array.from(dataset.labels)).toEqual(LABELS);
    expect(reports.at(-1)).toMatchObject({ attempt: 3, rows: 40, loadedBytes: CSV_GZ.length });
  });

  it('gives up after four tries and says how far it came', async () => {
    answers = [drop];
    const fault = await load().catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DownloadError);
    expect((fault as DownloadError).message).toMatch(
      /^my\.csv\.gz could not be loaded: the connection dropped at 0\.0 MB of 0\.0 MB, after 4 tries\./,
    );
    expect(requests).toHaveLength(4);
  });

  it('treats a packed file that is cut short as a drop', async () => {
    answers = [send(CSV_GZ.subarray(0, -20)), send(CSV_GZ)];
    expect((await load()).reports.at(-1)?.attempt).toBe(2);
  });

  it('treats a server that falls silent as a drop', async () => {
    const stall: Answer = (response) => {
      response.writeHead(200, { 'content-length': String(CSV_GZ.length) });
      response.write(CSV_GZ.subarray(0, 100));
    };
    answers = [stall, send(CSV_GZ)];
    expect((await load(noCache, undefined, 100)).reports.at(-1)?.attempt).toBe(2);
  });

  it.each([
    ['says so', fail(404), 'answered 404'],
    ['sends its front page', send('<html></html>', { 'content-type': 'text/html' }), 'web page'],
  ])('asks once for a file that is not there and the server %s', async (_, answer, said) => {
    answers = [answer];
    const fault = await load().catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DownloadError);
    expect((fault as DownloadError).message).toContain('my.csv.gz is not on this server');
    expect((fault as DownloadError).message).toContain(said);
    expect(requests).toHaveLength(1);
  });

  it('does not try again, nor keep, what is no good', async () => {
    answers = [send(gzipSync(CSV.replace('\n3,', '\n33,')))];
    const cache = createCache();
    const fault = await load(cache).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DatasetError);
    expect(fault).toMatchObject({ file: 'my.csv.gz', row: 4, column: 1 });
    expect(requests).toHaveLength(1);
    expect(cache.entries.size).toBe(0);
  });

  it('ends the download when aborted, and rejects with the AbortError', async () => {
    const controller = new AbortController();
    const hungUp = new Promise<void>((resolve) => {
      answers = [
        (response) => {
          response.on('close', resolve);
          response.writeHead(200, { 'content-length': String(CSV_GZ.length) });
          response.write(CSV_GZ.subarray(0, 100), () => controller.abort());
        },
      ];
    });
    await expect(load(noCache, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
    await hungUp;
    expect(requests).toHaveLength(1);
  });

  it('does not wait out its pause when aborted between two tries', async () => {
    const controller = new AbortController();
    answers = [fail(503)];
    const loading = loadFromServer(
      'data/my.csv.gz',
      FASHION_MNIST,
      baseUrl,
      noCache,
      { signal: controller.signal, onProgress: () => {} },
      { backoffsMs: [3_600_000], silenceMs: 5000 },
    );
    while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the kept copy', () => {
  const v1 = { etag: '"one"' };

  it('serves the second time after one question of a few bytes', async () => {
    const cache = createCache();
    answers = [send(CSV_GZ, v1)];
    const first = await load(cache);
    const second = await load(cache);
    expect(second.fromCache).toBe(true);
    expect(second.dataset).toEqual(first.dataset);
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'HEAD']);
    expect([...cache.entries.keys()]).toEqual(['data/my.csv.gz']);
  });

  it('makes way for a changed file', async () => {
    const cache = createCache();
    const changed = CSV.split('\n').slice(0, 12).join('\n');
    answers = [send(CSV_GZ, v1), send(changed, { etag: '"two"' })];
    await load(cache);
    const { dataset, fromCache } = await load(cache);
    expect(fromCache).toBe(false);
    expect(dataset.labels).toHaveLength(12);
    expect((await load(cache)).fromCache).toBe(true);
  });

  it('sees a change by date or length where the server has no ETags', async () => {
    const cache = createCache();
    answers = [
      send(CSV_GZ, { 'last-modified': 'Mon, 02 Nov 2026 10:00:00 GMT' }),
      send(CSV_GZ, { 'last-modified': 'Mon, 02 Nov 2026 10:00:00 GMT' }),
      send(CSV_GZ, { 'last-modified': 'Tue, 03 Nov 2026 10:00:00 GMT' }),
    ];
    expect((await load(cache)).fromCache).toBe(false);
    expect((await load(cache)).fromCache).toBe(true);
    expect((await load(cache)).fromCache).toBe(false);
  });

  it('takes a tag made weak by compression on the way for the same', async () => {
    const cache = createCache();
    answers = [send(CSV_GZ, v1), send(CSV_GZ, { etag: 'W/"one"' })];
    await load(cache);
    expect((await load(cache)).fromCache).toBe(true);
  });

  it('gives way to a fresh one where the server does not say which version it has', async () => {
    const cache = createCache();
    const untold: Answer = (response, { method }) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.end(method === 'HEAD' ? undefined : CSV_GZ);
    };
    const changed: Answer = (response, { method }) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.end(method === 'HEAD' ? undefined : CSV.split('\n').slice(0, 12).join('\n'));
    };
    answers = [untold, changed];
    expect((await load(cache)).dataset.labels).toHaveLength(40);
    const again = await load(cache);
    expect(again.dataset.labels).toHaveLength(12);
    expect(again.fromCache).toBe(false);
  });

  it('serves after all where the server tells no version and then fails', async () => {
    const cache = createCache();
    answers = [send(CSV_GZ, v1), fail(405), fail(503)];
    await load(cache);
    const { dataset, fromCache, reports } = await load(cache);
    expect(fromCache).toBe(true);
    expect(dataset.labels).toHaveLength(40);
    expect(reports.at(-1)).toMatchObject({ stage: 'cache', rows: 40 });
  });

  it('does not serve in place of a newer one that cannot be fetched', async () => {
    const cache = createCache();
    answers = [send(CSV_GZ, v1), send(CSV_GZ, { etag: '"two"' }), fail(503)];
    await load(cache);
    await expect(load(cache)).rejects.toBeInstanceOf(DownloadError);
  });

  it('serves when no server answers', async () => {
    const cache = createCache();
    answers = [send(CSV_GZ, v1)];
    await load(cache);
    await closeServer();
    expect((await load(cache)).fromCache).toBe(true);
  });
});

describe('loadOwnFile', () => {
  /** Arrives byte by byte. */
  class TrickledFile extends File {
    override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
      const whole = super.stream();
      return whole.pipeThrough(
        new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
          transform(chunk, controller) {
            for (const byte of chunk) controller.enqueue(Uint8Array.of(byte));
          },
        }),
      );
    }
  }

  const signal = new AbortController().signal;
  const options = { signal, onProgress: () => {} };

  it.each([
    ['plain', new File([CSV], 'my.csv')],
    ['packed, whatever its name', new File([CSV_GZ], 'my.csv')],
    ['packed, byte by byte', new TrickledFile([CSV_GZ], 'my.csv.gz')],
  ])('reads a file that is %s', async (_, file) => {
    const { labels } = await loadOwnFile(file, FASHION_MNIST, options);
    expect(Array.from(labels)).toEqual(LABELS);
  });

  it.each([
    ['damaged', new File([CSV_GZ.subarray(0, -200)], 'my.csv.gz'), 'damaged'],
    ['a zip', new File(['PK\u0003\u0004 and so on'], 'archive.zip'), 'Unpack it'],
    ['empty', new File([], 'my.csv'), 'no rows'],
    ['another kind of file', new File([new Uint8Array(200_000)], 'my.png'), 'row 1'],
  ])('refuses a file that is %s', async (_, file, said) => {
    const fault = await loadOwnFile(file, FASHION_MNIST, options).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DatasetError);
    expect((fault as DatasetError).message).toContain(file.name);
    expect((fault as DatasetError).message).toContain(said);
  });

  it('stops when aborted on the way', async () => {
    const controller = new AbortController();
    const reading = loadOwnFile(new File([CSV], 'my.csv'), FASHION_MNIST, {
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => {
        if (loadedBytes > 0) controller.abort();
      },
    });
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
  });
});
