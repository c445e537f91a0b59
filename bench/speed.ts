/**
 * The speed comparison: training and inference of this version, an earlier one, PyTorch and stock
 * TensorFlow.js, all in one run on this machine.
 *
 * Machines drift by tens of percent from minute to minute, so the systems take turns in short blocks,
 * every other round backwards. The table shows the median of each system's blocks with their spread;
 * ratios are medians of the ratios within a round, and are what counts.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { NETWORK_PRESETS } from '../src/network/presets.ts';
import type { NetworkSpec } from '../src/network/spec.ts';
import { type EarlierVersion, openEarlierVersion } from './earlierVersion.ts';
import { type BenchBrowser, openBenchBrowser } from './inBrowser.ts';
import { countThreads, pickCount, pickNames, pickSubjects, pickThreads } from './options.ts';
import { PyTorch } from './pytorch.ts';

const TRAIN_BATCH = 128;
const INFER_BATCH = 256;
/** Before the first block of each system for a network, and before its first block of all. */
const WARM_UP_MS = 200;
const START_UP_MS = 2000;

/** Systems of one kind, at several numbers of threads. */
const FAMILIES = ['atelier', 'before', 'pytorch', 'channelsLast', 'tfjs', 'webgl'] as const;
type Family = (typeof FAMILIES)[number];

/** What can be measured; those that a system lacks it cannot do. */
interface Contender {
  readonly family: Family;
  readonly numThreads: number;
  readonly name: string;
  takes(network: NetworkSpec): boolean;
  train?(network: NetworkSpec, forMs: number): Promise<number>;
  infer?(network: NetworkSpec, forMs: number): Promise<number>;
  latency?(network: NetworkSpec, forMs: number): Promise<number>;
  /** So slow that one block of the first network must do. */
  readonly isSlow?: boolean;
}

type Task = 'train' | 'infer' | 'latency';

export const summary =
  'Training and inference beside an earlier version, PyTorch and TensorFlow.js';

export const help = `npm run bench -- speed [options]

T${summary.slice(1)}: images a second, medians of blocks in turn.

  --before COMMIT    an earlier version as one of the systems, driven by its own benchmark page;
                     checked out to build/ for this run, with a link to the packages installed here
                     where it asks for the same versions, else with its own by "npm ci"
  --before FOLDER    the same, from a checkout that has its node_modules; it stays as it is
  --networks LIST    of netS, small, classic, deep, residualS, residualM; default: all
  --systems LIST     of ${FAMILIES.join(', ')}; default: all.
                     "channelsLast" is PyTorch with that memory format, often its faster one
  --threads LIST     e.g. 1,2; default: one and as many as there are cores, at most eight
  --tasks LIST       of train, infer, latency; default: all (the last two for the classic network)
  --rounds COUNT     blocks of each system; default: 5
  --block COUNT      milliseconds of a block; default: 800
  --quick            two rounds of 500 ms, and no WebGL`;

const TASKS: readonly Task[] = ['train', 'infer', 'latency'];

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      before: { type: 'string' },
      networks: { type: 'string' },
      systems: { type: 'string' },
      threads: { type: 'string' },
      tasks: { type: 'string' },
      rounds: { type: 'string' },
      block: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  });
  const subjects = pickSubjects(values.networks);
  const threads = pickThreads(values.threads);
  const families = pickNames('system', FAMILIES, values.systems).filter(
    (family) => family !== 'webgl' || !values.quick,
  );
  const tasks = pickNames('task', TASKS, values.tasks);
  const rounds = pickCount('rounds', values.rounds ?? (values.quick ? '2' : '5'));
  const blockMs = pickCount('block', values.block ?? (values.quick ? '500' : '800'));

  const browser = await openBenchBrowser();
  const stops: (() => Promise<void>)[] = [];
  try {
    console.log(
      `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores; ${browser.version}; ` +
        `Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`,
    );
    const contenders: Contender[] = [];
    for (const family of families) {
      if (family === 'before') {
        if (values.before === undefined) continue;
        const version = await openEarlierVersion(values.before, browser);
        stops.push(() => version.remove());
        contenders.push(...(await enterEarlier(version, threads)));
      } else if (family === 'pytorch' || family === 'channelsLast') {
        contenders.push(...(await enterPyTorch(family, threads, stops)));
      } else contenders.push(...(await enterOurs(family, browser, threads)));
    }

    if (tasks.includes('train')) {
      for (const [index, { spec }] of subjects.entries()) {
        const title = `Training, ${spec.title}, batch ${TRAIN_BATCH}: images/s`;
        const able = contenders.filter(({ isSlow }) => !isSlow || index === 0);
        await compare(title, 'train', able, spec, rounds, blockMs);
      }
    }
    const { spec } = NETWORK_PRESETS.classic;
    if (tasks.includes('infer')) {
      const title = `Inference, ${spec.title}, batch ${INFER_BATCH}: images/s`;
      await compare(title, 'infer', contenders, spec, rounds, blockMs);
    }
    if (tasks.includes('latency')) {
      const title = `One image, ${spec.title}: ms`;
      await compare(title, 'latency', contenders, spec, rounds, blockMs);
    }
  } finally {
    for (const stop of stops) await stop();
    await browser.close();
  }
}

// ---- the systems ------------------------------------------------------------------------------

/** This version's engine, and stock TensorFlow.js on its own backends. */
async function enterOurs(
  family: 'atelier' | 'tfjs' | 'webgl',
  browser: BenchBrowser,
  threads: readonly number[],
): Promise<readonly Contender[]> {
  const backend = ({ atelier: 'simd', tfjs: 'wasm', webgl: 'webgl' } as const)[family];
  const counts = family === 'webgl' ? [1] : threads;
  return Promise.all(
    counts.map(async (numThreads): Promise<Contender> => {
      const page = await browser.open({ backend, numThreads });
      const names = {
        atelier: `Atelier, ${countThreads(numThreads)}, ${page.detail}`,
        tfjs: `TF.js ${page.detail} wasm, ${countThreads(numThreads)}, composed gradients`,
        webgl: `TF.js ${page.detail} webgl on software GL`,
      };
      const common = { family, numThreads, name: names[family], takes: () => true };
      if (family === 'webgl') {
        const train = (network: NetworkSpec) => page.call('train', network, TRAIN_BATCH, 1);
        return { ...common, train, isSlow: true };
      }
      return {
        ...common,
        train: (network, forMs) => page.call('train', network, TRAIN_BATCH, forMs),
        infer: (network, forMs) => page.call('infer', network, INFER_BATCH, forMs),
        latency: (network) => page.call('latency', network, family === 'atelier' ? 200 : 50),
      };
    }),
  );
}

async function enterEarlier(
  version: EarlierVersion,
  threads: readonly number[],
): Promise<readonly Contender[]> {
  return Promise.all(
    threads.map(async (numThreads): Promise<Contender> => {
      const page = await version.open(numThreads);
      return {
        family: 'before',
        numThreads,
        name: `Before (${version.commit}), ${countThreads(numThreads)}`,
        takes: (network) => page.takes(network),
        train: (network, forMs) => page.train(network, TRAIN_BATCH, forMs),
        infer: (network, forMs) => page.infer(network, INFER_BATCH, forMs),
        latency: (network) => page.latency(network, 200),
      };
    }),
  );
}

async function enterPyTorch(
  family: 'pytorch' | 'channelsLast',
  threads: readonly number[],
  stops: (() => Promise<void>)[],
): Promise<readonly Contender[]> {
  const contenders: Contender[] = [];
  const layout = family === 'pytorch' ? 'contiguous' : 'channelsLast';
  const suffix = family === 'pytorch' ? '' : ', channels last';
  for (const numThreads of threads) {
    const control = await PyTorch.start(numThreads, layout);
    if (!control) {
      console.log('PyTorch is not installed (python3-torch): left out.');
      break;
    }
    stops.push(async () => control.stop());
    contenders.push({
      family,
      numThreads,
      name: `PyTorch ${control.version}, ${countThreads(numThreads)}${suffix}`,
      takes: () => true,
      train: (network, forMs) => control.rate('train', network, TRAIN_BATCH, forMs),
      infer: (network, forMs) => control.rate('infer', network, INFER_BATCH, forMs),
    });
  }
  return contenders;
}

// ---- the comparison ---------------------------------------------------------------------------

/** Those that have run for a while. */
const started = new WeakSet<Contender>();

interface Entry {
  readonly contender: Contender;
  readonly results: number[];
}

async function compare(
  title: string,
  task: Task,
  contenders: readonly Contender[],
  network: NetworkSpec,
  rounds: number,
  blockMs: number,
): Promise<void> {
  const entries = contenders.flatMap((contender) => {
    const measure = contender.takes(network) ? contender[task] : undefined;
    if (!measure) return [];
    const block = (forMs: number) => measure(network, forMs);
    return [{ contender, block, results: [] as number[] }];
  });
  for (const { contender, block } of entries) {
    if (contender.isSlow) continue;
    // For a second or two after its start a page's threads do not keep up: browsers compile what
    // runs often once more.
    await block(started.has(contender) ? WARM_UP_MS : START_UP_MS);
    started.add(contender);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contender, block, results } of round % 2 ? entries.toReversed() : entries) {
      if (contender.isSlow && round > 0) continue;
      results.push(await block(blockMs));
    }
  }
  const width = Math.max(...entries.map(({ contender }) => contender.name.length));
  const columns = (['before', 'pytorch', 'channelsLast'] as const).filter((family) =>
    entries.some(({ contender }) => contender.family === family),
  );
  const heads = columns.map((family) => HEADS[family].padStart(11)).join('');
  console.log(`\n${title.padEnd(width + 32)}${heads}`);
  for (const entry of entries) {
    const { contender, results } = entry;
    const middle = median(results);
    const digits = middle < 20 ? 2 : 0;
    const show = (value: number) => value.toFixed(digits);
    const spread = `(${show(Math.min(...results))} – ${show(Math.max(...results))})`;
    const ratios = columns.map((family) => ratioTo(family, entry, entries).padStart(11)).join('');
    console.log(
      `  ${contender.name.padEnd(width)}${show(middle).padStart(9)}   ${spread.padEnd(18)}${ratios}`,
    );
  }
}

const HEADS = { before: '× before', pytorch: '× PyTorch', channelsLast: '× last' };

/** Of ours to another system with as many threads; empty for others and where there is none. */
function ratioTo(family: Family, { contender, results }: Entry, entries: readonly Entry[]): string {
  if (contender.family !== 'atelier') return '';
  const other = entries.find(
    (entry) =>
      entry.contender.family === family && entry.contender.numThreads === contender.numThreads,
  );
  if (!other) return '';
  return median(
    results.map((result, round) => result / (other.results[round] ?? Number.NaN)),
  ).toFixed(2);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}
