/** The networks that training is measured on, beside those of the app. */
import { NETWORK_PRESETS, type NetworkPresetName } from '../../src/network/presets.ts';
import { INPUT, type NetworkNode, type NetworkSpec } from '../../src/network/spec.ts';

type Unlinked<Node> = Node extends NetworkNode ? Omit<Node, 'from' | 'id'> : never;

function chain(title: string, layers: readonly Unlinked<NetworkNode>[]): NetworkSpec {
  const idOf = (index: number) => (index < 0 ? INPUT : `node${index + 1}`);
  return {
    title,
    nodes: layers.map(
      (layer, index) => ({ ...layer, id: idOf(index), from: [idOf(index - 1)] }) as NetworkNode,
    ),
  };
}

const conv = (filters: number, { bias = true } = {}) =>
  ({ kind: 'conv', filters, size: 3, stride: 1, padding: 'valid', bias }) as const;
const relu = { kind: 'activation', function: 'relu' } as const;
const pool = { kind: 'maxPool', size: 2, stride: 2, padding: 'valid' } as const;
const classes = { kind: 'dense', units: 'classes', bias: true } as const;
const head = [
  { kind: 'flatten' },
  { kind: 'dense', units: 128, bias: true },
  relu,
  classes,
] as const;
const normalized = (filters: number) =>
  [conv(filters, { bias: false }), { kind: 'batchNorm' }, relu, pool] as const;

const presets = Object.fromEntries(
  Object.values(NETWORK_PRESETS).map(({ name, spec }) => [name, spec]),
) as Record<NetworkPresetName, NetworkSpec>;

export const MEASURED = {
  /** The net of the published comparisons: 15.8 MFLOP an image, forward and backward. */
  S: chain('Net S', [conv(32), relu, pool, conv(64), relu, pool, ...head]),
  /** The same with batch normalisation. */
  SBatchNorm: chain('Net S, normalised', [...normalized(32), ...normalized(64), ...head]),
  /** So little to compute that handing over the batches shows. */
  tiny: chain('Tiny', [conv(4), relu, pool, pool, { kind: 'flatten' }, classes]),
  ...presets,
};

export type MeasuredName = keyof typeof MEASURED;
