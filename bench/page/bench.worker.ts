/**
 * Owns what is measured inside the browser: training steps and inference of one network on one
 * backend, and the kernels of the CPU backend one by one. Figures go back; tables are Node's.
 */
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import wasmUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import wasmSimdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import wasmThreadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import { expose } from 'comlink';
import type { SimdBackend } from '../../src/engine/simd/backend.ts';
import { registerSimdBackend } from '../../src/engine/simd/register.ts';
import { registerWasmKernels } from '../../src/engine/stock/wasmKernels.ts';
import { FASHION_MNIST, SIDE } from '../../src/fashion.ts';
import { createOptimizer, type Optimizer } from '../../src/ml/run/optimizer.ts';
import type { LayerSpec } from '../../src/ml/spec/network.ts';
import { buildModel, gradientsOf, oneHot } from './model.ts';

/** What runs the network. */
export interface System {
  readonly backend: 'simd' | 'wasm' | 'webgl';
  readonly numThreads: number;
  /** simd: with fused multiply-add (default: where the browser has it). */
  readonly relaxed?: boolean;
}

const DROPOUT = 0.3;

interface Prepared {
  readonly layers: readonly LayerSpec[];
  readonly model: tf.LayersModel;
  readonly optimizer: Optimizer;
}

const prepared = new Map<string, Prepared>();

function prepare(layers: readonly LayerSpec[]): Prepared {
  const key = JSON.stringify(layers);
  const known = prepared.get(key);
  if (known) return known;
  const model = buildModel(layers);
  const optimizer = createOptimizer(model.trainableWeights, { optimizer: 'adam', momentum: 0.9 });
  const made = { layers, model, optimizer };
  prepared.set(key, made);
  return made;
}

/** Random numbers in [0, 1): speed does not depend on what the pictures show. */
function noise(count: number): Float32Array {
  return new Float32Array(count).map(() => Math.random());
}

function makeStep({ layers, model, optimizer }: Prepared, batch: number): () => tf.Scalar {
  const pixels = noise(batch * SIDE * SIDE);
  const labels = Uint8Array.from(
    { length: batch },
    (_, row) => row % FASHION_MNIST.classNames.length,
  );
  const weights = model.trainableWeights;
  return () =>
    tf.tidy(() => {
      const x = tf.tensor4d(pixels, [batch, SIDE, SIDE, 1]);
      const values = weights.map((weight) => weight.read());
      const { value, grads } = gradientsOf(layers, values, x, oneHot(labels), DROPOUT);
      optimizer.step(grads, 1e-3);
      return value;
    });
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
  async train(layers: readonly LayerSpec[], batch: number, forMs: number): Promise<number> {
    const step = makeStep(prepare(layers), batch);
    step().dispose();
    return measure(step, batch, forMs);
  },

  /** Inference images a second. */
  async infer(layers: readonly LayerSpec[], batch: number, forMs: number): Promise<number> {
    const { model } = prepare(layers);
    const x = tf.tensor4d(noise(batch * SIDE * SIDE), [batch, SIDE, SIDE, 1]);
    const predict = () => model.predict(x, { batchSize: batch }) as tf.Tensor;
    predict().dispose();
    const rate = await measure(predict, batch, forMs);
    x.dispose();
    return rate;
  },

  /** Median milliseconds from the pixels of one picture to its probabilities in JavaScript. */
  async latency(layers: readonly LayerSpec[], numPictures: number): Promise<number> {
    const { model } = prepare(layers);
    const pixels = noise(SIDE * SIDE);
    const times: number[] = [];
    for (let i = 0; i < numPictures; i++) {
      const startMs = performance.now();
      const logits = tf.tidy(
        () => model.predict(tf.tensor4d(pixels, [1, SIDE, SIDE, 1])) as tf.Tensor,
      );
      await logits.data();
      times.push(performance.now() - startMs);
      logits.dispose();
    }
    return times.sort((a, b) => a - b)[numPictures >> 1] ?? Number.NaN;
  },

  /** Memory over `numSteps` training steps: bytes of WebAssembly and tensors, before and after. */
  async memory(
    layers: readonly LayerSpec[],
    batch: number,
    numSteps: number,
  ): Promise<{ bytes: [number, number]; tensors: [number, number] }> {
    const step = makeStep(prepare(layers), batch);
    for (let i = 0; i < 3; i++) step().dispose();
    const look = () => [simd().kernels.memoryBytes, tf.memory().numTensors] as const;
    const [bytesBefore, tensorsBefore] = look();
    for (let i = 0; i < numSteps; i++) step().dispose();
    const [bytesAfter, tensorsAfter] = look();
    return { bytes: [bytesBefore, bytesAfter], tensors: [tensorsBefore, tensorsAfter] };
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

export type ProductPart = 'forward' | 'input' | 'filter';

export type ProductShape =
  | {
      readonly kind: 'conv';
      readonly batch: number;
      readonly side: number;
      readonly channels: number;
      readonly filters: number;
      readonly kernel: number;
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
  const { batch, side, channels, filters, kernel, padding } = shape;
  const x = tf.randomUniform([batch, side, side, channels]);
  const filter = tf.randomUniform([kernel, kernel, channels, filters]);
  const attrs = { strides: 1, pad: padding, dataFormat: 'NHWC', dilations: 1 };
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
