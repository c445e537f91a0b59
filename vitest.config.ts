/**
 * Owns how unit tests run: in Node, beside the code they test.
 */
import { defineConfig } from 'vitest/config';
import { buildKernels } from './scripts/kernels.ts';

export default defineConfig({
  // A fresh clone has none, and tests of the kernels read them from the disk.
  plugins: [{ name: 'atelier:kernels', config: () => buildKernels() }],
  test: {
    environment: 'node',
    include: ['{src,scripts,bench}/**/*.test.ts'],
    // Tests that train a network take their time on two busy cores.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
