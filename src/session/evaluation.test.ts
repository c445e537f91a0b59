import { describe, expect, it } from 'vitest';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import type { CardUpdate, ModelWorkerApi } from '../worker/model.worker.ts';
import { createEvaluation } from './evaluation.ts';
import {
  card,
  createTestStore,
  dataInfo,
  evaluation,
  later,
  playHost,
  shipped,
  untilAborted,
} from './fixtures.ts';
import { createLibrary } from './library.ts';

const done = (of: ModelCard) => ({ evaluation, card: of, unkept: null });

function play(api: Partial<ModelWorkerApi>) {
  const store = createTestStore({
    model: { phase: 'live', card: shipped },
    data: { phase: 'ready', info: dataInfo, note: null },
  });
  const played = playHost({
    listModels: async () => ({ models: [], unreadable: [], newer: null }),
    loadModel: async () => card,
    loadShipped: async () => shipped,
    ...api,
  });
  const noted: string[] = [];
  const library = createLibrary(store, played.host);
  const runs = {
    noteTest: async (id: string, { accuracy }: { accuracy: number }) =>
      void noted.push(`${id} ${accuracy}`),
  };
  const part = createEvaluation({ store, host: played.host, library, runs });
  return { ...played, store, library, part, noted };
}

describe('evaluate', () => {
  it('shows the figures, on the card and on the run as well', async () => {
    const measured = { ...shipped, test: { data: 'test.csv', numRows: 2, accuracy: 0.5, loss: 1 } };
    const asked: unknown[] = [];
    const { store, part, noted } = play({
      evaluate: async (data) => {
        asked.push(data);
        return done(measured);
      },
    });
    expect(await part.evaluate()).toMatchObject({ ok: true, value: { accuracy: 0.5 } });
    const state = store.getState();
    expect(state.evaluation).toMatchObject({ phase: 'ready', modelId: 'shipped' });
    expect(state.model).toEqual({ phase: 'live', card: measured });
    expect(noted).toEqual(['shipped 0.5']);
    expect(asked).toEqual([{ id: 'data-1', file: 'test.csv' }]);
  });

  it('tells where the figures could not be kept on the card', async () => {
    const unkept = { name: 'StorageError', message: 'The browser has no room left.' };
    const { store, part } = play({ evaluate: async () => ({ ...done(shipped), unkept }) });
    expect(await part.evaluate()).toMatchObject({ ok: true });
    expect(store.getState().library).toMatchObject({ phase: 'ready', fault: unkept });
  });

  it('is refused without test data, and without a model', async () => {
    const { store, part } = play({});
    store.setState({ model: { phase: 'none', fault: null } });
    expect(await part.evaluate()).toMatchObject({ ok: false, fault: { name: 'Refusal' } });
    store.setState({ data: { phase: 'idle' } });
    expect(await part.evaluate()).toMatchObject({ ok: false, fault: { name: 'Refusal' } });
  });

  it('gives no figures to a model that took the place of the one evaluated, and stops', async () => {
    const begun = later<AbortSignal>();
    const { store, part, library } = play({
      evaluate(_data, _onProgress, signal) {
        begun.resolve(signal);
        return untilAborted(signal);
      },
    });
    const whole = part.evaluate();
    const signal = await begun.promise;
    expect(store.getState().evaluation.phase).toBe('running');
    await library.loadModel(card.id);
    expect(await whole).toMatchObject({ ok: false, fault: { name: 'AbortError' } });
    // The abort reached the work in the worker.
    await expect.poll(() => signal.aborted).toBe(true);
    const state = store.getState();
    expect(state.evaluation.phase).toBe('idle');
    expect(state.model).toEqual({ phase: 'live', card });
  });

  it('is not for ever under way where a run has put another model in place', async () => {
    const { store, part } = play({ evaluate: async () => done(card) });
    expect(await part.evaluate()).toMatchObject({ ok: false });
    expect(store.getState().evaluation.phase).toBe('idle');
  });

  it('reports a worker that died', async () => {
    const begun = later<void>();
    const { store, part, lose } = play({
      evaluate: () => {
        begun.resolve();
        return new Promise(() => {});
      },
    });
    const whole = part.evaluate();
    await begun.promise;
    lose('It died.');
    expect(await whole).toMatchObject({ ok: false });
    expect(store.getState().evaluation.phase).toBe('failed');
  });
});

describe('calibrate', () => {
  const calibration = { data: 'train.csv', numRows: 10, temperature: 1.5, familiarity: null };

  it('puts what was found on the card and measures the model anew', async () => {
    let numEvaluations = 0;
    const calibrated = { ...shipped, calibration };
    const { store, part } = play({
      calibrate: async () => ({ card: calibrated, unkept: null }),
      evaluate: async () => {
        numEvaluations++;
        return done(calibrated);
      },
    });
    expect(await part.calibrate()).toEqual({ ok: true, value: calibrated });
    const state = store.getState();
    expect(state.model).toEqual({ phase: 'live', card: calibrated });
    expect(state.calibration).toEqual({ phase: 'idle' });
    expect(numEvaluations).toBe(1);
    expect(state.evaluation.phase).toBe('ready');
  });

  it('measures nothing where another model took its place meanwhile', async () => {
    const begun = later<void>();
    const answer = later<CardUpdate>();
    let numEvaluations = 0;
    const { store, part, library } = play({
      calibrate: () => {
        begun.resolve();
        return answer.promise;
      },
      evaluate: async () => {
        numEvaluations++;
        return done(card);
      },
    });
    const whole = part.calibrate();
    await begun.promise;
    await library.loadModel(card.id);
    answer.resolve({ card: { ...shipped, calibration }, unkept: null });
    expect(await whole).toMatchObject({ ok: false });
    expect(store.getState().model).toEqual({ phase: 'live', card });
    expect(numEvaluations).toBe(0);
  });

  it('tells why it could not', async () => {
    const { store, part, library } = play({
      calibrate: async () => {
        throw new Error('Which rows were held out is not known.');
      },
    });
    await part.calibrate();
    expect(store.getState().calibration).toMatchObject({
      phase: 'failed',
      fault: { message: 'Which rows were held out is not known.' },
    });
    await library.loadShippedModel();
    expect(store.getState().calibration).toEqual({ phase: 'idle' });
  });

  it('tells where it could not be kept on the card', async () => {
    const unkept = { name: 'StorageError', message: 'The browser has no room left.' };
    const calibrated = { ...shipped, calibration };
    const { store, part } = play({
      calibrate: async () => ({ card: calibrated, unkept }),
      evaluate: async () => done(calibrated),
    });
    await part.calibrate();
    expect(store.getState().library).toMatchObject({ phase: 'ready', fault: unkept });
  });
});
