/**
 * Owns the order of the steps that bring any picture to the 28 × 28 pixels the model knows, made as
 * the training data was made. Synchronous and pure: the worker, the bench and the tests run this
 * very function.
 */
import { SIDE } from '../fashion.ts';
import { estimateBackground, flattenPicture } from './background.ts';
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
import { type Segmentation, segmentGarment } from './segment.ts';
import { fillOutline, mustNegate, toTones } from './tone.ts';
import { trimToEdges } from './trim.ts';
import { cropPicture, turnBack, turnPicture } from './turn.ts';

/** Longest edge of the picture that is worked on: eight pixels for each of the 28. */
export const WORK_SIDE = 224;
/** Longest edge of the pictures of the steps. */
const STEP_SIDE = 128;

/**
 * Brings a picture to what the model sees. Reads nothing but the pixels; takes 10 to 30 ms, most
 * on grey and coloured paper, where a network guesses the outline.
 *
 * @param picture any size from 1 × 1; EXIF orientation already applied
 * @param settings what a person has changed
 * @param areStepsSeen whether the steps come with their pictures, which take a third of the time
 * @returns the 28 × 28 bytes, or 'blank' where nothing stands out; with the picture that each step
 *   left behind, at most 128 pixels long
 */
export function normalizePicture(
  picture: Picture,
  settings: PictureSettings = DEFAULT_SETTINGS,
  areStepsSeen = true,
): NormalizedPicture {
  const steps: PictureStep[] = [];
  const show = (name: StepName, title: string, draw: () => Picture, isIdle = false) => {
    const state = isOn(name) ? (isIdle ? 'idle' : 'on') : 'off';
    const result = areStepsSeen ? shrinkPicture(draw(), STEP_SIDE) : null;
    steps.push({ name, title, state, picture: result });
  };
  const isOn = (name: StepName) => !settings.off.includes(name);
  const { quarterTurns, crop } = settings;

  const part = crop ? cropPicture(picture, turnBack(crop, quarterTurns)) : picture;
  const flat = turnPicture(flattenPicture(shrinkPicture(part, WORK_SIDE)), quarterTurns);
  show('picture', 'Your picture', () => flat);

  const background = estimateBackground(flat);
  const segmentation = isOn('garment')
    ? segmentGarment(flat, background, settings.tolerance)
    : { mask: wholeMask(flat), isCertain: true, contrast: 255 };
  const outline = segmentation && boxOf(segmentation.mask);
  if (!segmentation || !outline) return { kind: 'blank', steps };
  const { mask } = segmentation;
  show('garment', 'Background taken away', () => withoutBackground(flat, mask));

  const negate =
    settings.negate === 'auto' ? mustNegate(flat, mask, background) : settings.negate === 'always';
  const unfilled = toTones(flat, mask, background, negate);
  const negated = negate ? 'Grey, negated' : 'Grey, kept as it is';
  show('tones', negated, () => greyPicture(unfilled, flat));

  const filled = isOn('fill') ? fillOutline(unfilled, mask) : null;
  const tones = filled ?? unfilled;
  const filling = filled ? 'Outline filled' : 'No outline to fill';
  show('fill', filling, () => greyPicture(tones, flat), !filled);

  const fitted = isOn('fit')
    ? fitToSide(tones, flat, trimToEdges(tones, flat.width, outline))
    : squash(tones, flat);
  show('fit', 'Trimmed, fitted, centred', () => greyPicture(fitted.pixels, FINAL_SIZE));

  const crisp = isOn('sharpen') ? sharpen(fitted) : fitted.pixels;
  show('sharpen', 'Sharpened', () => greyPicture(crisp, FINAL_SIZE));

  const pixels = isOn('levels') ? spreadLevels(crisp) : Uint8Array.from(crisp, Math.round);
  show('levels', 'Brightness as in the training data', () => greyPicture(pixels, FINAL_SIZE));
  return { kind: 'garment', pixels, doubts: doubtsAbout(segmentation), steps };
}

const FINAL_SIZE = { width: SIDE, height: SIDE };

/** Share of the picture below which a garment is tiny. */
const TINY_SHARE = 0.01;
/** Share of the outermost pixels from which a garment has no border around it. */
const BORDERLESS_SHARE = 0.6;
/** Contrast below which a garment hardly stands out. */
const FAINT_CONTRAST = 24;

function doubtsAbout({ mask, isCertain, contrast }: Segmentation): Doubt[] {
  const doubts: Doubt[] = [];
  if (!isCertain) doubts.push('busyBackground');
  if (shareOfEdge(mask) > BORDERLESS_SHARE) doubts.push('noBorder');
  if (contrast < FAINT_CONTRAST) doubts.push('faint');
  if (areaOf(mask) < TINY_SHARE * mask.inside.length) doubts.push('tiny');
  return doubts;
}

/** Share (0–1) of the outermost pixels that the mask covers. */
function shareOfEdge({ width, height, inside }: Mask): number {
  let covered = 0;
  let count = 0;
  for (let i = 0; i < inside.length; i++) {
    const x = i % width;
    const y = Math.floor(i / width);
    if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
    covered += inside[i]!;
    count += 1;
  }
  return covered / count;
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
