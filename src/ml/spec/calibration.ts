/**
 * Owns how far a model's probabilities can be believed: the temperature that makes them honest, and
 * the comparison of what was promised with what came true. Pure.
 */
import * as v from 'valibot';
import { type Familiarity, FamiliaritySchema } from './familiarity.ts';

/** What was learnt about a trained model from rows that neither trained nor tested it. */
export interface Calibration {
  /** File that the rows came from, and how many of them were held out. */
  readonly data: string;
  readonly numRows: number;
  /** Logits are divided by it. Above 1 the model was too sure of itself, below 1 too timid. */
  readonly temperature: number;
  /** How far from the training pictures is too far; null for a network that gives no features. */
  readonly familiarity: Familiarity | null;
}

const MIN_TEMPERATURE = 0.05;
const MAX_TEMPERATURE = 20;

export const CalibrationSchema = v.object({
  data: v.pipe(v.string(), v.maxLength(200)),
  numRows: v.pipe(v.number(), v.integer(), v.minValue(1)),
  temperature: v.pipe(v.number(), v.minValue(MIN_TEMPERATURE), v.maxValue(MAX_TEMPERATURE)),
  familiarity: v.nullable(FamiliaritySchema),
}) satisfies v.GenericSchema<unknown, Calibration>;

/** Keeps the logarithm of a probability that was rounded to 0 finite; the least normal float32. */
const SMALLEST_PROBABILITY = 1.2e-38;

/**
 * Logits that lead to the probabilities, up to what softmax does not see.
 * @param probabilities `[n · classes]`.
 */
export function toLogits(probabilities: Float32Array): Float32Array {
  return probabilities.map((probability) => Math.log(Math.max(probability, SMALLEST_PROBABILITY)));
}

/**
 * Softmax of the logits over the temperature, row by row: `[n · numClasses]`.
 * @param logits `[n · numClasses]`.
 */
export function softmaxAt(
  logits: Float32Array,
  temperature: number,
  numClasses: number,
): Float32Array {
  const probabilities = new Float32Array(logits.length);
  for (let from = 0; from < logits.length; from += numClasses) {
    const row = logits.subarray(from, from + numClasses);
    const highest = Math.max(...row);
    let sum = 0;
    for (const logit of row) sum += Math.exp((logit - highest) / temperature);
    for (let label = 0; label < numClasses; label++) {
      probabilities[from + label] = Math.exp((row[label]! - highest) / temperature) / sum;
    }
  }
  return probabilities;
}

/**
 * The temperature at which the labels are least surprising: the minimum of the mean negative
 * log-likelihood. Guo et al., "On Calibration of Modern Neural Networks", 2017.
 *
 * In the inverse of the temperature that mean is convex, so its slope only rises and halving an
 * interval finds where it is nought; there is no step size to get wrong.
 *
 * @param logits `[n · classes]`, of rows that the model did not learn from.
 * @param labels `[n]`.
 * @returns 0.05–20; 1 where there are no rows.
 */
export function fitTemperature(logits: Float32Array, labels: Uint8Array): number {
  if (labels.length === 0) return 1;
  let least = Math.log(1 / MAX_TEMPERATURE);
  let most = Math.log(1 / MIN_TEMPERATURE);
  // To the seventh digit, whatever the start.
  for (let i = 0; i < 25; i++) {
    const middle = (least + most) / 2;
    if (slopeAt(logits, labels, Math.exp(middle)) < 0) least = middle;
    else most = middle;
  }
  return Math.exp(-(least + most) / 2);
}

/** Slope of the summed negative log-likelihood along the inverse temperature. */
function slopeAt(logits: Float32Array, labels: Uint8Array, inverse: number): number {
  const numClasses = logits.length / labels.length;
  let slope = 0;
  for (let row = 0; row < labels.length; row++) {
    const from = row * numClasses;
    let highest = Number.NEGATIVE_INFINITY;
    for (let label = 0; label < numClasses; label++) {
      highest = Math.max(highest, logits[from + label]!);
    }
    let sum = 0;
    let weighted = 0;
    for (let label = 0; label < numClasses; label++) {
      const logit = logits[from + label]! - highest;
      const weight = Math.exp(logit * inverse);
      sum += weight;
      weighted += weight * logit;
    }
    slope += weighted / sum - (logits[from + labels[row]!]! - highest);
  }
  return slope;
}

/** Bins of equal width that answers are sorted into by how sure the model is of them. */
export const NUM_BINS = 15;

export interface ReliabilityBin {
  readonly count: number;
  /** Mean probability of the answers, 0–1; the middle of the bin where it is empty. */
  readonly confidence: number;
  /** Share of the answers that were right, 0–1; 0 where it is empty. */
  readonly accuracy: number;
}

export interface Reliability {
  /** From the least sure to the surest. */
  readonly bins: readonly ReliabilityBin[];
  /**
   * Expected calibration error, 0–1: how far promise and truth lie apart, as the mean over all
   * answers of the gap in their bin. Naeini et al., 2015; Guo et al., 2017.
   */
  readonly error: number;
}

/**
 * What was promised and what came true.
 * @param probabilities `[n · classes]`.
 * @param labels `[n]`.
 */
export function measureReliability(probabilities: Float32Array, labels: Uint8Array): Reliability {
  const sums = Array.from({ length: NUM_BINS }, () => ({ count: 0, confidence: 0, numRight: 0 }));
  const numClasses = probabilities.length / labels.length;
  labels.forEach((label, row) => {
    const scores = probabilities.subarray(row * numClasses, (row + 1) * numClasses);
    const confidence = Math.max(...scores);
    const bin = sums[Math.min(NUM_BINS - 1, Math.floor(confidence * NUM_BINS))];
    if (!bin) return;
    bin.count++;
    bin.confidence += confidence;
    if (scores.indexOf(confidence) === label) bin.numRight++;
  });
  const bins = sums.map(({ count, confidence, numRight }, i) => ({
    count,
    confidence: count ? confidence / count : (i + 0.5) / NUM_BINS,
    accuracy: count ? numRight / count : 0,
  }));
  const gaps = bins.reduce(
    (sum, bin) => sum + bin.count * Math.abs(bin.accuracy - bin.confidence),
    0,
  );
  return { bins, error: labels.length ? gaps / labels.length : 0 };
}
