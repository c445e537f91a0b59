/**
 * `npx tsx scripts/sample.ts`: makes the sample that is committed under public/data from the full
 * files (`npm run data` first): the first 200 training and 50 test rows of each class, in file
 * order. A fixed choice, so everyone's sample is the same to the byte of its text.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Dataset, pageRows, selectRows } from '../src/data/dataset.ts';
import { FASHION_MNIST } from '../src/fashion.ts';
import { PARTS, readCsv, verify, writeCsv } from './fashionMnist.ts';

const SAMPLES = [
  { part: PARTS.train, file: 'sample_train.csv.gz', numPerClass: 200 },
  { part: PARTS.test, file: 'sample_test.csv.gz', numPerClass: 50 },
];

for (const { part, file, numPerClass } of SAMPLES) {
  const from = fileURLToPath(new URL(`../public/data/${part.csvFile}.gz`, import.meta.url));
  const full = await readCsv(from, `${part.csvFile}.gz`);
  if (verify(part, full).kind !== 'official') {
    throw new Error(`${from} is not in official order. Delete it and run: npm run data`);
  }
  const packed = gzipSync([...writeCsv(takeFirst(full, numPerClass))].join(''), { level: 9 });
  await writeFile(fileURLToPath(new URL(`../public/data/${file}`, import.meta.url)), packed);
  console.log(`${file}: ${numPerClass} of each class, ${packed.length.toLocaleString('en')} bytes`);
}

function takeFirst(dataset: Dataset, numPerClass: number): Dataset {
  const rows = FASHION_MNIST.classNames.flatMap((_, label) => [
    ...pageRows(dataset, { label, offset: 0, count: numPerClass }).rows,
  ]);
  return selectRows(dataset, Uint32Array.from(rows).sort());
}
