/**
 * Owns telling a garment from a plain sheet that is neither white nor black, such as grey or coloured
 * paper. Here the garment may have the sheet's own tone in places, and every blurred edge shows as a
 * rim of mixed colour, neither of which happens on white. So this is left to a small network, which
 * knows from training images what garments are like.
 */
import { areaOf, fillHoles, keepLargest, type Mask, PART_SHARE } from './mask.ts';
import { guessOutline } from './outline.ts';
import type { Picture } from './picture.ts';
import { HOLLOW_SHARE } from './tone.ts';

/** Log-odds that a doubled tolerance asks for in addition. */
const ODDS_PER_DOUBLING = 2;

/**
 * Where the garment is.
 *
 * @param behind the sheet as `paintBackground` paints it
 * @param distance RGB distance of each pixel from the sheet, `[height · width]`
 * @param clear what stands out from the sheet by its distance alone
 * @param tolerance 1 as estimated; with more, less counts as garment
 */
export function cutFromSheet(
  picture: Picture,
  behind: Float32Array,
  distance: Float32Array,
  clear: Mask,
  tolerance: number,
): Mask {
  const { width, height } = picture;
  const parts = keepLargest(clear, PART_SHARE);
  const filled = fillHoles(parts);
  // A drawn outline, of lines that the network does not know: what it encloses is the garment.
  if (areaOf(parts) < (1 - HOLLOW_SHARE) * areaOf(filled)) return filled;

  const odds = guessOutline(picture, behind, distance);
  const least = ODDS_PER_DOUBLING * Math.log2(tolerance);
  const guess = Uint8Array.from(odds, (value) => (value > least ? 1 : 0));
  return keepLargest({ width, height, inside: guess }, PART_SHARE);
}
