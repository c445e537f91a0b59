/**
 * The rates of the CPU kernels (`npm run bench -- kernels`): GFLOP/s of every product of the measured
 * networks beside what one thread of this machine can multiply and add at all.
 */
import { formatShape } from '../src/network/layers.ts';
import { type PlacedNode, resolveNetwork } from '../src/network/spec.ts';
import { openBenchBrowser } from './inBrowser.ts';
import { defaultThreads } from './options.ts';
import type { ProductPart, ProductShape } from './page/bench.worker.ts';
import { NUM_CLASSES, SUBJECTS } from './subjects.ts';

const BATCH = 128;
const SHAPE_MS = 600;
const PARTS: readonly ProductPart[] = ['forward', 'input', 'filter'];

export const summary = 'GFLOP/s of every convolution and dense layer on the CPU engine';

export async function run(): Promise<void> {
  const browser = await openBenchBrowser();
  try {
    for (const numThreads of defaultThreads()) {
      const page = await browser.open({ backend: 'simd', numThreads });
      const peak = (await page.call('peak', 500)) * numThreads;
      console.log(
        `\n${numThreads} thread(s), ${page.detail}: peak ${peak.toFixed(0)} GFLOP/s. ` +
          `Batch ${BATCH}; GFLOP/s of the multiplications that the definition asks for, and their share ` +
          'of the peak. Above 100 %: 3×3 filters over 8 channels and more need a third of them.',
      );
      console.log(`  ${'layer'.padEnd(40)}${PARTS.map((part) => part.padStart(15)).join('')}`);
      for (const { title, shape, flop } of products()) {
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

interface Product {
  readonly title: string;
  readonly shape: ProductShape;
  /** For one batch. */
  readonly flop: number;
}

/** Every distinct product of the measured networks. */
function products(): Iterable<Product> {
  const found = new Map<string, Product>();
  for (const { spec } of SUBJECTS) {
    for (const placed of resolveNetwork(spec, NUM_CLASSES).nodes) {
      const product = productOf(placed);
      if (product) found.set(product.title, product);
    }
  }
  return found.values();
}

/** Null where a node multiplies no matrices. */
function productOf({ node, inputShapes, shape, multiplyAdds }: PlacedNode): Product | null {
  const flop = 2 * BATCH * multiplyAdds;
  const [input = []] = inputShapes;
  if (node.kind === 'dense') {
    const [inputs = 1] = input;
    const [units = 1] = shape;
    return {
      title: `dense ${inputs} → ${units}`,
      shape: { kind: 'dense', batch: BATCH, inputs, units },
      flop,
    };
  }
  if (node.kind !== 'conv') return null;
  const { size: kernel, stride, padding, filters } = node;
  const [side = 1, , channels = 1] = input;
  return {
    title: `conv ${kernel}×${kernel}, ${formatShape([side, side])}, ${channels} → ${filters}, ${padding}`,
    shape: { kind: 'conv', batch: BATCH, side, channels, filters, kernel, stride, padding },
    flop,
  };
}
