/** Owns the look at how training pictures are varied: a few garments, each beside what becomes of it. */
import { RefreshCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { Dataset } from '../../data/dataset.ts';
import { PIXELS } from '../../fashion.ts';
import { augmentBatch } from '../../ml/spec/augment.ts';
import type { Augmentation } from '../../ml/spec/recipe.ts';
import { createRandom } from '../../random.ts';
import { dataInUse } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { Garment } from '../controls/Garment.tsx';
import { session, useSession } from '../useSession.ts';
import styles from './VariationPreview.module.css';

/** Rows of the training file: any will do; these few show most of the classes early on. */
const NUM_GARMENTS = 6;
const NUM_VARIATIONS = 7;

export function VariationPreview({ augment }: { readonly augment: Augmentation }) {
  const numTrain = useSession((state) => dataInUse(state.data)?.numTrain ?? 0);
  const [turn, setTurn] = useState(0);
  const [garments, setGarments] = useState<Dataset | null>(null);

  useEffect(() => {
    if (numTrain === 0) return;
    let isCurrent = true;
    const random = createRandom(turn + 1);
    const rows = Uint32Array.from({ length: NUM_GARMENTS }, () => Math.floor(random() * numTrain));
    session.garmentsAt('train', rows).then(
      (found) => isCurrent && setGarments(found),
      () => isCurrent && setGarments(null),
    );
    return () => {
      isCurrent = false;
    };
  }, [numTrain, turn]);

  if (numTrain === 0) {
    return (
      <p className="quiet">
        There is no training data yet. <a href="#data">Load it</a>, and see here what becomes of it.
      </p>
    );
  }
  if (!garments) return <p className="quiet">One moment.</p>;
  return (
    <>
      <ul className={styles.rows}>
        {Array.from(garments.labels, (label, index) => {
          const original = garments.pixels.subarray(index * PIXELS, (index + 1) * PIXELS);
          const name = garments.spec.classNames[label] ?? `Class ${label}`;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the place in the list is what it is
            <li key={index} className={styles.row}>
              <Garment pixels={original} size={44} label={`${name}, as it is in the data`} />
              <span className={styles.becomes} aria-hidden>
                →
              </span>
              <div
                className={styles.variations}
                role="img"
                aria-label={`${name}, ${NUM_VARIATIONS} times varied`}
              >
                {vary(original, augment, turn * NUM_GARMENTS + index).map((pixels, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: the place in the list is what it is
                  <span key={at} aria-hidden>
                    <Garment pixels={pixels} size={44} label="" />
                  </span>
                ))}
              </div>
            </li>
          );
        })}
      </ul>
      <Button size="small" kind="quiet" icon={RefreshCw} onClick={() => setTurn(turn + 1)}>
        Show others
      </Button>
    </>
  );
}

/** As training would meet the picture in as many epochs. */
function vary(original: Uint8Array, augment: Augmentation, seed: number): Uint8Array[] {
  const random = createRandom(seed);
  return Array.from({ length: NUM_VARIATIONS }, () => {
    const pixels = original.slice();
    augmentBatch(pixels, 1, augment, random);
    return pixels;
  });
}
