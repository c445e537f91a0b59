/** Owns how the facts of a model are written, for the live one and for each that is kept. */
import type { ReactNode } from 'react';
import type { ModelCard } from '../../ml/spec/modelCard.ts';
import { formatBytes, formatCount, formatPercent } from '../controls/figures.ts';
import styles from './ModelFacts.module.css';

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });

export interface ModelFactsProps {
  readonly card: ModelCard;
  /** Room it takes in storage; null where it is not kept. */
  readonly bytes: number | null;
  /** A run is training it now. */
  readonly isLearning?: boolean;
}

export function ModelFacts({ card, bytes, isLearning = false }: ModelFactsProps) {
  const { data, test } = card;
  const createdAt = new Date(card.createdAt);
  return (
    <dl className={`${styles.facts} figures`}>
      <Fact term="Test accuracy">
        {test ? (
          <>
            <b>{formatPercent(test.accuracy, 2)}</b>
            <small>of {formatCount(test.numRows)} pictures</small>
          </>
        ) : (
          <span className={styles.absent}>{isLearning ? 'once trained' : 'not measured'}</span>
        )}
      </Fact>
      <Fact term="Network">
        {card.network.title}
        <small>{formatCount(card.numParams)} parameters</small>
      </Fact>
      <Fact term="Data">
        {data ? (
          <>
            {formatCount(data.numTrain)} pictures
            <small title={data.name}>{data.name}</small>
          </>
        ) : (
          <span className={styles.absent}>not told</span>
        )}
      </Fact>
      <Fact term="Epochs">{epochsOf(card, isLearning)}</Fact>
      <Fact term="Date">
        <time dateTime={card.createdAt}>
          {DAY.format(createdAt)}
          <small>{TIME.format(createdAt)}</small>
        </time>
      </Fact>
      {bytes !== null && <Fact term="Size">{formatBytes(bytes)}</Fact>}
    </dl>
  );
}

/** Epochs it has learnt for. */
function epochsOf({ history, recipe, origin }: ModelCard, isLearning: boolean): ReactNode {
  if (isLearning && recipe) return `${history.length} of ${recipe.epochs}`;
  if (history.length > 0) return history.length;
  if (origin === 'trained') return 'less than one';
  return <span className={styles.absent}>not told</span>;
}

interface FactProps {
  readonly term: string;
  readonly children: ReactNode;
}

function Fact({ term, children }: FactProps) {
  return (
    <div className={styles.fact}>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}
