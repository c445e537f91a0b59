/**
 * Owns the app's state and every action on it. The only module that talks to workers: it starts
 * them, supervises them and starts them anew when one dies. Knows no React.
 */
import type { StoreApi } from 'zustand/vanilla';
import type { Dataset, GarmentPage } from '../data/dataset.ts';
import type { BackendName } from '../engine/backends.ts';
import type { Classification, Picture } from '../image/picture.ts';
import type { NetworkName } from '../ml/network.ts';
import type { Recipe } from '../ml/recipe.ts';
import type { SessionState } from './state.ts';

export type { GarmentPage } from '../data/dataset.ts';

/**
 * Actions never throw for what a person can cause: the outcome lands in the state (or, where a
 * value is returned, in that value). Each may be called at any time.
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
  chooseBackend(name: BackendName | 'auto'): Promise<void>;

  train(): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): void;
  evaluate(): Promise<void>;
  removeRun(id: string): Promise<void>;

  /** Resolves to null where a later call overtook this one. Rejects with the fault otherwise. */
  classify(picture: Picture): Promise<Classification | null>;
  /** As `classify`, but every call is answered, in order. For lists of files. */
  classifyEach(picture: Picture): Promise<Classification>;

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
}
