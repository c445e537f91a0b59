/**
 * Owns the Try room: a pad to draw on or a picture of one's own, and beside it, live, what the model
 * sees and what it says.
 */
import { ImagePlus, Shirt } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import { CLASS_NAMES } from '../../fashion.ts';
import type { Classification } from '../../image/picture.ts';
import { dataInUse } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatPercent } from '../controls/figures.ts';
import { Garment } from '../controls/Garment.tsx';
import { Notice } from '../controls/Notice.tsx';
import { Room } from '../controls/Room.tsx';
import { isLiveModelLearning, session, useSession } from '../useSession.ts';
import { Answer, Steps } from './Answer.tsx';
import type { Drawing } from './drawing.ts';
import { ACCEPTED_TYPES, listenForFiles } from './dropping.ts';
import { CLOTHS, Pad } from './Pad.tsx';
import { PictureCanvas } from './PictureCanvas.tsx';
import { STENCILS } from './stencils.ts';
import styles from './TryRoom.module.css';
import { UploadList } from './UploadList.tsx';
import { useUploads } from './uploads.ts';
import { sayAnswer } from './words.ts';

/**
 * How often a drawing is asked about while the pen moves. More often would be no livelier, and the
 * finished stroke would mostly find the worker busy with an unfinished one.
 */
const LIVE_INTERVAL_MS = 80;

type Outcome =
  /** Nothing has been drawn. */
  | { readonly phase: 'untouched' }
  | { readonly phase: 'answered'; readonly classification: Classification }
  | { readonly phase: 'failed'; readonly message: string };

export function TryRoom() {
  const model = useSession((state) => state.model);
  const card = model.phase === 'live' ? model.card : null;
  /** Ticks once a second while a model learns, so that its answers are seen to change. */
  const lesson = useSession((state) =>
    state.training.phase === 'training' ? Math.floor(state.training.run.elapsedMs / 1000) : -1,
  );
  const isLearning = useSession(isLiveModelLearning);
  /** Where the run stands; pictures from files are asked about anew when that changes. */
  const chapter = useSession(({ training }) =>
    'run' in training ? `${training.phase} ${training.run?.history.length}` : '',
  );
  const hasTestData = useSession((state) => (dataInUse(state.data)?.numTest ?? 0) > 0);

  const drawing = useRef<Drawing>(null);
  const [outcome, setOutcome] = useState<Outcome>({ phase: 'untouched' });
  const [isDrawing, setDrawing] = useState(false);
  /** Label of the test garment on the pad, until something is drawn on it. */
  const [truth, setTruth] = useState<number | null>(null);

  const { uploads, add, remove, clear } = useUploads(
    card && (isLearning ? `${card.id} ${chapter}` : card.id),
  );
  const [shownId, setShownId] = useState<string | null>(null);
  const shown = uploads.find((upload) => upload.id === shownId) ?? null;
  const [isDropTarget, setDropTarget] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const body = useRef<HTMLDivElement>(null);

  // ---- the pad --------------------------------------------------------------------------------

  const classifyPad = useCallback(async () => {
    if (!drawing.current) return;
    try {
      const classification = await session.classify(drawing.current.picture());
      // Null: a later stroke has been asked about meanwhile.
      if (classification) setOutcome({ phase: 'answered', classification });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      setOutcome({ phase: 'failed', message });
    }
  }, []);

  const frame = useRef<number | null>(null);
  const askedMs = useRef(0);
  const onChange = useCallback(
    (isStroke: boolean) => {
      setTruth(null);
      setDrawing(isStroke);
      if (frame.current !== null) cancelAnimationFrame(frame.current);
      frame.current = null;
      if (isStroke) {
        frame.current = requestAnimationFrame(() => {
          frame.current = null;
          if (performance.now() - askedMs.current < LIVE_INTERVAL_MS) return;
          askedMs.current = performance.now();
          void classifyPad();
        });
      } else {
        void classifyPad();
      }
    },
    [classifyPad],
  );

  // Another model, or the same one a second wiser, is asked about the same drawing.
  const answering = `${card?.id}/${lesson}`;
  useEffect(() => {
    if (answering !== '' && drawing.current?.canUndo()) void classifyPad();
  }, [answering, classifyPad]);

  async function layTestGarment(): Promise<void> {
    const count = dataInUse(session.store.getState().data)?.numTest ?? 0;
    if (count === 0) return;
    const offset = Math.floor(Math.random() * count);
    try {
      const page = await session.garments({ part: 'test', label: null, offset, count: 1 });
      drawing.current?.garment(page.pixels);
      setTruth(page.labels[0] ?? null);
    } catch (error) {
      setOutcome({
        phase: 'failed',
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }

  // ---- files ----------------------------------------------------------------------------------

  const bring = useCallback(
    (files: readonly File[]) => {
      const first = add(files);
      if (first !== null) setShownId(first);
      body.current?.closest('section')?.scrollIntoView({ block: 'nearest' });
    },
    [add],
  );

  useEffect(() => listenForFiles(window, { onFiles: bring, onHover: setDropTarget }), [bring]);

  // ---- what is shown --------------------------------------------------------------------------

  const isFileShown = shown !== null && shown.state.phase !== 'refused';
  const classification = isFileShown
    ? shown.state.phase === 'answered'
      ? shown.state.classification
      : null
    : outcome.phase === 'answered'
      ? outcome.classification
      : null;
  const isWaiting = isFileShown && shown.state.phase === 'waiting';

  const seen = (
    <figure className={styles.seen}>
      {classification?.kind === 'garment' ? (
        <Garment
          pixels={classification.pixels}
          size="fill"
          label="The 28 by 28 pixels the model sees"
        />
      ) : (
        <div className={styles.nothingSeen} />
      )}
      <figcaption>What the model sees</figcaption>
    </figure>
  );

  return (
    <Room id="try" title="Try" lede="Draw, or drop a picture anywhere.">
      <div ref={body} className={styles.body}>
        {isFileShown && (
          <div className={styles.file}>
            <div className={styles.photoFrame}>
              {shown.state.phase === 'answered' ? (
                <PictureCanvas
                  picture={shown.state.picture}
                  label={shown.name}
                  className={styles.photo}
                />
              ) : (
                <p className={styles.decoding}>Opening {shown.name}…</p>
              )}
            </div>
            {seen}
          </div>
        )}
        {/* Kept while a file is shown: the drawing waits under it. */}
        <div className={styles.padFrame} hidden={isFileShown}>
          <Pad
            onReady={(made) => {
              drawing.current = made;
            }}
            onChange={onChange}
            beside={seen}
          />
        </div>

        <div className={styles.bring}>
          <input
            ref={chooser}
            type="file"
            className="unseen"
            accept={ACCEPTED_TYPES}
            multiple
            tabIndex={-1}
            aria-label="Picture files"
            onChange={(event) => {
              const files = [...(event.target.files ?? [])];
              event.target.value = '';
              if (files.length > 0) bring(files);
            }}
          />
          {isFileShown && (
            <Button size="small" onClick={() => setShownId(null)}>
              Back to the pad
            </Button>
          )}
          <Button size="small" icon={ImagePlus} onClick={() => chooser.current?.click()}>
            Choose pictures
          </Button>
          {hasTestData && !isFileShown && (
            <Button size="small" icon={Shirt} onClick={() => void layTestGarment()}>
              Test garment
            </Button>
          )}
        </div>

        <div className={styles.verdict}>
          {model.phase === 'none' ? (
            <Notice
              tone={model.fault ? 'error' : 'info'}
              title="No model is live"
              action={
                <Button size="small" onClick={() => void session.loadShippedModel()}>
                  Load the shipped model
                </Button>
              }
            >
              {model.fault?.message ?? 'Train one, or bring back the one that came with the page.'}
            </Notice>
          ) : outcome.phase === 'failed' && !isFileShown ? (
            <Notice tone="error" title="No answer">
              {outcome.message}
            </Notice>
          ) : classification?.kind === 'garment' ? (
            <>
              <Answer classification={classification} />
              {truth !== null && !isFileShown && (
                <p className={styles.truth}>
                  From the test set, where it is labelled <strong>{CLASS_NAMES[truth]}</strong>.
                </p>
              )}
            </>
          ) : isWaiting ? (
            <p className={styles.quiet}>One moment.</p>
          ) : (
            <Blank
              isFile={isFileShown}
              onStencil={(path) => drawing.current?.stencil(path, CLOTHS[0].tone)}
            />
          )}
          {/* Spoken once a stroke has ended, not at every change on the way. */}
          <p className="unseen" role="status">
            {!isDrawing && classification ? sayAnswer(classification) : ''}
          </p>
        </div>

        {classification?.kind === 'garment' && <Steps steps={classification.steps} />}

        {uploads.length > 0 && (
          <UploadList
            uploads={uploads}
            shown={isFileShown ? shownId : null}
            onShow={setShownId}
            onRemove={remove}
            onClear={clear}
          />
        )}

        {card && (
          <p className={styles.model}>
            {isLearning ? (
              'The network in training answers, as far as it has learnt. How well it does on the test set is measured once the run is over.'
            ) : (
              <>
                <strong>{card.name}</strong> answers
                {card.test
                  ? `: ${formatPercent(card.test.accuracy)} of the test pictures right. Those are studio shots; expect less of photos and drawings.`
                  : '. How well it does has not been measured on the test set yet.'}
              </>
            )}{' '}
            {card.calibration?.familiarity
              ? 'It knows ten kinds of garment. What looks like none of them it declines to name, though not every time.'
              : 'It knows ten kinds of garment and will call anything one of them.'}
          </p>
        )}
        {model.phase === 'loading' && <p className={styles.model}>The model is on its way.</p>}
      </div>
      {isDropTarget &&
        createPortal(
          <div className={styles.veil} aria-hidden>
            <div className={styles.veilText}>Drop pictures to classify them</div>
          </div>,
          document.body,
        )}
    </Room>
  );
}

interface BlankProps {
  readonly isFile: boolean;
  readonly onStencil: (path: string) => void;
}

/** Nothing to classify: says so, and offers a start. */
function Blank({ isFile, onStencil }: BlankProps) {
  if (isFile) {
    return (
      <p className={styles.quiet} data-testid="blank">
        Nothing stands out from the background of this picture, so there is nothing to classify. A
        garment on a plain sheet of another colour works best.
      </p>
    );
  }
  return (
    <div className={styles.blank} data-testid="blank">
      <p className={styles.quiet}>
        A blank sheet, so nothing to classify. Draw, or begin with a stencil:
      </p>
      <div className={styles.stencils}>
        {STENCILS.map(({ name, path }) => (
          <button
            key={name}
            type="button"
            className={styles.stencil}
            aria-label={`Stencil: ${name}`}
            title={name}
            onClick={() => onStencil(path)}
          >
            <svg viewBox="-1 -1 30 30" aria-hidden="true">
              <path d={path} />
            </svg>
          </button>
        ))}
      </div>
    </div>
  );
}
