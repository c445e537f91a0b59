/** How an answer is shown: the verdict in words, and all probabilities with the top three first. */
import type { Classification } from '../../ml/spec/verdict.ts';
import { classesOfModel, useSession } from '../useSession.ts';
import styles from './Answer.module.css';
import { type Ranked, rank, sayAnswer, sayMore, sayShare } from './words.ts';

type Garment = Extract<Classification, { kind: 'garment' }>;

export function Answer({ classification }: { readonly classification: Garment }) {
  const spec = useSession(classesOfModel);
  const ranked = rank(classification.probabilities, spec);
  const more = sayMore(classification, spec);
  const top = ranked.slice(0, 3);
  const rest = ranked.slice(3).sort((a, b) => a.label - b.label);
  return (
    <div className={styles.answer} data-verdict={classification.verdict.kind}>
      <p className={styles.words} data-testid="answer">
        {sayAnswer(classification, spec)}
      </p>
      {more !== null && <p className={styles.more}>{more}</p>}
      <ol className={styles.bars} aria-label="Probability of each class, the top three first">
        {[...top, ...rest].map((entry, i) => (
          <Bar key={entry.label} entry={entry} isTop={i < 3} />
        ))}
      </ol>
    </div>
  );
}

function Bar({ entry, isTop }: { readonly entry: Ranked; readonly isTop: boolean }) {
  return (
    <li className={styles.bar} data-top={isTop || undefined} data-label={entry.label}>
      <span>{entry.name}</span>
      <span className={styles.track} aria-hidden>
        <span className={styles.fill} style={{ scale: `${entry.probability} 1` }} />
      </span>
      <span className={`${styles.share} figures`}>{sayShare(entry.probability)}</span>
    </li>
  );
}
