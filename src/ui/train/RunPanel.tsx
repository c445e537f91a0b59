/** A run on the page: start, how far it is, pause and stop, and what to do once it is over. */
import { Pause, Play, Square } from 'lucide-react';
import { type ReactNode, useEffect, useRef } from 'react';
import { dataInUse, isUnderWay, type Run, type TrainingState } from '../../session/state.ts';
import { TrainingCharts } from '../charts/TrainingCharts.tsx';
import { Button } from '../controls/Button.tsx';
import { formatCount, formatDuration, formatPercent } from '../controls/figures.ts';
import { Hint } from '../controls/Hint.tsx';
import { Notice } from '../controls/Notice.tsx';
import { session, useSession } from '../useSession.ts';
import styles from './RunPanel.module.css';

export function RunPanel() {
  const training = useSession((state) => state.training);
  const isTrying = useSession((state) => state.trials.phase === 'trying');
  const run = 'run' in training ? training.run : null;
  const title = titleOf(training, isTrying);
  return (
    <section id="run" className={styles.panel} aria-labelledby="run-title">
      <div className={styles.head}>
        <div className={styles.status}>
          <h3 id="run-title" tabIndex={-1} className={styles.title}>
            {title}
          </h3>
          <p className={styles.sentence}>
            <Sentence training={training} />
          </p>
        </div>
        <Controls training={training} />
      </div>
      {training.phase === 'failed' && <Notice tone="error">{training.fault.message}</Notice>}
      <Obstacle training={training} />
      {run?.engineNote && <Notice tone="info">{run.engineNote}</Notice>}
      {training.phase !== 'idle' && <Progress training={training} />}
      {run && <Facts run={run} isOver={!isUnderWay(training)} />}
      <TrainingCharts run={run} />
      {training.phase === 'finished' && <WhatNext />}
      <Announcer training={training} title={title} />
    </section>
  );
}

/** @param isTrying Engines are being tried: where a run waits, it waits for that. */
function titleOf(training: TrainingState, isTrying: boolean): string {
  switch (training.phase) {
    case 'idle':
      return 'Ready to train';
    case 'waitingForData':
      return isTrying ? 'Choosing the engine' : 'Loading the data';
    case 'preparing':
      return 'Preparing';
    case 'training':
      return 'Learning';
    case 'paused':
      return 'Paused';
    case 'stopping':
      return 'Stopping';
    case 'finished':
      return { completed: 'Finished', earlyStopped: 'Finished early', stopped: 'Stopped' }[
        training.reason
      ];
    case 'failed':
      return training.run ? 'The run broke off' : 'The run did not start';
    default:
      return training satisfies never;
  }
}

function Sentence({ training }: { readonly training: TrainingState }): ReactNode {
  switch (training.phase) {
    case 'idle':
      return <Plan />;
    case 'waitingForData':
      return <DataOnItsWay />;
    case 'preparing':
      return 'Dealing out the pictures and warming up. The first step is slower than those after it.';
    case 'training':
      return 'You may leave this tab in the background, or try the model as it learns.';
    case 'paused':
      return 'The model so far is live: try it, then go on where it stopped.';
    case 'stopping':
      return 'Ending after the batch under way.';
    case 'finished':
      return finishedSentence(training);
    case 'failed':
      return 'The model that was live before still is, or the last good weights of this run.';
    default:
      return training satisfies never;
  }
}

function finishedSentence({ run, reason }: Extract<TrainingState, { phase: 'finished' }>): string {
  const kept = keptEpoch(run, reason);
  if (!kept) return 'It ended before its first epoch was over. The model so far is live.';
  const learnt = `${formatPercent(kept.validationAccuracy)} of the pictures held out are named rightly.`;
  if (kept.epoch === run.history.at(-1)?.epoch) return learnt;
  return `The weights of epoch ${kept.epoch} were the best and were kept. ${learnt}`;
}

/** The epoch whose weights the model has: the last or, as `train` says when, the best. */
function keptEpoch(run: Run, reason: string): Run['history'][number] | undefined {
  if (run.recipe.patience === 0 && reason !== 'stopped') return run.history.at(-1);
  return run.history.reduce<Run['history'][number] | undefined>(
    (best, record) => (best && best.validationLoss <= record.validationLoss ? best : record),
    undefined,
  );
}

/** What one press will do. */
function Plan() {
  const network = useSession((state) => state.network);
  const { epochs, seed, validationShare } = useSession((state) => state.recipe);
  const info = useSession((state) => dataInUse(state.data));
  const numPictures = info && info.numTrain > 0 ? formatCount(info.numTrain) : '60,000';
  return (
    <>
      {network.title}, {epochs} {epochs === 1 ? 'epoch' : 'epochs'}, {numPictures} pictures,{' '}
      {formatPercent(validationShare, 0)} of them held out, seed {seed}.
    </>
  );
}

function DataOnItsWay() {
  const data = useSession((state) => state.data);
  const isTrying = useSession((state) => state.trials.phase === 'trying');
  if (isTrying) {
    return 'Trying which engine trains this network fastest: once, for a few seconds. The run starts by itself.';
  }
  if (data.phase !== 'loading') return 'The run starts as soon as the pictures are here.';
  const share = data.totalBytes ? ` ${formatPercent(data.loadedBytes / data.totalBytes, 0)}` : '';
  const stage = {
    cache: 'Looking for the copy kept here.',
    fetch: `Fetching ${data.file}${share}.`,
    parse: `Reading ${data.file}: ${formatCount(data.rows)} pictures so far.`,
    keep: 'Keeping a copy for the next visit.',
  }[data.stage];
  return <>{stage} The run starts by itself.</>;
}

/**
 * What keeps a run from starting, or makes it another than the one asked for. The Data room and the
 * opening passage tell of it too, but whoever pressed Train is looking here.
 */
function Obstacle({ training }: { readonly training: TrainingState }) {
  const data = useSession((state) => state.data);
  const engine = useSession((state) => state.engine);
  if (isUnderWay(training)) {
    return data.phase === 'ready' && data.note ? <Notice tone="info">{data.note}</Notice> : null;
  }
  if (engine.phase === 'failed') {
    return (
      <Notice tone="warning" title="There is no engine to train with">
        {engine.fault.message}
      </Notice>
    );
  }
  if (data.phase === 'failed' && !data.previous) {
    return (
      <Notice tone="warning" title="There is no data to train on">
        {data.fault.message}
      </Notice>
    );
  }
  return null;
}

function Controls({ training }: { readonly training: TrainingState }) {
  const { phase } = training;
  // A press swaps the buttons: the keyboard's focus stays with this group, not lost on the page.
  const group = useRef<HTMLFieldSetElement>(null);
  const hadFocus = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the phase swaps the buttons.
  useEffect(() => {
    if (!hadFocus.current) return;
    if (document.activeElement !== document.body) return;
    group.current?.querySelector<HTMLButtonElement>('button:not(:disabled)')?.focus();
  }, [phase]);

  const canStart = !isUnderWay(training);
  return (
    <fieldset
      ref={group}
      className={styles.controls}
      onFocus={() => {
        hadFocus.current = true;
      }}
      onBlur={(event) => {
        // A button that is removed under the focus blurs to nowhere; that is not leaving.
        if (event.relatedTarget !== null) hadFocus.current = false;
      }}
    >
      <legend className="unseen">The run</legend>
      {canStart && (
        <Button kind="primary" icon={Play} onClick={() => void session.train(session.formJob())}>
          {phase === 'idle' ? 'Start the run' : 'Start another run'}
        </Button>
      )}
      {phase === 'paused' && (
        <Button kind="primary" icon={Play} onClick={() => session.resume()}>
          Resume
        </Button>
      )}
      {(phase === 'training' || phase === 'preparing') && (
        <Button icon={Pause} disabled={phase === 'preparing'} onClick={() => session.pause()}>
          Pause
        </Button>
      )}
      {!canStart && (
        <Button icon={Square} busy={phase === 'stopping'} onClick={() => session.stop()}>
          Stop
        </Button>
      )}
    </fieldset>
  );
}

function Progress({ training }: { readonly training: TrainingState }) {
  const share = shareDone(training);
  return (
    <div
      className={styles.bar}
      role="progressbar"
      aria-label="Progress of the run"
      aria-valuemin={0}
      aria-valuemax={100}
      {...(share !== null && { 'aria-valuenow': Math.round(share * 100) })}
      data-phase={training.phase}
    >
      <div
        className={share === null ? styles.unknown : styles.done}
        style={share === null ? undefined : { scale: `${share} 1` }}
      />
    </div>
  );
}

/** 0–1, or null while that cannot be said. */
function shareDone(training: TrainingState): number | null {
  if (training.phase === 'waitingForData' || training.phase === 'preparing') return null;
  const run = 'run' in training ? training.run : null;
  if (!run || run.stepsPerEpoch === 0) return 0;
  return Math.min(1, run.step / (run.stepsPerEpoch * run.recipe.epochs));
}

function Facts({ run, isOver }: { readonly run: Run; readonly isOver: boolean }) {
  const training = run.trainPoints.at(-1);
  const validation = run.validationPoints.at(-1);
  return (
    <dl className={styles.facts}>
      <Fact term="Epoch" figure={`${run.epoch} of ${run.recipe.epochs}`} />
      <Fact
        term="Step"
        figure={`${formatCount(run.step)} of ${formatCount(run.stepsPerEpoch * run.recipe.epochs)}`}
      />
      <Fact term="Images per second" figure={known(run.imagesPerSecond, formatCount)} />
      <Fact term="Elapsed" figure={formatDuration(run.elapsedMs)} />
      {isOver ? (
        <Fact term="Learnt from" figure={`${formatCount(run.numTrain)} pictures`} />
      ) : (
        <Fact term="Remaining" figure={remaining(run)} />
      )}
      <Fact
        term="Learning rate"
        figure={known(run.learningRate, formatRate)}
        hint="How large a step the network takes towards a better answer after each batch. The schedule changes it during the run."
      />
      <Fact
        term="Training accuracy"
        figure={training ? formatPercent(training.accuracy) : '–'}
        hint="Share of the training pictures named rightly just now, smoothed. The network learns from these."
      />
      <Fact
        term="Validation accuracy"
        figure={validation ? formatPercent(validation.accuracy) : '–'}
        hint="The same on pictures held out, measured after each epoch. The network never learns from these, so this is the honest figure."
      />
    </dl>
  );
}

function Fact(props: { readonly term: string; readonly figure: string; readonly hint?: string }) {
  return (
    <div>
      <dt className={styles.term}>
        {props.term}
        {props.hint && <Hint term={props.term}>{props.hint}</Hint>}
      </dt>
      <dd className={`${styles.figure} figures`}>{props.figure}</dd>
    </div>
  );
}

function known(value: number, format: (value: number) => string): string {
  return value > 0 ? format(value) : '–';
}

function formatRate(rate: number): string {
  return rate >= 0.0001 ? rate.toPrecision(3) : rate.toFixed(7);
}

/** From the pace of the whole run so far, which is steadier than that of the last second. */
function remaining(run: Run): string {
  const steps = run.stepsPerEpoch * run.recipe.epochs;
  if (run.step === 0 || steps === 0) return '–';
  return formatDuration((run.elapsedMs / run.step) * Math.max(0, steps - run.step));
}

function WhatNext() {
  const evaluation = useSession((state) => state.evaluation);
  return (
    <div className={styles.next}>
      <p>
        {evaluation.phase === 'ready' ? (
          <>
            On the {formatCount(evaluation.evaluation.numRows)} test pictures:{' '}
            <strong className="figures">
              {formatPercent(evaluation.evaluation.accuracy, 2)} right
            </strong>
            .
          </>
        ) : evaluation.phase === 'running' ? (
          'Measuring it on the test pictures now.'
        ) : (
          'What next?'
        )}
      </p>
      <ul className={styles.ways}>
        <li>
          <a href="#evaluate">See where it errs</a>
        </li>
        <li>
          <a href="#try">Try it</a>
        </li>
        <li>
          <a href="#models">Keep it</a>
        </li>
      </ul>
    </div>
  );
}

/** Tells screen readers of phases and epochs, and not of every step. */
function Announcer({
  training,
  title,
}: {
  readonly training: TrainingState;
  readonly title: string;
}) {
  const last = 'run' in training ? training.run?.history.at(-1) : undefined;
  const epoch = last
    ? ` Epoch ${last.epoch}: validation accuracy ${formatPercent(last.validationAccuracy)}.`
    : '';
  return (
    <p className="unseen" aria-live="polite">
      {training.phase === 'idle' ? '' : `${title}.${epoch}`}
    </p>
  );
}
