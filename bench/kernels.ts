/**
 * Owns the profile of the CPU kernels (`npm run bench -- kernels`): GFLOP/s of every product of the
 * shipped networks beside what one thread of this machine can multiply and add at all.
 */
import { cpus } from 'node:os';
import { SIDE } from '../src/fashion.ts';
import { type LayerSpec, NETWORKS } from '../src/ml/spec/network.ts';
import { openBenchBrowser } from './inBrowser.ts';
import type { ProductPart, ProductShape } from './page/bench.worker.ts';

const BATCH = 128;
const SHAPE_MS = 600;
const PARTS: readonly ProductPart[] = ['forward', 'input', 'filter'];

export const summary = 'GFLOP/s of every convolution and dense layer on the CPU backend';

export async function run(): Promise<void> {
  const browser = await openBenchBrowser();
  try {
    const threadCounts = cpus().length > 1 ? [1, Math.min(cpus().length, 8)] : [1];
    for (const numThreads of threadCounts) {
      const page = await browser.open({ backend: 'simd', numThreads });
      const peak = (await page.call('peak', 500)) * numThreads;
      console.log(
        `\n${numThreads} thread(s), ${page.detail}: peak ${peak.toFixed(0)} GFLOP/s. ` +
          `Batch ${BATCH}; GFLOP/s of the multiplications that the definition asks for, and their share ` +
          'of the peak. Above 100 %: 3×3 filters over 8 channels and more need a third of them.',
      );
      console.log(`  ${'layer'.padEnd(40)}${PARTS.map((part) => part.padStart(15)).join('')}`);
      for (const [title, shape, flop] of products()) {
        const times = await page.call('product', shape, SHAPE_MS);
        const cells = PARTS.map((part) => {
          const rate = flop / times[part] / 1e6;
          return `${rate.toFixed(1)} (${((rate / peak) * 100).toFixed(0)} %)`.padStart(15);
        });
        console.log(`  ${title.padEnd(40)}${cells.join('')}`);
      }
    }
  } finally {
    await browser.close();
  }
}

/** Every distinct product of the shipped networks, with its FLOP for one batch. */
function products(): [title: string, shape: ProductShape, flop: number][] {
  const found = new Map<string, [string, ProductShape, number]>();
  for (const { layers } of Object.values(NETWORKS)) {
    for (const product of productsOf(layers)) found.set(product[0], product);
  }
  return [...found.values()];
}

function productsOf(layers: readonly LayerSpec[]): [string, ProductShape, number][] {
  const result: [string, ProductShape, number][] = [];
  let side = SIDE;
  let channels = 1;
  let units = 0;
  for (const layer of layers) {
    if (layer.kind === 'conv') {
      const { filters, kernel, padding } = layer;
      const outSide = padding === 'same' ? side : side - kernel + 1;
      result.push([
        `conv ${kernel}×${kernel}, ${side}×${side}, ${channels} → ${filters}`,
        { kind: 'conv', batch: BATCH, side, channels, filters, kernel, padding },
        2 * BATCH * outSide * outSide * kernel * kernel * channels * filters,
      ]);
      side = outSide;
      channels = filters;
    } else if (layer.kind === 'maxPool') {
      side = Math.floor(side / 2);
    } else if (layer.kind === 'flatten') {
      units = side * side * channels;
    } else if (layer.kind === 'globalAveragePool') {
      units = channels;
    } else if (layer.kind === 'dense') {
      result.push([
        `dense ${units} → ${layer.units}`,
        { kind: 'dense', batch: BATCH, inputs: units, units: layer.units },
        2 * BATCH * units * layer.units,
      ]);
      units = layer.units;
    }
  }
  return result;
}
