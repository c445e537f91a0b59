/** Owns the frame of a room: a section of the page with its heading and one sentence on it. */
import type { ReactNode } from 'react';
import styles from './Room.module.css';

export interface RoomProps {
  /** Anchor that the header's link jumps to, e.g. "data". */
  readonly id: string;
  readonly title: string;
  readonly lede: ReactNode;
  readonly children: ReactNode;
}

export function Room({ id, title, lede, children }: RoomProps) {
  return (
    <section id={id} className={styles.room} aria-labelledby={`${id}-title`} data-room={id}>
      <header className={styles.head}>
        {/* Focusable by script, so that a link to the room moves the keyboard there too. */}
        <h2 id={`${id}-title`} className={styles.title} tabIndex={-1}>
          {title}
        </h2>
        <p className={styles.lede}>{lede}</p>
      </header>
      {children}
    </section>
  );
}
