/** Owns form fields: numbers and choices with their labels, and switches. */
import { NumberField as Base } from '@base-ui/react/number-field';
import { Switch } from '@base-ui/react/switch';
import { ChevronDown, Minus, Plus } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import styles from './Field.module.css';
import { Hint } from './Hint.tsx';

interface FieldProps {
  readonly label: string;
  /** Plain words for those who do not know the term. */
  readonly hint?: ReactNode;
  readonly disabled?: boolean;
}

function Label({ id, label, unit, hint }: Omit<FieldProps, 'disabled'> & LabelExtras) {
  return (
    <div className={styles.labelLine}>
      <label htmlFor={id} className={styles.label}>
        {label}
        {unit && <span className={styles.unit}> ({unit})</span>}
      </label>
      {hint && <Hint term={label}>{hint}</Hint>}
    </div>
  );
}

interface LabelExtras {
  readonly id: string;
  readonly unit?: string | undefined;
}

export interface NumberFieldProps extends FieldProps {
  readonly unit?: string;
  readonly min: number;
  readonly max: number;
  /** What the arrow keys and the buttons add; values between steps may be typed. */
  readonly step: number;
  readonly value: number;
  /** Called when an entry is complete (Enter, leaving the field, a step), within the bounds. */
  readonly onChange: (value: number) => void;
}

export function NumberField({
  label,
  unit,
  hint,
  min,
  max,
  step,
  value,
  onChange,
  disabled = false,
}: NumberFieldProps) {
  const id = useId();
  // What is being typed; null while nothing is, so that the value from outside shows.
  const [draft, setDraft] = useState<{ value: number | null } | null>(null);
  return (
    <div className={styles.field} data-disabled={disabled || undefined}>
      <Label id={id} label={label} unit={unit} hint={hint} />
      <Base.Root
        id={id}
        min={min}
        max={max}
        step={step}
        smallStep={step / 10}
        largeStep={step * 10}
        value={draft ? draft.value : value}
        disabled={disabled}
        // One form of numbers for the whole page; six digits show 0.000001.
        locale="en-GB"
        format={{ maximumFractionDigits: 6, useGrouping: false }}
        onValueChange={(next) => setDraft({ value: next })}
        onValueCommitted={(next) => {
          setDraft(null);
          if (next !== null && next !== value) {
            onChange(Math.min(max, Math.max(min, next)));
          }
        }}
      >
        <Base.Group className={styles.number}>
          <Base.Decrement className={styles.step} aria-label={`Less: ${label}`}>
            <Minus aria-hidden size={14} />
          </Base.Decrement>
          <Base.Input className={`${styles.input} figures`} inputMode="decimal" />
          <Base.Increment className={styles.step} aria-label={`More: ${label}`}>
            <Plus aria-hidden size={14} />
          </Base.Increment>
        </Base.Group>
      </Base.Root>
    </div>
  );
}

export interface SelectFieldProps<T extends string> extends FieldProps {
  readonly value: T;
  readonly options: readonly {
    readonly value: T;
    readonly label: string;
    readonly disabled?: boolean;
  }[];
  readonly onChange: (value: T) => void;
}

/** The browser's own list: the best there is for keyboards, screen readers and phones. */
export function SelectField<T extends string>({
  label,
  hint,
  value,
  options,
  onChange,
  disabled = false,
}: SelectFieldProps<T>) {
  const id = useId();
  return (
    <div className={styles.field} data-disabled={disabled || undefined}>
      <Label id={id} label={label} hint={hint} />
      <div className={styles.selectFrame}>
        <select
          id={id}
          className={styles.select}
          value={value}
          disabled={disabled}
          onChange={(event) => {
            const chosen = options.find((option) => option.value === event.target.value);
            if (chosen) onChange(chosen.value);
          }}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.disabled}>
              {option.label}
            </option>
          ))}
        </select>
        <ChevronDown aria-hidden size={16} className={styles.chevron} />
      </div>
    </div>
  );
}

export interface ToggleFieldProps extends FieldProps {
  readonly value: boolean;
  readonly onChange: (value: boolean) => void;
}

export function ToggleField({ label, hint, value, onChange, disabled = false }: ToggleFieldProps) {
  const id = useId();
  return (
    <div className={styles.field} data-disabled={disabled || undefined}>
      <Label id={id} label={label} hint={hint} />
      <Switch.Root
        id={id}
        className={styles.switch}
        aria-label={label}
        checked={value}
        disabled={disabled}
        onCheckedChange={onChange}
      >
        <Switch.Thumb className={styles.thumb} />
      </Switch.Root>
    </div>
  );
}

interface ToggleProps {
  /** Said by screen readers: what stands beside it is for eyes. */
  readonly label: string;
  readonly value: boolean;
  readonly onChange: (value: boolean) => void;
}

export function Toggle({ label, value, onChange }: ToggleProps) {
  return (
    <Switch.Root
      className={styles.switch}
      aria-label={label}
      checked={value}
      onCheckedChange={onChange}
    >
      <Switch.Thumb className={styles.thumb} />
    </Switch.Root>
  );
}
