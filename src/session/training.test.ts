import { describe, expect, it } from 'vitest';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import {
  card,
  createTestStore,
  dataInfo,
  engineInfo,
  later,
  playHost,
  shipped,
  stateWhen,
  stepEvent,
} from './fixtures.ts';
import { type Result, refused, succeeded, type TrainJob, toFault } from './state.ts';
import { createTraining, type TrainingParts } from './training.ts';

const job: TrainJob = {
  network: NETWORK_PRESETS.small.spec,
  recipe: { ...DEFAULT_RECIPE, seed: 7 },
  data: 'full',
};

const finished = { kind: 'finished', reason: 'completed', epoch: 1 } as const;

const record = {
  epoch: 1,
  trainLoss: 0.5,
  trainAccuracy: 0.8,
  validationLoss: 0.6,
  validationAccuracy: 0.7,
  elapsedMs: 10,
};

/** The other parts do nothing but note that they were asked. */
function play(api: Partial<ModelWorkerApi>, parts: Partial<TrainingParts> = {}) {
  const store = createTestStore({
    engine: { phase: 'ready', info: engineInfo },
    model: { phase: 'live', card: shipped },
  });
  const log: string[] = [];
  const note = (what: string) => async () => void log.push(what);
  const { host, lose } = playHost({ liveCard: () => card, stop: () => {}, ...api });
  const training = createTraining({
    store,
    host,
    engine: { prepareFor: async () => {}, endTrials: () => {}, noteRunSpeed: () => {} },
    data: {
      dataFor: async (wanted) => {
        log.push(`data ${wanted}`);
        return succeeded(dataInfo);
      },
      cancelLoading: () => {},
    },
    evaluation: {
      evaluate: async () => {
        log.push('evaluate');
        return refused('Not in this test.');
      },
      dismiss: () => void log.push('dismiss'),
      dismissEvaluation: () => void log.push('dismiss evaluation'),
    },
    library: {
      refresh: note('refresh'),
      tellFault: ({ message }) => void log.push(message),
      takeLiveCard: async () => store.setState({ model: { phase: 'live', card } }),
    },
    runs: { keep: async ({ id }, reason) => void log.push(`keep ${reason} ${id.length}`) },
    ...parts,
  });
  return { store, training, lose, log };
}

describe('a job', () => {
  it('is trained as it is, whatever the form says, kept, and measured', async () => {
    const asked: unknown[] = [];
    const { store, training, log } = play({
      async train({ network, recipe }, data, onEvent) {
        asked.push(network.title, recipe.seed, data);
        await onEvent(stepEvent(1));
        await onEvent({ kind: 'epoch', record, isBest: true });
        await onEvent(finished);
        return card;
      },
    });
    store.setState({ network: NETWORK_PRESETS.deep.spec });
    const result = await training.train(job);
    expect(result).toMatchObject({ ok: true, value: { reason: 'completed' } });
    expect(asked).toEqual(['Small', 7, { id: 'data-1', file: 'train.csv' }]);
    const state = store.getState();
    expect(state.training).toMatchObject({ phase: 'finished', run: { history: [record] } });
    expect(state.model).toEqual({ phase: 'live', card });
    expect(log).toEqual(['data full', 'dismiss', 'keep completed 36', 'refresh', 'evaluate']);
  });

  it('is what the form stands for, where the form is asked', () => {
    const { store, training } = play({});
    const { network, recipe } = store.getState();
    expect(training.formJob()).toEqual({ network, recipe, data: 'inUse' });
  });

  it('is refused while another is under way', async () => {
    const begun = later<void>();
    const { training } = play({
      train: () => {
        begun.resolve();
        return new Promise(() => {});
      },
    });
    void training.train(job);
    await begun.promise;
    expect(await training.train(job)).toMatchObject({ ok: false, fault: { name: 'Refusal' } });
  });

  it('is not begun without data or engine', async () => {
    const fault = { name: 'DownloadError', message: 'Not found.' };
    const { store, training } = play(
      {},
      { data: { dataFor: async () => ({ ok: false, fault }), cancelLoading: () => {} } },
    );
    expect(await training.train(job)).toEqual({ ok: false, fault });
    expect(store.getState().training).toEqual({ phase: 'idle' });

    const other = play({});
    other.store.setState({ engine: { phase: 'failed', fault, next: null, last: null } });
    expect(await other.training.train(job)).toEqual({ ok: false, fault });
    expect(other.store.getState().training).toEqual({ phase: 'idle' });
  });

  it('is kept and measured where the next one begins as soon as its end is seen', async () => {
    let numRuns = 0;
    let next: Promise<unknown> | null = null;
    const { store, training, log } = play({
      async train(_request, _data, onEvent) {
        numRuns++;
        await onEvent({ kind: 'epoch', record, isBest: true });
        await onEvent(finished);
        return card;
      },
    });
    store.subscribe(({ training: { phase } }) => {
      if (phase === 'finished') next ??= training.train(job);
    });
    expect(await training.train(job)).toMatchObject({ ok: true, value: { reason: 'completed' } });
    expect(await next).toMatchObject({ ok: true, value: { reason: 'completed' } });
    expect(numRuns).toBe(2);
    expect(log.filter((entry) => entry.startsWith('keep'))).toHaveLength(2);
  });

  it('goes on where the model cannot be kept, and says so', async () => {
    const { store, training, log } = play({
      async train(_request, _data, onEvent, onUnkept) {
        await onUnkept({ name: 'StorageError', message: 'The browser has no room left.' });
        await onEvent(finished);
        return card;
      },
    });
    expect(await training.train(job)).toMatchObject({ ok: true });
    expect(store.getState().training.phase).toBe('finished');
    expect(log).toContain('The browser has no room left.');
  });

  it('reports a run that failed and takes the weights that are left', async () => {
    const { store, training } = play({
      train: async () => {
        throw new Error('The loss became NaN.');
      },
    });
    const fault = { name: 'Error', message: 'The loss became NaN.' };
    expect(await training.train(job)).toEqual({ ok: false, fault });
    const state = store.getState();
    expect(state.training).toMatchObject({ phase: 'failed', fault });
    expect(state.model).toEqual({ phase: 'live', card });
  });

  it('ends with the worker, and says what is left', async () => {
    const { store, training, lose } = play({
      train(_request, _data, onEvent) {
        void onEvent(stepEvent(1));
        return new Promise(() => {});
      },
    });
    const whole = training.train(job);
    await stateWhen(store, (state) => state.training.phase === 'training');
    lose('The graphics driver reset.');
    const message = expect.stringMatching(/driver reset.*the model from before it is loaded again/);
    expect(await whole).toMatchObject({ ok: false, fault: { message } });
    expect(store.getState().training).toMatchObject({ phase: 'failed', fault: { message } });
  });
});

describe('pause, resume and stop', () => {
  it('reach the worker', async () => {
    const heard: string[] = [];
    let over = async () => {};
    const { store, training, log } = play({
      train: (_request, _data, onEvent) =>
        new Promise((resolve) => {
          void onEvent(stepEvent(1));
          over = async () => {
            await onEvent({ kind: 'finished', reason: 'stopped', epoch: 0 });
            resolve(card);
          };
        }),
      pause: () => void heard.push('pause'),
      resume: () => void heard.push('resume'),
      stop: () => {
        heard.push('stop');
        void over();
      },
    });
    const phase = () => store.getState().training.phase;
    const whole = training.train(job);
    await stateWhen(store, (state) => state.training.phase === 'training');
    training.pause();
    expect(phase()).toBe('paused');
    training.resume();
    expect(phase()).toBe('training');
    training.stop();
    expect(phase()).toBe('stopping');
    expect(await whole).toMatchObject({ ok: true, value: { reason: 'stopped' } });
    expect(phase()).toBe('finished');
    expect(heard).toEqual(['pause', 'resume', 'stop']);
    // Figures of the pause are not about the network that learnt on; an epoch not over is not kept.
    expect(log).toContain('dismiss evaluation');
    expect(log.join()).not.toContain('keep');
  });

  it('may come while the worker still fetches the data', async () => {
    const begun = later<void>();
    const stopped = later<void>();
    const { store, training } = play({
      async train() {
        begun.resolve();
        await stopped.promise;
        throw new DOMException('The run was stopped before it began.', 'AbortError');
      },
      stop: () => stopped.resolve(),
    });
    const whole = training.train(job);
    await begun.promise;
    training.stop();
    expect(await whole).toMatchObject({ ok: false, fault: { name: 'AbortError' } });
    expect(store.getState().training).toEqual({ phase: 'idle' });
  });

  it('may come before the data is there; another job then waits until that has let go', async () => {
    let numRuns = 0;
    let numAsked = 0;
    let numCancelled = 0;
    const first = later<void>();
    const signals: AbortSignal[] = [];
    const { store, training } = play(
      {
        async train(_request, _data, onEvent) {
          numRuns++;
          await onEvent(finished);
          return card;
        },
      },
      {
        data: {
          async dataFor(_wanted, signal): Promise<Result<typeof dataInfo>> {
            signals.push(signal);
            if (++numAsked > 1) return succeeded(dataInfo);
            await first.promise;
            return { ok: false, fault: toFault(new Error('Cancelled.')) };
          },
          cancelLoading: () => void numCancelled++,
        },
      },
    );
    const stopped = training.train(job);
    await expect.poll(() => numAsked).toBe(1);
    training.stop();
    expect(store.getState().training).toEqual({ phase: 'idle' });
    expect(signals[0]?.aborted).toBe(true);
    expect(await stopped).toMatchObject({ ok: false, fault: { name: 'AbortError' } });
    const again = training.train(job);
    expect(store.getState().training).toMatchObject({ phase: 'waitingForData', job });
    expect(numAsked).toBe(1);
    first.resolve();
    expect(await again).toMatchObject({ ok: true });
    expect([numAsked, numRuns, numCancelled]).toEqual([2, 1, 1]);
  });
});
