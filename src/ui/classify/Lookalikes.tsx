/**
 * Owns the training pictures most alike to a picture, shown beside it at the same size, so that a
 * person sees why the model answers as it does.
 */
import { useEffect, useState } from 'react';
import { PIXELS } from '../../fashion.ts';
import type { Lookalikes as Found } from '../../session/session.ts';
import { dataInUse, hasRunUnderWay } from '../../session/state.ts';
import { formatCount } from '../controls/figures.ts';
import { Garment } from '../controls/Garment.tsx';
import { Hint } from '../controls/Hint.tsx';
import { session, useSession } from '../useSession.ts';
import styles from './Lookalikes.module.css';

export interface LookalikesProps {
  /** `[784]` bytes, as the model sees them. */
  readonly pixels: Uint8Array;
  /** The class it was taken for. */
  readonly label: number;
  /** While the picture still changes under a hand, what was found last stays. */
  readonly isChanging: boolean;
}

type Look =
  | { readonly phase: 'looking' }
  | { readonly phase: 'found'; readonly label: number; readonly found: Found }
  | { readonly phase: 'failed'; readonly message: string };

const NUM_SHOWN = 5;

export function Lookalikes({ pixels, label, isChanging }: LookalikesProps) {
  const data = useSession((state) => dataInUse(state.data));
  // A card that is new tells of a model that is, and of the end of a run.
  const card = useSession(({ model }) => (model.phase === 'live' ? model.card : null));
  const isRunning = useSession(({ training }) => hasRunUnderWay(training));
  const hasData = (data?.numTrain ?? 0) > 0;
  const canLook = hasData && !isRunning && card !== null;
  const [look, setLook] = useState<Look>({ phase: 'looking' });

  // biome-ignore lint/correctness/useExhaustiveDependencies: another model or other data answer anew
  useEffect(() => {
    if (!canLook || isChanging) return;
    let isCurrent = true;
    session.lookalikes(pixels, label).then(
      // Null: a later question came between, and its answer will be shown.
      (found) => found && isCurrent && setLook({ phase: 'found', label, found }),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        if (isCurrent) setLook({ phase: 'failed', message });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [pixels, label, isChanging, canLook, card, data]);

  if (!hasData) {
    return (
      <p className="quiet">
        Load the <a href="#data">training data</a> to see which of its pictures look most like this
        one.
      </p>
    );
  }
  if (isRunning) {
    return (
      <p className="quiet">
        Once the run is over, the training pictures most like this one are shown here.
      </p>
    );
  }
  if (look.phase === 'failed') return <p className="quiet">{look.message}</p>;

  const name = data?.spec.classNames[label] ?? `class ${label}`;
  // What looked alike in another class says nothing about this one.
  const found = look.phase === 'found' && look.label === label ? look.found : null;
  return (
    <section
      className={styles.lookalikes}
      aria-label="Most alike in the training data"
      aria-busy={found === null}
      data-changing={isChanging || undefined}
    >
      <p className={styles.head}>
        Most alike in the training data
        <Hint term="Most alike in the training data">
          Of all training pictures labelled {name}
          {found ? ` (${formatCount(found.numCompared)})` : ''}, the five that excite the network’s
          last layer most as yours does, the nearest first. They show what it takes yours for; that
          it is right they do not show.
        </Hint>
      </p>
      <ol className={styles.row}>
        <li className={styles.own}>
          <Garment pixels={pixels} size="fill" label="Yours, as the model sees it" />
          <span className={styles.caption}>Yours</span>
        </li>
        {Array.from({ length: NUM_SHOWN }, (_, i) => {
          const row = found?.rows[i];
          return row === undefined ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: places in a row
            <li key={i} className={styles.place} aria-hidden />
          ) : (
            <li key={row} data-row={row}>
              <Garment
                pixels={found?.pixels.subarray(i * PIXELS, (i + 1) * PIXELS) ?? new Uint8Array(0)}
                size="fill"
                label={`Training picture ${formatCount(row + 1)}, labelled ${name}`}
              />
            </li>
          );
        })}
      </ol>
    </section>
  );
}
