import { describe, expect, it } from 'vitest';
import type { DataInfo, DataProgress } from '../data/source.ts';
import { createData } from './data.ts';
import {
  createTestStore,
  dataInfo,
  later,
  playDataLines,
  stateWhen,
  untilAborted,
} from './fixtures.ts';
import type { SessionState } from './state.ts';

type DataApi = Parameters<typeof playDataLines>[0];

function play(api: DataApi, state: Partial<SessionState> = {}) {
  const store = createTestStore(state);
  const kept: SessionState['source'][] = [];
  const keep = async () => void kept.push(store.getState().source);
  const { lines, lose } = playDataLines(api);
  return { store, kept, lose, data: createData(store, lines, { keep }) };
}

const full: DataInfo = { ...dataInfo, id: 'data-2', source: 'full' };
const never = new AbortController().signal;

describe('loading data', () => {
  it('answers with it and keeps the choice', async () => {
    const { store, data, kept } = play({ load: async () => dataInfo });
    expect(await data.loadData('sample')).toEqual({ ok: true, value: dataInfo });
    expect(store.getState().data).toEqual({ phase: 'ready', info: dataInfo, note: null });
    expect(kept).toEqual(['sample']);
  });

  it('goes back to the data from before when it is cancelled, and the worker stops', async () => {
    const seen = later<AbortSignal>();
    const { store, data, kept } = play({
      async load(source, onProgress, signal) {
        if (source === 'sample') return dataInfo;
        await onProgress({ stage: 'fetch' } as DataProgress);
        seen.resolve(signal);
        return untilAborted(signal);
      },
    });
    await data.loadData('sample');
    const whole = data.loadData('full');
    const signal = await seen.promise;
    expect(store.getState().data).toMatchObject({ phase: 'loading', stage: 'fetch' });
    data.cancelLoading();
    expect(store.getState().data).toMatchObject({ phase: 'ready', info: dataInfo });
    expect(await whole).toMatchObject({ ok: false, fault: { name: 'AbortError' } });
    await expect.poll(() => signal.aborted).toBe(true);
    // A load that was cancelled is not the choice.
    expect(kept).toEqual(['sample']);
  });

  it('tells what the worker has where a cancel came too late', async () => {
    const answer = later<DataInfo>();
    const { store, data } = play({ load: () => answer.promise });
    const whole = data.loadData('full');
    data.cancelLoading();
    await whole;
    answer.resolve(full);
    await stateWhen(store, (state) => state.data.phase === 'ready');
    expect(store.getState().data).toMatchObject({ info: full });
  });

  it('keeps the data in use where loading other data fails', async () => {
    const { store, data } = play({
      load: async () => dataInfo,
      loadOwn: async () => {
        throw new Error('mine.csv, row 3, column 5: "x" is not a whole number.');
      },
    });
    await data.loadData('sample');
    const result = await data.loadOwnData('train', new File(['x'], 'mine.csv'));
    expect(result).toMatchObject({ ok: false, fault: { message: /row 3/ } });
    const { data: state } = store.getState();
    expect(state).toMatchObject({ phase: 'failed', source: 'own', previous: dataInfo });
  });

  it('tells that the data is gone when the worker dies', async () => {
    const { store, data, lose } = play({ load: async () => dataInfo });
    await data.loadData('sample');
    lose('It died.');
    expect(store.getState().data).toMatchObject({
      phase: 'failed',
      source: 'sample',
      fault: { message: 'It died. The data it held is gone from memory; load it again.' },
    });
  });
});

describe('the data for a job', () => {
  it('is what is in use, without another load', async () => {
    const { data } = play({}, { data: { phase: 'ready', info: dataInfo, note: null } });
    expect(await data.dataFor('inUse', never)).toEqual({ ok: true, value: dataInfo });
    expect(await data.dataFor('sample', never)).toEqual({ ok: true, value: dataInfo });
  });

  it('is loaded where the job names another source', async () => {
    const { data } = play(
      { load: async () => full },
      { data: { phase: 'ready', info: dataInfo, note: null } },
    );
    expect(await data.dataFor('full', never)).toEqual({ ok: true, value: full });
  });

  it('falls back to the sample, saying so, where the full set is not there', async () => {
    const { store, data } = play({
      load: async (source) => {
        if (source === 'full') throw new Error('Not found.');
        return dataInfo;
      },
    });
    expect(await data.dataFor('inUse', never)).toEqual({ ok: true, value: dataInfo });
    const { data: state } = store.getState();
    expect(state.phase === 'ready' && state.note).toContain('Not found.');
    // A job that names the full set is not trained on another.
    expect(await data.dataFor('full', never)).toMatchObject({ ok: false });
  });

  it('is not loaded for a job that was stopped while another load was awaited', async () => {
    const loads: string[] = [];
    const { data } = play({
      load(source, _onProgress, signal) {
        loads.push(source);
        return untilAborted(signal);
      },
    });
    const whole = data.loadData('sample');
    const stopping = new AbortController();
    const wanted = data.dataFor('full', stopping.signal);
    await expect.poll(() => loads).toEqual(['sample']);
    stopping.abort();
    data.cancelLoading();
    await whole;
    expect(await wanted).toMatchObject({ ok: false, fault: { name: 'AbortError' } });
    expect(loads).toEqual(['sample']);
  });
});
