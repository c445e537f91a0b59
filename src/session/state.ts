/**
 * Owns the shape of the app's state: one discriminated union per concern, so that contradictions
 * cannot be written down. `session.ts` changes it.
 */
import type { DataInfo, DataProgress, DataSource } from '../data/source.ts';
import type { BackendName, EngineInfo, Trials } from '../engine/backends.ts';
import type { Evaluation } from '../ml/spec/evaluation.ts';
import type { EpochRecord, ModelCard } from '../ml/spec/modelCard.ts';
import type { NetworkName } from '../ml/spec/network.ts';
import type { Recipe } from '../ml/spec/recipe.ts';
import type { Library, RunSummary, TrialTable } from '../store/records.ts';
import { workloadOf } from './trials.ts';

export type { DataInfo, DataSource } from '../data/source.ts';
export type { RunSummary, StoredModel } from '../store/records.ts';

/** An error as the page shows it: what happened, where, and what to do, in `message`. */
export interface Fault {
  /** The error's class, e.g. "DatasetError". */
  readonly name: string;
  readonly message: string;
}

export type DataState =
  | { readonly phase: 'idle' }
  /** `previous` is the data still in use while other data is on its way. */
  | ({
      readonly phase: 'loading';
      readonly source: DataSource;
      readonly previous: DataInfo | null;
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

/** The data in use, also while other data is being loaded or after that failed. */
export function dataInUse(data: DataState): DataInfo | null {
  switch (data.phase) {
    case 'idle':
      return null;
    case 'ready':
      return data.info;
    case 'loading':
    case 'failed':
      return data.previous;
    default:
      return data satisfies never;
  }
}

export type EngineState =
  | { readonly phase: 'starting' }
  | { readonly phase: 'ready'; readonly info: EngineInfo }
  /** `next` is what a retry starts in place of an engine that broke down; null: whatever starts. */
  | { readonly phase: 'failed'; readonly fault: Fault; readonly next: BackendName | null };

/** How fast the engines were when they were tried on this machine. */
export type TrialsState =
  | { readonly phase: 'idle'; readonly table: TrialTable }
  /** `backend` is being tried for `workload`, in a worker of its own. */
  | {
      readonly phase: 'trying';
      readonly table: TrialTable;
      readonly backend: BackendName;
      readonly workload: string;
    };

const NO_TRIALS: Trials = {};

/** The trials of what the Train room's form would train. */
export function trialsInForm({
  trials,
  network,
  recipe,
}: Pick<SessionState, 'trials' | 'network' | 'recipe'>): Trials {
  return trials.table[workloadOf(network, recipe)] ?? NO_TRIALS;
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
  readonly network: NetworkName;
  readonly recipe: Recipe;
  readonly backend: BackendName;
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
  /** Train was pressed; the data is on its way (see `DataState`). */
  | { readonly phase: 'waitingForData' }
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

export type ModelState =
  | { readonly phase: 'loading' }
  | { readonly phase: 'live'; readonly card: ModelCard }
  | { readonly phase: 'none'; readonly fault: Fault | null };

export type LibraryState =
  | { readonly phase: 'loading' }
  /**
   * `fault` is what the last action on models (save, load, rename, delete, restore, import) could not do;
   * null again once one succeeds. The list stays as it was.
   */
  | (Library & { readonly phase: 'ready'; readonly fault: Fault | null })
  | { readonly phase: 'failed'; readonly fault: Fault };

export interface SessionState {
  readonly engine: EngineState;
  readonly trials: TrialsState;
  readonly data: DataState;
  readonly training: TrainingState;
  readonly evaluation: EvaluationState;
  readonly calibration: CalibrationState;
  /** The model that classifies now. */
  readonly model: ModelState;
  readonly library: LibraryState;
  /** Most recent first. */
  readonly runs: readonly RunSummary[];
  /** What the person has set in the Train room. Kept across reloads. */
  readonly network: NetworkName;
  readonly recipe: Recipe;
  /** Whether WebGPU may be chosen where nobody chose an engine. Kept across reloads. */
  readonly includesWebGPU: boolean;
}
