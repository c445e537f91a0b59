import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { findNetworkPreset, NETWORK_PRESETS } from './presets.ts';
import {
  findFaults,
  INPUT,
  isChain,
  MAX_NODES,
  type NetworkNode,
  type NetworkSpec,
  NetworkSpecSchema,
  resolveNetwork,
  weightKeys,
} from './spec.ts';

const conv = (id: string, from: string, change: object = {}): NetworkNode =>
  ({
    id,
    kind: 'conv',
    from: [from],
    filters: 8,
    size: 3,
    stride: 1,
    padding: 'same',
    bias: true,
    ...change,
  }) as NetworkNode;
const average = (from: string): NetworkNode => ({
  id: 'average',
  kind: 'globalAverage',
  from: [from],
});
const logits = (from: string): NetworkNode => ({
  id: 'logits',
  kind: 'dense',
  from: [from],
  units: 'classes',
  bias: true,
});
const network = (...nodes: NetworkNode[]): NetworkSpec => ({ title: 'Test', nodes });
const messages = (spec: NetworkSpec) => findFaults(spec, 10).map(({ message }) => message);

describe('a preset', () => {
  it.each(Object.values(NETWORK_PRESETS))('$name holds together and survives JSON', (preset) => {
    const parsed = v.parse(NetworkSpecSchema, JSON.parse(JSON.stringify(preset.spec)));
    expect(parsed).toEqual(preset.spec);
    expect(findNetworkPreset(parsed)?.name).toBe(preset.name);
    expect(findFaults(preset.spec, 10)).toEqual([]);
    expect(findFaults(preset.spec, 47)).toEqual([]);
  });

  it('counts parameters and multiply-adds', () => {
    const { params, multiplyAdds, nodes } = resolveNetwork(NETWORK_PRESETS.residualS.spec, 10);
    expect(params).toBe(279_722);
    expect(Math.round(multiplyAdds / 1e6)).toBe(22);
    const [first] = nodes;
    expect(first?.multiplyAdds).toBe(28 * 28 * 3 * 3 * 1 * 32);
    expect(isChain(resolveNetwork(NETWORK_PRESETS.deep.spec, 10))).toBe(true);
    expect(isChain(resolveNetwork(NETWORK_PRESETS.residualS.spec, 10))).toBe(false);
  });
});

describe('a network', () => {
  it('may list its nodes in any order', () => {
    const nodes = NETWORK_PRESETS.residualS.spec.nodes.toReversed();
    const resolved = resolveNetwork({ title: 'Reversed', nodes }, 10);
    const seen = new Set([INPUT]);
    for (const { node } of resolved.nodes) {
      expect(node.from.every((id) => seen.has(id))).toBe(true);
      seen.add(node.id);
    }
    expect(resolved.output).toBe('logits');
  });

  it('lets decay act on kernels alone', () => {
    const { trainable, statistics, decaying } = weightKeys(
      resolveNetwork(NETWORK_PRESETS.classic.spec, 10),
    );
    expect([...decaying]).toEqual([
      'conv1/kernel',
      'conv2/kernel',
      'hidden/kernel',
      'logits/kernel',
    ]);
    expect(trainable).toContain('norm1/gamma');
    expect(statistics).toEqual([
      'norm1/moving_mean',
      'norm1/moving_variance',
      'norm2/moving_mean',
      'norm2/moving_variance',
    ]);
  });
});

describe('a refusal names the node and says why', () => {
  it('where shapes differ at an addition', () => {
    const add: NetworkNode = { id: 'add3', kind: 'add', from: ['a', 'b'] };
    const spec = network(
      conv('a', INPUT, { filters: 64 }),
      conv('b', 'a', { filters: 128, stride: 2 }),
      add,
      average('add3'),
      logits('average'),
    );
    expect(messages(spec)).toEqual(['add3 adds 28×28×64 and 14×14×128: they must be alike.']);
  });

  it.each([
    ['a circle', network(conv('a', 'b'), conv('b', 'a')), 'a, b read one another in a circle'],
    ['an unknown source', network(conv('a', 'nowhere')), 'a reads nowhere, which does not exist'],
    ['two of one name', network(conv('a', INPUT), conv('a', INPUT)), 'Two nodes are called a'],
    ['two ends', network(conv('a', INPUT), conv('b', INPUT)), 'Nothing reads a, b'],
    [
      'an output of another size',
      network(conv('a', INPUT), average('a')),
      'average is the output and gives 8: it must give one number for each of the 10 classes',
    ],
    [
      'a dense layer on an image',
      network(conv('a', INPUT), logits('a')),
      'logits is given 28×28×8: put a flatten',
    ],
    [
      'a convolution of a vector',
      network(average(INPUT), conv('a', 'average')),
      'a is given 1, which has no height and width',
    ],
    [
      'windows that do not fit',
      network(
        conv('a', INPUT, { size: 7, stride: 2, padding: 'valid' }),
        conv('b', 'a', { size: 7, stride: 2, padding: 'valid' }),
        conv('c', 'b', { size: 5, padding: 'valid' }),
      ),
      'c looks through 5×5 windows at 3×3',
    ],
    [
      'one input too few',
      network(conv('a', INPUT), { id: 'add', kind: 'add', from: ['a'] }),
      'add reads 1 nodes, and add takes 2 to 8',
    ],
    [
      'too many parameters',
      network(
        { id: 'flat', kind: 'flatten', from: [INPUT] },
        { id: 'a', kind: 'dense', from: ['flat'], units: 4096, bias: true },
        { id: 'b', kind: 'dense', from: ['a'], units: 4096, bias: true },
        logits('b'),
      ),
      '20,000,000 is the most; b alone has',
    ],
    [
      'too much work',
      network(
        conv('a', INPUT, { filters: 512 }),
        conv('b', 'a', { filters: 512 }),
        average('b'),
        logits('average'),
      ),
      '1000 million is the most; b takes the most',
    ],
  ])('where there is %s', (_, spec, words) => {
    expect(messages(spec).join(' ')).toContain(words);
  });

  it('for all faults at once', () => {
    const add = (id: string): NetworkNode => ({ id, kind: 'add', from: ['a', 'b'] });
    const spec = network(
      conv('a', INPUT),
      conv('b', INPUT, { filters: 9 }),
      add('add1'),
      add('add2'),
    );
    expect(findFaults(spec, 10).map(({ id }) => id)).toEqual(['add1', 'add2']);
  });
});

describe('the schema', () => {
  const parse = (spec: unknown) => v.safeParse(NetworkSpecSchema, spec).success;

  it('takes known kinds with their fields alone', () => {
    expect(parse(network(conv('a', INPUT)))).toBe(true);
    expect(parse(network(conv('a', INPUT, { size: 4 })))).toBe(false);
    expect(parse(network(conv('a', INPUT, { dilation: 2 })))).toBe(false);
    expect(parse(network(conv('a', INPUT, { kind: 'lambda' })))).toBe(false);
    expect(parse(network(conv('a b', INPUT)))).toBe(false);
    expect(parse(network())).toBe(false);
    const many = Array.from({ length: MAX_NODES + 1 }, (_, index) => conv(`c${index}`, INPUT));
    expect(parse(network(...many))).toBe(false);
  });
});
