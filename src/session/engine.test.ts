import { describe, expect, it } from 'vitest';
import type { BackendName, BackendOption, EngineInfo } from '../engine/backends.ts';
import { NETWORK_PRESETS, type NetworkPresetName } from '../network/presets.ts';
import type { NetworkSpec } from '../network/spec.ts';
import { openLine } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import { createEngine } from './engine.ts';
import { createTestStore, expose } from './fixtures.ts';
import type { ModelHost } from './host.ts';
import type { Lines } from './lines.ts';
import type { Run, SessionState, TrainJob } from './state.ts';

const options: BackendOption[] = (['webgl', 'simd'] as const).map((name) => ({
  name,
  title: name,
  available: true,
  isSoftware: false,
  detail: name,
}));

const info: EngineInfo = {
  choice: 'auto',
  active: 'webgl',
  options,
  reason: 'For the test.',
  fingerprint: 'this machine',
};

/** An engine part whose trials find these speeds, and whose host only notes that it is renewed. */
function play(speeds: Partial<Record<BackendName, number>>, state: Partial<SessionState> = {}) {
  const store = createTestStore({
    engine: { phase: 'ready', info },
    trials: { phase: 'idle', fingerprint: 'this machine', table: {} },
    ...state,
  });
  const log: string[] = [];
  const lines = {
    openTrial() {
      let active: BackendName = 'webgl';
      const api = {
        start: ({ choice }: { choice: BackendName }) => {
          active = choice;
          return { ...info, active };
        },
        tryTraining(network: NetworkSpec) {
          log.push(`try ${active} with ${network.title}`);
          return { imagesPerSecond: speeds[active] ?? 0, warmUpMs: 1 };
        },
      };
      return openLine<ModelWorkerApi>(
        expose(api),
        () => {},
        () => {},
      );
    },
  } as Partial<Lines> as Lines;
  const host = {
    started: async () => {},
    async renew({ workload }) {
      log.push(`renew for ${workload.network.title}`);
      store.setState({ engine: { phase: 'ready', info: { ...info, active: 'simd' } } });
    },
  } as Partial<ModelHost> as ModelHost;
  const engine = createEngine({
    store,
    lines,
    host,
    form: {
      read: async () => {},
      keep: async () => void log.push(`keep ${store.getState().engineChoice}`),
      setNetwork: () => {},
      setRecipe: () => {},
      resetRecipe: () => {},
    },
    memory: {
      readEngineMemory: async () => null,
      writeEngineMemory: async ({ fingerprint }) => void log.push(`note ${fingerprint}`),
    },
  });
  return { store, engine, log };
}

const never = new AbortController().signal;

const jobOf = (name: NetworkPresetName, { recipe }: SessionState) => ({
  network: NETWORK_PRESETS[name].spec,
  recipe,
});

describe('the engine for a job', () => {
  it('is the one that trains the job fastest, whatever the form says', async () => {
    const { store, engine, log } = play({ webgl: 10, simd: 20 });
    await engine.prepareFor(jobOf('deep', store.getState()), never);
    expect(log).toEqual([
      'try webgl with Deep',
      'try simd with Deep',
      'note this machine',
      'renew for Deep',
    ]);
  });

  it('is not looked for any more once the job is stopped', async () => {
    const { store, engine, log } = play({ webgl: 10, simd: 20 });
    const controller = new AbortController();
    const whole = engine.prepareFor(jobOf('deep', store.getState()), controller.signal);
    controller.abort();
    engine.endTrials();
    await whole;
    expect(store.getState().trials.phase).toBe('idle');
    expect(log.join()).not.toContain('renew');
  });

  it('stays the one that a person chose', async () => {
    const { store, engine, log } = play({ webgl: 10, simd: 20 }, { engineChoice: 'webgl' });
    await engine.prepareFor(jobOf('deep', store.getState()), never);
    expect(log).toEqual([]);
  });
});

describe('an engine that is chosen', () => {
  it('is kept as the choice, started, and answered with', async () => {
    const { store, engine, log } = play({});
    expect(await engine.chooseBackend('simd')).toMatchObject({
      ok: true,
      value: { active: 'simd' },
    });
    expect(store.getState().engineChoice).toBe('simd');
    expect(log).toEqual(['keep simd', 'renew for Classic']);
  });

  it('is refused while a run is under way', async () => {
    const { store, engine, log } = play({});
    const job: TrainJob = { ...jobOf('small', store.getState()), data: 'inUse' };
    store.setState({ training: { phase: 'waitingForData', job } });
    expect(await engine.chooseBackend('simd')).toMatchObject({ ok: false });
    expect(await engine.tryEngines(true)).toMatchObject({ ok: false });
    expect(log).toEqual([]);
  });
});

describe('the speed of a run', () => {
  const run = (change: Partial<Run>, { recipe }: SessionState) =>
    ({
      network: NETWORK_PRESETS.small.spec,
      recipe,
      backend: 'webgl',
      numTrain: 1000,
      imagesPerSecond: 50,
      elapsedMs: 5000,
      ...change,
    }) as Run;

  it('is noted where the engine was not tried, and the run was long enough', async () => {
    const { store, engine } = play({});
    engine.noteRunSpeed(run({ elapsedMs: 10 }, store.getState()));
    expect(store.getState().trials.table).toEqual({});
    engine.noteRunSpeed(run({}, store.getState()));
    engine.noteRunSpeed(run({ imagesPerSecond: 70 }, store.getState()));
    expect(Object.values(store.getState().trials.table)).toEqual([
      { webgl: { outcome: 'timed', imagesPerSecond: 50, warmUpMs: null } },
    ]);
  });
});
