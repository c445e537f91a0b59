/**
 * What is measured inside the browser: training steps and inference of one network on one backend,
 * and the kernels of the CPU engine one by one. Figures go back; tables are Node's.
 */
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import wasmUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import wasmSimdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import wasmThreadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import { expose } from 'comlink';
import type { Trainer, TrainerRequest } from '../../src/engine/contract.ts';
import type { SimdBackend } from '../../src/engine/simd/backend.ts';
import type { NodeTime } from '../../src/engine/simd/plan.ts';
import { registerSimdBackend } from '../../src/engine/simd/register.ts';
import { SimdTrainer } from '../../src/engine/simd/simdTrainer.ts';
import { StockTrainer } from '../../src/engine/stock/stockTrainer.ts';
import { registerWasmKernels } from '../../src/engine/stock/wasmKernels.ts';
import { createTrainer } from '../../src/engine/trainers.ts';
import { PIXELS, SIDE } from '../../src/fashion.ts';
import { buildModel, modelWeights } from '../../src/ml/run/build.ts';
import { KNOBS } from '../../src/ml/spec/recipe.ts';
import { type Network, type NetworkSpec, resolveNetwork } from '../../src/network/spec.ts';
import { NUM_CLASSES } from '../subjects.ts';

/** What runs the network. */
export interface System {
  readonly backend: 'simd' | 'wasm' | 'webgl';
  readonly numThreads: number;
  /** simd: with fused multiply-add (default: where the browser has it). */
  readonly relaxed?: boolean;
}

const DROPOUT = 0.3;
const LEARNING_RATE = 1e-3;
/** Images that batches take rows from. */
const NUM_IMAGES = 1024;

interface Built {
  readonly network: Network;
  readonly model: tf.LayersModel;
}

const built = new Map<string, Built>();

function build(spec: NetworkSpec): Built {
  const key = JSON.stringify(spec);
  const known = built.get(key);
  if (known) return known;
  const network = resolveNetwork(spec, NUM_CLASSES);
  const made = { network, model: buildModel(network, { dropout: DROPOUT, seed: 1 }) };
  built.set(key, made);
  return made;
}

/** Takes one step; the caller disposes what it gives. */
type Step = () => tf.Tensor;

/** The trainer at hand: one at a time, since each keeps the memory of its steps. */
let current: { readonly key: string; readonly trainer: Trainer; readonly step: Step } | null = null;

function endTraining(): void {
  current?.trainer.dispose();
  current = null;
}

/** The trainer of a network and batch size: the one at hand, or a new one in its place. */
async function startTraining(spec: NetworkSpec, batchSize: number): Promise<Step> {
  const key = JSON.stringify([spec, batchSize]);
  if (current?.key === key) return current.step;
  endTraining();
  const request = requestOf(spec, batchSize);
  const trainer =
    tf.getBackend() === 'simd' ? await createTrainer(request) : new StockTrainer(request);
  await trainer.prepare();
  if (trainer.note !== null) console.warn(`${spec.title}: ${trainer.note}`);
  current = { key, trainer, step: makeStep(trainer, batchSize) };
  return current.step;
}

/** Speed does not depend on what images show: they are random. */
function requestOf(spec: NetworkSpec, batchSize: number): TrainerRequest {
  const { network, model } = build(spec);
  return {
    network,
    weights: modelWeights(model, network),
    data: {
      pixels: new Uint8Array(NUM_IMAGES * PIXELS).map(() => Math.random() * 256),
      numRows: NUM_IMAGES,
    },
    batchSize,
    optimizer: {
      rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: null },
      weightDecay: 0,
      maxGradientNorm: null,
      averageDecay: null,
    },
    optimizerState: null,
    dropout: DROPOUT,
    labelSmoothing: 0,
    batchNormMomentum: KNOBS.batchNormMomentum.default,
  };
}

function makeStep(trainer: Trainer, batchSize: number): Step {
  const rows = new Uint32Array(batchSize);
  const targets = new Float32Array(batchSize * NUM_CLASSES);
  let seed = 0;
  return () => {
    seed++;
    targets.fill(0);
    for (let place = 0; place < batchSize; place++) {
      const row = (seed * batchSize + place) % NUM_IMAGES;
      rows[place] = row;
      targets[place * NUM_CLASSES + (row % NUM_CLASSES)] = 1;
    }
    const images = { kind: 'rows', rows } as const;
    trainer.load({ images, changes: null, mixing: null, targets, seed });
    return trainer.step(LEARNING_RATE);
  };
}

/** `count` random numbers in [0, 1). */
function noise(count: number): Float32Array {
  return new Float32Array(count).map(() => Math.random());
}

/** Images a second: whole steps until `forMs` have passed, the device waited for at the end. */
async function measure(step: () => tf.Tensor, batch: number, forMs: number): Promise<number> {
  const startMs = performance.now();
  let images = 0;
  for (;;) {
    const result = step();
    images += batch;
    const isOver = performance.now() - startMs >= forMs;
    // Reading one number waits for the device. On the CPU everything is done by then anyway.
    if (isOver || tf.getBackend() === 'webgl') await result.data();
    result.dispose();
    const ms = performance.now() - startMs;
    if (ms >= forMs) return (images / ms) * 1000;
  }
}

function simd(): SimdBackend {
  return tf.backend() as SimdBackend;
}

const api = {
  /** Makes the backend of this worker; says what it turned out to be. */
  async start({ backend, numThreads, relaxed }: System): Promise<string> {
    if (backend === 'simd') {
      const options = relaxed === undefined ? { numThreads } : { numThreads, relaxed };
      await registerSimdBackend(options);
    }
    if (backend === 'wasm') {
      setWasmPaths({
        'tfjs-backend-wasm.wasm': wasmUrl,
        'tfjs-backend-wasm-simd.wasm': wasmSimdUrl,
        'tfjs-backend-wasm-threaded-simd.wasm': wasmThreadedUrl,
      });
      if (numThreads > 1) setThreadsCount(numThreads);
      else tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
      registerWasmKernels();
    }
    if (!(await tf.setBackend(backend))) throw new Error(`${backend} did not start.`);
    await tf.ready();
    if (backend === 'simd') return simd().kernels.relaxed ? 'fused multiply-add' : 'plain SIMD';
    return tf.version.tfjs;
  },

  /** Training images a second: forward, backward and Adam. */
  async train(spec: NetworkSpec, batch: number, forMs: number): Promise<number> {
    const step = await startTraining(spec, batch);
    step().dispose();
    return measure(step, batch, forMs);
  },

  /** Inference images a second. */
  async infer(spec: NetworkSpec, batch: number, forMs: number): Promise<number> {
    const { model } = build(spec);
    const x = tf.tensor4d(noise(batch * PIXELS), [batch, SIDE, SIDE, 1]);
    const predict = () => model.predict(x, { batchSize: batch }) as tf.Tensor;
    predict().dispose();
    const rate = await measure(predict, batch, forMs);
    x.dispose();
    return rate;
  },

  /** Median milliseconds from the pixels of one image to its probabilities in JavaScript. */
  async latency(spec: NetworkSpec, numImages: number): Promise<number> {
    const { model } = build(spec);
    const pixels = noise(PIXELS);
    const times: number[] = [];
    for (let i = 0; i < numImages; i++) {
      const startMs = performance.now();
      const output = tf.tidy(
        () => model.predict(tf.tensor4d(pixels, [1, SIDE, SIDE, 1])) as tf.Tensor,
      );
      await output.data();
      times.push(performance.now() - startMs);
      output.dispose();
    }
    return times.sort((a, b) => a - b)[numImages >> 1] ?? Number.NaN;
  },

  /**
   * Memory over `numSteps` training steps, before and after: bytes of WebAssembly, which never
   * shrink, and tensors.
   */
  async memory(
    spec: NetworkSpec,
    batch: number,
    numSteps: number,
  ): Promise<{ bytes: [number, number]; tensors: [number, number] }> {
    const step = await startTraining(spec, batch);
    for (let i = 0; i < 3; i++) step().dispose();
    const look = () => [simd().kernels.memoryBytes, tf.memory().numTensors] as const;
    const [bytesBefore, tensorsBefore] = look();
    for (let i = 0; i < numSteps; i++) step().dispose();
    const [bytesAfter, tensorsAfter] = look();
    endTraining();
    return { bytes: [bytesBefore, bytesAfter], tensors: [tensorsBefore, tensorsAfter] };
  },

  /**
   * Where the time of steps goes on the CPU engine: the mean of those within `forMs`.
   * @throws {Error} on another backend
   */
  profile(spec: NetworkSpec, batch: number, forMs: number): StepProfile {
    endTraining();
    const trainer = SimdTrainer.create(requestOf(spec, batch), { isProfiled: true });
    if (!trainer) throw new Error('Only the CPU engine keeps account of its nodes.');
    const step = makeStep(trainer, batch);
    const takeSteps = (ms: number) => {
      const startMs = performance.now();
      let count = 0;
      do {
        step().dispose();
        count++;
      } while (performance.now() - startMs < ms);
      return { count, elapsedMs: performance.now() - startMs };
    };
    takeSteps(forMs / 4);
    // A copy: the account goes on in place.
    const warmUp = structuredClone(trainer.profile());
    const { count, elapsedMs } = takeSteps(forMs);
    const times = trainer.profile().map((time) => {
      const before = warmUp.find(
        ({ id, direction }) => id === time.id && direction === time.direction,
      );
      return { ...time, elapsedMs: (time.elapsedMs - (before?.elapsedMs ?? 0)) / count };
    });
    const { plannedBytes } = trainer;
    trainer.dispose();
    return { stepMs: elapsedMs / count, times, plannedBytes };
  },

  /** GFLOP/s of one thread that multiplies and adds in registers and touches no memory. */
  peak(forMs: number): number {
    const { peakLoop } = simd().kernels.exports;
    const rounds = 200_000;
    let best = 0;
    const endMs = performance.now() + forMs;
    do {
      const startMs = performance.now();
      peakLoop(rounds, 1e-9);
      best = Math.max(best, (rounds * 96) / (performance.now() - startMs) / 1e6);
    } while (performance.now() < endMs);
    return best;
  },

  /**
   * Milliseconds of a convolution's or a dense layer's three products: of the fastest of many calls,
   * since what else runs on the machine only ever adds to them.
   */
  product(shape: ProductShape, forMs: number): Record<ProductPart, number> {
    const run = shape.kind === 'conv' ? convProducts(shape) : denseProducts(shape);
    const result = { forward: 0, input: 0, filter: 0 };
    for (const part of ['forward', 'input', 'filter'] as const) {
      /** Milliseconds of one call, the mean of `count` in a row. */
      const time = (count: number): number => {
        const startMs = performance.now();
        for (let i = 0; i < count; i++) run[part]().dispose();
        return (performance.now() - startMs) / count;
      };
      const endMs = performance.now() + forMs / 3;
      time(2);
      // The clock of a worker moves in steps of 5 µs: calls of microseconds are timed together.
      const numCalls = Math.max(1, Math.ceil(0.2 / time(1)));
      let best = time(numCalls);
      do best = Math.min(best, time(numCalls));
      while (performance.now() < endMs);
      result[part] = best;
    }
    tf.dispose(run.tensors);
    return result;
  },
};

/** Of one step, on the mean. */
export interface StepProfile {
  readonly stepMs: number;
  readonly times: readonly NodeTime[];
  /** Of activations, gradients and workspace. */
  readonly plannedBytes: number;
}

export type ProductPart = 'forward' | 'input' | 'filter';

export type ProductShape =
  | {
      readonly kind: 'conv';
      readonly batch: number;
      readonly side: number;
      readonly channels: number;
      readonly filters: number;
      readonly kernel: number;
      readonly stride: number;
      readonly padding: 'same' | 'valid';
    }
  | {
      readonly kind: 'dense';
      readonly batch: number;
      readonly inputs: number;
      readonly units: number;
    };

type Products = Record<ProductPart, () => tf.Tensor> & { readonly tensors: tf.Tensor[] };

function kernelCall(name: string, inputs: Record<string, tf.Tensor>, attrs: object): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap);
}

function convProducts(shape: Extract<ProductShape, { kind: 'conv' }>): Products {
  const { batch, side, channels, filters, kernel, stride, padding } = shape;
  const x = tf.randomUniform([batch, side, side, channels]);
  const filter = tf.randomUniform([kernel, kernel, channels, filters]);
  const attrs = { strides: stride, pad: padding, dataFormat: 'NHWC', dilations: 1 };
  const forward = () => kernelCall('Conv2D', { x, filter }, attrs);
  const dy = forward();
  return {
    tensors: [x, filter, dy],
    forward,
    input: () =>
      kernelCall('Conv2DBackpropInput', { dy, filter }, { ...attrs, inputShape: x.shape }),
    filter: () =>
      kernelCall('Conv2DBackpropFilter', { x, dy }, { ...attrs, filterShape: filter.shape }),
  };
}

function denseProducts({
  batch,
  inputs,
  units,
}: Extract<ProductShape, { kind: 'dense' }>): Products {
  const x = tf.randomUniform<tf.Rank.R2>([batch, inputs]);
  const weights = tf.randomUniform<tf.Rank.R2>([inputs, units]);
  const dy = tf.randomUniform<tf.Rank.R2>([batch, units]);
  return {
    tensors: [x, weights, dy],
    forward: () => tf.matMul(x, weights),
    input: () => tf.matMul(dy, weights, false, true),
    filter: () => tf.matMul(x, dy, true, false),
  };
}

export type BenchWorkerApi = typeof api;
expose(api);
