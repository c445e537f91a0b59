/**
 * `npm test`: every check in turn, whatever the one before it said, and one line at the end that sums
 * them up. Each of format and lint, imports, unused code, types and build counts as one test.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { array, type GenericSchema, number, object, parse, unknown } from 'valibot';
import { ensureBrowser } from './browser.ts';
import { ROOT } from './build.ts';

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const PASSED: Outcome = { passed: 1, failed: 0, skipped: 0 };
const FAILED: Outcome = { passed: 0, failed: 1, skipped: 0 };

const VitestReport = object({
  numPassedTests: number(),
  numFailedTests: number(),
  numPendingTests: number(),
  numTodoTests: number(),
});
const PlaywrightReport = object({
  stats: object({ expected: number(), unexpected: number(), flaky: number(), skipped: number() }),
  errors: array(unknown()),
});

const folder = mkdtempSync(join(tmpdir(), 'atelier-test-'));
const vitestFile = join(folder, 'vitest.json');
const playwrightFile = join(folder, 'playwright.json');

let hasBuilt = false;

const STAGES: readonly { readonly title: string; run(): Promise<Outcome> }[] = [
  { title: 'Format and lint', run: async () => check(await run('biome', ['check', '.'])) },
  { title: 'Imports', run: async () => check(await run('npm', ['run', '--silent', 'cruise'])) },
  { title: 'Unused code', run: async () => check(await run('knip', [])) },
  { title: 'Types', run: async () => check(await run('tsc', ['--noEmit'])) },
  {
    title: 'Unit tests',
    async run() {
      const isSuccess = await run('vitest', [
        'run',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${vitestFile}`,
      ]);
      const report = read(vitestFile, VitestReport);
      if (report === null) return FAILED;
      return sum(isSuccess, {
        passed: report.numPassedTests,
        failed: report.numFailedTests,
        skipped: report.numPendingTests + report.numTodoTests,
      });
    },
  },
  {
    title: 'Build',
    async run() {
      hasBuilt = await run('vite', ['build', '--logLevel', 'warn']);
      return check(hasBuilt);
    },
  },
  {
    title: 'Journeys in the browser',
    async run() {
      if (!hasBuilt) {
        console.log('There is no build to test.');
        return FAILED;
      }
      const browser = await ensureBrowser();
      console.log(`Browser: ${browser}`);
      const isSuccess = await run(
        'playwright',
        ['test', '--config', 'e2e/playwright.config.ts', '--reporter', 'list,json'],
        { ATELIER_BROWSER: browser, PLAYWRIGHT_JSON_OUTPUT_FILE: playwrightFile },
      );
      const report = read(playwrightFile, PlaywrightReport);
      if (report === null) return FAILED;
      const { expected, unexpected, flaky, skipped } = report.stats;
      return sum(isSuccess && report.errors.length === 0, {
        passed: expected,
        failed: unexpected + flaky,
        skipped,
      });
    },
  },
];

function check(isSuccess: boolean): Outcome {
  return isSuccess ? PASSED : FAILED;
}

/** A runner that fails without a failed test (a file that does not load, say) counts as one failure, as does one that ran nothing. */
function sum(isSuccess: boolean, outcome: Outcome): Outcome {
  const isSilent = outcome.failed === 0 && (!isSuccess || outcome.passed === 0);
  return isSilent ? { ...outcome, failed: 1 } : outcome;
}

function read<T>(file: string, schema: GenericSchema<unknown, T>): T | null {
  try {
    return parse(schema, JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    console.error(
      `No report to read in ${file}: ${error instanceof Error ? error.message : error}`,
    );
    return null;
  }
}

/** Runs a command of a package. True where it succeeds. */
function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        PATH: `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`,
        ...environment,
      },
      // On Windows the commands of packages are batch files, which only a shell runs.
      shell: process.platform === 'win32',
    });
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(false);
    });
    child.once('exit', (code) => resolve(code === 0));
  });
}

const total = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];

for (const { title, run } of STAGES) {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(0, 70 - title.length))}\n`);
  const startMs = performance.now();
  const outcome = await run().catch((error: unknown): Outcome => {
    console.error(error instanceof Error ? error.message : error);
    return FAILED;
  });
  const seconds = Math.round((performance.now() - startMs) / 1000);
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  summary.push(
    `  ${outcome.failed === 0 ? '✓' : '✗'} ${title.padEnd(26)}` +
      `${outcome.passed} passed, ${outcome.failed} failed` +
      `${outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : ''}, ${seconds} s`,
  );
}

rmSync(folder, { recursive: true, force: true });
console.log(`\n${'─'.repeat(74)}\n\n${summary.join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
