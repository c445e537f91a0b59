/**
 * Owns what is measured inside the page: training by TensorFlow.js as it comes and by our shaders, in
 * one WebGL context, and both beside the `cpu` backend. Figures go back; tables are Node's.
 */
import * as tf from '@tensorflow/tfjs';
import { createTrainer, type Trainer } from '../../src/engine/trainer.ts';
import { Device } from '../../src/engine/webgl/device.ts';
import {
  KERNEL_NAMES,
  type KernelName,
  registerWebGLKernels,
  restoreStockKernels,
} from '../../src/engine/webgl/kernels.ts';
import { applyInTraining, crossEntropy } from '../../src/ml/forward.ts';
import { hasBias, type LayerSpec } from '../../src/ml/network.ts';
import { optimizerKnobs } from '../../src/ml/optimizer.ts';
import { MEASURED, type MeasuredName } from './networks.ts';

export type Who = 'stock' | 'ours';

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const NUM_CLASSES = 10;
const LEARNING_RATE = 1e-3;
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

/** A network as a tf.layers model that ends in logits. Biases are random: zeros would hide errors. */
function buildModel(layers: readonly LayerSpec[]): tf.Sequential {
  const model = tf.sequential();
  const bias = { biasInitializer: 'randomNormal' } as const;
  layers.forEach((layer, index) => {
    const input = index === 0 ? { inputShape: [SIDE, SIDE, 1] } : {};
    switch (layer.kind) {
      case 'conv': {
        const { filters, kernel: kernelSize, padding, activation } = layer;
        const useBias = hasBias(layers, index);
        const options = { ...input, ...bias, filters, kernelSize, padding, activation, useBias };
        model.add(tf.layers.conv2d(options));
        break;
      }
      case 'batchNorm':
        model.add(
          tf.layers.batchNormalization({ momentum: 0.9, gammaInitializer: 'randomNormal' }),
        );
        break;
      case 'relu':
        model.add(tf.layers.reLU());
        break;
      case 'maxPool':
        model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
        break;
      case 'globalAveragePool':
        model.add(tf.layers.globalAveragePooling2d({}));
        break;
      case 'flatten':
        model.add(tf.layers.flatten());
        break;
      case 'dropout':
        model.add(tf.layers.dropout({ rate: 0 }));
        break;
      case 'dense':
        model.add(tf.layers.dense({ ...bias, units: layer.units, activation: layer.activation }));
        break;
    }
  });
  return model;
}

interface Batch {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
  readonly changes: Float32Array;
}

/** Blotches on black, whose place tells the class: something to learn, with ties for max pooling. */
function makeBatch(size: number): Batch {
  const pixels = new Uint8Array(size * PIXELS);
  const labels = new Uint8Array(size);
  const changes = new Float32Array(size * 4);
  for (let row = 0; row < size; row++) {
    const label = row % NUM_CLASSES;
    labels[row] = label;
    changes[row * 4 + 3] = label;
    for (let y = 4; y < 24; y++) {
      for (let x = label * 2; x < label * 2 + 8; x++) {
        pixels[row * PIXELS + y * SIDE + x] = 100 + Math.floor(Math.random() * 156);
      }
    }
  }
  return { pixels, labels, changes };
}

function toTensors({ pixels, labels }: Batch): { x: tf.Tensor4D; truth: tf.Tensor2D } {
  const numbers = Float32Array.from(pixels, (byte) => byte / 255);
  const x = tf.tensor4d(numbers, [labels.length, SIDE, SIDE, 1]);
  const truth = tf.tidy(() =>
    tf.cast(tf.oneHot(tf.tensor1d(Int32Array.from(labels), 'int32'), NUM_CLASSES), 'float32'),
  ) as tf.Tensor2D;
  return { x, truth };
}

async function makeTrainer(
  layers: readonly LayerSpec[],
  model: tf.LayersModel,
  batchSize: number,
  optimizer: Parameters<typeof createTrainer>[0]['optimizer'],
  options: { readonly dropout?: number; readonly labelSmoothing?: number } = {},
): Promise<Trainer> {
  const trainer = await createTrainer({
    layers: layers.map((layer, index) =>
      layer.kind === 'conv' ? { ...layer, hasBias: hasBias(layers, index) } : layer,
    ),
    weights: model.trainableWeights,
    trackedWeights: model.nonTrainableWeights,
    side: SIDE,
    batchSize,
    optimizer,
    dropout: 0,
    labelSmoothing: 0,
    epsilon: 1e-3,
    momentum: 0.9,
    ...options,
  });
  if (!trainer) throw new Error('Our shaders do not train here.');
  return trainer;
}

/** Something that takes steps, and waits for the device at the end. */
type Steps = (numSteps: number) => Promise<void>;

const prepared = new Map<string, Steps>();

async function prepare(who: Who, name: MeasuredName, batchSize: number): Promise<Steps> {
  const key = `${who} ${name} ${batchSize}`;
  const known = prepared.get(key);
  if (known) return known;
  const layers = MEASURED[name];
  const model = buildModel(layers);
  const batch = makeBatch(batchSize);
  let steps: Steps;
  if (who === 'stock') {
    const optimizer = tf.train.adam(LEARNING_RATE, 0.9, 0.999, 1e-7);
    const loss = (truth: tf.Tensor, logits: tf.Tensor) =>
      tf.losses.softmaxCrossEntropy(truth, logits);
    model.compile({ optimizer, loss, metrics: ['accuracy'] });
    const { x, truth } = toTensors(batch);
    steps = async (numSteps) => {
      const [xs, truths] = tf.tidy(() => [
        tf.tile(x, [numSteps, 1, 1, 1]),
        tf.tile(truth, [numSteps, 1]),
      ]) as [tf.Tensor, tf.Tensor];
      await model.fit(xs, truths, { batchSize, epochs: 1, shuffle: false, verbose: 0 });
      tf.dispose([xs, truths]);
    };
  } else {
    const trainer = await makeTrainer(layers, model, batchSize, optimizerKnobs(ADAM));
    steps = async (numSteps) => {
      const figures: tf.Tensor[] = [];
      for (let step = 0; step < numSteps; step++) {
        figures.push(trainer.step({ ...batch, seed: step }, LEARNING_RATE));
      }
      trainer.sync();
      await figures.at(-1)?.data();
      tf.dispose(figures);
    };
  }
  prepared.set(key, steps);
  return steps;
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

const api = {
  /**
   * Starts WebGL.
   * @returns the renderer, and the kernels that were replaced of those named (null: none tried).
   */
  async start(options: {
    readonly half?: boolean;
    readonly kernels?: readonly KernelName[];
  }): Promise<{ renderer: string; kernels: readonly KernelName[] }> {
    tf.enableProdMode();
    tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
    if (options.half) tf.env().set('WEBGL_FORCE_F16_TEXTURES', true);
    if (!(await tf.setBackend('webgl'))) throw new Error('WebGL did not start.');
    await tf.ready();
    const { gl } = webgl().gpgpu;
    countDraws(gl);
    const unmasked = gl.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL;
    const renderer = String(gl.getParameter(unmasked ?? gl.RENDERER));
    const kernels = options.kernels ? await registerWebGLKernels(options.kernels) : [];
    return { renderer, kernels };
  },

  kernelNames: () => KERNEL_NAMES,

  /** Takes steps; gives the milliseconds and the draws they took. */
  async train(
    who: Who,
    name: MeasuredName,
    batchSize: number,
    numSteps: number,
  ): Promise<{ ms: number; draws: number }> {
    const steps = await prepare(who, name, batchSize);
    const drawsBefore = numDraws;
    const startMs = performance.now();
    await steps(numSteps);
    return { ms: performance.now() - startMs, draws: numDraws - drawsBefore };
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
        if (who === 'ours') await registerWebGLKernels();
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

  /** Errors of each weight's gradient against TensorFlow.js's `cpu` backend, by the weight's name. */
  async gradientErrors(name: MeasuredName, batchSize: number): Promise<Record<string, number>> {
    const layers = MEASURED[name];
    const model = buildModel(layers);
    const batch = makeBatch(batchSize);
    const labelSmoothing = 0.1;
    const initial = model.trainableWeights.map((weight) => weight.read().dataSync().slice());
    const shapes = model.trainableWeights.map((weight) => weight.read().shape);

    // Large, so that the difference of the weights before and after keeps the gradient's digits.
    const rate = 64;
    const sgd = { kind: 'sgd', momentum: 0 } as const;
    const trainer = await makeTrainer(layers, model, batchSize, sgd, { labelSmoothing });
    trainer.step({ ...batch, seed: 1 }, rate).dispose();
    trainer.sync();
    const after = model.trainableWeights.map((weight) => weight.read().dataSync().slice());
    trainer.dispose();

    await tf.setBackend('cpu');
    const expected = tf.tidy(() => {
      const { x, truth } = toTensors(batch);
      const targets: tf.Tensor2D = tf.add(
        tf.mul(truth, 1 - labelSmoothing),
        labelSmoothing / NUM_CLASSES,
      );
      const weights = initial.map((values, index) => tf.tensor(values, shapes[index]));
      const lossOf = (...values: tf.Tensor[]) =>
        crossEntropy(applyInTraining(layers, values, x, 0, Math.random).logits, targets);
      return tf
        .valueAndGrads(lossOf)(weights)
        .grads.map((gradient) => gradient.dataSync());
    });
    await tf.setBackend('webgl');
    const errors = model.trainableWeights.map((weight, index) => {
      const [old, now, goal] = [initial[index], after[index], expected[index]];
      if (!old || !now || !goal) throw new Error('A weight is missing.');
      const actual = Float32Array.from(old, (value, at) => (value - (now[at] as number)) / rate);
      return [weight.name, relativeError(actual, goal)] as const;
    });
    model.dispose();
    return Object.fromEntries(errors);
  },

  /** Losses of steps on one batch, and what is held before the first and after the last of them. */
  async train500(
    name: MeasuredName,
    batchSize: number,
    numSteps: number,
  ): Promise<{ losses: number[]; tensors: [number, number]; bytes: [number, number] }> {
    const layers = MEASURED[name];
    const model = buildModel(layers);
    const batch = makeBatch(batchSize);
    const options = { dropout: 0.2, labelSmoothing: 0.1 };
    const trainer = await makeTrainer(layers, model, batchSize, optimizerKnobs(ADAM), options);
    const losses: number[] = [];
    const step = async () => {
      const figures = trainer.step({ ...batch, seed: losses.length }, LEARNING_RATE);
      trainer.sync();
      losses.push((await figures.data<'float32'>())[0] as number);
      figures.dispose();
    };
    const look = (): [number, number] => {
      const { numBytesInGPUAllocated } = webgl().memory();
      const own = Device.current()?.numBytes ?? 0;
      return [tf.memory().numTensors, numBytesInGPUAllocated + own];
    };
    for (let warmUp = 0; warmUp < 3; warmUp++) await step();
    const before = look();
    for (let index = 0; index < numSteps; index++) await step();
    const after = look();
    if (!(await trainer.isSound())) losses.push(Number.NaN);
    trainer.dispose();
    model.dispose();
    return { losses, tensors: [before[0], after[0]], bytes: [before[1], after[1]] };
  },
};

export type WebGLBenchApi = typeof api;

declare global {
  /** What Node calls through Playwright. */
  var webglBench: WebGLBenchApi;
}

globalThis.webglBench = api;
