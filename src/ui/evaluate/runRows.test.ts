import { describe, expect, it } from 'vitest';
import { DEFAULT_RECIPE } from '../../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import type { RunSummary } from '../../session/state.ts';
import { differences, RUN_COLUMNS, sortRuns } from './runRows.ts';

/** Fixed where a test looks, whatever the defaults come to be. */
const RECIPE = { ...DEFAULT_RECIPE, augment: 'none', seed: 7 } as const;

function makeRun(id: string, change: Partial<RunSummary> = {}): RunSummary {
  return {
    id,
    network: NETWORK_PRESETS.classic.spec,
    recipe: RECIPE,
    backend: 'wasm',
    dataName: 'sample_train.csv.gz',
    numTrain: 1800,
    startedAt: '2026-11-01T10:00:00.000Z',
    elapsedMs: 9000,
    reason: 'completed',
    history: [
      {
        epoch: 1,
        trainLoss: 1,
        trainAccuracy: 0.6,
        validationLoss: 0.7,
        validationAccuracy: 0.8,
        elapsedMs: 4000,
      },
      {
        epoch: 2,
        trainLoss: 1,
        trainAccuracy: 0.6,
        validationLoss: 0.9,
        validationAccuracy: 0.82,
        elapsedMs: 8000,
      },
    ],
    testAccuracy: null,
    testLoss: null,
    ...change,
  };
}

describe('the columns', () => {
  const run = makeRun('a');

  it('take the best of each validation figure, whichever the epoch', () => {
    expect(RUN_COLUMNS.validationLoss.read(run)).toBe(0.7);
    expect(RUN_COLUMNS.validationAccuracy.read(run)).toBe(0.82);
  });

  it('give pictures a second over whole epochs', () => {
    expect(RUN_COLUMNS.rate.read(run)).toBe(450);
  });

  it('have no figures where no epoch was finished', () => {
    const stopped = makeRun('b', { history: [] });
    expect(RUN_COLUMNS.validationLoss.read(stopped)).toBeNull();
    expect(RUN_COLUMNS.rate.read(stopped)).toBeNull();
  });
});

describe('a run of an engine', () => {
  it('is called as the menu calls the engine', () => {
    expect(RUN_COLUMNS.backend.read(makeRun('a', { backend: 'simd' }))).toBe('CPU (Atelier)');
    expect(differences([makeRun('a'), makeRun('b', { backend: 'simd' })])).toEqual([
      { title: 'Backend', values: ['WASM', 'CPU (Atelier)'] },
    ]);
  });

  it('keeps the raw name where the engine is no longer known', () => {
    expect(RUN_COLUMNS.backend.read(makeRun('a', { backend: 'abacus' }))).toBe('abacus');
    expect(RUN_COLUMNS.backend.read(makeRun('a', { backend: 'constructor' }))).toBe('constructor');
  });
});

describe('sortRuns', () => {
  const runs = [
    makeRun('none'),
    makeRun('good', { testAccuracy: 0.9 }),
    makeRun('better', { testAccuracy: 0.92 }),
  ];
  const ids = (sorted: readonly RunSummary[]) => sorted.map((run) => run.id);

  it('puts runs without the figure last in both directions', () => {
    const ascending = sortRuns(runs, { column: 'testAccuracy', direction: 'ascending' });
    const descending = sortRuns(runs, { column: 'testAccuracy', direction: 'descending' });
    expect(ids(ascending)).toEqual(['good', 'better', 'none']);
    expect(ids(descending)).toEqual(['better', 'good', 'none']);
  });

  it('sorts words', () => {
    const named = [makeRun('w', { backend: 'webgl' }), makeRun('c', { backend: 'cpu' })];
    expect(ids(sortRuns(named, { column: 'backend', direction: 'ascending' }))).toEqual(['c', 'w']);
  });
});

describe('differences', () => {
  it('names only what differs, in the words of the controls', () => {
    const other = makeRun('b', {
      network: NETWORK_PRESETS.small.spec,
      recipe: { ...RECIPE, augment: 'light', seed: 8 },
    });
    expect(differences([makeRun('a'), other])).toEqual([
      { title: 'Network', values: ['Classic', 'Small'] },
      { title: 'Vary the pictures', values: ['Not at all', 'A little: mirrored, moved'] },
      { title: 'Seed', values: ['7', '8'] },
    ]);
  });

  it('is empty for a repeated run', () => {
    expect(differences([makeRun('a'), makeRun('b')])).toEqual([]);
  });
});
