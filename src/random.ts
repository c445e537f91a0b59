/** Seeded random numbers, so that whatever is drawn at random repeats. Imports nothing. */

/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * A generator of uniform numbers in [0, 1) that repeats for a seed (any finite number; its integer
 * part modulo 2³² counts). Mulberry32 by Tommy Ettinger: 32 bits of state, ample for shuffling.
 */
export function createRandom(seed: number): Random {
  let state = Math.trunc(seed) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
