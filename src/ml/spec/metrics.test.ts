import { describe, expect, it } from 'vitest';
import { judgePredictions } from './metrics.ts';

/** Probabilities that give `label` the share `probability` and spread the rest. */
function sure(label: number, probability: number): number[] {
  return Array.from({ length: 10 }, (_, other) =>
    other === label ? probability : (1 - probability) / 9,
  );
}

// By hand: three T-shirts (0), of which one is taken for a Shirt (6); two Shirts, one taken for a
// T-shirt; one Bag (8), right. Nothing else.
const labels = Uint8Array.of(0, 0, 0, 6, 6, 8);
const probabilities = Float32Array.from(
  [sure(0, 0.9), sure(0, 0.8), sure(6, 0.7), sure(6, 0.6), sure(0, 0.5), sure(8, 1)].flat(),
);

describe('figures of predictions', () => {
  const figures = judgePredictions(probabilities, labels, 10);

  it('count what is right', () => {
    expect(figures.numRows).toBe(6);
    expect(figures.accuracy).toBeCloseTo(4 / 6);
    expect([...figures.predicted]).toEqual([0, 0, 6, 6, 0, 8]);
    expect(figures.confidence[2]).toBeCloseTo(0.7);
  });

  it('take the mean cross-entropy in nats', () => {
    const right = [0.9, 0.8, 0.3 / 9, 0.6, 0.5 / 9, 1];
    const expected = right.reduce((sum, p) => sum - Math.log(p), 0) / 6;
    expect(figures.loss).toBeCloseTo(expected, 5);
  });

  it('stay finite where the right class got nothing', () => {
    const { loss } = judgePredictions(Float32Array.from(sure(1, 1)), Uint8Array.of(0), 10);
    expect(loss).toBeCloseTo(-Math.log(1e-7), 5);
  });

  it('pass on what is not a number', () => {
    const broken = new Float32Array(10).fill(Number.NaN);
    expect(judgePredictions(broken, Uint8Array.of(0), 10).loss).toBeNaN();
  });

  it('fill the confusion matrix, actual by predicted', () => {
    expect(figures.confusion[0]?.[0]).toBe(2);
    expect(figures.confusion[0]?.[6]).toBe(1);
    expect(figures.confusion[6]?.[0]).toBe(1);
    expect(figures.confusion[6]?.[6]).toBe(1);
    expect(figures.confusion[8]?.[8]).toBe(1);
    expect(figures.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(6);
  });

  it('give precision, recall and F1 of each class', () => {
    expect(figures.perClass[0]).toEqual({ precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 });
    expect(figures.perClass[6]).toEqual({ precision: 1 / 2, recall: 1 / 2, f1: 1 / 2, support: 2 });
    expect(figures.perClass[8]).toEqual({ precision: 1, recall: 1, f1: 1, support: 1 });
  });

  it('give null where a figure is not defined', () => {
    expect(figures.perClass[3]).toEqual({ precision: null, recall: null, f1: null, support: 0 });
    const missed = judgePredictions(Float32Array.from(sure(1, 0.9)), Uint8Array.of(0), 10);
    expect(missed.perClass[0]).toEqual({ precision: null, recall: 0, f1: 0, support: 1 });
    expect(missed.perClass[1]).toEqual({ precision: 0, recall: null, f1: 0, support: 0 });
  });
});
