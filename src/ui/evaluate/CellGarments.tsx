/** Owns the pictures behind a cell of the confusion matrix: the model's surest first, paged. */
import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useEffect, useState } from 'react';
import { PIXELS } from '../../fashion.ts';
import { rowsTakenFor } from '../../ml/spec/confusions.ts';
import type { Evaluation } from '../../ml/spec/metrics.ts';
import type { Cell } from '../charts/ConfusionMatrix.tsx';
import { Button } from '../controls/Button.tsx';
import { SelectField } from '../controls/Field.tsx';
import { formatCount, formatPercent } from '../controls/figures.ts';
import { Garment } from '../controls/Garment.tsx';
import { Notice } from '../controls/Notice.tsx';
import { session } from '../useSession.ts';
import styles from './CellGarments.module.css';

const PAGE_SIZE = 20;

export interface CellGarmentsProps {
  readonly evaluation: Evaluation;
  readonly cell: Cell;
  readonly onSelect: (cell: Cell) => void;
  /** Whether the rows evaluated are still the test data in use. */
  readonly isAvailable: boolean;
}

export function CellGarments({ evaluation, cell, onSelect, isAvailable }: CellGarmentsProps) {
  const { actual, taken } = cell;
  const { classNames } = evaluation;
  const options = classNames.map((label, index) => ({ value: String(index), label }));
  return (
    <section className={styles.garments} aria-labelledby="cell-title">
      <h3 id="cell-title">
        {actual === taken
          ? `${classNames[actual]}, recognised`
          : `${classNames[actual]}, taken for ${classNames[taken]}`}
      </h3>
      <div className={styles.choice}>
        <SelectField
          label="Is"
          value={String(actual)}
          options={options}
          onChange={(value) => onSelect({ actual: Number(value), taken })}
        />
        <SelectField
          label="Taken for"
          value={String(taken)}
          options={options}
          onChange={(value) => onSelect({ actual, taken: Number(value) })}
        />
      </div>
      {isAvailable ? (
        <Pages key={`${actual} ${taken}`} evaluation={evaluation} cell={cell} />
      ) : (
        <Notice tone="info" title="Other test data is loaded now">
          The pictures of this evaluation are no longer at hand. Evaluate again to see those of the
          data in use.
        </Notice>
      )}
    </section>
  );
}

function Pages({ evaluation, cell }: { readonly evaluation: Evaluation; readonly cell: Cell }) {
  const [page, setPage] = useState(0);
  const count = evaluation.confusion[cell.actual]?.[cell.taken] ?? 0;
  const outcome = useRowsOf(evaluation, cell, count > 0);
  const numPages = Math.max(1, Math.ceil(count / PAGE_SIZE));

  if (count === 0) return <p className="quiet">This never happened.</p>;
  if (outcome.phase === 'failed') {
    return (
      <Notice tone="error" title="The pictures could not be fetched">
        {outcome.message}
      </Notice>
    );
  }
  const shown =
    outcome.phase === 'ready'
      ? outcome.garments.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)
      : [];
  return (
    <>
      <ul className={styles.grid} aria-busy={outcome.phase === 'loading'}>
        {shown.map(({ row, pixels, confidence }) => (
          <li key={row} className={styles.garment}>
            <Garment
              pixels={pixels}
              size={56}
              label={`${evaluation.classNames[cell.actual]}, row ${row + 1}`}
            />
            <span className="figures" title={`Row ${row + 1} of ${evaluation.data}`}>
              {formatSureness(confidence)}
            </span>
          </li>
        ))}
      </ul>
      <div className={styles.pager}>
        <p className="quiet" aria-live="polite">
          {count === 1 ? 'One picture' : `${formatCount(count)} pictures, the surest first`}
          {numPages > 1 && `; page ${page + 1} of ${numPages}`}
        </p>
        {numPages > 1 && (
          <div className={styles.turns}>
            <Button
              size="small"
              kind="quiet"
              icon={ChevronLeft}
              aria-label="Previous pictures"
              disabled={page === 0}
              onClick={() => setPage(page - 1)}
            />
            <Button
              size="small"
              kind="quiet"
              icon={ChevronRight}
              aria-label="Next pictures"
              disabled={page === numPages - 1}
              onClick={() => setPage(page + 1)}
            />
          </div>
        )}
      </div>
    </>
  );
}

/** Never "100 %": no model is that sure. */
function formatSureness(confidence: number): string {
  return confidence > 0.995 ? `> ${formatPercent(0.99, 0)}` : formatPercent(confidence, 0);
}

interface CellGarment {
  readonly row: number;
  /** `[784]` */
  readonly pixels: Uint8Array;
  readonly confidence: number;
}

type Outcome =
  | { readonly phase: 'loading' }
  | { readonly phase: 'ready'; readonly garments: readonly CellGarment[] }
  | { readonly phase: 'failed'; readonly message: string };

const LOADING: Outcome = { phase: 'loading' };

/** All pictures of a cell, the surest first. The data worker holds the pictures and their labels. */
function useRowsOf(evaluation: Evaluation, cell: Cell, isWanted: boolean): Outcome {
  const [outcome, setOutcome] = useState<Outcome>(LOADING);
  const { actual, taken } = cell;
  useEffect(() => {
    if (!isWanted) return;
    let isCurrent = true;
    setOutcome(LOADING);
    fetchCell(evaluation, { actual, taken }).then(
      (garments) => isCurrent && setOutcome({ phase: 'ready', garments }),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        if (isCurrent) setOutcome({ phase: 'failed', message });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [evaluation, actual, taken, isWanted]);
  return outcome;
}

async function fetchCell(
  { predicted, confidence, numRows }: Evaluation,
  { actual, taken }: Cell,
): Promise<readonly CellGarment[]> {
  const page = await session.garments({ part: 'test', label: actual, offset: 0, count: numRows });
  const places = new Map(Array.from(page.rows, (row, place) => [row, place]));
  return rowsTakenFor(taken, page.rows, predicted, confidence).map((row) => {
    const start = (places.get(row) ?? 0) * PIXELS;
    return {
      row,
      pixels: page.pixels.subarray(start, start + PIXELS),
      confidence: confidence[row] ?? 0,
    };
  });
}
