/**
 * Training on WebGL measured: stock `model.fit`, our shaders and, where there is a checkout of it, an
 * earlier version, in turn in one run, on whatever WebGL the browser has. Then random networks beside
 * the `cpu` backend.
 *
 *   npm run bench -- webgl [--rounds 5] [--steps 4] [--batch 64] [--networks S,residualS] [--quick]
 *     [--before COMMIT|FOLDER] [--only speed|networks|operations|starts|long] [--seeds 40] [--without NAME,NAME]
 *
 * `--without` takes replacements away, of those that the first lines name.
 *
 * Machines drift by tens of percent from minute to minute: ratios within the run are what counts.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { ReplacementName } from '../src/engine/webgl/replacements.ts';
import { openCheckout } from './earlierVersion.ts';
import type { MeasuredName } from './webgl/networks.ts';
import type { DataWay, Who } from './webgl/page.ts';
import { openWebGLBrowser, type WebGLBrowser, type WebGLPage } from './webglPage.ts';

export const summary = 'training on WebGL: stock TensorFlow.js beside ours';

const TITLES: Readonly<Record<MeasuredName, string>> = {
  S: 'net S',
  SBatchNorm: 'net S with batch normalisation',
  tiny: 'a tiny net',
  small: 'Small',
  classic: 'Classic',
  deep: 'Deep',
  residualS: 'Residual S',
  residualM: 'Residual M',
};
const DATA_WAYS: Readonly<Record<DataWay, string>> = {
  slabs: 'gathered on the device',
  uploadAhead: 'uploaded ahead of need',
  upload: 'uploaded when needed',
};
const PARTS = ['speed', 'networks', 'operations', 'starts', 'long'] as const;
/** Of steps of random networks; half floats are not what is measured here. */
const MAX_ERROR = 1e-3;

export async function run(options: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...options],
    options: {
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '4' },
      batch: { type: 'string', default: '64' },
      networks: { type: 'string', default: 'small,classic,deep,residualS,S,SBatchNorm' },
      seeds: { type: 'string', default: '40' },
      before: { type: 'string' },
      only: { type: 'string', default: PARTS.join(',') },
      quick: { type: 'boolean', default: false },
      without: { type: 'string', default: '' },
    },
  });
  const rounds = values.quick ? Math.min(3, Number(values.rounds)) : Number(values.rounds);
  const numSteps = values.quick ? 1 : Number(values.steps);
  const parts = pick(PARTS, values.only);
  const names = pick(Object.keys(TITLES) as MeasuredName[], values.networks);
  const browser = await openWebGLBrowser('any');
  const before = values.before ? await openEarlier(values.before) : null;
  try {
    const page = await browser.open();
    const without = await readNames(page, values.without);
    const renderer = await page.call('start', { without });
    console.log(`${browser.version}; ${renderer}; Node ${process.version}`);
    await listReplacements(page, without);
    if (parts.includes('speed')) {
      const earlier = before && (await before.open());
      await earlier?.call('start', {});
      for (const name of names) {
        const settings = { name, batch: Number(values.batch), rounds, numSteps };
        await compareTraining(page, earlier, settings);
      }
      await earlier?.close();
    }
    if (parts.includes('operations')) {
      await compareOperations(page, rounds);
      if (!without.includes('TrainingStep')) {
        // Closer to each other than the machine is to itself: many short rounds.
        await compareDataWays(page, 'S', 64, rounds * 3, 1);
        await compareDataWays(page, 'tiny', 64, rounds * 5, numSteps * 5);
      }
    }
    if (parts.includes('networks')) await checkNetworks(page, Number(values.seeds));
    await page.close();
    if (parts.includes('starts')) await compareStarts(browser, rounds, without);
    if (parts.includes('long') && !without.includes('TrainingStep')) {
      const long = await browser.open();
      await long.call('start', { without });
      for (const name of ['S', 'graph'] as const)
        await trainLong(long, name, values.quick ? 50 : 300);
      await long.close();
    }
  } finally {
    await browser.close();
    await before?.close();
  }
}

function pick<Name extends string>(known: readonly Name[], text: string): Name[] {
  return text.split(',').map((name) => {
    const found = known.find((each) => each === name);
    if (!found) throw new RangeError(`There is no ${name}. There are: ${known.join(', ')}.`);
    return found;
  });
}

/**
 * The page of another checkout, with its own code and libraries.
 * @param before A folder or a commit; see `openCheckout`.
 */
async function openEarlier(before: string): Promise<Pick<WebGLBrowser, 'open' | 'close'>> {
  const { folder, remove } = await openCheckout(before);
  try {
    const module: { readonly openWebGLBrowser: typeof openWebGLBrowser } = await import(
      pathToFileURL(join(folder, 'bench/webglPage.ts')).href
    );
    const browser = await module.openWebGLBrowser('any');
    return {
      open: () => browser.open(),
      async close() {
        await browser.close().finally(remove);
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function compareOperations(page: WebGLPage, rounds: number): Promise<void> {
  console.log('\nOne operation, batch 64: ms, median (fastest – slowest)');
  for (const name of await page.call('operations')) {
    const times = await page.call('operation', name, 64, rounds);
    console.log(`  ${name.padEnd(36)}${line(times.stock)}${line(times.ours)}${ratio(times)}`);
  }
}

async function checkNetworks(page: WebGLPage, numSeeds: number): Promise<void> {
  let worst = { error: 0, text: '' };
  const failed: string[] = [];
  for (let seed = 1; seed <= numSeeds; seed++) {
    const batchSize = 4 + (seed % 5);
    const { error, at } = await page.call('checkStep', seed, { batchSize, isChanged: true });
    const text = `seed ${seed}, batch ${batchSize}: ${error.toExponential(1)} at the ${at}`;
    if (!(error <= worst.error)) worst = { error, text };
    if (!(error <= MAX_ERROR)) failed.push(text);
  }
  console.log(`\n${numSeeds} random networks beside the cpu backend: largest error, ${worst.text}`);
  for (const text of failed) console.log(`  FAILED ${text}`);
  if (failed.length > 0) process.exitCode = 1;
}

async function compareStarts(
  browser: WebGLBrowser,
  rounds: number,
  without: readonly ReplacementName[],
): Promise<void> {
  const starts = { checks: [] as number[], ours: [] as number[], stock: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const who of ['stock', 'ours'] as const) {
      const fresh = await browser.open();
      await fresh.call('start', { without });
      if (who === 'ours') starts.checks.push((await fresh.call('replaceKernels')).ms);
      starts[who].push((await fresh.call('train', who, 'S', 64, 1)).ms);
      await fresh.close();
    }
  }
  console.log(
    '\nFirst step of net S, batch 64, in a fresh context: ms, median (fastest – slowest)',
  );
  console.log(`  stock, compiling included            ${line(starts.stock)}`);
  console.log(`  ours, checking and compiling included${line(starts.ours)}`);
  console.log(`  before, when the engine starts: checks of kernels${line(starts.checks)}`);
}

async function trainLong(page: WebGLPage, name: 'S' | 'graph', count: number): Promise<void> {
  const { losses, tensors, bytes } = await page.call('trainLong', name, 8, count);
  console.log(
    `\n${count} steps of ${name === 'S' ? 'net S' : 'a small graph'}, batch 8: tensors ${tensors.join(' → ')}, ` +
      `GPU bytes ${bytes.map((each) => `${(each / 1e6).toFixed(1)} MB`).join(' → ')}, ` +
      `loss ${losses[0]?.toFixed(3)} → ${losses.at(-1)?.toFixed(3)}`,
  );
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
  earlier: WebGLPage | null,
  {
    name,
    batch,
    rounds,
    numSteps,
  }: {
    readonly name: MeasuredName;
    readonly batch: number;
    readonly rounds: number;
    readonly numSteps: number;
  },
): Promise<void> {
  // The version before has no networks that fork.
  const runners = [
    { title: 'stock', who: 'stock', page },
    ...(earlier && !name.startsWith('residual')
      ? [{ title: 'before', who: 'ours', page: earlier } as const]
      : []),
    { title: 'ours', who: 'ours', page },
  ] as const;
  const results = runners.map((runner) => ({ ...runner, rates: [] as number[], draws: 0 }));
  for (let round = -1; round < rounds; round++) {
    for (const result of results) {
      const once = await result.page.call('train', result.who, name, batch, numSteps);
      if (round < 0) {
        // Twice the steps less the steps: without what is drawn once a call.
        const twice = await result.page.call('train', result.who, name, batch, numSteps * 2);
        result.draws = (twice.draws - once.draws) / numSteps;
      } else {
        result.rates.push((1000 * batch * numSteps) / once.ms);
      }
    }
  }
  console.log(
    `\nTraining ${TITLES[name]}, batch ${batch}, Adam: images/s, median (slowest – fastest); draws a step`,
  );
  for (const { title, rates, draws } of results) {
    console.log(`  ${title.padEnd(8)}${line(rates)}${draws.toFixed(1).padStart(10)}`);
  }
  const ours = results.at(-1);
  for (const other of results.slice(0, -1)) {
    const speed = median(ours?.rates ?? []) / median(other.rates);
    const share = (100 * (ours?.draws ?? 0)) / other.draws;
    console.log(`  ${speed.toFixed(2)} × ${other.title}; ${share.toFixed(0)} % of the draws`);
  }
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
