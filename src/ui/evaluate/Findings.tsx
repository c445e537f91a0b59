/** Owns what the Evaluate room says: how good the live model is, and where it goes wrong. */
import { RefreshCw } from 'lucide-react';
import { useState } from 'react';
import { type Confusion, samplingError, worstConfusions } from '../../ml/spec/confusions.ts';
import type { Evaluation } from '../../ml/spec/metrics.ts';
import type { ModelCard } from '../../ml/spec/modelCard.ts';
import {
  type DataInfo,
  type DataState,
  dataInUse,
  type EvaluationState,
  type TrainingState,
} from '../../session/state.ts';
import { type Cell, ConfusionMatrix } from '../charts/ConfusionMatrix.tsx';
import { Button } from '../controls/Button.tsx';
import { formatCount, formatPercent } from '../controls/figures.ts';
import { Hint } from '../controls/Hint.tsx';
import { Notice } from '../controls/Notice.tsx';
import { session, useSession } from '../useSession.ts';
import { CellGarments } from './CellGarments.tsx';
import { ClassTable } from './ClassTable.tsx';
import styles from './Findings.module.css';
import { Trust } from './Trust.tsx';

const NUM_WORST = 6;

export function Findings() {
  const model = useSession((state) => state.model);
  const data = useSession((state) => state.data);
  const evaluation = useSession((state) => state.evaluation);
  const training = useSession((state) => state.training.phase);

  if (model.phase === 'loading') {
    return <p className="quiet">The model is being brought back.</p>;
  }
  if (model.phase === 'none') {
    return (
      <Notice tone="info" title="No model yet" action={<a href="#train">Go to Train</a>}>
        Train one, or load one that was kept, and its figures appear here.
      </Notice>
    );
  }

  const { card } = model;
  const info = dataInUse(data);
  const current = currentEvaluation(evaluation, card);
  const figures = current ?? card.test;
  const isLearning = willChange(training);
  return (
    <>
      <div className={styles.head}>
        {figures ? (
          <Headline card={card} figures={figures} />
        ) : (
          <p className="quiet">“{card.name}” has not been measured yet.</p>
        )}
        <div className={styles.action}>
          {evaluation.phase === 'running' ? (
            <Progress done={evaluation.done} total={evaluation.total} />
          ) : (
            info !== null &&
            info.numTest > 0 && (
              <Button
                icon={RefreshCw}
                disabled={isLearning}
                onClick={() => void session.evaluate()}
              >
                {current ? 'Evaluate again' : 'Evaluate'}
              </Button>
            )
          )}
          {isLearning && <p className="quiet">It is measured by itself once training is over.</p>}
        </div>
      </div>

      {evaluation.phase === 'failed' && (
        <Notice
          tone="error"
          title="The evaluation did not finish"
          action={
            <Button size="small" disabled={isLearning} onClick={() => void session.evaluate()}>
              Try again
            </Button>
          }
        >
          {evaluation.fault.message}
        </Notice>
      )}

      {(info === null || info.numTest === 0) && <NoData data={data} />}

      {evaluation.phase === 'ready' && current === null && (
        <Notice
          tone="info"
          title="The last evaluation was of another model"
          action={
            <Button size="small" disabled={isLearning} onClick={() => void session.evaluate()}>
              Evaluate this one
            </Button>
          }
        >
          Its confusion matrix is put away. Evaluate “{card.name}” to see what it mistakes for what.
        </Notice>
      )}

      {current && <Details key={card.id} evaluation={current} info={info} />}
      <Trust card={card} evaluation={current} info={info} isLearning={isLearning} />
    </>
  );
}

/** Only an evaluation of the live model counts. */
function currentEvaluation(evaluation: EvaluationState, card: ModelCard): Evaluation | null {
  return evaluation.phase === 'ready' && evaluation.modelId === card.id
    ? evaluation.evaluation
    : null;
}

/** Whether the live model is about to change, or to give way. A paused one holds still. */
function willChange(training: TrainingState['phase']): boolean {
  return ['waitingForData', 'preparing', 'training', 'stopping'].includes(training);
}

function NoData({ data }: { readonly data: DataState }) {
  if (data.phase === 'loading') {
    return <p className="quiet">The data is on its way.</p>;
  }
  return (
    <Notice
      tone="info"
      title="No test pictures yet"
      action={
        <Button size="small" onClick={() => void session.loadData('sample')}>
          Load the sample
        </Button>
      }
    >
      The confusion matrix and the figures for each class need test data. The sample is the
      quickest; the full set is in <a href="#data">Data</a>.
    </Notice>
  );
}

interface Figures {
  readonly data: string;
  readonly numRows: number;
  readonly accuracy: number;
  readonly loss: number;
}

function Headline({ card, figures }: { readonly card: ModelCard; readonly figures: Figures }) {
  const error = samplingError(figures.accuracy, figures.numRows);
  const numClasses = card.dataSpec.classNames.length;
  return (
    <div className={styles.headline}>
      <dl className={styles.figures}>
        <div>
          <dt>Accuracy</dt>
          <dd className={`${styles.large} figures`}>{formatPercent(figures.accuracy)}</dd>
          <dd className="quiet">
            ±{(error * 100).toFixed(1)} points{' '}
            <Hint term="Plus or minus">
              Another {formatCount(figures.numRows)} pictures of the same kind would give a slightly
              different figure. In 19 of 20 cases it would lie within this distance of the true one.
            </Hint>
          </dd>
        </div>
        <div>
          <dt>
            Loss{' '}
            <Hint term="Loss">
              Mean cross-entropy: how surprised the model is by the right answers. Nought is never
              surprised; {Math.log(numClasses).toFixed(1)} is plain guessing among {numClasses}.
            </Hint>
          </dt>
          <dd className={`${styles.large} figures`}>{figures.loss.toFixed(3)}</dd>
          <dd className="quiet">nats a picture</dd>
        </div>
      </dl>
      <p className="quiet">
        “{card.name}”, measured on {formatCount(figures.numRows)} rows of {figures.data}
        {isKnownUnseen(card, figures.data)
          ? ', which the model never saw in training.'
          : '. Whether the model saw any of them in training is not known here.'}
      </p>
    </div>
  );
}

/** A data set's own test files never go into training; of other files and imported models we cannot know. */
function isKnownUnseen(card: ModelCard, testFile: string): boolean {
  const ownFiles = Object.values(card.dataSpec.files ?? {}).map(({ test }) => test);
  return card.origin !== 'imported' && ownFiles.some((file) => file.endsWith(`/${testFile}`));
}

function Progress({ done, total }: { readonly done: number; readonly total: number }) {
  return (
    <div className={styles.progress}>
      <progress max={total} value={done} aria-label="Evaluation" />
      <span className="figures">
        {formatCount(done)} of {formatCount(total)}
      </span>
    </div>
  );
}

function Details({
  evaluation,
  info,
}: {
  readonly evaluation: Evaluation;
  readonly info: DataInfo | null;
}) {
  const worst = worstConfusions(evaluation.confusion, NUM_WORST);
  const [chosen, setChosen] = useState<Cell | null>(null);
  const cell = chosen ?? worst[0] ?? { actual: 0, taken: 0 };
  const hasSameRows =
    info !== null && info.testFile === evaluation.data && info.numTest === evaluation.numRows;
  return (
    <>
      <div className={styles.frame}>
        <div className={styles.details}>
          <section className={styles.section} aria-labelledby="confusions-title">
            <h3 id="confusions-title">What is taken for what</h3>
            <p className="quiet">
              Choose a cell to see its pictures. The stronger the colour, the more mistakes; the
              diagonal is right.
            </p>
            <ConfusionMatrix
              classNames={evaluation.classNames}
              counts={evaluation.confusion}
              selected={cell}
              onSelect={setChosen}
            />
          </section>

          <div className={styles.side}>
            <section className={styles.section} aria-labelledby="worst-title">
              <h3 id="worst-title">The worst confusions</h3>
              {worst.length === 0 ? (
                <p className="quiet">None: every picture was recognised.</p>
              ) : (
                <ol className={styles.worst}>
                  {worst.map((confusion) => (
                    <li key={`${confusion.actual} ${confusion.taken}`}>
                      <button
                        type="button"
                        className={styles.confusion}
                        aria-pressed={
                          cell.actual === confusion.actual && cell.taken === confusion.taken
                        }
                        onClick={() =>
                          setChosen({ actual: confusion.actual, taken: confusion.taken })
                        }
                      >
                        <Words confusion={confusion} classNames={evaluation.classNames} />
                      </button>
                    </li>
                  ))}
                </ol>
              )}
            </section>
            <CellGarments
              evaluation={evaluation}
              cell={cell}
              onSelect={setChosen}
              isAvailable={hasSameRows}
            />
          </div>
        </div>
      </div>

      <section className={styles.section} aria-labelledby="classes-title">
        <h3 id="classes-title">Class by class</h3>
        <ClassTable evaluation={evaluation} />
      </section>
    </>
  );
}

function Words({
  confusion,
  classNames,
}: {
  readonly confusion: Confusion;
  readonly classNames: readonly string[];
}) {
  const { actual, taken, count, support } = confusion;
  return (
    <>
      <strong>{classNames[actual]}</strong> was taken for <strong>{classNames[taken]}</strong>{' '}
      <span className={`${styles.times} figures`}>
        {count === 1 ? 'once' : `${formatCount(count)} times`} in {formatCount(support)}
      </span>
    </>
  );
}
