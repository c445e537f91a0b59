/** What the tests of the session share: values, and workers that are played. */
import * as Comlink from 'comlink';
import { afterEach } from 'vitest';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { DataInfo } from '../data/source.ts';
import type { EngineInfo } from '../engine/backends.ts';
import { FASHION_MNIST } from '../fashion.ts';
import type { TrainEvent } from '../ml/run/train.ts';
import type { Evaluation } from '../ml/spec/metrics.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import { openLine, WorkerLostError } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import type { ModelHost } from './host.ts';
import type { Lines } from './lines.ts';
import { INITIAL_STATE, type SessionState } from './state.ts';

export const card: ModelCard = {
  id: 'run-1',
  name: 'A model',
  createdAt: '2026-01-01T00:00:00.000Z',
  origin: 'trained',
  network: NETWORK_PRESETS.small.spec,
  numParams: 10,
  recipe: DEFAULT_RECIPE,
  dataSpec: FASHION_MNIST,
  data: null,
  history: [],
  test: null,
  trainedOn: 'wasm',
  calibration: null,
};

export const shipped: ModelCard = { ...card, id: 'shipped', origin: 'shipped' };

export const engineInfo: EngineInfo = {
  choice: 'auto',
  active: 'wasm',
  options: [],
  reason: 'For the test.',
  fingerprint: 'this machine',
};

export const dataInfo: DataInfo = {
  id: 'data-1',
  source: 'sample',
  spec: FASHION_MNIST,
  trainFile: 'train.csv',
  testFile: 'test.csv',
  numTrain: 4,
  numTest: 2,
  trainCounts: [4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  testCounts: [2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  fromCache: false,
  elapsedMs: 1,
};

export const evaluation: Evaluation = {
  data: 'test.csv',
  classNames: FASHION_MNIST.classNames,
  numRows: 2,
  accuracy: 0.5,
  loss: 1,
  confusion: [],
  perClass: [],
  predicted: new Uint8Array(2),
  confidence: new Float32Array(2),
  reliability: { bins: [], error: 0.1 },
  calibrated: null,
  elapsedMs: 1,
};

export const stepEvent = (step: number): TrainEvent => ({
  kind: 'step',
  epoch: 1,
  step,
  loss: 1 / step,
  accuracy: 0.5,
  learningRate: 0.001,
  imagesPerSecond: 100,
  elapsedMs: step,
});

/** A session's store that starts from here. */
export function createTestStore(state: Partial<SessionState> = {}): StoreApi<SessionState> {
  return createStore<SessionState>()(() => ({ ...INITIAL_STATE, ...state }));
}

/** Resolves with the first state that fits. */
export function stateWhen(
  store: StoreApi<SessionState>,
  fits: (state: SessionState) => boolean,
): Promise<SessionState> {
  return new Promise((resolve) => {
    const check = (state: SessionState) => {
      if (!fits(state)) return;
      unsubscribe();
      resolve(state);
    };
    const unsubscribe = store.subscribe(check);
    check(store.getState());
  });
}

/** A promise that the test settles. */
export function later<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/** Rejects when the signal aborts, as work in a worker does. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(new DOMException('Aborted.', 'AbortError'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  });
}

const openPorts: MessagePort[] = [];
afterEach(() => {
  for (const port of openPorts.splice(0)) port.close();
});

/** The page's end of a line to a worker that answers with `api`; closed after the test. */
export function expose(api: object): MessagePort {
  const { port1, port2 } = new MessageChannel();
  Comlink.expose(api, port1);
  openPorts.push(port1, port2);
  return port2;
}

/** A model worker that answers so, over a real line, and the moments of its life. */
export function playHost(api: Partial<ModelWorkerApi>) {
  const line = openLine<ModelWorkerApi>(
    expose(api),
    () => {},
    () => {},
  );
  const listeners = {
    lost: [] as ((error: WorkerLostError) => void)[],
    started: [] as Parameters<ModelHost['whenStarted']>[0][],
    renewing: [] as Parameters<ModelHost['whenRenewing']>[0][],
    ending: [] as (() => void)[],
  };
  const host: ModelHost = {
    call: line.call,
    started: async () => {},
    start: async () => {},
    async renew() {
      const afterwards = await Promise.all(listeners.renewing.map((listener) => listener()));
      for (const listener of listeners.ending) listener();
      for (const resume of afterwards) await resume();
    },
    whenLost: (listener) => void listeners.lost.push(listener),
    whenStarted: (listener) => void listeners.started.push(listener),
    whenRenewing: (listener) => void listeners.renewing.push(listener),
    whenEnding: (listener) => void listeners.ending.push(listener),
  };
  return {
    host,
    async start() {
      for (const listener of listeners.started) await listener(line);
    },
    /** The worker dies. */
    lose(message: string) {
      line.end();
      for (const listener of listeners.lost) listener(new WorkerLostError(message));
    },
  };
}

/** Lines of which only the one to the data worker is there; it answers so. */
export function playDataLines(api: Partial<DataWorkerApi>) {
  const listeners: ((error: WorkerLostError) => void)[] = [];
  const line = openLine<DataWorkerApi>(
    expose(api),
    () => {},
    (error) => {
      for (const listener of listeners) listener(error);
    },
  );
  const none = () => {
    throw new Error('There is no model worker here.');
  };
  const lines: Lines = {
    data: () => line,
    model: none,
    replaceModel: none,
    openTrial: none,
    whenDataLost: (listener) => void listeners.push(listener),
    whenModelLost: () => {},
  };
  return { lines, lose: line.fail };
}
