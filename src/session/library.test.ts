import { describe, expect, it } from 'vitest';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import { card, createTestStore, playHost, shipped } from './fixtures.ts';
import { createLibrary } from './library.ts';
import type { SessionState } from './state.ts';

function play(api: Partial<ModelWorkerApi> = {}, state: Partial<SessionState> = {}) {
  const store = createTestStore({ model: { phase: 'live', card: shipped }, ...state });
  const played = playHost({
    loadLast: async () => null,
    loadShipped: async () => shipped,
    listModels: async () => ({ models: [], unreadable: [], newer: null }),
    ...api,
  });
  return { ...played, store, library: createLibrary(store, played.host) };
}

const isFull = { name: 'StorageError', message: 'The browser has no room left.' };

describe('a worker that starts', () => {
  it('loads the shipped model where no model was used before', async () => {
    const { store, start } = play({}, { model: { phase: 'loading' } });
    await start();
    expect(store.getState().model).toEqual({ phase: 'live', card: shipped });
  });

  it('takes the shipped model and says why where the one used last cannot be read', async () => {
    const { store, start, library } = play({
      loadLast: async () => {
        throw new Error('“Coats” is damaged and cannot be used.');
      },
    });
    await start();
    await library.refresh();
    const state = store.getState();
    expect(state.model).toEqual({ phase: 'live', card: shipped });
    expect(state.library).toMatchObject({
      phase: 'ready',
      fault: { message: '“Coats” is damaged and cannot be used.' },
    });
  });

  it('has no model where not even the shipped one is there', async () => {
    const { store, start } = play({
      loadShipped: async () => {
        throw new Error('404');
      },
    });
    await start();
    expect(store.getState().model).toMatchObject({ phase: 'none', fault: { message: '404' } });
  });
});

describe('a worker that is renewed', () => {
  it('is given the current model where that is not kept', async () => {
    const revived: string[] = [];
    const { host, store } = play(
      {
        exportModel: async () => ({ fileName: 'm.zip', zip: new Uint8Array(1) }),
        reviveModel: async (_file, given) => {
          revived.push(given.id);
          return given;
        },
      },
      { model: { phase: 'live', card } },
    );
    await host.renew({ workload: store.getState(), isUrgent: true });
    expect(revived).toEqual(['run-1']);
    expect(store.getState().model).toEqual({ phase: 'live', card });
  });
});

describe('an action on models', () => {
  it('tells what storage refuses and leaves the current model and the list as they were', async () => {
    const { store, library } = play({
      saveModel: async () => {
        throw new Error('The browser has no room left. Nothing was saved.');
      },
    });
    await library.refresh();
    expect(await library.saveModel('Mine')).toMatchObject({
      ok: false,
      fault: { message: /no room/ },
    });
    const { library: state, model } = store.getState();
    expect(state).toMatchObject({ phase: 'ready', fault: { message: /no room/ } });
    expect(model).toEqual({ phase: 'live', card: shipped });
  });

  it('takes the fault of the one before away when it succeeds', async () => {
    const { store, library } = play({ deleteModel: async () => {} });
    library.tellFault(isFull);
    expect(await library.deleteModel('x')).toEqual({ ok: true, value: undefined });
    expect(store.getState().library).toMatchObject({ phase: 'ready', fault: null });
  });

  it('does not claim that an import was kept where there was no room for it', async () => {
    const imported = { ...card, id: 'imported', origin: 'imported' } as const;
    const { store, library } = play({
      importModel: async () => ({ card: imported, unkept: isFull }),
    });
    let numReplaced = 0;
    library.whenReplaced(() => numReplaced++);
    const result = await library.importModel([]);
    expect(result).toEqual({ ok: true, value: { card: imported, unkept: isFull } });
    expect(store.getState().model).toEqual({ phase: 'live', card: imported });
    expect(store.getState().library).toMatchObject({ phase: 'ready', fault: isFull });
    expect(numReplaced).toBe(1);
  });
});
