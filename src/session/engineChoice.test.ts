/** The whole session on played machines: which engine it tries, runs, remembers and changes. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BackendName, BackendOption, EngineInfo } from '../engine/backends.ts';
import { excludeBackends, explainBackend, rankBackends } from '../engine/choice.ts';
import type { TrainEvent } from '../ml/run/train.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { findNetworkPreset, NETWORK_PRESETS } from '../network/presets.ts';
import type { NetworkSpec } from '../network/spec.ts';
import type { EngineMemory, Settings } from '../store/records.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import { openLine } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import { card, expose } from './fixtures.ts';
import { createSession, type Session, type SessionParts } from './session.ts';

afterEach(() => {
  vi.useRealTimers();
});

type Speeds = { readonly [Name in BackendName]?: number | (() => Promise<number>) };

interface Machine {
  /** Images a second of each backend there is; a function may fail or never answer. */
  readonly speeds: Speeds;
  readonly software?: readonly BackendName[];
  readonly fingerprint?: string;
}

const nameOf = (network: NetworkSpec) => findNetworkPreset(network)?.name;

/** What stays in the browser between two visits. */
interface Kept {
  settings: Settings | null;
  memory: EngineMemory | null;
}

/** A visit to the page on a machine: the session, and what its workers were asked. */
function visit({ speeds, software = [], fingerprint = 'this machine' }: Machine, kept: Kept) {
  const log: string[] = [];
  let crash = (_message: string) => {};
  const there: BackendOption[] = (['webgl', 'webgpu', 'simd', 'wasm'] as const).map((name) => ({
    name,
    title: name,
    available: name in speeds,
    isSoftware: software.includes(name),
    detail: name,
  }));
  const parts: SessionParts = {
    openDataLine: (onLost) =>
      openLine<DataWorkerApi>(
        expose({
          load: async () => ({ source: 'sample', trainFile: 'train.csv', numTrain: 4, numTest: 0 }),
          supply: (port: MessagePort) => port.close(),
        }),
        () => {},
        onLost,
      ),
    openModelLine: (onLost) => {
      let active: BackendName | null = null;
      const api: Partial<Record<keyof ModelWorkerApi, unknown>> = {
        async start(wish: Parameters<ModelWorkerApi['start']>[0]) {
          const { choice, includesWebGPU, memory } = wish;
          const options = excludeBackends(there, wish.excluded);
          const trials = memory?.fingerprint === fingerprint ? memory.trials : {};
          const chances = { options, includesWebGPU, trials };
          const first =
            options.find(({ name, available }) => name === choice && available) ??
            rankBackends(chances)[0] ??
            options[0];
          if (!first) throw new Error('There is no backend.');
          active = first.name;
          if (choice === 'auto') log.push(`start ${active}`);
          const reason = choice === 'auto' ? explainBackend(first, chances) : 'Your choice.';
          return { choice, active, options, reason, fingerprint } satisfies EngineInfo;
        },
        async tryTraining(network: NetworkSpec) {
          log.push(`try ${active} with ${nameOf(network)}`);
          const speed = active ? speeds[active] : undefined;
          const imagesPerSecond = typeof speed === 'function' ? await speed() : speed;
          return { imagesPerSecond, warmUpMs: 10 };
        },
        async train(
          { network }: { network: NetworkSpec },
          _data: unknown,
          onEvent: (event: TrainEvent) => Promise<void>,
        ) {
          log.push(`train ${nameOf(network)} on ${active}`);
          await onEvent({ kind: 'finished', reason: 'completed', epoch: 1 });
          return card;
        },
        // Only the worker of the live model is asked for this, not those of trials.
        onLost: () => {
          crash = line.fail;
        },
        connectData: (port: MessagePort | null) => port?.close(),
        releaseImage: () => {},
        loadLast: () => null,
        loadShipped: () => ({ ...card, id: 'shipped', origin: 'shipped' }),
        liveCard: () => card,
        listModels: () => ({ models: [], unreadable: [] }),
        exportModel: () => ({ fileName: 'live.zip', zip: new Uint8Array(1) }),
        reviveModel(_file: File, revived: ModelCard) {
          log.push(`revive ${revived.id}`);
          return revived;
        },
      };
      const line = openLine<ModelWorkerApi>(expose(api), () => {}, onLost);
      return line;
    },
    runs: { listRuns: async () => [], saveRun: async () => {}, removeRun: async () => {} },
    settings: {
      readSettings: async () => kept.settings,
      writeSettings: async (settings) => {
        kept.settings = settings;
      },
      readEngineMemory: async () => kept.memory,
      writeEngineMemory: async (memory) => {
        kept.memory = memory;
      },
    },
  };
  const session = createSession(parts);
  const active = () => {
    const { engine } = session.store.getState();
    return engine.phase === 'ready' ? engine.info.active : null;
  };
  return { session, log, active, crash: (message: string) => crash(message) };
}

const nothingKept = (): Kept => ({ settings: null, memory: null });
const slowCard = { speeds: { webgl: 4000, simd: 9000 } };
const fastCard = { speeds: { webgl: 30_000, simd: 9000 } };

describe('the engine of a first visit', () => {
  it('is the processor where the graphics card turns out slower', async () => {
    const kept = nothingKept();
    const { session, log, active } = visit(slowCard, kept);
    await session.start();
    expect(active()).toBe('webgl');
    await vi.waitFor(() => expect(active()).toBe('simd'));
    expect(log).toEqual([
      'start webgl',
      'try webgl with classic',
      'try simd with classic',
      'start simd',
    ]);
    const { engine, model } = session.store.getState();
    expect(engine).toMatchObject({
      info: { reason: expect.stringContaining('2.3 times as fast') },
    });
    expect(model).toMatchObject({ phase: 'live', card: { id: 'shipped' } });
    expect(kept.memory?.trials['classic@128']?.simd).toMatchObject({ imagesPerSecond: 9000 });
  });

  it('stays the graphics card where that is faster, and says so', async () => {
    const { session, log, active } = visit(fastCard, nothingKept());
    await session.start();
    await vi.waitFor(() => expect(session.store.getState().trials.table).not.toEqual({}));
    expect(active()).toBe('webgl');
    expect(log.filter((line) => line.startsWith('start'))).toEqual(['start webgl']);
    expect(session.store.getState().engine).toMatchObject({
      info: { reason: expect.stringContaining('3.3 times as fast') },
    });
  });

  it('is not tried where there is one candidate, until somebody looks', async () => {
    const emulated: Machine = { speeds: { webgl: 20, simd: 9000 }, software: ['webgl'] };
    const { session, log } = visit(emulated, nothingKept());
    await session.start();
    await session.train(session.formJob());
    expect(log).toEqual(['start simd', 'train classic on simd']);
    await session.tryEngines(false);
    await session.tryEngines(false);
    expect(log.slice(2)).toEqual(['try simd with classic']);
    await session.tryEngines(true);
    expect(log.slice(3)).toEqual(['try simd with classic']);
  });

  it('is the other where one fails its trial', async () => {
    const webgl = async () => {
      throw new Error('A shader did not compile.');
    };
    const { session, active } = visit({ speeds: { webgl, simd: 50 } }, nothingKept());
    await session.start();
    await vi.waitFor(() => expect(active()).toBe('simd'));
    expect(session.store.getState().trials.table['classic@128']?.webgl).toEqual({
      outcome: 'failed',
      message: 'A shader did not compile.',
    });
  });

  it('is the other where one is not ready in time, or gives no figure', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const never = () => new Promise<number>(() => {});
    const { session, log } = visit({ speeds: { webgl: never, simd: Number.NaN } }, nothingKept());
    await session.start();
    const tried = session.tryEngines(false);
    while (!log.includes('try webgl with classic')) await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(11_000);
    await tried;
    expect(session.store.getState().trials.table['classic@128']).toMatchObject({
      webgl: { outcome: 'failed', message: expect.stringContaining('within 10 seconds') },
      simd: { outcome: 'failed' },
    });
  });

  it('is settled before a run that is started at once', async () => {
    const { session, log } = visit(slowCard, nothingKept());
    await session.start();
    await session.train(session.formJob());
    expect(log.slice(-2)).toEqual(['start simd', 'train classic on simd']);
    expect(log.filter((line) => line.startsWith('try'))).toHaveLength(2);
  });
});

describe('what was found out', () => {
  it('is used at once at the next visit, without another trial', async () => {
    const kept = nothingKept();
    const first = visit(slowCard, kept);
    await first.session.start();
    await vi.waitFor(() => expect(first.active()).toBe('simd'));

    const second = visit(slowCard, kept);
    await second.session.start();
    await second.session.train(second.session.formJob());
    await second.session.tryEngines(false);
    expect(second.log).toEqual(['start simd', 'train classic on simd']);
  });

  it('is void on another machine', async () => {
    const kept = nothingKept();
    const first = visit(slowCard, kept);
    await first.session.start();
    await vi.waitFor(() => expect(first.active()).toBe('simd'));

    const moved = visit({ ...fastCard, fingerprint: 'another machine' }, kept);
    await moved.session.start();
    await vi.waitFor(() => expect(kept.memory?.fingerprint).toBe('another machine'));
    expect(moved.active()).toBe('webgl');
    expect(moved.log).toContain('try webgl with classic');
  });

  it('holds for one network: another is tried before its first run', async () => {
    let isDeep = false;
    const machine: Machine = {
      speeds: {
        webgl: async () => (isDeep ? 5000 : 4000),
        simd: async () => (isDeep ? 900 : 9000),
      },
    };
    const { session, log, active } = visit(machine, nothingKept());
    await session.start();
    await vi.waitFor(() => expect(active()).toBe('simd'));
    isDeep = true;
    session.setNetwork(NETWORK_PRESETS.deep.spec);
    await session.train(session.formJob());
    expect(log.slice(4)).toEqual([
      'try webgl with deep',
      'try simd with deep',
      'start webgl',
      'train deep on webgl',
    ]);
    session.setNetwork(NETWORK_PRESETS.classic.spec);
    await session.train(session.formJob());
    expect(log.slice(8)).toEqual(['start simd', 'revive run-1', 'train classic on simd']);
  });
});

describe('a change of engines', () => {
  it('brings a live model that is not kept along, as it was', async () => {
    const { session, log } = visit(slowCard, nothingKept());
    await session.start();
    await session.train(session.formJob());
    await session.chooseBackend('webgl');
    expect(log.at(-1)).toBe('revive run-1');
    expect(session.store.getState().model).toEqual({ phase: 'live', card });
  });

  it('is not made where the person chose one', async () => {
    const { session, log, active } = visit(slowCard, nothingKept());
    await session.start();
    await session.chooseBackend('webgl');
    await session.tryEngines(false);
    await session.train(session.formJob());
    expect(active()).toBe('webgl');
    expect(log.at(-1)).toBe('train classic on webgl');
  });

  it('waits for the next run where a trial was asked for', async () => {
    let webgl = 30_000;
    const { session, active } = visit(
      { speeds: { webgl: async () => webgl, simd: 9000 } },
      nothingKept(),
    );
    await session.start();
    await session.train(session.formJob());
    expect(active()).toBe('webgl');
    webgl = 1000;
    await session.tryEngines(true);
    expect(active()).toBe('webgl');
    await session.train(session.formJob());
    expect(active()).toBe('simd');
  });

  it('is called off by a stop', async () => {
    const never = () => new Promise<number>(() => {});
    const { session, log } = visit({ speeds: { webgl: never, simd: 9000 } }, nothingKept());
    await session.start();
    const whole = session.train(session.formJob());
    await vi.waitFor(() => expect(log).toContain('try webgl with classic'));
    session.stop();
    await whole;
    const { training, trials } = session.store.getState();
    expect(training.phase).toBe('idle');
    expect(trials).toMatchObject({ phase: 'idle', table: {} });
  });
});

describe('WebGPU', () => {
  const machine = { speeds: { webgl: 8000, simd: 7000, webgpu: 20_000 } };

  it('is tried and chosen only where the person asked for it', async () => {
    const kept = nothingKept();
    const { session, log, active } = visit(machine, kept);
    await session.start();
    await session.train(session.formJob());
    expect(log).not.toContain('try webgpu with classic');
    await session.setIncludesWebGPU(true);
    expect(log).toContain('try webgpu with classic');
    await session.train(session.formJob());
    expect(active()).toBe('webgpu');
    expect(kept.settings?.includesWebGPU).toBe(true);
  });
});

describe('an engine that breaks down again and again', () => {
  const ready = (session: Session) =>
    vi.waitFor(() => expect(session.store.getState().engine.phase).toBe('ready'));

  /** Loses the engine as often as it takes, each time once it runs again. */
  async function breakDown({ session, crash }: ReturnType<typeof visit>): Promise<void> {
    for (let loss = 0; loss < 3; loss++) {
      await ready(session);
      crash('The graphics card was lost.');
    }
  }

  it('gives way to the next best on retry, which is said beforehand', async () => {
    const settings: Settings = {
      network: NETWORK_PRESETS.classic.spec,
      recipe: DEFAULT_RECIPE,
      backend: 'webgl',
      includesWebGPU: false,
      source: null,
    };
    const kept: Kept = { settings, memory: null };
    const machine = visit(fastCard, kept);
    const { session, active } = machine;
    await session.start();
    expect(active()).toBe('webgl');
    await breakDown(machine);
    const { engine } = session.store.getState();
    expect(engine).toMatchObject({ phase: 'failed', next: 'simd' });
    expect(engine.phase === 'failed' && engine.fault.message).toContain(
      'Retry goes on with CPU (Atelier)',
    );

    await session.retryEngine();
    expect(active()).toBe('simd');
    expect(session.store.getState().model.phase).toBe('live');
    // The choice stays for the next visit.
    expect(kept.settings?.backend).toBe('webgl');
  });

  it('is neither tried nor chosen again on this visit, and gives the choice back at the end', async () => {
    const machine = visit(fastCard, nothingKept());
    const { session, active, log } = machine;
    await session.start();
    await breakDown(machine);
    await session.retryEngine();
    expect(active()).toBe('simd');
    log.length = 0;
    await session.train(session.formJob());
    expect(log).toEqual(['train classic on simd']);

    // The last one broke as well: everything may be tried once more.
    await breakDown(machine);
    expect(session.store.getState().engine).toMatchObject({ phase: 'failed', next: null });
    await session.retryEngine();
    expect(active()).toBe('webgl');
  });
});
