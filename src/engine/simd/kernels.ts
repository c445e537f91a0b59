/**
 * The WebAssembly side of the CPU engine: which of the four binaries this browser can run, the
 * memory, the helper threads, and typed access to the kernels' exports. The kernels themselves are
 * in assembly/; `npm run build:kernels` compiles them.
 */
import { Allocator } from './allocator.ts';

/** What one helper thread needs to serve; see kernels.worker.ts. */
export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly index: number;
  readonly numThreads: number;
}

/** A running helper thread. */
export interface Thread {
  terminate(): void;
}

export interface KernelOptions {
  /** Threads in all, the calling one included. More than 1 needs a cross-origin isolated page. */
  readonly numThreads?: number;
  /** Use fused multiply-add where the machine has it (default: if it can be compiled). */
  readonly relaxed?: boolean;
  /** Reads a binary of build/; default: fetch, beside this module. */
  readonly loadBinary?: (name: string) => Promise<BufferSource>;
  /** Starts a helper thread; default: a module worker. */
  readonly startThread?: (start: ThreadStart) => Thread;
}

type Kernel = (...args: number[]) => number;

/** The exports of assembly/index.ts, where arguments are explained. Pointers are byte addresses. */
const EXPORT_NAMES = [
  'activate',
  'activateGradient',
  'adam',
  'argReduce',
  'averagePool',
  'averagePoolGradient',
  'binary',
  'blend',
  'channelMoments',
  'convFilterGradient',
  'convFilterGradientWorkspace',
  'convForward',
  'convForwardWorkspace',
  'convInputGradient',
  'convInputGradientWorkspace',
  'convScratch',
  'convShape',
  'copyLayout',
  'crossEntropyStep',
  'depthwiseFilterGradient',
  'depthwiseForward',
  'depthwiseInputGradient',
  'depthwiseWorkspace',
  'dropout',
  'factorGradient',
  'fill',
  'firstConvForward',
  'firstConvGradient',
  'firstConvScratch',
  'firstConvWorkspace',
  'globalMax',
  'globalMaxGradient',
  'initThread',
  'matMul',
  'matMulScratch',
  'matMulWorkspace',
  'maxPool',
  'maxPoolGradient',
  'mixImages',
  'normWorkspace',
  'normalize',
  'normalizeGradient',
  'peakLoop',
  'prepareImages',
  'reduce',
  'reduceWorkspace',
  'scaleChannels',
  'setScratch',
  'sgd',
  'softmax',
  'spreadChannels',
  'squaresWorkspace',
  'stridedCopy',
  'sumOfSquares',
  'unary',
] as const;

export type KernelExports = Readonly<Record<(typeof EXPORT_NAMES)[number], Kernel>>;

/** The binaries declare this maximum; a browser may only grant less. */
const MAX_PAGES = [65536, 32768, 16384];

/** Below lie the block that threads share and the module's static data. */
const HEAP_START = 65536;

// The smallest modules that use the feature in question (from the WebAssembly spec's encoding).
const SIMD_PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
];
const RELAXED_SIMD_PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15,
  65, 2, 253, 15, 253, 128, 2, 11,
];

/** What this browser can run. */
export interface KernelSupport {
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Shared memory for threads: the page must be cross-origin isolated. */
  readonly threads: boolean;
}

/** Looks without side effects; without `simd` the backend cannot be registered. */
export function kernelSupport(): KernelSupport {
  const compiles = (bytes: number[]) =>
    typeof WebAssembly === 'object' && WebAssembly.validate(new Uint8Array(bytes));
  return {
    simd: compiles(SIMD_PROBE),
    relaxedSimd: compiles(RELAXED_SIMD_PROBE),
    threads: typeof SharedArrayBuffer === 'function' && globalThis.crossOriginIsolated === true,
  };
}

/** Threads worth having here: the cores, at most 8; 1 where memory cannot be shared. */
export function defaultNumThreads(): number {
  if (!kernelSupport().threads) return 1;
  // Past eight the convolutions of small pictures run out of chunks, and phones out of battery.
  return Math.max(1, Math.min(8, globalThis.navigator?.hardwareConcurrency ?? 1));
}

/** The kernels, loaded, with their memory and threads. */
export class Kernels {
  readonly exports: KernelExports;
  readonly allocator: Allocator;
  readonly numThreads: number;
  /** Whether products are added with fused multiply-add. */
  readonly relaxed: boolean;
  readonly #memory: WebAssembly.Memory;
  readonly #threads: readonly Thread[];
  #f32: Float32Array;
  #i32: Int32Array;
  #u8: Uint8Array;
  #workspace = { start: 0, bytes: 0 };
  #scratch = { start: 0, bytes: 0 };

  private constructor(
    exports: KernelExports,
    memory: WebAssembly.Memory,
    threads: readonly Thread[],
    relaxed: boolean,
  ) {
    this.exports = exports;
    this.#memory = memory;
    this.#threads = threads;
    this.numThreads = threads.length + 1;
    this.relaxed = relaxed;
    this.allocator = new Allocator(memory, HEAP_START);
    this.#f32 = new Float32Array(memory.buffer);
    this.#i32 = new Int32Array(memory.buffer);
    this.#u8 = new Uint8Array(memory.buffer);
  }

  /**
   * Compiles the kernels and starts the helper threads.
   *
   * @throws Error where the browser has no WebAssembly SIMD or the binary does not arrive
   */
  static async load(options: KernelOptions = {}): Promise<Kernels> {
    const support = kernelSupport();
    if (!support.simd) throw new Error('This browser has no WebAssembly SIMD.');
    const numThreads = options.numThreads ?? defaultNumThreads();
    const relaxed = options.relaxed ?? support.relaxedSimd;
    const name = `kernels${relaxed ? '.relaxed' : ''}${numThreads > 1 ? '.threads' : ''}.wasm`;
    const module = await WebAssembly.compile(await (options.loadBinary ?? fetchBinary)(name));
    const memory = numThreads > 1 ? sharedMemory() : new WebAssembly.Memory({ initial: 2 });
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    const exports = checkedExports(instance);
    exports.initThread(0, numThreads, mayBlock() ? 1 : 0);
    const startThread = options.startThread ?? startWorker;
    const threads: Thread[] = [];
    for (let index = 1; index < numThreads; index++) {
      threads.push(startThread({ module, memory, index, numThreads }));
    }
    return new Kernels(exports, memory, threads, relaxed);
  }

  /** The memory as 32-bit floats. Good until the next allocation. */
  get f32(): Float32Array {
    if (this.#f32.buffer !== this.#memory.buffer) this.#f32 = new Float32Array(this.#memory.buffer);
    return this.#f32;
  }

  /** The memory as 32-bit integers. Good until the next allocation. */
  get i32(): Int32Array {
    if (this.#i32.buffer !== this.#memory.buffer) this.#i32 = new Int32Array(this.#memory.buffer);
    return this.#i32;
  }

  /** The memory as bytes. Good until the next allocation. */
  get u8(): Uint8Array {
    if (this.#u8.buffer !== this.#memory.buffer) this.#u8 = new Uint8Array(this.#memory.buffer);
    return this.#u8;
  }

  /** Bytes of memory that the browser has given us. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Whether an array is a view of this memory, old or new. */
  owns(array: ArrayBufferView): boolean {
    return array.buffer === this.#memory.buffer || array.buffer === this.#f32.buffer;
  }

  /** Memory that one kernel call may use and the next may overwrite. */
  workspace(bytes: number): number {
    if (bytes > this.#workspace.bytes) {
      if (this.#workspace.start) this.allocator.free(this.#workspace.start);
      this.#workspace = { start: this.allocator.allocate(bytes), bytes };
    }
    return this.#workspace.start;
  }

  /** Sees to it that every thread has `bytes` of scratch memory of its own. */
  ensureScratch(bytes: number): void {
    if (bytes <= this.#scratch.bytes) return;
    // A power of two: shapes change from layer to layer, and this should settle at once.
    const perThread = 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)));
    if (this.#scratch.start) this.allocator.free(this.#scratch.start);
    const start = this.allocator.allocate(perThread * this.numThreads);
    this.#scratch = { start, bytes: perThread };
    this.exports.setScratch(start, perThread);
  }

  /** Ends the helper threads. The calling thread can go on alone. */
  dispose(): void {
    for (const thread of this.#threads) thread.terminate();
    this.exports.initThread(0, 1, mayBlock() ? 1 : 0);
  }
}

function checkedExports(instance: WebAssembly.Instance): KernelExports {
  for (const name of EXPORT_NAMES) {
    if (typeof instance.exports[name] !== 'function') {
      throw new Error(`The CPU kernels lack "${name}": rebuild them with npm run build:kernels.`);
    }
  }
  // Checked above; TypeScript cannot know the signatures of a binary.
  return instance.exports as KernelExports;
}

async function fetchBinary(name: string): Promise<BufferSource> {
  const url = BINARY_URLS[name];
  if (!url) throw new Error(`There is no CPU kernel binary "${name}".`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The CPU kernels did not arrive: ${url}, ${response.status}.`);
  return response.arrayBuffer();
}

// Spelled out, so that the bundler sees four files and not a pattern.
const BINARY_URLS: Readonly<Record<string, URL>> = {
  'kernels.wasm': new URL('./build/kernels.wasm', import.meta.url),
  'kernels.relaxed.wasm': new URL('./build/kernels.relaxed.wasm', import.meta.url),
  'kernels.threads.wasm': new URL('./build/kernels.threads.wasm', import.meta.url),
  'kernels.relaxed.threads.wasm': new URL('./build/kernels.relaxed.threads.wasm', import.meta.url),
};

function sharedMemory(): WebAssembly.Memory {
  for (const maximum of MAX_PAGES) {
    try {
      return new WebAssembly.Memory({ initial: 2, maximum, shared: true });
    } catch {
      // Less address space, then.
    }
  }
  throw new Error('This browser grants no shared memory of a gigabyte.');
}

/** A page's main thread may not sleep; workers and Node may. */
function mayBlock(): boolean {
  return typeof document === 'undefined';
}

function startWorker(start: ThreadStart): Thread {
  const worker = new Worker(new URL('./kernels.worker.ts', import.meta.url), {
    type: 'module',
    name: `kernels ${start.index}`,
  });
  worker.postMessage(start);
  return worker;
}
