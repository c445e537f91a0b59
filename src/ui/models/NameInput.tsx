/** Owns the field in which a model gets its name. */
import type { ComponentProps } from 'react';
import styles from './NameInput.module.css';

/** As the store allows; see `store/models.ts`, which the page must not load. */
const NAME_LENGTH = 80;

type NameInputProps = Omit<
  ComponentProps<'input'>,
  'className' | 'maxLength' | 'required' | 'pattern' | 'title' | 'autoComplete'
>;

export function NameInput(props: NameInputProps) {
  return (
    <input
      {...props}
      className={styles.input}
      maxLength={NAME_LENGTH}
      required
      pattern=".*\S.*"
      title="At least one letter"
      autoComplete="off"
    />
  );
}
