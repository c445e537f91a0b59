/**
 * The whole session over real Comlink lines; only the threads behind them are played. What one part
 * does by itself is tested beside that part.
 */
import { describe, expect, it } from 'vitest';
import type { RunSummary } from '../store/records.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import { openLine } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import {
  card,
  dataInfo,
  engineInfo,
  evaluation,
  expose,
  later,
  shipped,
  stateWhen,
  stepEvent,
} from './fixtures.ts';
import { createSession, type SessionParts } from './session.ts';
import type { Fault } from './state.ts';

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
            supply: (port: MessagePort) => port.close(),
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
            connectData: (port: MessagePort | null) => port?.close(),
            train: async () => card,
            evaluate: async () => ({ evaluation, card, unkept: null }),
            liveCard: () => card,
            pause: () => {},
            resume: () => {},
            stop: () => {},
            loadLast: async () => null,
            loadShipped: async () => shipped,
            listModels: async () => ({ models: [], unreadable: [], newer: null }),
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

describe('start', () => {
  it('brings the shipped model to life where no model was used before', async () => {
    const session = createSession(play().parts);
    await session.start();
    const state = session.store.getState();
    expect(state.engine).toEqual({ phase: 'ready', info: engineInfo });
    expect(state.model).toEqual({ phase: 'live', card: shipped });
    expect(state.data.phase).toBe('idle');
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
      train: async (_request, _data, onEvent) => {
        await onEvent({
          kind: 'preparing',
          numTrain: 3,
          numValidation: 1,
          stepsPerEpoch: 3,
          epochs: 1,
        });
        for (let number = 1; number <= 3; number++) await onEvent(stepEvent(number));
        await onEvent({ kind: 'epoch', record, isBest: true });
        await onEvent({ kind: 'finished', reason: 'completed', epoch: 1 });
        return card;
      },
    });
    const session = createSession(played.parts);
    await session.start();
    await session.train(session.formJob());
    const state = session.store.getState();
    expect(state.training).toMatchObject({ phase: 'finished', reason: 'completed' });
    const run = state.training.phase === 'finished' ? state.training.run : null;
    expect(run?.trainPoints.map((point) => point.step)).toEqual([1, 2, 3]);
    expect(run?.validationPoints).toEqual([{ step: 3, loss: 0.6, accuracy: 0.7 }]);
    expect(state.model).toEqual({ phase: 'live', card });
    expect(state.evaluation.phase).toBe('ready');
    expect(played.runs.at(0)?.history).toEqual([record]);
  });

  it('ends the run, says why and starts anew where the worker dies', async () => {
    const played = play({
      train: (_request, _data, onEvent) => {
        void onEvent(stepEvent(1));
        return new Promise(() => {});
      },
    });
    const session = createSession(played.parts);
    await session.start();
    const whole = session.train(session.formJob());
    await stateWhen(session.store, (state) => state.training.phase === 'training');
    played.crashModelWorker('The graphics driver reset.');
    await whole;
    const { training } = session.store.getState();
    expect(training.phase).toBe('failed');
    expect(training.phase === 'failed' && training.fault.message).toContain(
      'graphics driver reset',
    );
    expect(played.numModelWorkers).toBe(2);
    const again = await stateWhen(session.store, (state) => state.engine.phase === 'ready');
    expect(again.training.phase).toBe('failed');
  });

  it('hears from the worker itself that the device is lost', async () => {
    let tell: (fault: Fault) => void = () => {};
    const played = play({
      onLost: (callback) => {
        tell = callback;
      },
    });
    const session = createSession(played.parts);
    await session.start();
    tell({ name: 'EngineError', message: 'WebGL context lost.' });
    await stateWhen(session.store, (state) => state.engine.phase === 'starting');
    await stateWhen(session.store, (state) => state.engine.phase === 'ready');
    expect(played.numModelWorkers).toBe(2);
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

describe('a change of models', () => {
  it('ends an evaluation under way and takes its figures away', async () => {
    const begun = later<AbortSignal>();
    const { parts } = play({
      evaluate: (_data, _onProgress, signal) => {
        begun.resolve(signal);
        return new Promise(() => {});
      },
      loadModel: async () => card,
    });
    const session = createSession(parts);
    await session.start();
    await session.loadData('sample');
    const whole = session.evaluate();
    const signal = await begun.promise;
    expect(await session.loadModel(card.id)).toEqual({ ok: true, value: card });
    expect(await whole).toMatchObject({ ok: false, fault: { name: 'AbortError' } });
    await expect.poll(() => signal.aborted).toBe(true);
    expect(session.store.getState().evaluation.phase).toBe('idle');
  });
});
