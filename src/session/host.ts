/**
 * The life of the model worker: starts its engine, starts it anew when it dies, and gives up when it
 * dies again and again. Parts that hold something of a worker's register what is to happen then.
 */
import * as Comlink from 'comlink';
import type { StoreApi } from 'zustand/vanilla';
import { type BackendName, titleOfBackend } from '../engine/backends.ts';
import { excludeBackends, rankBackends } from '../engine/choice.ts';
import type { WorkerLine, WorkerLostError } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import type { Lines } from './lines.ts';
import {
  type Breakdowns,
  type EngineSlice,
  type Fault,
  type FormSlice,
  type LibrarySlice,
  lastEngine,
  toFault,
  trialsInForm,
  trialsOf,
  type Workload,
} from './state.ts';

type ModelLine = WorkerLine<ModelWorkerApi>;

export interface ModelHost {
  /** Calls the model worker once its engine runs; see `WorkerLine.call`. */
  readonly call: ModelLine['call'];
  /**
   * Resolves when the engine of the worker of now runs, or failed to start; while a worker is being
   * renewed, of the next one.
   */
  started(): Promise<void>;
  /** Starts the first worker's engine. Once. */
  start(): Promise<void>;
  /**
   * Starts the worker anew, with the engine that is now the one to run. Nothing of the old backend
   * (contexts, caches, a hung call) comes along.
   * @param isUrgent Calls under way are cut off. Else they may end first.
   */
  renew(wish: { readonly workload: Workload; readonly isUrgent: boolean }): Promise<void>;
  /** A worker died by itself: its pending calls have been rejected, the next is not started yet. */
  whenLost(listener: (error: WorkerLostError) => void): void;
  /** A worker's engine runs; calls of others wait until `listener` is done. It never rejects. */
  whenStarted(listener: (line: ModelLine) => Promise<void>): void;
  /**
   * A worker is to be renewed and still answers. What `listener` gives is called when the next one
   * runs. Neither rejects.
   */
  whenRenewing(listener: () => Promise<() => Promise<void>>): void;
  /** A worker is ended in good order right after this; its pending calls will be rejected. */
  whenEnding(listener: () => void): void;
}

/** A model worker lost this often within `LOSS_WINDOW_MS` is not started again by itself. */
const MAX_LOSSES = 3;
const LOSS_WINDOW_MS = 60_000;

/** Calls under way may take this long before an engine that is not asked for waits no more. */
const HANDOVER_PATIENCE_MS = 5000;

export function createModelHost(
  store: StoreApi<EngineSlice & FormSlice & Pick<LibrarySlice, 'model'>>,
  lines: Lines,
): ModelHost {
  const { getState: get, setState: set } = store;
  const lostListeners: ((error: WorkerLostError) => void)[] = [];
  const startedListeners: ((line: ModelLine) => Promise<void>)[] = [];
  const renewingListeners: (() => Promise<() => Promise<void>>)[] = [];
  const endingListeners: (() => void)[] = [];
  let started: Promise<void> = Promise.resolve();
  /** Settles when what a renewal takes over from the old worker is there. */
  let takenOver: Promise<unknown> = Promise.resolve();

  lines.whenModelLost((error) => {
    for (const listener of lostListeners) listener(error);
    const { engine, breakdowns } = get();
    const lostMs = performance.now();
    // One that is still starting may have died of anything.
    const backend = engine.phase === 'ready' ? engine.info.active : null;
    const losses = [...breakdowns.losses, { lostMs, backend }].filter(
      (loss) => lostMs - loss.lostMs < LOSS_WINDOW_MS,
    );
    if (losses.length < MAX_LOSSES) {
      set({ breakdowns: { ...breakdowns, losses } });
      lines.replaceModel();
      started = startWorker(get());
    } else {
      giveUp(toFault(error), losses);
    }
  });

  /** Starting it over and over would only fail over and over. Calls reject until a person retries. */
  function giveUp({ name, message }: Fault, losses: Breakdowns['losses']): void {
    const broken = losses.flatMap(({ backend }) => backend ?? []);
    const excluded = [...new Set([...get().breakdowns.excluded, ...broken])];
    const next = nextEngine(excluded);
    const stopped = excluded.map(titleOfBackend).join(' and ');
    const wayOn =
      next === null
        ? ''
        : ` That was too often within a minute: ${stopped} is excluded until the page is loaded anew. Retry goes on with ${titleOfBackend(next)} instead.`;
    set({
      breakdowns: { losses, excluded },
      engine: {
        phase: 'failed',
        fault: { name, message: `${message}${wayOn}` },
        next,
        last: lastEngine(get().engine),
      },
      model: { phase: 'none', fault: null },
    });
  }

  /** The best engine that has not broken down; null where none is known, or none has broken down. */
  function nextEngine(excluded: readonly BackendName[]): BackendName | null {
    const last = lastEngine(get().engine);
    if (!last || excluded.length === 0) return null;
    const options = excludeBackends(last.options, excluded);
    const { includesWebGPU } = get();
    return rankBackends({ options, includesWebGPU, trials: trialsInForm(get()) })[0]?.name ?? null;
  }

  /** @param workload what the engine is chosen for, where nobody chose one. */
  async function startWorker(workload: Workload): Promise<void> {
    const line = lines.model();
    set({ engine: { phase: 'starting', last: lastEngine(get().engine) } });
    try {
      await line.call((api) =>
        api.onLost(Comlink.proxy((fault: Fault) => line.fail(fault.message))),
      );
      const { includesWebGPU, engineChoice, breakdowns, trials } = get();
      const info = await line.call((api) =>
        api.start({
          choice: engineChoice,
          includesWebGPU,
          memory: { fingerprint: trials.fingerprint, trials: trialsOf(trials, workload) },
          excluded: breakdowns.excluded,
        }),
      );
      if (info.fingerprint !== get().trials.fingerprint) {
        set({ trials: { ...get().trials, fingerprint: info.fingerprint, table: {} } });
      }
      set({ engine: { phase: 'ready', info } });
    } catch (error) {
      // Where it died, that has been told.
      if (line !== lines.model() || get().engine.phase !== 'starting') return;
      const last = lastEngine(get().engine);
      set({
        engine: { phase: 'failed', fault: toFault(error), next: null, last },
        model: { phase: 'none', fault: null },
      });
      return;
    }
    for (const listener of startedListeners) await listener(line);
  }

  return {
    async call(use, signal) {
      // Another worker may take its place during the wait: that one has to start as well.
      for (let awaited = null; awaited !== started; ) {
        awaited = started;
        await started;
      }
      return lines.model().call(use, signal);
    },

    // A renewal that has begun counts, although its worker still answers calls.
    started: () => takenOver.then(() => started),

    start() {
      started = startWorker(get());
      return started;
    },

    async renew({ workload, isUrgent }) {
      const old = lines.model();
      const takingOver = Promise.all(renewingListeners.map((listener) => listener()));
      takenOver = takingOver;
      const afterwards = await takingOver;
      const renewWorker = async () => {
        if (!isUrgent) {
          const patience = new Promise((resolve) => setTimeout(resolve, HANDOVER_PATIENCE_MS));
          await Promise.race([old.idle(), patience]);
        }
        // Where it died meanwhile another has taken its place already.
        if (lines.model() !== old) return;
        set({ breakdowns: { ...get().breakdowns, losses: [] } });
        for (const listener of endingListeners) listener();
        lines.replaceModel();
        await startWorker(workload);
      };
      // From here on calls wait for the new one.
      started = renewWorker();
      await started;
      for (const resume of afterwards) await resume();
    },

    whenLost: (listener) => void lostListeners.push(listener),
    whenStarted: (listener) => void startedListeners.push(listener),
    whenRenewing: (listener) => void renewingListeners.push(listener),
    whenEnding: (listener) => void endingListeners.push(listener),
  };
}
