/**
 * Owns the words for an answer. Pure.
 */
import { CLASS_NAMES } from '../../fashion.ts';

const ARTICLES = ['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'an'] as const;
/** Names as they stand in a sentence; some of the data's own are headings. */
const NOUNS = [
  'T-shirt',
  'pair of trousers',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
] as const;

export interface Ranked {
  readonly label: number;
  readonly name: string;
  /** 0–1. */
  readonly probability: number;
}

/** All ten, the most probable first. */
export function rank(probabilities: Float32Array): Ranked[] {
  return Array.from(probabilities, (probability, label) => ({
    label,
    name: CLASS_NAMES[label] ?? `Class ${label}`,
    probability,
  })).sort((a, b) => b.probability - a.probability || a.label - b.label);
}

function noun(label: number): string {
  return `${ARTICLES[label] ?? 'a'} ${NOUNS[label] ?? 'garment'}`;
}

/** From here on one answer is given; below the other, none. */
const SURE = 0.85;
const LEANING = 0.5;

/** The answer as a person would give it: sure, leaning, or torn between the first few. */
export function sayAnswer(ranked: readonly Ranked[]): string {
  const [first, second, third] = ranked;
  if (!first || !second || !third) return '';
  if (first.probability >= SURE) return `This looks like ${noun(first.label)}.`;
  if (first.probability >= LEANING) {
    return `Probably ${noun(first.label)}, perhaps ${noun(second.label)}.`;
  }
  return `Hard to tell: ${noun(first.label)}, ${noun(second.label)} or ${noun(third.label)}.`;
}

/** A probability as text of whole percents, never "0 %" or "100 %" for what is not quite that. */
export function sayShare(probability: number): string {
  if (probability < 0.01) return '< 1 %';
  if (probability > 0.99) return '> 99 %';
  return `${Math.round(probability * 100)} %`;
}
