import { describe, expect, it } from 'vitest';
import { NETWORK_PRESETS } from '../src/network/presets.ts';
import { INPUT, type NetworkSpec } from '../src/network/spec.ts';
import { toLayerList } from './earlierVersion.ts';

const conv = (filters: number, activation: 'relu' | 'linear') =>
  ({ kind: 'conv', filters, kernel: 3, padding: 'same', activation }) as const;
const pooled = (filters: number) => [
  conv(filters, 'linear'),
  { kind: 'maxPool' },
  { kind: 'batchNorm' },
  { kind: 'relu' },
];
const logits = { kind: 'dense', units: 10, activation: 'linear' };

describe('a network as a list of layers', () => {
  it('is what versions with lists had under that name', () => {
    expect(toLayerList(NETWORK_PRESETS.small.spec)).toEqual([
      conv(8, 'relu'),
      { kind: 'maxPool' },
      conv(16, 'relu'),
      { kind: 'maxPool' },
      { kind: 'flatten' },
      logits,
    ]);
    expect(toLayerList(NETWORK_PRESETS.classic.spec)).toEqual([
      ...pooled(24),
      ...pooled(48),
      { kind: 'flatten' },
      { kind: 'dropout' },
      { kind: 'dense', units: 64, activation: 'relu' },
      { kind: 'dropout' },
      logits,
    ]);
    expect(toLayerList(NETWORK_PRESETS.deep.spec)).toEqual([
      ...pooled(32),
      conv(64, 'linear'),
      { kind: 'batchNorm' },
      { kind: 'relu' },
      ...pooled(64),
      ...pooled(128),
      { kind: 'globalAveragePool' },
      { kind: 'dropout' },
      logits,
    ]);
  });

  it('is none where the network forks or has what lists lack', () => {
    expect(toLayerList(NETWORK_PRESETS.residualS.spec)).toBeNull();
    const strided: NetworkSpec = {
      title: 'Strided',
      nodes: [
        {
          ...{ id: 'conv', kind: 'conv', from: [INPUT], filters: 8, size: 3, stride: 2 },
          ...{ padding: 'same', bias: true },
        },
        { id: 'flatten', kind: 'flatten', from: ['conv'] },
        { id: 'logits', kind: 'dense', from: ['flatten'], units: 'classes', bias: true },
      ],
    };
    expect(toLayerList(strided)).toBeNull();
  });
});
