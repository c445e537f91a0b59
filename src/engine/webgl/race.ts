/**
 * Finds out in a moment which of two ways to the same numbers is faster on this device.
 */

/** The median of three passes over one run that something held up. */
const MIN_PAIRS = 3;
const MAX_PAIRS = 9;

/**
 * Times both in turn, three times and then until `budgetMs` are over. Both have run before: compilers are
 * not timed.
 *
 * What else runs on the machine makes a time longer, by much for a moment or by little for long. Against
 * the one there is the median, against the other that each run is compared with the one next to it. Of
 * two that are about as fast either may win, which does no harm.
 *
 * @param now A clock in ms; tests bring their own.
 * @returns Time of the second over that of the first, the median of the pairs.
 */
export function race(
  first: () => void,
  second: () => void,
  budgetMs: number,
  now: () => number = () => performance.now(),
): number {
  const time = (run: () => void) => {
    const startMs = now();
    run();
    return now() - startMs;
  };
  // A device that was idle takes a moment to wake up.
  first();
  const startMs = now();
  const gains: number[] = [];
  do {
    const firstMs = time(first);
    gains.push(time(second) / Math.max(firstMs, Number.EPSILON));
  } while (gains.length < MIN_PAIRS || (gains.length < MAX_PAIRS && now() - startMs < budgetMs));
  return gains.sort((a, b) => a - b)[gains.length >> 1] ?? 1;
}
