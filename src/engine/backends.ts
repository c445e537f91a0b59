/**
 * Owns the names of the backends and what the page may say of them. Pure: the page imports it.
 */

export type BackendName = 'webgl' | 'webgpu' | 'simd' | 'wasm' | 'cpu';

/** What people read for each. */
export const BACKEND_TITLES: { readonly [Name in BackendName]: string } = {
  webgl: 'WebGL',
  webgpu: 'WebGPU',
  simd: 'CPU (Atelier)',
  wasm: 'WASM',
  cpu: 'JavaScript',
};

/** A backend's title, or the name itself where this version of the app no longer has that backend. */
export function titleOfBackend(name: string): string {
  return Object.entries(BACKEND_TITLES).find(([known]) => known === name)?.[1] ?? name;
}

/** One line of the backend menu. */
export interface BackendOption {
  readonly name: BackendName;
  /** E.g. "WebGL". */
  readonly title: string;
  readonly available: boolean;
  /** WebGL or WebGPU emulated on the CPU. */
  readonly isSoftware: boolean;
  /** What it is on this machine: renderer string, SIMD, or why it is not available. */
  readonly detail: string;
}

/** What came of training on a backend for a moment, before anybody waits for it. */
export type Trial =
  | {
      readonly outcome: 'timed';
      /** In training: forward, backward and optimizer, as a run shows it. */
      readonly imagesPerSecond: number;
      /**
       * From the backend's start to the end of the first step: compilers, mostly. Null where a run
       * gave the figure.
       */
      readonly warmUpMs: number | null;
    }
  /** The message is for people. */
  | { readonly outcome: 'failed'; readonly message: string };

/** The trials of one network and batch size. */
export type Trials = { readonly [Name in BackendName]?: Trial };

/** What is asked of the engine when it starts. */
export interface EngineWish {
  readonly choice: BackendName | 'auto';
  /** Whether WebGPU may be chosen by itself. */
  readonly includesWebGPU: boolean;
  /** Trials of the network to be trained, and the machine they hold for; null before the first. */
  readonly memory: { readonly fingerprint: string; readonly trials: Trials } | null;
  /** Backends that broke down again and again on this visit. */
  readonly excluded: readonly BackendName[];
}

export interface EngineInfo {
  /** As it was wished. */
  readonly choice: BackendName | 'auto';
  readonly active: BackendName;
  readonly options: readonly BackendOption[];
  /** Why this one runs, in a sentence, e.g. "No GPU here: WebGL would be emulated…". */
  readonly reason: string;
  /** By which this machine is known again; see `fingerprintOf`. */
  readonly fingerprint: string;
}
