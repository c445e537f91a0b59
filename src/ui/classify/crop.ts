/**
 * Owns the geometry of cropping by hand: what a drag or a key makes of a rectangle that must stay
 * inside the picture. Pure; everything in shares (0–1) of the picture's edges.
 */
import type { Crop } from '../../image/picture.ts';

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** What a pointer has hold of: the whole rectangle, or some of its edges. */
export type Grip = 'inside' | Edges;

/** −1: left or top, 1: right or bottom, 0: neither. Not both 0. */
export interface Edges {
  readonly x: -1 | 0 | 1;
  readonly y: -1 | 0 | 1;
}

export const WHOLE: Crop = { left: 0, top: 0, width: 1, height: 1 };

/** Less than this of an edge is no garment any more, and hard to take hold of. */
const MIN_SHARE = 0.05;
/** What lacks so little on every side is meant to be the whole picture. */
const ALMOST = 0.005;

const clamp = (value: number, least: number, most: number) =>
  Math.max(least, Math.min(most, value));

/** The rectangle between two places, of a least size, inside the picture. */
export function between(from: Spot, to: Spot): Crop {
  const span = (a: number, b: number): readonly [number, number] => {
    const start = clamp(Math.min(a, b), 0, 1 - MIN_SHARE);
    return [start, clamp(Math.max(a, b) - start, MIN_SHARE, 1 - start)];
  };
  const [left, width] = span(from.x, to.x);
  const [top, height] = span(from.y, to.y);
  return { left, top, width, height };
}

/** The rectangle moved, as far as the picture goes. */
export function moveCrop(crop: Crop, by: Spot): Crop {
  return {
    ...crop,
    left: clamp(crop.left + by.x, 0, 1 - crop.width),
    top: clamp(crop.top + by.y, 0, 1 - crop.height),
  };
}

/** The rectangle with some of its edges moved; opposite edges stay, and none passes the other. */
export function resizeCrop(crop: Crop, edges: Edges, by: Spot): Crop {
  const stretch = (edge: -1 | 0 | 1, start: number, length: number, delta: number) => {
    const end = start + length;
    if (edge === -1) {
      const moved = clamp(start + delta, 0, end - MIN_SHARE);
      return [moved, end - moved] as const;
    }
    return [start, edge === 1 ? clamp(length + delta, MIN_SHARE, 1 - start) : length] as const;
  };
  const [left, width] = stretch(edges.x, crop.left, crop.width, by.x);
  const [top, height] = stretch(edges.y, crop.top, crop.height, by.y);
  return { left, top, width, height };
}

/** Null where the rectangle is the whole picture, or as good as. */
export function unlessWhole(crop: Crop): Crop | null {
  const isWhole =
    crop.left < ALMOST &&
    crop.top < ALMOST &&
    crop.left + crop.width > 1 - ALMOST &&
    crop.top + crop.height > 1 - ALMOST;
  return isWhole ? null : crop;
}

/**
 * What a pointer at a place would take hold of; null outside.
 *
 * @param reach how near an edge counts as on it, in shares of the picture's width and height
 */
export function gripAt(crop: Crop, at: Spot, reach: Spot): Grip | null {
  const side = (value: number, start: number, length: number, near: number) => {
    if (value < start - near || value > start + length + near) return null;
    // In a small rectangle a third of it is left for moving it.
    const within = Math.min(near, length / 3);
    if (value < start + within) return -1;
    return value > start + length - within ? 1 : 0;
  };
  const x = side(at.x, crop.left, crop.width, reach.x);
  const y = side(at.y, crop.top, crop.height, reach.y);
  if (x === null || y === null) return null;
  return x === 0 && y === 0 ? 'inside' : { x, y };
}

/** For people and screen readers, in whole percents. */
export function describeCrop({ left, top, width, height }: Crop): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return `${percent(width)} of the width and ${percent(height)} of the height, from ${percent(left)} left and ${percent(top)} top`;
}
