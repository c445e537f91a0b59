/** Owns the backend menu: what each engine is on this machine, and the choice of one. */
import { Menu } from '@base-ui/react/menu';
import { Check, ChevronDown, Cpu, LoaderCircle, TriangleAlert, Wand } from 'lucide-react';
import type { BackendOption } from '../../engine/backends.ts';
import { session, useSession } from '../useSession.ts';
import styles from './EngineMenu.module.css';
import menu from './Menu.module.css';

/** Changing engines starts the worker anew, which would end a run. */
const LOCKED_PHASES: readonly string[] = [
  'waitingForData',
  'preparing',
  'training',
  'paused',
  'stopping',
];

export function EngineMenu() {
  const engine = useSession((state) => state.engine);
  const isLocked = useSession((state) => LOCKED_PHASES.includes(state.training.phase));

  if (engine.phase !== 'ready') {
    const isStarting = engine.phase === 'starting';
    const Icon = isStarting ? LoaderCircle : TriangleAlert;
    return (
      <span className={styles.state} role="status">
        <Icon aria-hidden size={16} className={isStarting ? styles.turning : styles.failed} />
        <span className={styles.stateText}>{isStarting ? 'Starting' : 'No engine'}</span>
      </span>
    );
  }

  const { info } = engine;
  const active = info.options.find(({ name }) => name === info.active);
  const title = active?.title ?? info.active;
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className={menu.trigger} aria-label={`Engine: ${title}`}>
        <Cpu aria-hidden size={16} />
        <span>{title}</span>
        <ChevronDown aria-hidden size={14} className={menu.chevron} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner
          className={menu.positioner}
          align="end"
          sideOffset={6}
          collisionPadding={12}
        >
          <Menu.Popup className={`${menu.popup} ${styles.popup}`}>
            <p className={styles.reason}>
              {isLocked ? 'Stop the run to change what does the arithmetic.' : info.reason}
            </p>
            <Menu.RadioGroup
              value={info.active}
              onValueChange={(name: BackendOption['name']) => void session.chooseBackend(name)}
            >
              {info.options.map((option) => (
                <Menu.RadioItem
                  key={option.name}
                  value={option.name}
                  className={menu.item}
                  disabled={!option.available || isLocked}
                  closeOnClick
                >
                  <span className={menu.itemTitle}>
                    {option.title}
                    {option.isSoftware && <span className={styles.software}>software</span>}
                    {!option.available && <span className={styles.software}>not here</span>}
                    <span className={styles.detail}>{option.detail}</span>
                  </span>
                  <Menu.RadioItemIndicator className={menu.tick}>
                    <Check aria-hidden size={16} />
                  </Menu.RadioItemIndicator>
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
            <Menu.Separator className={menu.separator} />
            <Menu.Item
              className={menu.item}
              disabled={isLocked}
              onClick={() => void session.chooseBackend('auto')}
            >
              <Wand aria-hidden size={16} className={menu.itemIcon} />
              <span className={menu.itemTitle}>Choose for me</span>
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
