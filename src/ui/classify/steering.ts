/**
 * Owns what a person has changed about the steps of one picture, with the way back. Pure.
 */
import { DEFAULT_SETTINGS, type PictureSettings, type StepName } from '../../image/picture.ts';
import { turnBack } from '../../image/turn.ts';

export interface Steering {
  readonly settings: PictureSettings;
  /** Earlier settings with the gesture that left each of them, the latest last. */
  readonly past: readonly { readonly settings: PictureSettings; readonly gesture: string }[];
}

export const UNSTEERED: Steering = { settings: DEFAULT_SETTINGS, past: [] };

/**
 * Applies a change. Changes in a row with the same `gesture` (a drag, a slider's way) are taken back
 * as one.
 */
export function steer(
  { settings, past }: Steering,
  change: Partial<PictureSettings>,
  gesture: string,
): Steering {
  const isSameGesture = past.at(-1)?.gesture === gesture;
  return {
    settings: { ...settings, ...change },
    past: isSameGesture ? past : [...past, { settings, gesture }],
  };
}

/** Takes the last gesture back. */
export function takeBack(steering: Steering): Steering {
  const last = steering.past.at(-1);
  return last ? { settings: last.settings, past: steering.past.slice(0, -1) } : steering;
}

/** A quarter turn, clockwise or back; a crop stays on what it was laid on. */
export function turn(
  { quarterTurns, crop }: PictureSettings,
  direction: 'clockwise' | 'anticlockwise',
): Pick<PictureSettings, 'quarterTurns' | 'crop'> {
  const by = direction === 'clockwise' ? 1 : 3;
  const turns = [0, 1, 2, 3] as const;
  return {
    quarterTurns: turns[(quarterTurns + by) % 4] ?? 0,
    // Where a turn leads to is where the opposite turn came from.
    crop: crop && turnBack(crop, by === 1 ? 3 : 1),
  };
}

/** The steps that do not do what they would by themselves, in their order. */
export function changedSteps(settings: PictureSettings): StepName[] {
  const { quarterTurns, crop, tolerance, negate, off } = settings;
  const changed: StepName[] = [];
  if (quarterTurns !== 0 || crop !== null) changed.push('picture');
  if (tolerance !== DEFAULT_SETTINGS.tolerance || off.includes('garment')) changed.push('garment');
  if (negate !== DEFAULT_SETTINGS.negate) changed.push('tones');
  for (const name of ['fill', 'fit', 'sharpen', 'levels'] as const) {
    if (off.includes(name)) changed.push(name);
  }
  return changed;
}

/** The settings' `off` with a step left out, or taken in again. */
export function switchStep(
  { off }: PictureSettings,
  name: StepName,
  isOn: boolean,
): Pick<PictureSettings, 'off'> {
  const others = off.filter((other) => other !== name);
  return { off: isOn ? others : [...others, name] };
}
