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

export interface EngineInfo {
  readonly active: BackendName;
  readonly options: readonly BackendOption[];
  /** Why this one runs, in a sentence, e.g. "No GPU here: WebGL would be emulated…". */
  readonly reason: string;
}
