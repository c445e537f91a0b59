import * as v from 'valibot';
import { describe, expect, it, vi } from 'vitest';
import { createRandom } from '../../random.ts';
import { FamiliaritySchema, fitFamiliarity, remotenessOf } from './familiarity.ts';

/** Ten classes, each around a direction of its own. */
function drawFeatures(numRows: number, numFeatures: number, seed: number) {
  const random = createRandom(seed);
  const labels = Uint8Array.from({ length: numRows }, (_, row) => row % 10);
  const features = new Float32Array(numRows * numFeatures);
  labels.forEach((label, row) => {
    for (let i = 0; i < numFeatures; i++) {
      features[row * numFeatures + i] = (i % 10 === label ? 5 : 0) + random();
    }
  });
  return { features, labels };
}

/** `[numFeatures]`, alike in all of them: of no class. */
const flat = (numFeatures: number) => new Float32Array(numFeatures).fill(3);

describe.each([20, 200])('familiarity of %d features', (numFeatures) => {
  const known = drawFeatures(1000, numFeatures, 1);
  const heldOut = drawFeatures(1000, numFeatures, 2);
  const familiarity = fitFamiliarity(known, heldOut.features, numFeatures);
  if (!familiarity) throw new Error('There are enough rows.');
  const rowOf = ({ features }: { features: Float32Array }, row: number) =>
    features.subarray(row * numFeatures, (row + 1) * numFeatures);

  it('keeps 95 % of what was held out, and about as much of what is new', () => {
    const kept = (rows: { features: Float32Array }) =>
      Array.from({ length: 1000 }, (_, row) => remotenessOf(familiarity, rowOf(rows, row))).filter(
        (remoteness) => remoteness !== null && remoteness <= 1,
      ).length;
    expect(kept(heldOut)).toBe(950);
    const fresh = kept(drawFeatures(1000, numFeatures, 3));
    expect(fresh).toBeGreaterThan(920);
    expect(fresh).toBeLessThan(980);
  });

  it('finds what is of no class too far away, and does not mind how much there is to see', () => {
    const remoteness = remotenessOf(familiarity, flat(numFeatures)) ?? 0;
    expect(remoteness).toBeGreaterThan(1.5);
    const half = flat(numFeatures).map((feature) => feature / 2);
    expect(remotenessOf(familiarity, half)).toBeCloseTo(remoteness, 5);
    expect(remotenessOf(familiarity, new Float32Array(numFeatures))).toBeGreaterThan(1);
  });

  it('is fitted and used without reading its stored form', () => {
    const decode = vi.spyOn(globalThis, 'atob');
    const fitted = fitFamiliarity(known, heldOut.features, numFeatures);
    expect(fitted && remotenessOf(fitted, rowOf(heldOut, 7))).toBeGreaterThan(0);
    expect(decode).not.toHaveBeenCalled();
    decode.mockRestore();
    expect(fitted).toEqual(familiarity);
  });

  it('comes through JSON, and only whole', () => {
    const read = v.parse(FamiliaritySchema, JSON.parse(JSON.stringify(familiarity)));
    const row = rowOf(heldOut, 7);
    expect(remotenessOf(read, row)).toBe(remotenessOf(familiarity, row));
    const { statistics } = familiarity;
    const damaged = [
      { ...familiarity, statistics: statistics.slice(0, -8) },
      { ...familiarity, statistics: 'not base64!' },
      // Four bytes that make infinity.
      { ...familiarity, statistics: `AACAfwAAgH8AAIB/${statistics.slice(16)}` },
      { ...familiarity, numFeatures: numFeatures - 1, statistics: statistics.slice(16) },
      { ...familiarity, threshold: 0 },
    ];
    for (const each of damaged) expect(v.is(FamiliaritySchema, each)).toBe(false);
  });

  it('says nothing of the features of another network', () => {
    expect(remotenessOf(familiarity, new Float32Array(numFeatures + 1))).toBeNull();
  });
});

it('copes with features that never vary and classes that are missing', () => {
  const { features, labels } = drawFeatures(500, 12, 1);
  for (let row = 0; row < 500; row++) features[row * 12 + 11] = 0;
  const few = labels.map((label) => label % 3);
  const familiarity = fitFamiliarity({ features, labels: few }, features, 12);
  expect(familiarity?.numCentres).toBe(3);
  expect(Number.isFinite(familiarity?.threshold)).toBe(true);
});

it('is not learnt from a handful', () => {
  const { features, labels } = drawFeatures(500, 12, 1);
  expect(fitFamiliarity({ features, labels }, features.subarray(0, 99 * 12), 12)).toBeNull();
});
