/** Owns the line that stays at the top: the name, the way to each room, engine and colours. */
import { useEffect, useState } from 'react';
import { useSession } from '../useSession.ts';
import { EngineMenu } from './EngineMenu.tsx';
import styles from './Header.module.css';
import { ThemeMenu } from './ThemeMenu.tsx';

const ROOMS = [
  { id: 'data', title: 'Data' },
  { id: 'train', title: 'Train' },
  { id: 'evaluate', title: 'Evaluate' },
  { id: 'models', title: 'Models' },
  { id: 'try', title: 'Try' },
] as const;

export function Header() {
  const current = useRoomInView();
  return (
    <header className={styles.header}>
      <div className={styles.line}>
        <a className={styles.wordmark} href="#top">
          <Needle />
          Atelier
        </a>
        <nav aria-label="Rooms" className={styles.nav}>
          <ul className={styles.links}>
            {ROOMS.map(({ id, title }) => (
              <li key={id}>
                <a
                  href={`#${id}`}
                  className={styles.link}
                  aria-current={current === id ? 'true' : undefined}
                >
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div className={styles.tools}>
          <EngineMenu />
          <ThemeMenu />
        </div>
      </div>
      <RunThread />
    </header>
  );
}

/** A run under way as a thread along the header's hem, wherever on the page one is. */
function RunThread() {
  const share = useSession(({ training }) => {
    if (training.phase !== 'training' && training.phase !== 'paused') return null;
    const { step, stepsPerEpoch, recipe } = training.run;
    return stepsPerEpoch === 0 ? 0 : step / (stepsPerEpoch * recipe.epochs);
  });
  if (share === null) return null;
  return <div className={styles.thread} style={{ scale: `${Math.min(1, share)} 1` }} />;
}

function Needle() {
  return (
    <svg aria-hidden="true" viewBox="0 0 24 24" width="22" height="22" className={styles.needle}>
      <path d="M20.5 3.5 8 16" />
      <path d="M18.6 3.9c1-.6 2.1.5 1.5 1.5l-1 1.6-2.1-2.1Z" />
      <path d="M18.4 5.6C13 3 4.5 5 4 10.5c-.4 4.2 5 4 4.8 7.5-.2 2.3-3 3-5.3 2.5" />
    </svg>
  );
}

/** The room that fills the line a third below the top; null above the first one. */
function useRoomInView(): string | null {
  const [current, setCurrent] = useState<string | null>(null);
  useEffect(() => {
    const rooms = ROOMS.map(({ id }) => document.getElementById(id)).filter(
      (room) => room !== null,
    );
    const touching = new Set<Element>();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) touching.add(target);
          else touching.delete(target);
        }
        // Beside the others on wide screens, Try is always there: any other room wins over it.
        const room = rooms.find((element) => touching.has(element));
        setCurrent(room?.id ?? null);
      },
      { rootMargin: '-33% 0px -66% 0px' },
    );
    for (const room of rooms) observer.observe(room);
    return () => observer.disconnect();
  }, []);
  return current;
}
