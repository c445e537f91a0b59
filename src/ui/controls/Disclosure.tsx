/** Owns a part of a room that is folded away until asked for. */
import { ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import styles from './Disclosure.module.css';

export interface DisclosureProps {
  readonly title: string;
  /** What is inside, in a few words, seen while it is folded. */
  readonly note: ReactNode;
  /** Set where something else than a press may open and fold it. */
  readonly isOpen?: boolean;
  /** What is made only once it is asked for hears of it here. */
  readonly onToggle?: (isOpen: boolean) => void;
  readonly children: ReactNode;
}

export function Disclosure({ title, note, isOpen, onToggle, children }: DisclosureProps) {
  return (
    <details
      className={styles.details}
      open={isOpen}
      onToggle={(event) => {
        const { open } = event.currentTarget;
        // The browser tells of what we did as well.
        if (open !== isOpen) onToggle?.(open);
      }}
    >
      <summary className={styles.summary}>
        <ChevronRight aria-hidden size={17} className={styles.chevron} />
        <span className={styles.title}>{title}</span>
        <span className={`${styles.note} figures`}>{note}</span>
      </summary>
      <div className={styles.inside}>{children}</div>
    </details>
  );
}
