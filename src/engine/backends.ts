/**
 * Owns the names of the backends and what the page may say of them. Pure: the page imports it.
 */

export type BackendName = 'webgl' | 'webgpu' | 'simd' | 'wasm' | 'cpu';

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
