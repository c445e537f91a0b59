/**
 * What follows from predictions: confusion, accuracy, loss and figures of each class. Pure; `confusions.ts` reads the worst confusions out of it.
 */
import type { Reliability } from './calibration.ts';

/** Keeps the logarithm of a probability that was rounded to 0 finite. */
const SMALLEST_PROBABILITY = 1e-7;

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
  /** By label. */
  readonly classNames: readonly string[];
  readonly numRows: number;
  readonly accuracy: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** `confusion[actual][predicted]` counts, classes × classes. */
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly ClassFigures[];
  /** `[n]` predicted label of each row. */
  readonly predicted: Uint8Array;
  /** `[n]` probability of the predicted label, calibrated where the model is. */
  readonly confidence: Float32Array;
  /** Of the probabilities as the model gives them, which `loss` is of as well. */
  readonly reliability: Reliability;
  /** What calibration makes of them; null where the model has none. */
  readonly calibrated: {
    readonly temperature: number;
    readonly reliability: Reliability;
    /** Rows too far from the training pictures to be named; null without a measure of that. */
    readonly numRefused: number | null;
  } | null;
  readonly elapsedMs: number;
}

/** What can be said of predictions without knowing where they came from. */
export type PredictionFigures = Pick<
  Evaluation,
  'numRows' | 'accuracy' | 'loss' | 'confusion' | 'perClass' | 'predicted' | 'confidence'
>;

/**
 * @param probabilities `[n · numClasses]`.
 * @param labels `[n]`.
 */
export function judgePredictions(
  probabilities: Float32Array,
  labels: Uint8Array,
  numClasses: number,
): PredictionFigures {
  const numRows = labels.length;
  const predicted = new Uint8Array(numRows);
  const confidence = new Float32Array(numRows);
  const confusion = Array.from({ length: numClasses }, () => new Array<number>(numClasses).fill(0));
  let numRight = 0;
  let loss = 0;
  labels.forEach((label, row) => {
    const scores = probabilities.subarray(row * numClasses, (row + 1) * numClasses);
    let best = 0;
    for (let other = 1; other < numClasses; other++) {
      if ((scores[other] as number) > (scores[best] as number)) best = other;
    }
    predicted[row] = best;
    confidence[row] = scores[best] as number;
    loss -= Math.log(Math.max(scores[label] as number, SMALLEST_PROBABILITY));
    if (best === label) numRight++;
    const counts = confusion[label] as number[];
    counts[best] = (counts[best] as number) + 1;
  });
  return {
    numRows,
    accuracy: numRows ? numRight / numRows : 0,
    loss: numRows ? loss / numRows : 0,
    confusion,
    perClass: confusion.map((_, label) => judgeClass(confusion, label)),
    predicted,
    confidence,
  };
}

function judgeClass(confusion: readonly (readonly number[])[], label: number): ClassFigures {
  const right = confusion[label]?.[label] ?? 0;
  const support = (confusion[label] ?? []).reduce((sum, count) => sum + count, 0);
  const numPredicted = confusion.reduce((sum, counts) => sum + (counts[label] ?? 0), 0);
  // F1 is the harmonic mean of precision and recall; in this form it needs neither.
  return {
    precision: numPredicted ? right / numPredicted : null,
    recall: support ? right / support : null,
    f1: numPredicted + support ? (2 * right) / (numPredicted + support) : null,
    support,
  };
}
