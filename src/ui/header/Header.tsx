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
  { id: 'try', title: 'Try' },
  { id: 'models', title: 'Models' },
] as const;

/** Where App.module.css puts Try beside the other rooms. */
const BESIDE = matchMedia('(min-width: 1200px)');

export function Header() {
  const current = useRoomInView();
  return (
    <header className={styles.header}>
      <div className={styles.line}>
        <a className={styles.wordmark} href="#top">
          <Hanger />
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

function Hanger() {
  return (
    <svg aria-hidden="true" viewBox="0 0 24 24" width="24" height="24" className={styles.hanger}>
      <path d="M9.4 6.1a2.6 2.6 0 1 1 3.9 2.2c-.8.5-1.3 1-1.3 1.9v.6" />
      <path d="M12 10.8 2.7 16.9c-1.1.8-.6 2.4.8 2.4h17c1.4 0 1.9-1.6.8-2.4Z" />
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
        // Beside the others on wide screens, Try is always in view and never the place one is at.
        const isPlace = ({ id }: Element) => id !== 'try' || !BESIDE.matches;
        setCurrent(rooms.find((room) => touching.has(room) && isPlace(room))?.id ?? null);
      },
      { rootMargin: '-33% 0px -66% 0px' },
    );
    for (const room of rooms) observer.observe(room);
    return () => observer.disconnect();
  }, []);
  return current;
}
