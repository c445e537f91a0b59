import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { FASHION_MNIST, PIXELS } from '../../fashion.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { resolveNetwork } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import { buildModel } from './build.ts';
import { createNeighbourhood } from './neighbours.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** 140 rows of noise, of classes 0 and 1 in turn: 70 each, i.e. more than a batch. */
function noise(): Dataset {
  const random = createRandom(5);
  return {
    pixels: Uint8Array.from({ length: 140 * PIXELS }, () => 255 * random()),
    labels: Uint8Array.from({ length: 140 }, (_, row) => row % 2),
    spec: FASHION_MNIST,
  };
}

const rowOf = ({ pixels }: Dataset, row: number) => pixels.slice(row * PIXELS, (row + 1) * PIXELS);
const always = () => true;

describe('createNeighbourhood', () => {
  it('finds a row itself first, then others of its class only, and keeps no tensor', async () => {
    const model = buildModel(resolveNetwork(NETWORK_PRESETS.small.spec, 10), {
      dropout: 0,
      seed: 3,
    });
    const dataset = noise();
    const before = tf.memory().numTensors;
    const { nearest } = createNeighbourhood(model, dataset);
    // In the second batch.
    const found = await nearest(rowOf(dataset, 137), 1, 5, always);
    expect(found?.numCompared).toBe(70);
    expect(found?.rows).toHaveLength(5);
    expect(found?.rows[0]).toBe(137);
    expect([...(found?.rows ?? [])].every((row) => row % 2 === 1)).toBe(true);
    expect(new Set(found?.rows).size).toBe(5);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('takes the same garment in another light for alike', async () => {
    const model = buildModel(resolveNetwork(NETWORK_PRESETS.small.spec, 10), {
      dropout: 0,
      seed: 3,
    });
    const dataset = noise();
    const dim = rowOf(dataset, 21).map((pixel) => pixel / 2);
    const found = await createNeighbourhood(model, dataset).nearest(dim, 1, 1, always);
    expect([...(found?.rows ?? [])]).toEqual([21]);
    model.dispose();
  });

  it('stops between batches when it is not wanted any more, and goes on from there', async () => {
    const model = buildModel(resolveNetwork(NETWORK_PRESETS.small.spec, 10), {
      dropout: 0,
      seed: 3,
    });
    const dataset = noise();
    const { nearest } = createNeighbourhood(model, dataset);
    let numAsked = 0;
    // No longer wanted once the first batch is done.
    const isWanted = () => ++numAsked < 3;
    expect(await nearest(rowOf(dataset, 3), 1, 5, isWanted)).toBeNull();
    expect(numAsked).toBe(3);
    numAsked = 0;
    const goesOn = () => ++numAsked > 0;
    expect((await nearest(rowOf(dataset, 3), 1, 5, goesOn))?.rows[0]).toBe(3);
    // The picture, and twice for the one batch that was left.
    expect(numAsked).toBe(3);
    model.dispose();
  });

  it('answers with nothing for a class that is not in the data', async () => {
    const model = buildModel(resolveNetwork(NETWORK_PRESETS.small.spec, 10), {
      dropout: 0,
      seed: 3,
    });
    const dataset = noise();
    const found = await createNeighbourhood(model, dataset).nearest(
      rowOf(dataset, 0),
      9,
      5,
      always,
    );
    expect(found).toEqual({ rows: new Uint32Array(0), numCompared: 0 });
    model.dispose();
  });
});
