/**
 * Owns undo and redo: a line of states and the place in it. Pure; every change gives a new history.
 */

export interface History<T> {
  /** Oldest first. */
  readonly states: readonly T[];
  /** Index of the state that is shown. */
  readonly at: number;
}

/** Steps one can go back. A state of the pad takes 0.4 MB. */
const MAX_STEPS = 40;

export function startHistory<T>(state: T): History<T> {
  return { states: [state], at: 0 };
}

/** Adds a state; what had been undone is forgotten, and so is what lies further back than 40 steps. */
export function record<T>({ states, at }: History<T>, state: T): History<T> {
  const kept = [...states.slice(0, at + 1), state].slice(-(MAX_STEPS + 1));
  return { states: kept, at: kept.length - 1 };
}

export function canUndo({ at }: History<unknown>): boolean {
  return at > 0;
}

export function canRedo({ states, at }: History<unknown>): boolean {
  return at < states.length - 1;
}

/** One step back, or the same history at its start. */
export function undo<T>(history: History<T>): History<T> {
  return canUndo(history) ? { ...history, at: history.at - 1 } : history;
}

/** One step forward again, or the same history at its end. */
export function redo<T>(history: History<T>): History<T> {
  return canRedo(history) ? { ...history, at: history.at + 1 } : history;
}

export function present<T>({ states, at }: History<T>): T {
  const state = states[at];
  if (state === undefined)
    throw new RangeError(`A history of ${states.length} has no state ${at}.`);
  return state;
}
