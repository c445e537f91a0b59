/**
 * Owns how the app is built: relative addresses, module workers, and the policy in the page itself.
 */
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import {
  CONTENT_SECURITY_POLICY,
  DEVELOPMENT_HEADERS,
  PRODUCTION_HEADERS,
} from './scripts/headers.ts';
import { buildKernels } from './scripts/kernels.ts';
import { licences } from './scripts/licences.ts';

/** Writes the policy into the built page, so that a static host that sends no headers is as strict. */
function policyInPage(): Plugin {
  return {
    name: 'atelier:policy-in-page',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

/** Compiles the CPU kernels before anything looks for them: to build, to develop and to test. */
function kernels(): Plugin {
  return { name: 'atelier:kernels', config: () => buildKernels() };
}

/** The terms of everything bundled travel with it. */
const terms = licences('licences.md');

export default defineConfig({
  // Relative, so that dist/ works at any address, sub-paths included.
  base: './',
  plugins: [kernels(), react(), policyInPage(), terms.page()],
  resolve: {
    alias: [
      {
        // tfjs-vis draws through vega-embed, which evaluates text. Ours takes its place and does not.
        find: /^vega-embed$/,
        replacement: fileURLToPath(new URL('./src/ui/charts/vegaEmbed.ts', import.meta.url)),
      },
    ],
  },
  worker: { format: 'es', plugins: () => [terms.worker()] },
  build: {
    target: 'es2022',
    // Every browser that runs the app knows module preloading.
    modulePreload: { polyfill: false },
    // The worker and the charts are large by nature and load when first needed.
    chunkSizeWarningLimit: 2500,
  },
  server: { headers: DEVELOPMENT_HEADERS },
  preview: { headers: PRODUCTION_HEADERS },
});
