/**
 * The arithmetic of charts: thinning series to what a chart can show, bringing several onto shared
 * positions, and the marks of an axis. Pure.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Several series read at the same positions. */
export interface AlignedSeries {
  /** `[n]`, rising. */
  readonly xs: readonly number[];
  /** One `[n]` per series; null before its first point and after its last. */
  readonly ys: readonly (readonly (number | null)[])[];
}

/**
 * At most `maxPoints` (≥ 2) of the points, the first and the last among them, picked so that the
 * drawn line keeps its shape: largest-triangle-three-buckets, S. Steinarsson, "Downsampling Time
 * Series for Visual Representation", 2013. `points` must rise in x.
 */
export function thin(points: readonly Point[], maxPoints: number): readonly Point[] {
  const first = points[0];
  const last = points.at(-1);
  if (points.length <= maxPoints || first === undefined || last === undefined) return points;
  const numBuckets = maxPoints - 2;
  const edge = (bucket: number) => 1 + Math.floor((bucket * (points.length - 2)) / numBuckets);
  const kept = [first];
  let previous = first;
  for (let bucket = 0; bucket < numBuckets; bucket++) {
    const next =
      bucket === numBuckets - 1 ? last : mean(points.slice(edge(bucket + 1), edge(bucket + 2)));
    let best = previous;
    let bestArea = -1;
    for (const point of points.slice(edge(bucket), edge(bucket + 1))) {
      const area = Math.abs(
        (previous.x - next.x) * (point.y - previous.y) -
          (previous.x - point.x) * (next.y - previous.y),
      );
      if (area > bestArea) {
        best = point;
        bestArea = area;
      }
    }
    kept.push(best);
    previous = best;
  }
  kept.push(last);
  return kept;
}

function mean(points: readonly Point[]): Point {
  let x = 0;
  let y = 0;
  for (const point of points) {
    x += point.x;
    y += point.y;
  }
  return { x: x / points.length, y: y / points.length };
}

/**
 * Brings series of different lengths and positions onto the union of their positions, at most
 * `maxPoints` of them. Between two points of a series its value lies on the straight line that a
 * chart draws there, so nothing is changed or invented. Points that are not finite are left out.
 * Long series are thinned to make room; short ones (a validation point an epoch) keep every point.
 */
export function align(series: readonly (readonly Point[])[], maxPoints: number): AlignedSeries {
  const clean = series.map((points) =>
    points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y)),
  );
  const shares = shareOut(
    clean.map((points) => points.length),
    maxPoints,
  );
  const thinned = clean.map((points, index) => thin(points, Math.max(2, shares[index] ?? 2)));
  const xs = [...new Set(thinned.flatMap((points) => points.map((point) => point.x)))];
  xs.sort((a, b) => a - b);
  return { xs, ys: thinned.map((points) => readAt(points, xs)) };
}

/**
 * Marks for an axis that counts something: whole numbers at steps of 1, 2 or 5 times a power of ten,
 * about `maxTicks` of them at most. Left to itself a chart marks 0.5 as well, and rounds it to 1.
 */
export function wholeTicks([from, to]: readonly [number, number], maxTicks: number): number[] {
  const least = Math.max(1, (to - from) / maxTicks);
  const power = 10 ** Math.floor(Math.log10(least));
  const step =
    [1, 2, 5].map((factor) => factor * power).find((size) => size >= least) ?? 10 * power;
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

/** Splits a budget so that small needs are met whole and large ones share what is left. */
function shareOut(needs: readonly number[], budget: number): readonly number[] {
  const shares = new Array<number>(needs.length).fill(0);
  const bySize = needs.map((need, index) => ({ need, index })).sort((a, b) => a.need - b.need);
  let left = budget;
  bySize.forEach(({ need, index }, position) => {
    const share = Math.min(need, Math.floor(left / (bySize.length - position)));
    shares[index] = share;
    left -= share;
  });
  return shares;
}

/** The series' height at each of the rising positions `xs`, by linear interpolation. */
function readAt(points: readonly Point[], xs: readonly number[]): readonly (number | null)[] {
  let right = 0;
  return xs.map((x) => {
    while (right < points.length && (points[right]?.x ?? 0) < x) right++;
    const after = points[right];
    if (after === undefined) return null;
    if (after.x === x) return after.y;
    const before = points[right - 1];
    if (before === undefined) return null;
    return before.y + ((after.y - before.y) * (x - before.x)) / (after.x - before.x);
  });
}
