/**
 * Owns when a chart is redrawn: never two draws at a time, never more often than an interval, and
 * always the latest wish last. Knows no chart.
 */

export interface Pace<Wish> {
  /** Asks for a draw. A wish still waiting is replaced. */
  push(wish: Wish): void;
  /** Drops what waits and runs `afterLast` once no draw is under way any more. */
  end(afterLast: () => void): void;
}

/**
 * @param draw draws one wish; a rejection is told to `onFault` and does not stop later draws
 * @param intervalMs least time from the start of one draw to the start of the next
 */
export function pace<Wish>(
  draw: (wish: Wish) => Promise<void>,
  intervalMs: number,
  onFault: (error: unknown) => void,
): Pace<Wish> {
  let waiting: { readonly wish: Wish } | null = null;
  let drawing = false;
  let ended: (() => void) | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let nextStartMs = Number.NEGATIVE_INFINITY;

  function schedule(): void {
    if (waiting === null || drawing || timer !== undefined) return;
    const delayMs = nextStartMs - performance.now();
    if (delayMs > 0) timer = setTimeout(start, delayMs);
    else void start();
  }

  async function start(): Promise<void> {
    timer = undefined;
    if (waiting === null) return;
    const { wish } = waiting;
    waiting = null;
    drawing = true;
    nextStartMs = performance.now() + intervalMs;
    try {
      await draw(wish);
    } catch (error) {
      onFault(error);
    } finally {
      drawing = false;
    }
    if (ended === null) schedule();
    else ended();
  }

  return {
    push(wish) {
      if (ended !== null) return;
      waiting = { wish };
      schedule();
    },
    end(afterLast) {
      ended = afterLast;
      waiting = null;
      clearTimeout(timer);
      if (!drawing) afterLast();
    },
  };
}
