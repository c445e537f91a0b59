/**
 * The data in use: loading it, with the way back, and questions about its rows. The rows themselves
 * stay in the data worker, which gives them to the model worker; see `lines.ts`.
 */
import * as Comlink from 'comlink';
import type { StoreApi } from 'zustand/vanilla';
import type { Dataset, GarmentPage } from '../data/dataset.ts';
import type { DataInfo, DataProgress, DataSource } from '../data/source.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import { type WorkerLine, WorkerLostError } from '../worker/line.ts';
import { createLatest } from './asking.ts';
import type { Form } from './form.ts';
import type { Lines } from './lines.ts';
import {
  aborted,
  type DataSlice,
  dataInUse,
  type Result,
  refused,
  succeeded,
  type TrainJob,
  toFault,
} from './state.ts';

export interface DataActions {
  loadData(source: 'full' | 'sample'): Promise<Result<DataInfo>>;
  /** A CSV (or .csv.gz) of the person's own; replaces that part only after all of it checked out. */
  loadOwnData(part: 'train' | 'test', file: File): Promise<Result<DataInfo>>;
  /** Goes back to the data from before. */
  cancelLoading(): void;
  /** Rows of one class (null: all), in file order. */
  garments(query: {
    part: 'train' | 'test';
    label: number | null;
    offset: number;
    count: number;
  }): Promise<GarmentPage>;
  /** The given rows, in the given order. */
  garmentsAt(part: 'train' | 'test', rows: Uint32Array): Promise<Dataset>;
}

export interface DataPart extends DataActions {
  /**
   * The data that a job is to be trained on, loaded where it is not in use.
   * @param signal keeps a load from being begun; `cancelLoading` ends one.
   */
  dataFor(wanted: TrainJob['data'], signal: AbortSignal): Promise<Result<DataInfo>>;
}

const CANCELLED = 'Loading was cancelled.';

export function createData(
  store: StoreApi<DataSlice>,
  lines: Lines,
  form: Pick<Form, 'keep'>,
): DataPart {
  const { getState: get, setState: set } = store;
  const loading = createLatest('aborts');
  const call: WorkerLine<DataWorkerApi>['call'] = (use, signal) => lines.data().call(use, signal);

  lines.whenDataLost((error) => {
    const { data } = get();
    if (data.phase === 'idle' || data.phase === 'failed') return;
    const source = data.phase === 'ready' ? data.info.source : data.source;
    const message = `${error.message} The data it held is gone from memory; load it again.`;
    set({
      data: { phase: 'failed', source, fault: { name: error.name, message }, previous: null },
    });
  });

  async function loadWith(
    source: DataSource,
    note: string | null,
    load: (onProgress: (progress: DataProgress) => void, signal: AbortSignal) => Promise<DataInfo>,
  ): Promise<Result<DataInfo>> {
    if (get().data.phase === 'loading') return refused('Other data is being loaded.');
    const result = await loading.ask(async (signal): Promise<Result<DataInfo>> => {
      const { data: before } = get();
      if (before.phase === 'loading') return refused('Other data is being loaded.');
      const none = { file: '', loadedBytes: 0, totalBytes: null, rows: 0 };
      set({ data: { phase: 'loading', source, before, stage: 'cache', ...none, attempt: 1 } });
      const onProgress = (progress: DataProgress) => {
        // A last report may arrive after the answer.
        if (signal.aborted || get().data.phase !== 'loading') return;
        set({ data: { phase: 'loading', source, before, ...progress } });
      };
      try {
        const info = await load(Comlink.proxy(onProgress), signal);
        // Also where it was cancelled too late: this is then the data that the worker has.
        set({ data: { phase: 'ready', info, note } });
        return succeeded(info);
      } catch (error) {
        const fault = toFault(error);
        if (signal.aborted) return aborted(CANCELLED);
        // A lost worker has told its own story already.
        if (error instanceof WorkerLostError) return { ok: false, fault };
        if (fault.name === 'AbortError') set({ data: before });
        else set({ data: { phase: 'failed', source, fault, previous: dataInUse(before) } });
        return { ok: false, fault };
      }
    });
    return result ?? aborted(CANCELLED);
  }

  async function loadData(
    source: 'full' | 'sample',
    note: string | null = null,
  ): Promise<Result<DataInfo>> {
    const result = await loadWith(source, note, (onProgress, signal) =>
      call((api, inner) => api.load(source, onProgress, inner), signal),
    );
    if (result.ok) {
      set({ source });
      await form.keep();
    }
    return result;
  }

  /** Resolves when no data is on its way. */
  function loaded(): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (get().data.phase === 'loading') return;
        unsubscribe();
        resolve();
      };
      const unsubscribe = store.subscribe(check);
      check();
    });
  }

  return {
    loadData: (source) => loadData(source),
    loadOwnData: (part, file) =>
      loadWith('own', null, (onProgress, signal) =>
        call((api, inner) => api.loadOwn(part, file, onProgress, inner), signal),
      ),

    cancelLoading() {
      const { data } = get();
      if (data.phase !== 'loading') return;
      loading.abort();
      set({ data: data.before });
    },

    garments: (query) => call((api) => api.garments(query)),
    garmentsAt: (part, rows) => call((api) => api.garmentsAt(part, rows)),

    async dataFor(wanted, signal) {
      const fits = (info: DataInfo | null): info is DataInfo =>
        info !== null && info.numTrain > 0 && (wanted === 'inUse' || wanted === info.source);
      const isUnderWay = get().data.phase === 'loading' && !fits(dataInUse(get().data));
      if (isUnderWay) await loaded();
      if (signal.aborted) return aborted(CANCELLED);
      const { data } = get();
      const inUse = dataInUse(data);
      if (fits(inUse)) return succeeded(inUse);
      if (wanted !== 'inUse') return loadData(wanted);
      // What was awaited is what people wanted: another source does not take its place.
      if (isUnderWay && data.phase !== 'failed') return aborted(CANCELLED);
      const awaited = isUnderWay && data.phase === 'failed' ? data : null;
      if (awaited && awaited.source !== 'full') return { ok: false, fault: awaited.fault };
      const full: Result<DataInfo> = awaited
        ? { ok: false, fault: awaited.fault }
        : await loadData('full');
      if (full.ok || full.fault.name === 'AbortError' || signal.aborted) return full;
      return loadData(
        'sample',
        `The full data set could not be loaded, so this is the sample of 2,000 images. ${full.fault.message}`,
      );
    },
  };
}
