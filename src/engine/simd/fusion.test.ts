import { describe, expect, it } from 'vitest';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { INPUT, type NetworkNode, type NetworkSpec, resolveNetwork } from '../../network/spec.ts';
import { resolveRandomNetwork } from '../../network/testing/randomNetworks.ts';
import { fuseNetwork } from './fusion.ts';

const fuse = (spec: NetworkSpec, unknown: readonly string[] = []) =>
  fuseNetwork(resolveNetwork(spec, 10), (kind) => !unknown.includes(kind)).map(
    ({ placed, riderNodes, inputs }) =>
      `${[placed, ...riderNodes].map(({ node }) => node.id).join(' ')} < ${inputs.join(' ')}`,
  );

const conv = (id: string, from: string): NetworkNode => ({
  ...{ id, kind: 'conv', from: [from], filters: 4, size: 3, stride: 1, padding: 'same' },
  bias: true,
});
const end = (from: string): readonly NetworkNode[] => [
  { id: 'most', kind: 'globalMax', from: [from] },
  { id: 'logits', kind: 'dense', from: ['most'], units: 'classes', bias: true },
];

describe('fusion', () => {
  it('gathers the nodes of Residual S', () => {
    expect(fuse(NETWORK_PRESETS.residualS.spec)).toEqual([
      'conv1 pool1 < input',
      'norm1 relu1 < pool1',
      'conv2 < relu1',
      'norm2 relu2 < conv2',
      'conv3 < relu2',
      'norm3 relu3 add1 < conv3 relu2',
      'pool2 < add1',
      'conv4 < pool2',
      'norm4 relu4 < conv4',
      'conv5 < relu4',
      'norm5 relu5 add2 < conv5 relu4',
      'maximum < add2',
      'logits < maximum',
    ]);
  });

  it('takes pooling and ReLU into a convolution in either order', () => {
    expect(fuse(NETWORK_PRESETS.small.spec)).toEqual([
      'conv1 pool1 relu1 < input',
      'conv2 pool2 relu2 < relu1',
      'flatten < relu2',
      'logits < flatten',
    ]);
  });

  it('leaves apart what somebody else reads, and what has no kernels', () => {
    const nodes: readonly NetworkNode[] = [
      conv('one', INPUT),
      { id: 'relu', kind: 'activation', from: ['one'], function: 'relu' },
      { id: 'sum', kind: 'add', from: ['one', 'relu'] },
      ...end('sum'),
    ];
    const spec = { title: 'Fork', nodes };
    expect(fuse(spec).slice(0, 3)).toEqual(['one < input', 'relu < one', 'sum < one relu']);
    expect(fuse(NETWORK_PRESETS.small.spec, ['activation']).slice(0, 2)).toEqual([
      'conv1 pool1 < input',
      'relu1 < pool1',
    ]);
    expect(fuse(NETWORK_PRESETS.small.spec, ['conv']).slice(0, 2)).toEqual([
      'conv1 < input',
      'pool1 < conv1',
    ]);
  });

  it('adds only once what two normalisations would each add, after both branches', () => {
    const nodes: readonly NetworkNode[] = [
      conv('left', INPUT),
      { id: 'leftNorm', kind: 'batchNorm', from: ['left'] },
      conv('right', INPUT),
      { id: 'rightNorm', kind: 'batchNorm', from: ['right'] },
      { id: 'sum', kind: 'add', from: ['leftNorm', 'rightNorm'] },
      { id: 'relu', kind: 'activation', from: ['sum'], function: 'relu' },
      ...end('relu'),
    ];
    expect(fuse({ title: 'Two', nodes }).slice(0, 4)).toEqual([
      'left < input',
      'right < input',
      'rightNorm < right',
      'leftNorm sum relu < left rightNorm',
    ]);
  });

  it('does every node once, each after those it reads', () => {
    for (let seed = 0; seed < 200; seed++) {
      const network = resolveRandomNetwork(seed);
      const known = new Set<string>([INPUT]);
      const operations = fuseNetwork(network, () => true);
      for (const { inputs, output } of operations) {
        expect(inputs.every((input) => known.has(input))).toBe(true);
        known.add(output);
      }
      const done = operations.flatMap(({ placed, riderNodes }) => [placed, ...riderNodes]);
      expect(new Set(done)).toEqual(new Set(network.nodes));
      expect(done.length).toBe(network.nodes.length);
    }
  });
});
