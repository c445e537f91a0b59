/**
 * Where the time of a training step goes on the CPU engine: a table for each network, a row for what
 * the engine does in one go.
 */
import { parseArgs } from 'node:util';
import { fuseNetwork, type Operation } from '../src/engine/simd/fusion.ts';
import { OPERATIONS, operationOf } from '../src/engine/simd/planOperations.ts';
import { formatShape } from '../src/network/layers.ts';
import { INPUT, type NetworkNode, type NetworkSpec, resolveNetwork } from '../src/network/spec.ts';
import { type BenchPage, openBenchBrowser } from './inBrowser.ts';
import { countThreads, defaultThreads, pickCount, pickSubjects, pickThreads } from './options.ts';
import type { StepProfile } from './page/bench.worker.ts';
import { NUM_CLASSES } from './subjects.ts';

const START_UP_MS = 2000;

export const summary = 'where the time of a training step goes, node by node, on the CPU engine';

export const help = `npm run bench -- profile [options]

W${summary.slice(1)}: milliseconds of a step, and GFLOP/s of the multiplications that the definition asks for
(3×3 convolutions may need fewer). What runs along with a node is named after it.

  --networks LIST    of netS, small, classic, deep, residualS, residualM; default: all
  --threads LIST     e.g. 1,2; default: as many as there are cores, at most eight
  --batch COUNT      default: 128
  --ms COUNT         to measure for, after as many steps as a quarter of it; default: 2000`;

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      networks: { type: 'string' },
      threads: { type: 'string', default: String(Math.max(...defaultThreads())) },
      batch: { type: 'string', default: '128' },
      ms: { type: 'string', default: '2000' },
    },
  });
  const subjects = pickSubjects(values.networks);
  const threads = pickThreads(values.threads);
  const batch = pickCount('batch', values.batch);
  const forMs = pickCount('ms', values.ms);
  const browser = await openBenchBrowser();
  try {
    for (const numThreads of threads) {
      const page = await browser.open({ backend: 'simd', numThreads });
      console.log(`\n${browser.version}, ${countThreads(numThreads)}, ${page.detail}`);
      // A page's threads do not keep up for a second or two: browsers compile what runs often anew.
      const [first] = subjects;
      if (first) await page.call('profile', first.spec, batch, START_UP_MS);
      for (const { spec } of subjects) await profile(page, spec, batch, forMs);
      await page.close();
    }
  } finally {
    await browser.close();
  }
}

async function profile(
  page: BenchPage,
  spec: NetworkSpec,
  batch: number,
  forMs: number,
): Promise<void> {
  const { stepMs, times, plannedBytes } = await page.call('profile', spec, batch, forMs);
  const network = resolveNetwork(spec, NUM_CLASSES);
  const operations = fuseNetwork(network, (kind) => operationOf(OPERATIONS, kind) !== null);
  const rows = operations.map((operation) => rowOf(operation, times, batch));
  const images = msOf(times, INPUT, 'forward');
  const optimizer = msOf(times, 'optimizer', 'backward');
  const named = images + optimizer + rows.reduce((sum, row) => sum + row.forward + row.backward, 0);
  const all: readonly Row[] = [
    { ...EMPTY, title: 'images', forward: images },
    ...rows,
    { ...EMPTY, title: 'optimizer', backward: optimizer },
    { ...EMPTY, title: 'all else', forward: Math.max(0, stepMs - named) },
    {
      title: 'step',
      forward: sum(rows, 'forward') + images,
      backward: sum(rows, 'backward') + optimizer,
      forwardFlop: sum(rows, 'forwardFlop'),
      backwardFlop: sum(rows, 'backwardFlop'),
    },
  ];
  const width = Math.max(...all.map(({ title }) => title.length));
  console.log(
    `\n${spec.title}, batch ${batch}: ${stepMs.toFixed(2)} ms a step, ` +
      `${((batch / stepMs) * 1000).toFixed(0)} images/s, ${(plannedBytes / 1e6).toFixed(0)} MB planned`,
  );
  const heads = ['forward ms', 'GFLOP/s', 'backward ms', 'GFLOP/s', '% of step'];
  console.log(`  ${''.padEnd(width)}${heads.map((head) => head.padStart(12)).join('')}`);
  for (const { title, forward, backward, forwardFlop, backwardFlop } of all) {
    const cells = [
      forward === 0 ? '' : forward.toFixed(3),
      rate(forwardFlop, forward),
      backward === 0 ? '' : backward.toFixed(3),
      rate(backwardFlop, backward),
      title === 'step' ? '' : (((forward + backward) / stepMs) * 100).toFixed(1),
    ];
    console.log(`  ${title.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join('')}`);
  }
}

interface Row {
  readonly title: string;
  /** Milliseconds. */
  readonly forward: number;
  readonly backward: number;
  readonly forwardFlop: number;
  readonly backwardFlop: number;
}

const EMPTY = { forward: 0, backward: 0, forwardFlop: 0, backwardFlop: 0 };

/** Kinds whose time goes into matrix products. */
const PRODUCTS: ReadonlySet<NetworkNode['kind']> = new Set(['conv', 'depthwiseConv', 'dense']);

function rowOf({ placed, riderNodes }: Operation, times: StepProfile['times'], batch: number): Row {
  const { node, shape, multiplyAdds } = placed;
  const flop = PRODUCTS.has(node.kind) ? 2 * batch * multiplyAdds : 0;
  const ids = [node.id, ...riderNodes.map((rider) => rider.node.id)].join(' + ');
  return {
    title: `${ids}, ${formatShape(shape)}`,
    forward: msOf(times, node.id, 'forward'),
    backward: msOf(times, node.id, 'backward'),
    forwardFlop: flop,
    // Of the weights and of what is read, which for the images nobody asks for.
    backwardFlop: node.from.includes(INPUT) ? flop : 2 * flop,
  };
}

function msOf(times: StepProfile['times'], id: string, direction: 'forward' | 'backward'): number {
  const time = times.find((other) => other.id === id && other.direction === direction);
  return time?.elapsedMs ?? 0;
}

function sum(rows: readonly Row[], field: Exclude<keyof Row, 'title'>): number {
  return rows.reduce((total, row) => total + row[field], 0);
}

function rate(flop: number, ms: number): string {
  return flop === 0 || ms === 0 ? '' : (flop / ms / 1e6).toFixed(1);
}
