/**
 * Owns the minimum cut of a grid of pixels in two: Boykov and Kolmogorov, "An Experimental Comparison
 * of Min-Cut/Max-Flow Algorithms for Energy Minimization in Vision", 2004.
 *
 * Two trees of pixels grow towards each other, one from the source and one from the sink. Where they
 * meet there is a path along which more can flow; what it fills up splits a tree, and the pixels that
 * lost their root look for another one.
 */

/** Steps to the eight neighbours; the opposite of direction `d` is `7 - d`. */
const STEPS = [
  [-1, -1],
  [0, -1],
  [1, -1],
  [-1, 0],
  [1, 0],
  [-1, 1],
  [0, 1],
  [1, 1],
] as const;
const NUM_DIRECTIONS = STEPS.length;

const FREE = 0;
const SOURCE = 1;
const SINK = 2;

/** Values of `parent` that are no direction. */
const ROOT = 8;
const NONE = 9;

export interface Grid {
  readonly width: number;
  readonly height: number;
  /**
   * How much rather a pixel is on the side of the source (above 0) than on that of the sink (below).
   * `[height · width]`
   */
  readonly odds: Float32Array;
  /** What it costs to part pixel `i` from its neighbour `j`; the same both ways; at least 0. */
  readonly costOf: (i: number, j: number, isDiagonal: boolean) => number;
}

/** 1 for the pixels on the side of the source in the cheapest cut. `[height · width]` */
export function minCut({ width, height, odds, costOf }: Grid): Uint8Array {
  const numPixels = width * height;
  const offsets = Int32Array.from(STEPS, ([dx, dy]) => dy * width + dx);
  /** What can still flow from a pixel in each direction. `[pixels · 8]` */
  const room = new Float32Array(numPixels * NUM_DIRECTIONS);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      for (let d = 4; d < NUM_DIRECTIONS; d++) {
        const [dx, dy] = STEPS[d]!;
        if (x + dx < 0 || x + dx >= width || y + dy >= height) continue;
        const j = i + offsets[d]!;
        const cost = costOf(i, j, dx !== 0 && dy !== 0);
        room[i * NUM_DIRECTIONS + d] = cost;
        room[j * NUM_DIRECTIONS + 7 - d] = cost;
      }
    }
  }
  /** What can still flow from the source into a pixel (above 0), or from it to the sink (below). */
  const terminal = odds.slice();

  const tree = new Uint8Array(numPixels);
  /** Direction of the pixel that a pixel hangs on. */
  const parent = new Uint8Array(numPixels).fill(NONE);
  /** Steps to the root, and the time at which they were last counted. */
  const depth = new Int32Array(numPixels);
  const countedAt = new Int32Array(numPixels);
  let now = 0;

  // Pixels whose neighbours have yet to be looked at; each at most once, so that the ring suffices.
  const active = new Int32Array(numPixels);
  const isActive = new Uint8Array(numPixels);
  let head = 0;
  let numActive = 0;
  const activate = (i: number) => {
    if (isActive[i] === 1) return;
    isActive[i] = 1;
    active[(head + numActive) % numPixels] = i;
    numActive += 1;
  };
  for (let i = 0; i < numPixels; i++) {
    if (terminal[i] === 0) continue;
    tree[i] = terminal[i]! > 0 ? SOURCE : SINK;
    parent[i] = ROOT;
    depth[i] = 1;
    activate(i);
  }

  /** The neighbour of a pixel in column `x`, or -1 beyond the edge. */
  const neighbourOf = (i: number, x: number, d: number): number => {
    const [dx] = STEPS[d]!;
    if (x + dx < 0 || x + dx >= width) return -1;
    const j = i + offsets[d]!;
    return j >= 0 && j < numPixels ? j : -1;
  };

  const orphans: number[] = [];
  const orphan = (i: number) => {
    parent[i] = NONE;
    orphans.push(i);
  };

  /** Sends what it can from the pixel `from` of the source's tree in direction `d` to the sink's. */
  const augment = (from: number, d: number) => {
    const to = from + offsets[d]!;
    let flow = room[from * NUM_DIRECTIONS + d]!;
    let i = from;
    for (; parent[i] !== ROOT; i += offsets[parent[i]!]!) {
      const up = parent[i]!;
      flow = Math.min(flow, room[(i + offsets[up]!) * NUM_DIRECTIONS + 7 - up]!);
    }
    flow = Math.min(flow, terminal[i]!);
    for (i = to; parent[i] !== ROOT; i += offsets[parent[i]!]!) {
      flow = Math.min(flow, room[i * NUM_DIRECTIONS + parent[i]!]!);
    }
    flow = Math.min(flow, -terminal[i]!);

    room[from * NUM_DIRECTIONS + d]! -= flow;
    room[to * NUM_DIRECTIONS + 7 - d]! += flow;
    for (i = from; parent[i] !== ROOT; ) {
      const up = parent[i]!;
      const above = i + offsets[up]!;
      room[i * NUM_DIRECTIONS + up]! += flow;
      room[above * NUM_DIRECTIONS + 7 - up]! -= flow;
      if (room[above * NUM_DIRECTIONS + 7 - up]! <= 0) orphan(i);
      i = above;
    }
    terminal[i]! -= flow;
    if (terminal[i]! <= 0) orphan(i);
    for (i = to; parent[i] !== ROOT; ) {
      const up = parent[i]!;
      const above = i + offsets[up]!;
      room[above * NUM_DIRECTIONS + 7 - up]! += flow;
      room[i * NUM_DIRECTIONS + up]! -= flow;
      if (room[i * NUM_DIRECTIONS + up]! <= 0) orphan(i);
      i = above;
    }
    terminal[i]! += flow;
    if (terminal[i]! >= 0) orphan(i);
  };

  /** Steps from a pixel to the root it hangs on, or Infinity where it hangs on an orphan. */
  const stepsToRoot = (start: number): number => {
    let steps = 0;
    let i = start;
    for (;;) {
      if (countedAt[i] === now) {
        steps += depth[i]!;
        break;
      }
      steps += 1;
      const up = parent[i]!;
      if (up === ROOT) {
        countedAt[i] = now;
        depth[i] = 1;
        break;
      }
      if (up === NONE) return Number.POSITIVE_INFINITY;
      i += offsets[up]!;
    }
    let left = steps;
    for (i = start; countedAt[i] !== now; i += offsets[parent[i]!]!) {
      countedAt[i] = now;
      depth[i] = left;
      left -= 1;
    }
    return steps;
  };

  /** Whether `child` could hang on its neighbour in direction `d` in the tree of `side`. */
  const isOpen = (child: number, d: number, side: number): boolean =>
    side === SOURCE
      ? room[(child + offsets[d]!) * NUM_DIRECTIONS + 7 - d]! > 0
      : room[child * NUM_DIRECTIONS + d]! > 0;

  const adopt = (i: number) => {
    const side = tree[i]!;
    const x = i % width;
    let best = Number.POSITIVE_INFINITY;
    let bestDirection: number = NONE;
    for (let d = 0; d < NUM_DIRECTIONS; d++) {
      const j = neighbourOf(i, x, d);
      if (j < 0 || tree[j] !== side || parent[j] === NONE || !isOpen(i, d, side)) continue;
      const steps = stepsToRoot(j);
      if (steps < best) {
        best = steps;
        bestDirection = d;
      }
    }
    if (bestDirection !== NONE) {
      parent[i] = bestDirection;
      countedAt[i] = now;
      depth[i] = best + 1;
      return;
    }
    for (let d = 0; d < NUM_DIRECTIONS; d++) {
      const j = neighbourOf(i, x, d);
      if (j < 0 || tree[j] !== side) continue;
      if (isOpen(i, d, side)) activate(j);
      if (parent[j] === 7 - d) orphan(j);
    }
    tree[i] = FREE;
  };

  while (numActive > 0) {
    const i = active[head]!;
    const side = tree[i]!;
    let met = -1;
    if (side !== FREE) {
      const x = i % width;
      for (let d = 0; d < NUM_DIRECTIONS && met < 0; d++) {
        const j = neighbourOf(i, x, d);
        if (j < 0 || !isOpen(j, 7 - d, side)) continue;
        if (tree[j] === FREE) {
          tree[j] = side;
          parent[j] = 7 - d;
          countedAt[j] = countedAt[i]!;
          depth[j] = depth[i]! + 1;
          activate(j);
        } else if (tree[j] !== side) {
          met = d;
        }
      }
    }
    if (met < 0) {
      isActive[i] = 0;
      head = (head + 1) % numPixels;
      numActive -= 1;
      continue;
    }
    now += 1;
    if (side === SOURCE) augment(i, met);
    else augment(i + offsets[met]!, 7 - met);
    for (let k = 0; k < orphans.length; k++) adopt(orphans[k]!);
    orphans.length = 0;
  }
  return tree.map((side) => (side === SOURCE ? 1 : 0));
}
