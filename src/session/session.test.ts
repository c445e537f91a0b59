/** Drives the real session over real Comlink lines; only the threads behind them are played. */
import { describe, expect, it } from 'vitest';
import type { DataInfo } from '../data/source.ts';
import type { EngineInfo } from '../engine/backends.ts';
import { FASHION_MNIST } from '../fashion.ts';
import type { Picture } from '../image/picture.ts';
import type { TrainEvent } from '../ml/run/train.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import type { RunSummary } from '../store/records.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import { card, expose } from './fixtures.ts';
import { createSession, type SessionParts } from './session.ts';
import type { Fault, SessionState } from './state.ts';
import { openLine } from './workers.ts';

const shipped: ModelCard = { ...card, id: 'shipped', origin: 'shipped' };

const engineInfo: EngineInfo = {
  choice: 'auto',
  active: 'wasm',
  options: [],
  reason: 'For the test.',
  fingerprint: 'this machine',
};

const dataInfo: DataInfo = {
  source: 'sample',
  spec: FASHION_MNIST,
  trainFile: 'train.csv',
  testFile: 'test.csv',
  numTrain: 4,
  numTest: 2,
  trainCounts: [4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  testCounts: [2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  fromCache: false,
  elapsedMs: 1,
};

const emptyDataset = () => ({
  pixels: new Uint8Array(784),
  labels: new Uint8Array(1),
  spec: FASHION_MNIST,
});

const picture = (side: number): Picture => ({
  width: side,
  height: side,
  data: new Uint8ClampedArray(4 * side * side),
});

const step = (number: number): TrainEvent => ({
  kind: 'step',
  epoch: 1,
  step: number,
  loss: 1 / number,
  accuracy: 0.5,
  learningRate: 0.001,
  imagesPerSecond: 100,
  elapsedMs: number,
});

const evaluation = {
  data: 'test.csv',
  classNames: FASHION_MNIST.classNames,
  numRows: 2,
  accuracy: 0.5,
  loss: 1,
  confusion: [],
  perClass: [],
  predicted: new Uint8Array(2),
  confidence: new Float32Array(2),
  reliability: { bins: [], error: 0.1 },
  calibrated: null,
  elapsedMs: 1,
};

interface Played {
  readonly parts: SessionParts;
  readonly runs: RunSummary[];
  /** Kills the model worker now in use, as a crash would. */
  crashModelWorker(message: string): void;
  numModelWorkers: number;
}

/** Parts whose workers answer well unless told otherwise. */
function play(model: Partial<ModelWorkerApi> = {}, data: Partial<DataWorkerApi> = {}): Played {
  let crash: (message: string) => void = () => {};
  const runs: RunSummary[] = [];
  const played: Played = {
    runs,
    numModelWorkers: 0,
    crashModelWorker: (message) => crash(message),
    parts: {
      openDataLine: (onLost) =>
        openLine(
          expose({
            load: async () => dataInfo,
            loadOwn: async () => dataInfo,
            cancel: () => {},
            copy: emptyDataset,
            ...data,
          }),
          () => {},
          onLost,
        ),
      openModelLine: (onLost) => {
        played.numModelWorkers++;
        const line = openLine<ModelWorkerApi>(
          expose({
            start: async () => engineInfo,
            onLost: () => {},
            setData: () => {},
            train: async () => card,
            evaluate: async () => evaluation,
            liveCard: () => card,
            pause: () => {},
            resume: () => {},
            stop: () => {},
            loadLast: async () => null,
            loadShipped: async () => shipped,
            listModels: async () => ({ models: [], unreadable: [] }),
            ...model,
          }),
          () => {},
          onLost,
        );
        crash = (message) => line.fail(message);
        return line;
      },
      runs: {
        listRuns: async () => runs,
        saveRun: async (run) => {
          runs.push(run);
        },
        removeRun: async () => {},
      },
      settings: {
        readSettings: async () => null,
        writeSettings: async () => {},
        readEngineMemory: async () => null,
        writeEngineMemory: async () => {},
      },
    },
  };
  return played;
}

/** Resolves with the first state that fits. */
function stateWhen(
  session: ReturnType<typeof createSession>,
  fits: (state: SessionState) => boolean,
): Promise<SessionState> {
  return new Promise((resolve) => {
    const check = (state: SessionState) => {
      if (!fits(state)) return false;
      resolve(state);
      return true;
    };
    if (check(session.store.getState())) return;
    const unsubscribe = session.store.subscribe((state) => {
      if (check(state)) unsubscribe();
    });
  });
}

describe('start', () => {
  it('brings the shipped model to life where no model was used before', async () => {
    const session = createSession(play().parts);
    await session.start();
    const state = session.store.getState();
    expect(state.engine).toEqual({ phase: 'ready', info: engineInfo });
    expect(state.model).toEqual({ phase: 'live', card: shipped });
    expect(state.data.phase).toBe('idle');
  });

  it('takes the shipped model and says why where the one used last cannot be read', async () => {
    const { parts } = play({
      loadLast: async () => {
        throw new Error('“Coats” is damaged and cannot be used.');
      },
    });
    const session = createSession(parts);
    await session.start();
    const { model, library } = session.store.getState();
    expect(model).toEqual({ phase: 'live', card: shipped });
    expect(library).toMatchObject({
      phase: 'ready',
      fault: { message: '“Coats” is damaged and cannot be used.' },
    });
  });

  it('says why where no backend starts', async () => {
    const { parts } = play({
      start: async () => {
        throw new Error('No backend runs here.');
      },
    });
    const session = createSession(parts);
    await session.start();
    const { engine, model } = session.store.getState();
    expect(engine).toMatchObject({ phase: 'failed', fault: { message: 'No backend runs here.' } });
    expect(model.phase).toBe('none');
  });
});

describe('data', () => {
  it('does not take a load that was cancelled for the choice', async () => {
    let kept: string | null = null;
    const played = play(
      {},
      {
        load: async (source) => {
          if (source === 'sample') return dataInfo;
          throw new DOMException('Cancelled.', 'AbortError');
        },
      },
    );
    const session = createSession({
      ...played.parts,
      settings: {
        ...played.parts.settings,
        writeSettings: async ({ source }) => {
          kept = source;
        },
      },
    });
    await session.start();
    await session.loadData('sample');
    await session.loadData('full');
    expect(session.store.getState().data).toMatchObject({ phase: 'ready' });
    expect(kept).toBe('sample');
  });

  it('keeps the data in use where loading other data fails', async () => {
    const { parts } = play(
      {},
      {
        loadOwn: async () => {
          throw new Error('mine.csv, row 3, column 5: "x" is not a whole number.');
        },
      },
    );
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    await session.loadOwnData('train', new File(['x'], 'mine.csv'));
    const { data } = session.store.getState();
    expect(data).toMatchObject({ phase: 'failed', source: 'own', previous: dataInfo });
  });

  it('falls back to the sample, saying so, where the full set is not there', async () => {
    const { parts } = play(
      {},
      {
        load: async (source) => {
          if (source === 'full') throw new Error('Not found.');
          return dataInfo;
        },
      },
    );
    const session = createSession(parts);
    await session.start();
    await session.train();
    const { data, training } = session.store.getState();
    expect(data).toMatchObject({ phase: 'ready', info: { source: 'sample' } });
    expect(data.phase === 'ready' && data.note).toContain('Not found.');
    expect(training.phase).not.toBe('failed');
  });
});

describe('train', () => {
  it('collects what the run tells, keeps the run and evaluates', async () => {
    const record = {
      epoch: 1,
      trainLoss: 0.5,
      trainAccuracy: 0.8,
      validationLoss: 0.6,
      validationAccuracy: 0.7,
      elapsedMs: 10,
    };
    const played = play({
      train: async (_request, onEvent) => {
        await onEvent({
          kind: 'preparing',
          numTrain: 3,
          numValidation: 1,
          stepsPerEpoch: 3,
          epochs: 1,
        });
        for (let number = 1; number <= 3; number++) await onEvent(step(number));
        await onEvent({ kind: 'epoch', record, isBest: true });
        await onEvent({ kind: 'finished', reason: 'completed', epoch: 1 });
        return card;
      },
    });
    const session = createSession(played.parts);
    await session.start();
    await session.train();
    const state = session.store.getState();
    expect(state.training).toMatchObject({ phase: 'finished', reason: 'completed' });
    const run = state.training.phase === 'finished' ? state.training.run : null;
    expect(run?.trainPoints.map((point) => point.step)).toEqual([1, 2, 3]);
    expect(run?.validationPoints).toEqual([{ step: 3, loss: 0.6, accuracy: 0.7 }]);
    expect(state.model).toEqual({ phase: 'live', card });
    expect(state.evaluation.phase).toBe('ready');
    expect(played.runs.at(0)?.history).toEqual([record]);
  });

  it('thins the chart of a long run to at most 300 points, the newest kept', async () => {
    const { parts } = play({
      train: async (_request, onEvent) => {
        for (let number = 1; number <= 1000; number++) await onEvent(step(number));
        await onEvent({ kind: 'finished', reason: 'completed', epoch: 1 });
        return card;
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.train();
    const { training } = session.store.getState();
    const points = training.phase === 'finished' ? training.run.trainPoints : [];
    expect(points.length).toBeGreaterThan(100);
    expect(points.length).toBeLessThanOrEqual(300);
    expect(points.at(-1)?.step).toBe(1000);
  });

  it('pauses, resumes and stops through the worker', async () => {
    const heard: string[] = [];
    let over = () => {};
    const { parts } = play({
      train: (_request, onEvent) =>
        new Promise((resolve) => {
          void onEvent(step(1));
          over = () => {
            void onEvent({ kind: 'finished', reason: 'stopped', epoch: 0 });
            resolve(card);
          };
        }),
      pause: () => void heard.push('pause'),
      resume: () => void heard.push('resume'),
      stop: () => {
        heard.push('stop');
        over();
      },
    });
    const session = createSession(parts);
    await session.start();
    const whole = session.train();
    await stateWhen(session, (state) => state.training.phase === 'training');
    session.pause();
    expect(session.store.getState().training.phase).toBe('paused');
    session.resume();
    expect(session.store.getState().training.phase).toBe('training');
    session.stop();
    expect(session.store.getState().training.phase).toBe('stopping');
    await whole;
    expect(session.store.getState().training).toMatchObject({
      phase: 'finished',
      reason: 'stopped',
    });
    expect(heard).toEqual(['pause', 'resume', 'stop']);
  });

  it('goes on where the model cannot be kept, and says so', async () => {
    const { parts } = play({
      train: async (_request, onEvent, onUnkept) => {
        await onUnkept?.({ name: 'StorageError', message: 'The browser has no room left.' });
        await onEvent({ kind: 'finished', reason: 'completed', epoch: 1 });
        return card;
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.train();
    const { training, library } = session.store.getState();
    expect(training.phase).toBe('finished');
    expect(library).toMatchObject({ phase: 'ready', fault: { message: /no room/ } });
  });

  it('heeds a stop that comes before the run has begun', async () => {
    let numRuns = 0;
    const { parts } = play(
      {
        train: async () => {
          numRuns++;
          return card;
        },
      },
      {
        copy: () => {
          session.stop();
          return emptyDataset();
        },
      },
    );
    const session = createSession(parts);
    await session.start();
    await session.train();
    expect(session.store.getState().training.phase).toBe('idle');
    expect(numRuns).toBe(0);
  });

  it('starts once where Train is pressed again after a stop, the data still on its way', async () => {
    let numRuns = 0;
    let numLoads = 0;
    let abort = () => {};
    const { parts } = play(
      {
        train: async () => {
          numRuns++;
          return card;
        },
      },
      {
        load: () => {
          if (++numLoads > 1) return Promise.resolve(dataInfo);
          return new Promise((_, reject) => {
            abort = () => reject(new DOMException('Cancelled.', 'AbortError'));
          });
        },
        cancel: () => abort(),
      },
    );
    const session = createSession(parts);
    await session.start();
    const first = session.train();
    await stateWhen(session, ({ data }) => data.phase === 'loading');
    session.stop();
    await Promise.all([first, session.train()]);
    expect([numLoads, numRuns]).toEqual([2, 1]);
  });

  it('tells of a run that failed and keeps the weights that are left', async () => {
    const { parts } = play({
      train: async () => {
        throw new Error('The loss became NaN.');
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.train();
    const { training, model } = session.store.getState();
    expect(training).toMatchObject({ phase: 'failed', fault: { message: 'The loss became NaN.' } });
    expect(model).toEqual({ phase: 'live', card });
  });

  it('ends the run, says why and starts anew where the worker dies', async () => {
    const played = play({
      train: (_request, onEvent) => {
        void onEvent(step(1));
        return new Promise(() => {});
      },
    });
    const session = createSession(played.parts);
    await session.start();
    const whole = session.train();
    await stateWhen(session, (state) => state.training.phase === 'training');
    played.crashModelWorker('The graphics driver reset.');
    await whole;
    const { training } = session.store.getState();
    expect(training.phase).toBe('failed');
    expect(training.phase === 'failed' && training.fault.message).toContain(
      'graphics driver reset',
    );
    expect(played.numModelWorkers).toBe(2);
    const again = await stateWhen(session, (state) => state.engine.phase === 'ready');
    expect(again.training.phase).toBe('failed');
  });

  it('is told of a lost device by the worker itself', async () => {
    let tell: (fault: Fault) => void = () => {};
    const played = play({
      onLost: (callback) => {
        tell = callback;
      },
    });
    const session = createSession(played.parts);
    await session.start();
    tell({ name: 'EngineError', message: 'WebGL context lost.' });
    await stateWhen(session, (state) => state.engine.phase === 'starting');
    await stateWhen(session, (state) => state.engine.phase === 'ready');
    expect(played.numModelWorkers).toBe(2);
  });
});

describe('evaluate', () => {
  it('gives no figures to a model that took the place of the one evaluated', async () => {
    let begin = () => {};
    let finish = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let live = shipped;
    const { parts } = play({
      liveCard: () => live,
      loadModel: async () => {
        live = card;
        return card;
      },
      evaluate: () =>
        new Promise((resolve) => {
          finish = () => resolve(evaluation);
          begin();
        }),
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    const whole = session.evaluate();
    await begun;
    await session.loadModel(card.id);
    finish();
    await whole;
    const state = session.store.getState();
    expect(state.evaluation.phase).toBe('idle');
    expect(state.model).toEqual({ phase: 'live', card });
  });

  it('is not for ever under way where a run has put another model in place', async () => {
    let live = shipped;
    const { parts } = play({
      liveCard: () => live,
      evaluate: async () => {
        live = card;
        return evaluation;
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    await session.evaluate();
    expect(session.store.getState().evaluation.phase).toBe('idle');
  });
});

describe('a model worker that dies again and again', () => {
  it('is not started for ever, and a person can retry', async () => {
    const played = play();
    const session = createSession(played.parts);
    await session.start();
    for (let loss = 0; loss < 3; loss++) played.crashModelWorker('The script could not be loaded.');
    expect(session.store.getState().engine).toMatchObject({
      phase: 'failed',
      fault: { message: 'The script could not be loaded.' },
    });
    expect(played.numModelWorkers).toBe(3);
    await session.retryEngine();
    expect(session.store.getState().engine.phase).toBe('ready');
  });
});

describe('classify', () => {
  it('answers the latest picture; those overtaken get null', async () => {
    const seen: number[] = [];
    const { parts } = play({
      classify: async ({ width }) => {
        seen.push(width);
        return { kind: 'blank', steps: [], verdict: { kind: 'cannotSay', reason: 'blank' } };
      },
    });
    const session = createSession(parts);
    await session.start();
    const answers = await Promise.all([1, 2, 3, 4].map((side) => session.classify(picture(side))));
    expect(answers.map((answer) => answer?.kind ?? null)).toEqual(['blank', null, null, 'blank']);
    expect(seen).toEqual([1, 4]);
  });
});

describe('calibrate', () => {
  const calibration = { data: 'train.csv', numRows: 10, temperature: 1.5, familiarity: null };

  it('puts what was found on the live card and measures the model anew', async () => {
    let live: ModelCard = shipped;
    let numEvaluations = 0;
    const { parts } = play({
      calibrate: async () => {
        live = { ...live, calibration };
        return live;
      },
      liveCard: () => live,
      evaluate: async () => {
        numEvaluations++;
        return evaluation;
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    await session.calibrate();
    const { model, calibration: state } = session.store.getState();
    expect(model).toMatchObject({ phase: 'live', card: { id: 'shipped', calibration } });
    expect(state).toEqual({ phase: 'idle' });
    expect(numEvaluations).toBe(1);
    expect(session.store.getState().evaluation.phase).toBe('ready');
  });

  it('measures nothing where another model took its place meanwhile', async () => {
    let numEvaluations = 0;
    const { parts } = play({
      loadModel: async () => card,
      calibrate: async () => {
        await session.loadModel(card.id);
        return card;
      },
      evaluate: async () => {
        numEvaluations++;
        return evaluation;
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    await session.calibrate();
    expect(session.store.getState().model).toEqual({ phase: 'live', card });
    expect(numEvaluations).toBe(0);
  });

  it('tells why it could not', async () => {
    const { parts } = play({
      calibrate: async () => {
        throw new Error('Which rows were held out is not known.');
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    await session.calibrate();
    expect(session.store.getState().calibration).toMatchObject({
      phase: 'failed',
      fault: { message: 'Which rows were held out is not known.' },
    });
    await session.loadShippedModel();
    expect(session.store.getState().calibration).toEqual({ phase: 'idle' });
  });
});

describe('lookalikes', () => {
  it('gives the training data to the model worker once, then asks it', async () => {
    const given: string[] = [];
    const found = { pixels: new Uint8Array(784), rows: new Uint32Array([3]), numCompared: 4 };
    const { parts } = play({
      setData: (part) => {
        given.push(part);
      },
      lookalikes: async () => found,
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    expect(await session.lookalikes(new Uint8Array(784), 3)).toEqual(found);
    expect(await session.lookalikes(new Uint8Array(784), 4)).toEqual(found);
    expect(given).toEqual(['train']);
  });
});

describe('models', () => {
  it('reports what storage refuses and leaves the live model and the list as they were', async () => {
    const { parts } = play({
      saveModel: async () => {
        throw new Error('The browser has no room left. Nothing was saved.');
      },
    });
    const session = createSession(parts);
    await session.start();
    await session.saveModel('Mine');
    const { library, model } = session.store.getState();
    expect(library).toMatchObject({ phase: 'ready', fault: { message: /no room/ } });
    expect(model).toEqual({ phase: 'live', card: shipped });
  });
});
