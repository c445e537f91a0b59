/** The one session of the page, and how components read it. */
import { useStore } from 'zustand';
import type { DataSpec } from '../data/dataSpec.ts';
import { FASHION_MNIST } from '../fashion.ts';
import { createSession, type Session } from '../session/session.ts';
import { dataInUse, hasRunUnderWay, type SessionState } from '../session/state.ts';

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

/** What the outputs of the current model mean. A selector for `useSession`. */
export function classesOfModel({ model }: SessionState): DataSpec {
  return model.phase === 'live' ? model.card.dataSpec : FASHION_MNIST;
}

/** What the labels of the data in use mean. A selector for `useSession`. */
export function classesOfData({ data }: SessionState): DataSpec {
  return dataInUse(data)?.spec ?? FASHION_MNIST;
}

/** Whether the live model is the one that the run under way trains. A selector for `useSession`. */
export function isLiveModelLearning({ model, training }: SessionState): boolean {
  // A run hands its id on to its model.
  return model.phase === 'live' && hasRunUnderWay(training) && training.run.id === model.card.id;
}
