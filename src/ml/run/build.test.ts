import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { sizeOf } from '../../network/layers.ts';
import { NETWORK_PRESETS, type NetworkPresetName } from '../../network/presets.ts';
import { isChain, type Network, resolveNetwork } from '../../network/spec.ts';
import { buildModel, modelWeights } from './build.ts';

const names = Object.keys(NETWORK_PRESETS) as NetworkPresetName[];
const networkOf = (name: NetworkPresetName): Network =>
  resolveNetwork(NETWORK_PRESETS[name].spec, 10);

beforeAll(() => tf.setBackend('cpu'));

describe.each(names)('the model of %s', (name) => {
  const network = networkOf(name);

  it('has the layers, shapes and weights that the network says', () => {
    const model = buildModel(network, { dropout: 0.3, seed: 1 });
    for (const { node, shape, params } of network.nodes) {
      const layer = model.getLayer(node.id);
      expect((layer.outputShape as number[]).slice(1)).toEqual(shape);
      expect(layer.countParams()).toBe(params);
    }
    expect(network.params).toBe(model.countParams());
    expect(model instanceof tf.Sequential).toBe(isChain(network));
    const weights = modelWeights(model, network);
    for (const { node, weights: specs } of network.nodes) {
      for (const { name: weight, shape } of specs) {
        expect(weights.get(`${node.id}/${weight}`)?.read().shape).toEqual(shape);
      }
    }
    expect([...weights.values()].reduce((sum, weight) => sum + weight.read().size, 0)).toBe(
      network.nodes
        .flatMap((placed) => placed.weights)
        .reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    );
    model.dispose();
  });

  it('takes images and gives probabilities', () => {
    const model = buildModel(network, { dropout: 0.3, seed: 1 });
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
      const model = buildModel(network, { dropout: 0, seed });
      const weights = model.getWeights().map((weight) => weight.dataSync());
      model.dispose();
      return weights;
    };
    expect(weightsOf(0)).toEqual(weightsOf(0));
    expect(weightsOf(1)).not.toEqual(weightsOf(0));
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    buildModel(network, { dropout: 0.3, seed: 1 }).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('has as many outputs as there are classes', () => {
  const model = buildModel(resolveNetwork(NETWORK_PRESETS.small.spec, 47), { dropout: 0, seed: 1 });
  expect(model.outputs.map((output) => output.shape)).toEqual([[null, 47]]);
  model.dispose();
});
