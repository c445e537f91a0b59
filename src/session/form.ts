/** What the person has set, kept for the next visit: the Train room's form, the engine, the data. */
import type { StoreApi } from 'zustand/vanilla';
import { DEFAULT_RECIPE, type Recipe } from '../ml/spec/recipe.ts';
import type * as settingsStore from '../store/settings.ts';
import { reportUnkept } from './keptRuns.ts';
import type { DataSlice, EngineSlice, FormSlice, TrainJob } from './state.ts';

export interface FormActions {
  setNetwork(network: TrainJob['network']): void;
  setRecipe(change: Partial<Recipe>): void;
  resetRecipe(): void;
}

export interface Form extends FormActions {
  /** Sets what was kept at an earlier visit. */
  read(): Promise<void>;
  /** Keeps what is set. Never rejects. */
  keep(): Promise<void>;
}

export function createForm(
  store: StoreApi<FormSlice & EngineSlice & Pick<DataSlice, 'source'>>,
  settings: Pick<typeof settingsStore, 'readSettings' | 'writeSettings'>,
): Form {
  const { getState: get, setState: set } = store;

  async function keep(): Promise<void> {
    const { network, recipe, engineChoice: backend, includesWebGPU, source } = get();
    await settings
      .writeSettings({ network, recipe, backend, includesWebGPU, source })
      .catch(reportUnkept);
  }

  return {
    async read() {
      const kept = await settings.readSettings().catch(() => null);
      if (!kept) return;
      const { backend: engineChoice, ...others } = kept;
      set({ engineChoice, ...others });
    },
    keep,
    setNetwork(network) {
      set({ network });
      void keep();
    },
    setRecipe(change) {
      set({ recipe: { ...get().recipe, ...change } });
      void keep();
    },
    resetRecipe() {
      set({ recipe: DEFAULT_RECIPE });
      void keep();
    },
  };
}
