/**
 * Questions that must not pile up: of one kind only the latest counts, of another each has its turn.
 * Work is handed an AbortSignal, which the lines to the workers carry on to the work itself.
 */

/** Does the work once it is its turn; the signal aborts as soon as nobody wants it any more. */
export type Work<Answer> = (signal: AbortSignal) => Promise<Answer>;

export interface Asking {
  /**
   * @param signal ends the caller's own interest.
   * @returns Null, at once, where nobody wants the answer any more. Rejects as the work does.
   */
  ask<Answer>(work: Work<Answer>, signal?: AbortSignal): Promise<Answer | null>;
  /** Ends everybody's interest. */
  abort(): void;
}

interface Asked {
  /** Never rejects. */
  run(): Promise<void>;
  drop(): void;
}

/**
 * One piece of work at a time and one that waits, whose place a later one takes. Work that is dropped
 * is over before the next begins, so that a worker never has two.
 *
 * @param overtaken what a later call does to work under way: it may finish and give its answer (where
 *   calls follow so fast that nothing would ever be answered), or is aborted.
 */
export function createLatest(overtaken: 'finishes' | 'aborts'): Asking {
  let running: Asked | null = null;
  let waiting: Asked | null = null;

  async function workOn(): Promise<void> {
    while (waiting) {
      running = waiting;
      waiting = null;
      await running.run();
    }
    running = null;
  }

  function abort(): void {
    waiting?.drop();
    waiting = null;
    running?.drop();
  }

  return {
    ask(work, signal) {
      if (overtaken === 'aborts') abort();
      else waiting?.drop();
      const { asked, answer } = prepare(work, signal);
      waiting = asked;
      if (!running) void workOn();
      return answer;
    },
    abort,
  };
}

/** Each piece of work in its turn, whatever became of those before. */
export function createQueue(): Asking {
  const unfinished = new Set<Asked>();
  let last: Promise<void> = Promise.resolve();
  return {
    ask(work, signal) {
      const { asked, answer } = prepare(work, signal);
      unfinished.add(asked);
      last = last.then(asked.run).then(() => {
        unfinished.delete(asked);
      });
      return answer;
    },
    abort() {
      for (const asked of unfinished) asked.drop();
    },
  };
}

function prepare<Answer>(
  work: Work<Answer>,
  signal: AbortSignal | undefined,
): { readonly asked: Asked; readonly answer: Promise<Answer | null> } {
  const controller = new AbortController();
  const { promise, resolve, reject } = settleLater<Answer | null>();
  const drop = (): void => {
    controller.abort();
    resolve(null);
  };
  if (signal?.aborted) drop();
  signal?.addEventListener('abort', drop);
  const asked: Asked = {
    drop,
    async run() {
      try {
        if (!controller.signal.aborted) resolve(await work(controller.signal));
      } catch (error) {
        // Of no effect where it was dropped: what dropped work says is of no interest.
        reject(error);
      } finally {
        signal?.removeEventListener('abort', drop);
      }
    },
  };
  return { asked, answer: promise };
}

function settleLater<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Value>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
