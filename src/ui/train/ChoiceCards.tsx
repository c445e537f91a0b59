/** Owns a choice of one among a few, each on a card that says what one gets. */
import type { ReactNode } from 'react';
import styles from './ChoiceCards.module.css';

export function ChoiceCards(props: { readonly legend: string; readonly children: ReactNode }) {
  return (
    <fieldset>
      <legend className={styles.legend}>{props.legend}</legend>
      <div className={styles.cards}>{props.children}</div>
    </fieldset>
  );
}

export interface ChoiceCardProps {
  /** The same for all cards of one choice. */
  readonly group: string;
  readonly title: string;
  readonly summary: string;
  /** Figures, a line each. */
  readonly facts: readonly string[];
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

export function ChoiceCard(props: ChoiceCardProps) {
  return (
    <label className={styles.card}>
      <span className={styles.head}>
        <input
          type="radio"
          className={styles.radio}
          name={props.group}
          checked={props.isChosen}
          onChange={props.onChoose}
        />
        <span className={styles.title}>{props.title}</span>
      </span>
      <span className={styles.summary}>{props.summary}</span>
      {props.facts.map((fact) => (
        <span key={fact} className={`${styles.fact} figures`}>
          {fact}
        </span>
      ))}
    </label>
  );
}
