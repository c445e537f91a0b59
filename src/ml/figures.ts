/**
 * Owns what follows from predictions: confusion, accuracy, loss, figures of each class, and the
 * worst confusions in words. Pure: the page imports it.
 */
import { CLASS_NAMES, NUM_CLASSES } from '../fashion.ts';
import type { ClassFigures, Evaluation } from './evaluate.ts';

/** Keeps the logarithm of a probability that was rounded to 0 finite. */
const SMALLEST_PROBABILITY = 1e-7;

/** What can be said of predictions without knowing where they came from. */
export type PredictionFigures = Pick<
  Evaluation,
  'numRows' | 'accuracy' | 'loss' | 'confusion' | 'perClass' | 'predicted' | 'confidence'
>;

/**
 * @param probabilities `[n · 10]`.
 * @param labels `[n]`, 0–9.
 */
export function judgePredictions(
  probabilities: Float32Array,
  labels: Uint8Array,
): PredictionFigures {
  const numRows = labels.length;
  const predicted = new Uint8Array(numRows);
  const confidence = new Float32Array(numRows);
  const confusion = Array.from({ length: NUM_CLASSES }, () =>
    new Array<number>(NUM_CLASSES).fill(0),
  );
  let numRight = 0;
  let loss = 0;
  labels.forEach((label, row) => {
    const scores = probabilities.subarray(row * NUM_CLASSES, (row + 1) * NUM_CLASSES);
    let best = 0;
    for (let other = 1; other < NUM_CLASSES; other++) {
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
    perClass: CLASS_NAMES.map((_, label) => judgeClass(confusion, label)),
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

/** One cell of the confusion matrix off its diagonal. */
export interface Confusion {
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
  /** Of the rows of the actual class, 0–1. */
  readonly share: number;
  /** E.g. "127 of 1,000 pictures of class Shirt (12.7 %) were taken for T-shirt/top." */
  readonly sentence: string;
}

/** The most frequent confusions, most frequent first; fewer than `limit` where there are fewer. */
export function worstConfusions(
  evaluation: Pick<Evaluation, 'confusion'>,
  limit = 5,
): readonly Confusion[] {
  const confusions = evaluation.confusion.flatMap((counts, actual) => {
    const support = counts.reduce((sum, count) => sum + count, 0);
    return counts.flatMap((count, predicted) =>
      predicted === actual || count === 0
        ? []
        : [describeConfusion(actual, predicted, count, support)],
    );
  });
  return confusions.sort((a, b) => b.count - a.count).slice(0, limit);
}

function describeConfusion(
  actual: number,
  predicted: number,
  count: number,
  support: number,
): Confusion {
  const number = (value: number) => value.toLocaleString('en-GB');
  const percent = ((100 * count) / support).toFixed(1);
  const verb = count === 1 ? 'was' : 'were';
  return {
    actual,
    predicted,
    count,
    share: count / support,
    sentence: `${number(count)} of ${number(support)} pictures of class ${CLASS_NAMES[actual]} (${percent} %) ${verb} taken for ${CLASS_NAMES[predicted]}.`,
  };
}
