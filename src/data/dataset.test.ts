import { describe, expect, it } from 'vitest';
import { FASHION_MNIST, PIXELS } from '../fashion.ts';
import { createRandom } from '../random.ts';
import {
  copyDataset,
  countLabels,
  type Dataset,
  gatherBatch,
  gatherLabels,
  pageRows,
  selectRows,
  shuffleRows,
  splitRows,
} from './dataset.ts';

/** Row r has every pixel at r % 256, so that a picture tells which row it is. */
function makeDataset(labels: readonly number[]): Dataset {
  const pixels = new Uint8Array(labels.length * PIXELS);
  labels.forEach((_, row) => {
    pixels.fill(row % 256, row * PIXELS, (row + 1) * PIXELS);
  });
  return { pixels, labels: Uint8Array.from(labels), spec: FASHION_MNIST };
}

const balanced = makeDataset(
  Array.from({ length: 600 }, (_, row) => row % FASHION_MNIST.classNames.length),
);

describe('splitRows', () => {
  it('puts every row in exactly one part, in file order', () => {
    const { train, validation } = splitRows(balanced, 0.1, 7);
    expect(Array.from(train)).toEqual(Array.from(train).sort((a, b) => a - b));
    expect(Array.from(validation)).toEqual(Array.from(validation).sort((a, b) => a - b));
    const all = [...train, ...validation].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 600 }, (_, row) => row));
  });

  it('holds out the same share of every class', () => {
    const { validation } = splitRows(balanced, 0.1, 7);
    expect(countLabels(selectRows(balanced, validation))).toEqual(new Array(10).fill(6));
  });

  it('repeats for a seed and differs for another', () => {
    expect(splitRows(balanced, 0.1, 7)).toEqual(splitRows(balanced, 0.1, 7));
    expect(splitRows(balanced, 0.1, 7)).not.toEqual(splitRows(balanced, 0.1, 8));
  });

  it('keeps a rare class on both sides, and one lone row in training', () => {
    const rare = makeDataset([...new Array(100).fill(0), 1, 1, 2]);
    const { train, validation } = splitRows(rare, 0.1, 1);
    expect(countLabels(selectRows(rare, validation)).slice(0, 3)).toEqual([10, 1, 0]);
    expect(countLabels(selectRows(rare, train)).slice(0, 3)).toEqual([90, 1, 1]);
  });

  it('holds out nothing at 0 and refuses what is no share', () => {
    expect(splitRows(balanced, 0, 1).validation).toHaveLength(0);
    expect(() => splitRows(balanced, 1.5, 1)).toThrow(RangeError);
    expect(() => splitRows(balanced, Number.NaN, 1)).toThrow(RangeError);
  });
});

describe('createRandom and shuffleRows', () => {
  it('gives numbers that spread evenly over [0, 1)', () => {
    const random = createRandom(42);
    const bins = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 100_000; draw++) {
      const bin = Math.floor(random() * 10);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    // 10,000 ± 95 at one standard deviation.
    for (const count of bins) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(bins).toHaveLength(10);
  });

  it('moves rows everywhere and loses none', () => {
    const rows = Uint32Array.from({ length: 1000 }, (_, row) => row);
    shuffleRows(rows, createRandom(3));
    expect(rows.filter((row, at) => row === at).length).toBeLessThan(20);
    expect(Array.from(rows).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, row) => row),
    );
  });
});

describe('gathering', () => {
  it('scales pixels to 0–1 in the order asked for', () => {
    const into = new Float32Array(2 * PIXELS);
    gatherBatch(balanced, Uint32Array.of(255, 51), into);
    expect(into[0]).toBe(1);
    expect(into[PIXELS - 1]).toBe(1);
    expect(into[PIXELS]).toBeCloseTo(0.2, 7);
    expect(into[2 * PIXELS - 1]).toBeCloseTo(0.2, 7);
  });

  it('refuses a buffer that is too small and a row that is not there', () => {
    expect(() => gatherBatch(balanced, Uint32Array.of(0, 1), new Float32Array(PIXELS))).toThrow(
      RangeError,
    );
    expect(() => gatherBatch(balanced, Uint32Array.of(600), new Float32Array(PIXELS))).toThrow(
      /no row 600/,
    );
    expect(() => gatherLabels(balanced, Uint32Array.of(600), new Uint8Array(1))).toThrow(
      /no row 600/,
    );
    expect(() => gatherLabels(balanced, Uint32Array.of(0, 1), new Uint8Array(1))).toThrow(
      RangeError,
    );
  });

  it('gathers labels', () => {
    const into = new Int32Array(3);
    gatherLabels(balanced, Uint32Array.of(13, 2, 599), into);
    expect(Array.from(into)).toEqual([3, 2, 9]);
  });
});

describe('pageRows', () => {
  it('pages through one class in file order', () => {
    const page = pageRows(balanced, { label: 4, offset: 2, count: 3 });
    expect(Array.from(page.rows)).toEqual([24, 34, 44]);
    expect(Array.from(page.labels)).toEqual([4, 4, 4]);
    expect(page.pixels[PIXELS]).toBe(34);
    expect(page.total).toBe(60);
  });

  it('pages through everything, and is short at the end and empty beyond', () => {
    const last = pageRows(balanced, { label: null, offset: 598, count: 10 });
    expect(Array.from(last.rows)).toEqual([598, 599]);
    expect(last.total).toBe(600);
    expect(pageRows(balanced, { label: null, offset: 600, count: 10 }).rows).toHaveLength(0);
  });

  it('gives copies: what is given away leaves the data as it was', () => {
    const page = pageRows(balanced, { label: null, offset: 0, count: 600 });
    page.pixels.fill(9);
    copyDataset(balanced).labels.fill(9);
    expect(balanced.pixels[0]).toBe(0);
    expect(balanced.labels[0]).toBe(0);
  });
});
