/** How good the current model is: measured on the test set, and calibrated by rows held out. */
import * as Comlink from 'comlink';
import type { StoreApi } from 'zustand/vanilla';
import type { Evaluation } from '../ml/spec/metrics.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { createLatest } from './asking.ts';
import type { ModelHost } from './host.ts';
import type { KeptRuns } from './keptRuns.ts';
import type { LibraryPart } from './library.ts';
import {
  aborted,
  type DataSlice,
  dataInUse,
  type EvaluationSlice,
  type LibrarySlice,
  type Result,
  refused,
  succeeded,
  toFault,
} from './state.ts';

export interface EvaluationActions {
  /** Measures the current model on the test data in use. */
  evaluate(): Promise<Result<Evaluation>>;
  /**
   * Calibrates the current model by the rows of its training file that were held out, and measures it
   * anew where there is test data.
   */
  calibrate(): Promise<Result<ModelCard>>;
}

export interface EvaluationPart extends EvaluationActions {
  /** Takes the figures away, and ends what is measured now. */
  dismiss(): void;
  /** As `dismiss`, but for a calibration. */
  dismissEvaluation(): void;
}

export interface EvaluationParts {
  readonly store: StoreApi<EvaluationSlice & Pick<LibrarySlice, 'model'> & Pick<DataSlice, 'data'>>;
  readonly host: ModelHost;
  readonly library: LibraryPart;
  readonly runs: Pick<KeptRuns, 'noteTest'>;
}

const DISMISSED = 'Another model took the place of the one that was measured.';

export function createEvaluation({ store, host, library, runs }: EvaluationParts): EvaluationPart {
  const { getState: get, setState: set } = store;
  const evaluating = createLatest('aborts');
  const calibrating = createLatest('aborts');

  host.whenLost((error) => {
    if (get().evaluation.phase === 'running') {
      set({ evaluation: { phase: 'failed', fault: toFault(error) } });
    }
  });
  host.whenEnding(dismissEvaluation);
  library.whenReplaced(dismiss);

  function dismissEvaluation(): void {
    evaluating.abort();
    set({ evaluation: { phase: 'idle' } });
  }

  function dismiss(): void {
    dismissEvaluation();
    calibrating.abort();
    set({ calibration: { phase: 'idle' } });
  }

  async function evaluate(): Promise<Result<Evaluation>> {
    const data = dataInUse(get().data);
    const { model, evaluation } = get();
    if (!data || data.numTest === 0) return refused('There is no test data yet. Load it first.');
    if (model.phase !== 'live') return refused('There is no model to evaluate.');
    if (evaluation.phase === 'running') return refused('An evaluation is under way.');
    const result = await evaluating.ask(async (signal): Promise<Result<Evaluation>> => {
      set({ evaluation: { phase: 'running', done: 0, total: data.numTest } });
      const onProgress = (done: number, total: number) => {
        // A last report may arrive after the answer.
        if (signal.aborted || get().evaluation.phase !== 'running') return;
        set({ evaluation: { phase: 'running', done, total } });
      };
      try {
        const found = await host.call(
          (api, inner) =>
            api.evaluate({ id: data.id, file: data.testFile }, Comlink.proxy(onProgress), inner),
          signal,
        );
        if (signal.aborted) return aborted(DISMISSED);
        const { card, unkept } = found;
        if (card.id !== model.card.id) {
          // Another model took its place meanwhile: these figures are not about it.
          set({ evaluation: { phase: 'idle' } });
          return aborted(DISMISSED);
        }
        set({
          evaluation: { phase: 'ready', evaluation: found.evaluation, modelId: card.id },
          model: { phase: 'live', card },
        });
        await runs.noteTest(card.id, found.evaluation);
        await library.refresh(unkept ?? undefined);
        return succeeded(found.evaluation);
      } catch (error) {
        const fault = toFault(error);
        if (!signal.aborted) set({ evaluation: { phase: 'failed', fault } });
        return { ok: false, fault };
      }
    });
    return result ?? aborted(DISMISSED);
  }

  async function calibrate(): Promise<Result<ModelCard>> {
    const data = dataInUse(get().data);
    const { model, calibration } = get();
    if (!data) return refused('There is no training data yet. Load it first.');
    if (model.phase !== 'live') return refused('There is no model to calibrate.');
    if (calibration.phase === 'running') return refused('A calibration is under way.');
    const result = await calibrating.ask(async (signal): Promise<Result<ModelCard>> => {
      set({ calibration: { phase: 'running', done: 0, total: data.numTrain } });
      const onProgress = (done: number, total: number) => {
        if (signal.aborted || get().calibration.phase !== 'running') return;
        set({ calibration: { phase: 'running', done, total } });
      };
      try {
        const { card, unkept } = await host.call(
          (api, inner) =>
            api.calibrate({ id: data.id, file: data.trainFile }, Comlink.proxy(onProgress), inner),
          signal,
        );
        if (signal.aborted) return aborted(DISMISSED);
        set({ calibration: { phase: 'idle' } });
        if (card.id !== model.card.id) return aborted(DISMISSED);
        set({ model: { phase: 'live', card } });
        dismissEvaluation();
        if (unkept) library.tellFault(unkept);
        return succeeded(card);
      } catch (error) {
        const fault = toFault(error);
        if (!signal.aborted) set({ calibration: { phase: 'failed', fault } });
        return { ok: false, fault };
      }
    });
    if (result?.ok) await evaluate();
    return result ?? aborted(DISMISSED);
  }

  return { evaluate, calibrate, dismiss, dismissEvaluation };
}
