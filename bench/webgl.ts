/**
 * Owns the measurement of training on WebGL: stock `model.fit` and our shaders in turn in one run, on
 * whatever WebGL the browser has.
 *
 *   npm run bench -- webgl [--rounds 5] [--steps 4] [--quick] [--without NAME,NAME]
 *
 * `--without` takes replacements away, of those that the first lines name.
 *
 * Machines drift by tens of percent from minute to minute: ratios within the run are what counts.
 */
import { parseArgs } from 'node:util';
import type { ReplacementName } from '../src/engine/webgl/replacements.ts';
import type { MeasuredName } from './webgl/networks.ts';
import type { DataWay, Who } from './webgl/page.ts';
import { openWebGLBrowser, type WebGLPage } from './webglPage.ts';

export const summary = 'training on WebGL: stock TensorFlow.js beside ours';

const SUBJECTS: readonly {
  readonly title: string;
  readonly name: MeasuredName;
  readonly batch: number;
}[] = [
  { title: 'net S, batch 64', name: 'S', batch: 64 },
  { title: 'net S, batch 128', name: 'S', batch: 128 },
  { title: 'net S with batch normalisation, batch 64', name: 'SBatchNorm', batch: 64 },
];
const SIDES = ['stock', 'ours'] as const;
const DATA_WAYS: Readonly<Record<DataWay, string>> = {
  slabs: 'gathered on the device',
  uploadAhead: 'uploaded ahead of need',
  upload: 'uploaded when needed',
};

export async function run(options: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...options],
    options: {
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '4' },
      quick: { type: 'boolean', default: false },
      without: { type: 'string', default: '' },
    },
  });
  const rounds = values.quick ? 3 : Number(values.rounds);
  const numSteps = values.quick ? 1 : Number(values.steps);
  const browser = await openWebGLBrowser('any');
  try {
    const page = await browser.open();
    const without = await readNames(page, values.without);
    const renderer = await page.call('start', { without });
    console.log(`${browser.version}; ${renderer}; Node ${process.version}`);
    await listReplacements(page, without);
    for (const { title, name, batch } of SUBJECTS) {
      await compareTraining(page, title, name, batch, rounds, numSteps);
    }
    console.log('\nOne operation, batch 64: ms, median (fastest – slowest)');
    for (const name of await page.call('operations')) {
      const times = await page.call('operation', name, 64, rounds);
      console.log(`  ${name.padEnd(36)}${line(times.stock)}${line(times.ours)}${ratio(times)}`);
    }
    if (!without.includes('TrainingStep')) {
      // Closer to each other than the machine is to itself: many short rounds.
      await compareDataWays(page, 'S', 64, rounds * 3, 1);
      await compareDataWays(page, 'tiny', 64, rounds * 5, numSteps * 5);
    }
    await page.close();

    console.log(
      '\nFirst step of net S, batch 64, in a fresh context: ms, median (fastest – slowest)',
    );
    const starts = { checks: [] as number[], ours: [] as number[], stock: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const who of SIDES) {
        const fresh = await browser.open();
        await fresh.call('start', { without });
        if (who === 'ours') starts.checks.push((await fresh.call('replaceKernels')).ms);
        starts[who].push((await fresh.call('train', who, 'S', 64, 1)).ms);
        await fresh.close();
      }
    }
    console.log(`  stock, compiling included            ${line(starts.stock)}`);
    console.log(`  ours, checking and compiling included${line(starts.ours)}`);
    console.log(`  before, when the engine starts: checks of kernels${line(starts.checks)}`);

    if (without.includes('TrainingStep')) return;
    const long = await browser.open();
    await long.call('start', { without });
    const count = values.quick ? 50 : 500;
    const { losses, tensors, bytes } = await long.call('train500', 'S', 8, count);
    console.log(
      `\n${count} steps of net S, batch 8: tensors ${tensors.join(' → ')}, ` +
        `GPU bytes ${bytes.map((each) => `${(each / 1e6).toFixed(1)} MB`).join(' → ')}, ` +
        `loss ${losses[0]?.toFixed(3)} → ${losses.at(-1)?.toFixed(3)}`,
    );
    await long.close();
  } finally {
    await browser.close();
  }
}

async function readNames(page: WebGLPage, text: string): Promise<ReplacementName[]> {
  const known = await page.call('replacementNames');
  return text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const found = known.find((each) => each === name);
      if (!found) throw new RangeError(`There is no ${name}. There are: ${known.join(', ')}.`);
      return found;
    });
}

/** Which replacements are on, and why others are not. */
async function listReplacements(
  page: WebGLPage,
  without: readonly ReplacementName[],
): Promise<void> {
  const { ms, standings } = await page.call('replaceKernels');
  const kernels = new Map<ReplacementName, (typeof standings)[number][1]>(standings);
  console.log(`Replacements (kernels checked in ${ms.toFixed(0)} ms, compiling included):`);
  for (const name of await page.call('replacementNames')) {
    const { standing, gain } = kernels.get(name) ?? {
      standing: without.includes(name) ? 'removed' : 'used',
      gain: null,
    };
    const speed = gain === null ? '' : `, ${gain.toFixed(2)} × stock in a short race`;
    console.log(`  ${name.padEnd(22)}${standing}${speed}`);
  }
}

/** Steps of ours on a data set of 60,000, by the way that batches take to the device. */
async function compareDataWays(
  page: WebGLPage,
  name: MeasuredName,
  batch: number,
  rounds: number,
  numSteps: number,
): Promise<void> {
  const ways = Object.keys(DATA_WAYS) as DataWay[];
  const rates = new Map<DataWay, number[]>();
  const scripts = new Map<DataWay, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const way of ways) {
      const { ms, scriptMs } = await page.call('trainOnData', way, name, batch, numSteps);
      if (round < 0) continue;
      rates.set(way, [...(rates.get(way) ?? []), (1000 * batch * numSteps) / ms]);
      scripts.set(way, [...(scripts.get(way) ?? []), scriptMs / numSteps]);
    }
  }
  console.log(
    `\nBatches of ${batch} for net ${name}: images/s, median (slowest – fastest); ms of script a step`,
  );
  for (const way of ways) {
    const title = DATA_WAYS[way].padEnd(24);
    console.log(`  ${title}${line(rates.get(way) ?? [])}${line(scripts.get(way) ?? [])}`);
  }
}

async function compareTraining(
  page: WebGLPage,
  title: string,
  name: MeasuredName,
  batch: number,
  rounds: number,
  numSteps: number,
): Promise<void> {
  const rates: Record<Who, number[]> = { stock: [], ours: [] };
  const draws: Record<Who, number> = { stock: 0, ours: 0 };
  for (let round = -1; round < rounds; round++) {
    for (const who of SIDES) {
      const once = await page.call('train', who, name, batch, numSteps);
      if (round < 0) {
        // Twice the steps less the steps: without what is drawn once a call.
        const twice = await page.call('train', who, name, batch, numSteps * 2);
        draws[who] = (twice.draws - once.draws) / numSteps;
      } else {
        rates[who].push((1000 * batch * numSteps) / once.ms);
      }
    }
  }
  console.log(`\nTraining ${title}, Adam: images/s, median (slowest – fastest); draws a step`);
  for (const who of SIDES) {
    console.log(`  ${who.padEnd(8)}${line(rates[who])}${draws[who].toFixed(1).padStart(10)}`);
  }
  const speed = median(rates.ours) / median(rates.stock);
  const share = (100 * draws.ours) / draws.stock;
  console.log(`  ${speed.toFixed(2)} × stock; ${share.toFixed(0)} % of the draws`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function line(values: readonly number[]): string {
  const show = (value: number) => value.toFixed(value < 10 ? 1 : 0);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${show(median(values)).padStart(8)}${`(${show(least)} – ${show(most)})`.padStart(16)}`;
}

function ratio({ stock, ours }: Readonly<Record<Who, readonly number[]>>): string {
  return `${(median(stock) / median(ours)).toFixed(2).padStart(8)} ×`;
}
