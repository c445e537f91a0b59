/** Owns how this room learns whether an action on models went well: the session tells by its state. */
import { session } from '../useSession.ts';

/** Whether the last action on models could not be done. */
export function hasFailed(): boolean {
  const { library } = session.store.getState();
  return library.phase !== 'loading' && library.fault !== null;
}
