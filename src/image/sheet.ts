/**
 * Owns telling a garment from a plain sheet that is neither white nor black, such as grey or coloured
 * paper. Here the garment may have the sheet's own tone in places, and every blurred edge shows as a
 * rim of mixed colour, neither of which happens on white.
 */
import { SIDE } from '../fashion.ts';
import { type Background, lightness } from './background.ts';
import {
  boxOf,
  dilate,
  erode,
  fillHoles,
  keepLargest,
  keepTouching,
  type Mask,
  open,
} from './mask.ts';
import { minCut } from './minCut.ts';
import type { Picture } from './picture.ts';
import { DARK_TO } from './tone.ts';

/** RGB distance that a sheet is taken to stray from its colour, at least: the ripples of JPEG. */
const MIN_NOISE = 8;
/** The least and the most that a single pixel says for the garment, as log-odds. */
const MIN_ODDS = -1;
const MAX_ODDS = 4;
/** What it costs to part two neighbours of the same colour, in the same units. */
const PARTING_COST = 1.5;
/** RGB difference between neighbours at which parting them costs a good half as much. */
const EDGE_DIFFERENCE = 10;

/** RGB distance from the sheet of what surely is no sheet. */
const CLEAR_DISTANCE = 40;
/** On a plain background, parts of at least this share of the largest belong to the garment. */
export const PART_SHARE = 0.01;

/**
 * Where the garment is. A minimum cut weighs each pixel's distance from the sheet against the length
 * of the outline, which closes the gaps where a garment has the sheet's tone.
 *
 * @param distance RGB distance of each pixel from the sheet, `[height · width]`
 * @param tolerance factor on the distance that still counts as sheet; 1 as estimated
 */
export function cutFromSheet(
  picture: Picture,
  distance: Float32Array,
  background: Background,
  tolerance: number,
): Mask {
  const { width, height, data } = picture;
  const noise = Math.max(MIN_NOISE, 2 * background.spread) * tolerance;
  const clear = Uint8Array.from(distance, (value) => (value > CLEAR_DISTANCE ? 1 : 0));
  const box = boxOf({ width, height, inside: clear });
  const finalPixel = box ? Math.max(box.width, box.height) / SIDE : 1;

  const fringe = findWhiteFringe(picture, background, Math.max(1, Math.round(finalPixel)));
  const odds = distance.map((value, i) =>
    fringe[i] === 1 ? MIN_ODDS : Math.max(MIN_ODDS, Math.min(MAX_ODDS, value / noise - 1)),
  );
  const inside = minCut({
    width,
    height,
    odds,
    costOf: (i, j, isDiagonal) => {
      const dr = data[i * 4]! - data[j * 4]!;
      const dg = data[i * 4 + 1]! - data[j * 4 + 1]!;
      const db = data[i * 4 + 2]! - data[j * 4 + 2]!;
      const difference = (dr * dr + dg * dg + db * db) / (2 * EDGE_DIFFERENCE ** 2);
      // A diagonal step passes fewer crossings of an outline of the same length.
      return PARTING_COST * (isDiagonal ? Math.SQRT1_2 : 1) * Math.exp(-difference);
    },
  });
  const parts = keepLargest({ width, height, inside }, PART_SHARE);
  // A hole in the sheet's colour is the sheet that shows through, as under a handle.
  const whole = fillHoles(parts, distance, (mean) => mean > noise);
  return trimRim(whole, distance, Math.max(1, Math.round(finalPixel / 2)));
}

/** How far towards white from the sheet's lightness a pixel of a fringe is, at least. */
const FRINGE_SHARE = 0.2;
/** Lightness that a fringe reaches somewhere. */
const FRINGE_WHITE = 225;

/**
 * Thin, nearly white pieces, such as the rim and the dust that a garment keeps which was cut out of
 * white. Negated they are black, so that nothing is lost without them, but the sheet between them
 * and the garment would be taken for a part of it. 1 where there is fringe. `[height · width]`
 *
 * @param radius what is thicker than `2 · radius + 1` pixels is a part of the garment
 */
function findWhiteFringe(
  { width, height, data }: Picture,
  background: Background,
  radius: number,
): Uint8Array {
  const sheet = lightness(...background.color);
  const none = new Uint8Array(width * height);
  // On a dark sheet a light garment is not negated, and what is white stays so.
  if (sheet <= DARK_TO) return none;
  const light = new Uint8Array(width * height);
  const white = new Uint8Array(width * height);
  for (let i = 0; i < light.length; i++) {
    const level = lightness(data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!);
    light[i] = level > sheet + FRINGE_SHARE * (255 - sheet) ? 1 : 0;
    white[i] = level > FRINGE_WHITE ? 1 : 0;
  }
  const pieces = keepTouching({ width, height, inside: light }, { width, height, inside: white });
  const thick = dilate(open(pieces, radius), Math.round(radius / 2)).inside;
  return pieces.inside.map((value, i) => (thick[i] === 1 ? 0 : value));
}

/**
 * Takes the outer half off a blurred edge: a pixel of the rim stays if it is at least half as far
 * from the sheet as the furthest within `radius` of it, that is, if the garment covers half of it.
 */
function trimRim(mask: Mask, distance: Float32Array, radius: number): Mask {
  const { width, height } = mask;
  const core = erode(mask, radius).inside;
  const inside = mask.inside.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (inside[i] === 0 || core[i] === 1) continue;
      let furthest = 0;
      for (let v = Math.max(0, y - radius); v <= Math.min(height - 1, y + radius); v++) {
        for (let u = Math.max(0, x - radius); u <= Math.min(width - 1, x + radius); u++) {
          furthest = Math.max(furthest, distance[v * width + u]!);
        }
      }
      if (distance[i]! < furthest / 2) inside[i] = 0;
    }
  }
  return { width, height, inside };
}
