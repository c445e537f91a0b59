/**
 * Finds the pictures of a class that a network takes for most alike to a given one: nearest by
 * angle between features, i.e. between what its last layer weighs up.
 */
import type * as tf from '@tensorflow/tfjs';
import { type Dataset, gatherBatch } from '../../data/dataset.ts';
import { PIXELS } from '../../fashion.ts';
import { examine } from './features.ts';
import { nextTurn } from './yielding.ts';

export interface Neighbours {
  /** Rows of the data set, the most alike first. Empty where there is nothing to compare with. */
  readonly rows: Uint32Array;
  /** Rows that were compared. */
  readonly numCompared: number;
}

/** What a network makes of a data set; good for as long as neither changes. */
export interface Neighbourhood {
  /**
   * @param pixels `[784]` bytes, light on black.
   * @param label the class whose rows are compared
   * @param count rows wanted, at most
   * @param isWanted asked between batches; once it says no, the work so far is kept for next time
   * @returns null where it was not wanted any more
   */
  nearest(
    pixels: Uint8Array,
    label: number,
    count: number,
    isWanted: () => boolean,
  ): Promise<Neighbours | null>;
}

/** One shape for every batch, so that shaders are compiled once; small, so that others get in. */
const BATCH_SIZE = 64;
/**
 * Classes whose features are kept, those asked for last: 6,000 rows of up to 784 numbers are 19 MB.
 */
const MAX_CLASSES = 4;

interface ClassFeatures {
  readonly rows: Uint32Array;
  /** `[rows.length · numFeatures]`, each row of length 1; the first `numDone` rows are filled. */
  readonly features: Float32Array;
  numDone: number;
}

/** The model and the data set stay the caller's, who must not change them. */
export function createNeighbourhood(model: tf.LayersModel, dataset: Dataset): Neighbourhood {
  /** By label, the one asked for last at the end. */
  const known = new Map<number, ClassFeatures>();

  function featuresOf(label: number, numFeatures: number): ClassFeatures {
    const entry = known.get(label) ?? prepare(label, numFeatures);
    known.delete(label);
    known.set(label, entry);
    for (const oldest of known.keys()) if (known.size > MAX_CLASSES) known.delete(oldest);
    return entry;
  }

  function prepare(label: number, numFeatures: number): ClassFeatures {
    const all = Uint32Array.from(dataset.labels, (_, row) => row);
    const rows = all.filter((row) => dataset.labels[row] === label);
    return { rows, features: new Float32Array(rows.length * numFeatures), numDone: 0 };
  }

  return {
    async nearest(pixels, label, count, isWanted) {
      const insight = await examine(
        model,
        Float32Array.from(pixels, (pixel) => pixel / 255),
      );
      if (!isWanted()) return null;
      if (!insight) return { rows: new Uint32Array(0), numCompared: 0 };
      const { numFeatures } = insight;
      const entry = featuresOf(label, numFeatures);
      while (entry.numDone < entry.rows.length) {
        const from = entry.numDone;
        const batch = entry.rows.subarray(from, from + BATCH_SIZE);
        const input = new Float32Array(BATCH_SIZE * PIXELS);
        gatherBatch(dataset, batch, input);
        const examined = await examine(model, input);
        if (!examined || !isWanted()) return null;
        const filled = examined.features.subarray(0, batch.length * numFeatures);
        toUnitLength(filled, numFeatures);
        entry.features.set(filled, from * numFeatures);
        entry.numDone = from + batch.length;
        await nextTurn();
        if (!isWanted()) return null;
      }
      return { rows: closest(entry, insight.features, count), numCompared: entry.rows.length };
    },
  };
}

/** Scales each row of `[n · numFeatures]` to length 1, in place. A row of zeros stays. */
function toUnitLength(features: Float32Array, numFeatures: number): void {
  for (let from = 0; from < features.length; from += numFeatures) {
    const row = features.subarray(from, from + numFeatures);
    const length = Math.hypot(...row);
    if (length > 0) for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) / length;
  }
}

/** The rows whose features point most nearly where `target` does; ties in file order. */
function closest(
  { rows, features }: ClassFeatures,
  target: Float32Array,
  count: number,
): Uint32Array {
  const similarity = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at++) {
    const from = at * target.length;
    let sum = 0;
    for (let i = 0; i < target.length; i++) {
      sum += (features[from + i] as number) * (target[i] as number);
    }
    similarity[at] = sum;
  }
  const order = Uint32Array.from(rows, (_, at) => at).sort(
    (a, b) => (similarity[b] as number) - (similarity[a] as number) || a - b,
  );
  return order.slice(0, count).map((at) => rows[at] as number);
}
