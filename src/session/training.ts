/** The run: from a job through engine, data and model worker to a model that is kept and measured. */
import * as Comlink from 'comlink';
import type { StoreApi } from 'zustand/vanilla';
import type { DataInfo } from '../data/source.ts';
import type { TrainEvent } from '../ml/run/train.ts';
import { createLatest } from './asking.ts';
import type { DataPart } from './data.ts';
import type { Engine } from './engine.ts';
import type { EvaluationPart } from './evaluation.ts';
import type { ModelHost } from './host.ts';
import type { KeptRuns } from './keptRuns.ts';
import type { LibraryPart } from './library.ts';
import { ignoreLoss } from './lines.ts';
import { applyEvent } from './progress.ts';
import {
  aborted,
  type EngineSlice,
  type FormSlice,
  hasRunUnderWay,
  isUnderWay,
  jobOfForm,
  type LibrarySlice,
  type Result,
  type Run,
  refused,
  succeeded,
  type TrainingSlice,
  type TrainingState,
  type TrainJob,
  toFault,
} from './state.ts';

/** A run that is over. */
export type FinishedRun = Pick<Extract<TrainingState, { phase: 'finished' }>, 'run' | 'reason'>;

export interface TrainingActions {
  /** The job that the Train room's form stands for now. */
  formJob(): TrainJob;
  /** Trains a new model, which becomes the current one, and measures it. Reads no form. */
  train(job: TrainJob): Promise<Result<FinishedRun>>;
  pause(): void;
  resume(): void;
  stop(): void;
}

export interface TrainingParts {
  readonly store: StoreApi<
    TrainingSlice & FormSlice & Pick<EngineSlice, 'engine'> & Pick<LibrarySlice, 'model'>
  >;
  readonly host: ModelHost;
  readonly engine: Pick<Engine, 'prepareFor' | 'endTrials' | 'noteRunSpeed'>;
  readonly data: Pick<DataPart, 'dataFor' | 'cancelLoading'>;
  readonly evaluation: Pick<EvaluationPart, 'evaluate' | 'dismiss' | 'dismissEvaluation'>;
  readonly library: Pick<LibraryPart, 'refresh' | 'tellFault' | 'takeLiveCard'>;
  readonly runs: Pick<KeptRuns, 'keep'>;
}

const NOT_BEGUN = 'The run was stopped before it began.';

export function createTraining({
  store,
  host,
  engine,
  data,
  evaluation,
  library,
  runs,
}: TrainingParts): TrainingActions {
  const { getState: get, setState: set } = store;
  /** The jobs that are made ready; a run that has begun is stopped by the worker alone. */
  const beginning = createLatest('aborts');

  host.whenLost((error) => {
    const { training } = get();
    if (!isUnderWay(training)) return;
    const run = hasRunUnderWay(training) ? training.run : null;
    const left = run?.history.length
      ? 'the best weights it had kept are loaded again'
      : 'the model from before it is loaded again';
    const message = `${error.message} The run ended there; ${left}.`;
    set({ training: { phase: 'failed', run, fault: { name: error.name, message } } });
  });

  async function train(job: TrainJob): Promise<Result<FinishedRun>> {
    if (isUnderWay(get().training)) return refused('A run is under way.');
    const waiting = { phase: 'waitingForData', job } as const;
    set({ training: waiting });
    // After a stop the next job waits here until that one has let go.
    const ready = await beginning.ask((signal) => makeReady(job, signal));
    if (!ready) return aborted(NOT_BEGUN);
    if (!ready.ok) {
      // The data's or the engine's own state says what is wrong.
      if (get().training === waiting) set({ training: { phase: 'idle' } });
      return ready;
    }
    const { training } = get();
    if (training !== waiting) {
      return training.phase === 'failed'
        ? { ok: false, fault: training.fault }
        : aborted(NOT_BEGUN);
    }
    const { value: info } = ready;
    const { engine: running } = get();
    if (running.phase !== 'ready') {
      set({ training: { phase: 'idle' } });
      return running.phase === 'failed'
        ? { ok: false, fault: running.fault }
        : refused('The engine is being started.');
    }
    return runJob(job, info, makeRun(job, info, running.info.active));
  }

  /** Engine and data. */
  async function makeReady(job: TrainJob, signal: AbortSignal): Promise<Result<DataInfo>> {
    // Before the data: reading it takes a core, of which the trial would tell.
    await engine.prepareFor(job, signal);
    if (signal.aborted) return aborted(NOT_BEGUN);
    const info = await data.dataFor(job.data, signal);
    if (signal.aborted) return aborted(NOT_BEGUN);
    await host.started();
    return info;
  }

  async function runJob(
    { network, recipe }: TrainJob,
    info: DataInfo,
    begun: Run,
  ): Promise<Result<FinishedRun>> {
    evaluation.dismiss();
    set({ training: { phase: 'preparing', run: begun } });
    try {
      const card = await host.call((api) =>
        api.train(
          { id: begun.id, network, recipe },
          { id: info.id, file: info.trainFile },
          Comlink.proxy(onTrainEvent),
          Comlink.proxy(library.tellFault),
        ),
      );
      set({ model: { phase: 'live', card } });
    } catch (error) {
      return { ok: false, fault: await tellFailure(error) };
    }
    const { training } = get();
    if (training.phase !== 'finished') return refused('The run did not tell its end.');
    const { run, reason } = training;
    // A run stopped in its first epoch has nothing to compare.
    if (run.history.length > 0) await runs.keep(run, reason);
    await library.refresh();
    await evaluation.evaluate();
    return succeeded({ run, reason });
  }

  async function tellFailure(error: unknown) {
    const fault = toFault(error);
    const { training } = get();
    // A lost worker has told its own story already.
    if (!hasRunUnderWay(training)) return training.phase === 'failed' ? training.fault : fault;
    if (fault.name === 'AbortError') {
      set({ training: { phase: 'idle' } });
    } else {
      set({ training: { phase: 'failed', run: training.run, fault } });
      await library.takeLiveCard().catch(() => {});
    }
    return fault;
  }

  function onTrainEvent(event: TrainEvent): void {
    const { training } = get();
    if (!hasRunUnderWay(training)) return;
    set({ training: applyEvent(training, event) });
    // From the first step on the network in training answers.
    if (event.kind === 'preparing') ignoreLoss(library.takeLiveCard());
    if (event.kind === 'finished') engine.noteRunSpeed(training.run);
  }

  return {
    train,
    formJob: () => jobOfForm(get()),

    pause() {
      const { training } = get();
      if (training.phase !== 'training') return;
      set({ training: { phase: 'paused', run: training.run } });
      ignoreLoss(host.call((api) => api.pause()));
    },

    resume() {
      const { training } = get();
      if (training.phase !== 'paused') return;
      set({ training: { phase: 'training', run: training.run } });
      // Figures measured in the pause are not about the network that learns on.
      evaluation.dismissEvaluation();
      ignoreLoss(host.call((api) => api.resume()));
    },

    stop() {
      const { training } = get();
      if (training.phase === 'waitingForData') {
        set({ training: { phase: 'idle' } });
        beginning.abort();
        engine.endTrials();
        data.cancelLoading();
      } else if (hasRunUnderWay(training)) {
        set({ training: { phase: 'stopping', run: training.run } });
        ignoreLoss(host.call((api) => api.stop()));
      }
    },
  };
}

/** A run of which nothing is known yet. */
function makeRun({ network, recipe }: TrainJob, info: DataInfo, backend: Run['backend']): Run {
  return {
    id: crypto.randomUUID(),
    network,
    recipe,
    backend,
    engineNote: null,
    dataName: info.trainFile,
    startedAt: new Date().toISOString(),
    numTrain: 0,
    numValidation: 0,
    stepsPerEpoch: 0,
    step: 0,
    epoch: 0,
    learningRate: 0,
    imagesPerSecond: 0,
    elapsedMs: 0,
    trainPoints: [],
    validationPoints: [],
    history: [],
  };
}
