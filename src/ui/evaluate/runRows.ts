/** Rows of the table of finished runs: their figures, their order, and what their settings differ in. */

import { titleOfBackend } from '../../engine/backends.ts';
import { describeValue, knobOf, RECIPE_FIELDS } from '../../ml/spec/recipe.ts';
import type { RunSummary } from '../../session/state.ts';
import { formatCount, formatDuration, formatPercent } from '../controls/figures.ts';

export type RunColumn =
  | 'network'
  | 'backend'
  | 'epochs'
  | 'validationLoss'
  | 'validationAccuracy'
  | 'testAccuracy'
  | 'elapsed'
  | 'rate';

interface ColumnOf<Value> {
  readonly title: string;
  /** Null where the run does not have this figure. */
  readonly read: (run: RunSummary) => Value | null;
  readonly show: (value: Value) => string;
}

/** A column of words or of numbers. */
export type RunColumnSpec =
  | ({ readonly kind: 'word' } & ColumnOf<string>)
  | ({ readonly kind: 'number' } & ColumnOf<number>);

export const RUN_COLUMNS: { readonly [Column in RunColumn]: RunColumnSpec } = {
  network: {
    kind: 'word',
    title: 'Network',
    read: (run) => run.network.title,
    show: (it) => it,
  },
  backend: {
    kind: 'word',
    title: 'Backend',
    read: (run) => titleOfBackend(run.backend),
    show: (it) => it,
  },
  epochs: {
    kind: 'number',
    title: 'Epochs',
    read: (run) => run.history.length,
    show: formatCount,
  },
  validationLoss: {
    kind: 'number',
    title: 'Validation loss',
    read: (run) =>
      best(
        run,
        (epoch) => -epoch.validationLoss,
        (epoch) => epoch.validationLoss,
      ),
    show: (loss) => loss.toFixed(3),
  },
  validationAccuracy: {
    kind: 'number',
    title: 'Validation accuracy',
    read: (run) =>
      best(
        run,
        (epoch) => epoch.validationAccuracy,
        (epoch) => epoch.validationAccuracy,
      ),
    show: (share) => formatPercent(share),
  },
  testAccuracy: {
    kind: 'number',
    title: 'Test accuracy',
    read: (run) => run.testAccuracy,
    show: (share) => formatPercent(share),
  },
  elapsed: { kind: 'number', title: 'Time', read: (run) => run.elapsedMs, show: formatDuration },
  rate: {
    kind: 'number',
    title: 'Pictures/s',
    // Over whole epochs with their validation, so somewhat below the rate shown while training.
    read: (run) => {
      const last = run.history.at(-1);
      return last === undefined || last.elapsedMs === 0
        ? null
        : (run.numTrain * last.epoch * 1000) / last.elapsedMs;
    },
    show: formatCount,
  },
};

type Epoch = RunSummary['history'][number];

function best(
  run: RunSummary,
  score: (epoch: Epoch) => number,
  read: (epoch: Epoch) => number,
): number | null {
  let winner: Epoch | null = null;
  for (const epoch of run.history) {
    if (winner === null || score(epoch) > score(winner)) winner = epoch;
  }
  return winner === null ? null : read(winner);
}

export interface RunOrder {
  readonly column: RunColumn;
  readonly direction: 'ascending' | 'descending';
}

/** In the given order; runs without the figure come last either way. Null keeps the order. */
export function sortRuns(
  runs: readonly RunSummary[],
  order: RunOrder | null,
): readonly RunSummary[] {
  if (order === null) return runs;
  const { read } = RUN_COLUMNS[order.column];
  const sign = order.direction === 'ascending' ? 1 : -1;
  return [...runs].sort((runA, runB) => {
    const a = read(runA);
    const b = read(runB);
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === 'string' || typeof b === 'string') {
      return sign * String(a).localeCompare(String(b));
    }
    return sign * (a - b);
  });
}

/** One setting that not all of the runs share, with the value of each run. */
export interface Difference {
  readonly title: string;
  readonly values: readonly string[];
}

/** What sets the runs apart, besides their results. Empty where they only repeat each other. */
export function differences(runs: readonly RunSummary[]): readonly Difference[] {
  const all: Difference[] = [
    { title: 'Network', values: runs.map((run) => run.network.title) },
    { title: 'Backend', values: runs.map((run) => titleOfBackend(run.backend)) },
    { title: 'Data', values: runs.map((run) => run.dataName) },
    ...RECIPE_FIELDS.map((field) => ({
      title: knobOf(field).title,
      values: runs.map((run) => describeValue(field, run.recipe)),
    })),
  ];
  return all.filter(({ values }) => new Set(values).size > 1);
}
