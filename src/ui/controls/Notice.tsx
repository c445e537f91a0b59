/** Owns messages that stay on the page until what they tell of is over. */
import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import styles from './Notice.module.css';

export interface NoticeProps {
  readonly tone: 'error' | 'warning' | 'info' | 'success';
  readonly title?: string;
  /** A way on: usually one `Button size="small"`. */
  readonly action?: ReactNode;
  readonly children?: ReactNode;
}

const ICONS = { error: CircleAlert, warning: TriangleAlert, info: Info, success: CircleCheck };

export function Notice({ tone, title, action, children }: NoticeProps) {
  const Icon = ICONS[tone];
  return (
    <div
      className={`${styles.notice} ${styles[tone]}`}
      role={tone === 'error' ? 'alert' : 'status'}
      data-tone={tone}
    >
      <Icon aria-hidden size={18} className={styles.icon} />
      <div className={styles.text}>
        {title && <p className={styles.title}>{title}</p>}
        {children && <div>{children}</div>}
      </div>
      {action && <div className={styles.action}>{action}</div>}
    </div>
  );
}
