/**
 * Owns telling the garment from what lies behind it: which way suits the background, and the one for
 * white and black, two thresholds on the colour's distance.
 */
import {
  type Background,
  isNearWhiteOrBlack,
  isPlain,
  lightness,
  paintBackground,
} from './background.ts';
import { cutGarment } from './cut.ts';
import {
  close,
  enlargeMask,
  fillHoles,
  keepLargest,
  keepTouching,
  type Mask,
  open,
  PART_SHARE,
} from './mask.ts';
import type { Picture } from './picture.ts';
import { shrinkPicture } from './resample.ts';
import { cutFromSheet } from './sheet.ts';

/**
 * RGB distance of each pixel from the background, cut off at 255. `[height · width]`
 *
 * @param behind as `paintBackground` paints it
 */
export function distanceFrom(behind: Float32Array, { width, height, data }: Picture): Float32Array {
  const distance = new Float32Array(width * height);
  for (let i = 0; i < distance.length; i++) {
    const dr = data[i * 4]! - behind[i * 3]!;
    const dg = data[i * 4 + 1]! - behind[i * 3 + 1]!;
    const db = data[i * 4 + 2]! - behind[i * 3 + 2]!;
    distance[i] = Math.min(255, Math.sqrt(dr * dr + dg * dg + db * db));
  }
  return distance;
}

/**
 * The threshold that best splits the values (0–255) in two groups, and how far apart the means of
 * the groups are (0 where all values are equal). Otsu, "A threshold selection method from gray-level
 * histograms", 1979.
 */
export function splitInTwo(values: Float32Array): { threshold: number; contrast: number } {
  const histogram = new Float64Array(256);
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const level = Math.round(values[i]!);
    histogram[level]! += 1;
    total += level;
  }
  let bestVariance = 0;
  let contrast = 0;
  // Every level of an empty gap between the groups splits equally well: its middle is taken.
  let firstBest = 0;
  let lastBest = 0;
  let below = 0;
  let sumBelow = 0;
  for (let level = 0; level < 255; level++) {
    below += histogram[level]!;
    sumBelow += level * histogram[level]!;
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const apart = (total - sumBelow) / above - sumBelow / below;
    const variance = below * above * apart * apart;
    if (variance > bestVariance) {
      bestVariance = variance;
      contrast = apart;
      firstBest = level;
    }
    if (variance === bestVariance) lastBest = level;
  }
  return { threshold: (firstBest + lastBest + 1) / 2, contrast };
}

/** Distance between garment and background below which there is nothing but noise. */
const MIN_CONTRAST = 12;
/** The lower threshold on white or black: this, or twice the spread. */
const MIN_FAINT = 8;
/** Longest edge of the picture that a busy background is told from the garment in. */
const CUT_SIDE = 128;
/** Radius of the tidying on a busy background, as a share of the longest edge. */
const TIDY_SHARE = 1 / 112;

/** Agreement of colours and places from which a cut is to be trusted. */
const CERTAIN_AGREEMENT = 0.95;

export interface Segmentation {
  readonly mask: Mask;
  /** Whether the background is plain, or else the garment well told from it. */
  readonly isCertain: boolean;
  /** RGB distance (0–255) between the middle of what stands out and of what does not. */
  readonly contrast: number;
}

/**
 * Where the garment is, or null where nothing stands out from the background.
 *
 * On a sheet near white or black faint parts count as garment when they hang together with parts that
 * stand out clearly and lie on the same side of the background, darker or lighter; several parts may
 * stand apart (the straps of a sandal), and what the garment encloses is its own, whatever its
 * colour. On any other plain sheet, whose very tone the garment may have, a network guesses the
 * outline. On a busy background the colours of both sides are learnt from the picture.
 *
 * @param tolerance factor on what still counts as background; 1 as estimated
 */
export function segmentGarment(
  picture: Picture,
  background: Background,
  tolerance: number,
): Segmentation | null {
  const { width, height, data } = picture;
  const behind = paintBackground(background, picture);
  const distance = distanceFrom(behind, picture);
  const split = splitInTwo(distance);
  if (split.contrast < MIN_CONTRAST) return null;

  if (isPlain(background) && !isNearWhiteOrBlack(background)) {
    const mask = cutFromSheet(
      picture,
      background,
      { behind, distance, threshold: split.threshold },
      tolerance,
    );
    return { mask, isCertain: true, contrast: split.contrast };
  }

  const threshold = split.threshold * tolerance;
  const strong = new Uint8Array(distance.length);
  for (let i = 0; i < strong.length; i++) strong[i] = distance[i]! > threshold ? 1 : 0;
  const clear: Mask = { width, height, inside: strong };

  const faint = Math.max(MIN_FAINT, 2 * background.spread) * tolerance;
  if (!isPlain(background) || faint >= threshold) {
    const cut = cutGarment(shrinkPicture(picture, CUT_SIDE), tolerance);
    if (cut) {
      const isCertain = cut.agreement >= CERTAIN_AGREEMENT;
      return { mask: enlargeMask(cut.mask, width, height), isCertain, contrast: split.contrast };
    }
    const radius = Math.round(Math.max(width, height) * TIDY_SHARE);
    const mask = fillHoles(keepLargest(open(close(clear, radius), radius), 1));
    return { mask, isCertain: false, contrast: split.contrast };
  }

  const difference = (i: number) =>
    lightness(data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!) -
    lightness(behind[i * 3]!, behind[i * 3 + 1]!, behind[i * 3 + 2]!);
  let balance = 0;
  for (let i = 0; i < strong.length; i++) if (strong[i] === 1) balance += difference(i);
  const inside = new Uint8Array(distance.length);
  for (let i = 0; i < inside.length; i++) {
    const isFaint = distance[i]! > faint && difference(i) * balance >= 0;
    inside[i] = strong[i] === 1 || isFaint ? 1 : 0;
  }
  const parts = keepLargest(keepTouching({ width, height, inside }, clear), PART_SHARE);
  return { mask: fillHoles(parts), isCertain: true, contrast: split.contrast };
}
