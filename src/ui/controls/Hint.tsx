/** Owns explanations of jargon: a small question mark that opens on hover, focus and tap. */
import { Popover } from '@base-ui/react/popover';
import { CircleQuestionMark } from 'lucide-react';
import type { ReactNode } from 'react';
import styles from './Hint.module.css';

export interface HintProps {
  /** What is explained, e.g. "Learning rate". */
  readonly term: string;
  readonly children: ReactNode;
}

export function Hint({ term, children }: HintProps) {
  return (
    <Popover.Root>
      <Popover.Trigger
        className={styles.mark}
        openOnHover
        delay={150}
        aria-label={`What is ${term.toLowerCase()}?`}
      >
        <CircleQuestionMark aria-hidden size={15} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} collisionPadding={12} className={styles.positioner}>
          <Popover.Popup className={styles.popup} initialFocus={false}>
            <Popover.Title className={styles.term}>{term}</Popover.Title>
            <Popover.Description render={<div />}>{children}</Popover.Description>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
