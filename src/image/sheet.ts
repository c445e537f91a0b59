/**
 * Owns telling a garment from a plain sheet that is neither white nor black, such as grey or coloured
 * paper. Here the garment may have the sheet's own tone in places, and every blurred edge shows as a
 * rim of mixed colour, neither of which happens on white. So this is left to a small network, which
 * knows from training images what garments are like.
 */
import type { Background } from './background.ts';
import { areaOf, fillHoles, keepLargest, type Mask, PART_SHARE } from './mask.ts';
import { frameOf, guessOutline } from './outline.ts';
import type { Picture } from './picture.ts';

/** How far a picture lies from its sheet. */
export interface Standing {
  /** The sheet as `paintBackground` paints it. */
  readonly behind: Float32Array;
  /** RGB distance of each pixel from it, `[height · width]` */
  readonly distance: Float32Array;
  /** Distance that best parts what stands out from what does not. */
  readonly threshold: number;
}

/** Log-odds that a doubled tolerance asks for in addition. */
const ODDS_PER_DOUBLING = 1.5;
/** What lines must leave empty of what they enclose to count as a drawn outline. */
const EMPTY_SHARE = 0.4;
/** Share of what stands out that the network must find for its guess to be taken. */
const FOUND_SHARE = 0.5;

/**
 * Where the garment is.
 *
 * @param tolerance 1 as estimated; the more, the surer must be what counts as garment
 */
export function cutFromSheet(
  picture: Picture,
  { spread }: Pick<Background, 'spread'>,
  { behind, distance, threshold }: Standing,
  tolerance: number,
): Mask {
  const { width, height } = picture;
  const clear = Uint8Array.from(distance, (value) => (value > threshold ? 1 : 0));
  const parts = keepLargest({ width, height, inside: clear }, PART_SHARE);
  // The network knows no lines. Of a drawing it would leave crumbs.
  const filled = fillHoles(parts);
  if (areaOf(parts) < (1 - EMPTY_SHARE) * areaOf(filled)) return filled;

  const odds = guessOutline(picture, behind, frameOf(picture, distance, spread));
  const least = ODDS_PER_DOUBLING * Math.log2(tolerance);
  const guess = Uint8Array.from(odds, (value) => (value > least ? 1 : 0));
  const found = keepLargest({ width, height, inside: guess }, PART_SHARE);
  return areaOf(found) < FOUND_SHARE * areaOf(parts) ? parts : found;
}
