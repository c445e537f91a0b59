import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildModel } from '../run/build.ts';
import { describeNetwork, NETWORKS, type NetworkName } from './network.ts';

const names = Object.keys(NETWORKS) as NetworkName[];

beforeAll(() => tf.setBackend('cpu'));

describe.each(names)('the %s network', (name) => {
  it('is what its table says', () => {
    const model = buildModel(name, { dropout: 0.3, seed: 1 });
    const { rows, params } = describeNetwork(name);
    expect(rows.map((row) => row.outputShape)).toEqual(
      model.layers.map((layer) => (layer.outputShape as number[]).slice(1)),
    );
    expect(rows.map((row) => row.params)).toEqual(model.layers.map((layer) => layer.countParams()));
    expect(params).toBe(model.countParams());
    model.dispose();
  });

  it('takes pictures and gives probabilities', () => {
    const model = buildModel(name, { dropout: 0.3, seed: 1 });
    expect(model.inputs.map((input) => input.shape)).toEqual([[null, 28, 28, 1]]);
    expect(model.outputs.map((output) => output.shape)).toEqual([[null, 10]]);
    const sums = tf.tidy(() =>
      (model.predict(tf.randomUniform([2, 28, 28, 1])) as tf.Tensor).sum(1).dataSync(),
    );
    for (const sum of sums) expect(sum).toBeCloseTo(1, 5);
    model.dispose();
  });

  it('starts from weights that follow from the seed', () => {
    const weightsOf = (seed: number) => {
      const model = buildModel(name, { dropout: 0, seed });
      const weights = model.getWeights().map((weight) => weight.dataSync());
      model.dispose();
      return weights;
    };
    expect(weightsOf(0)).toEqual(weightsOf(0));
    expect(weightsOf(1)).not.toEqual(weightsOf(0));
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    buildModel(name, { dropout: 0.3, seed: 1 }).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('counts the multiply-adds of a convolution and a dense layer', () => {
  const { rows } = describeNetwork('small');
  expect(rows[0]?.multiplyAdds).toBe(28 * 28 * 3 * 3 * 1 * 8);
  expect(rows[5]?.multiplyAdds).toBe(7 * 7 * 16 * 10);
});
