/** Owns the comparison of finished runs on the page: the table and the curves of those chosen. */
import { Trash2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { RunSummary } from '../../session/state.ts';
import type { MarkerShape } from '../charts/charts.ts';
import { type LegendEntry, LineFigure } from '../charts/LineFigure.tsx';
import { Button } from '../controls/Button.tsx';
import { SelectField } from '../controls/Field.tsx';
import { formatPercent } from '../controls/figures.ts';
import { SortHead } from '../controls/SortHead.tsx';
import { toast } from '../controls/toast.tsx';
import { session, useSession } from '../useSession.ts';
import styles from './RunsTable.module.css';
import {
  differences,
  RUN_COLUMNS,
  type RunColumn,
  type RunColumnSpec,
  type RunOrder,
  sortRuns,
} from './runRows.ts';

/** A chosen run's look. As many runs can be compared as there are looks. */
const LOOKS: readonly {
  readonly letter: string;
  readonly color: string;
  readonly dash: readonly number[];
  readonly marker: MarkerShape;
}[] = [
  { letter: 'A', color: 'var(--series-1)', dash: [], marker: 'circle' },
  { letter: 'B', color: 'var(--series-2)', dash: [6, 4], marker: 'diamond' },
  { letter: 'C', color: 'var(--success)', dash: [2, 3], marker: 'square' },
  { letter: 'D', color: 'var(--ink)', dash: [10, 3, 2, 3], marker: 'triangle-up' },
  { letter: 'E', color: 'var(--danger)', dash: [12, 4], marker: 'cross' },
];

const COLUMNS = Object.keys(RUN_COLUMNS) as RunColumn[];

export function RunsTable() {
  const runs = useSession((state) => state.runs);
  const [order, setOrder] = useState<RunOrder | null>(null);
  const [chosenIds, setChosenIds] = useState<readonly string[]>([]);
  const chosen = useMemo(
    () => chosenIds.flatMap((id) => runs.find((run) => run.id === id) ?? []),
    [chosenIds, runs],
  );
  if (runs.length === 0) return null;

  function toggle(id: string): void {
    const others = chosen.filter((run) => run.id !== id).map((run) => run.id);
    setChosenIds(others.length === chosen.length ? [...others, id] : others);
  }

  return (
    <section className={styles.runs} aria-labelledby="runs-title">
      <h3 id="runs-title">Finished runs</h3>
      <p className="quiet">
        {runs.length === 1
          ? 'Train again with other settings, and the runs can be compared.'
          : `Choose 2 to ${LOOKS.length} of them to lay their curves over each other.`}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section className={styles.scroll} tabIndex={0} aria-label="Table of finished runs">
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">
                <span className="unseen">Compare</span>
              </th>
              {COLUMNS.map((column) => (
                <SortHead
                  key={column}
                  title={RUN_COLUMNS[column].title}
                  direction={order?.column === column ? order.direction : null}
                  first="descending"
                  onSort={(direction) => setOrder({ column, direction })}
                  data-kind={RUN_COLUMNS[column].kind}
                />
              ))}
              <th scope="col">
                <span className="unseen">Remove</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sortRuns(runs, order).map((run) => (
              <RunLine
                key={run.id}
                run={run}
                letter={LOOKS[chosen.indexOf(run)]?.letter ?? null}
                canChoose={runs.length > 1 && chosen.length < LOOKS.length}
                onToggle={() => toggle(run.id)}
              />
            ))}
          </tbody>
        </table>
      </section>
      {chosen.length >= 2 && <Comparison runs={chosen} />}
    </section>
  );
}

function RunLine({
  run,
  letter,
  canChoose,
  onToggle,
}: {
  readonly run: RunSummary;
  /** Null where it is not chosen. */
  readonly letter: string | null;
  readonly canChoose: boolean;
  readonly onToggle: () => void;
}) {
  const name = `${run.network.title}, ${formatMoment(run.startedAt)}`;
  return (
    <tr>
      <td>
        <label className={styles.choose}>
          <input
            type="checkbox"
            checked={letter !== null}
            disabled={letter === null && !canChoose}
            onChange={onToggle}
          />
          <span className="unseen">Compare {name}</span>
          <span aria-hidden className={styles.letter}>
            {letter}
          </span>
        </label>
      </td>
      {COLUMNS.map((column) =>
        column === 'network' ? (
          <th key={column} scope="row">
            {run.network.title}
            <span className={styles.moment}>{formatMoment(run.startedAt)}</span>
          </th>
        ) : (
          <td key={column} data-kind={RUN_COLUMNS[column].kind}>
            {show(RUN_COLUMNS[column], run)}
            {column === 'epochs' && run.history.length < run.recipe.epochs && (
              <span className="quiet"> of {run.recipe.epochs}</span>
            )}
          </td>
        ),
      )}
      <td>
        <Button
          kind="quiet"
          size="small"
          icon={Trash2}
          aria-label={`Remove ${name}`}
          onClick={() => {
            void session.removeRun(run.id);
            toast({
              title: `${name} was removed`,
              action: { label: 'Undo', onPress: () => void session.restoreRun(run) },
            });
          }}
        />
      </td>
    </tr>
  );
}

function show(column: RunColumnSpec, run: RunSummary): string {
  if (column.kind === 'word') return column.show(column.read(run) ?? '');
  const value = column.read(run);
  return value === null ? '–' : column.show(value);
}

function formatMoment(iso: string): string {
  return new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

type Curve = 'accuracy' | 'loss';

function Comparison({ runs }: { readonly runs: readonly RunSummary[] }) {
  const [curve, setCurve] = useState<Curve>('accuracy');
  const lines = useMemo(() => runs.map((run, index) => lineOf(run, index, curve)), [runs, curve]);
  const apart = differences(runs);
  const letters = lines.map((line) => line.title);
  return (
    <div className={styles.comparison}>
      <div className={styles.chart}>
        <div className={styles.curve}>
          <SelectField
            label="Compare by"
            value={curve}
            options={[
              { value: 'accuracy', label: 'Validation accuracy' },
              { value: 'loss', label: 'Validation loss' },
            ]}
            onChange={setCurve}
          />
        </div>
        <LineFigure
          title={curve === 'accuracy' ? 'Validation accuracy' : 'Validation loss'}
          lines={lines}
          xTitle="Epoch"
          xMax={Math.max(...runs.map((run) => run.history.length))}
          yFormat={curve === 'accuracy' ? '%' : '.2~f'}
          yTooltipFormat={curve === 'accuracy' ? '.1%' : '.3f'}
          summary={lines.map((line) => `${line.title}: ${line.figure}`).join('; ')}
          empty="None of these runs finished an epoch."
        />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section className={styles.apart} tabIndex={0} aria-labelledby="apart-title">
        <h4 id="apart-title">What sets them apart</h4>
        {apart.length === 0 ? (
          <p className="quiet">Nothing: the same network, recipe, data and backend.</p>
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Setting</th>
                {letters.map((letter) => (
                  <th key={letter} scope="col">
                    {letter}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {apart.map(({ title, values }) => (
                <tr key={title}>
                  <th scope="row">{title}</th>
                  {letters.map((letter, index) => (
                    <td key={letter}>{values[index]}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </div>
  );
}

function lineOf(run: RunSummary, index: number, curve: Curve): LegendEntry {
  const look = LOOKS[index];
  if (look === undefined) throw new RangeError(`At most ${LOOKS.length} runs can be compared.`);
  const { letter, ...style } = look;
  const column = curve === 'accuracy' ? 'validationAccuracy' : 'validationLoss';
  const format = curve === 'accuracy' ? formatPercent : (loss: number) => loss.toFixed(3);
  const last = run.history.at(-1);
  return {
    ...style,
    title: letter,
    points: run.history.map((epoch) => ({ x: epoch.epoch, y: epoch[column] })),
    figure: `${run.network.title}${last ? ` ${format(last[column])}` : ''}`,
  };
}
