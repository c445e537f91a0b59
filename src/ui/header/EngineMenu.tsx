/**
 * Owns the engine menu: what each engine is on this machine, how fast it trains, which one runs and
 * why, and the choice of another.
 */
import { Menu } from '@base-ui/react/menu';
import {
  Check,
  ChevronDown,
  Cpu,
  Gauge,
  LoaderCircle,
  Square,
  SquareCheck,
  TriangleAlert,
  Wand,
} from 'lucide-react';
import {
  type BackendOption,
  type EngineInfo,
  type Trial,
  titleOfBackend,
} from '../../engine/backends.ts';
import { findFaster } from '../../engine/choice.ts';
import { isUnderWay, trialsInForm } from '../../session/state.ts';
import { formatCount, formatDuration } from '../controls/figures.ts';
import { session, useSession } from '../useSession.ts';
import styles from './EngineMenu.module.css';
import menu from './Menu.module.css';

/** Getting ready is worth a word from here on. */
const FELT_WARM_UP_MS = 1000;

export function EngineMenu() {
  const engine = useSession((state) => state.engine);
  const isTrying = useSession((state) => state.trials.phase === 'trying');

  if (engine.phase !== 'ready') {
    const isStarting = engine.phase === 'starting';
    const Icon = isStarting ? LoaderCircle : TriangleAlert;
    return (
      <span className={styles.state} role="status">
        <Icon aria-hidden size={16} className={isStarting ? 'turning' : styles.failed} />
        {isStarting ? 'Starting' : 'No engine'}
      </span>
    );
  }

  const { info } = engine;
  const title = titleOfBackend(info.active);
  const Icon = isTrying ? LoaderCircle : Cpu;
  return (
    <Menu.Root
      modal={false}
      // Who looks wants to know; before, nobody does, and the machine is better left alone.
      onOpenChange={(isOpen) => isOpen && void session.tryEngines(false)}
    >
      <Menu.Trigger className={menu.trigger} aria-label={`Engine: ${title}`}>
        <Icon aria-hidden size={16} className={isTrying ? 'turning' : undefined} />
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
            <Content info={info} />
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Content({ info }: { readonly info: EngineInfo }) {
  // Changing engines starts the worker anew, which would end a run.
  const isLocked = useSession((state) => isUnderWay(state.training));
  const isTrying = useSession((state) => state.trials.phase === 'trying');
  const includesWebGPU = useSession((state) => state.includesWebGPU);
  const hasWebGPU = info.options.some(
    ({ name, available, isSoftware }) => name === 'webgpu' && available && !isSoftware,
  );
  return (
    <>
      <div className={styles.reason}>
        {isLocked ? <p>Stop the run to change what does the arithmetic.</p> : <Why info={info} />}
      </div>
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
              {option.available && <Speed option={option} />}
            </span>
            <Menu.RadioItemIndicator className={menu.tick}>
              <Check aria-hidden size={16} />
            </Menu.RadioItemIndicator>
          </Menu.RadioItem>
        ))}
      </Menu.RadioGroup>
      <Work />
      <Menu.Separator className={menu.separator} />
      <Menu.Item
        className={menu.item}
        disabled={isLocked}
        onClick={() => void session.chooseBackend('auto')}
      >
        <Wand aria-hidden size={16} className={menu.itemIcon} />
        <span className={menu.itemTitle}>Choose for me</span>
      </Menu.Item>
      {hasWebGPU && (
        <Menu.CheckboxItem
          className={menu.item}
          checked={includesWebGPU}
          disabled={isLocked}
          onCheckedChange={(isWanted) => void session.setIncludesWebGPU(isWanted)}
        >
          {includesWebGPU ? (
            <SquareCheck aria-hidden size={16} className={menu.itemIcon} />
          ) : (
            <Square aria-hidden size={16} className={menu.itemIcon} />
          )}
          <span className={menu.itemTitle}>
            Consider WebGPU as well
            <span className={styles.detail}>Newer in TensorFlow.js, and less proven.</span>
          </span>
        </Menu.CheckboxItem>
      )}
      <Menu.Item
        className={menu.item}
        disabled={isLocked || isTrying}
        closeOnClick={false}
        onClick={() => void session.tryEngines(true)}
      >
        <Gauge aria-hidden size={16} className={menu.itemIcon} />
        <span className={menu.itemTitle}>{isTrying ? 'Measuring' : 'Measure again'}</span>
      </Menu.Item>
    </>
  );
}

/** Why the engine runs that does, and which one would train the network in the form faster. */
function Why({ info }: { readonly info: EngineInfo }) {
  const network = useSession((state) => state.network);
  const trials = useSession(trialsInForm);
  const includesWebGPU = useSession((state) => state.includesWebGPU);
  const faster = findFaster(info.active, { options: info.options, includesWebGPU, trials });
  if (!faster) return <p>{info.reason}</p>;
  const news = `For ${network.title}, ${faster.option.title} is ${faster.times} as fast as ${titleOfBackend(info.active)}`;
  if (info.choice === 'auto') return <p>{news}: it takes over with the next run.</p>;
  return (
    <>
      <p>{info.reason}</p>
      <p>{news}. Choose it, or let Atelier choose.</p>
    </>
  );
}

/** Images a second, or why there is no such figure. */
function Speed({ option }: { readonly option: BackendOption }) {
  const trial = useSession((state) => trialsInForm(state)[option.name]);
  const isTried = useSession(
    ({ trials }) => trials.phase === 'trying' && trials.backend === option.name,
  );
  if (isTried) return <span className={styles.speed}>Measuring</span>;
  if (trial) return <Outcome trial={trial} />;
  return <span className={styles.unknown}>Not measured</span>;
}

function Outcome({ trial }: { readonly trial: Trial }) {
  if (trial.outcome === 'failed') {
    return <span className={styles.unknown}>Failed its trial. {trial.message}</span>;
  }
  const { imagesPerSecond, warmUpMs } = trial;
  const isFelt = warmUpMs !== null && warmUpMs >= FELT_WARM_UP_MS;
  return (
    <span className={`${styles.speed} figures`}>
      {formatCount(imagesPerSecond)} images/s
      {isFelt && (
        <span className={styles.warmUp}> after {formatDuration(warmUpMs)} to get ready</span>
      )}
    </span>
  );
}

/** What the figures are of. */
function Work() {
  const network = useSession((state) => state.network);
  const { batchSize } = useSession((state) => state.recipe);
  return (
    <p className={styles.work}>
      Images/s in training {network.title}, {formatCount(batchSize)} at a time.
    </p>
  );
}
