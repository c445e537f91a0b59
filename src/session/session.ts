/**
 * The session: the app's state and every action on it, made of parts that each change a slice of it.
 * The only one to talk to workers. Knows no React.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import * as runStore from '../store/runs.ts';
import * as settingsStore from '../store/settings.ts';
import { createData, type DataActions } from './data.ts';
import { createEngine, type EngineActions } from './engine.ts';
import { createEvaluation, type EvaluationActions } from './evaluation.ts';
import { createForm, type FormActions } from './form.ts';
import { createModelHost } from './host.ts';
import { createImages, type ImageActions } from './images.ts';
import { createKeptRuns, type KeptRunsActions } from './keptRuns.ts';
import { createLibrary, type LibraryActions } from './library.ts';
import { browserLines, createLines, type LineOpeners } from './lines.ts';
import { INITIAL_STATE, type SessionState } from './state.ts';
import { createTraining, type TrainingActions } from './training.ts';

export type { Lookalikes } from '../worker/model.worker.ts';
export type { ImageActions } from './images.ts';

/**
 * Actions that change something answer with a `Result` and never reject; what they changed is in the
 * state as well. Questions answer with a value, or reject with an error whose message is for people.
 * Each may be called at any time.
 */
export interface Session
  extends DataActions,
    EngineActions,
    EvaluationActions,
    FormActions,
    ImageActions,
    KeptRunsActions,
    LibraryActions,
    TrainingActions {
  readonly store: StoreApi<SessionState>;
  /** Starts the workers; loads the last model, the runs and the data from the visit before. */
  start(): Promise<void>;
}

/** What a session is made of; tests bring their own. */
export interface SessionParts extends LineOpeners {
  readonly runs: Pick<typeof runStore, 'listRuns' | 'saveRun' | 'removeRun'>;
  readonly settings: Pick<
    typeof settingsStore,
    'readSettings' | 'writeSettings' | 'readEngineMemory' | 'writeEngineMemory'
  >;
}

const browserParts: SessionParts = { ...browserLines, runs: runStore, settings: settingsStore };

/** Makes the session. Nothing runs before `start()`. */
export function createSession(parts: SessionParts = browserParts): Session {
  const store = createStore<SessionState>()(() => INITIAL_STATE);
  const lines = createLines(parts);
  const form = createForm(store, parts.settings);
  const host = createModelHost(store, lines);
  const engine = createEngine({ store, lines, host, form, memory: parts.settings });
  const data = createData(store, lines, form);
  const runs = createKeptRuns(store, parts.runs);
  const library = createLibrary(store, host);
  const evaluation = createEvaluation({ store, host, library, runs });
  const training = createTraining({ store, host, engine, data, evaluation, library, runs });
  const images = createImages(store, host);

  async function start(): Promise<void> {
    await Promise.all([form.read(), engine.read()]);
    void host.start();
    const { source } = store.getState();
    await Promise.all([library.refresh(), runs.read(), source && data.loadData(source)]);
    // Everything is there by now; what the first trials find out changes the engine in passing.
    void engine.settle(store.getState());
  }

  const { setNetwork, setRecipe, resetRecipe } = form;
  const { chooseBackend, retryEngine, setIncludesWebGPU, tryEngines } = engine;
  const { loadData, loadOwnData, cancelLoading, garments, garmentsAt } = data;
  const { removeRun, restoreRun } = runs;
  const { saveModel, loadModel, renameModel, deleteModel, restoreModel } = library;
  const { loadShippedModel, importModel, exportModel } = library;
  const { evaluate, calibrate } = evaluation;
  return {
    store,
    start,
    setNetwork,
    setRecipe,
    resetRecipe,
    chooseBackend,
    retryEngine,
    setIncludesWebGPU,
    tryEngines,
    loadData,
    loadOwnData,
    cancelLoading,
    garments,
    garmentsAt,
    removeRun,
    restoreRun,
    saveModel,
    loadModel,
    renameModel,
    deleteModel,
    restoreModel,
    loadShippedModel,
    importModel,
    exportModel,
    evaluate,
    calibrate,
    ...training,
    ...images,
  };
}
