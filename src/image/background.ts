/**
 * Owns the background: laying what is transparent onto a sheet, and reading from a picture's border
 * what lies behind the garment.
 */
import type { Picture } from './picture.ts';

/** Rec. 601 luma, 0–255: how light a colour looks. */
export function lightness(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** Mean lightness from which a cut-out garment would vanish on a white sheet. */
const TOO_LIGHT_FOR_WHITE = 205;

/**
 * The picture without transparency. What is cut out is laid onto white, as a shop would show it,
 * unless it is nearly white itself: then onto black. An opaque picture is returned as it is.
 */
export function flattenPicture(picture: Picture): Picture {
  const { width, height, data } = picture;
  let light = 0;
  let opacity = 0;
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    light += alpha * lightness(data[i]!, data[i + 1]!, data[i + 2]!);
    opacity += alpha;
  }
  if (opacity === width * height * 255) return picture;
  const sheet = opacity > 0 && light / opacity > TOO_LIGHT_FOR_WHITE ? 0 : 255;
  const flat = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]! / 255;
    for (let channel = 0; channel < 3; channel++) {
      flat[i + channel] = data[i + channel]! * alpha + sheet * (1 - alpha);
    }
    flat[i + 3] = 255;
  }
  return { width, height, data: flat };
}

/** What the border of a picture tells of what lies behind the garment. */
export interface Background {
  /** Median red, green and blue of the border, 0–255. */
  readonly color: readonly [number, number, number];
  /**
   * RGB distance (0–441) from the background's colour that three quarters of the border stay within.
   * Small for a plain backdrop, large for carpets, floors and folds.
   */
  readonly spread: number;
  /**
   * How the colour changes over the picture where light falls off over a plain backdrop; null where
   * it is `color` all over. For each of red, green and blue the six factors of `termsAt`.
   */
  readonly shading: readonly [Float64Array, Float64Array, Float64Array] | null;
}

const NUM_TERMS = 6;

/** Terms of a quadratic surface at a place, −1 to 1 across and down. */
function termsAt(x: number, y: number, into: Float64Array): void {
  into[0] = 1;
  into[1] = x;
  into[2] = y;
  into[3] = x * x;
  into[4] = x * y;
  into[5] = y * y;
}

/** The background's red, green and blue at every pixel. `[height · width · 3]`, 0–255 */
export function paintBackground(
  { color, shading }: Background,
  { width, height }: { readonly width: number; readonly height: number },
): Float32Array {
  const painted = new Float32Array(width * height * 3);
  const terms = new Float64Array(NUM_TERMS);
  for (let i = 0, at = 0; i < width * height; i++, at += 3) {
    if (shading)
      termsAt((2 * (i % width)) / width - 1, (2 * Math.floor(i / width)) / height - 1, terms);
    for (let channel = 0; channel < 3; channel++) {
      painted[at + channel] = shading ? dot(shading[channel]!, terms) : color[channel]!;
    }
  }
  return painted;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Spread of the border up to which a background counts as plain. */
const PLAIN_SPREAD = 10;

/** One even backdrop, such as paper or a drawing pad, rather than a floor, a carpet or folds. */
export function isPlain(background: Background): boolean {
  return background.spread <= PLAIN_SPREAD;
}

/** From this lightness on a background is taken for white paper, up to the other for black. */
export const WHITE_FROM = 190;
export const BLACK_TO = 60;

export function isNearWhiteOrBlack(background: Background): boolean {
  const level = lightness(...background.color);
  return !isColorful(background) && (level >= WHITE_FROM || level <= BLACK_TO);
}

/** Difference of the strongest and the weakest of red, green and blue from which it is a colour. */
const MIN_CHROMA = 40;

function isColorful({ color }: Background): boolean {
  return Math.max(...color) - Math.min(...color) >= MIN_CHROMA;
}

/** Thickness of the border, as a share of the shorter edge. */
const BORDER_SHARE = 0.04;

/**
 * Reads the background from the border: the median colour, which a garment that leaves the picture
 * on one side does not move, and how far the border strays from it. Where the outermost pixels are
 * plain, they are the border: a garment may come close to them.
 */
export function estimateBackground(picture: Picture): Background {
  const outermost = readBorder(picture, 1);
  if (isPlain(outermost)) return outermost;
  const { width, height } = picture;
  const thickness = Math.max(1, Math.round(Math.min(width, height) * BORDER_SHARE));
  const border = readBorder(picture, thickness);
  if (isPlain(border)) return border;
  const shaded = readShading(picture, thickness, border);
  return shaded && shaded.spread <= SMOOTH_SPREAD ? shaded : border;
}

/** Spread about a shading up to which it explains the border. */
const SMOOTH_SPREAD = 6;
/** Rounds of fitting; each trusts the pixels that the one before was near. */
const FIT_ROUNDS = 5;

/**
 * Light that falls off over the backdrop: a quadratic surface through the border's colours, fitted by
 * iteratively reweighted least squares, so that a garment at the edge does not bend it.
 */
function readShading(picture: Picture, thickness: number, first: Background): Background | null {
  const { width, height, data } = picture;
  const places: number[] = [];
  eachOfBorder(picture, thickness, (i) => places.push(i));
  const terms = places.map((i) => {
    const at = new Float64Array(NUM_TERMS);
    termsAt((2 * ((i / 4) % width)) / width - 1, (2 * Math.floor(i / 4 / width)) / height - 1, at);
    return at;
  });
  let background = first;
  let distances = new Float32Array(places.length);
  for (let round = 0; round < FIT_ROUNDS; round++) {
    const scale = Math.max(4, background.spread);
    // In the first round every pixel counts alike: the median knows nothing of a slope.
    const weights = distances.map((distance) =>
      round === 0 ? 1 : 1 / (1 + (distance / scale) ** 2) ** 2,
    );
    const channels = [0, 1, 2].map((channel) =>
      solveLeastSquares(terms, weights, (j) => data[places[j]! + channel]!),
    );
    const [red, green, blue] = channels;
    if (!red || !green || !blue) return null;
    const shading = [red, green, blue] as const;
    distances = Float32Array.from(terms, (at, j) =>
      Math.hypot(
        ...shading.map((factors, channel) => data[places[j]! + channel]! - dot(factors, at)),
      ),
    );
    background = { color: first.color, spread: quantile(distances, 0.75), shading };
  }
  return background;
}

/** Factors of the terms by weighted least squares; null where the terms do not tell them apart. */
function solveLeastSquares(
  terms: readonly Float64Array[],
  weights: Float32Array,
  valueAt: (j: number) => number,
): Float64Array | null {
  const size = NUM_TERMS;
  const rows = Array.from({ length: size }, () => new Float64Array(size + 1));
  terms.forEach((term, j) => {
    const value = valueAt(j);
    for (let a = 0; a < size; a++) {
      const weighted = weights[j]! * term[a]!;
      for (let b = 0; b < size; b++) rows[a]![b]! += weighted * term[b]!;
      rows[a]![size]! += weighted * value;
    }
  });
  // Gauss and Jordan, with the largest pivot of each column.
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column; row < size; row++) {
      if (Math.abs(rows[row]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = row;
    }
    if (Math.abs(rows[pivot]![column]!) < 1e-6) return null;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let row = 0; row < size; row++) {
      if (row === column) continue;
      const factor = rows[row]![column]! / rows[column]![column]!;
      for (let b = column; b <= size; b++) rows[row]![b]! -= factor * rows[column]![b]!;
    }
  }
  return Float64Array.from(rows, (row, i) => row[size]! / row[i]!);
}

/** Visits where in the data each pixel of the border begins. */
function eachOfBorder(
  { width, height }: Picture,
  thickness: number,
  visit: (i: number) => void,
): void {
  for (let y = 0; y < height; y++) {
    const isEdgeRow = y < thickness || y >= height - thickness;
    for (let x = 0; x < width; x++) {
      // In a row between top and bottom, from the left edge straight to the right one.
      if (!isEdgeRow && x === thickness) x = Math.max(x, width - thickness);
      visit((y * width + x) * 4);
    }
  }
}

function readBorder(picture: Picture, thickness: number): Background {
  const { data } = picture;
  const histograms = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)] as const;
  eachOfBorder(picture, thickness, (i) => {
    for (let channel = 0; channel < 3; channel++) histograms[channel]![data[i + channel]!]! += 1;
  });
  const [red, green, blue] = histograms;
  const color = [levelAt(red, 0.5), levelAt(green, 0.5), levelAt(blue, 0.5)] as const;

  const distances = new Uint32Array(442);
  eachOfBorder(picture, thickness, (i) => {
    const dr = data[i]! - color[0];
    const dg = data[i + 1]! - color[1];
    const db = data[i + 2]! - color[2];
    distances[Math.round(Math.sqrt(dr * dr + dg * dg + db * db))]! += 1;
  });
  return { color, spread: levelAt(distances, 0.75), shading: null };
}

/** The first level at which more than a share `q` of what a histogram counts is reached. */
function levelAt(histogram: Uint32Array, q: number): number {
  const total = histogram.reduce((sum, count) => sum + count);
  let reached = 0;
  for (let level = 0; level < histogram.length; level++) {
    reached += histogram[level]!;
    if (reached > q * total) return level;
  }
  return 0;
}

/** The value below which a share `q` (0–1) of the numbers lies; 0 where there are none. */
export function quantile(values: Float32Array, q: number): number {
  // Typed arrays sort by number, and much faster than by a function.
  const sorted = values.slice().sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
