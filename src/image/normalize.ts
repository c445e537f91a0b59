/**
 * Owns the order of the steps that bring any picture to the 28 × 28 pixels the model knows, made as
 * the training data was made. Synchronous and pure: the worker, the bench and the tests run this
 * very function.
 */
import { SIDE } from '../fashion.ts';
import { estimateBackground, flattenPicture } from './background.ts';
import { fitToSide, sharpen, spreadLevels } from './fit.ts';
import { boxOf, type Mask } from './mask.ts';
import type { NormalizedPicture, Picture, PictureStep } from './picture.ts';
import { shrinkPicture } from './resample.ts';
import { segmentGarment } from './segment.ts';
import { fillOutline, mustNegate, toTones } from './tone.ts';
import { trimToEdges } from './trim.ts';

/** Longest edge of the picture that is worked on: eight pixels for each of the 28. */
const WORK_SIDE = 224;
/** Longest edge of the pictures of the steps. */
const STEP_SIDE = 128;

/**
 * Brings a picture to what the model sees. Reads nothing but the pixels; takes about 10 ms, a photo
 * of 12 megapixels about 15.
 *
 * @param picture any size from 1 × 1; EXIF orientation already applied
 * @returns the 28 × 28 bytes, or 'blank' where nothing stands out; with the picture that each step
 *   left behind, at most 128 pixels long
 */
export function normalizePicture(picture: Picture): NormalizedPicture {
  const steps: PictureStep[] = [];
  const show = (name: string, title: string, result: Picture) => {
    steps.push({ name, title, picture: shrinkPicture(result, STEP_SIDE) });
  };

  const flat = flattenPicture(shrinkPicture(picture, WORK_SIDE));
  show('picture', 'Your picture', flat);

  const background = estimateBackground(flat);
  const mask = segmentGarment(flat, background);
  const outline = mask && boxOf(mask);
  if (!mask || !outline) return { kind: 'blank', steps };
  show('garment', 'Background taken away', withoutBackground(flat, mask));

  const negate = mustNegate(flat, mask, background);
  let tones = toTones(flat, mask, background, negate);
  show('tones', negate ? 'Grey, negated' : 'Grey, kept as it is', greyPicture(tones, flat));

  const filled = fillOutline(tones, mask);
  if (filled) {
    tones = filled;
    show('fill', 'Outline filled', greyPicture(tones, flat));
  }

  const box = trimToEdges(tones, flat.width, outline);
  const fitted = fitToSide(tones, flat, box);
  show(
    'fit',
    'Trimmed, fitted, centred',
    greyPicture(fitted.pixels, { width: SIDE, height: SIDE }),
  );

  const pixels = spreadLevels(sharpen(fitted));
  show(
    'levels',
    'Sharpened, what the model sees',
    greyPicture(pixels, { width: SIDE, height: SIDE }),
  );
  return { kind: 'garment', pixels, steps };
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
