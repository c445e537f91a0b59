import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../random.ts';
import {
  CalibrationSchema,
  fitTemperature,
  measureReliability,
  NUM_BINS,
  softmaxAt,
  toLogits,
} from './calibration.ts';

/** Rows whose labels are drawn from the softmax of their logits: calibrated as they are. */
function drawCalibrated(numRows: number): { logits: Float32Array; labels: Uint8Array } {
  const random = createRandom(4);
  const logits = Float32Array.from({ length: numRows * 10 }, () => 6 * random());
  const probabilities = softmaxAt(logits, 1, 10);
  const labels = Uint8Array.from({ length: numRows }, (_, row) => {
    let left = random();
    for (let label = 0; label < 9; label++) {
      left -= probabilities[row * 10 + label] as number;
      if (left < 0) return label;
    }
    return 9;
  });
  return { logits, labels };
}

describe('fitTemperature', () => {
  const { logits, labels } = drawCalibrated(10_000);

  it.each([0.2, 1, 3])('finds the factor that logits were multiplied with: %d', (factor) => {
    const scaled = logits.map((logit) => logit * factor);
    const temperature = fitTemperature(scaled, labels);
    expect(temperature / factor).toBeGreaterThan(0.96);
    expect(temperature / factor).toBeLessThan(1.04);
  });

  it('makes the probabilities of a model that is too sure honest', () => {
    const scaled = logits.map((logit) => logit * 3);
    const before = measureReliability(softmaxAt(scaled, 1, 10), labels).error;
    const after = measureReliability(softmaxAt(scaled, fitTemperature(scaled, labels), 10), labels);
    expect(before).toBeGreaterThan(0.15);
    expect(after.error).toBeLessThan(0.015);
  });

  it('stays within bounds where every answer is right, or wrong, or there is none', () => {
    const sure = Float32Array.from({ length: 20 }, (_, i) => (i % 10 === 3 ? 9 : 0));
    expect(fitTemperature(sure, Uint8Array.of(3, 3))).toBeCloseTo(0.05, 5);
    expect(fitTemperature(sure, Uint8Array.of(4, 4))).toBeCloseTo(20, 2);
    expect(fitTemperature(new Float32Array(0), new Uint8Array(0))).toBe(1);
  });
});

describe('softmaxAt', () => {
  it('gives shares, also of logits that would overflow, and brings probabilities back', () => {
    const logits = Float32Array.from({ length: 10 }, (_, label) => 1000 + label);
    const probabilities = softmaxAt(logits, 1, 10);
    expect(probabilities.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
    const again = softmaxAt(toLogits(probabilities), 1, 10);
    again.forEach((share, label) => {
      expect(share).toBeCloseTo(probabilities[label] as number, 6);
    });
    expect(Math.max(...softmaxAt(logits, 5, 10))).toBeLessThan(Math.max(...probabilities));
  });

  it('survives probabilities of nought', () => {
    const certain = Float32Array.from({ length: 10 }, (_, label) => Number(label === 2));
    const softened = softmaxAt(toLogits(certain), 2, 10);
    expect(softened.every(Number.isFinite)).toBe(true);
    expect(softened[2]).toBeGreaterThan(0.999);
  });
});

describe('measureReliability', () => {
  it('compares promise and truth in fifteen bins', () => {
    // Four answers at 0.95 of which two are right, one at 0.55 that is.
    const rows = [0.95, 0.95, 0.95, 0.95, 0.55];
    const probabilities = Float32Array.from(
      rows.flatMap((top) => [top, ...new Array<number>(9).fill((1 - top) / 9)]),
    );
    const { bins, error } = measureReliability(probabilities, Uint8Array.of(0, 0, 1, 2, 0));
    expect(bins).toHaveLength(NUM_BINS);
    expect(bins[14]?.count).toBe(4);
    expect(bins[14]?.accuracy).toBe(0.5);
    expect(bins[14]?.confidence).toBeCloseTo(0.95, 6);
    expect(bins[8]?.count).toBe(1);
    expect(error).toBeCloseTo((4 * 0.45 + 0.45) / 5, 6);
  });

  it('has a place for certainty and says nothing of nothing', () => {
    const certain = Float32Array.from({ length: 10 }, (_, label) => Number(label === 2));
    expect(measureReliability(certain, Uint8Array.of(2))).toMatchObject({ error: 0 });
    expect(measureReliability(certain, Uint8Array.of(2)).bins[NUM_BINS - 1]?.count).toBe(1);
    expect(measureReliability(new Float32Array(0), new Uint8Array(0)).error).toBe(0);
  });
});

it('refuses a calibration that cannot be', () => {
  const good = { data: 'a.csv', numRows: 100, temperature: 1.2, familiarity: null };
  expect(v.is(CalibrationSchema, good)).toBe(true);
  for (const temperature of [0, -1, Number.NaN, 1e9]) {
    expect(v.is(CalibrationSchema, { ...good, temperature })).toBe(false);
  }
});
