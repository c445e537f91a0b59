import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCsvReader } from '../../data/csv.ts';
import type { DataSpec } from '../../data/dataSpec.ts';
import { countLabels, type Dataset, selectRows, splitRows } from '../../data/dataset.ts';
import { PIXELS, SIDE } from '../../fashion.ts';
import { answerPicture } from './answer.ts';
import { calibrateModel } from './calibrate.ts';
import { evaluateModel } from './evaluate.ts';
import { predictRows } from './predict.ts';

let numTensorsBefore = 0;

beforeEach(async () => {
  await tf.setBackend('cpu');
  numTensorsBefore = tf.memory().numTensors;
});

afterEach(() => {
  expect(tf.memory().numTensors).toBe(numTensorsBefore);
});

function makeSpec(numClasses: number): DataSpec {
  const classNames = Array.from({ length: numClasses }, (_, label) => `kind ${label}`);
  return { id: 'kinds', title: 'Kinds', classNames, files: null };
}

/** Through the form of a file: class c lights row 2 c of the image, and a little of it varies. */
function readKinds(spec: DataSpec, numRows: number): Dataset {
  const reader = createCsvReader('kinds.csv', spec);
  for (let row = 0; row < numRows; row++) {
    const label = row % spec.classNames.length;
    const pixels = Array.from({ length: PIXELS }, (_, at) =>
      Math.floor(at / SIDE) === 2 * label ? 250 : (row * 7 + at * 3) % 20,
    );
    reader.push(`${[label, ...pixels].join(',')}\n`);
  }
  return reader.finish();
}

/** Adds up row 2 c of the image for class c. */
function makeJudge(numClasses: number): tf.Sequential {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [SIDE, SIDE, 1] }),
      tf.layers.dense({ units: numClasses, useBias: false, activation: 'softmax' }),
    ],
  });
  const kernel = tf.buffer([PIXELS, numClasses]);
  for (let at = 0; at < PIXELS; at++) {
    const label = Math.floor(at / SIDE) / 2;
    if (Number.isInteger(label) && label < numClasses) kernel.set(1, at, label);
  }
  const weights = kernel.toTensor();
  model.setWeights([weights]);
  weights.dispose();
  return model;
}

describe.each([3, 12])('data of %i classes', (numClasses) => {
  const spec = makeSpec(numClasses);
  const dataset = readKinds(spec, 20 * numClasses);

  it('is read, split by class and copied with its names', () => {
    expect(countLabels(dataset)).toEqual(new Array(numClasses).fill(20));
    const { train, validation } = splitRows(dataset, 0.25, 1);
    expect(countLabels(selectRows(dataset, validation))).toEqual(new Array(numClasses).fill(5));
    expect(countLabels(selectRows(dataset, train))).toEqual(new Array(numClasses).fill(15));
    expect(selectRows(dataset, train).spec).toBe(spec);
    expect(() => {
      const reader = createCsvReader('kinds.csv', spec);
      reader.push(`${[numClasses, ...new Array(PIXELS).fill(0)].join(',')}\n`);
    }).toThrow(`from 0 to ${numClasses - 1}`);
  });

  it('is evaluated class by class', async () => {
    const model = makeJudge(numClasses);
    const evaluation = await evaluateModel(model, null, dataset, 'kinds.csv');
    const probabilities = await predictRows(model, dataset, Uint32Array.of(1, 2));
    model.dispose();
    expect(probabilities).toHaveLength(2 * numClasses);
    expect(evaluation).toMatchObject({ accuracy: 1, classNames: spec.classNames });
    expect(evaluation.confusion).toHaveLength(numClasses);
    expect(evaluation.confusion.map((counts) => counts.length)).toEqual(
      new Array(numClasses).fill(numClasses),
    );
    expect(evaluation.perClass.at(-1)).toEqual({ precision: 1, recall: 1, f1: 1, support: 20 });
    expect(evaluation.reliability.bins.at(-1)?.count).toBe(20 * numClasses);
  });

  it('is calibrated, and answers for one image', async () => {
    const model = makeJudge(numClasses);
    const split = splitRows(dataset, 0.5, 1);
    const calibration = await calibrateModel({
      model,
      dataset,
      data: 'kinds.csv',
      split,
      augment: 'none',
    });
    const pixels = dataset.pixels.subarray(PIXELS, 2 * PIXELS);
    const { probabilities } = await answerPicture(model, calibration, pixels);
    model.dispose();
    expect(probabilities).toHaveLength(numClasses);
    expect(probabilities.indexOf(Math.max(...probabilities))).toBe(1);
    expect(probabilities.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
    if (numClasses === 12) expect(calibration.familiarity?.numCentres).toBe(12);
  });
});
