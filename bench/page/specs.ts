/**
 * Owns running TensorFlow.js's own op tests, as compiled in @tensorflow/tfjs-core, on the 'simd'
 * backend in a page.
 */
import * as tf from '@tensorflow/tfjs';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util';
// @ts-expect-error: Jasmine's core ships no types.
import jasmineRequire from 'jasmine-core/lib/jasmine-core/jasmine.js';
import { NATIVE } from '../../src/engine/wasm/nativeKernels.ts';
import { registerSimdBackend } from '../../src/engine/wasm/register.ts';

export interface SpecResult {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'pending' | 'excluded';
  readonly messages: readonly string[];
}

declare global {
  /** Runs every spec whose full name does not contain one of `skipped`. */
  var runSpecs: (skipped: readonly string[], relaxed: boolean) => Promise<SpecResult[]>;
}

const boot = jasmineRequire;
const jasmine = boot.core(boot);
const environment = jasmine.getEnv({ suppressLoadErrors: true });
Object.assign(globalThis, boot.interface(jasmine, environment), { jasmine });

const SPECS = import.meta.glob([
  '../../node_modules/@tensorflow/tfjs-core/dist/ops/**/*_test.js',
  '../../node_modules/@tensorflow/tfjs-core/dist/optimizers/*_test.js',
  '../../node_modules/@tensorflow/tfjs-core/dist/gradients_test.js',
  '../../node_modules/@tensorflow/tfjs-core/dist/tensor_test.js',
  '../../node_modules/@tensorflow/tfjs-core/dist/variable_test.js',
  // Want files or a camera.
  '!**/from_pixels*_test.js',
  '!**/browser_test.js',
]);

globalThis.runSpecs = async (skipped, relaxed) => {
  await registerSimdBackend({ numThreads: 1, relaxed });
  await tf.setBackend('simd');
  setTestEnvs([{ name: 'simd', backendName: 'simd', isDataSync: true }]);
  jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;
  for (const load of Object.values(SPECS)) await load();
  const results: SpecResult[] = [];
  environment.addReporter({
    specDone({ fullName, status, failedExpectations }: JasmineResult) {
      const messages = failedExpectations.map(({ message }) => message.slice(0, 300));
      results.push({ name: fullName, status, messages });
    },
  });
  environment.configure({
    random: false,
    specFilter: (spec: { getFullName(): string }) =>
      !skipped.some((part) => spec.getFullName().includes(part)),
  });
  await environment.execute();
  return results;
};

interface JasmineResult {
  readonly fullName: string;
  readonly status: SpecResult['status'];
  readonly failedExpectations: readonly { readonly message: string }[];
}

/** How many kernels are native, for the report. */
export const NUM_NATIVE = Object.keys(NATIVE).length;
