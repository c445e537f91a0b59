/**
 * Memory of training on the CPU engine: that it does not grow with the number of steps, and how much
 * the largest preset takes. Fails where it grows or takes more than it may.
 */
import { parseArgs } from 'node:util';
import { openBenchBrowser } from './inBrowser.ts';
import { countThreads, defaultThreads, pickCount, pickSubjects } from './options.ts';

/** The largest preset at the batch size that people are offered first. */
const LARGEST = 'residualM';
const PEAK_BATCH = 128;
const PEAK_STEPS = 20;
const MAX_PEAK_BYTES = 600e6;

export const summary =
  'memory of training on the CPU engine: its growth over many steps, and its peak';

export const help = `npm run bench -- memory [options]

M${summary.slice(1)}.

  --networks LIST    to look for growth with; default: netS,residualM
  --steps COUNT      default: 2000
  --batch COUNT      of those steps; default: 16, since growth goes by steps
  --threads COUNT    default: as many as there are cores, at most eight`;

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      networks: { type: 'string', default: `netS,${LARGEST}` },
      steps: { type: 'string', default: '2000' },
      batch: { type: 'string', default: '16' },
      threads: { type: 'string', default: String(Math.max(...defaultThreads())) },
    },
  });
  const subjects = pickSubjects(values.networks);
  const numSteps = pickCount('steps', values.steps);
  const batch = pickCount('batch', values.batch);
  const numThreads = pickCount('threads', values.threads);
  const browser = await openBenchBrowser();
  try {
    console.log(`${browser.version}, ${countThreads(numThreads)}\n`);
    // First, while no other network has taken any.
    const [largest] = pickSubjects(LARGEST);
    if (!largest) throw new Error(`${LARGEST} is gone.`);
    const page = await browser.open({ backend: 'simd', numThreads });
    const peak = await page.call('memory', largest.spec, PEAK_BATCH, PEAK_STEPS);
    const inProcess = await browser.peakProcessBytes();
    await page.close();
    const isSmall = peak.bytes[1] < MAX_PEAK_BYTES;
    console.log(
      `Peak of ${largest.spec.title}, batch ${PEAK_BATCH}: ${megabytes(peak.bytes[1])} of WebAssembly` +
        `${inProcess === null ? '' : `, ${megabytes(inProcess)} in all of the page's process`}` +
        `${isSmall ? '' : `. TOO MUCH: at most ${megabytes(MAX_PEAK_BYTES)} of WebAssembly`}`,
    );
    if (!isSmall) process.exitCode = 1;

    for (const { spec } of subjects) {
      const own = await browser.open({ backend: 'simd', numThreads });
      const { bytes, tensors } = await own.call('memory', spec, batch, numSteps);
      await own.close();
      const isFlat = bytes[0] === bytes[1] && tensors[0] === tensors[1];
      console.log(
        `${spec.title}, batch ${batch}, ${numSteps.toLocaleString('en-GB')} steps: ` +
          `${bytes.map(megabytes).join(' → ')}, ${tensors.join(' → ')} tensors` +
          `${isFlat ? '' : '. IT GROWS'}`,
      );
      if (!isFlat) process.exitCode = 1;
    }
  } finally {
    await browser.close();
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
