/**
 * The shape of the app's state: one discriminated union per concern, so that contradictions cannot
 * be written down, in slices of which each part of the session changes its own.
 */
import type { DataInfo, DataProgress, DataSource } from '../data/source.ts';
import type { BackendName, EngineInfo, Trials } from '../engine/backends.ts';
import type { Evaluation } from '../ml/spec/metrics.ts';
import type { EpochRecord, ModelCard } from '../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE, type Recipe } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import type { Library, RunSummary, TrialTable } from '../store/records.ts';
import type { Fault } from '../worker/fault.ts';
import { type TrainJob, type Workload, workloadName } from './job.ts';

export type { DataInfo, DataSource } from '../data/source.ts';
export type { NewerRecords, RunSummary, StoredModel } from '../store/records.ts';
export { type Fault, toFault } from '../worker/fault.ts';
export type { TrainJob, Workload } from './job.ts';

/** What became of an action. Where nobody wanted it any more, the fault's name is "AbortError". */
export type Result<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: Fault };

export function succeeded<Value>(value: Value): Result<Value> {
  return { ok: true, value };
}

/** @param name The fault's class. */
export function refused(message: string, name = 'Refusal'): Result<never> {
  return { ok: false, fault: { name, message } };
}

export function aborted(message: string): Result<never> {
  return refused(message, 'AbortError');
}

export type DataState =
  | { readonly phase: 'idle' }
  /** `before` is what is gone back to where the load is cancelled; its data is in use meanwhile. */
  | ({
      readonly phase: 'loading';
      readonly source: DataSource;
      readonly before: Exclude<DataState, { phase: 'loading' }>;
    } & DataProgress)
  /** `note` tells what the person should know of it, e.g. why it is the sample. */
  | { readonly phase: 'ready'; readonly info: DataInfo; readonly note: string | null }
  /** `previous` is the data still in use, where a load failed after another had succeeded. */
  | {
      readonly phase: 'failed';
      readonly source: DataSource;
      readonly fault: Fault;
      readonly previous: DataInfo | null;
    };

export interface DataSlice {
  readonly data: DataState;
  /** The source loaded last, loaded again at the next visit. Kept across reloads. */
  readonly source: 'full' | 'sample' | null;
}

/** The data in use, also while other data is being loaded or after that failed. */
export function dataInUse(data: DataState): DataInfo | null {
  switch (data.phase) {
    case 'idle':
      return null;
    case 'ready':
      return data.info;
    case 'loading':
      return dataInUse(data.before);
    case 'failed':
      return data.previous;
    default:
      return data satisfies never;
  }
}

/** `last` is the engine that ran before; null where none has run. */
export type EngineState =
  | { readonly phase: 'starting'; readonly last: EngineInfo | null }
  | { readonly phase: 'ready'; readonly info: EngineInfo }
  /** `next` is what a retry starts in place of an engine that broke down; null: whatever starts. */
  | {
      readonly phase: 'failed';
      readonly fault: Fault;
      readonly next: BackendName | null;
      readonly last: EngineInfo | null;
    };

/** The engine that runs, or that ran last; null where none has run. */
export function lastEngine(engine: EngineState): EngineInfo | null {
  return engine.phase === 'ready' ? engine.info : engine.last;
}

/** What became of engines on this visit. */
export interface Breakdowns {
  /** The losses of the model worker since a person last chose or retried, oldest first. */
  readonly losses: readonly { readonly lostMs: number; readonly backend: BackendName | null }[];
  /** Engines that broke down again and again: not started any more on this visit. */
  readonly excluded: readonly BackendName[];
}

/** How fast the engines were when they were tried on the machine of that fingerprint. */
export type TrialsState = {
  readonly fingerprint: string;
  readonly table: TrialTable;
} & (
  | { readonly phase: 'idle' }
  /** `backend` is being tried for `workload`, in a worker of its own. */
  | { readonly phase: 'trying'; readonly backend: BackendName; readonly workload: string }
);

export interface EngineSlice {
  readonly engine: EngineState;
  readonly breakdowns: Breakdowns;
  readonly trials: TrialsState;
  /** What the person chose in the menu. Kept across reloads. */
  readonly engineChoice: BackendName | 'auto';
  /** Whether WebGPU may be chosen where nobody chose an engine. Kept across reloads. */
  readonly includesWebGPU: boolean;
}

/** What the person has set in the Train room. Kept across reloads. */
export type FormSlice = Workload;

const NO_TRIALS: Trials = {};

export function trialsOf({ table }: TrialsState, workload: Workload): Trials {
  return table[workloadName(workload)] ?? NO_TRIALS;
}

/** The trials of what the Train room's form would train. */
export function trialsInForm(state: Pick<SessionState, 'trials' | 'network' | 'recipe'>): Trials {
  return trialsOf(state.trials, state);
}

/** The job that the Train room's form stands for. */
export function jobOfForm({ network, recipe }: FormSlice): TrainJob {
  return { network, recipe, data: 'inUse' };
}

/** A point of the live charts. `step` counts optimizer steps from the start of the run. */
export interface ChartPoint {
  readonly step: number;
  readonly loss: number;
  readonly accuracy: number;
}

/** A run, under way or over. */
export interface Run {
  readonly id: string;
  readonly network: TrainJob['network'];
  readonly recipe: Recipe;
  readonly backend: BackendName;
  /** What people should know of how the engine runs this network; null where nothing. */
  readonly engineNote: string | null;
  readonly dataName: string;
  readonly startedAt: string;
  readonly numTrain: number;
  readonly numValidation: number;
  readonly stepsPerEpoch: number;
  readonly step: number;
  readonly epoch: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
  readonly elapsedMs: number;
  /** Smoothed training figures, thinned to at most 300 points. */
  readonly trainPoints: readonly ChartPoint[];
  /** At epoch ends. */
  readonly validationPoints: readonly ChartPoint[];
  readonly history: readonly EpochRecord[];
}

export type TrainingState =
  | { readonly phase: 'idle' }
  /** Train was pressed; engine and data are made ready (see `TrialsState`, `DataState`). */
  | { readonly phase: 'waitingForData'; readonly job: TrainJob }
  | { readonly phase: 'preparing'; readonly run: Run }
  | { readonly phase: 'training'; readonly run: Run }
  | { readonly phase: 'paused'; readonly run: Run }
  | { readonly phase: 'stopping'; readonly run: Run }
  | {
      readonly phase: 'finished';
      readonly run: Run;
      readonly reason: 'completed' | 'earlyStopped' | 'stopped';
    }
  | { readonly phase: 'failed'; readonly run: Run | null; readonly fault: Fault };

/** A run that the model worker has in hand: begun, and not over. */
export type RunUnderWay = Extract<
  TrainingState,
  { phase: 'preparing' | 'training' | 'paused' | 'stopping' }
>;

export function hasRunUnderWay(training: TrainingState): training is RunUnderWay {
  return ['preparing', 'training', 'paused', 'stopping'].includes(training.phase);
}

/** Whether anything is going on between the press on Train and the end of the run. */
export function isUnderWay(training: TrainingState): boolean {
  return training.phase === 'waitingForData' || hasRunUnderWay(training);
}

export interface TrainingSlice {
  readonly training: TrainingState;
}

export type EvaluationState =
  | { readonly phase: 'idle' }
  | { readonly phase: 'running'; readonly done: number; readonly total: number }
  /** `modelId` is the model it was measured on. */
  | { readonly phase: 'ready'; readonly evaluation: Evaluation; readonly modelId: string }
  | { readonly phase: 'failed'; readonly fault: Fault };

/** A calibration that a person asked for; those at the end of a run belong to the run. */
export type CalibrationState =
  | { readonly phase: 'idle' }
  | { readonly phase: 'running'; readonly done: number; readonly total: number }
  | { readonly phase: 'failed'; readonly fault: Fault };

export interface EvaluationSlice {
  readonly evaluation: EvaluationState;
  readonly calibration: CalibrationState;
}

export type ModelState =
  | { readonly phase: 'loading' }
  | { readonly phase: 'live'; readonly card: ModelCard }
  | { readonly phase: 'none'; readonly fault: Fault | null };

/**
 * `fault` is what the last action on models (save, load, rename, delete, restore, import, noting of
 * figures) could not do; null again once one succeeds. The list stays as it was.
 */
export type LibraryState =
  | { readonly phase: 'loading'; readonly fault: Fault | null }
  | (Library & { readonly phase: 'ready'; readonly fault: Fault | null })
  | { readonly phase: 'failed'; readonly fault: Fault };

export interface LibrarySlice {
  /** The model that classifies now. */
  readonly model: ModelState;
  readonly library: LibraryState;
}

export interface RunsSlice {
  /** Most recent first. */
  readonly runs: readonly RunSummary[];
}

export type SessionState = FormSlice &
  EngineSlice &
  DataSlice &
  TrainingSlice &
  EvaluationSlice &
  LibrarySlice &
  RunsSlice;

export const INITIAL_STATE: SessionState = {
  engine: { phase: 'starting', last: null },
  breakdowns: { losses: [], excluded: [] },
  trials: { phase: 'idle', fingerprint: '', table: {} },
  engineChoice: 'auto',
  includesWebGPU: false,
  data: { phase: 'idle' },
  source: null,
  training: { phase: 'idle' },
  evaluation: { phase: 'idle' },
  calibration: { phase: 'idle' },
  model: { phase: 'loading' },
  library: { phase: 'loading', fault: null },
  runs: [],
  network: NETWORK_PRESETS.classic.spec,
  recipe: DEFAULT_RECIPE,
};
