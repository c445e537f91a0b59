/**
 * Owns the app's state and every action on it. The only module that talks to workers: it starts
 * them, supervises them and starts them anew when one dies. Knows no React.
 */
import * as Comlink from 'comlink';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Dataset, GarmentPage } from '../data/dataset.ts';
import type { DataInfo, DataProgress, DataSource } from '../data/source.ts';
import {
  type BackendName,
  type EngineInfo,
  type Trial,
  titleOfBackend,
} from '../engine/backends.ts';
import {
  type Chances,
  candidatesOf,
  chooseCandidate,
  explainBackend,
  leaveAlone,
  rankBackends,
} from '../engine/choice.ts';
import type { Picture, PictureSettings } from '../image/picture.ts';
import type { TrainEvent } from '../ml/run/train.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import type { NetworkName } from '../ml/spec/network.ts';
import { DEFAULT_RECIPE, type Recipe } from '../ml/spec/recipe.ts';
import type { Classification } from '../ml/spec/verdict.ts';
import { requestPersistence } from '../store/database.ts';
import type { RunSummary } from '../store/records.ts';
import * as runStore from '../store/runs.ts';
import * as settingsStore from '../store/settings.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import type { Lookalikes, ModelWorkerApi } from '../worker/model.worker.ts';
import {
  type ChartPoint,
  dataInUse,
  type Fault,
  hasRunUnderWay,
  isUnderWay,
  type Run,
  type SessionState,
  trialsInForm,
} from './state.ts';
import { noteTrials, tryBackends, workloadOf } from './trials.ts';
import { openLine, type WorkerLine, WorkerLostError } from './workers.ts';

export type { GarmentPage } from '../data/dataset.ts';
export type { Lookalikes } from '../worker/model.worker.ts';

/**
 * Actions that resolve to nothing never reject: their outcome, good or bad, lands in the state.
 * Those that answer with a value reject with an error whose message is for people. Each may be
 * called at any time.
 */
export interface Session {
  readonly store: StoreApi<SessionState>;
  /** Starts the workers, brings back the last model, the runs and the cached data. */
  start(): Promise<void>;

  loadData(source: 'full' | 'sample'): Promise<void>;
  /** A CSV (or .csv.gz) of the person's own; replaces that part only after all of it checked out. */
  loadOwnData(part: 'train' | 'test', file: File): Promise<void>;
  cancelLoading(): void;
  /** Rows of one class (null: all), in file order. */
  garments(query: {
    part: 'train' | 'test';
    label: number | null;
    offset: number;
    count: number;
  }): Promise<GarmentPage>;
  /** The given rows, in the given order. */
  garmentsAt(part: 'train' | 'test', rows: Uint32Array): Promise<Dataset>;

  setNetwork(network: NetworkName): void;
  setRecipe(change: Partial<Recipe>): void;
  resetRecipe(): void;
  /** 'auto': the one that trains fastest what the Train room's form says, as far as was tried. */
  chooseBackend(name: BackendName | 'auto'): Promise<void>;
  /**
   * Starts an engine after one failed: in place of one that broke down again and again the next best,
   * until the page is left; else whichever starts.
   */
  retryEngine(): Promise<void>;
  /** Whether WebGPU may be chosen by itself. */
  setIncludesWebGPU(includesWebGPU: boolean): Promise<void>;
  /**
   * Tries how fast the engines train what the form says: those worth it and the one in use, where one
   * was not tried yet, or all `again`. Not while a run is under way, which it would disturb. Changes
   * no engine: the fastest takes over with the next run.
   */
  tryEngines(again: boolean): Promise<void>;

  train(): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): void;
  evaluate(): Promise<void>;
  /**
   * Calibrates the live model by the rows of its training file that were held out, and measures it
   * anew where there is test data.
   */
  calibrate(): Promise<void>;
  removeRun(id: string): Promise<void>;
  /** Puts a removed run back. */
  restoreRun(run: RunSummary): Promise<void>;

  /**
   * Resolves to null where a later call overtook this one. Rejects with the fault otherwise.
   * @param areStepsSeen whether the steps are to come with their pictures: quicker without.
   */
  classify(
    picture: Picture,
    settings?: PictureSettings,
    areStepsSeen?: boolean,
  ): Promise<Classification | null>;
  /** As `classify`, but every call is answered, in order. For lists of files. */
  classifyEach(picture: Picture, settings?: PictureSettings): Promise<Classification>;

  /**
   * The five training pictures of a class that the live model takes for most alike. Needs training
   * data. Resolves to null where a later call, another model or a run overtook this one.
   * @param pixels `[784]` bytes, as the model sees them.
   */
  lookalikes(pixels: Uint8Array, label: number): Promise<Lookalikes | null>;

  saveModel(name: string): Promise<void>;
  loadModel(id: string): Promise<void>;
  renameModel(id: string, name: string): Promise<void>;
  /** Undone by `restoreModel` until the page is left. */
  deleteModel(id: string): Promise<void>;
  restoreModel(id: string): Promise<void>;
  /** Makes the model that came with the page live again. */
  loadShippedModel(): Promise<void>;
  /** A zip of model.json, weights.bin and metadata.json. */
  exportModel(): Promise<{ readonly fileName: string; readonly zip: Blob }>;
  /** A zip, or model.json and weights.bin; checked whole before the live model is replaced. */
  importModel(files: readonly File[]): Promise<void>;
  /** `[n · 10]` probabilities of the live model for rows of the data in use. */
  predictRows(part: 'train' | 'test', rows: Uint32Array): Promise<Float32Array>;
}

/** What a session is made of; tests bring their own. */
export interface SessionParts {
  openDataLine(onLost: (error: WorkerLostError) => void): WorkerLine<DataWorkerApi>;
  openModelLine(onLost: (error: WorkerLostError) => void): WorkerLine<ModelWorkerApi>;
  readonly runs: Pick<typeof runStore, 'listRuns' | 'saveRun' | 'removeRun'>;
  readonly settings: Pick<
    typeof settingsStore,
    'readSettings' | 'writeSettings' | 'readEngineMemory' | 'writeEngineMemory'
  >;
}

const browserParts: SessionParts = {
  openDataLine(onLost) {
    const worker = new Worker(new URL('../worker/data.worker.ts', import.meta.url), {
      type: 'module',
      name: 'data',
    });
    return openLine(worker, () => worker.terminate(), onLost);
  },
  openModelLine(onLost) {
    const worker = new Worker(new URL('../worker/model.worker.ts', import.meta.url), {
      type: 'module',
      name: 'model',
    });
    return openLine(worker, () => worker.terminate(), onLost);
  },
  runs: runStore,
  settings: settingsStore,
};

/** Points kept for the live charts of a run; past it every second one goes. */
const MAX_CHART_POINTS = 300;

/** Shown beside an answer. */
const NUM_LOOKALIKES = 5;

/** A model worker lost this often within `LOSS_WINDOW_MS` is not started again by itself. */
const MAX_LOSSES = 3;
const LOSS_WINDOW_MS = 60_000;

/** Calls under way may take this long before an engine that is not asked for waits no more. */
const HANDOVER_PATIENCE_MS = 5000;

/** The speed of a shorter run says little. */
const MIN_TELLING_RUN_MS = 2000;

/** Makes the session. Nothing runs before `start()`. */
export function createSession(parts: SessionParts = browserParts): Session {
  const store = createStore<SessionState>()(() => ({
    engine: { phase: 'starting' },
    trials: { phase: 'idle', table: {} },
    data: { phase: 'idle' },
    training: { phase: 'idle' },
    evaluation: { phase: 'idle' },
    calibration: { phase: 'idle' },
    model: { phase: 'loading' },
    library: { phase: 'loading' },
    runs: [],
    network: 'classic',
    recipe: DEFAULT_RECIPE,
    includesWebGPU: false,
  }));
  const get = store.getState;
  const set = store.setState;

  let backendChoice: BackendName | 'auto' = 'auto';
  /** The machine that the trials in the state hold for. */
  let fingerprint = '';
  let trying: Trying | null = null;
  /** Settles when every wish for the fastest engine so far is met. */
  let engineSettled: Promise<void> = Promise.resolve();
  let lastSource: 'full' | 'sample' | null = null;
  /** Settles when the load that a stop broke off is over. */
  let brokenOff: Promise<void> = Promise.resolve();
  /** Counts the evaluations: only the last one tells what it found. */
  let lastEvaluation = 0;

  // ---- workers --------------------------------------------------------------------------------

  /** Null until the first call, and after the worker died: the next call starts another. */
  let dataLine: WorkerLine<DataWorkerApi> | null = null;
  let modelLine = parts.openModelLine(onModelLost);
  const modelLosses: { readonly lostMs: number; readonly backend: BackendName | null }[] = [];
  /** The engine that ran last. */
  let lastEngine: EngineInfo | null = null;
  /** Backends that broke down again and again: not started any more on this visit. */
  const leftAlone = new Set<BackendName>();
  /** The data of which the model worker holds each part. A new worker holds none. */
  const partsInModelWorker = new Map<'train' | 'test', DataInfo>();
  /** Why the model used last could not be brought back at the start; null where it could. */
  let lastModelFault: Fault | null = null;
  /** Settles when the model worker's backend runs (or failed to); calls wait for it. */
  let modelStarted: Promise<void> = Promise.resolve();

  function onData<Result>(
    use: (api: Comlink.Remote<DataWorkerApi>) => Promise<Result>,
  ): Promise<Result> {
    dataLine ??= parts.openDataLine(onDataLost);
    return dataLine.call(use);
  }

  function onDataLost(error: WorkerLostError): void {
    dataLine = null;
    const { data } = get();
    if (data.phase !== 'idle' && data.phase !== 'failed') {
      set({
        data: {
          phase: 'failed',
          source: data.phase === 'ready' ? data.info.source : data.source,
          fault: {
            name: error.name,
            message: `${error.message} The data it held is gone from memory; load it again.`,
          },
          previous: null,
        },
      });
    }
  }

  function onModelLost(error: WorkerLostError): void {
    const { training, evaluation } = get();
    if (isUnderWay(training)) {
      const run = hasRunUnderWay(training) ? training.run : null;
      const left = run?.history.length
        ? 'the best weights it had kept are brought back'
        : 'the model from before it is brought back';
      const message = `${error.message} The run ended there; ${left}.`;
      set({ training: { phase: 'failed', run, fault: { name: error.name, message } } });
    }
    if (evaluation.phase === 'running') {
      set({ evaluation: { phase: 'failed', fault: toFault(error) } });
    }
    const { engine } = get();
    const lostMs = performance.now();
    // One that is still starting may have died of anything.
    const backend = engine.phase === 'ready' ? engine.info.active : null;
    modelLosses.push({ lostMs, backend });
    const recent = modelLosses.filter((loss) => lostMs - loss.lostMs < LOSS_WINDOW_MS);
    if (recent.length < MAX_LOSSES) {
      modelLine = parts.openModelLine(onModelLost);
      modelStarted = startModelWorker();
    } else {
      // Starting it over and over would only fail over and over. Calls reject until a person retries.
      for (const loss of recent) if (loss.backend) leftAlone.add(loss.backend);
      const next = nextEngine();
      const { name, message } = toFault(error);
      const stopped = [...leftAlone].map(titleOfBackend).join(' and ');
      const wayOn =
        next === null
          ? ''
          : ` That was too often within a minute: ${stopped} is left alone until the page is loaded anew. Retry goes on with ${titleOfBackend(next)} instead.`;
      const fault = { name, message: `${message}${wayOn}` };
      set({ engine: { phase: 'failed', fault, next }, model: { phase: 'none', fault: null } });
    }
  }

  /** The best engine that has not broken down; null where none is known, or none has broken down. */
  function nextEngine(): BackendName | null {
    if (!lastEngine || leftAlone.size === 0) return null;
    const options = leaveAlone(lastEngine.options, [...leftAlone]);
    const { includesWebGPU } = get();
    return rankBackends({ options, includesWebGPU, trials: trialsInForm(get()) })[0]?.name ?? null;
  }

  /** Brings a fresh model worker to life: backend, then the model last used, else the shipped one. */
  async function startModelWorker(): Promise<void> {
    const line = modelLine;
    partsInModelWorker.clear();
    set({ engine: { phase: 'starting' } });
    try {
      await line.call((api) =>
        api.onLost(Comlink.proxy((fault: Fault) => line.fail(fault.message))),
      );
      const { includesWebGPU } = get();
      const memory = { fingerprint, trials: trialsInForm(get()) };
      const info = await line.call((api) =>
        api.start({ choice: backendChoice, includesWebGPU, memory, leftAlone: [...leftAlone] }),
      );
      lastEngine = info;
      if (info.fingerprint !== fingerprint) {
        fingerprint = info.fingerprint;
        set({ trials: { ...get().trials, table: {} } });
      }
      set({ engine: { phase: 'ready', info } });
    } catch (error) {
      if (line !== modelLine) return;
      set({
        engine: { phase: 'failed', fault: toFault(error), next: null },
        model: { phase: 'none', fault: null },
      });
      return;
    }
    try {
      const last = await line
        .call((api) => api.loadLast())
        // Storage that fails must not leave the page without a model.
        .catch((error: unknown) => {
          if (line === modelLine) lastModelFault = toFault(error);
          return null;
        });
      set({
        model: { phase: 'live', card: last ?? (await line.call((api) => api.loadShipped())) },
      });
    } catch (error) {
      if (line === modelLine) set({ model: { phase: 'none', fault: toFault(error) } });
    }
  }

  /** Calls the model worker once its backend runs. */
  async function onModel<Result>(
    use: (api: Comlink.Remote<ModelWorkerApi>) => Promise<Result>,
  ): Promise<Result> {
    // Another worker may take its place during the wait: that one has to start as well.
    for (let started = null; started !== modelStarted; ) {
      started = modelStarted;
      await started;
    }
    return modelLine.call(use);
  }

  /** @throws where other data came into use meanwhile: nothing may run on it by mistake. */
  async function giveToModelWorker(part: 'train' | 'test', data: DataInfo): Promise<void> {
    if (partsInModelWorker.get(part) === data) return;
    const dataset = await onData((api) => api.copy(part));
    if (dataInUse(get().data) !== data) {
      throw new Error('Other data came into use just now. Start once more to use it.');
    }
    const name = part === 'train' ? data.trainFile : data.testFile;
    const buffers = [dataset.pixels.buffer, dataset.labels.buffer];
    await onModel((api) => api.setData(part, Comlink.transfer(dataset, buffers), name));
    partsInModelWorker.set(part, data);
  }

  // ---- engine ---------------------------------------------------------------------------------

  /** What the engine is chosen from, for what the form would train. Null where none runs. */
  function chancesInForm(): Chances | null {
    const { engine, includesWebGPU } = get();
    if (engine.phase !== 'ready') return null;
    return { options: engine.info.options, includesWebGPU, trials: trialsInForm(get()) };
  }

  async function tryEngines(again: boolean): Promise<void> {
    await modelStarted;
    const { engine, training } = get();
    const chances = chancesInForm();
    if (!chances || engine.phase !== 'ready' || isUnderWay(training)) return;
    const backends = [
      ...new Set([...candidatesOf(chances).map(({ name }) => name), engine.info.active]),
    ];
    if (again || backends.some((name) => !chances.trials[name])) await tryThese(backends);
  }

  /** Tries the backends for what the form would train. Trials of other work end. */
  function tryThese(backends: readonly BackendName[]): Promise<void> {
    const { network, recipe } = get();
    const workload = workloadOf(network, recipe);
    if (trying?.workload === workload) return trying.over;
    endTrials();
    const controller = new AbortController();
    const machine = fingerprint;
    const over = tryBackends({
      backends,
      network,
      recipe,
      open: (onLost) => parts.openModelLine(onLost),
      onBegin: (backend) =>
        set({ trials: { phase: 'trying', table: get().trials.table, backend, workload } }),
      signal: controller.signal,
    }).then(async (trials) => {
      if (controller.signal.aborted) return;
      trying = null;
      const { table } = get().trials;
      set({ trials: { phase: 'idle', table } });
      if (machine === fingerprint) await noteSpeeds(workload, trials);
    });
    trying = { workload, controller, over };
    return over;
  }

  function endTrials(): void {
    if (!trying) return;
    trying.controller.abort();
    trying = null;
    set({ trials: { phase: 'idle', table: get().trials.table } });
  }

  async function noteSpeeds(
    workload: string,
    trials: ReadonlyMap<BackendName, Trial>,
  ): Promise<void> {
    const table = noteTrials(get().trials.table, workload, trials);
    set({ trials: { ...get().trials, table } });
    const { engine } = get();
    const chances = chancesInForm();
    // What was tried confirms the engine that runs: that is now the reason.
    if (chances && engine.phase === 'ready' && engine.info.choice === 'auto') {
      const { info } = engine;
      const chosen = candidatesOf(chances).length > 1 ? chooseCandidate(chances) : null;
      if (chosen?.name === info.active) {
        set({
          engine: { phase: 'ready', info: { ...info, reason: explainBackend(chosen, chances) } },
        });
      }
    }
    await parts.settings.writeEngineMemory({ fingerprint, trials: table }).catch(reportUnkept);
  }

  /** A run tells the speed of an engine that was not tried, as of one the person chose. */
  function noteRunSpeed({ network, recipe, backend, numTrain, ...run }: Run): void {
    const workload = workloadOf(network, recipe);
    const { imagesPerSecond, elapsedMs } = run;
    const isTelling = elapsedMs >= MIN_TELLING_RUN_MS && numTrain >= recipe.batchSize;
    if (!isTelling || imagesPerSecond <= 0 || get().trials.table[workload]?.[backend]) return;
    const trial: Trial = { outcome: 'timed', imagesPerSecond, warmUpMs: null };
    void noteSpeeds(workload, new Map([[backend, trial]]));
  }

  /**
   * Sees to it that, where nobody chose an engine, the one runs that trains fastest what the form
   * says; tries the candidates first where that is not known.
   * @param isWanted Asked when it is this wish's turn.
   */
  function settleEngine(isWanted: () => boolean = () => true): Promise<void> {
    // One after the other: two would start the worker anew twice.
    engineSettled = engineSettled.then(async () => {
      await modelStarted;
      const before = chancesInForm();
      if (!before || backendChoice !== 'auto' || !isWanted()) return;
      const candidates = candidatesOf(before);
      if (candidates.length < 2) return;
      if (!chooseCandidate(before)) await tryThese(candidates.map(({ name }) => name));
      const { engine, training } = get();
      const chances = chancesInForm();
      if (!chances || engine.phase !== 'ready' || backendChoice !== 'auto') return;
      const chosen = chooseCandidate(chances);
      if (!chosen || chosen.name === engine.info.active || hasRunUnderWay(training)) return;
      await renewModelWorker({ isUrgent: false });
    });
    return engineSettled;
  }

  async function chooseBackend(name: BackendName | 'auto'): Promise<void> {
    if (isUnderWay(get().training)) return;
    endTrials();
    backendChoice = name;
    await keepSettings();
    await renewModelWorker({ isUrgent: true });
    await settleEngine();
  }

  async function retryEngine(): Promise<void> {
    const { engine } = get();
    if (engine.phase !== 'failed') return;
    if (engine.next === null) {
      leftAlone.clear();
      await chooseBackend('auto');
    } else {
      // What the person chose stays their choice: it may well run on the next visit.
      await renewModelWorker({ isUrgent: true });
      await settleEngine();
    }
  }

  /**
   * Starts the model worker anew, with the engine that is now the one to run. Nothing of the old
   * backend (contexts, caches, a hung call) comes along, and the live model does.
   * @param isUrgent Calls under way are cut off. Else they may end first.
   */
  async function renewModelWorker({ isUrgent }: { readonly isUrgent: boolean }): Promise<void> {
    const unkept = await exportUnkept();
    const old = modelLine;
    const renew = async () => {
      if (!isUrgent) {
        const patience = new Promise((resolve) => setTimeout(resolve, HANDOVER_PATIENCE_MS));
        await Promise.race([old.idle(), patience]);
      }
      // Where it died meanwhile another has taken its place already.
      if (modelLine !== old) return;
      set({ evaluation: { phase: 'idle' } });
      old.end();
      modelLosses.length = 0;
      modelLine = parts.openModelLine(onModelLost);
      await startModelWorker();
    };
    // From here on calls wait for the new one.
    modelStarted = renew();
    await modelStarted;
    if (unkept) await replaceModel((api) => api.reviveModel(unkept.file, unkept.card));
  }

  /** The live model as a file, where ending its worker would lose it; null where it is kept. */
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

  // ---- data -----------------------------------------------------------------------------------

  async function loadWith(
    source: DataSource,
    note: string | null,
    load: (onProgress: (progress: DataProgress) => void) => Promise<DataInfo>,
  ): Promise<void> {
    if (get().data.phase === 'loading') return;
    const before = get().data;
    const previous = dataInUse(get().data);
    const onProgress = (progress: DataProgress) => {
      // A last report may arrive after the answer.
      if (get().data.phase === 'loading') {
        set({ data: { phase: 'loading', source, previous, ...progress } });
      }
    };
    set({
      data: {
        phase: 'loading',
        source,
        previous,
        stage: 'cache',
        file: '',
        loadedBytes: 0,
        totalBytes: null,
        rows: 0,
        attempt: 1,
      },
    });
    try {
      const info = await load(Comlink.proxy(onProgress));
      set({ data: { phase: 'ready', info, note } });
    } catch (error) {
      // A lost worker has told its own story already.
      if (error instanceof WorkerLostError) return;
      const fault = toFault(error);
      if (fault.name === 'AbortError') set({ data: before });
      else set({ data: { phase: 'failed', source, fault, previous } });
    }
  }

  async function loadData(source: 'full' | 'sample', note: string | null = null): Promise<void> {
    await loadWith(source, note, (onProgress) => onData((api) => api.load(source, onProgress)));
    const { data } = get();
    // A load that was cancelled leaves the data from before.
    if (data.phase === 'ready' && data.info.source === source) {
      lastSource = source;
      await keepSettings();
    }
  }

  /** Data for training: what is loaded, else the full set, else (where it is not there) the sample. */
  async function dataForTraining(): Promise<DataInfo | null> {
    const inUse = dataInUse(get().data);
    if (inUse && inUse.numTrain > 0) return inUse;
    if (get().data.phase === 'loading') await phaseLeaves('loading');
    else await loadData('full');
    const { data } = get();
    if (data.phase === 'failed' && data.source === 'full') {
      await loadData(
        'sample',
        `The full data set could not be loaded, so this is the sample of 2,000 pictures. ${data.fault.message}`,
      );
    }
    return dataInUse(get().data);
  }

  function phaseLeaves(phase: SessionState['data']['phase']): Promise<void> {
    return new Promise((resolve) => {
      const unsubscribe = store.subscribe((state) => {
        if (state.data.phase === phase) return;
        unsubscribe();
        resolve();
      });
    });
  }

  // ---- training -------------------------------------------------------------------------------

  async function train(): Promise<void> {
    if (isUnderWay(get().training)) return;
    // Another press on Train, after Stop, waits for itself.
    const waiting = { phase: 'waitingForData' } as const;
    set({ training: waiting });
    const isWaiting = () => get().training === waiting;
    // A trial of another network is of no use now.
    if (trying?.workload !== workloadOf(get().network, get().recipe)) endTrials();
    // Before the data: reading it takes a core, of which the trial would tell.
    await settleEngine(isWaiting);
    // One that was not needed would disturb the run, and the run it.
    endTrials();
    await brokenOff;
    if (!isWaiting()) return; // Stopped meanwhile.
    const data = await dataForTraining();
    if (!isWaiting()) return; // Stopped meanwhile.
    await modelStarted;
    const { engine, network, recipe } = get();
    if (!data || engine.phase !== 'ready') {
      // The data's or the engine's own state says what is wrong.
      set({ training: { phase: 'idle' } });
      return;
    }
    const run: Run = {
      id: crypto.randomUUID(),
      network,
      recipe,
      backend: engine.info.active,
      dataName: data.trainFile,
      startedAt: new Date().toISOString(),
      numTrain: 0,
      numValidation: 0,
      stepsPerEpoch: 0,
      step: 0,
      epoch: 0,
      learningRate: 0,
      imagesPerSecond: 0,
      elapsedMs: 0,
      trainPoints: [],
      validationPoints: [],
      history: [],
    };
    set({
      training: { phase: 'preparing', run },
      evaluation: { phase: 'idle' },
      calibration: { phase: 'idle' },
    });

    try {
      await giveToModelWorker('train', data);
      if (get().training.phase === 'stopping') {
        set({ training: { phase: 'idle' } });
        return;
      }
      const card = await onModel((api) =>
        api.train(
          { id: run.id, network, recipe },
          Comlink.proxy(onTrainEvent),
          Comlink.proxy(tellLibraryFault),
        ),
      );
      set({ model: { phase: 'live', card } });
    } catch (error) {
      // A lost worker has told its own story already.
      if (isUnderWay(get().training)) {
        set({ training: { phase: 'failed', run: runUnderWay(), fault: toFault(error) } });
        await takeLiveCard().catch(() => {});
      }
      return;
    }
    const { training } = get();
    // A run stopped in its first epoch has nothing to compare.
    if (training.phase === 'finished' && training.run.history.length > 0) {
      await keepRun(training.run, training.reason);
    }
    await refreshLibrary();
    await evaluate();
  }

  /** Shows the model that is live in the worker. */
  async function takeLiveCard(): Promise<void> {
    const card = await onModel((api) => api.liveCard());
    if (card) set({ model: { phase: 'live', card } });
  }

  function runUnderWay(): Run | null {
    const { training } = get();
    return 'run' in training ? training.run : null;
  }

  function onTrainEvent(event: TrainEvent): void {
    const { training } = get();
    if (!hasRunUnderWay(training)) return;
    const { run } = training;
    switch (event.kind) {
      case 'preparing': {
        const { numTrain, numValidation, stepsPerEpoch } = event;
        const next: Run = { ...run, numTrain, numValidation, stepsPerEpoch };
        set({ training: { ...training, run: next } });
        // From here on the network in training answers.
        ignoreLoss(takeLiveCard());
        return;
      }
      case 'ready':
        return;
      case 'step': {
        const { step, epoch, loss, accuracy, learningRate, imagesPerSecond, elapsedMs } = event;
        const trainPoints = thin([...run.trainPoints, { step, loss, accuracy }]);
        const progress = { step, epoch, learningRate, imagesPerSecond, elapsedMs, trainPoints };
        const next: Run = { ...run, ...progress };
        // The step under way when pause or stop was pressed still reports: its phase stays.
        const isFirst = training.phase === 'preparing';
        set({
          training: isFirst ? { phase: 'training', run: next } : { ...training, run: next },
        });
        return;
      }
      case 'epoch': {
        const { record } = event;
        const point: ChartPoint = {
          step: record.epoch * run.stepsPerEpoch,
          loss: record.validationLoss,
          accuracy: record.validationAccuracy,
        };
        const next: Run = {
          ...run,
          elapsedMs: record.elapsedMs,
          validationPoints: [...run.validationPoints, point],
          history: [...run.history, record],
        };
        set({ training: { ...training, run: next } });
        return;
      }
      case 'finished':
        set({ training: { phase: 'finished', run, reason: event.reason } });
        noteRunSpeed(run);
        return;
      default:
        event satisfies never;
    }
  }

  function pause(): void {
    const { training } = get();
    if (training.phase !== 'training') return;
    set({ training: { phase: 'paused', run: training.run } });
    ignoreLoss(onModel((api) => api.pause()));
  }

  function resume(): void {
    const { training } = get();
    if (training.phase !== 'paused') return;
    // Figures measured in the pause are not about the network that learns on.
    set({ training: { phase: 'training', run: training.run }, evaluation: { phase: 'idle' } });
    ignoreLoss(onModel((api) => api.resume()));
  }

  function stop(): void {
    const { training } = get();
    if (training.phase === 'waitingForData') {
      set({ training: { phase: 'idle' } });
      endTrials();
      if (get().data.phase === 'loading') brokenOff = phaseLeaves('loading');
      cancelLoading();
    } else if (hasRunUnderWay(training)) {
      set({ training: { phase: 'stopping', run: training.run } });
      ignoreLoss(onModel((api) => api.stop()));
    }
  }

  async function keepRun(run: Run, reason: RunSummary['reason']): Promise<void> {
    const { id, network, recipe, backend, dataName, numTrain, startedAt, elapsedMs, history } = run;
    const of = { id, network, recipe, backend, dataName, numTrain, startedAt };
    const known = { ...of, elapsedMs, history, reason };
    await keepSummary({ ...known, testAccuracy: null, testLoss: null });
  }

  /** Shows the summary even where storage refuses it: it then lasts as long as the page. */
  async function keepSummary(summary: RunSummary): Promise<void> {
    const others = get().runs.filter((run) => run.id !== summary.id);
    set({ runs: [summary, ...others].sort((a, b) => b.startedAt.localeCompare(a.startedAt)) });
    await parts.runs.saveRun(summary).catch(reportUnkept);
  }

  async function removeRun(id: string): Promise<void> {
    set({ runs: get().runs.filter((run) => run.id !== id) });
    await parts.runs.removeRun(id).catch(reportUnkept);
  }

  async function evaluate(): Promise<void> {
    const data = dataInUse(get().data);
    const { model, evaluation } = get();
    const isPossible = data && data.numTest > 0 && model.phase === 'live';
    if (!isPossible || evaluation.phase === 'running') return;
    const mine = ++lastEvaluation;
    // Put away, it may have given way to another, of another model.
    const isMine = () => get().evaluation.phase === 'running' && mine === lastEvaluation;
    set({ evaluation: { phase: 'running', done: 0, total: data.numTest } });
    const onProgress = (done: number, total: number) => {
      // A last report may arrive after the answer.
      if (isMine()) set({ evaluation: { phase: 'running', done, total } });
    };
    try {
      await giveToModelWorker('test', data);
      const result = await onModel((api) => api.evaluate(Comlink.proxy(onProgress)));
      const card = await onModel((api) => api.liveCard());
      if (!isMine()) return;
      if (card?.id !== model.card.id) {
        // Another model took its place meanwhile: these figures are not about it.
        set({ evaluation: { phase: 'idle' } });
        return;
      }
      set({
        evaluation: { phase: 'ready', evaluation: result, modelId: card.id },
        model: { phase: 'live', card },
      });
      const run = get().runs.find((summary) => summary.id === card.id);
      if (run) {
        await keepSummary({ ...run, testAccuracy: result.accuracy, testLoss: result.loss });
      }
      await refreshLibrary();
    } catch (error) {
      if (isMine()) set({ evaluation: { phase: 'failed', fault: toFault(error) } });
    }
  }

  async function calibrate(): Promise<void> {
    const data = dataInUse(get().data);
    const { model, calibration } = get();
    if (!data || model.phase !== 'live' || calibration.phase === 'running') return;
    set({ calibration: { phase: 'running', done: 0, total: data.numTrain } });
    const onProgress = (done: number, total: number) => {
      // A last report may arrive after the answer.
      if (get().calibration.phase === 'running') {
        set({ calibration: { phase: 'running', done, total } });
      }
    };
    try {
      await giveToModelWorker('train', data);
      const card = await onModel((api) => api.calibrate(Comlink.proxy(onProgress)));
      set({ calibration: { phase: 'idle' } });
      const { model: live } = get();
      // Another model took its place meanwhile; the worker then tells of that one.
      const isStillLive = live.phase === 'live' && live.card.id === model.card.id;
      if (!isStillLive || card.id !== model.card.id) return;
      set({ model: { phase: 'live', card }, evaluation: { phase: 'idle' } });
      await evaluate();
    } catch (error) {
      if (get().calibration.phase === 'running') {
        set({ calibration: { phase: 'failed', fault: toFault(error) } });
      }
    }
  }

  // ---- models ---------------------------------------------------------------------------------

  /** Lists anew. A fault that is being told stays, unless another is given. */
  async function refreshLibrary(fault = libraryFault()): Promise<void> {
    try {
      const library = await onModel((api) => api.listModels());
      set({ library: { phase: 'ready', ...library, fault } });
    } catch (error) {
      set({ library: { phase: 'failed', fault: toFault(error) } });
    }
  }

  function libraryFault(): Fault | null {
    const { library } = get();
    return library.phase === 'ready' ? library.fault : null;
  }

  function tellLibraryFault(fault: Fault): void {
    const { library } = get();
    set({
      library: library.phase === 'ready' ? { ...library, fault } : { phase: 'failed', fault },
    });
  }

  /** An action on kept models: on failure the list stays as it is and tells the fault. */
  async function changeLibrary(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      tellLibraryFault(toFault(error));
      return;
    }
    await refreshLibrary(null);
  }

  /** Puts another model in the place of the live one; on failure the live one stays. */
  function replaceModel(
    bring: (api: Comlink.Remote<ModelWorkerApi>) => Promise<ModelCard>,
  ): Promise<void> {
    return changeLibrary(async () => {
      const card = await onModel(bring);
      set({
        model: { phase: 'live', card },
        evaluation: { phase: 'idle' },
        calibration: { phase: 'idle' },
      });
    });
  }

  function saveModel(name: string): Promise<void> {
    return changeLibrary(async () => {
      set({ model: { phase: 'live', card: await onModel((api) => api.saveModel(name)) } });
      // What has a name is meant to last. Asked here, where a person has just said so.
      void requestPersistence();
    });
  }

  function renameModel(id: string, name: string): Promise<void> {
    return changeLibrary(async () => {
      await onModel((api) => api.renameModel(id, name));
      const { model } = get();
      if (model.phase === 'live' && model.card.id === id) {
        set({ model: { phase: 'live', card: { ...model.card, name } } });
      }
    });
  }

  async function exportModel(): Promise<{ fileName: string; zip: Blob }> {
    const { fileName, zip } = await onModel((api) => api.exportModel());
    return { fileName, zip: new Blob([zip], { type: 'application/zip' }) };
  }

  async function predictRows(part: 'train' | 'test', rows: Uint32Array): Promise<Float32Array> {
    const data = dataInUse(get().data);
    if (data) await giveToModelWorker(part, data);
    return onModel((api) => api.predictRows(part, rows));
  }

  // ---- classifying ----------------------------------------------------------------------------

  interface WaitingPicture {
    readonly picture: Picture;
    readonly settings: PictureSettings | undefined;
    readonly areStepsSeen: boolean | undefined;
    readonly resolve: (classification: Classification | null) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: WaitingPicture | null = null;
  let isClassifying = false;

  /** One picture is with the worker at a time and one waits; a newer one takes the waiting place. */
  function classify(
    picture: Picture,
    settings?: PictureSettings,
    areStepsSeen?: boolean,
  ): Promise<Classification | null> {
    return new Promise((resolve, reject) => {
      waiting?.resolve(null);
      waiting = { picture, settings, areStepsSeen, resolve, reject };
      if (!isClassifying) void classifyWaiting();
    });
  }

  async function classifyWaiting(): Promise<void> {
    isClassifying = true;
    for (let next = takeWaiting(); next; next = takeWaiting()) {
      const { picture, settings, areStepsSeen, resolve, reject } = next;
      await classifyNow(picture, settings, areStepsSeen).then(resolve, reject);
    }
    isClassifying = false;
  }

  function takeWaiting(): WaitingPicture | null {
    const next = waiting;
    waiting = null;
    return next;
  }

  function classifyNow(
    picture: Picture,
    settings?: PictureSettings,
    areStepsSeen?: boolean,
  ): Promise<Classification> {
    return onModel(async (api) =>
      api.classify(Comlink.transfer(picture, [picture.data.buffer]), settings, areStepsSeen),
    );
  }

  async function lookalikes(pixels: Uint8Array, label: number): Promise<Lookalikes | null> {
    const data = dataInUse(get().data);
    if (data) await giveToModelWorker('train', data);
    return onModel((api) => api.lookalikes(pixels, label, NUM_LOOKALIKES));
  }

  // ---- settings and start ---------------------------------------------------------------------

  async function keepSettings(): Promise<void> {
    const { network, recipe, includesWebGPU } = get();
    await parts.settings
      .writeSettings({
        network,
        recipe,
        backend: backendChoice,
        includesWebGPU,
        source: lastSource,
      })
      .catch(reportUnkept);
  }

  function cancelLoading(): void {
    ignoreLoss(onData((api) => api.cancel()));
  }

  async function start(): Promise<void> {
    const [settings, memory] = await Promise.all([
      parts.settings.readSettings().catch(() => null),
      parts.settings.readEngineMemory().catch(() => null),
    ]);
    if (memory) {
      fingerprint = memory.fingerprint;
      set({ trials: { phase: 'idle', table: memory.trials } });
    }
    if (settings) {
      backendChoice = settings.backend;
      lastSource = settings.source;
      const { network, recipe, includesWebGPU } = settings;
      set({ network, recipe, includesWebGPU });
    }
    modelStarted = startModelWorker();
    const bringBackRuns = parts.runs.listRuns().then((runs) => set({ runs }), reportUnkept);
    const bringBackData = lastSource ? loadData(lastSource) : Promise.resolve();
    await Promise.all([refreshLibrary(), bringBackRuns, bringBackData]);
    const { library } = get();
    if (lastModelFault && library.phase === 'ready') {
      set({ library: { ...library, fault: lastModelFault } });
    }
    // Everything is there by now; what the first trials find out changes the engine in passing.
    void settleEngine();
  }

  return {
    store,
    start,
    loadData,
    loadOwnData: (part, file) =>
      loadWith('own', null, (onProgress) => onData((api) => api.loadOwn(part, file, onProgress))),
    cancelLoading,
    garments: (query) => onData((api) => api.garments(query)),
    garmentsAt: (part, rows) => onData((api) => api.garmentsAt(part, rows)),
    setNetwork(network) {
      set({ network });
      void keepSettings();
    },
    setRecipe(change) {
      set({ recipe: { ...get().recipe, ...change } });
      void keepSettings();
    },
    resetRecipe() {
      set({ recipe: DEFAULT_RECIPE });
      void keepSettings();
    },
    chooseBackend,
    retryEngine,
    async setIncludesWebGPU(includesWebGPU) {
      set({ includesWebGPU });
      await keepSettings();
      await tryEngines(false);
    },
    tryEngines,
    train,
    pause,
    resume,
    stop,
    evaluate,
    calibrate,
    removeRun,
    restoreRun: keepSummary,
    classify,
    classifyEach: classifyNow,
    lookalikes,
    saveModel,
    loadModel: (id) => replaceModel((api) => api.loadModel(id)),
    renameModel,
    deleteModel: (id) => changeLibrary(() => onModel((api) => api.deleteModel(id))),
    restoreModel: (id) => changeLibrary(() => onModel((api) => api.restoreModel(id))),
    loadShippedModel: () => replaceModel((api) => api.loadShipped()),
    exportModel,
    importModel: (files) => replaceModel((api) => api.importModel(files)),
    predictRows,
  };
}

/** Trials under way. */
interface Trying {
  readonly workload: string;
  readonly controller: AbortController;
  readonly over: Promise<void>;
}

/** Halves the points once there are too many, keeping the newest. */
function thin(points: readonly ChartPoint[]): readonly ChartPoint[] {
  if (points.length <= MAX_CHART_POINTS) return points;
  return points.filter((_, index) => (points.length - 1 - index) % 2 === 0);
}

function toFault(error: unknown): Fault {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) };
}

/** For calls whose failure reaches the person another way: `onModelLost` or `onDataLost`. */
function ignoreLoss(call: Promise<unknown>): void {
  call.catch(() => {});
}

/** Runs and settings are conveniences: where storage refuses them the page goes on without. */
function reportUnkept(error: unknown): void {
  console.warn('Not kept for the next visit:', error);
}
