/**
 * Owns the last conventions of the data: where and how large a garment stands on its 28 × 28 pixels,
 * how crisp it is and how bright.
 *
 * The originals were scaled so that the longest edge is 28, sharpened and centred by their box
 * (Xiao et al., 2017). MNIST's rule, a box of 20 and the centre of mass, is not theirs.
 */
import { PIXELS, SIDE } from '../fashion.ts';
import { quantile } from './background.ts';
import { averageArea, type Box } from './resample.ts';

export interface Fitted {
  /** `[784]` tones, 0–255. */
  readonly pixels: Float32Array;
  /** `[784]` variance of the tones each pixel is the mean of: the detail that averaging took away. */
  readonly lost: Float32Array;
}

/** The box of the tones, its longest edge brought to 28 pixels by area averaging, centred on black. */
export function fitToSide(
  tones: Float32Array,
  { width, height }: { width: number; height: number },
  box: Box,
): Fitted {
  const scale = SIDE / Math.max(box.width, box.height);
  const outWidth = Math.max(1, Math.round(box.width * scale));
  const outHeight = Math.max(1, Math.round(box.height * scale));
  const size = { width, height, channels: 1 };
  const means = averageArea(tones, size, box, outWidth, outHeight);
  const squares = averageArea(
    tones.map((tone) => tone * tone),
    size,
    box,
    outWidth,
    outHeight,
  );
  const pixels = new Float32Array(PIXELS);
  const lost = new Float32Array(PIXELS);
  // Where the margins cannot be equal, the originals have the wider one left and on top.
  const left = Math.ceil((SIDE - outWidth) / 2);
  const top = Math.ceil((SIDE - outHeight) / 2);
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const i = (top + y) * SIDE + left + x;
      const mean = means[y * outWidth + x]!;
      pixels[i] = mean;
      lost[i] = Math.max(0, squares[y * outWidth + x]! - mean * mean);
    }
  }
  return { pixels, lost };
}

/** All of the tones brought to 28 × 28, whatever that does to the proportions. */
export function squash(
  tones: Float32Array,
  { width, height }: { width: number; height: number },
): Fitted {
  const whole = { left: 0, top: 0, width, height };
  const pixels = averageArea(tones, { width, height, channels: 1 }, whole, SIDE, SIDE);
  return { pixels, lost: new Float32Array(PIXELS) };
}

/** A Gaussian of sigma 1 cut off at radius 1, without its centre: straight and diagonal neighbours. */
const STRAIGHT = 0.1556;
const DIAGONAL = 0.0944;
/** Strength for a photo; the originals' sharpening (radius 1, sigma 1) has 0.66. */
const STRENGTH = 0.5;
/** Detail lost, relative to detail kept, from which the full strength is due. */
const FULL_LOSS = 0.25;

/**
 * Gives back the crispness that averaging took, as the originals were sharpened after scaling. What
 * averaging took nothing from, such as a picture made of enlarged pixels, is left as it is.
 * Pixels of exactly 0 stay so: they are outside the garment.
 */
export function sharpen({ pixels, lost }: Fitted): Float32Array {
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= SIDE || y >= SIDE ? 0 : pixels[y * SIDE + x]!;
  const edges = new Float32Array(PIXELS);
  let kept = 0;
  let gone = 0;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const i = y * SIDE + x;
      const straight = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
      const diagonal = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
      edges[i] = pixels[i]! - STRAIGHT * straight - DIAGONAL * diagonal;
      kept += edges[i]! ** 2;
      gone += lost[i]!;
    }
  }
  const loss = kept > 0 ? Math.sqrt(gone / kept) : 0;
  const amount = STRENGTH * Math.min(1, loss / FULL_LOSS);
  return pixels.map((tone, i) =>
    tone === 0 ? 0 : Math.max(0, Math.min(255, tone + amount * edges[i]!)),
  );
}

/** Pixels darker than this do not count in the reading of brightness. */
const LIT = 8;
/** Nineteen of twenty training garments reach this brightness (95th percentile of their pixels). */
const TOO_DIM = 125;
/** Where a dimmer one is lifted to. */
const LIFT_TO = 160;

/** The pixels as bytes, lifted where the garment is dimmer than nearly all of the training data. */
export function spreadLevels(pixels: Float32Array): Uint8Array {
  const bright = quantile(
    pixels.filter((tone) => tone > LIT),
    0.95,
  );
  const gain = bright > 0 && bright < TOO_DIM ? LIFT_TO / bright : 1;
  return Uint8Array.from(pixels, (tone) => Math.min(255, Math.round(tone * gain)));
}
