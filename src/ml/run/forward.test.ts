import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startWasmInNode } from '../../engine/stock/wasmInNode.ts';
import { NETWORKS, type NetworkName } from '../spec/network.ts';
import { buildModel } from './build.ts';
import { applyInTraining, crossEntropy } from './forward.ts';

const names = Object.keys(NETWORKS) as NetworkName[];
const noRandom = () => 0.5;

/** Largest difference, relative to the largest value. */
function relativeError(actual: tf.Tensor, expected: tf.Tensor): number {
  return tf.tidy(() =>
    tf.div(tf.max(tf.abs(tf.sub(actual, expected))), tf.max(tf.abs(expected))).arraySync(),
  ) as number;
}

describe.each(['cpu', 'wasm'])('on %s', (backend) => {
  let numTensors = 0;

  beforeEach(async () => {
    if (backend === 'wasm') await startWasmInNode();
    await tf.setBackend(backend);
    numTensors = tf.memory().numTensors;
  });

  afterEach(() => {
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it.each(names)('the %s network trains as its tf.layers model would', (name) => {
    const model = buildModel(name, { dropout: 0, seed: 3 });
    tf.tidy(() => {
      const x = tf.randomUniform<tf.Rank.R4>([2, 28, 28, 1], 0, 1, 'float32', 4);
      const truth = tf.oneHot(tf.tensor1d([7, 3], 'int32'), 10).toFloat() as tf.Tensor2D;
      const weights = model.trainableWeights.map((weight) => weight.read());

      // Up to the softmax, through tf.layers and TensorFlow.js's own gradients.
      const applyLayers = () =>
        model.layers
          .slice(0, -1)
          .reduce<tf.Tensor>(
            (value, layer) => layer.apply(value, { training: true }) as tf.Tensor,
            x,
          );
      const expected = tf.valueAndGrads((..._: tf.Tensor[]) =>
        tf.losses.softmaxCrossEntropy(truth, applyLayers()),
      )(weights);
      const actual = tf.valueAndGrads((...values: tf.Tensor[]) =>
        crossEntropy(applyInTraining(NETWORKS[name].layers, values, x, 0, noRandom).logits, truth),
      )(weights);

      expect(relativeError(actual.value, expected.value)).toBeLessThan(1e-5);
      expect(actual.grads.length).toBe(weights.length);
      actual.grads.forEach((gradient, index) => {
        expect(relativeError(gradient, expected.grads[index] as tf.Tensor)).toBeLessThan(1e-4);
      });
    });
    model.dispose();
  });

  it('observes mean and variance of the batch', () => {
    tf.tidy(() => {
      const { layers } = NETWORKS.deep;
      const model = buildModel('deep', { dropout: 0, seed: 3 });
      const x = tf.randomUniform<tf.Rank.R4>([2, 28, 28, 1], 0, 1, 'float32', 5);
      const weights = model.trainableWeights.map((weight) => weight.read());
      const { moments } = applyInTraining(layers, weights, x, 0, noRandom);
      expect(moments.length * 2).toBe(model.nonTrainableWeights.length);
      const [convolution, pooling] = model.layers;
      const normalized = pooling?.apply(convolution?.apply(x) ?? []) as tf.Tensor;
      const expected = tf.moments(normalized, [0, 1, 2]);
      const first = moments[0];
      expect(first && relativeError(first.mean, expected.mean)).toBeLessThan(1e-5);
      expect(first && relativeError(first.variance, expected.variance)).toBeLessThan(1e-5);
      model.dispose();
    });
  });

  it('drops the given share of units and scales the others up', () => {
    tf.tidy(() => {
      const layers = [{ kind: 'flatten' }, { kind: 'dropout' }] as const;
      const x = tf.ones<tf.Rank.R4>([2, 28, 28, 1]);
      const sequence = [0.1, 0.3, 0.9, 0.2];
      let draws = 0;
      const random = () => sequence[draws++ % 4] as number;
      const { logits } = applyInTraining(layers, [], x, 0.25, random);
      expect([...logits.dataSync().subarray(0, 4)]).toEqual([0, 4 / 3, 4 / 3, 0].map(Math.fround));
    });
  });
});

describe('cross-entropy', () => {
  it('does not overflow', () => {
    tf.tidy(() => {
      const logits = tf.tensor2d([[1000, -1000]]);
      const { value, grad } = tf.valueAndGrad((scores) =>
        crossEntropy(scores as tf.Tensor2D, tf.tensor2d([[0, 1]])),
      )(logits);
      expect(value.dataSync()[0]).toBeCloseTo(2000);
      expect([...grad.dataSync()]).toEqual([1, -1]);
    });
  });
});
