/**
 * A line to one worker, which answers every pending call when the worker dies: Comlink alone leaves
 * calls to a dead worker unanswered for ever.
 */
import * as Comlink from 'comlink';
import './abortSignal.ts';

/** A worker stopped before it answered. The message is for people. */
export class WorkerLostError extends Error {
  override readonly name = 'WorkerLostError';
}

/** A line to one worker. `Api` is the type the worker exposes (`typeof api`). */
export interface WorkerLine<Api> {
  /**
   * Runs `use` on the worker's API.
   * @param use is handed a signal that may be passed on as an argument: it aborts as `signal` does,
   *   and when the call is over.
   * @throws {WorkerLostError} when the worker dies or is ended first; else what the worker throws.
   */
  call<Result>(
    use: (api: Comlink.Remote<Api>, signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result>;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
  /** Declares the worker dead for `reason`: pending calls reject, `onLost` listeners hear of it. */
  fail(reason: string): void;
  /** Ends the worker in good order; `onLost` stays silent, pending calls still reject. */
  end(): void;
}

/**
 * Connects to a worker.
 * @param endpoint the worker, or a message port to one.
 * @param terminate ends the thread behind `endpoint`.
 * @param onLost called once if the worker dies by itself or through `fail`.
 */
export function openLine<Api>(
  endpoint: Comlink.Endpoint,
  terminate: () => void,
  onLost: (error: WorkerLostError) => void,
): WorkerLine<Api> {
  const api = Comlink.wrap<Api>(endpoint);
  const pendingRejects = new Set<(error: WorkerLostError) => void>();
  const idleResolves = new Set<() => void>();
  let closed: WorkerLostError | null = null;

  function close(error: WorkerLostError): boolean {
    if (closed) return false;
    closed = error;
    terminate();
    for (const reject of pendingRejects) reject(error);
    pendingRejects.clear();
    tellIdle();
    return true;
  }

  function tellIdle(): void {
    for (const resolve of idleResolves) resolve();
    idleResolves.clear();
  }

  function fail(reason: string): void {
    const error = new WorkerLostError(reason);
    if (close(error)) onLost(error);
  }

  // A worker whose script cannot be fetched or that throws outside a call reports it here only.
  endpoint.addEventListener('error', (event) => {
    const cause = event instanceof ErrorEvent && event.message ? ` (${event.message})` : '';
    fail(`A background worker of this page stopped${cause}.`);
  });

  return {
    call(use, signal) {
      if (closed) return Promise.reject(closed);
      const ending = new AbortController();
      const abort = () => ending.abort();
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort);
      return new Promise((resolve, reject) => {
        const settle = () => {
          pendingRejects.delete(rejectLost);
          signal?.removeEventListener('abort', abort);
          abort();
          if (pendingRejects.size === 0) tellIdle();
        };
        const rejectLost = (error: WorkerLostError) => {
          settle();
          reject(error);
        };
        pendingRejects.add(rejectLost);
        use(api, ending.signal).then(resolve, reject).finally(settle);
      });
    },
    idle() {
      return new Promise((resolve) => {
        idleResolves.add(resolve);
        if (pendingRejects.size === 0) tellIdle();
      });
    },
    fail,
    end() {
      close(new WorkerLostError('The background worker was ended.'));
    },
  };
}
