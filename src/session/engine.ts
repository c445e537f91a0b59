/**
 * Which engine runs: the one a person chose, else the one that trains fastest what is to be trained,
 * as trials on this machine tell.
 */
import type { StoreApi } from 'zustand/vanilla';
import type { BackendName, EngineInfo, Trial, Trials } from '../engine/backends.ts';
import { type Chances, candidatesOf, chooseCandidate, explainBackend } from '../engine/choice.ts';
import type * as settingsStore from '../store/settings.ts';
import { createLatest, createQueue } from './asking.ts';
import type { Form } from './form.ts';
import type { ModelHost } from './host.ts';
import { workloadName } from './job.ts';
import { reportUnkept } from './keptRuns.ts';
import type { Lines } from './lines.ts';
import {
  aborted,
  type EngineSlice,
  type FormSlice,
  hasRunUnderWay,
  isUnderWay,
  type Result,
  type Run,
  refused,
  succeeded,
  type TrainingSlice,
  trialsOf,
  type Workload,
} from './state.ts';
import { noteTrials, tryBackends } from './trials.ts';

export interface EngineActions {
  /** 'auto': the one that trains fastest what the Train room's form says, as far as was tried. */
  chooseBackend(name: BackendName | 'auto'): Promise<Result<EngineInfo>>;
  /**
   * Starts an engine after one failed: in place of one that broke down again and again the next best,
   * until the page is left; else whichever starts.
   */
  retryEngine(): Promise<Result<EngineInfo>>;
  /** Whether WebGPU may be chosen where nobody chose an engine. */
  setIncludesWebGPU(includesWebGPU: boolean): Promise<Result<Trials>>;
  /**
   * Tries how fast the engines train what the form says: those worth it and the one in use, where one
   * was not tried yet, or all `again`. Not while a run is under way, which it would disturb. Changes
   * no engine: the fastest takes over with the next run.
   */
  tryEngines(again: boolean): Promise<Result<Trials>>;
}

export interface Engine extends EngineActions {
  /** Sets what trials at earlier visits told. */
  read(): Promise<void>;
  /**
   * Sees to it that, where nobody chose an engine, the one runs that trains the workload fastest;
   * tries the candidates first where that is not known. Never rejects.
   */
  settle(workload: Workload, signal?: AbortSignal): Promise<void>;
  /** As `settle`, and ends every trial: it would disturb the run, and the run it. */
  prepareFor(workload: Workload, signal: AbortSignal): Promise<void>;
  endTrials(): void;
  /** A run tells the speed of an engine that was not tried, as of one the person chose. */
  noteRunSpeed(run: Run): void;
}

/** The speed of a shorter run says little. */
const MIN_TELLING_RUN_MS = 2000;

export interface EngineParts {
  readonly store: StoreApi<EngineSlice & FormSlice & TrainingSlice>;
  readonly lines: Lines;
  readonly host: ModelHost;
  readonly form: Form;
  readonly memory: Pick<typeof settingsStore, 'readEngineMemory' | 'writeEngineMemory'>;
}

export function createEngine({ store, lines, host, form, memory }: EngineParts): Engine {
  const { getState: get, setState: set } = store;
  const trying = createLatest('aborts');
  /** Settles when the trials that began last are over. */
  let tried: Promise<void> = Promise.resolve();
  /** One after the other: two would start the worker anew twice. */
  const settling = createQueue();

  /** What the engine is chosen from. Null where none runs. */
  function chancesFor(workload: Workload): Chances | null {
    const { engine, includesWebGPU, trials } = get();
    if (engine.phase !== 'ready') return null;
    return { options: engine.info.options, includesWebGPU, trials: trialsOf(trials, workload) };
  }

  /** Tries the backends for a workload. Trials of another one end. */
  function tryThese(backends: readonly BackendName[], workload: Workload): Promise<void> {
    const name = workloadName(workload);
    const { trials } = get();
    if (trials.phase === 'trying' && trials.workload === name) return tried;
    endTrials();
    const machine = trials.fingerprint;
    tried = trying
      .ask((signal) =>
        tryBackends({
          backends,
          workload,
          open: lines.openTrial,
          onBegin: (backend) =>
            set({ trials: { ...get().trials, phase: 'trying', backend, workload: name } }),
          signal,
        }),
      )
      .then(async (found) => {
        if (!found) return;
        const { fingerprint, table } = get().trials;
        set({ trials: { phase: 'idle', fingerprint, table } });
        if (machine === fingerprint) await noteSpeeds(workload, found);
      });
    return tried;
  }

  function endTrials(): void {
    trying.abort();
    const { phase, fingerprint, table } = get().trials;
    if (phase === 'trying') set({ trials: { phase: 'idle', fingerprint, table } });
  }

  async function noteSpeeds(
    workload: Workload,
    found: ReadonlyMap<BackendName, Trial>,
  ): Promise<void> {
    const table = noteTrials(get().trials.table, workloadName(workload), found);
    set({ trials: { ...get().trials, table } });
    const { engine, trials } = get();
    const chances = chancesFor(workload);
    // What was tried confirms the engine that runs: that is now the reason.
    if (chances && engine.phase === 'ready' && engine.info.choice === 'auto') {
      const { info } = engine;
      const chosen = candidatesOf(chances).length > 1 ? chooseCandidate(chances) : null;
      if (chosen?.name === info.active) {
        const reason = explainBackend(chosen, chances);
        set({ engine: { phase: 'ready', info: { ...info, reason } } });
      }
    }
    const { fingerprint } = trials;
    await memory.writeEngineMemory({ fingerprint, trials: table }).catch(reportUnkept);
  }

  async function settle(workload: Workload, signal?: AbortSignal): Promise<void> {
    await settling.ask(async (wanted) => {
      await host.started();
      const before = chancesFor(workload);
      if (!before || get().engineChoice !== 'auto' || wanted.aborted) return;
      const candidates = candidatesOf(before);
      if (candidates.length < 2) return;
      if (!chooseCandidate(before)) {
        await tryThese(
          candidates.map(({ name }) => name),
          workload,
        );
      }
      const { engine, engineChoice, training } = get();
      const chances = chancesFor(workload);
      if (!chances || engine.phase !== 'ready' || engineChoice !== 'auto') return;
      const chosen = chooseCandidate(chances);
      if (!chosen || chosen.name === engine.info.active || hasRunUnderWay(training)) return;
      await host.renew({ workload, isUrgent: false });
    }, signal);
  }

  /** Starts what is now the one to run, then looks for a faster one. */
  async function startAnew(): Promise<Result<EngineInfo>> {
    await host.renew({ workload: get(), isUrgent: true });
    await settle(get());
    const { engine } = get();
    if (engine.phase === 'ready') return succeeded(engine.info);
    return engine.phase === 'failed'
      ? { ok: false, fault: engine.fault }
      : aborted('Another engine is being started.');
  }

  async function chooseBackend(name: BackendName | 'auto'): Promise<Result<EngineInfo>> {
    if (isUnderWay(get().training)) {
      return refused('A run is under way. Stop it before you choose another engine.');
    }
    endTrials();
    set({ engineChoice: name });
    await form.keep();
    return startAnew();
  }

  async function tryEngines(again: boolean): Promise<Result<Trials>> {
    await host.started();
    const { engine, training, network, recipe } = get();
    const workload = { network, recipe };
    const chances = chancesFor(workload);
    if (!chances || engine.phase !== 'ready') return refused('No engine runs.');
    if (isUnderWay(training)) return refused('A run is under way, which trials would disturb.');
    const candidates = candidatesOf(chances).map(({ name }) => name);
    const backends = [...new Set([...candidates, engine.info.active])];
    if (again || backends.some((name) => !chances.trials[name])) {
      await tryThese(backends, workload);
    }
    return succeeded(trialsOf(get().trials, workload));
  }

  return {
    chooseBackend,
    tryEngines,
    endTrials,
    settle,

    async read() {
      const kept = await memory.readEngineMemory().catch(() => null);
      if (!kept) return;
      set({ trials: { phase: 'idle', fingerprint: kept.fingerprint, table: kept.trials } });
    },

    async retryEngine() {
      const { engine, breakdowns } = get();
      if (engine.phase !== 'failed') return refused('No engine has failed.');
      // What the person chose stays their choice: it may well run on the next visit.
      if (engine.next !== null) return startAnew();
      set({ breakdowns: { ...breakdowns, excluded: [] } });
      return chooseBackend('auto');
    },

    async setIncludesWebGPU(includesWebGPU) {
      set({ includesWebGPU });
      await form.keep();
      return tryEngines(false);
    },

    async prepareFor(workload, signal) {
      const { trials } = get();
      // A trial of another network is of no use now.
      if (trials.phase === 'trying' && trials.workload !== workloadName(workload)) endTrials();
      await settle(workload, signal);
      if (!signal.aborted) endTrials();
    },

    noteRunSpeed({ network, recipe, backend, numTrain, imagesPerSecond, elapsedMs }) {
      const workload = { network, recipe };
      const isTelling = elapsedMs >= MIN_TELLING_RUN_MS && numTrain >= recipe.batchSize;
      const isTried = trialsOf(get().trials, workload)[backend] !== undefined;
      if (!isTelling || imagesPerSecond <= 0 || isTried) return;
      const trial: Trial = { outcome: 'timed', imagesPerSecond, warmUpMs: null };
      void noteSpeeds(workload, new Map([[backend, trial]]));
    },
  };
}
