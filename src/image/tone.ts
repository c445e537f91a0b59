/**
 * Owns tones: from a colour picture and its mask to grey levels as the training data has them, a
 * light garment on black.
 */
import {
  type Background,
  BLACK_TO,
  isPlain,
  lightness,
  paintBackground,
  quantile,
  WHITE_FROM,
} from './background.ts';
import type { Mask } from './mask.ts';
import type { Picture } from './picture.ts';

function lightnessAt({ data }: Picture, i: number): number {
  return lightness(data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!);
}

/** Lightness up to which a plain background counts as black in the question of polarity. */
const DARK_TO = 90;

/**
 * Whether the tones must be negated for the garment to come out as in the training data. They were
 * photographed on white and negated, so that is the rule, for a light garment too: it comes out dim,
 * as light garments are in the data. The exception is what is light on black already: a plain, dark
 * background under something that is, all in all, lighter. The border and the garment are compared,
 * never the whole picture: how much of it the background takes up says nothing about the garment.
 */
export function mustNegate(picture: Picture, mask: Mask, background: Background): boolean {
  const level = lightness(...background.color);
  if (level > DARK_TO || !isPlain(background)) return true;
  let balance = 0;
  for (let i = 0; i < mask.inside.length; i++) {
    if (mask.inside[i] === 1) balance += lightnessAt(picture, i) - level;
  }
  return balance < 0;
}

/**
 * Grey levels of the garment, 0–255, and 0 outside the mask. A background near white or black is
 * taken as white or black itself, so that it ends at exactly 0.
 *
 * @returns `[height · width]`
 */
export function toTones(
  picture: Picture,
  mask: Mask,
  background: Background,
  negate: boolean,
): Float32Array {
  const behind = paintBackground(background, picture);
  const tones = new Float32Array(mask.inside.length);
  for (let i = 0; i < tones.length; i++) {
    if (mask.inside[i] === 0) continue;
    const light = lightnessAt(picture, i);
    const level = lightness(behind[i * 3]!, behind[i * 3 + 1]!, behind[i * 3 + 2]!);
    const white = level >= WHITE_FROM ? level : 255;
    const black = level <= BLACK_TO ? level : 0;
    const tone = negate ? 1 - light / white : (light - black) / (255 - black);
    tones[i] = 255 * Math.max(0, Math.min(1, tone));
  }
  return tones;
}

/** Tones up to this are as good as background. */
const EMPTY = 12;
/**
 * Share of the mask that must be empty for the picture to count as an outline. No garment of the
 * Fashion-MNIST test set exceeds 0.36 (bags with tall handles, sandals).
 */
const HOLLOW_SHARE = 0.4;

/**
 * Fills a drawn outline with the tone of its line: the training data knows garments, not contours.
 * Returns null where the garment is not hollow.
 */
export function fillOutline(tones: Float32Array, mask: Mask): Float32Array | null {
  const drawn: number[] = [];
  let area = 0;
  for (let i = 0; i < tones.length; i++) {
    if (mask.inside[i] === 0) continue;
    area += 1;
    if (tones[i]! > EMPTY) drawn.push(tones[i]!);
  }
  if (drawn.length === 0 || 1 - drawn.length / area < HOLLOW_SHARE) return null;
  const line = quantile(Float32Array.from(drawn), 0.5);
  return tones.map((tone, i) => (mask.inside[i] === 1 ? Math.max(tone, line) : 0));
}
