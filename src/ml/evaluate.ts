/**
 * Owns the evaluation of a model on labelled pictures. The figures themselves are in `figures.ts`,
 * which the page may import.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../data/dataset.ts';
import { judgePredictions } from './figures.ts';
import { predictRows } from './predict.ts';

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

/**
 * Evaluates a model on every row of a data set.
 *
 * @param data Name of the file the rows came from.
 * @param onProgress Hears after each batch; ends the evaluation by throwing.
 */
export async function evaluateModel(
  model: tf.LayersModel,
  dataset: Dataset,
  data: string,
  onProgress?: (done: number, total: number) => void,
): Promise<Evaluation> {
  const startedMs = performance.now();
  const rows = Uint32Array.from(dataset.labels, (_, row) => row);
  const probabilities = await predictRows(model, dataset, rows, (done) =>
    onProgress?.(done, rows.length),
  );
  return {
    data,
    ...judgePredictions(probabilities, dataset.labels),
    elapsedMs: performance.now() - startedMs,
  };
}
