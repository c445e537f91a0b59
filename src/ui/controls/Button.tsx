/** Owns the look of buttons. */
import { LoaderCircle, type LucideIcon } from 'lucide-react';
import type { ComponentProps } from 'react';
import styles from './Button.module.css';

export interface ButtonProps extends ComponentProps<'button'> {
  /** One primary button a room at most. */
  readonly kind?: 'primary' | 'secondary' | 'quiet' | 'danger';
  readonly size?: 'normal' | 'small';
  readonly icon?: LucideIcon;
  /** Under way: shows a turning ring, and further presses do nothing. */
  readonly busy?: boolean;
}

export function Button({
  kind = 'secondary',
  size = 'normal',
  icon: Icon,
  busy = false,
  className,
  children,
  onClick,
  ...rest
}: ButtonProps) {
  const Shown = busy ? LoaderCircle : Icon;
  const classes = [styles.button, styles[kind], styles[size], className];
  return (
    <button
      type="button"
      {...rest}
      className={classes.filter(Boolean).join(' ')}
      aria-busy={busy || undefined}
      // Not `disabled`: a button that is busy keeps its focus.
      aria-disabled={busy || undefined}
      onClick={busy ? undefined : onClick}
    >
      {Shown && (
        <Shown
          aria-hidden
          size={size === 'small' ? 15 : 17}
          className={busy ? 'turning' : undefined}
        />
      )}
      {children}
    </button>
  );
}
