/**
 * Compiles the CPU kernels (`npm run build:kernels`): src/engine/simd/assembly → build/*.wasm, once
 * for each combination of two things a browser may lack. Skips what is newer than its sources.
 *
 *   kernels.wasm                  SIMD                       (every current browser)
 *   kernels.relaxed.wasm          + relaxed SIMD             (fused multiply-add)
 *   kernels.threads.wasm          + shared memory            (cross-origin isolated pages)
 *   kernels.relaxed.threads.wasm  + both
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

const WASM = join(import.meta.dirname, '../src/engine/simd');
const SOURCES = join(WASM, 'assembly');
const OUTPUT = join(WASM, 'build');

const COMMON = [
  join(SOURCES, 'index.ts'),
  '-O3',
  '--converge',
  '--noAssert',
  // No garbage collector, no strings: every kernel works on addresses that it is given.
  ...['--runtime', 'stub', '--use', 'abort='],
  // The block that all threads share lies below the static data; see assembly/parallel.ts.
  ...['--memoryBase', '16384', '--importMemory', '--initialMemory', '1'],
  ...['--enable', 'simd'],
];

const THREADS = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536'];

const BINARIES: Record<string, string[]> = {
  'kernels.wasm': [],
  'kernels.relaxed.wasm': ['--enable', 'relaxed-simd'],
  'kernels.threads.wasm': THREADS,
  'kernels.relaxed.threads.wasm': ['--enable', 'relaxed-simd', ...THREADS],
};

function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Compiles the binaries that are older than a source, or all of them with `force`. */
export async function buildKernels(force = false): Promise<void> {
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name));
  const newest = Math.max(...[...sources, import.meta.filename].map(changedMs));
  mkdirSync(OUTPUT, { recursive: true });
  for (const [name, flags] of Object.entries(BINARIES)) {
    const output = join(OUTPUT, name);
    if (!force && changedMs(output) > newest) continue;
    const { error, stderr } = await asc.main([...COMMON, ...flags, '--outFile', output]);
    if (error) throw new Error(`${name} did not compile.\n${stderr.toString()}`);
    console.log(`${name}: ${(statSync(output).size / 1024).toFixed(1)} KB`);
  }
}

if (process.argv[1] === import.meta.filename) await buildKernels(process.argv.includes('--force'));
