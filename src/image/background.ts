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
   * RGB distance (0–441) from `color` that three quarters of the border stay within. Small for a
   * plain backdrop, large for carpets, floors and folds.
   */
  readonly spread: number;
}

/** Spread of the border up to which a background counts as plain. */
const PLAIN_SPREAD = 10;

/** One even backdrop, such as paper or a drawing pad, rather than a floor, a carpet or folds. */
export function isPlain(background: Background): boolean {
  return background.spread <= PLAIN_SPREAD;
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
  return readBorder(picture, Math.max(1, Math.round(Math.min(width, height) * BORDER_SHARE)));
}

function readBorder({ width, height, data }: Picture, thickness: number): Background {
  const eachOfBorder = (visit: (i: number) => void) => {
    for (let y = 0; y < height; y++) {
      const isEdgeRow = y < thickness || y >= height - thickness;
      for (let x = 0; x < width; x++) {
        // In a row between top and bottom, from the left edge straight to the right one.
        if (!isEdgeRow && x === thickness) x = Math.max(x, width - thickness);
        visit((y * width + x) * 4);
      }
    }
  };
  const histograms = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)] as const;
  eachOfBorder((i) => {
    for (let channel = 0; channel < 3; channel++) histograms[channel]![data[i + channel]!]! += 1;
  });
  const [red, green, blue] = histograms;
  const color = [levelAt(red, 0.5), levelAt(green, 0.5), levelAt(blue, 0.5)] as const;

  const distances = new Uint32Array(442);
  eachOfBorder((i) => {
    const dr = data[i]! - color[0];
    const dg = data[i + 1]! - color[1];
    const db = data[i + 2]! - color[2];
    distances[Math.round(Math.sqrt(dr * dr + dg * dg + db * db))]! += 1;
  });
  return { color, spread: levelAt(distances, 0.75) };
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
