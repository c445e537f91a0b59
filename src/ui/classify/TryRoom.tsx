/**
 * The Try room: a pad to draw on or an image of one's own, and beside it, live, what the model sees
 * and what it says.
 */
import { ImagePlus, Shirt } from 'lucide-react';
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import { useStore } from 'zustand';
import type { PictureSettings } from '../../image/picture.ts';
import type { Classification } from '../../ml/spec/verdict.ts';
import { dataInUse } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatPercent } from '../controls/figures.ts';
import { Garment } from '../controls/Garment.tsx';
import { Notice } from '../controls/Notice.tsx';
import { Room } from '../controls/Room.tsx';
import { toast } from '../controls/toast.tsx';
import { classesOfModel, isLiveModelLearning, session, useSession } from '../useSession.ts';
import { Answer } from './Answer.tsx';
import { Doubts } from './Doubts.tsx';
import type { Drawing } from './drawing.ts';
import { ACCEPTED_TYPES, listenForFiles } from './dropping.ts';
import { Pad } from './Pad.tsx';
import { changedSteps, type Steering, steer, takeBack, UNSTEERED } from './steering.ts';
import styles from './TryRoom.module.css';
import { createUploads, type Removed, shownOf } from './uploads.ts';
import { rank, SHIPPED_LIMITS, sayAnswer, sayKinds } from './words.ts';

// Wanted once there is a picture: they come after the first load.
const FileView = lazy(async () => ({ default: (await import('./FileView.tsx')).FileView }));
const Lookalikes = lazy(async () => ({ default: (await import('./Lookalikes.tsx')).Lookalikes }));
const BatchTable = lazy(async () => ({ default: (await import('./BatchTable.tsx')).BatchTable }));
const Steps = lazy(async () => ({ default: (await import('./Steps.tsx')).Steps }));

/**
 * How often a drawing is asked about while the pen moves. More often would be no livelier, and the
 * finished stroke would mostly find the worker busy with an unfinished one.
 */
const LIVE_INTERVAL_MS = 80;

/** The image id of the drawing, which is another image after each change. */
const PAD = 'pad';

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
  const spec = useSession(classesOfModel);
  const testSpec = useSession((state) => dataInUse(state.data)?.spec);
  const hasTestData = useSession((state) => (dataInUse(state.data)?.numTest ?? 0) > 0);

  const drawing = useRef<Drawing>(null);
  const [outcome, setOutcome] = useState<Outcome>({ phase: 'untouched' });
  /** From the first touch of a stroke until the finished drawing is answered. */
  const [isDrawing, setDrawing] = useState(false);
  const isPenDown = useRef(false);
  /** Label of the test garment on the pad, until something is drawn on it. */
  const [truth, setTruth] = useState<number | null>(null);

  const padSteering = useRef(UNSTEERED);
  const [shownSteering, setShownSteering] = useState(UNSTEERED);

  const [uploads] = useState(() => createUploads(session));
  const list = useStore(uploads.store);
  const [shownId, setShownId] = useState<string | null>(null);
  const shownAt = list.findIndex((upload) => upload.id === shownId);
  /** The chosen file; where that could not be opened, the next that could. Null: the pad. */
  const shown =
    shownAt < 0
      ? null
      : (list.slice(shownAt).find((upload) => upload.state.phase !== 'refused') ?? null);
  const isFileShown = shown !== null;
  const chosen = list[shownAt]?.state;
  /** Why the pad is still there though a file was chosen. */
  const refusal = !shown && chosen?.phase === 'refused' ? chosen.reason : null;
  /** What a person chose to see of the steps; null where they left it to the page. */
  const [areStepsOpen, setStepsOpen] = useState<boolean | null>(null);
  /** Whether the steps of a drawing come with their pictures: opened, they are asked for anew. */
  const areStepsSeen = useRef(false);
  const [isDropTarget, setDropTarget] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const body = useRef<HTMLDivElement>(null);

  // ---- the pad --------------------------------------------------------------------------------

  const classifyPad = useCallback(async () => {
    if (!drawing.current) return;
    const isFinished = !isPenDown.current;
    try {
      const classification = await session.classify(
        PAD,
        padSteering.current.settings,
        areStepsSeen.current,
      );
      // A later stroke has been asked about meanwhile.
      if (!classification) return;
      setOutcome({ phase: 'answered', classification });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      setOutcome({ phase: 'failed', message });
    }
    if (isFinished && !isPenDown.current) setDrawing(false);
  }, []);

  /** The pixels are read when a question is sent, and not at every change. */
  const putPad = useCallback(() => {
    const { current: made } = drawing;
    if (made) session.putImage(PAD, () => made.picture());
  }, []);

  const frame = useRef<number | null>(null);
  const askedMs = useRef(0);
  const onChange = useCallback(
    (isStroke: boolean) => {
      isPenDown.current = isStroke;
      putPad();
      const askSoon = () => {
        frame.current = requestAnimationFrame(() => {
          // Put off rather than left out: a hand that has come to rest is shown where it rests.
          if (performance.now() - askedMs.current < LIVE_INTERVAL_MS) return askSoon();
          frame.current = null;
          askedMs.current = performance.now();
          void classifyPad();
        });
      };
      if (isStroke) {
        if (frame.current === null) askSoon();
      } else {
        if (frame.current !== null) cancelAnimationFrame(frame.current);
        frame.current = null;
        void classifyPad();
      }
      // Only now: what is rendered holds up nothing that is asked.
      setShownId(null);
      setTruth(null);
      if (isStroke) setDrawing(true);
    },
    [classifyPad, putPad],
  );

  // Another model, or the same one a second wiser, is asked about the same drawing.
  const answering = `${card?.id}/${lesson}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when another model answers
  useEffect(() => {
    if (!isFileShown && drawing.current?.canUndo()) void classifyPad();
  }, [answering, isFileShown, classifyPad]);

  useEffect(() => {
    areStepsSeen.current = areStepsOpen === true;
    if (areStepsSeen.current && !isFileShown && drawing.current?.canUndo()) void classifyPad();
  }, [areStepsOpen, isFileShown, classifyPad]);

  function steerPad(next: Steering): void {
    padSteering.current = next;
    setShownSteering(next);
    void classifyPad();
  }

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

  /** The model that answers and, while it learns, how far it is. */
  const askedOf = card && (isLearning ? `${card.id} ${chapter}` : card.id);
  const answeredBy = useRef(askedOf);
  useEffect(() => {
    if (askedOf === null || askedOf === answeredBy.current) return;
    answeredBy.current = askedOf;
    uploads.askAgain();
  }, [askedOf, uploads]);

  const bring = useCallback(
    (files: readonly File[]) => {
      const first = uploads.add(files);
      if (first !== null) setShownId(first);
      body.current?.closest('section')?.scrollIntoView({ block: 'nearest' });
    },
    [uploads],
  );

  /** To the pad, or to the file in its place: below may be a long table. */
  function scrollToTop(): void {
    body.current?.firstElementChild?.scrollIntoView({ block: 'nearest' });
  }

  function show(id: string): void {
    setShownId(id);
    scrollToTop();
  }

  function remove(id: string): void {
    const at = list.findIndex((upload) => upload.id === id);
    const removed = uploads.remove(id);
    if (shown?.id === id) setShownId((list[at + 1] ?? list[at - 1])?.id ?? null);
    offerUndo(`“${list[at]?.file.name}” was removed`, removed);
  }

  function clear(): void {
    const removed = uploads.clear();
    setShownId(null);
    scrollToTop();
    offerUndo(`${removed.uploads.length} pictures were removed`, removed);
  }

  function offerUndo(title: string, removed: Removed): void {
    const shownBefore = shown?.id ?? null;
    const putBack = () => {
      uploads.restore(removed);
      setShownId(shownBefore);
    };
    toast({ title, action: { label: 'Undo', onPress: putBack } });
  }

  useEffect(() => listenForFiles(window, { onFiles: bring, onHover: setDropTarget }), [bring]);

  // ---- what is shown --------------------------------------------------------------------------

  const classification = shown
    ? shown.state.phase === 'answered'
      ? shown.state.classification
      : null
    : outcome.phase === 'answered'
      ? outcome.classification
      : null;
  const isWaiting = shown?.state.phase === 'waiting';
  const fault =
    shown?.state.phase === 'unanswered'
      ? shown.state.reason
      : !shown && outcome.phase === 'failed'
        ? outcome.message
        : null;
  /** A picture that still changes under the pen. */
  const isUnfinished = isDrawing && !isFileShown;
  const steering = shown ? shown.steering : shownSteering;
  const steerShown = (change: Partial<PictureSettings>, gesture: string) => {
    if (shown) uploads.steer(shown.id, change, gesture);
    else steerPad(steer(padSteering.current, change, gesture));
  };
  const undoSteering = () => {
    if (shown) uploads.takeBack(shown.id);
    else steerPad(takeBack(padSteering.current));
  };
  // A blank pad has no steps worth showing, unless it is a step that makes it blank.
  const areStepsShown =
    classification !== null &&
    (isFileShown ||
      classification.kind === 'garment' ||
      changedSteps(steering.settings).length > 0);

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
        {shown && (
          <div className={styles.fileFrame}>
            <Suspense>
              <FileView
                key={shown.id}
                name={shown.file.name}
                picture={shownOf(shown)}
                settings={shown.steering.settings}
                onSteer={steerShown}
                onUndo={undoSteering}
                seen={seen}
              />
            </Suspense>
          </div>
        )}
        {/* Kept while a file is shown: the drawing waits under it. */}
        <div className={styles.padFrame} hidden={isFileShown}>
          <Pad
            onReady={(made) => {
              drawing.current = made;
              putPad();
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
          {refusal !== null && (
            <Notice tone="warning" title="This file was not opened">
              {refusal}
            </Notice>
          )}
          {model.phase === 'none' ? (
            <Notice
              tone={model.fault ? 'error' : 'info'}
              title="No model is live"
              action={
                <Button size="small" onClick={() => void session.loadShippedModel()}>
                  Use Atelier’s own model
                </Button>
              }
            >
              {model.fault?.message ?? 'Train one, or use the one that came with Atelier.'}
            </Notice>
          ) : fault !== null ? (
            <Notice tone="error" title="No answer">
              {fault}
            </Notice>
          ) : classification?.kind === 'garment' ? (
            <>
              <Answer classification={classification} />
              {!isUnfinished && (
                <Doubts doubts={classification.doubts} about={isFileShown ? 'photo' : 'drawing'} />
              )}
              {truth !== null && !isFileShown && (
                <p className={styles.truth}>
                  From the test set, where it is labelled{' '}
                  <strong>{testSpec?.classNames[truth]}</strong>.
                </p>
              )}
            </>
          ) : isWaiting ? (
            <p className={styles.quiet}>One moment.</p>
          ) : (
            <Blank isFile={isFileShown} />
          )}
          {/* Spoken once a stroke has ended, not at every change on the way. */}
          <p className="unseen" role="status">
            {!isDrawing && classification ? sayAnswer(classification, spec) : ''}
          </p>
        </div>

        <Suspense>
          {classification?.kind === 'garment' && (
            <Lookalikes
              pixels={classification.pixels}
              label={rank(classification.probabilities, spec)[0]?.label ?? 0}
              isChanging={isUnfinished}
            />
          )}
          {areStepsShown && (
            <Steps
              steps={classification.steps}
              steering={steering}
              isDrawing={!isFileShown}
              isOpen={areStepsOpen}
              // Among many pictures the table comes first.
              isWanted={isFileShown && list.length === 1}
              onOpen={setStepsOpen}
              onSteer={steerShown}
              onUndo={undoSteering}
            />
          )}
          {list.length > 0 && (
            <BatchTable
              uploads={list}
              shown={shown?.id ?? null}
              onShow={show}
              onRemove={remove}
              onClear={clear}
            />
          )}
        </Suspense>

        {card && (
          <p className={styles.model}>
            {isLearning ? (
              'The network in training answers, as far as it has learnt. How well it does on the test set is measured once the run is over.'
            ) : (
              <>
                <strong>{card.origin === 'shipped' ? 'Atelier’s own model' : card.name}</strong>{' '}
                answers
                {card.test
                  ? `: ${formatPercent(card.test.accuracy)} of the test pictures right. ${card.origin === 'shipped' ? SHIPPED_LIMITS : 'Those are studio shots; expect less of photos and drawings.'}`
                  : '. How well it does has not been measured on the test set yet.'}
              </>
            )}{' '}
            {card.calibration?.familiarity
              ? `It knows ${sayKinds(spec)}. It declines to answer for what looks like none of them, though not every time.`
              : `It knows ${sayKinds(spec)} and will call anything one of them.`}
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

/** Nothing to classify: says so, and what would help. */
function Blank({ isFile }: { readonly isFile: boolean }) {
  return (
    <p className={styles.quiet} data-testid="blank">
      {isFile
        ? 'Nothing stands out from the background of this picture, so there is nothing to classify. A garment on a plain sheet of another colour works best.'
        : 'A blank sheet, so nothing to classify. Draw round a garment, or trace one; how large and where on the sheet makes no difference.'}
    </p>
  );
}
