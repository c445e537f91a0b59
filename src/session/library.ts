/** The current model and the models kept in this browser. */
import type * as Comlink from 'comlink';
import type { StoreApi } from 'zustand/vanilla';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { requestPersistence } from '../store/database.ts';
import { WorkerLostError } from '../worker/line.ts';
import type { CardUpdate, ModelWorkerApi } from '../worker/model.worker.ts';
import type { ModelHost } from './host.ts';
import { type Fault, type LibrarySlice, type Result, succeeded, toFault } from './state.ts';

export interface LibraryActions {
  saveModel(name: string): Promise<Result<ModelCard>>;
  loadModel(id: string): Promise<Result<ModelCard>>;
  renameModel(id: string, name: string): Promise<Result<void>>;
  /** Undone by `restoreModel` until the page is left. */
  deleteModel(id: string): Promise<Result<void>>;
  restoreModel(id: string): Promise<Result<void>>;
  /** Makes the model that came with the page the current one again. */
  loadShippedModel(): Promise<Result<ModelCard>>;
  /**
   * A zip, or model.json and weights.bin; checked whole before the current model is replaced. Where
   * it could not be kept as well, `unkept` says why.
   */
  importModel(files: readonly File[]): Promise<Result<CardUpdate>>;
  /** A zip of model.json, weights.bin and metadata.json. Rejects where it cannot be made. */
  exportModel(): Promise<{ readonly fileName: string; readonly zip: Blob }>;
}

export interface LibraryPart extends LibraryActions {
  /** Lists anew. A fault that is being told stays, unless another is given. */
  refresh(fault?: Fault | null): Promise<void>;
  /** Tells what could not be done; the list stays as it is. */
  tellFault(fault: Fault): void;
  /** Shows the model that is current in the worker. */
  takeLiveCard(): Promise<void>;
  /** Another model took the place of the current one. */
  whenReplaced(listener: () => void): void;
}

export function createLibrary(store: StoreApi<LibrarySlice>, host: ModelHost): LibraryPart {
  const { getState: get, setState: set } = store;
  const replacedListeners: (() => void)[] = [];

  host.whenStarted(async (line) => {
    try {
      const last = await line
        .call((api) => api.loadLast())
        // Storage that fails must not leave the page without a model.
        .catch((error: unknown) => {
          if (!(error instanceof WorkerLostError)) tellFault(toFault(error));
          return null;
        });
      const card = last ?? (await line.call((api) => api.loadShipped()));
      set({ model: { phase: 'live', card } });
    } catch (error) {
      // After a worker that died its successor comes.
      if (!(error instanceof WorkerLostError)) {
        set({ model: { phase: 'none', fault: toFault(error) } });
      }
    }
  });

  host.whenRenewing(async () => {
    const unkept = await exportUnkept();
    return async () => {
      if (unkept) await replace((api) => api.reviveModel(unkept.file, unkept.card));
    };
  });

  /** The current model as a file, where ending its worker would lose it; null where it is kept. */
  async function exportUnkept(): Promise<{ file: File; card: ModelCard } | null> {
    const { model, library } = get();
    if (model.phase !== 'live' || model.card.origin === 'shipped') return null;
    const { card } = model;
    const isKept =
      library.phase === 'ready' && library.models.some((kept) => kept.card.id === card.id);
    if (isKept) return null;
    try {
      const { fileName, zip } = await exportModel();
      return { file: new File([zip], fileName), card };
    } catch {
      // A worker that does not answer any more has nothing left to save.
      return null;
    }
  }

  async function refresh(fault = faultToKeep()): Promise<void> {
    try {
      const library = await host.call((api) => api.listModels());
      set({ library: { phase: 'ready', ...library, fault } });
    } catch (error) {
      set({ library: { phase: 'failed', fault: toFault(error) } });
    }
  }

  /** What is wrong with listing is told anew by each try. */
  function faultToKeep(): Fault | null {
    const { library } = get();
    return library.phase === 'failed' ? null : library.fault;
  }

  function tellFault(fault: Fault): void {
    set({ library: { ...get().library, fault } });
  }

  /** An action on kept models: on failure the list stays as it is and tells the fault. */
  async function change<Value>(
    act: () => Promise<Value>,
    faultBeside: (value: Value) => Fault | null = () => null,
  ): Promise<Result<Value>> {
    let value: Value;
    try {
      value = await act();
    } catch (error) {
      const fault = toFault(error);
      tellFault(fault);
      return { ok: false, fault };
    }
    await refresh(faultBeside(value));
    return succeeded(value);
  }

  function show(card: ModelCard): void {
    set({ model: { phase: 'live', card } });
    for (const listener of replacedListeners) listener();
  }

  /** Puts another model in the place of the current one; on failure that one stays. */
  function replace(
    bring: (api: Comlink.Remote<ModelWorkerApi>) => Promise<ModelCard>,
  ): Promise<Result<ModelCard>> {
    return change(async () => {
      const card = await host.call(bring);
      show(card);
      return card;
    });
  }

  async function exportModel(): Promise<{ fileName: string; zip: Blob }> {
    const { fileName, zip } = await host.call((api) => api.exportModel());
    return { fileName, zip: new Blob([zip], { type: 'application/zip' }) };
  }

  return {
    refresh,
    tellFault,
    exportModel,
    whenReplaced: (listener) => void replacedListeners.push(listener),

    async takeLiveCard() {
      const card = await host.call((api) => api.liveCard());
      if (card) set({ model: { phase: 'live', card } });
    },

    saveModel: (name) =>
      change(async () => {
        const card = await host.call((api) => api.saveModel(name));
        set({ model: { phase: 'live', card } });
        // What has a name is meant to last. Asked here, where a person has just said so.
        void requestPersistence();
        return card;
      }),
    loadModel: (id) => replace((api) => api.loadModel(id)),
    loadShippedModel: () => replace((api) => api.loadShipped()),
    renameModel: (id, name) =>
      change(async () => {
        await host.call((api) => api.renameModel(id, name));
        const { model } = get();
        if (model.phase === 'live' && model.card.id === id) {
          set({ model: { phase: 'live', card: { ...model.card, name } } });
        }
      }),
    deleteModel: (id) => change(() => host.call((api) => api.deleteModel(id))),
    restoreModel: (id) => change(() => host.call((api) => api.restoreModel(id))),
    importModel: (files) =>
      change(
        async () => {
          const imported = await host.call((api) => api.importModel(files));
          show(imported.card);
          return imported;
        },
        ({ unkept }) => unkept,
      ),
  };
}
