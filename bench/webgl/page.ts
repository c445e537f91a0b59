/**
 * What is measured inside the page: training by TensorFlow.js as it comes and by our shaders, in one
 * WebGL context, and both beside the `cpu` backend. Figures go back; tables are Node's.
 */
import * as tf from '@tensorflow/tfjs';
import type {
  Batch,
  OptimizerSpec,
  Trainer,
  TrainerRequest,
  TrainingData,
} from '../../src/engine/contract.ts';
import { StockTrainer } from '../../src/engine/stock/stockTrainer.ts';
import {
  compareSteps,
  makeBatch,
  makeRequest,
  makeWeights,
  referenceStep,
  type Step,
  trainerStep,
  type Values,
} from '../../src/engine/testing/gradients.ts';
import { createWebGLTrainer } from '../../src/engine/webgl/createWebGLTrainer.ts';
import { Device } from '../../src/engine/webgl/device.ts';
import {
  isRemoved,
  KERNEL_NAMES,
  type KernelName,
  REPLACEMENT_NAMES,
  type ReplacementName,
  removeReplacements,
} from '../../src/engine/webgl/replacements.ts';
import {
  registerWebGLKernels,
  restoreStockKernels,
  type Standing,
} from '../../src/engine/webgl/tensorKernels.ts';
import { WebGLTrainer } from '../../src/engine/webgl/webglTrainer.ts';
import { PIXELS, SIDE } from '../../src/fashion.ts';
import { buildModel } from '../../src/ml/run/build.ts';
import type { LayerKind } from '../../src/network/layers.ts';
import { type Network, type NetworkSpec, resolveNetwork } from '../../src/network/spec.ts';
import { makeRandomNetwork } from '../../src/network/testing/randomNetworks.ts';
import { MEASURED, type MeasuredName } from './networks.ts';

export type Who = 'stock' | 'ours';

/** How our step gets its batches: gathered on the device, uploaded when needed, or ahead of that. */
export type DataWay = 'slabs' | 'upload' | 'uploadAhead';

const NUM_CLASSES = 10;
const LEARNING_RATE = 1e-3;
/** Images that fill more than a layer of the data's texture. */
const LARGE_ENOUGH = 5_600;
const ADAM: OptimizerSpec = {
  rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: null },
  weightDecay: 0,
  maxGradientNorm: null,
  averageDecay: null,
};

let numDraws = 0;

function webgl(): tf.MathBackendWebGL {
  const backend = tf.backend();
  if (!(backend instanceof tf.MathBackendWebGL)) throw new Error('WebGL is not in charge.');
  return backend;
}

function countDraws(gl: WebGLRenderingContext): void {
  for (const name of ['drawElements', 'drawArrays'] as const) {
    const draw = gl[name].bind(gl) as (...args: number[]) => void;
    Object.assign(gl, {
      [name]: (...args: number[]) => {
        numDraws++;
        draw(...args);
      },
    });
  }
}

/** What a network is trained on, and a batch of it. */
interface Material {
  readonly data: TrainingData;
  readonly rows: Uint32Array;
  readonly targets: Float32Array;
}

const labelOf = (row: number) => (Math.imul(row, 0x9e3779b1) >>> 16) % NUM_CLASSES;

/**
 * Blotches on black, whose place tells the class: something to learn, with ties for max pooling. Rows
 * of a batch are far apart, so that they are in columns and layers of the data's texture of their own.
 */
function makeMaterial(batchSize: number, numRows = LARGE_ENOUGH): Material {
  const pixels = new Uint8Array(numRows * PIXELS);
  const spread = Math.floor(numRows / batchSize);
  const rows = Uint32Array.from({ length: batchSize }, (_, index) => (index + 1) * spread - 1);
  for (let row = 0; row < numRows; row++) {
    const label = labelOf(row);
    for (let y = 4; y < 24; y++) {
      for (let x = label * 2; x < label * 2 + 8; x++) {
        pixels[row * PIXELS + y * SIDE + x] = 100 + (Math.imul(row * PIXELS + y * x, 7919) & 127);
      }
    }
  }
  const targets = new Float32Array(batchSize * NUM_CLASSES);
  rows.forEach((row, index) => {
    targets[index * NUM_CLASSES + labelOf(row)] = 1;
  });
  return { data: { pixels, numRows }, rows, targets };
}

function rowBatch({ rows, targets }: Material, seed: number): Batch {
  return { images: { kind: 'rows', rows }, changes: null, mixing: null, targets, seed };
}

/** The same rows as images. */
function imageBatch({ data, rows, targets }: Material, seed: number): Batch {
  const pixels = new Uint8Array(rows.length * PIXELS);
  rows.forEach((row, index) => {
    pixels.set(data.pixels.subarray(row * PIXELS, (row + 1) * PIXELS), index * PIXELS);
  });
  return { images: { kind: 'pixels', pixels }, changes: null, mixing: null, targets, seed };
}

function toTensors(material: Material): { x: tf.Tensor4D; truth: tf.Tensor2D } {
  const { images } = imageBatch(material, 0);
  const bytes = images.kind === 'pixels' ? images.pixels : [];
  const numbers = Float32Array.from(bytes, (byte) => byte / 255);
  const numRows = material.rows.length;
  return {
    x: tf.tensor4d(numbers, [numRows, SIDE, SIDE, 1]),
    truth: tf.tensor2d(material.targets, [numRows, NUM_CLASSES]),
  };
}

const resolve = (name: MeasuredName) => resolveNetwork(MEASURED[name], NUM_CLASSES);

/** A trainer with weights of its own; `dispose` frees both. */
interface Training {
  readonly trainer: Trainer;
  dispose(): void;
}

/** TensorFlow.js's operations take the step where ours is removed. */
async function startTraining(
  network: Network,
  { data, rows }: Material,
  change: Partial<TrainerRequest> = {},
): Promise<Training> {
  const request = makeRequest(network, makeWeights(network, 1), {
    data,
    batchSize: rows.length,
    optimizer: ADAM,
    ...change,
  });
  const trainer = (await createWebGLTrainer(request)) ?? new StockTrainer(request);
  if (trainer instanceof StockTrainer && !isRemoved('TrainingStep')) {
    throw new Error('Our shaders do not train here.');
  }
  await trainer.prepare();
  return {
    trainer,
    dispose() {
      trainer.dispose();
      tf.dispose([...request.variables.values()]);
    },
  };
}

/** Something that takes steps, and waits for the device at the end. */
type Steps = (numSteps: number) => Promise<void>;

const prepared = new Map<string, Steps>();

async function prepare(who: Who, name: MeasuredName, batchSize: number): Promise<Steps> {
  const key = `${who} ${name} ${batchSize}`;
  const steps =
    prepared.get(key) ??
    (who === 'stock' ? prepareStock(name, batchSize) : await prepareOurs(name, batchSize));
  prepared.set(key, steps);
  return steps;
}

function prepareStock(name: MeasuredName, batchSize: number): Steps {
  const whole = buildModel(resolve(name), { dropout: 0, seed: 1 });
  const logits = whole.layers.at(-1)?.input as tf.SymbolicTensor;
  const model = tf.model({ inputs: whole.inputs, outputs: logits });
  const optimizer = tf.train.adam(LEARNING_RATE, 0.9, 0.999, 1e-7);
  const loss = (truth: tf.Tensor, scores: tf.Tensor) =>
    tf.losses.softmaxCrossEntropy(truth, scores);
  model.compile({ optimizer, loss, metrics: ['accuracy'] });
  const { x, truth } = toTensors(makeMaterial(batchSize));
  return async (numSteps) => {
    const [xs, truths] = tf.tidy(() => [
      tf.tile(x, [numSteps, 1, 1, 1]),
      tf.tile(truth, [numSteps, 1]),
    ]) as [tf.Tensor, tf.Tensor];
    await model.fit(xs, truths, { batchSize, epochs: 1, shuffle: false, verbose: 0 });
    tf.dispose([xs, truths]);
  };
}

async function prepareOurs(name: MeasuredName, batchSize: number): Promise<Steps> {
  const material = makeMaterial(batchSize);
  const { trainer } = await startTraining(resolve(name), material);
  return async (numSteps) => {
    const figures: tf.Tensor[] = [];
    for (let seed = 0; seed < numSteps; seed++) {
      trainer.load(rowBatch(material, seed));
      figures.push(trainer.step(LEARNING_RATE));
    }
    trainer.sync();
    await figures.at(-1)?.data();
    tf.dispose(figures);
  };
}

/** What one operation costs: kernels of TensorFlow.js by name, and their inputs. */
const OPERATIONS = {
  'convolution 13×13, 32→64': conv('Conv2D', 13, 32, 64),
  '  gradient by input': conv('Conv2DBackpropInput', 13, 32, 64),
  '  gradient by filter': conv('Conv2DBackpropFilter', 13, 32, 64),
  'convolution 28×28, 1→32, by filter': conv('Conv2DBackpropFilter', 28, 1, 32),
  'max pooling 26×26×32, gradient': (batch: number) => {
    const input = tf.randomNormal([batch, 26, 26, 32]);
    const dy = tf.randomNormal([batch, 13, 13, 32]);
    const attrs = { filterSize: 2, strides: 2, pad: 'valid' };
    return { kernel: 'MaxPoolGrad', inputs: { dy, input, output: dy }, attrs };
  },
} satisfies Record<string, (batch: number) => Operation>;

interface Operation {
  readonly kernel: string;
  readonly inputs: tf.NamedTensorMap;
  readonly attrs: tf.NamedAttrMap;
}

function conv(kernel: KernelName, side: number, channels: number, filters: number) {
  return (batch: number): Operation => {
    const x = tf.randomNormal([batch, side, side, channels]);
    const dy = tf.randomNormal([batch, side - 2, side - 2, filters]);
    const filter = tf.randomNormal([3, 3, channels, filters]);
    const attrs = { strides: 1, pad: 'valid', dataFormat: 'NHWC', dilations: 1 };
    if (kernel === 'Conv2D') return { kernel, inputs: { x, filter }, attrs };
    return kernel === 'Conv2DBackpropInput'
      ? { kernel, inputs: { dy, filter }, attrs: { ...attrs, inputShape: x.shape } }
      : { kernel, inputs: { x, dy }, attrs: { ...attrs, filterShape: filter.shape } };
  };
}

/** Before any is replaced. */
const STOCK = new Map(
  KERNEL_NAMES.map((name) => [name, tf.getKernel(name, 'webgl')?.kernelFunc] as const),
);
let removed: readonly ReplacementName[] = [];

const api = {
  /** Starts WebGL, without the replacements named. @returns the renderer. */
  async start(options: {
    readonly half?: boolean;
    readonly without?: readonly ReplacementName[];
    /** What a driver compiles wrongly: shader text, and what it takes it for. */
    readonly misreads?: readonly [text: string, taken: string];
  }): Promise<string> {
    removed = options.without ?? [];
    removeReplacements(removed);
    tf.enableProdMode();
    tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
    if (options.half) tf.env().set('WEBGL_FORCE_F16_TEXTURES', true);
    if (!(await tf.setBackend('webgl'))) throw new Error('WebGL did not start.');
    await tf.ready();
    const { gl } = webgl().gpgpu;
    countDraws(gl);
    if (options.misreads) {
      const [text, taken] = options.misreads;
      const shaderSource = gl.shaderSource.bind(gl);
      gl.shaderSource = (shader, source) => shaderSource(shader, source.replaceAll(text, taken));
    }
    const unmasked = gl.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL;
    return String(gl.getParameter(unmasked ?? gl.RENDERER));
  },

  replacementNames: () => REPLACEMENT_NAMES,

  /** Replaces kernels as the app does when it starts; says what became of them, and how long it took. */
  async replaceKernels(options: { readonly evenSlower?: boolean } = {}): Promise<{
    ms: number;
    standings: [KernelName, { standing: Standing; gain: number | null }][];
  }> {
    const startMs = performance.now();
    const standings = await registerWebGLKernels(options);
    return { ms: performance.now() - startMs, standings: [...standings] };
  },

  /** Kernels that are TensorFlow.js's own at the moment. */
  stockKernels: () =>
    KERNEL_NAMES.filter((name) => tf.getKernel(name, 'webgl').kernelFunc === STOCK.get(name)),

  /**
   * Takes steps; gives the milliseconds and the draws they took. The first time, the milliseconds have
   * in them what comes before a first step: checks, planning, compiling.
   */
  async train(
    who: Who,
    name: MeasuredName,
    batchSize: number,
    numSteps: number,
  ): Promise<{ ms: number; draws: number }> {
    if (who === 'ours') await registerWebGLKernels();
    else restoreStockKernels();
    const startMs = performance.now();
    const steps = await prepare(who, name, batchSize);
    const drawsBefore = numDraws;
    await steps(numSteps);
    return { ms: performance.now() - startMs, draws: numDraws - drawsBefore };
  },

  /** Takes steps on a large data set; of the milliseconds, `scriptMs` are those that JavaScript takes. */
  async trainOnData(
    way: DataWay,
    name: MeasuredName,
    batchSize: number,
    numSteps: number,
  ): Promise<{ ms: number; scriptMs: number }> {
    const key = `${way} ${name} ${batchSize}`;
    const { trainer, material } = onData.get(key) ?? (await prepareOnData(way, name, batchSize));
    onData.set(key, { trainer, material });
    const { rows, data, targets } = material;
    let scriptMs = 0;
    const timed = <Result>(run: () => Result): Result => {
      const startMs = performance.now();
      const result = run();
      scriptMs += performance.now() - startMs;
      return result;
    };
    const load = (seed: number) => {
      for (let index = 0; index < batchSize; index++) {
        const row = Math.floor(Math.random() * data.numRows);
        rows[index] = row;
        targets.fill(0, index * NUM_CLASSES, (index + 1) * NUM_CLASSES);
        targets[index * NUM_CLASSES + labelOf(row)] = 1;
      }
      timed(() => trainer.load(rowBatch(material, seed)));
    };
    const startMs = performance.now();
    if (way !== 'upload') load(0);
    for (let step = 0; step < numSteps; step++) {
      if (way === 'upload') load(step);
      const figures = timed(() => trainer.step(LEARNING_RATE));
      if (way !== 'upload' && step + 1 < numSteps) load(step + 1);
      await figures.data();
      figures.dispose();
    }
    return { ms: performance.now() - startMs, scriptMs };
  },

  operations: () => Object.keys(OPERATIONS),

  /** Milliseconds of one operation, in turn. Replaces and restores the kernels. */
  async operation(
    name: string,
    batchSize: number,
    rounds: number,
  ): Promise<Readonly<Record<Who, number[]>>> {
    const { kernel, inputs, attrs } = OPERATIONS[name as keyof typeof OPERATIONS](batchSize);
    const times: Record<Who, number[]> = { stock: [], ours: [] };
    for (let round = -1; round < rounds; round++) {
      for (const who of ['stock', 'ours'] as const) {
        if (who === 'ours') await registerWebGLKernels({ evenSlower: true });
        else restoreStockKernels();
        const startMs = performance.now();
        const output = tf.engine().runKernel(kernel, inputs, attrs) as tf.Tensor;
        const probe = tf.tidy(() => tf.slice(tf.reshape(output, [-1]), 0, 1));
        await probe.data();
        if (round >= 0) times[who].push(performance.now() - startMs);
        tf.dispose([output, probe]);
      }
    }
    restoreStockKernels();
    tf.dispose(inputs);
    return times;
  },

  /**
   * Error of a step of ours (loss, gradients, moments) against the plain definitions on the `cpu`
   * backend. With the training step removed, TensorFlow.js's own gradients are compared, on the kernels
   * as they are.
   */
  async checkStep(
    which: MeasuredName | number | NetworkSpec,
    options: CheckOptions,
  ): Promise<{ error: number; at: string; note: string | null; numWeights: number }> {
    const { batchSize, numClasses = NUM_CLASSES, plainKinds = [] } = options;
    const spec =
      typeof which === 'number'
        ? makeRandomNetwork(which)
        : typeof which === 'string'
          ? MEASURED[which]
          : which;
    const network = resolveNetwork(spec, numClasses);
    const values = makeWeights(network, 3);
    const batch = changedBatch(network, batchSize, options.isChanged ?? false);
    const labelSmoothing = 0.1;
    const expected = await referenceStep(network, values, batch, { labelSmoothing });
    await tf.setBackend('webgl');
    const request = makeRequest(network, values, { batchSize, labelSmoothing });
    const trainer = isRemoved('TrainingStep')
      ? new StockTrainer(request)
      : WebGLTrainer.create(request, { plainKinds: new Set(plainKinds) });
    if (!trainer) throw new Error('Our shaders do not take this network.');
    const actual = await trainerStep(trainer, request, values, batch);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
    const { error, at } = compareSteps(actual, expected);
    return { error, at, note: trainer.note, numWeights: expected.gradients.size };
  },

  /** Largest difference of weights, averages and slots from the stock trainer's after some steps. */
  async checkOptimizer(optimizer: OptimizerSpec, numSteps: number): Promise<number> {
    const network = resolveNetwork(SMALL_GRAPH, NUM_CLASSES);
    const values = makeWeights(network, 3);
    const run = async (make: (request: TrainerRequest) => Trainer | null): Promise<Values> => {
      const first = makeRequest(network, values, { batchSize: 4, optimizer });
      let trainer = make(first);
      if (!trainer) throw new Error('Our shaders do not take this network.');
      const step = (seed: number) => {
        trainer?.load(makeBatch(network, 4, seed));
        trainer?.step(0.05).dispose();
      };
      for (let seed = 0; seed < numSteps; seed++) step(seed);
      // Half of the steps after a resumption.
      trainer.sync();
      const optimizerState = await trainer.readOptimizerState();
      trainer.dispose();
      trainer = make({ ...first, optimizerState });
      for (let seed = 0; seed < numSteps; seed++) step(numSteps + seed);
      const state = await trainer?.readOptimizerState();
      const found = new Map<string, Float32Array>();
      const read = async (which: 'current' | 'average') => {
        trainer?.sync(which);
        for (const [key, variable] of first.variables) {
          found.set(`${which} ${key}`, (await variable.data<'float32'>()).slice());
        }
      };
      await read('current');
      if (optimizer.averageDecay !== null) await read('average');
      for (const [key, slots] of Object.entries(state?.slots ?? {})) {
        for (const [name, numbers] of Object.entries(slots)) found.set(`${name} ${key}`, numbers);
      }
      trainer?.dispose();
      tf.dispose([...first.variables.values()]);
      return found;
    };
    const expected = await run((request) => new StockTrainer(request));
    const actual = await run((request) => WebGLTrainer.create(request));
    if (String([...expected.keys()].sort()) !== String([...actual.keys()].sort())) {
      throw new Error(`Not the same: ${[...expected.keys()]} and ${[...actual.keys()]}.`);
    }
    const nothing = { loss: 1, accuracy: 0, observed: new Map() };
    const asStep = (gradients: Values): Step => ({ ...nothing, gradients });
    return compareSteps(asStep(actual), asStep(expected)).error;
  },

  /** Losses of two steps on one batch, handed over in each way there is. */
  async lossesByWay(name: MeasuredName, batchSize: number): Promise<Record<string, number[]>> {
    const material = makeMaterial(batchSize);
    const train = async (make: typeof rowBatch) => {
      const { trainer, dispose } = await startTraining(resolve(name), material);
      trainer.load(make(material, 0));
      trainer.load(make(material, 1));
      const figures = [trainer.step(LEARNING_RATE), trainer.step(LEARNING_RATE)];
      dispose();
      const losses = figures.map((each) => each.dataSync()[0] ?? Number.NaN);
      tf.dispose(figures);
      return losses;
    };
    const slabs = await train(rowBatch);
    const images = await train(imageBatch);
    const uploaded = await withoutSlabs(() => train(rowBatch));
    return { slabs, images, uploaded };
  },

  /**
   * Losses of steps on one batch, and what is held before the first and after the last of them; tensors
   * and bytes of our own on the device before there was a trainer and when it is gone.
   */
  async trainLong(
    name: MeasuredName | 'graph',
    batchSize: number,
    numSteps: number,
    plainKinds: readonly LayerKind[] = [],
  ): Promise<{
    losses: number[];
    tensors: [number, number];
    bytes: [number, number];
    ownBytes: [number, number];
    ownTensors: [number, number];
  }> {
    const spec = name === 'graph' ? SMALL_GRAPH : MEASURED[name];
    const network = resolveNetwork(spec, NUM_CLASSES);
    const material = makeMaterial(batchSize);
    const ownBytes = () => Device.current()?.numBytes ?? 0;
    // What the check of the device keeps is not this trainer's.
    (await startTraining(network, material)).dispose();
    const [bytesBefore, tensorsBefore] = [ownBytes(), tf.memory().numTensors];
    const request = makeRequest(network, makeWeights(network, 1), {
      data: material.data,
      batchSize,
      optimizer: { ...ADAM, weightDecay: 0.01, maxGradientNorm: 10, averageDecay: 0.99 },
      dropout: 0.2,
      labelSmoothing: 0.1,
    });
    const trainer = WebGLTrainer.create(request, { plainKinds: new Set(plainKinds) });
    if (!trainer) throw new Error('Our shaders do not take this network.');
    await trainer.prepare();
    const losses: number[] = [];
    const step = async () => {
      trainer.load(rowBatch(material, losses.length));
      const figures = trainer.step(LEARNING_RATE);
      trainer.sync(losses.length % 2 === 0 ? 'current' : 'average');
      losses.push((await figures.data<'float32'>())[0] as number);
      figures.dispose();
    };
    const look = (): [number, number] => [
      tf.memory().numTensors,
      webgl().memory().numBytesInGPUAllocated + ownBytes(),
    ];
    for (let warmUp = 0; warmUp < 3; warmUp++) await step();
    const before = look();
    for (let index = 0; index < numSteps; index++) await step();
    const after = look();
    if (!(await trainer.isSound())) losses.push(Number.NaN);
    trainer.dispose();
    tf.dispose([...request.variables.values()]);
    return {
      losses,
      tensors: [before[0], after[0]],
      bytes: [before[1], after[1]],
      ownBytes: [bytesBefore, ownBytes()],
      ownTensors: [tensorsBefore, tf.memory().numTensors],
    };
  },

  /** Whether our shaders are taken on this device for a network. */
  async isTaken(name: MeasuredName | 'graph'): Promise<boolean> {
    const network = name === 'graph' ? resolveNetwork(SMALL_GRAPH, NUM_CLASSES) : resolve(name);
    const request = makeRequest(network, makeWeights(network, 1), { batchSize: 4 });
    const trainer = await createWebGLTrainer(request);
    trainer?.dispose();
    tf.dispose([...request.variables.values()]);
    return trainer !== null;
  },

  /** Milliseconds of the check of the device, for a network with common layers and one with others. */
  async checkMs(): Promise<[common: number, others: number]> {
    const time = async (spec: NetworkSpec) => {
      const startMs = performance.now();
      const network = resolveNetwork(spec, NUM_CLASSES);
      (await startTraining(network, makeMaterial(4, 8))).dispose();
      return performance.now() - startMs;
    };
    return [await time(MEASURED.tiny), await time(SMALL_GRAPH)];
  },
};

export interface CheckOptions {
  readonly batchSize: number;
  readonly numClasses?: number;
  /** Run by their plain definitions. */
  readonly plainKinds?: readonly LayerKind[];
  /** Whether images are mirrored, moved, painted over and mixed. */
  readonly isChanged?: boolean;
}

function changedBatch(network: Network, batchSize: number, isChanged: boolean): Batch {
  const batch = makeBatch(network, batchSize, 5);
  if (!isChanged) return batch;
  const indices = Array.from({ length: batchSize }, (_, index) => index);
  return {
    ...batch,
    changes: indices.map((index) => ({
      isMirrored: index % 2 === 0,
      right: (index % 5) - 2,
      down: (index % 3) - 1,
      erased: index % 3 === 0 ? { left: 2 + index, top: 5, width: 9, height: 14, fill: 77 } : null,
    })),
    mixing: {
      partners: Uint32Array.from(indices, (index) => (index + 2) % batchSize),
      shares: Float32Array.from(indices, (index) => (index % 4 === 0 ? 1 : 0.3 + 0.1 * index)),
    },
  };
}

/** A fork, normalisation, dropout and depthwise convolution on few numbers. */
const SMALL_GRAPH: NetworkSpec = {
  title: 'Small graph',
  nodes: [
    {
      id: 'conv',
      kind: 'conv',
      from: ['input'],
      filters: 6,
      size: 3,
      stride: 2,
      padding: 'same',
      bias: true,
    },
    { id: 'pool', kind: 'averagePool', from: ['conv'], size: 2, stride: 2, padding: 'valid' },
    {
      id: 'depth',
      kind: 'depthwiseConv',
      from: ['pool'],
      size: 3,
      stride: 1,
      padding: 'same',
      bias: false,
    },
    { id: 'norm', kind: 'batchNorm', from: ['depth'] },
    { id: 'silu', kind: 'activation', from: ['norm'], function: 'silu' },
    { id: 'add', kind: 'add', from: ['silu', 'pool'] },
    { id: 'largest', kind: 'globalMax', from: ['add'] },
    { id: 'dropout', kind: 'dropout', from: ['largest'], rate: null },
    { id: 'logits', kind: 'dense', from: ['dropout'], units: 'classes', bias: true },
  ],
};

const onData = new Map<string, { readonly trainer: Trainer; readonly material: Material }>();
/** As many as Fashion-MNIST has. */
const NUM_ROWS = 60_000;
let largeData: TrainingData | null = null;

async function prepareOnData(way: DataWay, name: MeasuredName, batchSize: number) {
  largeData ??= makeMaterial(1, NUM_ROWS).data;
  const material: Material = {
    data: largeData,
    rows: new Uint32Array(batchSize),
    targets: new Float32Array(batchSize * NUM_CLASSES),
  };
  const make = () => startTraining(resolve(name), material);
  const { trainer } = await (way === 'slabs' ? make() : withoutSlabs(make));
  if (trainer instanceof WebGLTrainer && trainer.hasSlabs !== (way === 'slabs')) {
    throw new Error('The data is not where it was to be.');
  }
  return { trainer, material };
}

async function withoutSlabs<Result>(run: () => Promise<Result>): Promise<Result> {
  removeReplacements([...removed, 'DataSlabs']);
  const result = await run();
  removeReplacements(removed);
  return result;
}

export type WebGLBenchApi = typeof api;

declare global {
  /** What Node calls through Playwright. */
  var webglBench: WebGLBenchApi;
}

globalThis.webglBench = api;
