import { expect, it } from 'vitest';
import { rank, sayAnswer, sayShare } from './words.ts';

function probabilities(shares: Record<number, number>): Float32Array {
  return Float32Array.from({ length: 10 }, (_, label) => shares[label] ?? 0);
}

it('ranks all ten, ties in label order', () => {
  const ranked = rank(probabilities({ 4: 0.2, 9: 0.7, 2: 0.1 }));
  expect(ranked.map(({ label }) => label)).toEqual([9, 4, 2, 0, 1, 3, 5, 6, 7, 8]);
  expect(ranked[0]?.name).toBe('Ankle boot');
});

it.each([
  [{ 9: 0.95, 7: 0.05 }, 'This looks like an ankle boot.'],
  [{ 1: 0.85, 3: 0.15 }, 'This looks like a pair of trousers.'],
  [{ 4: 0.6, 6: 0.3, 2: 0.1 }, 'Probably a coat, perhaps a shirt.'],
  [{ 4: 0.4, 6: 0.35, 2: 0.25 }, 'Hard to tell: a coat, a shirt or a pullover.'],
])('says how sure it is: %j', (shares, words) => {
  expect(sayAnswer(rank(probabilities(shares)))).toBe(words);
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
