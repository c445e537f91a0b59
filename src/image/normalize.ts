/**
 * Owns the order of the steps that bring any picture to the 28 × 28 pixels the model knows, made as
 * the training data was made. Synchronous and pure: the worker, the bench and the tests run this
 * very function.
 */
import { SIDE } from '../fashion.ts';
import { type Background, estimateBackground, flattenPicture, isPlain } from './background.ts';
import { fitToSide, sharpen, spreadLevels, squash } from './fit.ts';
import { areaOf, boxOf, type Mask } from './mask.ts';
import {
  DEFAULT_SETTINGS,
  type Doubt,
  type NormalizedPicture,
  type Picture,
  type PictureSettings,
  type PictureStep,
  type StepName,
} from './picture.ts';
import { shrinkPicture } from './resample.ts';
import { segmentGarment } from './segment.ts';
import { fillOutline, mustNegate, toTones } from './tone.ts';
import { trimToEdges } from './trim.ts';
import { cropPicture, turnBack, turnPicture } from './turn.ts';

/** Longest edge of the picture that is worked on: eight pixels for each of the 28. */
const WORK_SIDE = 224;
/** Longest edge of the pictures of the steps. */
const STEP_SIDE = 128;

/**
 * Brings a picture to what the model sees. Reads nothing but the pixels; takes about 10 ms, a photo
 * of 12 megapixels about 15.
 *
 * @param picture any size from 1 × 1; EXIF orientation already applied
 * @param settings what a person has changed
 * @returns the 28 × 28 bytes, or 'blank' where nothing stands out; with the picture that each step
 *   left behind, at most 128 pixels long
 */
export function normalizePicture(
  picture: Picture,
  settings: PictureSettings = DEFAULT_SETTINGS,
): NormalizedPicture {
  const steps: PictureStep[] = [];
  const show = (name: StepName, title: string, result: Picture, isIdle = false) => {
    const state = isOn(name) ? (isIdle ? 'idle' : 'on') : 'off';
    steps.push({ name, title, state, picture: shrinkPicture(result, STEP_SIDE) });
  };
  const isOn = (name: StepName) => !settings.off.includes(name);
  const { quarterTurns, crop } = settings;

  const part = crop ? cropPicture(picture, turnBack(crop, quarterTurns)) : picture;
  const flat = turnPicture(flattenPicture(shrinkPicture(part, WORK_SIDE)), quarterTurns);
  show('picture', 'Your picture', flat);

  const background = estimateBackground(flat);
  const mask = isOn('garment')
    ? segmentGarment(flat, background, settings.tolerance)
    : wholeMask(flat);
  const outline = mask && boxOf(mask);
  if (!mask || !outline) return { kind: 'blank', steps };
  show('garment', 'Background taken away', withoutBackground(flat, mask));

  const negate =
    settings.negate === 'auto' ? mustNegate(flat, mask, background) : settings.negate === 'always';
  let tones = toTones(flat, mask, background, negate);
  show('tones', negate ? 'Grey, negated' : 'Grey, kept as it is', greyPicture(tones, flat));

  const filled = isOn('fill') ? fillOutline(tones, mask) : null;
  tones = filled ?? tones;
  show('fill', filled ? 'Outline filled' : 'No outline to fill', greyPicture(tones, flat), !filled);

  const fitted = isOn('fit')
    ? fitToSide(tones, flat, trimToEdges(tones, flat.width, outline))
    : squash(tones, flat);
  show('fit', 'Trimmed, fitted, centred', greyPicture(fitted.pixels, FINAL_SIZE));

  const crisp = isOn('sharpen') ? sharpen(fitted) : fitted.pixels;
  show('sharpen', 'Sharpened', greyPicture(crisp, FINAL_SIZE));

  const pixels = isOn('levels') ? spreadLevels(crisp) : Uint8Array.from(crisp, Math.round);
  show('levels', 'Brightness as in the training data', greyPicture(pixels, FINAL_SIZE));
  return { kind: 'garment', pixels, doubts: doubtsAbout(background, mask), steps };
}

const FINAL_SIZE = { width: SIDE, height: SIDE };

/** Shares of the picture below which a garment is tiny and above which it has no border. */
const TINY_SHARE = 0.01;
const WHOLE_SHARE = 0.97;

function doubtsAbout(background: Background, mask: Mask): Doubt[] {
  const share = areaOf(mask) / mask.inside.length;
  const doubts: Doubt[] = [];
  if (!isPlain(background)) doubts.push('busyBackground');
  if (share > WHOLE_SHARE) doubts.push('noBorder');
  if (share < TINY_SHARE) doubts.push('tiny');
  return doubts;
}

function wholeMask({ width, height }: Picture): Mask {
  return { width, height, inside: new Uint8Array(width * height).fill(1) };
}

/** The picture with everything outside the mask transparent. */
function withoutBackground({ width, height, data }: Picture, mask: Mask): Picture {
  const result = data.slice();
  for (let i = 0; i < mask.inside.length; i++) result[i * 4 + 3] = mask.inside[i]! * 255;
  return { width, height, data: result };
}

function greyPicture(
  tones: Float32Array | Uint8Array,
  { width, height }: { width: number; height: number },
): Picture {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < tones.length; i++) {
    const tone = tones[i]!;
    data[i * 4] = tone;
    data[i * 4 + 1] = tone;
    data[i * 4 + 2] = tone;
    data[i * 4 + 3] = 255;
  }
  return { width, height, data };
}
