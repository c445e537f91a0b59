/**
 * Owns what is measured inside the page: training by TensorFlow.js as it comes and by our shaders, in
 * one WebGL context, and both beside the `cpu` backend. Figures go back; tables are Node's.
 */
import * as tf from '@tensorflow/tfjs';
import { selectRows } from '../../src/data/dataset.ts';
import {
  createTrainer,
  type OptimizerKnobs,
  type PictureBatch,
  type RowBatch,
  type Trainer,
  type TrainingData,
} from '../../src/engine/trainer.ts';
import { Device } from '../../src/engine/webgl/device.ts';
import {
  registerWebGLKernels,
  restoreStockKernels,
  type Standing,
} from '../../src/engine/webgl/kernels.ts';
import {
  isRemoved,
  KERNEL_NAMES,
  type KernelName,
  REPLACEMENT_NAMES,
  type ReplacementName,
  removeReplacements,
} from '../../src/engine/webgl/replacements.ts';
import { WebGLTrainer } from '../../src/engine/webgl/trainer.ts';
import { FASHION_MNIST, PIXELS, SIDE } from '../../src/fashion.ts';
import { createOptimizer, optimizerKnobs } from '../../src/ml/run/optimizer.ts';
import { hasBias, type LayerSpec } from '../../src/ml/spec/network.ts';
import { buildModel, gradientsOf, oneHot } from '../page/model.ts';
import { MEASURED, type MeasuredName } from './networks.ts';

export type Who = 'stock' | 'ours';

/** How our step gets its batches: gathered on the device, uploaded when needed, or ahead of that. */
export type DataWay = 'slabs' | 'upload' | 'uploadAhead';

const LEARNING_RATE = 1e-3;
/** Pictures that fill more than a layer of the data's texture. */
const LARGE_ENOUGH = 5_600;
const ADAM = { optimizer: 'adam', momentum: 0 } as const;

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

/** What a network is trained on, and the rows of a batch of it. */
interface Material {
  readonly data: TrainingData;
  readonly rows: Uint32Array;
}

/**
 * Blotches on black, whose place tells the class: something to learn, with ties for max pooling. Rows
 * of a batch are far apart, so that they are in columns and layers of the data's texture of their own.
 */
function makeMaterial(batchSize: number, numRows = LARGE_ENOUGH): Material {
  const pixels = new Uint8Array(numRows * PIXELS);
  const labelOf = (row: number) =>
    (Math.imul(row, 0x9e3779b1) >>> 16) % FASHION_MNIST.classNames.length;
  const labels = Uint8Array.from({ length: numRows }, (_, row) => labelOf(row));
  const spread = Math.floor(numRows / batchSize);
  const rows = Uint32Array.from({ length: batchSize }, (_, index) => (index + 1) * spread - 1);
  labels.forEach((label, row) => {
    for (let y = 4; y < 24; y++) {
      for (let x = label * 2; x < label * 2 + 8; x++) {
        pixels[row * PIXELS + y * SIDE + x] = 100 + (Math.imul(row * PIXELS + y * x, 7919) & 127);
      }
    }
  });
  return { data: { pixels, labels }, rows };
}

function rowBatch({ rows }: Material, seed: number): RowBatch {
  return { kind: 'rows', rows, changes: new Int8Array(rows.length * 3), seed };
}

/** The same rows as pictures. */
function pictureBatch({ data, rows }: Material, seed: number): PictureBatch {
  return { kind: 'pictures', ...selectRows({ ...data, spec: FASHION_MNIST }, rows), seed };
}

function toTensors(material: Material): { x: tf.Tensor4D; truth: tf.Tensor2D } {
  const { pixels, labels } = pictureBatch(material, 0);
  const numbers = Float32Array.from(pixels, (byte) => byte / 255);
  return { x: tf.tensor4d(numbers, [labels.length, SIDE, SIDE, 1]), truth: oneHot(labels) };
}

/** null where the training step is removed. */
async function makeTrainer(
  layers: readonly LayerSpec[],
  model: tf.LayersModel,
  { data, rows }: Material,
  optimizer: OptimizerKnobs,
  options: { readonly dropout?: number; readonly labelSmoothing?: number } = {},
): Promise<Trainer | null> {
  const trainer = await createTrainer({
    data,
    layers: layers.map((layer, index) =>
      layer.kind === 'conv' ? { ...layer, hasBias: hasBias(layers, index) } : layer,
    ),
    weights: model.trainableWeights,
    trackedWeights: model.nonTrainableWeights,
    side: SIDE,
    batchSize: rows.length,
    optimizer,
    dropout: 0,
    labelSmoothing: 0,
    epsilon: 1e-3,
    momentum: 0.9,
    ...options,
  });
  if (!trainer && !isRemoved('TrainingStep')) throw new Error('Our shaders do not train here.');
  await trainer?.prepare();
  return trainer;
}

async function demandTrainer(...args: Parameters<typeof makeTrainer>): Promise<Trainer> {
  const trainer = await makeTrainer(...args);
  if (!trainer) throw new Error('This wants the training step, which is removed.');
  return trainer;
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
  const model = buildModel(MEASURED[name]) as tf.Sequential;
  const optimizer = tf.train.adam(LEARNING_RATE, 0.9, 0.999, 1e-7);
  const loss = (truth: tf.Tensor, logits: tf.Tensor) =>
    tf.losses.softmaxCrossEntropy(truth, logits);
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
  const layers = MEASURED[name];
  const model = buildModel(layers);
  const material = makeMaterial(batchSize);
  const trainer = await makeTrainer(layers, model, material, optimizerKnobs(ADAM));
  const step = trainer
    ? (seed: number) => {
        trainer.load(rowBatch(material, seed));
        return trainer.step(LEARNING_RATE);
      }
    : tensorStep(layers, model, material);
  return async (numSteps) => {
    const figures: tf.Tensor[] = [];
    for (let seed = 0; seed < numSteps; seed++) figures.push(step(seed));
    trainer?.sync();
    await figures.at(-1)?.data();
    tf.dispose(figures);
  };
}

/** What the app does where the training step is removed. */
function tensorStep(
  layers: readonly LayerSpec[],
  model: tf.LayersModel,
  material: Material,
): () => tf.Tensor {
  const optimizer = createOptimizer(model.trainableWeights, ADAM);
  const { x, truth } = toTensors(material);
  return () =>
    tf.tidy(() => {
      const weights = model.trainableWeights.map((weight) => weight.read());
      const { value, grads } = gradientsOf(layers, weights, x, truth, 0);
      optimizer.step(grads, LEARNING_RATE);
      return value;
    });
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

/** Largest difference, relative to the largest number expected. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let index = 0; index < expected.length; index++) {
    const distance = Math.abs((actual[index] as number) - (expected[index] as number));
    // A comparison would pass over what is not a number.
    difference = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(difference, distance);
    largest = Math.max(largest, Math.abs(expected[index] as number));
  }
  return difference / largest;
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
    const { rows, data } = material;
    let scriptMs = 0;
    const timed = <Result>(run: () => Result): Result => {
      const startMs = performance.now();
      const result = run();
      scriptMs += performance.now() - startMs;
      return result;
    };
    const load = (seed: number) => {
      for (let index = 0; index < batchSize; index++) {
        rows[index] = Math.floor(Math.random() * data.labels.length);
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
   * Errors of each weight's gradient against TensorFlow.js's `cpu` backend, by the weight's name. With
   * the training step removed the gradients are TensorFlow.js's own, on the kernels as they are.
   */
  async gradientErrors(name: MeasuredName, batchSize: number): Promise<Record<string, number>> {
    const layers = MEASURED[name];
    const model = buildModel(layers);
    const material = makeMaterial(batchSize);
    const labelSmoothing = 0.1;
    const initial = model.trainableWeights.map((weight) => weight.read().dataSync().slice());
    const shapes = model.trainableWeights.map((weight) => weight.read().shape);
    const byTensors = () =>
      tf.tidy(() => {
        const { x, truth } = toTensors(material);
        const targets: tf.Tensor2D = tf.add(
          tf.mul(truth, 1 - labelSmoothing),
          labelSmoothing / FASHION_MNIST.classNames.length,
        );
        const weights = initial.map((values, index) => tf.tensor(values, shapes[index]));
        const { grads } = gradientsOf(layers, weights, x, targets, 0);
        return grads.map((gradient) => gradient.dataSync());
      });

    // Large, so that the difference of the weights before and after keeps the gradient's digits.
    const rate = 64;
    const sgd = { kind: 'sgd', momentum: 0 } as const;
    const trainer = await makeTrainer(layers, model, material, sgd, { labelSmoothing });
    trainer?.load(rowBatch(material, 1));
    trainer?.step(rate).dispose();
    trainer?.sync();
    trainer?.dispose();
    const actual = trainer
      ? model.trainableWeights.map((weight, index) => {
          const after = weight.read().dataSync();
          return initial[index]?.map((value, at) => (value - (after[at] as number)) / rate);
        })
      : byTensors();
    await tf.setBackend('cpu');
    const expected = byTensors();
    await tf.setBackend('webgl');
    const errors = model.trainableWeights.map((weight, index) => {
      const [own, goal] = [actual[index], expected[index]];
      if (!own || !goal) throw new Error('A weight is missing.');
      return [weight.name, relativeError(own, goal)] as const;
    });
    model.dispose();
    return Object.fromEntries(errors);
  },

  /** Losses of two steps on one batch, handed over in each way there is. */
  async lossesByWay(name: MeasuredName, batchSize: number): Promise<Record<string, number[]>> {
    const layers = MEASURED[name];
    const model = buildModel(layers);
    const material = makeMaterial(batchSize);
    const train = async (makeBatch: typeof rowBatch | typeof pictureBatch) => {
      const trainer = await demandTrainer(layers, model, material, optimizerKnobs(ADAM));
      const figures: tf.Tensor[] = [];
      trainer.load(makeBatch(material, 0));
      trainer.load(makeBatch(material, 1));
      figures.push(trainer.step(LEARNING_RATE), trainer.step(LEARNING_RATE));
      trainer.dispose();
      const losses = figures.map((each) => each.dataSync()[0] ?? Number.NaN);
      tf.dispose(figures);
      return losses;
    };
    const slabs = await train(rowBatch);
    const pictures = await train(pictureBatch);
    const uploaded = await withoutSlabs(() => train(rowBatch));
    model.dispose();
    return { slabs, pictures, uploaded };
  },

  /**
   * Losses of steps on one batch, and what is held before the first and after the last of them; bytes
   * of our own on the device before there was a trainer and when it is gone.
   */
  async train500(
    name: MeasuredName,
    batchSize: number,
    numSteps: number,
  ): Promise<{
    losses: number[];
    tensors: [number, number];
    bytes: [number, number];
    ownBytes: [number, number];
  }> {
    const layers = MEASURED[name];
    const model = buildModel(layers);
    const material = makeMaterial(batchSize);
    const options = { dropout: 0.2, labelSmoothing: 0.1 };
    const ownBytes = () => Device.current()?.numBytes ?? 0;
    const bytesBefore = ownBytes();
    const adam = optimizerKnobs(ADAM);
    const trainer = await demandTrainer(layers, model, material, adam, options);
    const losses: number[] = [];
    const step = async () => {
      trainer.load(rowBatch(material, losses.length));
      const figures = trainer.step(LEARNING_RATE);
      trainer.sync();
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
    model.dispose();
    return {
      losses,
      tensors: [before[0], after[0]],
      bytes: [before[1], after[1]],
      ownBytes: [bytesBefore, ownBytes()],
    };
  },
};

const onData = new Map<string, { readonly trainer: Trainer; readonly material: Material }>();
/** As many as Fashion-MNIST has. */
const NUM_ROWS = 60_000;
let largeData: TrainingData | null = null;

async function prepareOnData(way: DataWay, name: MeasuredName, batchSize: number) {
  largeData ??= makeMaterial(1, NUM_ROWS).data;
  const material = { data: largeData, rows: new Uint32Array(batchSize) };
  const layers = MEASURED[name];
  const make = () => demandTrainer(layers, buildModel(layers), material, optimizerKnobs(ADAM));
  const trainer = await (way === 'slabs' ? make() : withoutSlabs(make));
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
