/** The table of a person's image files: the answer to each, in any order, and as CSV. */
import { CircleAlert, Download, LoaderCircle, X } from 'lucide-react';
import { useState } from 'react';
import type { Picture } from '../../image/picture.ts';
import { Button } from '../controls/Button.tsx';
import { download } from '../controls/download.ts';
import { Garment } from '../controls/Garment.tsx';
import { SortHead } from '../controls/SortHead.tsx';
import { classesOfModel, useSession } from '../useSession.ts';
import styles from './BatchTable.module.css';
import { toCsv } from './batchCsv.ts';
import { sayDoubt } from './doubts.ts';
import { confidenceOf, type Order, sortUploads } from './order.ts';
import { PictureCanvas } from './PictureCanvas.tsx';
import { changedSteps } from './steering.ts';
import { shownOf, type Upload } from './uploads.ts';
import { rank, sayAnswer, sayShare } from './words.ts';

export interface BatchTableProps {
  readonly uploads: readonly Upload[];
  /** The one shown in place of the pad. */
  readonly shown: string | null;
  readonly onShow: (id: string) => void;
  readonly onRemove: (id: string) => void;
  readonly onClear: () => void;
}

export function BatchTable({ uploads, shown, onShow, onRemove, onClear }: BatchTableProps) {
  const [order, setOrder] = useState<Order | null>(null);
  const numDone = uploads.filter(({ state }) => state.phase !== 'waiting').length;
  const spec = useSession(classesOfModel);
  const isWorking = numDone < uploads.length;
  return (
    <section className={styles.batch} aria-label="Your pictures">
      <div className={styles.head}>
        <h3 className={styles.title}>Your pictures</h3>
        <Button
          size="small"
          kind="quiet"
          icon={Download}
          aria-label="Download CSV"
          title="A line for each picture, with the probability of each class"
          disabled={numDone === 0}
          onClick={() => downloadCsv(toCsv(sortUploads(uploads, order), spec))}
        >
          CSV
        </Button>
        {uploads.length > 1 && (
          <Button size="small" kind="quiet" onClick={onClear}>
            Remove all
          </Button>
        )}
      </div>
      {isWorking && (
        <p className={`${styles.progress} figures`}>
          <progress value={numDone} max={uploads.length} aria-label="Pictures answered" />
          {numDone} of {uploads.length}
        </p>
      )}
      <p className="unseen" role="status">
        {isWorking ? 'Working on your pictures.' : sayOutcome(uploads)}
      </p>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">
              <span className="unseen">Picture</span>
            </th>
            <th scope="col">
              <span className="unseen">What the model sees</span>
            </th>
            <SortHead
              title="Name"
              direction={order?.column === 'name' ? order.direction : null}
              first="ascending"
              onSort={(direction) => setOrder({ column: 'name', direction })}
              data-column="name"
            />
            <SortHead
              title="Confidence"
              direction={order?.column === 'confidence' ? order.direction : null}
              first="ascending"
              onSort={(direction) => setOrder({ column: 'confidence', direction })}
              data-column="confidence"
            />
            <th scope="col">
              <span className="unseen">Remove</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sortUploads(uploads, order).map((upload) => (
            <Row
              key={upload.id}
              upload={upload}
              isShown={upload.id === shown}
              onShow={() => onShow(upload.id)}
              onRemove={() => onRemove(upload.id)}
            />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps {
  readonly upload: Upload;
  readonly isShown: boolean;
  readonly onShow: () => void;
  readonly onRemove: () => void;
}

function Row({ upload, isShown, onShow, onRemove }: RowProps) {
  const { file, state, steering } = upload;
  const { name } = file;
  const confidence = confidenceOf(upload);
  const classification = state.phase === 'answered' ? state.classification : null;
  const shown = shownOf(upload);
  return (
    <tr className={styles.row} data-phase={state.phase} data-shown={isShown || undefined}>
      <td className={styles.pictureCell}>
        {shown ? (
          <PictureCanvas
            picture={thumbnailOf(upload) ?? shown}
            label=""
            className={styles.thumbnail}
          />
        ) : (
          <span className={styles.mark}>
            {state.phase === 'waiting' ? (
              <LoaderCircle aria-hidden size={18} className="turning" />
            ) : (
              <CircleAlert aria-hidden size={18} />
            )}
          </span>
        )}
      </td>
      <td className={styles.pictureCell}>
        {classification?.kind === 'garment' && (
          <Garment pixels={classification.pixels} size={40} label="" />
        )}
      </td>
      <th scope="row" className={styles.textCell} colSpan={confidence === null ? 2 : 1}>
        {shown ? (
          <button type="button" className={styles.show} aria-pressed={isShown} onClick={onShow}>
            <span className={styles.name} title={name}>
              {name}
            </span>
            <Outcome upload={upload} />
          </button>
        ) : (
          <>
            <span className={styles.name} title={name}>
              {name}
            </span>
            <Outcome upload={upload} />
          </>
        )}
        {changedSteps(steering.settings).length > 0 && (
          <span className={styles.note}>Changed by hand</span>
        )}
        {classification?.kind === 'garment' &&
          classification.doubts.map((doubt) => (
            <span key={doubt} className={styles.doubt}>
              {sayDoubt(doubt, 'photo').short}
            </span>
          ))}
      </th>
      {confidence !== null && (
        <td className={`${styles.confidence} figures`}>{sayShare(confidence)}</td>
      )}
      <td>
        <button
          type="button"
          className={styles.remove}
          aria-label={`Remove ${name}`}
          onClick={onRemove}
        >
          <X aria-hidden size={16} />
        </button>
      </td>
    </tr>
  );
}

function Outcome({ upload: { state } }: { readonly upload: Upload }) {
  const spec = useSession(classesOfModel);
  switch (state.phase) {
    case 'waiting':
      return <span className={styles.outcome}>Waiting</span>;
    case 'refused':
    case 'unanswered':
      return (
        <span className={styles.reason} role="alert">
          {state.reason}
        </span>
      );
    case 'answered': {
      const { classification } = state;
      if (classification.kind === 'blank' || classification.verdict.kind === 'cannotSay') {
        return <span className={styles.reason}>{sayAnswer(classification, spec)}</span>;
      }
      return (
        <span className={styles.outcome}>{rank(classification.probabilities, spec)[0]?.name}</span>
      );
    }
    default:
      return state satisfies never;
  }
}

/** The small picture of the first step, cropped and turned as it is. */
function thumbnailOf({ state }: Upload): Picture | null {
  return state.phase === 'answered' ? (state.classification.steps[0]?.picture ?? null) : null;
}

function sayOutcome(uploads: readonly Upload[]): string {
  const numAnswered = uploads.filter((upload) => confidenceOf(upload) !== null).length;
  return `${numAnswered} of ${uploads.length} pictures answered.`;
}

function downloadCsv(csv: string): void {
  download(new Blob([csv], { type: 'text/csv;charset=utf-8' }), 'atelier-pictures.csv');
}
