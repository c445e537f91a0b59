/** Owns short messages that come and go, such as "Saved" or "Deleted — Undo". */
import { Toast } from '@base-ui/react/toast';
import { X } from 'lucide-react';
import styles from './toast.module.css';

const manager = Toast.createToastManager();

export interface ToastMessage {
  readonly title: string;
  readonly description?: string;
  readonly action?: { readonly label: string; readonly onPress: () => void };
}

/**
 * Shows a message for six seconds, or twelve where it offers an action. It waits longer while a
 * pointer or the keyboard is on it. Faults that need an answer belong in a `Notice`, not here.
 */
export function toast({ title, description, action }: ToastMessage): void {
  const id = manager.add({
    title,
    description,
    timeout: action ? 12_000 : 6_000,
    ...(action && {
      actionProps: {
        children: action.label,
        onClick: () => {
          manager.close(id);
          action.onPress();
        },
      },
    }),
  });
}

/** Where the messages appear. Mounted once, by App. */
export function Toasts() {
  return (
    <Toast.Provider toastManager={manager} limit={3}>
      <Toast.Portal>
        <Toast.Viewport className={styles.viewport}>
          <ToastList />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function ToastList() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((item) => (
    <Toast.Root key={item.id} toast={item} className={styles.toast} swipeDirection="right">
      <Toast.Content className={styles.content}>
        <div className={styles.text}>
          <Toast.Title className={styles.title} />
          <Toast.Description className={styles.description} />
        </div>
        <Toast.Action className={styles.action} />
        <Toast.Close className={styles.close} aria-label="Dismiss">
          <X aria-hidden size={16} />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
