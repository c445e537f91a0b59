/**
 * `npm run data [-- --from DIR]`: puts the full Fashion-MNIST as two CSV files into public/data.
 *
 * Sources are tried in order until one passes: files already there and whole, `--from DIR`, the
 * official downloads, Debian's package. Whatever the source, pixels and labels are checked by
 * SHA-256, and a file appears whole or not at all.
 */
import { execFile } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import type { Dataset } from '../src/data/dataset.ts';
import {
  decodeIdx,
  digestCsv,
  PARTS,
  type Part,
  readCsv,
  readIdx,
  verify,
  writeCsv,
} from './fashionMnist.ts';
import { readOptions } from './options.ts';

const DATA_FOLDER = fileURLToPath(new URL('../public/data', import.meta.url));

/**
 * The authors' own repository, TensorFlow's mirror of it, and the authors' bucket, which speaks
 * plain HTTP only. The digests make all three equally safe.
 */
const DOWNLOAD_FOLDERS = [
  'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion',
  'https://storage.googleapis.com/tensorflow/tf-keras-datasets',
  'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
];
/** To connect and answer, and then between any two pieces: a silent host must not hold us up. */
const PATIENCE_MS = 10_000;
/** The largest original has 26 MB. */
const MAX_DOWNLOAD_BYTES = 64 * 2 ** 20;

const DEBIAN_PACKAGE = 'dataset-fashion-mnist';
const DEBIAN_FOLDER = 'usr/share/datasets/fashion-mnist';
const APT_PATIENCE_MS = 300_000;

/** Level 9 takes five times as long to make the files 1 % smaller. */
const GZIP_LEVEL = 6;
/** A `.partial` file this old was left behind by a run that was killed. */
const STALE_MS = 10 * 60_000;

/** Gives one part or throws an Error that says why not. */
type Source = { readonly name: string; readonly get: (part: Part) => Promise<Dataset> };

/**
 * Makes sure that the full data lies in public/data. Prints what it does.
 *
 * @param from A folder with the originals (IDX, gzipped or not) or Kaggle's CSVs.
 * @returns `message` lists every source with what went wrong, and what to do.
 */
export async function ensureData(
  from?: string,
): Promise<{ ok: true } | { ok: false; message: string }> {
  const failures: string[] = [];
  const missing = new Set<Part>();
  for (const part of Object.values(PARTS)) {
    const fault = await findFault(part);
    if (fault === null) continue;
    missing.add(part);
    if (fault !== 'missing') {
      console.log(`${part.csvFile}.gz is there, but ${fault}. It will be replaced.`);
    }
  }
  if (missing.size === 0) {
    console.log('The full Fashion-MNIST is in public/data and whole.');
    return { ok: true };
  }

  const workFolder = await mkdtemp(join(tmpdir(), 'atelier-data-'));
  try {
    for (const source of listSources(workFolder, from)) {
      console.log(`Trying ${source.name} …`);
      try {
        for (const part of missing) {
          const dataset = await source.get(part);
          const verdict = verify(part, dataset);
          if (verdict.kind === 'wrong') {
            throw new Error(`the ${part.title} is not the real one: ${verdict.reason}`);
          }
          if (verdict.kind === 'reordered') {
            console.log(
              `  The ${part.title} has the right rows in another order than the official one. That is fine, but a run with the same seed will differ a little from published figures.`,
            );
          }
          await keep(part, dataset);
          missing.delete(part);
        }
      } catch (error) {
        const reason = describe(error);
        failures.push(`${source.name}: ${reason}`);
        console.log(`  No: ${reason}.`);
        continue;
      }
      return { ok: true };
    }
  } catch (error) {
    failures.push(describe(error));
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
  return { ok: false, message: adviseOn(failures) };
}

/** Null where the part's file is whole, 'missing', or what is wrong with it. */
async function findFault(part: Part): Promise<string | null> {
  const path = join(DATA_FOLDER, `${part.csvFile}.gz`);
  if (!existsSync(path)) return 'missing';
  try {
    if ((await digestCsv(path)) === part.csvDigest) return null;
    // Not what we would write, but perhaps the same rows: Kaggle's file, say, packed by hand.
    const verdict = verify(part, await readCsv(path, `${part.csvFile}.gz`));
    return verdict.kind === 'wrong' ? verdict.reason : null;
  } catch (error) {
    return describe(error);
  }
}

function listSources(workFolder: string, from: string | undefined): Source[] {
  const sources: Source[] = [];
  if (from !== undefined) {
    sources.push({ name: `the folder ${from}`, get: (part) => readFolder(part, from) });
  }
  for (const folder of DOWNLOAD_FOLDERS) {
    sources.push({ name: folder, get: (part) => download(part, folder) });
  }
  const installed = join('/', DEBIAN_FOLDER);
  if (existsSync(installed)) {
    sources.push({
      name: `Debian's installed package ${DEBIAN_PACKAGE}`,
      get: (part) => readIdx(part, installed),
    });
  }
  let unpacked: Promise<string> | undefined;
  sources.push({
    name: `Debian's package ${DEBIAN_PACKAGE}, unpacked into a temporary folder`,
    get: async (part) => {
      unpacked ??= unpackDebianPackage(workFolder);
      return readIdx(part, await unpacked);
    },
  });
  return sources;
}

async function readFolder(part: Part, folder: string): Promise<Dataset> {
  for (const name of [part.csvFile, `${part.csvFile}.gz`]) {
    const path = join(folder, name);
    if (existsSync(path)) return readCsv(path, name);
  }
  return readIdx(part, folder);
}

async function download(part: Part, folder: string): Promise<Dataset> {
  const labels = await fetchWhole(`${folder}/${part.labelsFile}.gz`);
  const images = await fetchWhole(`${folder}/${part.imagesFile}.gz`);
  return decodeIdx(part, images, labels);
}

async function fetchWhole(url: string): Promise<Uint8Array> {
  const silence = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expectMore = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => silence.abort(new Error(`no answer for ${PATIENCE_MS / 1000} seconds`)),
      PATIENCE_MS,
    );
  };
  expectMore();
  try {
    const response = await fetch(url, { signal: silence.signal });
    if (!response.ok) throw new Error(`it answered ${response.status} ${response.statusText}`);
    if (!response.body) throw new Error('it answered with nothing');
    const total = Number(response.headers.get('content-length'));
    const progress = startProgress(`  ${url.slice(url.lastIndexOf('/') + 1)}`, total);
    const pieces: Uint8Array[] = [];
    let loadedBytes = 0;
    for await (const piece of response.body) {
      expectMore();
      pieces.push(piece);
      loadedBytes += piece.length;
      if (loadedBytes > MAX_DOWNLOAD_BYTES) throw new Error('it sends far more than the file has');
      progress.show(loadedBytes);
    }
    progress.end();
    return Buffer.concat(pieces);
  } finally {
    clearTimeout(timer);
  }
}

/** Downloads and unpacks the package without root. Resolves to the folder of the IDX files. */
async function unpackDebianPackage(workFolder: string): Promise<string> {
  const run = (command: string, ...args: string[]) =>
    promisify(execFile)(command, args, { cwd: workFolder, timeout: APT_PATIENCE_MS });
  // One try within our patience each; _apt, apt's own user, may not write where we do.
  const options = ['Acquire::Retries=0', 'APT::Sandbox::User=root'];
  for (const scheme of ['http', 'https']) {
    options.push(`Acquire::${scheme}::Timeout=${PATIENCE_MS / 1000}`);
  }
  const apt = (...args: string[]) =>
    run('apt-get', '-q', ...options.flatMap((option) => ['-o', option]), ...args);
  try {
    await apt('download', DEBIAN_PACKAGE);
  } catch (error) {
    if (isNotFound(error)) throw new Error('this system has no apt-get, so no Debian');
    // A fresh container has no package lists, and /var/lib/apt is root's: keep lists of our own.
    options.push(`Dir::State::Lists=${workFolder}/lists`, `Dir::Cache=${workFolder}/cache`);
    await mkdir(join(workFolder, 'lists', 'partial'), { recursive: true });
    await mkdir(join(workFolder, 'cache', 'archives', 'partial'), { recursive: true });
    await apt('update');
    await apt('download', DEBIAN_PACKAGE);
  }
  const file = (await readdir(workFolder)).find((name) => name.endsWith('.deb'));
  if (file === undefined) throw new Error('apt-get left no package behind');
  await run('dpkg-deb', '-x', file, 'unpacked');
  return join(workFolder, 'unpacked', DEBIAN_FOLDER);
}

/** Writes the part beside its place and moves it there when all of it is on the disk. */
async function keep(part: Part, dataset: Dataset): Promise<void> {
  await mkdir(DATA_FOLDER, { recursive: true });
  await removeStalePartials();
  const path = join(DATA_FOLDER, `${part.csvFile}.gz`);
  const partial = `${path}.${process.pid}.partial`;
  const progress = startProgress(`  ${part.csvFile}.gz`, null);
  try {
    await pipeline(
      Readable.from(writeCsv(dataset)),
      createGzip({ level: GZIP_LEVEL }),
      async function* countBytes(packed: AsyncIterable<Buffer>) {
        let written = 0;
        for await (const piece of packed) {
          written += piece.length;
          progress.show(written);
          yield piece;
        }
      },
      createWriteStream(partial, { flush: true }),
    );
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  progress.end();
}

async function removeStalePartials(): Promise<void> {
  for (const name of await readdir(DATA_FOLDER)) {
    const path = join(DATA_FOLDER, name);
    if (!name.endsWith('.partial')) continue;
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > STALE_MS) await rm(path, { force: true });
  }
}

/** One line that counts up: in place on a terminal, else only when done. */
function startProgress(
  title: string,
  totalBytes: number | null,
): { show(bytes: number): void; end(): void } {
  let shownAt = 0;
  let latest = 0;
  const text = () => {
    const share = totalBytes ? ` of ${inMegabytes(totalBytes)}` : '';
    return `${title}: ${inMegabytes(latest)}${share}`;
  };
  return {
    show(bytes) {
      latest = bytes;
      if (!process.stdout.isTTY || Date.now() - shownAt < 100) return;
      shownAt = Date.now();
      process.stdout.write(`\r${text()}`);
    },
    end() {
      console.log(`${process.stdout.isTTY ? '\r' : ''}${text()}`);
    },
  };
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The reason of an error in a line, without a full stop. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('path' in error && isNotFound(error)) return `${error.path} is missing`;
  // fetch says only "fetch failed"; a failed command's own words are the last line of its stderr.
  const stderr = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  const text = stderr === '' ? error.message + cause : (stderr.split('\n').at(-1) ?? '');
  return text.replace(/\.$/, '');
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function adviseOn(failures: readonly string[]): string {
  const originals = Object.values(PARTS).flatMap((part) => [part.imagesFile, part.labelsFile]);
  return [
    'The full Fashion-MNIST could not be brought to public/data:',
    ...failures.map((failure) => `  - ${failure}`),
    'To get it, either',
    '  - connect this machine to the internet and run: npm run data',
    `  - or bring ${originals.map((file) => `${file}.gz`).join(', ')}`,
    `    (or Kaggle's ${PARTS.train.csvFile} and ${PARTS.test.csvFile}) here in a folder and run: npm run data -- --from FOLDER`,
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const usage = 'npm run data -- [--from FOLDER]';
  const { values } = readOptions(usage, { options: { from: { type: 'string' } } });
  const outcome = await ensureData(values.from);
  if (outcome.ok) {
    console.log('Done: public/data has the full Fashion-MNIST.');
  } else {
    console.error(outcome.message);
    process.exitCode = 1;
  }
}
