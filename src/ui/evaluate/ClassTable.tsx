/** The table of precision, recall and F1 of each class. */
import type { Evaluation } from '../../ml/spec/metrics.ts';
import { formatCount, formatPercent } from '../controls/figures.ts';
import { Hint } from '../controls/Hint.tsx';
import styles from './ClassTable.module.css';

export function ClassTable({ evaluation }: { readonly evaluation: Evaluation }) {
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          <th scope="col">Class</th>
          <th scope="col">
            Precision <Hint term="Precision">Of all it called this, the share that was.</Hint>
          </th>
          <th scope="col">
            Recall <Hint term="Recall">Of all that were this, the share it found.</Hint>
          </th>
          <th scope="col">
            F1{' '}
            <Hint term="F1">One figure for both: their harmonic mean. High only if both are.</Hint>
          </th>
          <th scope="col" className={styles.rows}>
            Rows
          </th>
        </tr>
      </thead>
      <tbody>
        {evaluation.perClass.map(({ precision, recall, f1, support }, label) => (
          <tr key={evaluation.classNames[label]}>
            <th scope="row">{evaluation.classNames[label]}</th>
            <td>{formatShare(precision)}</td>
            <td>{formatShare(recall)}</td>
            <td>
              <div className={styles.withBar}>
                <span aria-hidden="true" className={styles.bar}>
                  <span style={{ width: `${(f1 ?? 0) * 100}%` }} />
                </span>
                {formatShare(f1)}
              </div>
            </td>
            <td className={styles.rows}>{formatCount(support)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A dash where the figure is undefined: nothing was called this, or nothing is. */
function formatShare(share: number | null): string {
  return share === null ? '–' : formatPercent(share);
}
