/** Owns the words that keep a place in a room while there is nothing to show in it yet. */
import type { ReactNode } from 'react';
import styles from './Placeholder.module.css';

export function Placeholder({ children }: { readonly children: ReactNode }) {
  return <p className={styles.placeholder}>{children}</p>;
}
