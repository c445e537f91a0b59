/**
 * What is read out of an evaluation's figures: the worst confusions, which rows make up a cell of
 * the confusion matrix, and how far a measured share can be trusted. Pure.
 */

/** Garments of one class that a model took for another. */
export interface Confusion {
  readonly actual: number;
  readonly taken: number;
  readonly count: number;
  /** Rows of the class `actual`. */
  readonly support: number;
}

/**
 * The commonest confusions, worst first: by their share of the class, which a class of few rows
 * does not escape, then by count.
 *
 * @param confusion `confusion[actual][predicted]` counts
 */
export function worstConfusions(
  confusion: readonly (readonly number[])[],
  limit: number,
): readonly Confusion[] {
  return confusion
    .flatMap((row, actual) => {
      const support = row.reduce((sum, count) => sum + count, 0);
      return row.map((count, taken) => ({ actual, taken, count, support }));
    })
    .filter(({ actual, taken, count }) => actual !== taken && count > 0)
    .sort((a, b) => b.count / b.support - a.count / a.support || b.count - a.count)
    .slice(0, limit);
}

/**
 * The rows of one cell, the surest prediction first.
 *
 * @param rows rows of the class in question
 * @param predicted `[n]` predicted label of every row of the file
 * @param confidence `[n]` probability of that label
 */
export function rowsTakenFor(
  taken: number,
  rows: Iterable<number>,
  predicted: Uint8Array,
  confidence: Float32Array,
): readonly number[] {
  return [...rows]
    .filter((row) => predicted[row] === taken)
    .sort((a, b) => (confidence[b] ?? 0) - (confidence[a] ?? 0));
}

/**
 * Half the width of the 95 % interval of a share measured on `numRows` rows drawn at random, 0–1:
 * 1.96 · √(p (1 − p) / n), the normal approximation. The chance that lies in training (seeds) comes
 * on top.
 */
export function samplingError(share: number, numRows: number): number {
  return 1.96 * Math.sqrt((share * (1 - share)) / numRows);
}
