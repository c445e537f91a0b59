/**
 * Owns how unit tests run: in Node, beside the code they test.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['{src,scripts,bench}/**/*.test.ts'],
    // Tests that train a network take their time on two busy cores.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
