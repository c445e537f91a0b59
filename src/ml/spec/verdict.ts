/**
 * Owns what an answer is worth: from probabilities, distance and the pipeline's own doubts to sure,
 * leaning, or no answer. Pure.
 */
import type { Doubt, NormalizedPicture } from '../../image/picture.ts';

/** Why there is no answer. */
export type NoAnswer =
  /** Nothing stands out from the background. */
  | 'blank'
  /** The garment could not be told from what lies behind it, and what is left means nothing. */
  | 'busyBackground'
  /** Further from the training pictures than all but a few garments are. */
  | 'unfamiliar'
  /** Any single answer would more likely be wrong than right. */
  | 'unclear';

/** What the model's answer is worth, label by label. */
export type Verdict =
  | { readonly kind: 'sure'; readonly label: number }
  | {
      readonly kind: 'leaning';
      readonly label: number;
      /** Labels that it may be instead, the likeliest first; none where only doubts speak. */
      readonly rivals: readonly number[];
    }
  | { readonly kind: 'cannotSay'; readonly reason: NoAnswer };

export type Classification =
  | (Extract<NormalizedPicture, { kind: 'garment' }> & {
      /** `[classes]`, sums to 1, by label; calibrated where the model is. */
      readonly probabilities: Float32Array;
      readonly verdict: Verdict;
      /** Normalising and predicting, in the worker. */
      readonly elapsedMs: number;
    })
  | (Extract<NormalizedPicture, { kind: 'blank' }> & { readonly verdict: Verdict });

/** Calibrated, so that of all sure answers at most one in ten is expected to be wrong. */
const SURE = 0.9;
/** Below it, the likeliest answer is more likely wrong than right. */
const CLEAR = 0.5;
/** From here on another class is worth naming. */
const RIVAL = 0.1;
const MAX_RIVALS = 2;

export interface Evidence {
  /** `[classes]`, calibrated where the model is. */
  readonly probabilities: Float32Array;
  /**
   * How far the picture lies from the training pictures, as a multiple of what is still taken for a
   * garment; null where the model has no measure of it.
   */
  readonly remoteness: number | null;
  readonly doubts: readonly Doubt[];
}

/** Doubts that what the model saw is the garment at all. */
const ABOUT_BACKGROUND: readonly Doubt[] = ['busyBackground', 'noBorder'];

export function judge({ probabilities, remoteness, doubts }: Evidence): Verdict {
  const ranked = Array.from(probabilities, (probability, label) => ({ label, probability })).sort(
    (a, b) => b.probability - a.probability || a.label - b.label,
  );
  const [first, ...others] = ranked;
  if (!first) throw new RangeError('There are no probabilities to judge.');
  const isUnfamiliar = remoteness !== null && remoteness > 1;
  if (isUnfamiliar || !(first.probability >= CLEAR)) {
    // A background that got in the way explains both, and is what a person can change.
    const isBusy = doubts.some((doubt) => ABOUT_BACKGROUND.includes(doubt));
    const reason = isBusy ? 'busyBackground' : isUnfamiliar ? 'unfamiliar' : 'unclear';
    return { kind: 'cannotSay', reason };
  }
  const { label } = first;
  if (first.probability >= SURE && doubts.length === 0) return { kind: 'sure', label };
  const rivals = others
    .filter(({ probability }) => probability >= RIVAL)
    .slice(0, MAX_RIVALS)
    .map((rival) => rival.label);
  return { kind: 'leaning', label, rivals };
}
