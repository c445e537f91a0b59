import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { PIXELS } from '../../fashion.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { resolveNetwork } from '../../network/spec.ts';
import { buildModel } from './build.ts';
import { examine } from './features.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('examine', () => {
  it('gives features and logits whose softmax is the answer, and keeps no tensor', async () => {
    const model = buildModel(resolveNetwork(NETWORK_PRESETS.small.spec, 10), {
      dropout: 0.25,
      seed: 3,
    });
    const pixels = Float32Array.from({ length: 2 * PIXELS }, (_, i) => ((i * 7) % 256) / 255);
    await examine(model, pixels);
    const before = tf.memory().numTensors;
    const insight = await examine(model, pixels);
    expect(tf.memory().numTensors).toBe(before);
    if (!insight) throw new Error('The network ends in a dense layer.');
    expect(insight.features).toHaveLength(2 * insight.numFeatures);
    const answers = tf.tidy(() => {
      const own = tf.softmax(tf.tensor2d(insight.logits, [2, 10])).dataSync();
      const output = model.predictOnBatch(tf.tensor4d(pixels, [2, 28, 28, 1])) as tf.Tensor;
      return { own, whole: output.dataSync() };
    });
    answers.whole.forEach((probability, i) => {
      expect(answers.own[i]).toBeCloseTo(probability, 5);
    });
    model.dispose();
    expect(tf.memory().numTensors).toBe(0);
  });

  it('has nothing to say of a network without a dense layer', async () => {
    const model = tf.sequential({ layers: [tf.layers.flatten({ inputShape: [28, 28, 1] })] });
    expect(await examine(model, new Float32Array(PIXELS))).toBeNull();
    model.dispose();
  });
});
