import { expect, it } from 'vitest';
import { FASHION_MNIST } from '../../fashion.ts';
import type { Classification, Verdict } from '../../ml/spec/verdict.ts';
import { rank, sayAnswer, sayMore, sayShare } from './words.ts';

function probabilities(shares: Record<number, number>): Float32Array {
  return Float32Array.from({ length: 10 }, (_, label) => shares[label] ?? 0);
}

it('ranks all ten, ties in label order', () => {
  const ranked = rank(probabilities({ 4: 0.2, 9: 0.7, 2: 0.1 }), FASHION_MNIST);
  expect(ranked.map(({ label }) => label)).toEqual([9, 4, 2, 0, 1, 3, 5, 6, 7, 8]);
  expect(ranked[0]?.name).toBe('Ankle boot');
});

function answered(verdict: Verdict, shares: Record<number, number>): Classification {
  return {
    kind: 'garment',
    pixels: new Uint8Array(784),
    doubts: [],
    steps: [],
    probabilities: probabilities(shares),
    verdict,
    elapsedMs: 1,
  };
}

it.each<[Verdict, Record<number, number>, string]>([
  [{ kind: 'sure', label: 9 }, { 9: 1 }, 'Sure: an ankle boot.'],
  [{ kind: 'sure', label: 1 }, { 1: 1 }, 'Sure: a pair of trousers.'],
  [
    { kind: 'leaning', label: 4, rivals: [6, 2] },
    { 4: 0.6, 6: 0.2, 2: 0.2 },
    'Leaning towards a coat, perhaps a shirt or a pullover.',
  ],
  [{ kind: 'leaning', label: 3, rivals: [] }, { 3: 1 }, 'Leaning towards a dress.'],
  [
    { kind: 'cannotSay', reason: 'unclear' },
    { 4: 0.4, 6: 0.35, 2: 0.25 },
    'Cannot say: this could be a coat, a shirt or a pullover.',
  ],
  [
    { kind: 'cannotSay', reason: 'unfamiliar' },
    { 8: 1 },
    'Cannot say: this looks like none of the ten.',
  ],
])('says what the verdict is: %j', (verdict, shares, words) => {
  expect(sayAnswer(answered(verdict, shares), FASHION_MNIST)).toBe(words);
});

it('says what to do where there is no answer, and what the nearest would be', () => {
  const unfamiliar = answered({ kind: 'cannotSay', reason: 'unfamiliar' }, { 8: 0.9, 3: 0.1 });
  expect(sayMore(unfamiliar, FASHION_MNIST)).toMatch(/from the front.*At a guess, a bag\.$/);
  expect(sayMore(answered({ kind: 'sure', label: 3 }, { 3: 1 }), FASHION_MNIST)).toBeNull();
});

it('speaks of other data by the names of its classes', () => {
  const digits = { ...FASHION_MNIST, id: 'digits', classNames: ['nought', 'one', 'two'] };
  const say = (verdict: Verdict) => sayAnswer(answered(verdict, { 2: 1 }), digits);
  expect(say({ kind: 'leaning', label: 2, rivals: [0] })).toBe(
    'Leaning towards “two”, perhaps “nought”.',
  );
  expect(say({ kind: 'cannotSay', reason: 'unfamiliar' })).toBe(
    'Cannot say: this looks like none of the 3 classes.',
  );
});

it('never rounds to certainty', () => {
  expect([0, 0.004, 0.0999, 0.5, 0.99, 0.996, 1].map(sayShare)).toEqual([
    '< 1 %',
    '< 1 %',
    '10 %',
    '50 %',
    '99 %',
    '> 99 %',
    '> 99 %',
  ]);
});
