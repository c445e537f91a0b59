/**
 * Owns the speed comparison (`npm run bench -- speed [--quick]`): training and inference of ours,
 * stock TensorFlow.js and PyTorch, all in one run on this machine.
 *
 * Machines drift by tens of percent from minute to minute, so the systems take turns in short blocks
 * and the table shows the median of each system's blocks with their spread; ratios are what counts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { number, object, parse, string } from 'valibot';
import { type LayerSpec, NETWORKS } from '../src/ml/spec/network.ts';
import { openBenchBrowser } from './inBrowser.ts';

/** The net of the published comparisons: 15.8 MFLOP a picture, forward and backward. */
const NET_S: readonly LayerSpec[] = [
  { kind: 'conv', filters: 32, kernel: 3, padding: 'valid', activation: 'relu' },
  { kind: 'maxPool' },
  { kind: 'conv', filters: 64, kernel: 3, padding: 'valid', activation: 'relu' },
  { kind: 'maxPool' },
  { kind: 'flatten' },
  { kind: 'dense', units: 128, activation: 'relu' },
  { kind: 'dense', units: 10, activation: 'linear' },
];

const SUBJECTS: Readonly<Record<string, readonly LayerSpec[]>> = {
  'net S': NET_S,
  small: NETWORKS.small.layers,
  classic: NETWORKS.classic.layers,
  deep: NETWORKS.deep.layers,
};

const TRAIN_BATCH = 128;
const INFER_BATCH = 256;
const MEMORY_BATCH = 32;
/** Length of a block. */
const BLOCK_MS = 800;
const NUM_ROUNDS = 5;

/** Something that can be measured; absent methods are things it cannot do. */
interface Contender {
  readonly name: string;
  train?(layers: readonly LayerSpec[], forMs: number): Promise<number>;
  infer?(layers: readonly LayerSpec[], forMs: number): Promise<number>;
  latency?(layers: readonly LayerSpec[]): Promise<number>;
  /** So slow that one block of net S must do. */
  readonly isSlow?: boolean;
}

export const summary = 'Training and inference beside stock TensorFlow.js and PyTorch (--quick)';

export async function run(args: readonly string[]): Promise<void> {
  const isQuick = args.includes('--quick');
  const rounds = isQuick ? 2 : NUM_ROUNDS;
  const blockMs = isQuick ? 500 : BLOCK_MS;
  const cores = cpus().length;
  const browser = await openBenchBrowser();
  const controls: PyTorch[] = [];
  try {
    console.log(
      `${cpus()[0]?.model ?? 'unknown processor'}, ${cores} cores; ${browser.version}; ` +
        `Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`,
    );
    const contenders: Contender[] = [];
    const threadCounts = cores > 1 ? [1, Math.min(cores, 8)] : [1];
    const simd = await Promise.all(
      threadCounts.map(async (numThreads) => ({
        numThreads,
        page: await browser.open({ backend: 'simd', numThreads }),
      })),
    );
    for (const { numThreads, page } of simd) {
      contenders.push({
        name: `Atelier simd, ${plural(numThreads, 'thread')} (${page.detail})`,
        train: (layers, forMs) => page.call('train', layers, TRAIN_BATCH, forMs),
        infer: (layers, forMs) => page.call('infer', layers, INFER_BATCH, forMs),
        latency: (layers) => page.call('latency', layers, 200),
      });
    }
    for (const numThreads of threadCounts) {
      const control = await PyTorch.start(numThreads);
      if (!control) {
        console.log('PyTorch is not installed (python3-torch): left out.');
        break;
      }
      controls.push(control);
      contenders.push({
        name: `PyTorch ${control.version}, ${plural(numThreads, 'thread')}`,
        train: (layers, forMs) => control.rate('train', layers, TRAIN_BATCH, forMs),
        infer: (layers, forMs) => control.rate('infer', layers, INFER_BATCH, forMs),
      });
    }
    for (const numThreads of threadCounts) {
      const page = await browser.open({ backend: 'wasm', numThreads });
      contenders.push({
        name: `TF.js ${page.detail} wasm, ${plural(numThreads, 'thread')}, composed gradients`,
        train: (layers, forMs) => page.call('train', layers, TRAIN_BATCH, forMs),
        infer: (layers, forMs) => page.call('infer', layers, INFER_BATCH, forMs),
        latency: (layers) => page.call('latency', layers, 50),
      });
    }
    if (!isQuick) {
      const page = await browser.open({ backend: 'webgl', numThreads: 1 });
      contenders.push({
        name: `TF.js ${page.detail} webgl on software GL`,
        isSlow: true,
        train: (layers) => page.call('train', layers, TRAIN_BATCH, 1),
      });
    }

    for (const [subject, layers] of Object.entries(SUBJECTS)) {
      await compare(
        `Training, ${subject}, batch ${TRAIN_BATCH}: images/s`,
        contenders.filter(({ isSlow }) => !isSlow || layers === NET_S),
        ({ train }) => train && (() => train(layers, blockMs)),
        rounds,
      );
    }
    await compare(
      `Inference, classic, batch ${INFER_BATCH}: images/s`,
      contenders,
      ({ infer }) => infer && (() => infer(SUBJECTS.classic ?? [], blockMs)),
      rounds,
    );
    await compare(
      'One picture, classic: ms',
      contenders,
      ({ latency }) => latency && (() => latency(SUBJECTS.classic ?? [])),
      rounds,
    );

    const steps = isQuick ? 200 : 2000;
    // Small batches: what is looked for here is growth with the number of steps.
    for (const { numThreads, page } of simd.slice(-1)) {
      const { bytes, tensors } = await page.call('memory', NET_S, MEMORY_BATCH, steps);
      console.log(
        `\nMemory, net S, batch ${MEMORY_BATCH}, ${plural(numThreads, 'thread')}: ` +
          `${bytes.map((count) => (count / 1e6).toFixed(0)).join(' → ')} MB and ` +
          `${tensors.join(' → ')} tensors over ${steps} steps (all networks above included)`,
      );
    }
  } finally {
    for (const control of controls) control.stop();
    await browser.close();
  }
}

/** Blocks in turn; then median, spread, and the ratio to the first contender. */
async function compare(
  title: string,
  contenders: readonly Contender[],
  taskOf: (contender: Contender) => (() => Promise<number>) | undefined,
  rounds: number,
): Promise<void> {
  const entries = contenders.flatMap((contender) => {
    const task = taskOf(contender);
    return task ? [{ contender, task, results: [] as number[] }] : [];
  });
  for (let round = 0; round < rounds; round++) {
    for (const { contender, task, results } of entries) {
      if (contender.isSlow && round > 0) continue;
      results.push(await task());
    }
  }
  console.log(`\n${title}`);
  const width = Math.max(...entries.map(({ contender }) => contender.name.length));
  for (const { contender, results } of entries) {
    const sorted = results.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1] ?? Number.NaN;
    const digits = median < 20 ? 2 : 0;
    const show = (value: number | undefined) => (value ?? Number.NaN).toFixed(digits);
    console.log(
      `  ${contender.name.padEnd(width)}  ${show(median).padStart(8)}` +
        `   (${show(sorted[0])} – ${show(sorted.at(-1))})`,
    );
  }
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const Started = object({ version: string() });
const Rate = object({ rate: number() });

/** PyTorch in a process of its own, asked line by line. */
class PyTorch {
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #ask: (command: object) => Promise<unknown>;

  private constructor(
    process: ChildProcess,
    ask: (command: object) => Promise<unknown>,
    version: string,
  ) {
    this.#process = process;
    this.#ask = ask;
    this.version = version;
  }

  /** Null where there is no Python or no PyTorch. */
  static async start(numThreads: number): Promise<PyTorch | null> {
    for (const python of ['/usr/bin/python3', 'python3']) {
      const child = spawn(python, [join(import.meta.dirname, 'pytorch.py')], {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { ...process.env, OMP_NUM_THREADS: String(numThreads) },
      });
      const isGone = new Promise<null>((resolve) => {
        child.once('error', () => resolve(null));
        child.once('exit', () => resolve(null));
      });
      child.stdin.on('error', () => {});
      const lines = createInterface({ input: child.stdout });
      const ask = async (command: object): Promise<unknown> => {
        const answer = once(lines, 'line');
        child.stdin.write(`${JSON.stringify(command)}\n`);
        const [line] = await answer;
        return JSON.parse(String(line));
      };
      const started = await Promise.race([ask({ do: 'start', threads: numThreads }), isGone]);
      if (started) return new PyTorch(child, ask, parse(Started, started).version);
    }
    return null;
  }

  /** Images a second. */
  async rate(
    task: 'train' | 'infer',
    layers: readonly LayerSpec[],
    batch: number,
    ms: number,
  ): Promise<number> {
    return parse(Rate, await this.#ask({ do: task, layers, batch, ms })).rate;
  }

  stop(): void {
    this.#process.kill();
  }
}
