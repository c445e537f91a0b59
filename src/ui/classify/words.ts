/**
 * The words for an answer. Pure. Those for Fashion-MNIST are its garments; any other data speaks by
 * the names of its classes.
 */
import { type DataSpec, hasSameClasses } from '../../data/dataSpec.ts';
import { FASHION_MNIST } from '../../fashion.ts';
import type { Classification, Verdict } from '../../ml/spec/verdict.ts';

/** Garments as they stand in a sentence; some of the data's own names are headings. */
const GARMENTS = [
  'a T-shirt',
  'a pair of trousers',
  'a pullover',
  'a dress',
  'a coat',
  'a sandal',
  'a shirt',
  'a sneaker',
  'a bag',
  'an ankle boot',
] as const;

export interface Ranked {
  readonly label: number;
  readonly name: string;
  /** 0–1. */
  readonly probability: number;
}

/** All classes, the most probable first. */
export function rank(probabilities: Float32Array, spec: DataSpec): Ranked[] {
  return Array.from(probabilities, (probability, label) => ({
    label,
    name: spec.classNames[label] ?? `Class ${label}`,
    probability,
  })).sort((a, b) => b.probability - a.probability || a.label - b.label);
}

function noun(label: number, spec: DataSpec): string {
  const garment = hasSameClasses(spec, FASHION_MNIST) ? GARMENTS[label] : undefined;
  return garment ?? `“${spec.classNames[label] ?? label}”`;
}

/** What a model tells apart. */
export function sayKinds(spec: DataSpec): string {
  return hasSameClasses(spec, FASHION_MNIST)
    ? 'ten kinds of garment'
    : `${spec.classNames.length} classes`;
}

function sayNone(spec: DataSpec): string {
  return hasSameClasses(spec, FASHION_MNIST)
    ? 'none of the ten'
    : `none of the ${spec.classNames.length} classes`;
}

/** "a, b or c" */
function either(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${last}` : last;
}

/** The answer as a person would give it: sure, leaning with the rivals, or none. */
export function sayAnswer(classification: Classification, spec: DataSpec): string {
  const { verdict } = classification;
  switch (verdict.kind) {
    case 'sure':
      return `Sure: ${noun(verdict.label, spec)}.`;
    case 'leaning': {
      const rivals = verdict.rivals.map((label) => noun(label, spec));
      const perhaps = rivals.length > 0 ? `, perhaps ${either(rivals)}` : '';
      return `Leaning towards ${noun(verdict.label, spec)}${perhaps}.`;
    }
    case 'cannotSay':
      return `Cannot say: ${sayReason(classification, verdict.reason, spec)}.`;
    default:
      return verdict satisfies never;
  }
}

type NoAnswer = Extract<Verdict, { kind: 'cannotSay' }>['reason'];

function sayReason(classification: Classification, reason: NoAnswer, spec: DataSpec): string {
  switch (reason) {
    case 'blank':
      return 'nothing stands out from the background';
    case 'busyBackground':
      return 'no garment stands out from the background';
    case 'unfamiliar':
      return `this looks like ${sayNone(spec)}`;
    case 'unclear':
      return `this could be ${either(guesses(classification, 3, spec))}`;
    default:
      return reason satisfies never;
  }
}

function guesses(classification: Classification, count: number, spec: DataSpec): string[] {
  if (classification.kind === 'blank') return [];
  return rank(classification.probabilities, spec)
    .slice(0, count)
    .map(({ label }) => noun(label, spec));
}

/** What to do where there is no answer, doubts apart; null where there is nothing to add. */
export function sayMore(classification: Classification, spec: DataSpec): string | null {
  const { verdict } = classification;
  if (verdict.kind !== 'cannotSay') return null;
  const [guess] = guesses(classification, 1, spec);
  switch (verdict.reason) {
    case 'blank':
      return 'A garment on a plain sheet of another colour works best.';
    case 'busyBackground':
      return `At a guess, ${guess}.`;
    case 'unfamiliar':
      return `It differs from the training pictures more than nearly every garment does. One whole garment, upright and seen from the front, works best. At a guess, ${guess}.`;
    case 'unclear':
      return 'No single answer is more likely right than wrong. A clearer outline helps.';
    default:
      return verdict.reason satisfies never;
  }
}

/**
 * What the model that comes with the page is worth beyond the test set: `npm run bench -- pictures`,
 * with 264 photos of clothes that people took at home (README, “Measured”).
 */
export const SHIPPED_LIMITS =
  'Those are studio shots: of photos that people took at home it names 69 % right, of filled drawings 84 %.';

/** A probability as text of whole percents, never "0 %" or "100 %" for what is not quite that. */
export function sayShare(probability: number): string {
  if (probability < 0.01) return '< 1 %';
  if (probability > 0.99) return '> 99 %';
  return `${Math.round(probability * 100)} %`;
}
