import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Dataset, splitRows } from '../../data/dataset.ts';
import { FASHION_MNIST, PIXELS } from '../../fashion.ts';
import { createRandom } from '../../random.ts';
import { augmentBatch } from '../spec/augment.ts';
import { measureReliability } from '../spec/calibration.ts';
import { answerPicture } from './answer.ts';
import { calibrateModel } from './calibrate.ts';
import { evaluateModel } from './evaluate.ts';
import { predictPicture } from './predict.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Each class lights a band of rows of its own, in noise. */
function makeBands(numRows: number, seed: number): Dataset {
  const random = createRandom(seed);
  const labels = Uint8Array.from({ length: numRows }, (_, row) => row % 10);
  const pixels = new Uint8Array(numRows * PIXELS);
  labels.forEach((label, row) => {
    for (let i = 0; i < PIXELS; i++) {
      const isLit = Math.floor(i / (PIXELS / 10)) === label;
      pixels[row * PIXELS + i] = random() * 120 + (isLit ? 60 : 0);
    }
  });
  return { pixels, labels, spec: FASHION_MNIST };
}

/** Weighs up the bands; `boast` makes it surer than it has reason to be. */
function makeJudge(boast: number, withHead = true): tf.Sequential {
  const features = tf.layers.averagePooling2d({ inputShape: [28, 28, 1], poolSize: [2, 28] });
  const kernel = tf.tidy(() =>
    tf.tensor2d(
      Float32Array.from({ length: 140 }, (_, i) => {
        const band = Math.floor((Math.floor(i / 10) * 2 * 28 + 28) / (PIXELS / 10));
        return band === i % 10 ? boast : 0;
      }),
      [14, 10],
    ),
  );
  const head = tf.layers.dense({
    units: 10,
    useBias: false,
    weights: [kernel],
  });
  // A rectifier in between: what the dense layer gives is then not what softmax gets.
  const between = withHead ? [] : [tf.layers.reLU()];
  return tf.sequential({
    layers: [features, tf.layers.flatten(), head, ...between, tf.layers.softmax()],
  });
}

const dataset = makeBands(2000, 1);
const split = splitRows(dataset, 0.2, 5);

describe('calibrateModel', () => {
  it('makes a boaster honest, knows what is unlike the data, and keeps no tensor', async () => {
    const model = makeJudge(60);
    await calibrateModel({ model, dataset, data: 'bands.csv', split, augment: 'none' });
    const before = tf.memory().numTensors;
    const seen: number[] = [];
    const calibration = await calibrateModel(
      { model, dataset, data: 'bands.csv', split, augment: 'none' },
      (done) => seen.push(done),
    );
    expect(calibration).toMatchObject({ data: 'bands.csv', numRows: 400 });
    expect(calibration.temperature).toBeGreaterThan(1.2);
    expect(seen.at(-1)).toBe(2000);

    const test = makeBands(1000, 9);
    const { reliability, calibrated } = await evaluateModel(model, calibration, test, 'test.csv');
    expect(calibrated?.reliability.error).toBeLessThan(reliability.error / 2);
    expect(calibrated?.numRefused).toBeGreaterThan(20);
    expect(calibrated?.numRefused).toBeLessThan(90);

    const garment = await answerPicture(model, calibration, test.pixels.subarray(0, PIXELS));
    expect(garment.remoteness).toBeLessThan(1.3);
    const stripes = Uint8Array.from({ length: PIXELS }, (_, i) => (i % 112 < 56 ? 250 : 0));
    expect((await answerPicture(model, calibration, stripes)).remoteness).toBeGreaterThan(2);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('finds varied pictures less strange where the model was trained on such', async () => {
    const model = makeJudge(60);
    const varied = dataset.pixels.slice(0, 200 * PIXELS);
    augmentBatch(varied, 200, 'photos', createRandom(3));
    const numDeclined = async (augment: 'none' | 'photos') => {
      const calibration = await calibrateModel({
        model,
        dataset,
        data: 'bands.csv',
        split,
        augment,
      });
      let count = 0;
      for (let at = 0; at < varied.length; at += PIXELS) {
        const pixels = varied.subarray(at, at + PIXELS);
        const { remoteness } = await answerPicture(model, calibration, pixels);
        if (remoteness !== null && remoteness > 1) count += 1;
      }
      return count;
    };
    const strange = await numDeclined('none');
    expect(strange).toBeGreaterThan(40);
    expect(await numDeclined('photos')).toBeLessThan(strange / 2);
    model.dispose();
  });

  it('calibrates a network without a head to look behind, and claims no more', async () => {
    const model = makeJudge(60, false);
    const calibration = await calibrateModel({
      model,
      dataset,
      data: 'bands.csv',
      split,
      augment: 'none',
    });
    expect(calibration.familiarity).toBeNull();
    expect(calibration.temperature).toBeGreaterThan(1.2);
    const pixels = dataset.pixels.subarray(0, PIXELS);
    const { probabilities, remoteness } = await answerPicture(model, calibration, pixels);
    expect(remoteness).toBeNull();
    const asGiven = await predictPicture(model, pixels);
    expect(Math.max(...probabilities)).toBeLessThan(Math.max(...asGiven));
    const { calibrated } = await evaluateModel(model, calibration, dataset, 'bands.csv');
    expect(calibrated?.numRefused).toBeNull();
    model.dispose();
  });

  it('changes no answer of a model that has no calibration', async () => {
    const model = makeJudge(60);
    const pixels = dataset.pixels.subarray(0, PIXELS);
    const { probabilities, remoteness } = await answerPicture(model, null, pixels);
    expect(remoteness).toBeNull();
    const asGiven = await predictPicture(model, pixels);
    asGiven.forEach((share, label) => {
      expect(probabilities[label]).toBeCloseTo(share, 6);
    });
    const evaluation = await evaluateModel(model, null, dataset, 'bands.csv');
    expect(evaluation.calibrated).toBeNull();
    expect(evaluation.reliability.bins).toHaveLength(
      measureReliability(new Float32Array(0), new Uint8Array(0)).bins.length,
    );
    model.dispose();
  });
});
