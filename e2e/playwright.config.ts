/**
 * Owns how the journeys run: one Chromium with software WebGL, on the production build. Each
 * Playwright worker serves the build itself (fixtures.ts).
 */
import { defineConfig } from 'playwright/test';
import { findBrowser, launchOptions } from '../scripts/browser.ts';

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  // Training fills the cores by itself: two journeys at once only slow each other down.
  workers: 1,
  retries: 0,
  forbidOnly: process.env.CI !== undefined,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: {
    launchOptions: launchOptions(findBrowser(), 'software'),
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    // Motion is decoration here; without it a journey waits for nothing but the work.
    reducedMotion: 'reduce',
    screenshot: 'only-on-failure',
  },
});
