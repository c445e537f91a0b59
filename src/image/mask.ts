/**
 * Owns binary masks: which pixels of a picture belong to the garment, and the morphology that
 * tidies such a mask. All functions return new masks.
 */

export interface Mask {
  readonly width: number;
  readonly height: number;
  /** `[height · width]`, 1 inside, 0 outside. */
  readonly inside: Uint8Array;
}

/** Pixels inside. */
export function areaOf(mask: Mask): number {
  let area = 0;
  for (const value of mask.inside) area += value;
  return area;
}

/** Spreads `value` to all pixels within `radius` (a square). The running count is O(1) a pixel. */
function grow({ width, height, inside }: Mask, radius: number, value: 0 | 1): Mask {
  const across = new Uint8Array(inside.length);
  const result = new Uint8Array(inside.length);
  const other = 1 - value;
  const pass = (
    from: Uint8Array,
    to: Uint8Array,
    numLines: number,
    lineStep: number,
    length: number,
    step: number,
  ) => {
    for (let line = 0; line < numLines; line++) {
      const start = line * lineStep;
      let count = 0;
      for (let i = 0; i < Math.min(radius, length); i++) {
        if (from[start + i * step] === value) count += 1;
      }
      for (let i = 0; i < length; i++) {
        if (i + radius < length && from[start + (i + radius) * step] === value) count += 1;
        if (i - radius > 0 && from[start + (i - radius - 1) * step] === value) count -= 1;
        to[start + i * step] = count > 0 ? value : other;
      }
    }
  };
  pass(inside, across, height, width, width, 1);
  pass(across, result, width, 1, height, width);
  return { width, height, inside: result };
}

function dilate(mask: Mask, radius: number): Mask {
  return radius > 0 ? grow(mask, radius, 1) : mask;
}

/** Beyond the picture's edge nothing is outside, so that a garment cut by the edge is not eroded there. */
function erode(mask: Mask, radius: number): Mask {
  return radius > 0 ? grow(mask, radius, 0) : mask;
}

/** Removes specks and hairs thinner than `2 · radius + 1`. */
export function open(mask: Mask, radius: number): Mask {
  return dilate(erode(mask, radius), radius);
}

/** Bridges gaps thinner than `2 · radius + 1`. */
export function close(mask: Mask, radius: number): Mask {
  // With a margin, or what is dilated against the picture's edge would stick to it.
  const { width, height } = mask;
  const wide = { width: width + 2 * radius, height: height + 2 * radius };
  const padded = new Uint8Array(wide.width * wide.height);
  for (let y = 0; y < height; y++) {
    const row = mask.inside.subarray(y * width, (y + 1) * width);
    padded.set(row, (y + radius) * wide.width + radius);
  }
  const closed = erode(dilate({ ...wide, inside: padded }, radius), radius).inside;
  const inside = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (y + radius) * wide.width + radius;
    inside.set(closed.subarray(start, start + width), y * width);
  }
  return { width, height, inside };
}

/**
 * Labels the connected regions of pixels equal to `value`.
 *
 * @returns `labels` `[height · width]`, 0 where the pixel is not `value`, else 1-based; and the area
 *   of each label (index 0 unused)
 */
function labelRegions(
  { width, inside }: Mask,
  value: 0 | 1,
  neighbours: 4 | 8,
): { labels: Int32Array; areas: number[] } {
  const labels = new Int32Array(inside.length);
  const areas = [0];
  // Each pixel is pushed once.
  const stack = new Int32Array(inside.length);
  for (let seed = 0; seed < inside.length; seed++) {
    if (inside[seed] !== value || labels[seed] !== 0) continue;
    const label = areas.length;
    let area = 0;
    let depth = 1;
    labels[seed] = label;
    stack[0] = seed;
    while (depth > 0) {
      depth -= 1;
      area += 1;
      const i = stack[depth]!;
      const x = i % width;
      const fromX = x > 0 ? -1 : 0;
      const toX = x < width - 1 ? 1 : 0;
      const fromY = i >= width ? -width : 0;
      const toY = i < inside.length - width ? width : 0;
      for (let dy = fromY; dy <= toY; dy += width) {
        for (let dx = fromX; dx <= toX; dx++) {
          if (neighbours === 4 && dx !== 0 && dy !== 0) continue;
          const j = i + dy + dx;
          if (inside[j] === value && labels[j] === 0) {
            labels[j] = label;
            stack[depth] = j;
            depth += 1;
          }
        }
      }
    }
    areas.push(area);
  }
  return { labels, areas };
}

/** On a plain background, parts of at least this share of the largest belong to the garment. */
export const PART_SHARE = 0.01;

/** Keeps the regions with at least `share` (0–1) of the largest one's area; 1 keeps the largest. */
export function keepLargest(mask: Mask, share: number): Mask {
  const { labels, areas } = labelRegions(mask, 1, 8);
  const largest = Math.max(...areas);
  const inside = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    inside[i] = label > 0 && areas[label]! >= share * largest ? 1 : 0;
  }
  return { ...mask, inside };
}

/** Keeps the regions that hold at least one pixel of `seeds`. */
export function keepTouching(mask: Mask, seeds: Mask): Mask {
  const { labels, areas } = labelRegions(mask, 1, 8);
  const touched = new Uint8Array(areas.length);
  for (let i = 0; i < labels.length; i++) if (seeds.inside[i] === 1) touched[labels[i]!] = 1;
  touched[0] = 0;
  const inside = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) inside[i] = touched[labels[i]!]!;
  return { ...mask, inside };
}

/** Takes in whatever the mask encloses: what cannot reach the picture's edge without crossing it. */
export function fillHoles(mask: Mask): Mask {
  const { width, height } = mask;
  const { labels, areas } = labelRegions(mask, 0, 4);
  const isOutside = new Uint8Array(areas.length);
  for (let x = 0; x < width; x++) {
    isOutside[labels[x]!] = 1;
    isOutside[labels[(height - 1) * width + x]!] = 1;
  }
  for (let y = 0; y < height; y++) {
    isOutside[labels[y * width]!] = 1;
    isOutside[labels[y * width + width - 1]!] = 1;
  }
  const inside = mask.inside.slice();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label > 0 && isOutside[label] === 0) inside[i] = 1;
  }
  return { ...mask, inside };
}

/** The smallest box around what is inside, in whole pixels; null where nothing is. */
export function boxOf({ width, height, inside }: Mask): {
  left: number;
  top: number;
  width: number;
  height: number;
} | null {
  let left = width;
  let right = -1;
  let top = height;
  let bottom = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (inside[y * width + x] === 0) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  if (right < 0) return null;
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** The mask on a larger grid; each pixel takes the one that it lies in. */
export function enlargeMask(mask: Mask, width: number, height: number): Mask {
  const inside = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++) {
      inside[y * width + x] = mask.inside[row + Math.floor(((x + 0.5) * mask.width) / width)]!;
    }
  }
  return { width, height, inside };
}
