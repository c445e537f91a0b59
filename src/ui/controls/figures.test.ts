import { expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatPercent } from './figures.ts';

/** Figures and units are held together by spaces that do not break: read them as spaces. */
const spaced = (text: string) => text.replaceAll('\u00a0', ' ');

it('groups thousands', () => {
  expect(formatCount(60_000)).toBe('60,000');
});

it('writes shares as percentages', () => {
  expect(spaced(formatPercent(0.9123))).toBe('91.2 %');
  expect(spaced(formatPercent(0.9123, 2))).toBe('91.23 %');
});

it.each([
  [0, '0.0 s'],
  [830, '0.8 s'],
  [9_700, '10 s'],
  [59_600, '1 min 0 s'],
  [75_000, '1 min 15 s'],
  [3_599_600, '1 h 0 min'],
  [3_720_000, '1 h 2 min'],
])('writes %d milliseconds', (elapsedMs, words) => {
  expect(spaced(formatDuration(elapsedMs))).toBe(words);
});

it.each([
  [999, '999 B'],
  [1_000, '1 KB'],
  [999_600, '1.0 MB'],
  [34_600_000, '34.6 MB'],
  [999_960_000, '1.00 GB'],
])('writes %d bytes', (bytes, words) => {
  expect(spaced(formatBytes(bytes))).toBe(words);
});

it('never parts a figure from its unit', () => {
  const all = [formatPercent(0.5), formatDuration(75_000), formatBytes(5_000)].join('');
  expect(all).not.toContain(' ');
});
