/** The first thing one reads: what this is, that nothing leaves the machine, and Train. */
import { ArrowDown, Cpu, PenLine, Play } from 'lucide-react';
import { titleOfBackend } from '../../engine/backends.ts';
import { FASHION_MNIST } from '../../fashion.ts';
import { isUnderWay } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { Notice } from '../controls/Notice.tsx';
import { session, useSession } from '../useSession.ts';
import { GARMENT_LINES } from './garments.ts';
import styles from './Opening.module.css';

export function Opening() {
  return (
    <section id="top" className={styles.opening} aria-labelledby="opening-title">
      <Rail />
      <h1 id="opening-title" className={styles.title}>
        Train an image classifier in this tab
      </h1>
      <p className={styles.lede}>
        A network learns to tell ten kinds of clothes apart while you watch, and then names what you
        draw. Your own machine does all of it: nothing leaves it.
      </p>
      <Actions />
      <EngineNote />
    </section>
  );
}

function Actions() {
  const hasRun = useSession((state) => isUnderWay(state.training));
  const isWaiting = useSession((state) => state.training.phase === 'waitingForData');
  const isLoading = useSession((state) => state.data.phase === 'loading');

  const train = () => {
    void session.train(session.formJob());
    // The button gives way to a link now: the keyboard goes on where the run can be followed.
    document.getElementById('run-title')?.focus({ preventScroll: true });
    document.getElementById('run')?.scrollIntoView();
  };

  return (
    <div className={styles.actions}>
      {hasRun ? (
        <a className={styles.follow} href="#run">
          {isWaiting && isLoading ? 'Loading the data' : 'See it learn'}
          <ArrowDown aria-hidden size={17} />
        </a>
      ) : (
        <Button kind="primary" icon={Play} className={styles.train} onClick={train}>
          Train
        </Button>
      )}
      <a className={styles.draw} href="#try">
        <PenLine aria-hidden size={17} />
        Draw something first
      </a>
    </div>
  );
}

function EngineNote() {
  const engine = useSession((state) => state.engine);
  if (engine.phase === 'failed') {
    return (
      <Notice
        tone="error"
        title={
          engine.next === null
            ? 'The engine that does the arithmetic did not start'
            : 'The engine that does the arithmetic stopped'
        }
        action={
          <Button size="small" onClick={() => void session.retryEngine()}>
            {engine.next === null ? 'Retry' : `Retry with ${titleOfBackend(engine.next)}`}
          </Button>
        }
      >
        {engine.fault.message}
      </Notice>
    );
  }
  if (engine.phase === 'starting') return null;
  const { active, options, reason } = engine.info;
  const isOnGpu = (active === 'webgl' || active === 'webgpu') && !isSoftware(active);
  if (isOnGpu) return null;
  return (
    <p className={styles.engine} data-engine-note>
      <Cpu aria-hidden size={16} />
      <span>{reason}</span>
    </p>
  );

  function isSoftware(name: string): boolean {
    return options.some((option) => option.name === name && option.isSoftware);
  }
}

/** The ten kinds of garment on a rail. */
function Rail() {
  return (
    <div className={styles.rail}>
      {GARMENT_LINES.map((paths, label) => (
        <svg
          key={FASHION_MNIST.classNames[label]}
          aria-hidden="true"
          viewBox="0 0 48 56"
          className={styles.garment}
        >
          {paths.map((path) => (
            <path key={path} d={path} />
          ))}
        </svg>
      ))}
    </div>
  );
}
