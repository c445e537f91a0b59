import { describe, expect, it } from 'vitest';
import { PIXELS, SIDE } from '../../fashion.ts';
import { createRandom } from '../../random.ts';
import { varyLikePhoto } from './photoVariation.ts';

/** A T-shirt of one tone, filling the 28 pixels across. */
const TEE = Uint8Array.from({ length: PIXELS }, (_, i) => {
  const x = i % SIDE;
  const y = Math.floor(i / SIDE);
  const isSleeve = y >= 3 && y < 11;
  const isBody = y >= 3 && y < 26 && x >= 7 && x < 21;
  return isSleeve || isBody ? 160 : 0;
});

const NUM_SEEDS = 300;

function variationsOf(source: Uint8Array): Uint8Array[] {
  return Array.from({ length: NUM_SEEDS }, (_, seed) => {
    const target = new Uint8Array(PIXELS);
    varyLikePhoto(source, target, createRandom(seed));
    return target;
  });
}

/** Longest edge of the box around what is not black. */
function longestEdge(pixels: Uint8Array): number {
  const lit = Array.from(pixels, (level, i) => ({ level, i })).filter(({ level }) => level > 10);
  const extent = (values: number[]) => Math.max(...values) - Math.min(...values) + 1;
  return Math.max(
    extent(lit.map(({ i }) => i % SIDE)),
    extent(lit.map(({ i }) => Math.floor(i / SIDE))),
  );
}

const areaOf = (pixels: Uint8Array) => pixels.filter((level) => level > 10).length;

describe('varyLikePhoto', () => {
  const variations = variationsOf(TEE);

  it('makes another picture of nearly every one, and the same for a seed', () => {
    expect(new Set(variations.map((pixels) => pixels.join())).size).toBeGreaterThan(280);
    expect(variationsOf(TEE)).toEqual(variations);
  });

  it('keeps the garment about as large as the pipeline makes it', () => {
    const edges = variations.map(longestEdge);
    expect(edges.filter((edge) => edge >= 21).length).toBeGreaterThan(0.95 * NUM_SEEDS);
  });

  it('keeps most of the garment, and black around it', () => {
    for (const pixels of variations) {
      expect(areaOf(pixels)).toBeGreaterThan(0.25 * areaOf(TEE));
      expect(areaOf(pixels)).toBeLessThan(0.95 * PIXELS);
    }
  });

  it('mirrors about half', () => {
    const halfDark = TEE.map((level, i) => (i % SIDE < SIDE / 2 ? level : level / 2));
    const numMirrored = variationsOf(halfDark).filter((pixels) => {
      let balance = 0;
      pixels.forEach((level, i) => {
        balance += i % SIDE < SIDE / 2 ? level : -level;
      });
      return balance < 0;
    }).length;
    expect(numMirrored).toBeGreaterThan(0.35 * NUM_SEEDS);
    expect(numMirrored).toBeLessThan(0.65 * NUM_SEEDS);
  });

  it('may write over its source, and leaves a black picture black', () => {
    const source = TEE.slice();
    varyLikePhoto(source, source, createRandom(5));
    expect(source).toEqual(variations[5]);
    for (const pixels of variationsOf(new Uint8Array(PIXELS))) expect(areaOf(pixels)).toBe(0);
  });
});
