import 'fake-indexeddb/auto';
import { deleteDB, openDB } from 'idb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { makeCard } from '../formats/testing/smallModel.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { closeDatabase } from './database.ts';
import type { EngineMemory, RunSummary, Settings } from './records.ts';
import { listRuns, removeRun, saveRun } from './runs.ts';
import { readEngineMemory, readSettings, writeEngineMemory, writeSettings } from './settings.ts';

const { recipe, history } = makeCard();
if (!recipe) throw new Error('The example card has a recipe.');

afterEach(async () => {
  vi.restoreAllMocks();
  await closeDatabase();
  await deleteDB('atelier');
});

function makeRun(day: number): RunSummary {
  if (!recipe) throw new Error('The example card has a recipe.');
  return {
    id: `run ${day}`,
    network: NETWORK_PRESETS.small.spec,
    recipe,
    backend: 'wasm',
    dataName: 'sample_train.csv.gz',
    numTrain: 1800,
    startedAt: new Date(Date.UTC(2026, 0, day)).toISOString(),
    elapsedMs: 5000,
    reason: 'completed',
    history,
    testAccuracy: null,
    testLoss: null,
  };
}

describe('runs', () => {
  it('are listed most recent first, replaced by id and removed', async () => {
    await saveRun(makeRun(1));
    await saveRun(makeRun(3));
    await saveRun(makeRun(2));
    const measured = { ...makeRun(2), testAccuracy: 0.9, testLoss: 0.3 };
    await saveRun(measured);
    expect(await listRuns()).toEqual([makeRun(3), measured, makeRun(1)]);
    await removeRun('run 3');
    expect((await listRuns()).map(({ id }) => id)).toEqual(['run 2', 'run 1']);
  });

  it('are the last fifty', async () => {
    for (let day = 1; day <= 52; day++) await saveRun(makeRun(day));
    const runs = await listRuns();
    expect(runs).toHaveLength(50);
    expect(runs.at(-1)?.id).toBe('run 3');
  });

  it('leave out a record that is damaged, and say so', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    await saveRun(makeRun(1));
    await saveRun(makeRun(2));
    const database = await openDB('atelier');
    await database.put('runs', { ...makeRun(1), history: 'long ago' }, 'run 1');
    database.close();
    expect((await listRuns()).map(({ id }) => id)).toEqual(['run 2']);
    expect(warn).toHaveBeenCalledOnce();
  });
});

describe('settings', () => {
  const settings: Settings = {
    network: NETWORK_PRESETS.deep.spec,
    recipe,
    backend: 'wasm',
    includesWebGPU: true,
    source: 'sample',
  };

  it('come back as they were', async () => {
    expect(await readSettings()).toBeNull();
    await writeSettings(settings);
    expect(await readSettings()).toEqual(settings);
  });

  it('count as absent where they do not fit this page', async () => {
    await writeSettings(settings);
    const database = await openDB('atelier');
    await database.put('settings', { ...settings, network: 'huge' }, 'page');
    database.close();
    expect(await readSettings()).toBeNull();
  });

  it('of an earlier version are taken, without WebGPU', async () => {
    const { includesWebGPU: _, ...earlier } = settings;
    await writeSettings(settings);
    const database = await openDB('atelier');
    await database.put('settings', earlier, 'page');
    database.close();
    expect(await readSettings()).toEqual({ ...settings, includesWebGPU: false });
  });
});

describe('what was found out about the engines', () => {
  const memory: EngineMemory = {
    fingerprint: 'a machine',
    trials: {
      'classic@128': {
        webgl: { outcome: 'failed', message: 'It was not ready.' },
        simd: { outcome: 'timed', imagesPerSecond: 8000, warmUpMs: 90 },
      },
      'deep@64': { simd: { outcome: 'timed', imagesPerSecond: 2000, warmUpMs: null } },
    },
  };

  it('comes back as it was, beside the settings', async () => {
    expect(await readEngineMemory()).toBeNull();
    await writeEngineMemory(memory);
    expect(await readEngineMemory()).toEqual(memory);
    expect(await readSettings()).toBeNull();
  });

  it.each([
    ['no figure', { simd: { outcome: 'timed', imagesPerSecond: Number.NaN, warmUpMs: 1 } }],
    ['a speed of nothing', { simd: { outcome: 'timed', imagesPerSecond: 0, warmUpMs: 1 } }],
    ['another outcome', { simd: { outcome: 'won' } }],
    ['text', 'fast'],
  ])('counts as absent where a trial has %s', async (_, trials) => {
    await writeEngineMemory(memory);
    const database = await openDB('atelier');
    await database.put('settings', { ...memory, trials: { 'classic@128': trials } }, 'engine');
    database.close();
    expect(await readEngineMemory()).toBeNull();
  });
});
