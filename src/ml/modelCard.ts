/**
 * Owns what is known about a model besides its weights: where it came from, how it was trained and
 * how well it does. The card travels with the weights in storage, in exports and to the page.
 */
import type { Recipe } from './recipe.ts';

/** One epoch's figures. Losses are mean cross-entropies in nats, accuracies 0–1. */
export interface EpochRecord {
  /** 1-based. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly validationLoss: number;
  readonly validationAccuracy: number;
  readonly elapsedMs: number;
}

export interface ModelCard {
  /** A UUID; the storage key. */
  readonly id: string;
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly origin: 'trained' | 'shipped' | 'imported';
  /** A network of `ml/network.ts`, or the name found in an imported model. */
  readonly network: string;
  readonly numParams: number;
  /** Null where an import did not tell. */
  readonly recipe: Recipe | null;
  readonly data: {
    readonly name: string;
    readonly numTrain: number;
    readonly numValidation: number;
  } | null;
  readonly history: readonly EpochRecord[];
  /** On the whole test file named; never used to choose anything. */
  readonly test: {
    readonly data: string;
    readonly numRows: number;
    readonly accuracy: number;
    readonly loss: number;
  } | null;
  /** Backend that trained it, as the menu names it, e.g. "wasm". */
  readonly trainedOn: string | null;
}
