/**
 * Owns the measurement of the picture pipeline: how much accuracy is lost between a test image and
 * the same image brought as a picture, and how the model does on photos.
 *
 *   npm run bench -- pictures
 *   npm run bench -- pictures --model FILE.zip --rows 10000 --pictures 2000 --photos DIR
 *
 * Runs in Node on TensorFlow.js's wasm backend. `--photos` takes a folder with the subfolders
 * t-shirt, pants, dress, outwear, shirt, longsleeve and shoes.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { ROOT } from '../scripts/build.ts';
import { ensureData } from '../scripts/data.ts';
import { readCsv } from '../scripts/fashionMnist.ts';
import { type Dataset, selectRows } from '../src/data/dataset.ts';
import { FASHION_MNIST, PIXELS } from '../src/fashion.ts';
import { importFiles } from '../src/formats/zip.ts';
import { normalizePicture } from '../src/image/normalize.ts';
import type { Picture } from '../src/image/picture.ts';
import { predictRows } from '../src/ml/run/predict.ts';
import { createRandom } from '../src/random.ts';
import { scoreDrawings } from './drawings.ts';
import { reportHonesty } from './notClothing.ts';
import { meanScores, readPhotos, scorePhotos } from './photos.ts';
import { renderOnSheet, SETTINGS } from './roundTrip.ts';
import { WAYS, type Way } from './ways.ts';

export const summary = 'test accuracy direct and through the upload path; photos with --photos DIR';

const SEED = 20;

async function loadModel(path: string) {
  const content = await readFile(path).catch(() => {
    throw new Error(`There is no model in ${path}. Name one with --model FILE.zip.`);
  });
  return importFiles([new File([new Uint8Array(content)], 'model.zip')]);
}

async function answersOf(model: tf.LayersModel, pixels: Uint8Array): Promise<number[]> {
  const count = pixels.length / PIXELS;
  const dataset: Dataset = { pixels, labels: new Uint8Array(count), spec: FASHION_MNIST };
  const rows = Uint32Array.from({ length: count }, (_, row) => row);
  const probabilities = await predictRows(model, dataset, rows);
  return Array.from(rows, (row) => {
    const ten = probabilities.subarray(
      row * FASHION_MNIST.classNames.length,
      (row + 1) * FASHION_MNIST.classNames.length,
    );
    return ten.indexOf(Math.max(...ten));
  });
}

interface Outcome {
  readonly name: string;
  /** Label of each picture, -1 where the way saw nothing. */
  readonly answers: readonly number[];
  /** Of the preprocessing. */
  readonly meanMs: number;
}

/** Brings every picture every way, and asks the model about all of them. */
async function answersThrough(
  ways: readonly { readonly name: string; readonly way: Way }[],
  model: tf.LayersModel,
  count: number,
  pictureAt: (i: number) => Picture,
): Promise<Outcome[]> {
  const results = ways.map(({ name, way }) => ({
    name,
    way,
    pixels: new Uint8Array(count * PIXELS),
    isBlank: new Set<number>(),
    elapsedMs: 0,
  }));
  for (let i = 0; i < count; i++) {
    const picture = pictureAt(i);
    for (const result of results) {
      const startedMs = performance.now();
      const seen = result.way(picture);
      result.elapsedMs += performance.now() - startedMs;
      if (seen) result.pixels.set(seen, i * PIXELS);
      else result.isBlank.add(i);
    }
  }
  const outcomes: Outcome[] = [];
  for (const { name, pixels, isBlank, elapsedMs } of results) {
    const labels = await answersOf(model, pixels);
    outcomes.push({
      name,
      answers: labels.map((label, i) => (isBlank.has(i) ? -1 : label)),
      meanMs: elapsedMs / count,
    });
  }
  return outcomes;
}

const TIMED_ROUNDS = 15;

/** Milliseconds that our way takes for a photo of 12 megapixels, a garment on tiles: the median. */
function timeLargePhoto(): number {
  const width = 4000;
  const height = 3000;
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isGarment = x > 1200 && x < 2800 && y > 600 && y < 2500;
      const isGrout = x % 500 < 30 || y % 500 < 30;
      const grain = ((x * 73 + y * 151) % 17) - 8;
      const color = isGarment ? [150, 40, 60] : isGrout ? [90, 95, 100] : [200, 195, 185];
      data.set([...color.map((level) => level + grain), 255], (y * width + x) * 4);
    }
  }
  const times = Array.from({ length: TIMED_ROUNDS }, () => {
    const startedMs = performance.now();
    normalizePicture({ width, height, data });
    return performance.now() - startedMs;
  });
  return times.sort((a, b) => a - b)[Math.floor(TIMED_ROUNDS / 2)] ?? Number.NaN;
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`.padStart(9);

export async function run(options: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...options],
    options: {
      model: { type: 'string', default: join(ROOT, 'public/models/shipped.zip') },
      rows: { type: 'string', default: '10000' },
      pictures: { type: 'string', default: '2000' },
      photos: { type: 'string' },
    },
  });
  const wasm = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${dirname(wasm)}/`);
  tf.enableProdMode();
  await tf.setBackend('wasm');
  const { model, card } = await loadModel(resolve(values.model));

  const data = await ensureData();
  if (!data.ok) throw new Error(data.message);
  const test = await readCsv(
    join(ROOT, 'public', FASHION_MNIST.files.full.test),
    FASHION_MNIST.files.full.test,
  );
  const count = Math.min(Number(values.rows), test.labels.length);
  const imageAt = (i: number) => test.pixels.subarray(i * PIXELS, (i + 1) * PIXELS);
  const accuracy = (answers: readonly number[]) =>
    answers.filter((label, i) => label === test.labels[i]).length / answers.length;

  const direct = accuracy(await answersOf(model, test.pixels.subarray(0, count * PIXELS)));
  console.log(`\nModel ${values.model}, ${count} test images\n`);
  console.log(`${'direct'.padEnd(34)}${percent(direct)}`);
  console.log(`A photo of 12 megapixels is prepared in ${timeLargePhoto().toFixed(1)} ms`);
  const numPictures = Math.min(Number(values.pictures), count);
  console.log(
    `\n${numPictures} of them brought back as JPEGs, 3 to 12 times as large; beside it the points lost\n`,
  );
  console.log(
    `${''.padEnd(24)}${WAYS.map(({ name }) => name.padStart(22)).join('')}${'allowed'.padStart(10)}`,
  );
  const directOf = accuracy(await answersOf(model, test.pixels.subarray(0, numPictures * PIXELS)));
  for (const setting of SETTINGS) {
    const random = createRandom(SEED);
    const outcomes = await answersThrough(WAYS, model, numPictures, (i) =>
      renderOnSheet(imageAt(i), setting, random),
    );
    const cells = outcomes.map(({ answers }) => {
      const through = accuracy(answers);
      return `${percent(through)} (${((directOf - through) * 100).toFixed(2)})`.padStart(22);
    });
    console.log(
      `${setting.name.padEnd(24)}${cells.join('')}${String(setting.allowedPoints).padStart(10)}`,
    );
  }

  console.log('\nDrawings of ours, 30 of each class and style: first answer right\n');
  for (const { name: wayName, way } of WAYS) {
    const drawings = await scoreDrawings(async (pictures) => {
      const [outcome] = await answersThrough(
        [{ name: wayName, way }],
        model,
        pictures.length,
        (i) => {
          const picture = pictures[i];
          if (!picture) throw new RangeError(`There is no drawing ${i}.`);
          return picture;
        },
      );
      return [...(outcome?.answers ?? [])];
    });
    for (const { style, top1, classes } of drawings) {
      console.log(`${`${wayName}, ${style}`.padEnd(34)}${percent(top1)}`);
      if (wayName !== WAYS.at(-1)?.name) continue;
      for (const { name, top1: share, rival } of classes) {
        const rivalText = rival === null ? '' : `  else mostly ${rival}`;
        console.log(`  ${name.padEnd(32)}${percent(share)}${rivalText}`);
      }
    }
  }

  const photos = values.photos === undefined ? [] : await readPhotos(resolve(values.photos));
  const readTraining = async () => ({
    dataset: await readCsv(
      join(ROOT, 'public', FASHION_MNIST.files.full.train),
      FASHION_MNIST.files.full.train,
    ),
    name: basename(FASHION_MNIST.files.full.train),
  });
  await reportHonesty({
    model,
    card,
    test: selectRows(
      test,
      Uint32Array.from({ length: count }, (_, i) => i),
    ),
    readTraining,
    photos,
  });
  if (photos.length === 0) return;
  console.log(`\n${photos.length} photos in ${values.photos}: exact class / group of classes\n`);
  const outcomes = await answersThrough(WAYS, model, photos.length, (i) => {
    const photo = photos[i];
    if (!photo) throw new RangeError(`There is no photo ${i}.`);
    return photo.picture;
  });
  for (const { name, answers, meanMs } of outcomes) {
    const scores = scorePhotos(photos, answers);
    const { fine, coarse } = meanScores(scores);
    console.log(
      `${name}: ${percent(fine).trim()} / ${percent(coarse).trim()} (${meanMs.toFixed(1)} ms each)`,
    );
    for (const { kind, count: number, fine: exact, coarse: group } of scores) {
      const exactText = exact === null ? '–'.padStart(9) : percent(exact);
      console.log(
        `  ${kind.padEnd(12)}${String(number).padStart(4)}${exactText} /${percent(group)}`,
      );
    }
  }
}
