/**
 * Owns the measurement of the picture pipeline: how much accuracy is lost between a test image and
 * the same image brought as a picture, and how the model does on photos.
 *
 *   npm run bench -- pictures
 *   npm run bench -- pictures --model FILE.zip --rows 2000 --photos DIR
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
import { CSV_FILES, NUM_CLASSES, PIXELS, SIDE } from '../src/fashion.ts';
import { importFiles } from '../src/formats/zip.ts';
import { lightness } from '../src/image/background.ts';
import { normalizePicture } from '../src/image/normalize.ts';
import type { Picture } from '../src/image/picture.ts';
import { averageArea } from '../src/image/resample.ts';
import { predictRows } from '../src/ml/predict.ts';
import { reportHonesty } from './notClothing.ts';
import { meanScores, readPhotos, scorePhotos } from './photos.ts';
import { type Rendering, renderOnSheet, seededRandom } from './roundTrip.ts';

export const summary = 'test accuracy direct and through the upload path; photos with --photos DIR';

const SEED = 20;

/** The first is the one the project promises to keep within two points of direct. */
const RENDERINGS: readonly (Rendering & { readonly name: string })[] = [
  { name: '3 ×, hard pixels, sheet 250', scale: 3, enlarging: 'pixels', sheet: 250 },
  { name: '3 ×, smooth, sheet 250', scale: 3, enlarging: 'smooth', sheet: 250 },
  { name: '6 ×, smooth, sheet 240', scale: 6, enlarging: 'smooth', sheet: 240 },
];

/** What a way of preprocessing makes of a picture: `[784]`, or null where it sees nothing. */
type Way = (picture: Picture) => Uint8Array | null;

const ours: Way = (picture) => {
  const normalized = normalizePicture(picture);
  return normalized.kind === 'garment' ? normalized.pixels : null;
};

/** What demos do: grey, inverted, squashed to 28 × 28. */
const ordinary: Way = ({ width, height, data }) => {
  const grey = new Float32Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    const at = (channel: number) => data[i * 4 + channel] ?? 0;
    grey[i] = 255 - lightness(at(0), at(1), at(2));
  }
  const whole = { left: 0, top: 0, width, height };
  return Uint8Array.from(averageArea(grey, { width, height, channels: 1 }, whole, SIDE, SIDE));
};

async function loadModel(path: string) {
  const content = await readFile(path).catch(() => {
    throw new Error(`There is no model in ${path}. Name one with --model FILE.zip.`);
  });
  return importFiles([new File([new Uint8Array(content)], 'model.zip')]);
}

async function answersOf(model: tf.LayersModel, pixels: Uint8Array): Promise<number[]> {
  const count = pixels.length / PIXELS;
  const dataset: Dataset = { pixels, labels: new Uint8Array(count) };
  const rows = Uint32Array.from({ length: count }, (_, row) => row);
  const probabilities = await predictRows(model, dataset, rows);
  return Array.from(rows, (row) => {
    const ten = probabilities.subarray(row * NUM_CLASSES, (row + 1) * NUM_CLASSES);
    return ten.indexOf(Math.max(...ten));
  });
}

/** Answers by one way of preprocessing; -1 where it sees nothing. Times the preprocessing. */
async function answersThrough(
  way: Way,
  model: tf.LayersModel,
  count: number,
  pictureAt: (i: number) => Picture,
): Promise<{ answers: number[]; meanMs: number }> {
  const pixels = new Uint8Array(count * PIXELS);
  const isBlank = new Set<number>();
  let elapsedMs = 0;
  for (let i = 0; i < count; i++) {
    const picture = pictureAt(i);
    const startedMs = performance.now();
    const seen = way(picture);
    elapsedMs += performance.now() - startedMs;
    if (seen) pixels.set(seen, i * PIXELS);
    else isBlank.add(i);
  }
  const answers = await answersOf(model, pixels);
  return {
    answers: answers.map((label, i) => (isBlank.has(i) ? -1 : label)),
    meanMs: elapsedMs / count,
  };
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`.padStart(9);

export async function run(options: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...options],
    options: {
      model: { type: 'string', default: join(ROOT, 'public/models/shipped.zip') },
      rows: { type: 'string', default: '10000' },
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
  const test = await readCsv(join(ROOT, 'public', CSV_FILES.full.test), CSV_FILES.full.test);
  const count = Math.min(Number(values.rows), test.labels.length);
  const imageAt = (i: number) => test.pixels.subarray(i * PIXELS, (i + 1) * PIXELS);
  const accuracy = (answers: readonly number[]) =>
    answers.filter((label, i) => label === test.labels[i]).length / count;

  const direct = accuracy(await answersOf(model, test.pixels.subarray(0, count * PIXELS)));
  console.log(`\nModel ${values.model}, ${count} test images\n`);
  console.log(`${'direct'.padEnd(34)}${percent(direct)}`);
  for (const rendering of RENDERINGS) {
    for (const [name, way] of [
      ['upload path', ours],
      ['grey, invert, squash', ordinary],
    ] as const) {
      const random = seededRandom(SEED);
      const { answers, meanMs } = await answersThrough(way, model, count, (i) =>
        renderOnSheet(imageAt(i), rendering, random),
      );
      const through = accuracy(answers);
      const points = `${((through - direct) * 100).toFixed(2)} points`;
      console.log(
        `${rendering.name.padEnd(34)}${percent(through)}${points.padStart(16)}  ${meanMs.toFixed(1)} ms each  ${name}`,
      );
    }
  }

  const photos = values.photos === undefined ? [] : await readPhotos(resolve(values.photos));
  const readTraining = async () => ({
    dataset: await readCsv(join(ROOT, 'public', CSV_FILES.full.train), CSV_FILES.full.train),
    name: basename(CSV_FILES.full.train),
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
  for (const [name, way] of [
    ['upload path', ours],
    ['grey, invert, squash', ordinary],
  ] as const) {
    const { answers, meanMs } = await answersThrough(way, model, photos.length, (i) => {
      const photo = photos[i];
      if (!photo) throw new RangeError(`There is no photo ${i}.`);
      return photo.picture;
    });
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
