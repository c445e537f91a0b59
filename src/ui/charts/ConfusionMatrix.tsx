/**
 * Owns the confusion matrix on the page: tfjs-vis draws it, and a grid of buttons of the same geometry
 * lies on the drawing, so that each cell can be pressed, reached by keyboard and heard.
 */
import { type KeyboardEvent, useCallback, useMemo, useRef, useState } from 'react';
import { formatCount } from '../controls/figures.ts';
import styles from './ConfusionMatrix.module.css';
import type { Canvas, MatrixChart, MatrixLayout } from './charts.ts';
import { useDrawing, useWidth } from './useDrawing.ts';

export interface Cell {
  readonly actual: number;
  readonly taken: number;
}

export interface ConfusionMatrixProps {
  /** By label. Keep it and `counts` stable by identity while nothing changes. */
  readonly classNames: readonly string[];
  /** `counts[actual][predicted]`, classes × classes. */
  readonly counts: readonly (readonly number[])[];
  readonly selected: Cell | null;
  readonly onSelect: (cell: Cell) => void;
}

const MAX_WIDTH = 620;
const ARROWS: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export function ConfusionMatrix({ classNames, counts, selected, onSelect }: ConfusionMatrixProps) {
  const frame = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLFieldSetElement>(null);
  const width = Math.min(useWidth(frame), MAX_WIDTH);
  const chart = useMemo<MatrixChart | null>(
    () =>
      width === 0
        ? null
        : { counts, labels: classNames, width, height: width, fontSize: width < 420 ? 10 : 12 },
    [classNames, counts, width],
  );
  // Where the cells are, and in which drawing: while it is redrawn at another width they are unknown.
  const [drawn, setDrawn] = useState<{ chart: MatrixChart; layout: MatrixLayout } | null>(null);
  const draw = useCallback(async (canvas: Canvas, wish: MatrixChart) => {
    setDrawn({ chart: wish, layout: await canvas.matrix(wish) });
  }, []);
  const hasFailed = useDrawing(frame, chart, draw);
  const layout = drawn?.chart.width === width ? drawn.layout : null;
  // The one cell that the Tab key reaches; arrow keys go on from there.
  const [reached, setReached] = useState<Cell>({ actual: 0, taken: 0 });

  function onKeyDown(event: KeyboardEvent, { actual, taken }: Cell): void {
    const arrow = ARROWS[event.key];
    if (arrow === undefined) return;
    event.preventDefault();
    const last = classNames.length - 1;
    const next = {
      actual: Math.min(last, Math.max(0, actual + arrow[0])),
      taken: Math.min(last, Math.max(0, taken + arrow[1])),
    };
    setReached(next);
    const cells = grid.current?.querySelectorAll('button');
    cells?.[next.actual * classNames.length + next.taken]?.focus();
  }

  return (
    <div className={styles.matrix} style={{ maxWidth: MAX_WIDTH }}>
      <div ref={frame} className={styles.frame} />
      {(layout !== null || hasFailed) && (
        <fieldset
          ref={grid}
          className={styles.grid}
          style={layout ?? { inset: 0 }}
          data-undrawn={hasFailed || undefined}
        >
          <legend className="unseen">
            Cells of the confusion matrix, row by row. Arrow keys move between them.
          </legend>
          {classNames.flatMap((name, actual) =>
            classNames.map((takenName, taken) => {
              const count = counts[actual]?.[taken] ?? 0;
              const label = describeCell(classNames, { actual, taken }, count);
              return (
                <button
                  key={`${name} ${takenName}`}
                  type="button"
                  className={styles.cell}
                  tabIndex={reached.actual === actual && reached.taken === taken ? 0 : -1}
                  aria-pressed={selected?.actual === actual && selected.taken === taken}
                  aria-label={label}
                  title={label}
                  onClick={() => {
                    setReached({ actual, taken });
                    onSelect({ actual, taken });
                  }}
                  onKeyDown={(event) => onKeyDown(event, { actual, taken })}
                >
                  {hasFailed && count}
                </button>
              );
            }),
          )}
        </fieldset>
      )}
    </div>
  );
}

function describeCell(
  classNames: readonly string[],
  { actual, taken }: Cell,
  count: number,
): string {
  const name = classNames[actual];
  return actual === taken
    ? `${name} recognised: ${formatCount(count)}`
    : `${name} taken for ${classNames[taken]}: ${formatCount(count)}`;
}
