/** Owns the orders that the table of a person's pictures can have. Pure. */
import type { Upload } from './uploads.ts';

export interface Order {
  readonly column: 'name' | 'confidence';
  readonly direction: 'ascending' | 'descending';
}

/** Probability of the answer, 0–1; null where there is none. */
export function confidenceOf({ state }: Upload): number | null {
  if (state.phase !== 'answered') return null;
  const { classification } = state;
  if (classification.kind === 'blank' || classification.verdict.kind === 'cannotSay') return null;
  return Math.max(...classification.probabilities);
}

const NAMES = new Intl.Collator('en-GB', { numeric: true, sensitivity: 'base' });

/** Sorted anew; as they came where the order is null. What has no confidence comes last. */
export function sortUploads(uploads: readonly Upload[], order: Order | null): readonly Upload[] {
  if (!order) return uploads;
  const sign = order.direction === 'ascending' ? 1 : -1;
  if (order.column === 'name') {
    return uploads.toSorted((a, b) => sign * NAMES.compare(a.file.name, b.file.name));
  }
  const keyed = uploads.map((upload) => ({ upload, confidence: confidenceOf(upload) }));
  return keyed
    .sort((a, b) => {
      if (a.confidence === null || b.confidence === null) {
        return Number(a.confidence === null) - Number(b.confidence === null);
      }
      return sign * (a.confidence - b.confidence);
    })
    .map(({ upload }) => upload);
}
