/**
 * Owns `npm run train`: trains in the built page itself, in a browser without a window, and brings
 * the model home. It presses the page's own levers through `window.atelier`, so what it measures is
 * what a person gets.
 *
 *   npm run train -- --network classic --epochs 10 --out build/classic
 *   npm run train -- --help
 *
 * Exit codes: 0 the run came to its end, 130 it was stopped and its best is kept, 2 the options make
 * no sense, 1 anything else.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { unzipSync } from 'fflate';
import { chromium, type Page } from 'playwright';
import type { Evaluation } from '../src/ml/spec/metrics.ts';
import type { EpochRecord, ModelCard } from '../src/ml/spec/modelCard.ts';
import { NETWORK_PRESETS } from '../src/network/presets.ts';
import type { SessionState } from '../src/session/state.ts';
import { ensureBrowser, launchOptions } from './browser.ts';
import { BUILD_FOLDER, ensureBuild } from './build.ts';
import { ensureData } from './data.ts';
import { serve } from './serve.ts';
import { HELP, type Plan, readPlan, UsageError } from './trainPlan.ts';

/** What cannot go on, in words for the person at the terminal. */
class TrainScriptError extends Error {
  override readonly name = 'TrainScriptError';
}

/** A second Ctrl-C within this time is the first one, delivered twice by npm and the terminal. */
const ECHO_MS = 400;

const startMs = performance.now();

/** What the page tells while it trains. */
interface Report {
  readonly phase: SessionState['training']['phase'];
  readonly epochs: number;
  readonly epoch: number;
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly imagesPerSecond: number;
  readonly elapsedMs: number;
  readonly history: readonly EpochRecord[];
}

/** Trains as planned and returns the exit code. */
async function train(plan: Plan): Promise<number> {
  // Before anything that takes long: a folder that cannot be written must not cost a run.
  const folder = resolve(plan.out);
  await mkdir(folder, { recursive: true });

  if (plan.data === 'full' && process.env.ATELIER_BUILD === undefined) {
    const data = await ensureData();
    if (!data.ok) {
      throw new TrainScriptError(
        `${data.message}\nOr train on the sample of 2,000 garments with --data sample.`,
      );
    }
  }
  await ensureBuild();
  const executablePath = await ensureBrowser();
  const server = await serve({ folder: BUILD_FOLDER });
  const browser = await chromium.launch({
    ...launchOptions(executablePath, 'any'),
    // Ctrl-C is ours: the page has to hand over its best first.
    handleSIGINT: false,
  });
  try {
    const page = await browser.newPage();
    const failure = watchForFailure(page);
    return await Promise.race([failure, trainInPage(plan, page, server.url, folder)]);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Rejects when the page dies or throws. Never resolves. */
function watchForFailure(page: Page): Promise<never> {
  return new Promise((_, reject) => {
    page.on('crash', () =>
      reject(new TrainScriptError('The page crashed. It may have run out of memory.')),
    );
    page.on('close', () => reject(new TrainScriptError('The browser was closed.')));
    page.on('pageerror', (error) => reject(new TrainScriptError(`The page failed: ${error}`)));
  });
}

async function trainInPage(
  plan: Plan,
  page: Page,
  address: string,
  folder: string,
): Promise<number> {
  await page.goto(address);
  // The engine is chosen for what it will train.
  await page.evaluate(
    ({ network, recipe, backend }) => {
      window.atelier.setNetwork(network);
      window.atelier.setRecipe(recipe);
      return window.atelier.chooseBackend(backend);
    },
    {
      network: NETWORK_PRESETS[plan.network].spec,
      recipe: plan.recipe,
      backend: plan.backend,
    },
  );
  const engine = await read(page, ({ engine }) => engine);
  if (engine.phase !== 'ready') {
    throw new TrainScriptError(
      engine.phase === 'failed' ? engine.fault.message : 'The engine did not start.',
    );
  }
  if (plan.backend !== 'auto' && engine.info.active !== plan.backend) {
    throw new TrainScriptError(`${plan.backend} does not run here. ${engine.info.reason}`);
  }

  await page.evaluate((source) => window.atelier.loadData(source), plan.data);
  const data = await read(page, ({ data }) => data);
  if (data.phase !== 'ready' || data.info.source !== plan.data) {
    throw new TrainScriptError(
      data.phase === 'failed' ? data.fault.message : `The ${plan.data} data did not load.`,
    );
  }

  const machine = {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    numCores: availableParallelism(),
    browser: `${page.context().browser()?.browserType().name()} ${page.context().browser()?.version()}`,
    backend: engine.info.active,
    backendDetail:
      engine.info.options.find(({ name }) => name === engine.info.active)?.detail ?? '',
  };
  console.log(
    [
      '',
      `  Machine   ${machine.numCores} cores of ${machine.processor}, ${machine.browser}`,
      `  Backend   ${machine.backend}. ${engine.info.reason}`,
      `  Data      ${data.info.trainFile}, ${data.info.numTrain.toLocaleString('en-GB')} rows`,
      `  Network   ${plan.network}`,
      `  Recipe    ${Object.entries(plan.recipe)
        .map((knob) => knob.join(' '))
        .join(', ')}`,
      '',
    ].join('\n'),
  );

  const display = createDisplay();
  let isRunOver = false;
  await page.exposeFunction('atelierReport', (report: Report) => {
    isRunOver = report.phase === 'finished';
    display.show(report);
  });
  const signals = listenForStop(page, display, () => isRunOver);
  await page.evaluate(async () => {
    const { atelier } = window;
    let told: unknown = null;
    atelier.store.subscribe(({ training }) => {
      if (training === told) return;
      told = training;
      if (!('run' in training) || training.run === null) return;
      const { run } = training;
      const point = run.trainPoints.at(-1);
      void (window as unknown as { atelierReport(report: Report): Promise<void> }).atelierReport({
        phase: training.phase,
        epochs: run.recipe.epochs,
        epoch: run.epoch,
        step: run.step,
        stepsPerEpoch: run.stepsPerEpoch,
        loss: point?.loss ?? null,
        accuracy: point?.accuracy ?? null,
        imagesPerSecond: run.imagesPerSecond,
        elapsedMs: run.elapsedMs,
        history: run.history,
      });
    });
    // Resolves when the run and the evaluation after it are over.
    await atelier.train(atelier.formJob());
  });
  display.clear();
  signals.end();

  const { training, evaluation, model } = await read(page, (state) => ({
    training: state.training,
    evaluation: state.evaluation,
    model: state.model,
  }));
  if (training.phase !== 'finished') {
    throw new TrainScriptError(
      training.phase === 'failed'
        ? training.fault.message
        : `The run ended as "${training.phase}".`,
    );
  }
  if (model.phase !== 'live' || evaluation.phase !== 'ready') {
    throw new TrainScriptError(
      evaluation.phase === 'failed' ? evaluation.fault.message : 'The model was not evaluated.',
    );
  }

  await keepModel(page, folder);
  const result = evaluation.evaluation;
  const totalMs = performance.now() - startMs;
  await writeFile(
    join(folder, 'history.json'),
    `${JSON.stringify(
      {
        network: plan.network,
        recipe: plan.recipe,
        data: {
          file: data.info.trainFile,
          numTrain: training.run.numTrain,
          numValidation: training.run.numValidation,
        },
        machine,
        reason: training.reason,
        trainingMs: Math.round(training.run.elapsedMs),
        totalMs: Math.round(totalMs),
        history: training.run.history,
        test: {
          file: result.data,
          numRows: result.numRows,
          accuracy: result.accuracy,
          loss: result.loss,
          perClass: result.perClass,
          confusion: result.confusion,
          calibration: result.calibrated && {
            temperature: result.calibrated.temperature,
            errorBefore: result.reliability.error,
            errorAfter: result.calibrated.reliability.error,
            numRefused: result.calibrated.numRefused,
          },
        },
        model: describe(model.card),
      },
      null,
      2,
    )}\n`,
  );

  console.log(
    [
      '',
      `  Test accuracy ${percent(result.accuracy)}, loss ${result.loss.toFixed(4)}, on ${result.numRows.toLocaleString('en-GB')} rows of ${result.data}`,
      ...calibrationLine(result),
      `  Training took ${duration(training.run.elapsedMs)}, everything ${duration(totalMs)}`,
      `  ${ENDINGS[training.reason]} The model is in ${relative(process.cwd(), folder) || '.'}`,
      '',
    ].join('\n'),
  );
  return training.reason === 'stopped' ? 130 : 0;
}

/** What calibration gained on the test set; no line for a model without one. */
function calibrationLine({ calibrated, reliability, numRows }: Evaluation): string[] {
  if (!calibrated) return [];
  const { temperature, reliability: after, numRefused } = calibrated;
  const refused =
    numRefused === null ? '' : `; unlike the training data: ${percent(numRefused / numRows)}`;
  return [
    `  Temperature ${temperature.toFixed(3)}: calibration error ${percent(reliability.error)} before, ${percent(after.error)} after${refused}`,
  ];
}

const ENDINGS = {
  completed: 'The run came to its end.',
  earlyStopped: 'The run ended early: validation no longer gained.',
  stopped: 'The run was stopped.',
} as const;

/** Downloads the page's own export and lays its parts beside it. */
async function keepModel(page: Page, folder: string): Promise<void> {
  const downloading = page.waitForEvent('download');
  await page.evaluate(async () => {
    const { fileName, zip } = await window.atelier.exportModel();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(zip);
    link.download = fileName;
    link.click();
  });
  const zipFile = join(folder, 'model.zip');
  await (await downloading).saveAs(zipFile);
  for (const [name, bytes] of Object.entries(unzipSync(await readFile(zipFile)))) {
    await writeFile(join(folder, name), bytes);
  }
}

/**
 * The first Ctrl-C stops the run and keeps its best, the second one gives up. A run that is over has
 * nothing to stop: its model is being measured, and kept right after.
 */
function listenForStop(page: Page, display: Display, isRunOver: () => boolean): { end(): void } {
  let stoppedMs: number | null = null;
  const onSignal = (): void => {
    if (stoppedMs === null) {
      stoppedMs = performance.now();
      display.clear();
      console.log(
        isRunOver()
          ? 'The run is over. Its model is being measured and will then be kept. Ctrl-C again gives up.'
          : 'Stopping after this batch, and keeping the best so far. Ctrl-C again gives up.',
      );
      void page.evaluate(() => window.atelier.stop());
    } else if (performance.now() - stoppedMs > ECHO_MS) {
      console.log('\nGiven up. Nothing was kept.');
      process.exit(130);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    end() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

interface Display {
  show(report: Report): void;
  clear(): void;
}

/** A line for each epoch that is over, and where a person watches, a moving bar below them. */
function createDisplay(): Display {
  const isWatched = process.stdout.isTTY;
  let numEpochsShown = 0;
  const clear = (): void => {
    if (isWatched) process.stdout.write('\r\x1b[2K');
  };
  return {
    clear,
    show(report) {
      clear();
      for (; numEpochsShown < report.history.length; numEpochsShown++) {
        const record = report.history[numEpochsShown];
        if (record) console.log(epochLine(record, report));
      }
      if (isWatched)
        process.stdout.write(barLine(report).slice(0, (process.stdout.columns ?? 80) - 1));
    },
  };
}

function epochLine(record: EpochRecord, { epochs }: Report): string {
  return [
    `  Epoch ${String(record.epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${record.trainLoss.toFixed(4)}, accuracy ${percent(record.trainAccuracy)}`,
    `validation ${record.validationLoss.toFixed(4)}, ${percent(record.validationAccuracy)}`,
    duration(record.elapsedMs),
  ].join('   ');
}

function barLine(report: Report): string {
  const { phase, epochs, epoch, step, stepsPerEpoch, loss, accuracy, imagesPerSecond } = report;
  if (phase === 'preparing' || loss === null || accuracy === null) return '  Preparing …';
  const share = Math.min(1, step / Math.max(1, epochs * stepsPerEpoch));
  const width = 10;
  const parts = [
    `  ${'█'.repeat(Math.round(share * width)).padEnd(width, '░')}`,
    `epoch ${epoch}/${epochs}`,
    `loss ${loss.toFixed(3)}`,
    `accuracy ${percent(accuracy)}`,
  ];
  if (share > 0) parts.push(`${duration((report.elapsedMs * (1 - share)) / share)} left`);
  // Last: in a narrow terminal the end is cut off.
  parts.push(`${Math.round(imagesPerSecond)} images/s`);
  return parts.join('  ');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

function describe(card: ModelCard): Pick<ModelCard, 'id' | 'name' | 'numParams'> {
  return { id: card.id, name: card.name, numParams: card.numParams };
}

/** Reads from the session's state. The selection runs in the page and must return plain data. */
function read<T>(page: Page, select: (state: SessionState) => T): Promise<T> {
  return page.evaluate<T>(`(${select.toString()})(window.atelier.store.getState())`);
}

try {
  const plan = readPlan(process.argv.slice(2));
  if (plan === 'help') console.log(HELP);
  else process.exitCode = await train(plan);
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
