/** The finished runs, for comparison: those of this visit and those kept from earlier ones. */
import type { StoreApi } from 'zustand/vanilla';
import type * as runStore from '../store/runs.ts';
import type { Run, RunSummary, RunsSlice } from './state.ts';

export interface KeptRunsActions {
  removeRun(id: string): Promise<void>;
  /** Puts a removed run back. */
  restoreRun(run: RunSummary): Promise<void>;
}

export interface KeptRuns extends KeptRunsActions {
  /** Sets the runs of earlier visits. */
  read(): Promise<void>;
  keep(run: Run, reason: RunSummary['reason']): Promise<void>;
  /** Notes how the model of a run did on the test set; of no effect where the run is not kept. */
  noteTest(id: string, test: { readonly accuracy: number; readonly loss: number }): Promise<void>;
}

/** No action rejects: where storage refuses a run, it lasts as long as the page. */
export function createKeptRuns(
  store: StoreApi<RunsSlice>,
  { listRuns, saveRun, removeRun }: Pick<typeof runStore, 'listRuns' | 'saveRun' | 'removeRun'>,
): KeptRuns {
  const { getState: get, setState: set } = store;

  async function keepSummary(summary: RunSummary): Promise<void> {
    const others = get().runs.filter((run) => run.id !== summary.id);
    set({ runs: [summary, ...others].sort((a, b) => b.startedAt.localeCompare(a.startedAt)) });
    await saveRun(summary).catch(reportUnkept);
  }

  return {
    async read() {
      await listRuns().then((runs) => set({ runs }), reportUnkept);
    },
    async keep(run, reason) {
      const { id, network, recipe, backend, dataName, numTrain, startedAt, elapsedMs, history } =
        run;
      const of = { id, network, recipe, backend, dataName, numTrain, startedAt };
      const known = { ...of, elapsedMs, history, reason };
      await keepSummary({ ...known, testAccuracy: null, testLoss: null });
    },
    async noteTest(id, { accuracy, loss }) {
      const run = get().runs.find((summary) => summary.id === id);
      if (run) await keepSummary({ ...run, testAccuracy: accuracy, testLoss: loss });
    },
    async removeRun(id) {
      set({ runs: get().runs.filter((run) => run.id !== id) });
      await removeRun(id).catch(reportUnkept);
    },
    restoreRun: keepSummary,
  };
}

/** Runs and settings are conveniences: where storage refuses them the page goes on without. */
export function reportUnkept(error: unknown): void {
  console.warn('Not kept for the next visit:', error);
}
