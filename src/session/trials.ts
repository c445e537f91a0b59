/**
 * Trials of engines: each trains for a moment in a worker of its own, which is ended afterwards. The
 * current model goes on answering meanwhile, and what a driver breaks is thrown away.
 */
import type { BackendName, Trial } from '../engine/backends.ts';
import type { TrialTable } from '../store/records.ts';
import type { WorkerLine } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import type { Workload } from './job.ts';

/** Training time of all trials together, after the first step of each. */
const BUDGET_MS = 2000;
/** Of one trial: more would not tell more. */
const MAX_SHARE_MS = 1000;
/**
 * Until a backend has done its first step. Drivers that compile longer than this would keep people
 * waiting at each visit.
 */
const PATIENCE_MS = 10_000;
/** Workloads remembered; the oldest gives way. */
const MAX_WORKLOADS = 30;

export interface TrialPlan {
  readonly backends: readonly BackendName[];
  readonly workload: Workload;
  /** Starts a worker for one trial. */
  open(): WorkerLine<ModelWorkerApi>;
  /** Hears of each trial before it begins. */
  onBegin(backend: BackendName): void;
  /** Ends the trial under way; nothing comes of it. */
  readonly signal: AbortSignal;
}

/** Tries one backend after the other; of an aborted plan the answer says nothing. Never rejects. */
export async function tryBackends(plan: TrialPlan): Promise<ReadonlyMap<BackendName, Trial>> {
  const shareMs = Math.min(MAX_SHARE_MS, BUDGET_MS / plan.backends.length);
  const trials = new Map<BackendName, Trial>();
  for (const backend of plan.backends) {
    if (plan.signal.aborted) break;
    plan.onBegin(backend);
    trials.set(backend, await tryBackend(backend, shareMs, plan));
  }
  return trials;
}

async function tryBackend(
  backend: BackendName,
  shareMs: number,
  { workload: { network, recipe }, open, signal }: TrialPlan,
): Promise<Trial> {
  const line = open();
  const end = () => line.end();
  signal.addEventListener('abort', end);
  const timer = setTimeout(
    () => line.fail(`It was not ready to train within ${PATIENCE_MS / 1000} seconds.`),
    PATIENCE_MS + shareMs,
  );
  try {
    const startMs = performance.now();
    const info = await line.call((api) =>
      api.start({ choice: backend, includesWebGPU: false, memory: null, excluded: [] }),
    );
    if (info.active !== backend) return { outcome: 'failed', message: info.reason };
    const startedMs = performance.now() - startMs;
    const { imagesPerSecond, warmUpMs } = await line.call((api) =>
      api.tryTraining(network, recipe, shareMs),
    );
    if (!(imagesPerSecond > 0 && Number.isFinite(imagesPerSecond))) {
      return { outcome: 'failed', message: 'The browser’s clock gave no figure.' };
    }
    return { outcome: 'timed', imagesPerSecond, warmUpMs: startedMs + warmUpMs };
  } catch (error) {
    return { outcome: 'failed', message: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    line.end();
  }
}

/** The table with these trials of a workload, which becomes its newest. */
export function noteTrials(
  table: TrialTable,
  workload: string,
  trials: ReadonlyMap<BackendName, Trial>,
): TrialTable {
  const { [workload]: before, ...others } = table;
  const entries = Object.entries(others).slice(1 - MAX_WORKLOADS);
  return {
    ...Object.fromEntries(entries),
    [workload]: { ...before, ...Object.fromEntries(trials) },
  };
}
