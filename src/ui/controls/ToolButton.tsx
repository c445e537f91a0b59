/** Owns the square button that shows a mark in place of words, as tools have it. */
import type { ComponentProps, ReactNode } from 'react';
import styles from './ToolButton.module.css';

export interface ToolButtonProps
  extends Omit<ComponentProps<'button'>, 'type' | 'className' | 'aria-label'> {
  /** What a screen reader says. */
  readonly label: string;
  /** What a resting pointer is told, e.g. with the key that does the same. */
  readonly title: string;
  /** The mark, hidden from screen readers. */
  readonly children: ReactNode;
}

export function ToolButton({ label, children, ...rest }: ToolButtonProps) {
  return (
    <button {...rest} type="button" className={styles.tool} aria-label={label}>
      {children}
    </button>
  );
}
