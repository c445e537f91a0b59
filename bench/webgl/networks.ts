/**
 * Owns the networks that training is measured on, beside those of the app.
 */
import { type LayerSpec, NETWORKS } from '../../src/ml/spec/network.ts';

const conv = (filters: number, activation: 'relu' | 'linear'): LayerSpec => ({
  kind: 'conv',
  filters,
  kernel: 3,
  padding: 'valid',
  activation,
});
const head: readonly LayerSpec[] = [
  { kind: 'flatten' },
  { kind: 'dense', units: 128, activation: 'relu' },
  { kind: 'dense', units: 10, activation: 'linear' },
];
const pool: LayerSpec = { kind: 'maxPool' };
const normalized = (filters: number): readonly LayerSpec[] => [
  conv(filters, 'linear'),
  { kind: 'batchNorm' },
  { kind: 'relu' },
  pool,
];

export const MEASURED = {
  /** The net of the published comparisons: 15.8 MFLOP a picture, forward and backward. */
  S: [conv(32, 'relu'), pool, conv(64, 'relu'), pool, ...head],
  /** The same with batch normalisation. */
  SBatchNorm: [...normalized(32), ...normalized(64), ...head],
  /** So little to compute that handing over the batches shows. */
  tiny: [
    conv(4, 'relu'),
    pool,
    pool,
    { kind: 'flatten' },
    { kind: 'dense', units: 10, activation: 'linear' },
  ],
  small: NETWORKS.small.layers,
  classic: NETWORKS.classic.layers,
  deep: NETWORKS.deep.layers,
} satisfies Record<string, readonly LayerSpec[]>;

export type MeasuredName = keyof typeof MEASURED;
