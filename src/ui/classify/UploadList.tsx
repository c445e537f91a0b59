/** Owns the list of picture files with the outcome of each. */
import { CircleAlert, LoaderCircle, X } from 'lucide-react';
import { Button } from '../controls/Button.tsx';
import { PictureCanvas } from './PictureCanvas.tsx';
import styles from './UploadList.module.css';
import type { Upload } from './uploads.ts';
import { rank, sayAnswer, sayShare } from './words.ts';

export interface UploadListProps {
  readonly uploads: readonly Upload[];
  /** The one shown in place of the pad. */
  readonly shown: string | null;
  readonly onShow: (id: string) => void;
  readonly onRemove: (id: string) => void;
  readonly onClear: () => void;
}

export function UploadList({ uploads, shown, onShow, onRemove, onClear }: UploadListProps) {
  return (
    <section className={styles.list} aria-label="Your pictures">
      <div className={styles.head}>
        <h3 className={styles.title}>Your pictures</h3>
        {uploads.length > 1 && (
          <Button size="small" kind="quiet" onClick={onClear}>
            Remove all
          </Button>
        )}
      </div>
      <ul className={styles.rows} aria-live="polite">
        {uploads.map((upload) => (
          <li
            key={upload.id}
            className={styles.row}
            data-phase={upload.state.phase}
            data-shown={upload.id === shown || undefined}
          >
            <Row upload={upload} isShown={upload.id === shown} onShow={() => onShow(upload.id)} />
            <button
              type="button"
              className={styles.remove}
              aria-label={`Remove ${upload.name}`}
              onClick={() => onRemove(upload.id)}
            >
              <X aria-hidden size={16} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface RowProps {
  readonly upload: Upload;
  readonly isShown: boolean;
  readonly onShow: () => void;
}

function Row({ upload: { name, state }, isShown, onShow }: RowProps) {
  switch (state.phase) {
    case 'waiting':
      return (
        <div className={styles.entry}>
          <span className={styles.mark}>
            <LoaderCircle aria-hidden size={18} className={styles.turning} />
          </span>
          <span className={styles.text}>
            <span className={styles.name}>{name}</span>
            <span className={styles.outcome}>Waiting</span>
          </span>
        </div>
      );
    case 'refused':
      return (
        <div className={styles.entry}>
          <span className={styles.mark}>
            <CircleAlert aria-hidden size={18} />
          </span>
          <span className={styles.text}>
            <span className={styles.name}>{name}</span>
            <span className={styles.outcome} role="alert">
              {state.reason}
            </span>
          </span>
        </div>
      );
    case 'answered': {
      const { classification } = state;
      const { verdict } = classification;
      const first =
        classification.kind === 'garment' && verdict.kind !== 'cannotSay'
          ? rank(classification.probabilities)[0]
          : undefined;
      const picture = classification.steps[0]?.picture ?? state.picture;
      return (
        <button type="button" className={styles.entry} aria-pressed={isShown} onClick={onShow}>
          <PictureCanvas picture={picture} label="" className={styles.thumbnail} />
          <span className={styles.text}>
            <span className={styles.name}>{name}</span>
            <span className={`${styles.outcome} figures`}>
              {first ? `${first.name}, ${sayShare(first.probability)}` : sayAnswer(classification)}
            </span>
          </span>
        </button>
      );
    }
    default:
      return state satisfies never;
  }
}
