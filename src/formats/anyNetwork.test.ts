import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { applyNetwork } from '../engine/stock/plainNetwork.ts';
import { startWasmInNode } from '../engine/stock/wasmInNode.ts';
import { makeWeights } from '../engine/testing/gradients.ts';
import { buildModel, modelWeights } from '../ml/run/build.ts';
import { resolveRandomNetwork } from '../network/testing/randomNetworks.ts';
import { putTogether, takeApart } from './layersModel.ts';

const NUM_SEEDS = 200;

beforeAll(startWasmInNode);

/**
 * What the plain definitions answer, and the same model exported and loaded again by TensorFlow.js
 * alone and by Atelier.
 */
it(`${NUM_SEEDS} networks at random leave and answer the same elsewhere`, async () => {
  const { numTensors } = tf.memory();
  for (let seed = 0; seed < NUM_SEEDS; seed++) {
    const network = resolveRandomNetwork(seed, { hasDropout: seed % 3 === 0 });
    const model = buildModel(network, { dropout: 0.2, seed });
    const values = makeWeights(network, seed);
    tf.tidy(() => {
      for (const [key, weight] of modelWeights(model, network)) {
        weight.write(tf.tensor(values.get(key) ?? [], weight.read().shape));
      }
    });
    const weights = modelWeights(model, network);
    const x = tf.randomUniform<tf.Rank.R4>([2, 28, 28, 1], 0, 1, 'float32', seed + 1);
    const expected = tf.tidy(() => {
      const weightOf = (key: string) => weights.get(key)?.read() as tf.Tensor;
      return tf.softmax(applyNetwork(network, weightOf, x, null).logits).dataSync();
    });

    const parts = await takeApart(model);
    const stock = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: parts.topology as object,
        weightSpecs: [...parts.weightSpecs],
        weightData: parts.weights.slice().buffer,
      }),
    );
    const own = await putTogether(parts, network.numClasses);
    for (const loaded of [model, stock, own]) {
      const actual = tf.tidy(() => (loaded.predict(x) as tf.Tensor).dataSync());
      const error = Math.max(...expected.map((value, at) => Math.abs(value - (actual[at] ?? 9))));
      expect(error, `seed ${seed}`).toBeLessThan(1e-5);
      loaded.dispose();
    }
    x.dispose();
  }
  expect(tf.memory().numTensors).toBe(numTensors);
});
