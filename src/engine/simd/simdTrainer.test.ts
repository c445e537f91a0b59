import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { INPUT, type NetworkNode, resolveNetwork } from '../../network/spec.ts';
import { resolveRandomNetwork } from '../../network/testing/randomNetworks.ts';
import type { OptimizerSpec, TrainerRequest } from '../contract.ts';
import { StockTrainer } from '../stock/stockTrainer.ts';
import {
  compareSteps,
  makeBatch,
  makeRequest,
  makeWeights,
  PLAIN_SGD,
  referenceStep,
  trainerStep,
} from '../testing/gradients.ts';
import type { SimdBackend } from './backend.ts';
import { Kernels } from './kernels.ts';
import { OPERATIONS, type OperationTable } from './planOperations.ts';
import { SimdTrainer, type SimdTrainerOptions } from './simdTrainer.ts';
import { NODE_OPTIONS, registerInNode } from './testing/loadInNode.ts';

let backend: SimdBackend;
let numTensors = 0;

beforeAll(async () => {
  vi.spyOn(console, 'info').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  backend = await registerInNode();
});

beforeEach(async () => {
  await tf.setBackend('simd');
  numTensors = tf.memory().numTensors;
});

afterEach(async () => {
  await tf.setBackend('simd');
  expect(tf.memory().numTensors).toBe(numTensors);
});

function createTrainer(request: TrainerRequest, options?: SimdTrainerOptions): SimdTrainer {
  const trainer = SimdTrainer.create(request, options);
  if (!trainer) throw new Error('The CPU engine is not in charge.');
  return trainer;
}

const presets = Object.values(NETWORK_PRESETS).map(({ spec }) => resolveNetwork(spec, 10));
const [small, classic, , residualS] = presets as [
  (typeof presets)[0],
  (typeof presets)[0],
  unknown,
  (typeof presets)[0],
];

/** Largest error of a step against the plain definitions. */
async function errorOf(
  network: (typeof presets)[0],
  {
    operations,
    seed = 4,
    batchSize = 2,
  }: { operations?: OperationTable; seed?: number; batchSize?: number } = {},
) {
  const values = makeWeights(network, 3);
  const batch = makeBatch(network, batchSize, seed);
  const expected = await referenceStep(network, values, batch, { labelSmoothing: 0.1 });
  await tf.setBackend('simd');
  const request = makeRequest(network, values, { batchSize, labelSmoothing: 0.1 });
  const trainer = createTrainer(request, operations && { operations });
  const actual = await trainerStep(trainer, request, values, batch);
  const { note } = trainer;
  trainer.dispose();
  tf.dispose([...request.variables.values()]);
  expect(actual.accuracy).toBeCloseTo(expected.accuracy, 6);
  return { ...compareSteps(actual, expected), note };
}

describe('a planned step', () => {
  it.each(presets.map((network) => [network.spec.title, network] as const))(
    'of %s has the gradients of the plain definitions',
    async (_, network) => {
      const { error, at, note } = await errorOf(network);
      expect(error, at).toBeLessThan(1e-4);
      expect(note).toBeNull();
    },
  );

  it('of random networks has the gradients of the plain definitions', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const { error, at } = await errorOf(resolveRandomNetwork(seed), { seed: seed + 1 });
      expect(error, `seed ${seed}, ${at}`).toBeLessThan(1e-4);
    }
  });
});
