/**
 * Owns the ways of bringing a picture to 28 × 28 that are measured beside each other.
 */
import { SIDE } from '../src/fashion.ts';
import { estimateBackground, lightness, paintBackground } from '../src/image/background.ts';
import { fitToSide, sharpen, spreadLevels } from '../src/image/fit.ts';
import { boxOf, close, fillHoles, keepLargest, open } from '../src/image/mask.ts';
import { normalizePicture } from '../src/image/normalize.ts';
import type { Picture } from '../src/image/picture.ts';
import { averageArea, shrinkPicture } from '../src/image/resample.ts';
import { distanceFrom, splitInTwo } from '../src/image/segment.ts';
import { mustNegate, toTones } from '../src/image/tone.ts';

/** What a way of preprocessing makes of a picture: `[784]`, or null where it sees nothing. */
export type Way = (picture: Picture) => Uint8Array | null;

const ours: Way = (picture) => {
  const normalized = normalizePicture(picture);
  return normalized.kind === 'garment' ? normalized.pixels : null;
};

/** One threshold on the distance to the border's colour, as this project's first version had it. */
const oneThreshold: Way = (picture) => {
  const small = shrinkPicture(picture, 224);
  const { width, height } = small;
  const background = estimateBackground(small);
  const distance = distanceFrom(paintBackground(background, small), small);
  const { threshold, contrast } = splitInTwo(distance);
  if (contrast < 12) return null;
  const inside = Uint8Array.from(distance, (value) => (value > threshold ? 1 : 0));
  const mask = fillHoles(keepLargest(open(close({ width, height, inside }, 2), 2), 1));
  const box = boxOf(mask);
  if (!box) return null;
  const tones = toTones(small, mask, background, mustNegate(small, mask, background));
  return spreadLevels(sharpen(fitToSide(tones, small, box)));
};

/** What demos do: grey, inverted, squashed to 28 × 28. */
const ordinary: Way = ({ width, height, data }) => {
  const grey = new Float32Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    const at = (channel: number) => data[i * 4 + channel] ?? 0;
    grey[i] = 255 - lightness(at(0), at(1), at(2));
  }
  const whole = { left: 0, top: 0, width, height };
  return Uint8Array.from(averageArea(grey, { width, height, channels: 1 }, whole, SIDE, SIDE));
};

export const WAYS: readonly { readonly name: string; readonly way: Way }[] = [
  { name: 'grey, invert, squash', way: ordinary },
  { name: 'one threshold', way: oneThreshold },
  { name: 'upload path', way: ours },
];
