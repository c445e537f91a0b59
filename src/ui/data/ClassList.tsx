/** The list of classes: how many pictures each has, as bars, and which one is looked at. */
import type { PartName } from '../../data/dataset.ts';
import { formatCount, formatPercent } from '../controls/figures.ts';
import styles from './ClassList.module.css';

export interface ClassListProps {
  readonly part: PartName;
  /** By label. */
  readonly classNames: readonly string[];
  /** Pictures of each class, by label. */
  readonly counts: readonly number[];
  /** Null: all classes. */
  readonly label: number | null;
  readonly onChange: (label: number | null) => void;
}

export function ClassList({ part, classNames, counts, label, onChange }: ClassListProps) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(1, ...counts);
  return (
    <section className={styles.classes} aria-labelledby="data-balance">
      <h3 id="data-balance">Class balance</h3>
      <p className={styles.verdict}>{describeBalance(counts, part)}</p>
      <ul className={styles.list}>
        <li>
          <button
            type="button"
            className={styles.class}
            aria-pressed={label === null}
            onClick={() => onChange(null)}
          >
            <span>All classes</span>
            <span className={styles.count}>{formatCount(total)}</span>
          </button>
        </li>
        {classNames.map((name, at) => {
          const count = counts[at] ?? 0;
          return (
            <li key={name}>
              <button
                type="button"
                className={styles.class}
                aria-pressed={label === at}
                onClick={() => onChange(at)}
                title={total > 0 ? `${formatPercent(count / total)} of all` : undefined}
              >
                <span>{name}</span>
                <span className={styles.count}>{formatCount(count)}</span>
                <span className={styles.track} aria-hidden>
                  <span className={styles.bar} style={{ width: `${(count / most) * 100}%` }} />
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function describeBalance(counts: readonly number[], part: PartName): string {
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  if (most === 0) return `There are no ${part === 'train' ? 'training' : 'test'} pictures.`;
  if (least === most) return `Even: ${formatCount(most)} of each.`;
  const missing = counts.filter((count) => count === 0).length;
  if (missing > 0) {
    return `${missing === 1 ? 'One class has' : `${missing} classes have`} no pictures at all.`;
  }
  return `Uneven: from ${formatCount(least)} to ${formatCount(most)} of a class.`;
}
