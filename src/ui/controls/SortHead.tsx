/** Owns the head of a column by which a table can be sorted. */
import { ArrowDown, ArrowUp } from 'lucide-react';
import styles from './SortHead.module.css';

export type SortDirection = 'ascending' | 'descending';

export interface SortHeadProps {
  readonly title: string;
  /** Null where the table is not sorted by this column. */
  readonly direction: SortDirection | null;
  /** What the first press asks for; each further one turns it round. */
  readonly first: SortDirection;
  readonly onSort: (direction: SortDirection) => void;
  /** Marks for the style sheet of the table, e.g. `data-kind`. */
  readonly [mark: `data-${string}`]: string;
}

export function SortHead({ title, direction, first, onSort, ...marks }: SortHeadProps) {
  const Arrow = direction === 'ascending' ? ArrowUp : ArrowDown;
  const second = first === 'ascending' ? 'descending' : 'ascending';
  return (
    <th {...marks} scope="col" aria-sort={direction ?? 'none'}>
      <button
        type="button"
        className={styles.sort}
        onClick={() => onSort(direction === first ? second : first)}
      >
        {title}
        {direction !== null && <Arrow aria-hidden size={13} />}
      </button>
    </th>
  );
}
