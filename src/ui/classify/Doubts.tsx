/** Owns how it is told that a picture itself makes its answer doubtful. */
import { TriangleAlert } from 'lucide-react';
import type { Doubt } from '../../image/picture.ts';
import styles from './Doubts.module.css';
import { sayDoubt } from './doubts.ts';

export interface DoubtsProps {
  readonly doubts: readonly Doubt[];
  readonly about: 'photo' | 'drawing';
}

export function Doubts({ doubts, about }: DoubtsProps) {
  if (doubts.length === 0) return null;
  return (
    <ul className={styles.doubts} aria-label="Reasons for doubt">
      {doubts.map((doubt) => {
        const { what, advice } = sayDoubt(doubt, about);
        return (
          <li key={doubt} className={styles.doubt} data-doubt={doubt}>
            <TriangleAlert aria-hidden size={15} className={styles.icon} />
            <span>
              <span className={styles.what}>{what}</span> {advice}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
