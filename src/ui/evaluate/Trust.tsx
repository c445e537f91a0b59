/**
 * Owns how far the live model's answers can be believed: whether what it promises comes true, before
 * and after calibration, and how many pictures it would decline to name.
 */
import { Scale } from 'lucide-react';
import type { Calibration } from '../../ml/spec/calibration.ts';
import type { Evaluation } from '../../ml/spec/metrics.ts';
import { findHeldOut, type ModelCard } from '../../ml/spec/modelCard.ts';
import type { CalibrationState, DataInfo } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatCount, formatPercent } from '../controls/figures.ts';
import { Hint } from '../controls/Hint.tsx';
import { Notice } from '../controls/Notice.tsx';
import { session, useSession } from '../useSession.ts';
import { FEW_ANSWERS, ReliabilityDiagram, ReliabilityTable } from './ReliabilityDiagram.tsx';
import styles from './Trust.module.css';

export interface TrustProps {
  readonly card: ModelCard;
  /** Null where this model has not been measured since the page was opened. */
  readonly evaluation: Evaluation | null;
  readonly info: DataInfo | null;
  /** The model is about to change. */
  readonly isLearning: boolean;
}

export function Trust({ card, evaluation, info, isLearning }: TrustProps) {
  const state = useSession(({ calibration }) => calibration);
  const { calibration } = card;
  if (!calibration && !evaluation) return null;
  const before = evaluation && {
    title: 'As the network gives them',
    reliability: evaluation.reliability,
  };
  const after = evaluation?.calibrated && {
    title: 'Calibrated',
    reliability: evaluation.calibrated.reliability,
  };
  const columns = [before, after].filter((column) => column !== null && column !== undefined);
  return (
    <section className={styles.trust} aria-labelledby="trust-title">
      <h3 id="trust-title">
        How far to believe it{' '}
        <Hint term="Calibration">
          Of all answers given with 80 %, eight in ten should be right. Networks tend to promise
          more than that, or less. Calibration divides their scores by one number, the temperature,
          chosen on pictures that were held out from training. It changes how sure an answer sounds,
          never which answer it is.
        </Hint>
      </h3>
      {calibration ? (
        <Facts calibration={calibration} evaluation={evaluation} />
      ) : (
        !isLearning && <Uncalibrated card={card} info={info} state={state} />
      )}
      {columns.length > 0 && (
        <>
          <p className="quiet">
            Bars are the share of answers that were right, strokes what was promised. Where a stroke
            lies above its bar, too much was promised. Dashed bars rest on fewer than {FEW_ANSWERS}{' '}
            answers: chance moves them.
          </p>
          <div className={styles.diagrams}>
            {columns.map((column) => (
              <ReliabilityDiagram key={column.title} {...column} />
            ))}
          </div>
          <details className={styles.table}>
            <summary>The same as a table</summary>
            <div className={styles.diagrams}>
              {columns.map((column) => (
                <ReliabilityTable key={column.title} {...column} />
              ))}
            </div>
          </details>
        </>
      )}
    </section>
  );
}

function Facts({
  calibration,
  evaluation,
}: {
  readonly calibration: Calibration;
  readonly evaluation: Evaluation | null;
}) {
  const { temperature, numRows, data, familiarity } = calibration;
  const after = evaluation?.calibrated;
  return (
    <>
      <dl className={`${styles.facts} figures`}>
        {after && (
          <div>
            <dt>
              Calibration error{' '}
              <Hint term="Calibration error">
                How far promise and truth lie apart on the test set, on average over its pictures.
                Answers are sorted by how sure they are into fifteen groups of equal width. On a few
                hundred pictures, chance alone makes it a point or two.
              </Hint>
            </dt>
            <dd>
              {formatPercent(evaluation.reliability.error, 2)} before,{' '}
              <b>{formatPercent(after.reliability.error, 2)}</b> after
            </dd>
          </div>
        )}
        <div>
          <dt>
            Temperature{' '}
            <Hint term="Temperature">
              What the scores are divided by. Above 1, the network was too sure of itself; below 1,
              not sure enough.
            </Hint>
          </dt>
          <dd>
            <b>{temperature.toFixed(2)}</b>
          </dd>
        </div>
        {after && after.numRefused !== null && (
          <div>
            <dt>
              Declined{' '}
              <Hint term="Declined">
                Test pictures that it would not name, because they differ too much from the training
                pictures. The limit is set so that it keeps 95 % of the pictures held out from
                training; what is no garment at all should mostly lie beyond it.
              </Hint>
            </dt>
            <dd>
              <b>{formatCount(after.numRefused)}</b> of {formatCount(evaluation.numRows)} (
              {formatPercent(after.numRefused / Math.max(1, evaluation.numRows))})
            </dd>
          </div>
        )}
      </dl>
      <p className="quiet">
        Calibrated on {formatCount(numRows)} rows of {data} that were held out from training.{' '}
        {familiarity === null &&
          'It has no sense of what is no garment: that takes a network that ends in a dense layer, and enough rows.'}
        {!after && 'Evaluate it to see on the test set what that gains.'}
      </p>
    </>
  );
}

function Uncalibrated({
  card,
  info,
  state,
}: {
  readonly card: ModelCard;
  readonly info: DataInfo | null;
  readonly state: CalibrationState;
}) {
  const training =
    info && info.numTrain > 0 ? { name: info.trainFile, numRows: info.numTrain } : null;
  const heldOut = findHeldOut(card, training);
  if (state.phase === 'running') {
    return (
      <div className={styles.progress}>
        <progress max={state.total} value={state.done} aria-label="Calibration" />
        <span className="quiet figures">
          Calibrating: {formatCount(state.done)} of {formatCount(state.total)}
        </span>
      </div>
    );
  }
  return (
    <>
      {state.phase === 'failed' && (
        <Notice tone="error" title="The calibration did not finish">
          {state.fault.message}
        </Notice>
      )}
      <Notice
        tone="info"
        title="Not calibrated"
        action={
          heldOut === 'known' && (
            <Button size="small" icon={Scale} onClick={() => void session.calibrate()}>
              Calibrate
            </Button>
          )
        }
      >
        {WHY[heldOut](card)}
      </Notice>
    </>
  );
}

const WHY = {
  known: ({ data }: ModelCard) =>
    `Its probabilities are taken as they come, and it names whatever it is shown. The ${formatCount(data?.numValidation ?? 0)} rows that were held out when it was trained can put that right.`,
  otherData: ({ data }: ModelCard) =>
    `Its probabilities are taken as they come, and it names whatever it is shown. To calibrate it, load the training data it was made with, ${data?.name ?? ''}: the rows held out then are the ones that count.`,
  untold: () =>
    'Its probabilities are taken as they come, and it names whatever it is shown. Calibrating takes rows that it did not learn from, and its file does not tell which those are.',
} as const;
