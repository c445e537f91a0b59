import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.ts';
import { FASHION_MNIST, PIXELS } from '../fashion.ts';
import { exportZip } from '../formats/zip.ts';
import { predictRows } from '../ml/run/predict.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { HeldModel } from './heldModel.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const card: ModelCard = {
  id: 'held',
  name: 'Held',
  createdAt: '2026-01-01T00:00:00.000Z',
  origin: 'trained',
  network: NETWORK_PRESETS.small.spec,
  numParams: 7850,
  recipe: DEFAULT_RECIPE,
  dataSpec: FASHION_MNIST,
  data: null,
  history: [],
  test: null,
  trainedOn: 'cpu',
  calibration: null,
};

const makeModel = () =>
  tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [28, 28, 1] }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });

/** Enough for three batches. */
const NUM_ROWS = 450;
const dataset: Dataset = {
  pixels: new Uint8Array(NUM_ROWS * PIXELS).fill(100),
  labels: new Uint8Array(NUM_ROWS),
  spec: FASHION_MNIST,
};
const rows = Uint32Array.from({ length: NUM_ROWS }, (_, row) => row);

describe('a held model', () => {
  it('outlasts a prediction between whose batches another takes its place', async () => {
    const { numTensors } = tf.memory();
    const held = new HeldModel(makeModel(), card);
    let numBatches = 0;
    const probabilities = await held.use((model) =>
      predictRows(model, dataset, rows, () => {
        numBatches++;
        held.release();
      }),
    );
    expect(numBatches).toBe(3);
    expect(probabilities.at(-1)).toBeGreaterThan(0);
    expect(tf.memory().numTensors).toBe(numTensors);
    await expect(held.use(async () => {})).rejects.toThrow('not in memory');
  });

  it('outlasts an export, and work that fails lets go as well', async () => {
    const { numTensors } = tf.memory();
    const held = new HeldModel(makeModel(), card);
    const exporting = held.use((model) => exportZip(model, held.card));
    const failing = held.use(async () => {
      throw new Error('It failed.');
    });
    held.release();
    held.release();
    await expect(failing).rejects.toThrow('It failed.');
    expect((await exporting).length).toBeGreaterThan(7850 * 4);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
