/**
 * Owns the measurement of training on WebGL: stock `model.fit` and our shaders in turn in one run, on
 * whatever WebGL the browser has.
 *
 *   npm run bench -- webgl [--rounds 5] [--steps 4] [--quick]
 *
 * Machines drift by tens of percent from minute to minute: ratios within the run are what counts.
 */
import { parseArgs } from 'node:util';
import type { MeasuredName } from './webgl/networks.ts';
import type { Who } from './webgl/page.ts';
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

export async function run(options: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...options],
    options: {
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '4' },
      quick: { type: 'boolean', default: false },
    },
  });
  const rounds = values.quick ? 3 : Number(values.rounds);
  const numSteps = values.quick ? 1 : Number(values.steps);
  const browser = await openWebGLBrowser('any');
  try {
    const page = await browser.open();
    const { renderer } = await page.call('start', {});
    console.log(`${browser.version}; ${renderer}; Node ${process.version}`);
    for (const { title, name, batch } of SUBJECTS) {
      await compareTraining(page, title, name, batch, rounds, numSteps);
    }
    console.log('\nOne operation, batch 64: ms, median (fastest – slowest)');
    for (const name of await page.call('operations')) {
      const times = await page.call('operation', name, 64, rounds);
      console.log(`  ${name.padEnd(36)}${line(times.stock)}${line(times.ours)}${ratio(times)}`);
    }
    await page.close();

    console.log('\nFirst step of net S, batch 64, in a fresh context: ms, compiling included');
    for (const who of SIDES) {
      const fresh = await browser.open();
      await fresh.call('start', {});
      const { ms } = await fresh.call('train', who, 'S', 64, 1);
      console.log(`  ${who.padEnd(8)}${ms.toFixed(0).padStart(8)}`);
      await fresh.close();
    }

    const long = await browser.open();
    await long.call('start', {});
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
