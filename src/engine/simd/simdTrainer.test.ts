import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LAYERS, type LayerKind } from '../../network/layers.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { INPUT, type Network, type NetworkNode, resolveNetwork } from '../../network/spec.ts';
import { resolveRandomNetwork } from '../../network/testing/randomNetworks.ts';
import type { Batch, OptimizerSpec, OptimizerState, Trainer, TrainerRequest } from '../contract.ts';
import { StockTrainer } from '../stock/stockTrainer.ts';
import { startWasmInNode } from '../stock/wasmInNode.ts';
import {
  compareSteps,
  makeBatch,
  makeRequest,
  makeWeights,
  PLAIN_SGD,
  referenceStep,
  trainerStep,
} from '../testing/gradients.ts';
import { SimdBackend } from './backend.ts';
import { Kernels } from './kernels.ts';
import { OPERATIONS, type OperationTable } from './planOperations.ts';
import { SimdTrainer, type SimdTrainerOptions } from './simdTrainer.ts';
import { relativeError } from './testing/cases.ts';
import { NODE_OPTIONS, registerInNode } from './testing/loadInNode.ts';

let backend: SimdBackend;
let numTensors = 0;

beforeAll(async () => {
  vi.spyOn(console, 'info').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  await startWasmInNode();
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

const BATCH_SIZE = 2;

/** A step of a trainer with the weights and batch that belong to a seed. */
async function stepOf(
  network: Network,
  create: (request: TrainerRequest) => Trainer,
  { seed = 4, ...change }: Partial<TrainerRequest> & { seed?: number } = {},
) {
  const values = makeWeights(network, 3);
  const batch = makeBatch(network, BATCH_SIZE, seed);
  const request = makeRequest(network, values, { batchSize: BATCH_SIZE, ...change });
  const trainer = create(request);
  const step = await trainerStep(trainer, request, values, batch);
  trainer.dispose();
  tf.dispose([...request.variables.values()]);
  return { ...step, note: trainer.note };
}

/** The same by the plain definitions on the `cpu` backend. */
async function plainStepOf(network: Network, labelSmoothing = 0, seed = 4) {
  const values = makeWeights(network, 3);
  const batch = makeBatch(network, BATCH_SIZE, seed);
  const step = await referenceStep(network, values, batch, { labelSmoothing });
  await tf.setBackend('simd');
  return step;
}

const presets = Object.values(NETWORK_PRESETS).map(
  ({ spec }) => [spec.title, resolveNetwork(spec, 10)] as const,
);
const small = resolveNetwork(NETWORK_PRESETS.small.spec, 10);
const classic = resolveNetwork(NETWORK_PRESETS.classic.spec, 10);
const residualS = resolveNetwork(NETWORK_PRESETS.residualS.spec, 10);

/** All kinds of layers. */
const EVERY_KIND: readonly NetworkNode[] = [
  {
    ...{ id: 'conv', kind: 'conv', from: [INPUT], filters: 6, size: 5, stride: 2 },
    ...{ padding: 'valid', bias: true },
  },
  { id: 'norm', kind: 'batchNorm', from: ['conv'] },
  { id: 'relu', kind: 'activation', from: ['norm'], function: 'relu' },
  {
    ...{ id: 'depthwise', kind: 'depthwiseConv', from: ['relu'], size: 3, stride: 1 },
    ...{ padding: 'same', bias: true },
  },
  { id: 'drop', kind: 'spatialDropout', from: ['depthwise'], rate: 0 },
  { id: 'max', kind: 'maxPool', from: ['drop'], size: 2, stride: 2, padding: 'valid' },
  { id: 'mean', kind: 'averagePool', from: ['drop'], size: 2, stride: 2, padding: 'valid' },
  { id: 'sum', kind: 'add', from: ['max', 'mean'] },
  { id: 'both', kind: 'concatenate', from: ['sum', 'max'] },
  { id: 'squeeze', kind: 'globalAverage', from: ['both'] },
  { id: 'excite', kind: 'dense', from: ['squeeze'], units: 12, bias: true },
  { id: 'gate', kind: 'activation', from: ['excite'], function: 'sigmoid' },
  { id: 'scaled', kind: 'multiply', from: ['both', 'gate'] },
  { id: 'most', kind: 'globalMax', from: ['scaled'] },
  { id: 'flat', kind: 'flatten', from: ['sum'] },
  { id: 'dropped', kind: 'dropout', from: ['flat'], rate: 0 },
  { id: 'all', kind: 'concatenate', from: ['most', 'dropped'] },
  { id: 'logits', kind: 'dense', from: ['all'], units: 'classes', bias: true },
];
const everyKind = resolveNetwork({ title: 'Every kind', nodes: EVERY_KIND }, 10);

describe('a planned step', () => {
  // Through TensorFlow.js on `wasm`, which a test of its own holds to the `cpu` backend: that one
  // would take minutes.
  it.each(presets)('of %s has the gradients of the plain definitions', async (_, network) => {
    await startWasmInNode();
    const expected = await stepOf(network, (request) => new StockTrainer(request), {
      labelSmoothing: 0.1,
    });
    await tf.setBackend('simd');
    const actual = await stepOf(network, createTrainer, { labelSmoothing: 0.1 });
    const { error, at } = compareSteps(actual, expected);
    expect(error, at).toBeLessThan(1e-4);
    expect(actual.accuracy).toBeCloseTo(expected.accuracy, 6);
    expect(actual.note).toBeNull();
  });

  it('of random networks has the gradients of the plain definitions', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const network = resolveRandomNetwork(seed);
      const expected = await plainStepOf(network, 0.1, seed + 1);
      const actual = await stepOf(network, createTrainer, { labelSmoothing: 0.1, seed: seed + 1 });
      const { error, at } = compareSteps(actual, expected);
      expect(error, `seed ${seed}, ${at}`).toBeLessThan(1e-4);
      expect(actual.accuracy).toBeCloseTo(expected.accuracy, 6);
    }
  });

  it('runs kinds without kernels by their plain definitions, and says so', async () => {
    const expected = await plainStepOf(everyKind);
    expect(new Set(EVERY_KIND.map(({ kind }) => kind))).toEqual(new Set(Object.keys(LAYERS)));
    for (const kind of Object.keys(LAYERS) as LayerKind[]) {
      const { [kind]: _, ...rest } = OPERATIONS;
      const operations: OperationTable = rest;
      const actual = await stepOf(everyKind, (request) => createTrainer(request, { operations }));
      const { error, at } = compareSteps(actual, expected);
      expect(error, `without ${kind}, ${at}`).toBeLessThan(1e-4);
      expect(actual.note, kind).toMatch(/runs by its plain definition/);
    }
    const actual = await stepOf(everyKind, (request) => createTrainer(request, { operations: {} }));
    expect(compareSteps(actual, expected).error).toBeLessThan(1e-4);
  });

  it('adds up the gradients of whoever reads a node twice', async () => {
    const network = resolveNetwork(
      {
        title: 'Twice',
        nodes: [
          {
            ...{ id: 'conv', kind: 'conv', from: [INPUT], filters: 4, size: 7, stride: 2 },
            ...{ padding: 'valid', bias: false },
          },
          { id: 'norm', kind: 'batchNorm', from: ['conv'] },
          { id: 'own', kind: 'add', from: ['conv', 'norm'] },
          { id: 'relu', kind: 'activation', from: ['own'], function: 'relu' },
          { id: 'twice', kind: 'add', from: ['relu', 'relu'] },
          { id: 'square', kind: 'multiply', from: ['twice', 'twice'] },
          { id: 'pair', kind: 'concatenate', from: ['square', 'square', 'conv'] },
          { id: 'mean', kind: 'globalAverage', from: ['pair'] },
          { id: 'logits', kind: 'dense', from: ['mean'], units: 'classes', bias: true },
        ],
      },
      10,
    );
    const expected = await plainStepOf(network);
    const { error, at } = compareSteps(await stepOf(network, createTrainer), expected);
    expect(error, at).toBeLessThan(1e-4);
  });

  it.each([
    ['relu', 'same', 28],
    ['relu', 'valid', 28],
    ['silu', 'same', 27],
    ['relu', 'valid', 27],
  ] as const)(
    'takes a first convolution, %s, %s, of %i pixels with its pooling',
    async (name, padding, side) => {
      const nodes: readonly NetworkNode[] = [
        {
          id: 'less',
          kind: 'maxPool',
          from: [INPUT],
          size: 2,
          stride: 1,
          padding: side === 28 ? 'same' : 'valid',
        },
        {
          id: 'conv',
          kind: 'conv',
          from: ['less'],
          filters: 12,
          size: 3,
          stride: 1,
          padding,
          bias: true,
        },
        { id: 'pool', kind: 'maxPool', from: ['conv'], size: 2, stride: 2, padding: 'valid' },
        { id: 'act', kind: 'activation', from: ['pool'], function: name },
        { id: 'mean', kind: 'globalAverage', from: ['act'] },
        { id: 'logits', kind: 'dense', from: ['mean'], units: 'classes', bias: true },
      ];
      const network = resolveNetwork({ title: 'First', nodes }, 10);
      const expected = await plainStepOf(network);
      const { error, at } = compareSteps(await stepOf(network, createTrainer), expected);
      expect(error, at).toBeLessThan(1e-4);
    },
  );

  it('takes rows, changed and mixed, as the plain definitions do', async () => {
    const batchSize = 4;
    const values = makeWeights(small, 6);
    const { images, ...rest } = makeBatch(small, batchSize, 7);
    if (images.kind !== 'pixels') throw new Error('A batch of pixels was to be made.');
    const data = { pixels: images.pixels, numRows: batchSize };
    const batch: Batch = {
      ...rest,
      images: { kind: 'rows', rows: new Uint32Array([3, 1, 0, 2]) },
      changes: Array.from({ length: batchSize }, (_, index) => ({
        isMirrored: index % 2 === 0,
        right: index - 1,
        down: 1 - index,
        erased: index === 1 ? { left: 3, top: 4, width: 5, height: 6, fill: 200 } : null,
      })),
      mixing: {
        partners: new Uint32Array([1, 2, 3, 0]),
        shares: new Float32Array([1, 0.5, 0.75, 0.25]),
      },
    };
    const expected = await referenceStep(small, values, batch, { data });
    await tf.setBackend('simd');
    const request = makeRequest(small, values, { batchSize, data });
    const trainer = createTrainer(request);
    const actual = await trainerStep(trainer, request, values, batch);
    const { error, at } = compareSteps(actual, expected);
    expect(error, at).toBeLessThan(1e-4);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });

  it('drops units by the seed of the batch', async () => {
    const step = (seed: number, dropout: number) =>
      stepOf(classic, createTrainer, { dropout, seed }).then(({ loss }) => loss);
    expect(await step(5, 0.5)).toBe(await step(5, 0.5));
    expect(await step(5, 0.5)).not.toBe(await step(5, 0));
    expect(await step(5, 0)).toBeCloseTo((await plainStepOf(classic, 0, 5)).loss, 4);
  });

  it('learns with dropout of both kinds', async () => {
    const nodes = EVERY_KIND.map((node) =>
      node.kind === 'dropout' || node.kind === 'spatialDropout' ? { ...node, rate: 0.3 } : node,
    );
    const network = resolveNetwork({ title: 'Dropping', nodes }, 10);
    const losses = await train(network, createTrainer, ADAM, 60, { isSameBatch: true });
    expect(losses.losses.at(-1)).toBeLessThan((losses.losses[0] ?? 0) * 0.7);
  });
});

const ADAM: OptimizerSpec = {
  ...PLAIN_SGD,
  rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: null },
};
const sgd = (momentum: number, isNesterov: boolean): OptimizerSpec => ({
  ...PLAIN_SGD,
  rule: { kind: 'sgd', momentum, isNesterov },
});

/** Takes some steps; gives losses and, by key, the weights after them and what the optimizer keeps. */
async function train(
  network: Network,
  create: (request: TrainerRequest) => Trainer,
  optimizer: OptimizerSpec,
  numSteps: number,
  { restartsAt = -1, isSameBatch = false } = {},
) {
  const request = makeRequest(network, makeWeights(network, 5), {
    batchSize: BATCH_SIZE,
    optimizer,
  });
  let trainer = create(request);
  const losses: number[] = [];
  for (let step = 0; step < numSteps; step++) {
    if (step === restartsAt) {
      const optimizerState = await trainer.readOptimizerState();
      trainer.sync();
      trainer.dispose();
      trainer = create({ ...request, optimizerState });
    }
    trainer.load(makeBatch(network, BATCH_SIZE, isSameBatch ? 10 : 10 + step));
    const figures = trainer.step(0.01);
    losses.push((await figures.data())[0] as number);
    figures.dispose();
  }
  const read = () =>
    new Map([...request.variables].map(([key, variable]) => [key, variable.dataSync().slice()]));
  trainer.sync();
  const current = read();
  if (optimizer.averageDecay !== null) trainer.sync('average');
  const average = read();
  const state: OptimizerState = await trainer.readOptimizerState();
  trainer.dispose();
  tf.dispose([...request.variables.values()]);
  return { losses, current, average, state };
}

describe('an optimizer', () => {
  // Adam divides gradients by their own size: with its usual epsilon, rounding in one that is nearly
  // 0 would show in full.
  const adam: OptimizerSpec = {
    ...PLAIN_SGD,
    rule: { kind: 'adam', beta1: 0.8, beta2: 0.99, epsilon: 1e-2 },
  };
  const cases = [
    ['Adam', adam],
    [
      'Adam with decay, clipping and an average',
      { ...adam, weightDecay: 0.5, maxGradientNorm: 0.1, averageDecay: 0.9 },
    ],
    ['SGD', sgd(0, false)],
    ['SGD with momentum', sgd(0.9, false)],
    [
      'SGD with Nesterov momentum, decay and an average',
      { ...sgd(0.9, true), weightDecay: 0.5, averageDecay: 0.3 },
    ],
    ['SGD, clipped', { ...sgd(0.9, false), maxGradientNorm: 0.2 }],
    ['SGD, clipped at more than there is', { ...sgd(0.9, false), maxGradientNorm: 1e4 }],
  ] as const satisfies readonly (readonly [string, OptimizerSpec])[];

  it.each(cases)('by %s takes the steps that it takes elsewhere', async (_, optimizer) => {
    await tf.setBackend('cpu');
    const expected = await train(small, (request) => new StockTrainer(request), optimizer, 4);
    await tf.setBackend('simd');
    const actual = await train(small, createTrainer, optimizer, 4);
    const tolerance = 1e-4;
    expect(relativeError(actual.losses, expected.losses)).toBeLessThan(1e-4);
    for (const which of ['current', 'average'] as const) {
      for (const [key, values] of expected[which]) {
        expect(relativeError(actual[which].get(key) ?? [], values), key).toBeLessThan(tolerance);
      }
    }
    expect(actual.state.numSteps).toBe(4);
    for (const [key, slots] of Object.entries(expected.state.slots)) {
      for (const [slot, values] of Object.entries(slots)) {
        const error = relativeError(actual.state.slots[key]?.[slot] ?? [], values);
        expect(error, `${slot} of ${key}`).toBeLessThan(tolerance);
      }
      expect(Object.keys(actual.state.slots[key] ?? {})).toEqual(Object.keys(slots));
    }
  });

  it.each(cases)('by %s goes on from where another stopped', async (_, optimizer) => {
    const whole = await train(classic, createTrainer, optimizer, 6);
    const resumed = await train(classic, createTrainer, optimizer, 6, { restartsAt: 3 });
    expect(resumed).toEqual(whole);
  });
});

describe('a trainer', () => {
  it('refuses what it cannot do', () => {
    const request = makeRequest(small, makeWeights(small, 6), { batchSize: BATCH_SIZE });
    const trainer = createTrainer(request);
    const batch = makeBatch(small, BATCH_SIZE, 7);
    expect(() => trainer.step(1)).toThrow('No batch waits');
    expect(() => trainer.sync('average')).toThrow(RangeError);
    const rows = new Uint32Array(BATCH_SIZE);
    expect(() => trainer.load({ ...batch, images: { kind: 'rows', rows } })).toThrow('no image 0');
    expect(() => trainer.load({ ...batch, targets: batch.targets.slice(1) })).toThrow(RangeError);
    trainer.load(batch);
    trainer.load(batch);
    expect(() => trainer.load(batch)).toThrow('Two batches wait');
    trainer.dispose();
    expect(() => createTrainer({ ...request, weights: new Map() })).toThrow('conv1/kernel');
    tf.dispose([...request.variables.values()]);
  });

  it('is for the CPU engine only', async () => {
    await tf.setBackend('cpu');
    const request = makeRequest(small, makeWeights(small, 6), { batchSize: BATCH_SIZE });
    expect(SimdTrainer.create(request)).toBeNull();
    tf.dispose([...request.variables.values()]);
  });

  it('takes batches in turn, and leaves what it was given alone', async () => {
    const one = async (isAhead: boolean) => {
      const request = makeRequest(small, makeWeights(small, 6), { batchSize: BATCH_SIZE });
      const trainer = createTrainer(request);
      const losses: number[] = [];
      const batch = (index: number) => makeBatch(small, BATCH_SIZE, index);
      if (isAhead) trainer.load(batch(0));
      for (let index = 0; index < 5; index++) {
        const next = batch(isAhead ? index + 1 : index);
        trainer.load(next);
        next.targets.fill(0);
        const figures = trainer.step(0.1);
        losses.push((await figures.data())[0] as number);
        figures.dispose();
      }
      // A copy that somebody keeps of a weight is not the trainer's to change.
      trainer.sync();
      const variable = request.variables.get('conv1/kernel') as tf.Variable;
      const kept = variable.clone();
      const before = kept.dataSync().slice();
      if (!isAhead) trainer.load(batch(9));
      trainer.step(0.1).dispose();
      trainer.sync();
      expect(kept.dataSync()).toEqual(before);
      expect(variable.dataSync()).not.toEqual(before);
      kept.dispose();
      trainer.dispose();
      tf.dispose([...request.variables.values()]);
      return losses;
    };
    expect(await one(true)).toEqual(await one(false));
  });

  it('tells sound weights from others', async () => {
    const request = makeRequest(small, makeWeights(small, 6), { batchSize: BATCH_SIZE });
    const trainer = createTrainer(request);
    const batch = makeBatch(small, BATCH_SIZE, 7);
    expect(await trainer.isSound()).toBe(true);
    trainer.load(batch);
    trainer.step(Number.NaN).dispose();
    expect(await trainer.isSound()).toBe(false);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });

  it('neither grows the memory nor leaves any', async () => {
    const { kernels } = backend;
    const request = makeRequest(residualS, makeWeights(residualS, 6), {
      batchSize: BATCH_SIZE,
      optimizer: { ...ADAM, averageDecay: 0.99 },
    });
    const run = (numSteps: number) => {
      const trainer = createTrainer(request);
      const batch = makeBatch(residualS, BATCH_SIZE, 7);
      const used = new Set<number>();
      for (let step = 0; step < numSteps; step++) {
        trainer.load(batch);
        trainer.step(1e-4).dispose();
        used.add(kernels.allocator.usedBytes);
      }
      trainer.dispose();
      return used;
    };
    // The threads' scratch memory stays for the next trainer.
    run(1);
    const before = kernels.allocator.usedBytes;
    const memoryBytes = kernels.memoryBytes;
    expect(run(200).size).toBe(1);
    expect(kernels.allocator.usedBytes).toBe(before);
    expect(kernels.memoryBytes).toBe(memoryBytes);
    tf.dispose([...request.variables.values()]);
  });

  it('trains Residual M with batches of 128 in a fraction of 600 MB', () => {
    const network = resolveNetwork(NETWORK_PRESETS.residualM.spec, 10);
    const request = makeRequest(network, makeWeights(network, 6), { batchSize: 128 });
    const trainer = createTrainer(request);
    expect(trainer.plannedBytes).toBeLessThan(150e6);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });

  it('says where the time goes when asked', () => {
    const request = makeRequest(residualS, makeWeights(residualS, 6), { batchSize: BATCH_SIZE });
    const trainer = createTrainer(request, { isProfiled: true });
    trainer.load(makeBatch(residualS, BATCH_SIZE, 7));
    trainer.step(0.1).dispose();
    const times = trainer.profile();
    expect(times.map(({ id, direction }) => `${id} ${direction}`)).toEqual(
      expect.arrayContaining(['conv3 forward', 'conv3 backward', 'optimizer backward']),
    );
    expect(times.every(({ elapsedMs }, i) => elapsedMs <= (times[i - 1]?.elapsedMs ?? 1e9))).toBe(
      true,
    );
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
  });
});

describe('threads', () => {
  const started: Kernels[] = [];
  afterAll(() => {
    tf.removeBackend('threaded');
    for (const kernels of started) kernels.dispose();
  });

  it('give the same bits, however many', async () => {
    const networks = [residualS, classic, resolveRandomNetwork(3), resolveRandomNetwork(12)];
    const alone = [];
    for (const network of networks) alone.push(await train(network, createTrainer, ADAM, 3));
    const kernels = await Kernels.load({ ...NODE_OPTIONS, numThreads: 2 });
    started.push(kernels);
    tf.registerBackend('threaded', () => new SimdBackend(kernels), 0);
    await tf.setBackend('threaded');
    const together = [];
    for (const network of networks) together.push(await train(network, createTrainer, ADAM, 3));
    expect(together).toEqual(alone);
  });
});
