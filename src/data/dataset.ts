/**
 * A data set in memory: grey images and their labels as bytes, the seeded split into training and
 * validation, seeded shuffling, and the gathering of batches. Knows no files and no model.
 */
import { PIXELS } from '../fashion.ts';
import { createRandom } from '../random.ts';
import type { DataSpec } from './dataSpec.ts';

/** Data comes as two files: one to train on, one to test on. */
export type PartName = 'train' | 'test';

/** `n` images. Pixels are kept as bytes (0–255) and divided by 255 only when a batch is made. */
export interface Dataset {
  /** `[n · 784]`, row by row, 0 black to 255 white. */
  readonly pixels: Uint8Array;
  /** `[n]`, each below the number of `spec.classNames`. */
  readonly labels: Uint8Array;
  /** What the labels mean. */
  readonly spec: DataSpec;
}

/** Classes of the data set, also of those without a row. */
export function countClasses({ spec }: Dataset): number {
  return spec.classNames.length;
}

/** Some rows of a data set with their row indices (0-based, in file order). */
export interface GarmentPage extends Dataset {
  /** `[n]` row index of each picture. */
  readonly rows: Uint32Array;
  /** Rows that match the query in all. */
  readonly total: number;
}

/** Rows of one class (null: all), in file order. `offset` and `count` count matching rows. */
export interface RowQuery {
  readonly label: number | null;
  readonly offset: number;
  readonly count: number;
}

/** Row indices of a data set, each in exactly one of the two. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/** Pictures in the data set. */
function countRows(dataset: Dataset): number {
  return dataset.labels.length;
}

/** Rows of each class, by label: `[classes]`. */
export function countLabels(dataset: Dataset): number[] {
  const counts = new Array<number>(countClasses(dataset)).fill(0);
  for (const label of dataset.labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** Fisher–Yates, in place. */
export function shuffleRows(rows: Uint32Array, random: () => number): void {
  for (let last = rows.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const kept = rows[last] as number;
    rows[last] = rows[other] as number;
    rows[other] = kept;
  }
}

/**
 * Splits the rows by a seed into training and validation, class by class (stratified): a held-out
 * tenth of a plain random split would be off by ±25 rows a class, which moves the accuracy curve
 * for no reason, and a rare class of somebody's own small file could miss from it altogether.
 *
 * @param validationShare 0–1. Each class gives `round(share · its rows)` rows, and at least one
 *   where it has two or more and the share is above 0; a class never gives all of its rows unless
 *   the share is 1.
 * @returns Both in file order; shuffle before use.
 */
export function splitRows(dataset: Dataset, validationShare: number, seed: number): Split {
  if (!(validationShare >= 0 && validationShare <= 1)) {
    throw new RangeError(`The validation share must be between 0 and 1, not ${validationShare}.`);
  }
  const random = createRandom(seed);
  const isHeldOut = new Uint8Array(countRows(dataset));
  let numHeldOut = 0;
  for (let label = 0; label < countClasses(dataset); label++) {
    const rows = findRows(dataset, label);
    let numOfClass = Math.round(validationShare * rows.length);
    if (validationShare > 0 && validationShare < 1 && rows.length >= 2) {
      numOfClass = Math.min(Math.max(numOfClass, 1), rows.length - 1);
    }
    shuffleRows(rows, random);
    for (const row of rows.subarray(0, numOfClass)) isHeldOut[row] = 1;
    numHeldOut += numOfClass;
  }
  const train = new Uint32Array(isHeldOut.length - numHeldOut);
  const validation = new Uint32Array(numHeldOut);
  let numTrain = 0;
  let numValidation = 0;
  isHeldOut.forEach((held, row) => {
    if (held) validation[numValidation++] = row;
    else train[numTrain++] = row;
  });
  return { train, validation };
}

/**
 * Writes the pictures of `rows` into `into` as a batch `[rows.length, 28, 28, 1]`, scaled to 0–1.
 * The one place where /255 happens to training and test data.
 */
export function gatherBatch(dataset: Dataset, rows: Uint32Array, into: Float32Array): void {
  if (into.length < rows.length * PIXELS) {
    throw new RangeError(`A batch of ${rows.length} needs ${rows.length * PIXELS} numbers.`);
  }
  const { pixels } = dataset;
  let to = 0;
  for (const row of rows) {
    assertRow(dataset, row);
    const start = row * PIXELS;
    for (let from = start; from < start + PIXELS; from++) {
      into[to++] = (pixels[from] as number) / 255;
    }
  }
}

/** Writes the bytes of the pictures of `rows` into `into`: `[rows.length · 784]`, 0–255. */
export function gatherBytes(dataset: Dataset, rows: Uint32Array, into: Uint8Array): void {
  if (into.length < rows.length * PIXELS) {
    throw new RangeError(`A batch of ${rows.length} needs ${rows.length * PIXELS} bytes.`);
  }
  rows.forEach((row, at) => {
    assertRow(dataset, row);
    into.set(dataset.pixels.subarray(row * PIXELS, (row + 1) * PIXELS), at * PIXELS);
  });
}

/** Writes the labels of `rows` into `into`: `[rows.length]`. */
export function gatherLabels(
  dataset: Dataset,
  rows: Uint32Array,
  into: Uint8Array | Int32Array | Float32Array,
): void {
  if (into.length < rows.length) {
    throw new RangeError(`A batch of ${rows.length} needs ${rows.length} labels.`);
  }
  rows.forEach((row, at) => {
    assertRow(dataset, row);
    into[at] = dataset.labels[row] as number;
  });
}

/** A copy of the given rows, in the given order. */
export function selectRows(dataset: Dataset, rows: Uint32Array): Dataset {
  const pixels = new Uint8Array(rows.length * PIXELS);
  const labels = new Uint8Array(rows.length);
  gatherBytes(dataset, rows, pixels);
  gatherLabels(dataset, rows, labels);
  return { pixels, labels, spec: dataset.spec };
}

/** A copy of the whole data set, to give away. */
export function copyDataset(dataset: Dataset): Dataset {
  return { ...dataset, pixels: dataset.pixels.slice(), labels: dataset.labels.slice() };
}

/** A copy of the rows that match; empty past their end. */
export function pageRows(dataset: Dataset, query: RowQuery): GarmentPage {
  const matching = findRows(dataset, query.label);
  const rows = matching.slice(query.offset, query.offset + query.count);
  return { ...selectRows(dataset, rows), rows, total: matching.length };
}

/** Row indices of one class (null: all), in file order. */
function findRows(dataset: Dataset, label: number | null): Uint32Array {
  const { labels } = dataset;
  const rows = new Uint32Array(labels.length);
  let numRows = 0;
  for (let row = 0; row < labels.length; row++) {
    if (label === null || labels[row] === label) rows[numRows++] = row;
  }
  return rows.slice(0, numRows);
}

function assertRow(dataset: Dataset, row: number): void {
  if (row >= dataset.labels.length) {
    throw new RangeError(`There is no row ${row}: the data has ${dataset.labels.length} rows.`);
  }
}
