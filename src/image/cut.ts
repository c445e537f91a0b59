/**
 * Owns telling a garment from a busy background, such as a floor, a carpet, folds or a room: by the
 * colours that each has, learnt from this very picture, and by where garments usually lie in one.
 *
 * Takes turns, as Rother, Kolmogorov and Blake's "GrabCut", 2004: from a guess of what is garment
 * follow the colours of both sides, from those a better guess. In place of mixtures of Gaussians
 * there are colour histograms, in place of a minimum cut the odds are smoothed up to the picture's
 * edges (Rhemann et al., "Fast Cost-Volume Filtering", 2011), which costs a few milliseconds.
 */
import { lightness } from './background.ts';
import { createGuidedFilter } from './guidedFilter.ts';
import { areaOf, fillHoles, keepLargest, type Mask } from './mask.ts';
import type { Picture } from './picture.ts';

/** Turns of guessing. Few pictures change after the fourth, hardly one after the sixth. */
const NUM_ROUNDS = 6;
/** Thickness of the border that the background is first learnt from, as a share of the shorter edge. */
const BORDER_SHARE = 0.05;
/** Share of the pixels, those least like the border, that the garment is first learnt from. */
const FIRST_SHARE = 0.35;

/** Log-odds of garment against background before any colour is looked at, in the middle. */
const MIDDLE_ODDS = 1.2;
/** The same where the border's edges have their middle; the corners are beyond. */
const BORDER_ODDS = -2.5;
/** Once colours have been learnt from a guess, the place counts half. */
const LATER_PLACE = 0.5;
/** One colour alone never says more than this, so that a garment may share some with the floor. */
const MAX_COLOR_ODDS = 4;

/** Radius of the smoothing in pixels, and the variance of lightness (0–255) that is an edge to it. */
const SMOOTH_RADIUS = 3;
const EDGE_VARIANCE = 60;

/** Parts of at least this share of the largest belong to the garment: what stripes cut it into. */
const PART_SHARE = 0.15;

/** Shares of the picture outside of which a guess has gone astray. */
const MIN_SHARE = 0.01;
const MAX_SHARE = 0.98;

/** What a tolerance of e is worth in log-odds. */
const TOLERANCE_ODDS = 2;

export interface Cut {
  readonly mask: Mask;
  /**
   * Share of the pixels (0–1) that their colour alone puts on the side that they are on. High where
   * garment and background have colours of their own, whatever else is in the picture.
   */
  readonly agreement: number;
}

/**
 * Where the garment is, without holes, or null where colours and places cannot tell.
 *
 * @param picture about 128 pixels long; opaque
 * @param tolerance above 1 gives more to the background, below 1 more to the garment
 */
export function cutGarment(picture: Picture, tolerance: number): Cut | null {
  const { width, height, data } = picture;
  const numPixels = width * height;
  const border = Math.max(1, Math.round(Math.min(width, height) * BORDER_SHARE));
  const place = new Float32Array(numPixels);
  const light = new Float32Array(numPixels);
  const bins = new Uint16Array(numPixels);
  let background: Uint8Array = new Uint8Array(numPixels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      place[i] = placeOdds((2 * x + 1) / width - 1, (2 * y + 1) / height - 1);
      const [red, green, blue] = [data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!];
      light[i] = lightness(red, green, blue);
      bins[i] = binOf(red, green, blue);
      const isBorder = Math.min(x, width - 1 - x) < border || Math.min(y, height - 1 - y) < border;
      background[i] = isBorder ? 1 : 0;
    }
  }

  const seen = colorsOf(bins, background);
  const strangeness = place.map((odds, i) => odds - Math.log(seen[bins[i]!]! + RARE));
  const level = strangeness.slice().sort()[Math.floor(numPixels * (1 - FIRST_SHARE))]!;
  let garment = above(strangeness, level);

  const filter = createGuidedFilter(light, width, height, SMOOTH_RADIUS, EDGE_VARIANCE);
  const bias = TOLERANCE_ODDS * Math.log(tolerance);
  let mask: Mask | null = null;
  let agreement = 0;
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const colorOdds = compareColors(colorsOf(bins, garment), colorsOf(bins, background));
    const trust = round === 0 ? 1 : LATER_PLACE;
    const odds = place.map((prior, i) => prior * trust + colorOdds[bins[i]!]! - bias);
    // Twice, so that what is smoothed reaches twice as far without crossing more edges.
    const smooth = filter.smooth(filter.smooth(odds));
    mask = keepLargest({ width, height, inside: above(smooth, 0) }, PART_SHARE);
    const share = areaOf(mask) / numPixels;
    if (share < MIN_SHARE || share > MAX_SHARE) return null;
    garment = mask.inside;
    agreement = agreementOf(colorOdds, bins, garment);
    background = garment.map((value) => 1 - value);
  }
  return mask && { mask: fillHoles(mask), agreement };
}

function agreementOf(colorOdds: Float32Array, bins: Uint16Array, garment: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < garment.length; i++) {
    if (colorOdds[bins[i]!]! > 0 === (garment[i] === 1)) count += 1;
  }
  return count / garment.length;
}

/** 1 where a value exceeds the level. A plain loop: `Uint8Array.from` walks an iterator. */
function above(values: Float32Array, level: number): Uint8Array {
  const result = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = values[i]! > level ? 1 : 0;
  return result;
}

/** @param x −1 at the left edge to 1 at the right one; `y` likewise from top to bottom */
function placeOdds(x: number, y: number): number {
  // A rounded rectangle around the middle: 0 in the middle, 1 where it touches the edges.
  const out = (x ** 4 + y ** 4) ** 0.25;
  return MIDDLE_ODDS + (BORDER_ODDS - MIDDLE_ODDS) * out ** 3;
}

/** Bins along each of red, green and blue. */
const BINS = 20;
/** Probability that is added to every bin's, for colours that were never seen. */
const RARE = 1e-6;

function binOf(red: number, green: number, blue: number): number {
  const bin = (value: number) => Math.floor((value * BINS) / 256);
  return (bin(red) * BINS + bin(green)) * BINS + bin(blue);
}

/** How often each bin comes up among the pixels chosen, blurred to the neighbouring bins; sums to 1. */
function colorsOf(bins: Uint16Array, chosen: Uint8Array): Float32Array {
  let shares = new Float32Array(BINS ** 3);
  let total = 0;
  for (let i = 0; i < bins.length; i++) {
    shares[bins[i]!]! += chosen[i]!;
    total += chosen[i]!;
  }
  for (let i = 0; i < shares.length; i++) shares[i]! /= Math.max(total, 1);
  // A binomial kernel, twice along each axis.
  for (const step of [1, BINS, BINS ** 2, 1, BINS, BINS ** 2]) {
    const blurred = new Float32Array(shares.length);
    for (let i = 0; i < shares.length; i++) {
      const at = Math.floor(i / step) % BINS;
      const before = at > 0 ? shares[i - step]! : shares[i]!;
      const after = at < BINS - 1 ? shares[i + step]! : shares[i]!;
      blurred[i] = shares[i]! / 2 + (before + after) / 4;
    }
    shares = blurred;
  }
  return shares;
}

/** Log-odds of garment against background for each bin. */
function compareColors(garment: Float32Array, background: Float32Array): Float32Array {
  return garment.map((share, bin) => {
    const odds = Math.log((share + RARE) / (background[bin]! + RARE));
    return Math.max(-MAX_COLOR_ODDS, Math.min(MAX_COLOR_ODDS, odds));
  });
}
