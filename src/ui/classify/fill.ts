/**
 * Owns the paint bucket: filling a region of a grey picture up to its outline. Pure.
 */
import type { Picture } from '../../image/picture.ts';

/** How far a pixel's grey may be from that of the place pressed and still belong to the region. */
const TOLERANCE = 48;

/**
 * Fills the region around (x, y) with a grey level, and the ring of half-tones where it meets an
 * outline, so that no pale seam is left. Goes by the red channel: the pad knows greys only.
 *
 * @returns a new picture, or null where nothing would change or the place is outside the picture
 */
export function fillRegion(picture: Picture, x: number, y: number, tone: number): Picture | null {
  const { width, height } = picture;
  const startX = Math.floor(x);
  const startY = Math.floor(y);
  if (startX < 0 || startY < 0 || startX >= width || startY >= height) return null;
  const greyAt = (i: number) => picture.data[i * 4] ?? 0;
  const start = startY * width + startX;
  const from = greyAt(start);
  if (from === tone) return null;

  const region = new Uint8Array(width * height);
  const stack = [start];
  region[start] = 1;
  const data = picture.data.slice();
  const paint = (i: number) => data.fill(tone, i * 4, i * 4 + 3);
  for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
    paint(i);
    const column = i % width;
    const neighbours = [
      column > 0 ? i - 1 : -1,
      column < width - 1 ? i + 1 : -1,
      i - width,
      i + width,
    ];
    for (const j of neighbours) {
      if (j < 0 || j >= region.length || region[j] !== 0) continue;
      region[j] = 1;
      if (Math.abs(greyAt(j) - from) <= TOLERANCE) stack.push(j);
      else paint(j);
    }
  }
  return { width, height, data };
}
