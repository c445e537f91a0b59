/**
 * Owns the conformance run (`npm run bench -- specs`): TensorFlow.js's own tests of its operations,
 * gradients and optimizers on the 'simd' backend, in the browser, with both binaries.
 */
import { openBenchBrowser } from './inBrowser.ts';
import type { SpecResult } from './page/specs.ts';

/** Parts of the full names of specs that are not run, each with its reason. */
const SKIPPED: Readonly<Record<string, string>> = {
  'draw on canvas context':
    'asks for a canvas context with the name of the backend; ours draws through a 2D context, as cpu does',
};

export const summary = "TensorFlow.js's own tests on the CPU backend";

export async function run(): Promise<void> {
  const browser = await openBenchBrowser('specs.html');
  let numFailed = 0;
  try {
    for (const relaxed of [true, false]) {
      const results: SpecResult[] = await browser.evaluate(
        ([skipped, isRelaxed]) => globalThis.runSpecs(skipped, isRelaxed),
        [Object.keys(SKIPPED), relaxed] as const,
      );
      const count = (status: SpecResult['status']) =>
        results.filter((result) => result.status === status).length;
      numFailed += count('failed');
      console.log(
        `${relaxed ? 'Fused multiply-add' : 'Plain SIMD'}: ${results.length - count('excluded') - count('pending')} run, ` +
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
