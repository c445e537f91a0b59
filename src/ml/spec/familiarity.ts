/**
 * Owns the measure of how far a picture lies from the training pictures: the distance of its features
 * to the nearest class, in units of how much the features of a class vary. Pure.
 *
 * The distance is Mahalanobis', with one covariance for all classes (Lee et al., "A Simple Unified
 * Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018), of features
 * scaled to length 1 (Mueller and Hein, "Mahalanobis++", 2025): their length tells how much there is
 * to see rather than what it is. `npm run bench -- pictures` sets it beside other scores.
 */
import * as v from 'valibot';
import { MAX_CLASSES } from '../../data/dataSpec.ts';
import { createRandom } from '../../random.ts';

/** The measure of one model. */
export interface Familiarity {
  /** Features that the model gives for a picture. */
  readonly numFeatures: number;
  /** Classes that the training pictures had. */
  readonly numCentres: number;
  /** Distance that 95 % of held-out pictures stay within. */
  readonly threshold: number;
  /**
   * Float32, little-endian, in base64: the matrix that makes the classes' covariance the identity,
   * lower triangle row by row, then the centre of each class after that matrix.
   */
  readonly statistics: string;
}

/** Share of held-out pictures that the threshold keeps. */
const KEPT_SHARE = 0.95;
/** With fewer held-out pictures their most distant twentieth would be guesswork. */
const MIN_HELD_OUT = 100;
/** Wider layers are projected to this many values first, which keeps distances well enough. */
const MAX_WIDTH = 128;
const MAX_FEATURES = 100_000;
/** Added to the covariance's diagonal, as a share of its mean: features that never vary have none. */
const RIDGE = 1e-3;

export const FamiliaritySchema = v.pipe(
  v.object({
    numFeatures: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_FEATURES)),
    numCentres: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_CLASSES)),
    threshold: v.pipe(v.number(), v.finite(), v.gtValue(0)),
    statistics: v.pipe(v.string(), v.maxLength(200_000), v.base64()),
  }),
  v.check(
    (familiarity) => decode(familiarity) !== null,
    'The statistics have the wrong length or hold values that are not finite.',
  ),
) satisfies v.GenericSchema<unknown, Familiarity>;

export interface LabelledFeatures {
  /** `[n · numFeatures]`. */
  readonly features: Float32Array;
  /** `[n]`. */
  readonly labels: Uint8Array;
}

/**
 * Learns what features of garments are like.
 *
 * @param known Of pictures that the model learnt from.
 * @param heldOut `[n · numFeatures]`, of pictures that it did not: these lie further out.
 * @returns Null where there are too few to learn it from, and where what is learnt is not finite.
 */
export function fitFamiliarity(
  known: LabelledFeatures,
  heldOut: Float32Array,
  numFeatures: number,
): Familiarity | null {
  const numKnown = known.labels.length;
  const numHeldOut = heldOut.length / numFeatures;
  if (numKnown < MIN_HELD_OUT || numHeldOut < MIN_HELD_OUT) return null;
  const width = widthOf(numFeatures);
  const shrink = shrinkerFor(numFeatures);
  const reduced = new Float64Array(numKnown * width);
  for (let row = 0; row < numKnown; row++) {
    const features = known.features.subarray(row * numFeatures, (row + 1) * numFeatures);
    reduced.set(shrink(features), row * width);
  }
  const centres = centresOf(reduced, known.labels, width);
  const whitening = whitenerOf(covarianceOf(reduced, known.labels, centres, width), width);
  const present = centres.filter((centre) => centre !== null);
  const statistics = new Float32Array(whitening.length + present.length * width);
  statistics.set(whitening);
  present.forEach((centre, i) => {
    statistics.set(whiten(whitening, centre), whitening.length + i * width);
  });
  const measure = measureOf(statistics, numFeatures, present.length);
  const distances = Float64Array.from({ length: numHeldOut }, (_, row) =>
    distanceOf(measure, heldOut.subarray(row * numFeatures, (row + 1) * numFeatures)),
  ).sort();
  const threshold = distances[Math.ceil(KEPT_SHARE * numHeldOut) - 1] ?? 0;
  if (!(threshold > 0 && Number.isFinite(threshold))) return null;
  if (!statistics.every(Number.isFinite)) return null;
  const familiarity: Familiarity = {
    numFeatures,
    numCentres: present.length,
    threshold,
    statistics: toBase64(statistics),
  };
  decodedBefore.set(familiarity, measure);
  return familiarity;
}

/**
 * How far a picture lies from the nearest class, as a multiple of the threshold: above 1 it is not
 * taken for a garment.
 * @param features `[numFeatures]`.
 * @returns Null where the measure was taken of another network's features.
 */
export function remotenessOf(familiarity: Familiarity, features: Float32Array): number | null {
  if (features.length !== familiarity.numFeatures) return null;
  const measure = decode(familiarity);
  if (!measure) throw new RangeError('The statistics of a familiarity are not whole.');
  return distanceOf(measure, features) / familiarity.threshold;
}

/** @param features `[numFeatures]`. */
function distanceOf({ whitening, centres, shrink }: Measure, features: Float32Array): number {
  const place = whiten(whitening, shrink(features));
  let least = Number.POSITIVE_INFINITY;
  for (const centre of centres) {
    let squared = 0;
    for (let i = 0; i < place.length; i++) squared += (place[i]! - centre[i]!) ** 2;
    least = Math.min(least, squared);
  }
  return Math.sqrt(least);
}

/** What distances are calculated with. */
interface Measure {
  /** Lower triangle, row by row. */
  readonly whitening: Float32Array;
  readonly centres: readonly Float32Array[];
  readonly shrink: (features: Float32Array) => Float64Array;
}

const decodedBefore = new WeakMap<Familiarity, Measure>();

/** Null where the statistics are not what the rest of the record says. */
function decode(familiarity: Familiarity): Measure | null {
  const before = decodedBefore.get(familiarity);
  if (before) return before;
  const { numFeatures, numCentres } = familiarity;
  const statistics = fromBase64(familiarity.statistics);
  if (statistics?.length !== matrixSizeOf(numFeatures) + numCentres * widthOf(numFeatures)) {
    return null;
  }
  if (!statistics.every(Number.isFinite)) return null;
  const measure = measureOf(statistics, numFeatures, numCentres);
  decodedBefore.set(familiarity, measure);
  return measure;
}

/** @param statistics As in `Familiarity`, decoded; not copied. */
function measureOf(statistics: Float32Array, numFeatures: number, numCentres: number): Measure {
  const width = widthOf(numFeatures);
  const start = matrixSizeOf(numFeatures);
  return {
    whitening: statistics.subarray(0, start),
    centres: Array.from({ length: numCentres }, (_, i) =>
      statistics.subarray(start + i * width, start + (i + 1) * width),
    ),
    shrink: shrinkerFor(numFeatures),
  };
}

/** Numbers in the lower triangle of the matrix. */
function matrixSizeOf(numFeatures: number): number {
  const width = widthOf(numFeatures);
  return (width * (width + 1)) / 2;
}

function widthOf(numFeatures: number): number {
  return Math.min(numFeatures, MAX_WIDTH);
}

/**
 * What scales features to length 1 and, where there are many, projects them: each is added with a
 * sign of its own to one of the values that remain (count sketch; Charikar et al., 2002). The signs
 * and places follow from a seed, so they need not be kept.
 */
function shrinkerFor(numFeatures: number): (features: Float32Array) => Float64Array {
  const width = widthOf(numFeatures);
  const places = Uint8Array.from({ length: numFeatures }, (_, i) => i % width);
  const signs = new Int8Array(numFeatures).fill(1);
  if (numFeatures > width) {
    const random = createRandom(numFeatures);
    for (let i = 0; i < numFeatures; i++) {
      places[i] = Math.floor(random() * width);
      signs[i] = random() < 0.5 ? -1 : 1;
    }
  }
  return (features) => {
    let squared = 0;
    for (const feature of features) squared += feature * feature;
    const scale = squared > 0 ? 1 / Math.sqrt(squared) : 0;
    const shrunk = new Float64Array(width);
    for (let i = 0; i < numFeatures; i++) shrunk[places[i]!]! += features[i]! * signs[i]! * scale;
    return shrunk;
  };
}

/** Mean of each class up to the last that has rows; null where one before it has none. */
function centresOf(rows: Float64Array, labels: Uint8Array, width: number): (Float64Array | null)[] {
  const numClasses = labels.reduce((most, label) => Math.max(most, label + 1), 0);
  const counts = new Array<number>(numClasses).fill(0);
  const sums = counts.map(() => new Float64Array(width));
  labels.forEach((label, row) => {
    counts[label]!++;
    const sum = sums[label]!;
    for (let i = 0; i < width; i++) sum[i]! += rows[row * width + i]!;
  });
  return sums.map((sum, label) => {
    const count = counts[label]!;
    return count > 0 ? sum.map((value) => value / count) : null;
  });
}

/** Covariance around the own class's centre, `[width · width]`, lower triangle only. */
function covarianceOf(
  rows: Float64Array,
  labels: Uint8Array,
  centres: readonly (Float64Array | null)[],
  width: number,
): Float64Array {
  const covariance = new Float64Array(width * width);
  const offset = new Float64Array(width);
  labels.forEach((label, row) => {
    const centre = centres[label]!;
    for (let i = 0; i < width; i++) offset[i] = rows[row * width + i]! - centre[i]!;
    for (let i = 0; i < width; i++) {
      const own = offset[i]! / labels.length;
      for (let j = 0; j <= i; j++) covariance[i * width + j]! += own * offset[j]!;
    }
  });
  return covariance;
}

/**
 * The inverse of the covariance's Cholesky factor, lower triangle row by row: what it is multiplied
 * with varies by 1 in every direction.
 */
function whitenerOf(covariance: Float64Array, width: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < width; i++) trace += covariance[i * width + i]!;
  const ridge = (RIDGE * trace) / width || RIDGE;
  const factor = covariance.slice();
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = factor[i * width + j]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= factor[i * width + k]! * factor[j * width + k]!;
      factor[i * width + j] = i === j ? Math.sqrt(sum) : sum / factor[j * width + j]!;
    }
  }
  const inverse = new Float64Array((width * (width + 1)) / 2);
  const at = (row: number, column: number) => (row * (row + 1)) / 2 + column;
  for (let column = 0; column < width; column++) {
    for (let row = column; row < width; row++) {
      let sum = row === column ? 1 : 0;
      for (let k = column; k < row; k++) sum -= factor[row * width + k]! * inverse[at(k, column)]!;
      inverse[at(row, column)] = sum / factor[row * width + row]!;
    }
  }
  return inverse;
}

/** The lower triangle times a vector. */
function whiten(whitening: Float64Array | Float32Array, vector: Float64Array): Float64Array {
  const result = new Float64Array(vector.length);
  for (let row = 0, at = 0; row < vector.length; row++) {
    let sum = 0;
    for (let column = 0; column <= row; column++) sum += whitening[at++]! * vector[column]!;
    result[row] = sum;
  }
  return result;
}

/** Little-endian whatever the machine, as files of models are. */
function toBase64(values: Float32Array): string {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => {
    view.setFloat32(i * 4, value, true);
  });
  let text = '';
  for (const byte of new Uint8Array(view.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Null where it is no whole number of values. */
function fromBase64(base64: string): Float32Array | null {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  if (bytes.length % 4 !== 0) return null;
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}
