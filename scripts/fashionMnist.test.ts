import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countLabels, type Dataset, selectRows } from '../src/data/dataset.ts';
import { FASHION_MNIST, PIXELS } from '../src/fashion.ts';
import {
  decodeIdx,
  digestCsv,
  digestRows,
  type Part,
  readCsv,
  readIdx,
  sha256,
  verify,
  writeCsv,
} from './fashionMnist.ts';

const NUM_ROWS = 600;
const dataset: Dataset = {
  pixels: Uint8Array.from({ length: NUM_ROWS * PIXELS }, (_, at) => (at * at + (at >> 5)) % 256),
  labels: Uint8Array.from({ length: NUM_ROWS }, (_, row) => row % 10),
  spec: FASHION_MNIST,
};
const part: Part = {
  title: 'little set',
  csvFile: 'little.csv',
  imagesFile: 'little-images',
  labelsFile: 'little-labels',
  numRows: NUM_ROWS,
  pixelsDigest: sha256(dataset.pixels),
  labelsDigest: sha256(dataset.labels),
  rowsDigest: digestRows(dataset),
  csvDigest: sha256([...writeCsv(dataset)].join('')),
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atelier-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

function makeIdx(words: readonly number[], content: Uint8Array): Buffer {
  const head = Buffer.alloc(words.length * 4);
  words.forEach((word, at) => {
    head.writeUInt32BE(word, at * 4);
  });
  return gzipSync(Buffer.concat([head, content]));
}

const images = makeIdx([0x803, NUM_ROWS, 28, 28], dataset.pixels);
const labels = makeIdx([0x801, NUM_ROWS], dataset.labels);

describe('the originals', () => {
  it('are read from a folder', async () => {
    await writeFile(join(folder, 'little-images.gz'), images);
    await writeFile(join(folder, 'little-labels.gz'), labels);
    const read = await readIdx(part, folder);
    expect(verify(part, read)).toEqual({ kind: 'official' });
  });

  it.each([
    ['cut short', images.subarray(0, -50), labels, 'little-images.gz is damaged'],
    ['of another size', makeIdx([0x803, NUM_ROWS, 14, 56], dataset.pixels), labels, '28×28'],
    ['swapped', labels, images, 'little-images.gz is not an IDX file'],
    ['with too few labels', images, makeIdx([0x801, 9], dataset.labels.subarray(9)), 'labels'],
  ])('are refused when %s', (_, imagesGz, labelsGz, said) => {
    expect(() => decodeIdx(part, imagesGz, labelsGz)).toThrow(said);
  });
});

describe('verify', () => {
  const rows = Uint32Array.from({ length: NUM_ROWS }, (_, row) => row);

  it('knows the right rows in another order', () => {
    expect(verify(part, selectRows(dataset, rows.slice().reverse()))).toEqual({
      kind: 'reordered',
    });
  });

  it.each([
    ['one changed pixel', { ...dataset, pixels: dataset.pixels.with(1234, 7) }],
    ['one changed label', { ...dataset, labels: dataset.labels.with(5, 9) }],
    ['labels moved to other pictures', { ...dataset, labels: dataset.labels.toReversed() }],
    ['a missing row', selectRows(dataset, rows.subarray(1))],
    ['a row twice', selectRows(dataset, rows.with(0, 1))],
  ])('sees %s', (_, changed) => {
    expect(verify(part, changed).kind).toBe('wrong');
  });
});

describe('the CSV form', () => {
  it('begins with the header, and comes back as it was, packed or not', async () => {
    const text = [...writeCsv(dataset)].join('');
    expect(text.slice(0, 20)).toBe('label,pixel1,pixel2,');
    expect(text.split('\n')).toHaveLength(NUM_ROWS + 2);
    await writeFile(join(folder, 'little.csv'), text);
    await writeFile(join(folder, 'little.csv.gz'), gzipSync(text));
    for (const name of ['little.csv', 'little.csv.gz']) {
      expect(verify(part, await readCsv(join(folder, name), name))).toEqual({ kind: 'official' });
      expect(await digestCsv(join(folder, name))).toBe(part.csvDigest);
    }
  });

  it('is refused when cut short', async () => {
    const path = join(folder, 'short.csv.gz');
    await writeFile(path, gzipSync([...writeCsv(dataset)].join('')).subarray(0, -100));
    await expect(digestCsv(path)).rejects.toThrow();
    await expect(readCsv(path, 'short.csv.gz')).rejects.toThrow();
    await expect(digestCsv(join(folder, 'none.csv.gz'))).rejects.toThrow(/ENOENT/);
  });
});

describe('the sample that ships with the page', () => {
  it.each([
    ['sample_train.csv.gz', 200],
    ['sample_test.csv.gz', 50],
  ])('%s has %i pictures of each class', async (file, numPerClass) => {
    const sample = await readCsv(join(import.meta.dirname, '../public/data', file), file);
    expect(countLabels(sample)).toEqual(new Array(10).fill(numPerClass));
  });

  it('takes less than 1.5 MB', async () => {
    const sizes = await Promise.all(
      ['sample_train.csv.gz', 'sample_test.csv.gz'].map((file) =>
        stat(join(import.meta.dirname, '../public/data', file)),
      ),
    );
    expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(1.5e6);
  });
});
