/**
 * Owns the conformance run (`npm run bench -- specs`): TensorFlow.js's own tests of its operations,
 * gradients and optimizers on the 'simd' backend, in the browser, with both binaries, and those of
 * convolution, pooling and normalisation on WebGL with our kernels.
 */
import { openBenchBrowser } from './inBrowser.ts';
import type { SpecResult, SpecRun } from './page/specs.ts';

/** Parts of the full names of specs that are not run, each with its reason. */
const SKIPPED: Readonly<Record<string, string>> = {
  'draw on canvas context':
    'asks for a canvas context with the name of the backend; ours draws through a 2D context, as cpu does',
};

export const summary = "TensorFlow.js's own tests on our kernels";

const RUNS: readonly (Omit<SpecRun, 'skipped'> & { readonly title: string })[] = [
  { title: 'Fused multiply-add', system: 'relaxed', files: '' },
  { title: 'Plain SIMD', system: 'plain', files: '' },
  { title: 'WebGL', system: 'webgl', files: '(conv2d|pool|batchnorm)[^/]*_test' },
];

/** @param options Titles of the runs wanted; none: all. */
export async function run(options: readonly string[]): Promise<void> {
  const browser = await openBenchBrowser('specs.html');
  const wanted = RUNS.filter(({ title }) => options.length === 0 || options.includes(title));
  let numFailed = 0;
  try {
    for (const { title, system, files } of wanted) {
      const results: SpecResult[] = await browser.evaluate((each) => globalThis.runSpecs(each), {
        system,
        files,
        skipped: Object.keys(SKIPPED),
      });
      const count = (status: SpecResult['status']) =>
        results.filter((result) => result.status === status).length;
      numFailed += count('failed');
      console.log(
        `${title}: ${results.length - count('excluded') - count('pending')} run, ` +
          `${count('passed')} passed, ${count('failed')} failed, ` +
          `${count('excluded')} left out below, ${count('pending')} that TensorFlow.js itself skips`,
      );
      for (const { name, status, messages } of results) {
        if (status === 'failed') console.log(`  FAILED ${name}\n    ${messages.join('\n    ')}`);
      }
    }
    for (const [part, reason] of Object.entries(SKIPPED))
      console.log(`  left out: "${part}": ${reason}`);
  } finally {
    await browser.close();
  }
  if (numFailed > 0) process.exitCode = 1;
}
