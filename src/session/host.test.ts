import { describe, expect, it } from 'vitest';
import type { EngineInfo } from '../engine/backends.ts';
import { openLine } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import { createTestStore, engineInfo, expose } from './fixtures.ts';
import { createModelHost } from './host.ts';
import { createLines } from './lines.ts';
import type { SessionState } from './state.ts';

const option = (name: 'webgl' | 'simd') => ({
  name,
  title: name,
  available: true,
  isSoftware: false,
  detail: name,
});

function play(api: Partial<ModelWorkerApi> = {}, state: Partial<SessionState> = {}) {
  const store = createTestStore(state);
  const log: string[] = [];
  let numWorkers = 0;
  let crash = (_message: string) => {};
  const lines = createLines({
    openDataLine() {
      throw new Error('There is no data worker here.');
    },
    openModelLine(onLost) {
      const number = ++numWorkers;
      const info: EngineInfo = {
        ...engineInfo,
        active: 'webgl',
        options: [option('webgl'), option('simd')],
      };
      const line = openLine<ModelWorkerApi>(
        expose({
          start: () => info,
          onLost: () => {},
          liveCard: () => ({ id: `of worker ${number}` }),
          ...api,
        }),
        () => log.push(`end ${number}`),
        onLost,
      );
      crash = line.fail;
      return line;
    },
  });
  const host = createModelHost(store, lines);
  host.whenStarted(async () => void log.push('started'));
  host.whenRenewing(async () => {
    log.push('renewing');
    return async () => void log.push('renewed');
  });
  host.whenEnding(() => log.push('ending'));
  host.whenLost(({ message }) => log.push(message));
  const ask = () => host.call((api) => api.liveCard()).then((found) => found?.id);
  return { store, host, log, ask, crash: (message: string) => crash(message) };
}

describe('the model worker', () => {
  it('is called once its engine runs and who holds something of it is done', async () => {
    const { host, log, ask, store } = play();
    void host.start();
    expect(await ask()).toBe('of worker 1');
    expect(log).toEqual(['started']);
    expect(store.getState().trials.fingerprint).toBe('this machine');
  });

  it('is renewed in order, and calls go to the next one', async () => {
    const { host, log, ask, store } = play();
    await host.start();
    await host.renew({ workload: store.getState(), isUrgent: true });
    expect(log).toEqual(['started', 'renewing', 'ending', 'end 1', 'started', 'renewed']);
    expect(await ask()).toBe('of worker 2');
  });

  it('is started anew when it dies', async () => {
    const { host, log, ask, crash, store } = play();
    await host.start();
    crash('It died.');
    expect(store.getState().engine).toMatchObject({ phase: 'starting', last: { active: 'webgl' } });
    expect(await ask()).toBe('of worker 2');
    expect(log).toEqual(['started', 'end 1', 'It died.', 'started']);
  });

  it('is given up after three deaths within a minute; the engine is excluded, the next named', async () => {
    const { host, ask, crash, store } = play();
    await host.start();
    for (let death = 0; death < 3; death++) {
      await host.started();
      crash('The card was lost.');
    }
    const { engine, breakdowns, model } = store.getState();
    expect(breakdowns).toMatchObject({ excluded: ['webgl'] });
    expect(engine).toMatchObject({
      phase: 'failed',
      next: 'simd',
      fault: { message: expect.stringContaining('Retry goes on with CPU (Atelier)') },
    });
    expect(model).toEqual({ phase: 'none', fault: null });
    await expect(ask()).rejects.toThrow('The card was lost.');
  });

  it('says why where no engine starts', async () => {
    const { host, store, log } = play({
      start: async () => {
        throw new Error('No backend runs here.');
      },
    });
    await host.start();
    expect(store.getState().engine).toMatchObject({
      phase: 'failed',
      fault: { message: 'No backend runs here.' },
      next: null,
    });
    expect(log).toEqual([]);
  });
});
