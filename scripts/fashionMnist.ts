/**
 * Owns the real Fashion-MNIST as files: its IDX originals, its fingerprints, and the CSV form the
 * app reads. Shared by `npm run data` and the script that makes the sample.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip, gunzipSync } from 'node:zlib';
import { createCsvReader } from '../src/data/csv.ts';
import type { Dataset } from '../src/data/dataset.ts';
import { FASHION_MNIST, PIXELS, SIDE } from '../src/fashion.ts';

/**
 * One half of the data set. The digests are SHA-256 in hex, computed from the originals as Debian
 * packages them; the sum of the training pixels, 3,431,114,169, is the one published.
 */
export interface Part {
  readonly title: string;
  readonly csvFile: string;
  readonly imagesFile: string;
  readonly labelsFile: string;
  readonly numRows: number;
  /** Of the bytes that follow the IDX header. */
  readonly pixelsDigest: string;
  readonly labelsDigest: string;
  /** Of the rows whatever their order: Kaggle's CSVs hold the same rows shuffled. */
  readonly rowsDigest: string;
  /** Of the unpacked CSV in official order. */
  readonly csvDigest: string;
}

export const PARTS = {
  train: {
    title: 'training set',
    csvFile: 'fashion-mnist_train.csv',
    imagesFile: 'train-images-idx3-ubyte',
    labelsFile: 'train-labels-idx1-ubyte',
    numRows: 60_000,
    pixelsDigest: '2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012',
    labelsDigest: '657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7',
    rowsDigest: '53b34d70c671317ab6e19bfef4a9fab538074e16f2d1e69fdcd5c87fe13853f5',
    csvDigest: '9b4c3051424ce1d78ff509d54017e2673b27260ea874c5ae9b364c0c1dc8a1b1',
  },
  test: {
    title: 'test set',
    csvFile: 'fashion-mnist_test.csv',
    imagesFile: 't10k-images-idx3-ubyte',
    labelsFile: 't10k-labels-idx1-ubyte',
    numRows: 10_000,
    pixelsDigest: 'c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a',
    labelsDigest: '3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9',
    rowsDigest: '776f535c5f0ce6eb36b9f27daf2ee675aa10785ead3083c67d6cba183de4eb65',
    csvDigest: 'a269a18ad7ac639afde1ab2e65f83dd38a4fc321d057cf7039df1e5cff241e91',
  },
} as const satisfies Record<string, Part>;

/** Whether the rows are the real ones, in which order, or why not. */
export type Verdict =
  | { readonly kind: 'official' }
  /** The right rows in another order. */
  | { readonly kind: 'reordered' }
  | { readonly kind: 'wrong'; readonly reason: string };

export function verify(part: Part, dataset: Dataset): Verdict {
  if (dataset.labels.length !== part.numRows) {
    return {
      kind: 'wrong',
      reason: `it has ${dataset.labels.length} rows instead of ${part.numRows}`,
    };
  }
  if (
    sha256(dataset.pixels) === part.pixelsDigest &&
    sha256(dataset.labels) === part.labelsDigest
  ) {
    return { kind: 'official' };
  }
  if (digestRows(dataset) === part.rowsDigest) return { kind: 'reordered' };
  return { kind: 'wrong', reason: 'its pixels or labels are not those of Fashion-MNIST' };
}

/** SHA-256 over the sorted SHA-256 digests of the rows (label byte, then pixels), in hex. */
export function digestRows(dataset: Dataset): string {
  const row = new Uint8Array(1 + PIXELS);
  const digests = Array.from(dataset.labels, (label, at) => {
    row[0] = label;
    row.set(dataset.pixels.subarray(at * PIXELS, (at + 1) * PIXELS), 1);
    return sha256(row);
  });
  return sha256(digests.sort().join(''));
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Reads the two IDX files of a part, gzipped.
 *
 * @throws Error that names the file and what is wrong with its form. Contents: see `verify`.
 */
export async function readIdx(part: Part, folder: string): Promise<Dataset> {
  return decodeIdx(
    part,
    await readFile(join(folder, `${part.imagesFile}.gz`)),
    await readFile(join(folder, `${part.labelsFile}.gz`)),
  );
}

/** As `readIdx`, from bytes. The format is Yann LeCun's: big-endian magic and sizes, then bytes. */
export function decodeIdx(part: Part, imagesGz: Uint8Array, labelsGz: Uint8Array): Dataset {
  const images = unpack(imagesGz, `${part.imagesFile}.gz`);
  const labels = unpack(labelsGz, `${part.labelsFile}.gz`);
  const sizes = [0x803, part.numRows, SIDE, SIDE];
  if (images.length !== 16 + part.numRows * PIXELS || !startsWith(images, sizes)) {
    throw new Error(`${part.imagesFile}.gz is not an IDX file of ${part.numRows} 28×28 pictures`);
  }
  if (labels.length !== 8 + part.numRows || !startsWith(labels, [0x801, part.numRows])) {
    throw new Error(`${part.labelsFile}.gz is not an IDX file of ${part.numRows} labels`);
  }
  return { pixels: images.subarray(16), labels: labels.subarray(8), spec: FASHION_MNIST };
}

function unpack(packed: Uint8Array, file: string): Buffer {
  try {
    return gunzipSync(packed);
  } catch (error) {
    throw new Error(`${file} is damaged or no gzip file`, { cause: error });
  }
}

function startsWith(bytes: Buffer, words: readonly number[]): boolean {
  return words.every((word, at) => bytes.readUInt32BE(at * 4) === word);
}

/** Reads a CSV file, packed where its name ends in `.gz`, with every check of the app. */
export async function readCsv(path: string, name: string): Promise<Dataset> {
  const reader = createCsvReader(name, FASHION_MNIST);
  const decoder = new TextDecoder();
  for await (const bytes of openCsv(path)) reader.push(decoder.decode(bytes, { stream: true }));
  reader.push(decoder.decode());
  return reader.finish();
}

/** SHA-256 of a CSV file's text, unpacked where its name ends in `.gz`. */
export async function digestCsv(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of openCsv(path)) hash.update(bytes);
  return hash.digest('hex');
}

async function* openCsv(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  if (!path.endsWith('.gz')) {
    yield* file;
    return;
  }
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error));
  file.pipe(gunzip);
  yield* gunzip;
}

/** The CSV text of a data set in pieces of about a megabyte: header, then one picture a line. */
export function* writeCsv(dataset: Dataset): Generator<string> {
  const header = ['label', ...Array.from({ length: PIXELS }, (_, at) => `pixel${at + 1}`)];
  yield `${header.join(',')}\n`;
  const rowsAtOnce = 500;
  for (let first = 0; first < dataset.labels.length; first += rowsAtOnce) {
    const last = Math.min(first + rowsAtOnce, dataset.labels.length);
    let text = '';
    for (let row = first; row < last; row++) {
      text += `${dataset.labels[row]},${dataset.pixels.subarray(row * PIXELS, (row + 1) * PIXELS).join(',')}\n`;
    }
    yield text;
  }
}
