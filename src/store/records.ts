/** What is kept in the browser's storage, as the page sees it. Types only. */
import type { BackendName, Trials } from '../engine/backends.ts';
import type { CardNetwork, EpochRecord, ModelCard } from '../ml/spec/modelCard.ts';
import type { Recipe } from '../ml/spec/recipe.ts';
import type { NetworkSpec } from '../network/spec.ts';

/** A model kept in IndexedDB. */
export interface StoredModel {
  readonly card: ModelCard;
  /** Size of its weights and description. */
  readonly bytes: number;
  /** 'latest' is kept by itself after each run and gives way to the next, 'named' stays. */
  readonly kind: 'latest' | 'named';
}

/** A record that does not pass its checks. It can only be deleted. */
export interface UnreadableModel {
  readonly id: string;
  /** What is wrong with it. */
  readonly reason: string;
}

/** What a newer version of Atelier has kept in this browser. This one leaves it alone. */
export interface NewerRecords {
  readonly numModels: number;
  readonly numRuns: number;
  readonly hasSettings: boolean;
}

/** All kept models, most recent first. */
export interface Library {
  readonly models: readonly StoredModel[];
  readonly unreadable: readonly UnreadableModel[];
  /** Null where there is nothing of the kind. */
  readonly newer: NewerRecords | null;
}

/** A finished run kept for comparison. */
export interface RunSummary {
  readonly id: string;
  /** Of a network that went with an earlier version, the title alone. */
  readonly network: CardNetwork;
  readonly recipe: Recipe;
  readonly backend: string;
  readonly dataName: string;
  /** Pictures of an epoch. */
  readonly numTrain: number;
  readonly startedAt: string;
  readonly elapsedMs: number;
  readonly reason: 'completed' | 'earlyStopped' | 'stopped';
  readonly history: readonly EpochRecord[];
  readonly testAccuracy: number | null;
  readonly testLoss: number | null;
}

/** What the person has set, brought back at the next visit. */
export interface Settings {
  readonly network: NetworkSpec;
  readonly recipe: Recipe;
  readonly backend: BackendName | 'auto';
  /** Whether 'auto' may choose WebGPU. */
  readonly includesWebGPU: boolean;
  /** The data last loaded; null before the first load. */
  readonly source: 'full' | 'sample' | null;
}

/** What was found out about the engines of this machine. */
export interface EngineMemory {
  /** The machine it holds for; see `fingerprintOf`. */
  readonly fingerprint: string;
  readonly trials: TrialTable;
}

/** Trials by what was trained, e.g. "classic@128". */
export type TrialTable = { readonly [workload: string]: Trials };
