/**
 * Owns the figures of an evaluation on labelled pictures.
 */

export interface ClassFigures {
  /** 0–1; null where undefined (nothing predicted as this class, say). */
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  /** Rows of this class. */
  readonly support: number;
}

export interface Evaluation {
  /** Name of the file the rows came from. */
  readonly data: string;
  readonly numRows: number;
  readonly accuracy: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** `confusion[actual][predicted]` counts, 10 × 10. */
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly ClassFigures[];
  /** `[n]` predicted label of each row. */
  readonly predicted: Uint8Array;
  /** `[n]` probability of the predicted label. */
  readonly confidence: Float32Array;
  readonly elapsedMs: number;
}
