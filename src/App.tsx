/** Owns the page's layout and nothing else. */
import { PenLine } from 'lucide-react';
import { useEffect, useState } from 'react';
import styles from './App.module.css';
import { TryRoom } from './ui/classify/TryRoom.tsx';
import { Boundary } from './ui/controls/Boundary.tsx';
import { Toasts } from './ui/controls/toast.tsx';
import { DataRoom } from './ui/data/DataRoom.tsx';
import { EvaluateRoom } from './ui/evaluate/EvaluateRoom.tsx';
import { Footer } from './ui/header/Footer.tsx';
import { Header } from './ui/header/Header.tsx';
import { Opening } from './ui/header/Opening.tsx';
import { ModelsRoom } from './ui/models/ModelsRoom.tsx';
import { TrainRoom } from './ui/train/TrainRoom.tsx';

export function App() {
  return (
    <>
      <a className={styles.skip} href="#main">
        Skip to the rooms
      </a>
      <Header />
      <main id="main" className={styles.main} tabIndex={-1}>
        <div className={styles.opening}>
          <Opening />
        </div>
        <div className={styles.rooms}>
          <Boundary what="The Data room">
            <DataRoom />
          </Boundary>
          <Boundary what="The Train room">
            <TrainRoom />
          </Boundary>
          <Boundary what="The Evaluate room">
            <EvaluateRoom />
          </Boundary>
        </div>
        <div className={styles.try}>
          <div className={styles.tryFrame}>
            <Boundary what="The Try room">
              <TryRoom />
            </Boundary>
          </div>
        </div>
        <div className={styles.models}>
          <Boundary what="The Models room">
            <ModelsRoom />
          </Boundary>
        </div>
      </main>
      <Footer />
      <DrawLink />
      <Toasts />
    </>
  );
}

/** Keeps the pad one step away where it is not beside the rooms; gone while the pad is in view. */
function DrawLink() {
  const [isPadInView, setPadInView] = useState(false);
  useEffect(() => {
    const pad = document.getElementById('try');
    if (!pad) return;
    const observer = new IntersectionObserver(([entry]) => {
      setPadInView(entry?.isIntersecting ?? false);
    });
    observer.observe(pad);
    return () => observer.disconnect();
  }, []);
  if (isPadInView) return null;
  return (
    <a className={styles.drawLink} href="#try">
      <PenLine aria-hidden size={18} />
      Draw
    </a>
  );
}
