/**
 * The lines to the two workers, and the channel between them: the page hands out its ends whenever
 * one of the workers is started, and never sees what passes.
 */
import * as Comlink from 'comlink';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import { openLine, type WorkerLine, type WorkerLostError } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';

/** Starts workers; tests play them. */
export interface LineOpeners {
  openDataLine(onLost: (error: WorkerLostError) => void): WorkerLine<DataWorkerApi>;
  openModelLine(onLost: (error: WorkerLostError) => void): WorkerLine<ModelWorkerApi>;
}

export const browserLines: LineOpeners = {
  openDataLine(onLost) {
    const worker = new Worker(new URL('../worker/data.worker.ts', import.meta.url), {
      type: 'module',
      name: 'data',
    });
    return openLine(worker, () => worker.terminate(), onLost);
  },
  openModelLine(onLost) {
    const worker = new Worker(new URL('../worker/model.worker.ts', import.meta.url), {
      type: 'module',
      name: 'model',
    });
    return openLine(worker, () => worker.terminate(), onLost);
  },
};

export interface Lines {
  /** The data worker, started with the first call and with the first one after it died. */
  data(): WorkerLine<DataWorkerApi>;
  /** The model worker of now. */
  model(): WorkerLine<ModelWorkerApi>;
  /** Starts another model worker in place of the one of now, which is ended where it still runs. */
  replaceModel(): WorkerLine<ModelWorkerApi>;
  /** A model worker for a trial: nobody else's, and without data. */
  openTrial(): WorkerLine<ModelWorkerApi>;
  whenDataLost(listener: (error: WorkerLostError) => void): void;
  whenModelLost(listener: (error: WorkerLostError) => void): void;
}

export function createLines({ openDataLine, openModelLine }: LineOpeners): Lines {
  const dataListeners: ((error: WorkerLostError) => void)[] = [];
  const modelListeners: ((error: WorkerLostError) => void)[] = [];
  let dataLine: WorkerLine<DataWorkerApi> | null = null;
  let modelLine = openModel();

  function openData(): WorkerLine<DataWorkerApi> {
    const line = openDataLine((error) => {
      dataLine = null;
      ignoreLoss(modelLine.call((api) => api.connectData(null)));
      for (const listener of dataListeners) listener(error);
    });
    dataLine = line;
    joinWorkers();
    return line;
  }

  function openModel(): WorkerLine<ModelWorkerApi> {
    return openModelLine((error) => {
      for (const listener of modelListeners) listener(error);
    });
  }

  function joinWorkers(): void {
    if (!dataLine) return;
    const { port1, port2 } = new MessageChannel();
    ignoreLoss(dataLine.call((api) => api.supply(Comlink.transfer(port1, [port1]))));
    ignoreLoss(modelLine.call((api) => api.connectData(Comlink.transfer(port2, [port2]))));
  }

  return {
    data: () => dataLine ?? openData(),
    model: () => modelLine,
    replaceModel() {
      modelLine.end();
      modelLine = openModel();
      joinWorkers();
      return modelLine;
    },
    openTrial: () => openModelLine(() => {}),
    whenDataLost: (listener) => void dataListeners.push(listener),
    whenModelLost: (listener) => void modelListeners.push(listener),
  };
}

/** For calls whose failure reaches the person another way: by the listeners for lost workers. */
export function ignoreLoss(call: Promise<unknown>): void {
  call.catch(() => {});
}
