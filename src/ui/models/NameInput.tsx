/** The field in which a model gets its name. */
import type { ComponentProps } from 'react';
import { MAX_NAME_LENGTH } from '../../ml/spec/modelCard.ts';
import styles from './NameInput.module.css';

type NameInputProps = Omit<
  ComponentProps<'input'>,
  'className' | 'maxLength' | 'required' | 'pattern' | 'title' | 'autoComplete'
>;

export function NameInput(props: NameInputProps) {
  return (
    <input
      {...props}
      className={styles.input}
      maxLength={MAX_NAME_LENGTH}
      required
      pattern=".*\S.*"
      title="At least one letter"
      autoComplete="off"
    />
  );
}
