/** Owns the one session of the page and how components read it. */
import { useStore } from 'zustand';
import { createSession, type Session } from '../session/session.ts';
import { hasRunUnderWay, type SessionState } from '../session/state.ts';

export const session: Session = createSession();

declare global {
  interface Window {
    /** For the headless trainer, tests and the curious: `atelier.store.getState()`. */
    readonly atelier: Session;
  }
}

Object.defineProperty(window, 'atelier', { value: session, configurable: true });

/** Renders anew when what `select` returns changes by identity: return stored references. */
export function useSession<T>(select: (state: SessionState) => T): T {
  return useStore(session.store, select);
}

/** Whether the live model is the one that the run under way trains. A selector for `useSession`. */
export function isLiveModelLearning({ model, training }: SessionState): boolean {
  // A run hands its id on to its model.
  return model.phase === 'live' && hasRunUnderWay(training) && training.run.id === model.card.id;
}
