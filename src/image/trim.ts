/**
 * Owns the garment's box: where its edges lie once the blur of a lens, of JPEG or of an enlargement
 * is taken off.
 */
import { SIDE } from '../fashion.ts';
import type { Box } from './resample.ts';

/**
 * A blurred edge rises over several pixels, and the outermost of them are no garment. Each side is
 * moved in to where the tones reach half of what they reach one pixel of the 28 further in; faint
 * but flat parts stay, since there is nothing brighter just behind them.
 */
export function trimToEdges(tones: Float32Array, width: number, box: Box): Box {
  const across = new Float32Array(box.width);
  const down = new Float32Array(box.height);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const tone = tones[(box.top + y) * width + box.left + x]!;
      if (tone > across[x]!) across[x] = tone;
      if (tone > down[y]!) down[y] = tone;
    }
  }
  const reach = Math.max(1, Math.round(Math.max(box.width, box.height) / SIDE));
  const left = rise(across, reach);
  const right = rise(across.slice().reverse(), reach);
  const top = rise(down, reach);
  const bottom = rise(down.slice().reverse(), reach);
  return {
    left: box.left + left,
    top: box.top + top,
    width: box.width - left - right,
    height: box.height - top - bottom,
  };
}

/** Where a profile first reaches half of its greatest value within `reach` from there. */
function rise(profile: Float32Array, reach: number): number {
  for (let i = 0; i < Math.min(reach, profile.length - 1); i++) {
    let ahead = 0;
    for (let j = i; j < Math.min(i + reach, profile.length); j++)
      ahead = Math.max(ahead, profile[j]!);
    if (profile[i]! >= ahead / 2) return i;
  }
  return 0;
}
