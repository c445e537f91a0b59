/**
 * Owns running TensorFlow.js's own op tests, as compiled in @tensorflow/tfjs-core, on our kernels in
 * a page.
 */
import * as tf from '@tensorflow/tfjs';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util';
// @ts-expect-error: Jasmine's core ships no types.
import jasmineRequire from 'jasmine-core/lib/jasmine-core/jasmine.js';
import { NATIVE } from '../../src/engine/simd/nativeKernels.ts';
import { registerSimdBackend } from '../../src/engine/simd/register.ts';
import { registerWebGLKernels } from '../../src/engine/webgl/tensorKernels.ts';

export interface SpecResult {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'pending' | 'excluded';
  readonly messages: readonly string[];
}

export interface SpecRun {
  /** The 'simd' backend, with and without fused multiply-add, or the WebGL backend with our kernels. */
  readonly system: 'relaxed' | 'plain' | 'webgl';
  /** Of the files of specs, by a regular expression. */
  readonly files: string;
  /** Specs whose full name contains one of these are left out. */
  readonly skipped: readonly string[];
}

declare global {
  var runSpecs: (run: SpecRun) => Promise<SpecResult[]>;
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

async function start(system: SpecRun['system']): Promise<void> {
  if (system === 'webgl') {
    tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
    await tf.setBackend('webgl');
    for (const [name, { standing }] of await registerWebGLKernels({ evenSlower: true })) {
      if (standing !== 'used') throw new Error(`${name} is not ours here: ${standing}.`);
    }
    setTestEnvs([{ name: 'webgl', backendName: 'webgl', isDataSync: true }]);
  } else {
    await registerSimdBackend({ numThreads: 1, relaxed: system === 'relaxed' });
    await tf.setBackend('simd');
    setTestEnvs([{ name: 'simd', backendName: 'simd', isDataSync: true }]);
  }
}

globalThis.runSpecs = async ({ system, files, skipped }) => {
  await start(system);
  jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;
  for (const [path, load] of Object.entries(SPECS)) {
    if (new RegExp(files).test(path)) await load();
  }
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
