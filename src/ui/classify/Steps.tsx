/**
 * Owns the strip of steps from a picture to what the model sees: what each left behind, why it is
 * there, and the switches and knobs that a person has on it.
 */
import { RotateCcw, RotateCw, Undo2 } from 'lucide-react';
import { useId, useSyncExternalStore } from 'react';
import {
  DEFAULT_SETTINGS,
  type PictureSettings,
  type PictureStep,
  STEP_NAMES,
  type StepName,
} from '../../image/picture.ts';
import { Button } from '../controls/Button.tsx';
import { Disclosure } from '../controls/Disclosure.tsx';
import { Toggle } from '../controls/Field.tsx';
import { Hint } from '../controls/Hint.tsx';
import { PictureCanvas } from './PictureCanvas.tsx';
import styles from './Steps.module.css';
import { changedSteps, type Steering, switchStep, turn } from './steering.ts';

interface StepText {
  readonly name: string;
  /** What the explanation is of. */
  readonly term: string;
  readonly why: string;
}

const TEXTS: { readonly [Name in StepName]: StepText } = {
  picture: {
    name: 'Your picture',
    term: 'The first step',
    why: 'The picture as it came, upright by what the camera noted. Turn it where that is wrong, and crop it where more than one thing is on it.',
  },
  garment: {
    name: 'Cut the garment out',
    term: 'Cutting the garment out',
    why: 'The training pictures show a garment and nothing else. What has the colour of the picture’s border counts as background; what stands out from it is the garment. On grey or coloured paper a small network guesses where a garment of the paper’s own tone goes on.',
  },
  tones: {
    name: 'Turn to grey',
    term: 'Turning to grey',
    why: 'The training pictures were photographed on white, made grey and then negated, so that the network knows garments as light on black. Your picture goes the same way.',
  },
  fill: {
    name: 'Fill an outline',
    term: 'Filling an outline',
    why: 'The network has seen cloth, never contours. Where a garment is drawn as a line round nothing, the inside is filled with the tone of the line.',
  },
  fit: {
    name: 'Trim and fit',
    term: 'Trimming and fitting',
    why: 'Each training garment touches the edges of its 28 pixels with its longest side and stands in the middle. So does yours then, wherever and however large it was.',
  },
  sharpen: {
    name: 'Sharpen',
    term: 'Sharpening',
    why: 'The training pictures were sharpened once they were small. Without it yours would look softer than anything the network has seen.',
  },
  levels: {
    name: 'Spread the brightness',
    term: 'Spreading the brightness',
    why: 'Grey levels are spread as they lie in the training pictures, so that a dim photo is not taken for pale cloth.',
  },
};

const NEGATE = [
  { value: 'auto', name: 'As found' },
  { value: 'always', name: 'Negate' },
  { value: 'never', name: 'Keep' },
] as const;

/** The slider's ends and step, in doublings of the estimated tolerance. */
const DOUBLINGS = { min: -2, max: 2, step: 0.1 };

export interface StepsProps {
  /** Of the last answer; a blank picture has fewer. */
  readonly steps: readonly PictureStep[];
  readonly steering: Steering;
  /** Only a drawing is turned here; a picture file has that beside it. */
  readonly isDrawing: boolean;
  /** What a person chose; null: open where it is wanted and there is room. */
  readonly isOpen: boolean | null;
  readonly isWanted: boolean;
  readonly onOpen: (isOpen: boolean) => void;
  readonly onSteer: (change: Partial<PictureSettings>, gesture: string) => void;
  readonly onUndo: () => void;
}

const WIDE = '(min-width: 760px)';

function useIsWide(): boolean {
  return useSyncExternalStore(
    (onChange) => {
      const query = window.matchMedia(WIDE);
      query.addEventListener('change', onChange);
      return () => query.removeEventListener('change', onChange);
    },
    () => window.matchMedia(WIDE).matches,
  );
}

export function Steps(props: StepsProps) {
  const { steering, isOpen, isWanted, onOpen, onSteer, onUndo } = props;
  const { settings, past } = steering;
  const isWide = useIsWide();
  const changed = changedSteps(settings);
  return (
    <Disclosure
      title="How the picture got there"
      note={
        <span className={styles.count} data-changed={changed.length > 0 || undefined}>
          {sayCount(changed.length)}
        </span>
      }
      isOpen={isOpen ?? (isWide && isWanted)}
      onToggle={onOpen}
    >
      {(changed.length > 0 || past.length > 0) && (
        <div className={styles.actions}>
          <Button size="small" icon={Undo2} disabled={past.length === 0} onClick={onUndo}>
            Undo
          </Button>
          <Button
            size="small"
            disabled={changed.length === 0}
            onClick={() => onSteer(DEFAULT_SETTINGS, crypto.randomUUID())}
          >
            Reset to automatic
          </Button>
        </div>
      )}
      <div className={styles.steps}>
        <ol className={styles.strip}>
          {STEP_NAMES.map((name, i) => (
            <Step
              key={name}
              name={name}
              number={i + 1}
              step={props.steps.find((step) => step.name === name) ?? null}
              isChanged={changed.includes(name)}
              {...props}
            />
          ))}
        </ol>
      </div>
    </Disclosure>
  );
}

interface StepProps extends StepsProps {
  readonly name: StepName;
  readonly number: number;
  /** Null where the picture never got so far. */
  readonly step: PictureStep | null;
  readonly isChanged: boolean;
}

function Step({ name, number, step, isChanged, steering, isDrawing, onSteer }: StepProps) {
  const { settings } = steering;
  const text = TEXTS[name];
  const isOn = !settings.off.includes(name);
  return (
    <li
      className={styles.step}
      data-step={name}
      data-state={isOn ? (step?.state ?? 'unreached') : 'off'}
      data-changed={isChanged || undefined}
    >
      {step?.picture ? (
        <PictureCanvas picture={step.picture} label="" className={styles.picture} />
      ) : (
        <div className={styles.noPicture} />
      )}
      <div className={styles.text}>
        <p className={styles.name}>
          <span className={styles.number}>{number}</span> {text.name}
          <Hint term={text.term}>{text.why}</Hint>
        </p>
        <p className={styles.status}>{sayStatus(name, step, settings)}</p>
      </div>
      {name !== 'picture' && name !== 'tones' && (
        <Toggle
          label={text.name}
          value={isOn}
          onChange={(on) => onSteer(switchStep(settings, name, on), crypto.randomUUID())}
        />
      )}
      {name === 'picture' && isDrawing && (
        <div className={styles.turns}>
          <Button
            size="small"
            kind="quiet"
            icon={RotateCcw}
            aria-label="Turn left"
            title="Turn left"
            onClick={() => onSteer(turn(settings, 'anticlockwise'), crypto.randomUUID())}
          />
          <Button
            size="small"
            kind="quiet"
            icon={RotateCw}
            aria-label="Turn right"
            title="Turn right"
            onClick={() => onSteer(turn(settings, 'clockwise'), crypto.randomUUID())}
          />
        </div>
      )}
      {name === 'garment' && isOn && (
        <Tolerance
          value={settings.tolerance}
          onChange={(tolerance) => onSteer({ tolerance }, 'tolerance')}
        />
      )}
      {name === 'tones' && (
        <Choice
          label="Light and dark"
          value={settings.negate}
          onChange={(negate) => onSteer({ negate }, crypto.randomUUID())}
        />
      )}
    </li>
  );
}

interface ToleranceProps {
  readonly value: number;
  readonly onChange: (value: number) => void;
}

/** A slider that doubles and halves: what is too little or too much is found on both sides alike. */
function Tolerance({ value, onChange }: ToleranceProps) {
  const id = useId();
  return (
    <div className={styles.knob}>
      <label htmlFor={id} className={styles.knobLabel}>
        How much counts as background
      </label>
      <div className={styles.slider}>
        <span aria-hidden>less</span>
        <input
          id={id}
          type="range"
          {...DOUBLINGS}
          value={Math.log2(value)}
          aria-valuetext={
            value === 1 ? 'as estimated' : `${value.toFixed(2)} times what is estimated`
          }
          onChange={(event) => onChange(2 ** event.target.valueAsNumber)}
        />
        <span aria-hidden>more</span>
      </div>
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: PictureSettings['negate'];
  readonly onChange: (value: PictureSettings['negate']) => void;
}

function Choice({ label, value, onChange }: ChoiceProps) {
  const group = useId();
  return (
    <fieldset className={styles.knob}>
      <legend className="unseen">{label}</legend>
      <div className={styles.choice}>
        {NEGATE.map((option) => (
          <label key={option.value} className={styles.option}>
            <input
              type="radio"
              name={group}
              className="unseen"
              checked={value === option.value}
              onChange={() => onChange(option.value)}
            />
            <span>{option.name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function sayCount(numChanged: number): string {
  // Short enough to stay on one line, or the page would jump at the first change.
  return numChanged === 0 ? `${STEP_NAMES.length} steps` : `${numChanged} changed`;
}

/** What a step did, where its name does not say it already. */
function sayStatus(name: StepName, step: PictureStep | null, settings: PictureSettings): string {
  if (settings.off.includes(name))
    return name === 'fit' ? 'Left out: squashed instead' : 'Left out';
  if (!step) return 'Not reached';
  if (step.state === 'idle') return 'Nothing to do here';
  const { quarterTurns, crop, tolerance } = settings;
  switch (name) {
    case 'picture': {
      const turned = ['', 'turned right', 'turned upside down', 'turned left'][quarterTurns] ?? '';
      const done = [turned, crop ? 'cropped' : ''].filter(Boolean).join(', ');
      return done === '' ? 'As it came' : `${done[0]?.toUpperCase()}${done.slice(1)}`;
    }
    case 'garment':
      if (tolerance === 1) return 'As estimated from the border';
      return tolerance > 1 ? 'More counts as background' : 'Less counts as background';
    case 'tones':
    case 'fill':
      return step.title;
    case 'fit':
      return 'Longest side 28 pixels, centred';
    case 'sharpen':
    case 'levels':
      return 'As in the training pictures';
    default:
      return name satisfies never;
  }
}
