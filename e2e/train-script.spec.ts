/**
 * `npm run train` as a person runs it: in a terminal of its own, on the sample.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILD_FOLDER, ROOT } from '../scripts/build.ts';
import { expect, test } from './fixtures.ts';

let started: ChildProcess | null = null;

/** Starts the script on the build under test; `output` grows as it writes. */
function startScript(...args: string[]): { process: ChildProcess; output(): string } {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/train.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, ATELIER_BUILD: BUILD_FOLDER },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  return { process: child, output: () => output };
}

let folder: string;
test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atelier-train-'));
});
test.afterEach(async () => {
  if (started && started.exitCode === null && started.signalCode === null) {
    const gone = once(started, 'exit');
    // Its browser goes with it: the pipe between them closes.
    started.kill('SIGKILL');
    await gone;
  }
  started = null;
  await rm(folder, { recursive: true, force: true });
});

test('trains without a window and leaves model, export and history behind', async () => {
  const script = startScript(
    ...'--network small --epochs 1 --data sample --backend wasm --out'.split(' '),
    folder,
  );
  const [exitCode] = await once(script.process, 'close');
  expect(exitCode, script.output()).toBe(0);
  expect(script.output()).toMatch(/Epoch 1\/1 {3}loss/);
  expect(script.output()).toMatch(/Test accuracy \d\d\.\d\d %, loss \d/);

  expect((await readdir(folder)).sort()).toEqual(
    ['history.json', 'metadata.json', 'model.json', 'model.zip', 'weights.bin'].sort(),
  );
  const history = JSON.parse(await readFile(join(folder, 'history.json'), 'utf8'));
  expect(history).toMatchObject({
    network: 'small',
    recipe: { epochs: 1 },
    machine: { backend: 'wasm' },
    reason: 'completed',
    test: { numRows: 500 },
  });
  expect(history.history).toHaveLength(1);
  // Ten classes by chance give 0.1: it has learnt something.
  expect(history.test.accuracy).toBeGreaterThan(0.3);

  const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
  expect(model.weightsManifest[0].paths).toEqual(['weights.bin']);
});

test('keeps the best so far when it is stopped', async () => {
  const script = startScript(
    ...'--network small --epochs 200 --patience 0 --data sample --backend wasm --out'.split(' '),
    folder,
  );
  await expect.poll(script.output, { timeout: 120_000 }).toContain('Epoch   1/200');
  script.process.kill('SIGINT');
  const [exitCode] = await once(script.process, 'close');
  expect(exitCode, script.output()).toBe(130);
  expect(script.output()).toContain('The run was stopped.');
  const history = JSON.parse(await readFile(join(folder, 'history.json'), 'utf8'));
  expect(history.reason).toBe('stopped');
  expect(await readdir(folder)).toContain('weights.bin');
});

test('refuses options that make no sense, before any work', async () => {
  const script = startScript('--epochs', '0');
  const [exitCode] = await once(script.process, 'close');
  expect(exitCode).toBe(2);
  expect(script.output()).toContain('--epochs');
});
