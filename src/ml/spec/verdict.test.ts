import { describe, expect, it } from 'vitest';
import { type Evidence, judge } from './verdict.ts';

function evidence(shares: Record<number, number>, rest: Partial<Evidence> = {}): Evidence {
  const probabilities = Float32Array.from({ length: 10 }, (_, label) => shares[label] ?? 0);
  return { probabilities, remoteness: null, doubts: [], ...rest };
}

describe('judge', () => {
  it('is sure of what is probable, familiar and beyond doubt', () => {
    expect(judge(evidence({ 9: 0.95, 7: 0.05 }, { remoteness: 0.8 }))).toEqual({
      kind: 'sure',
      label: 9,
    });
  });

  it('leans where other classes are worth naming, and names two at most', () => {
    expect(judge(evidence({ 4: 0.55, 6: 0.2, 2: 0.14, 0: 0.11 }))).toEqual({
      kind: 'leaning',
      label: 4,
      rivals: [6, 2],
    });
  });

  it('does not name classes that are hardly possible', () => {
    expect(judge(evidence({ 4: 0.88, 6: 0.06, 2: 0.06 }))).toMatchObject({ rivals: [] });
  });

  it('only leans where the picture itself is doubtful', () => {
    expect(judge(evidence({ 1: 0.99 }, { remoteness: 0.5, doubts: ['tiny'] }))).toEqual({
      kind: 'leaning',
      label: 1,
      rivals: [],
    });
  });

  it('cannot say what is too far from the training pictures, however probable', () => {
    expect(judge(evidence({ 8: 1 }, { remoteness: 1.01 }))).toEqual({
      kind: 'cannotSay',
      reason: 'unfamiliar',
    });
    expect(judge(evidence({ 8: 1 }, { remoteness: 1 })).kind).toBe('sure');
  });

  it('cannot say where every single answer is more likely wrong than right', () => {
    expect(judge(evidence({ 2: 0.49, 4: 0.3, 6: 0.21 }))).toEqual({
      kind: 'cannotSay',
      reason: 'unclear',
    });
  });

  it.each(['busyBackground', 'noBorder'] as const)(
    'blames the background where there is one to blame: %s',
    (doubt) => {
      const unfamiliar = evidence({ 8: 1 }, { remoteness: 3, doubts: ['faint', doubt] });
      const unclear = evidence({ 8: 0.3 }, { doubts: [doubt] });
      for (const each of [unfamiliar, unclear]) {
        expect(judge(each)).toEqual({ kind: 'cannotSay', reason: 'busyBackground' });
      }
      expect(judge(evidence({ 8: 1 }, { doubts: [doubt] })).kind).toBe('leaning');
    },
  );

  it('gives no answer for a model that gives no numbers', () => {
    expect(judge(evidence({ 3: Number.NaN })).kind).toBe('cannotSay');
  });
});
