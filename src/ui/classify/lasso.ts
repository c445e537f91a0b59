/**
 * Owns the geometry of the lasso: from the way a hand went to the areas it went round. Pure.
 */

/** In pixels of the sheet, from its top left. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** How near to the axis, as a share of the sheet, both ends of half a garment are drawn onto it. */
const SNAP_SHARE = 1 / 12;

export function reflect({ x, y }: Point, side: number): Point {
  return { x: side - x, y };
}

/**
 * The areas a lasso went round, each to be filled by itself: one, or with its reflection two. Half a
 * garment that begins and ends near the axis is led onto it, so that no gap is left between halves.
 *
 * @param side width of the sheet; the axis is its vertical middle
 */
export function areasOf(
  points: readonly Point[],
  side: number,
  isMirrored: boolean,
): readonly (readonly Point[])[] {
  const first = points[0];
  const last = points.at(-1);
  if (!isMirrored || !first || !last) return [points];
  const isNear = ({ x }: Point) => Math.abs(x - side / 2) <= side * SNAP_SHARE;
  const half =
    isNear(first) && isNear(last)
      ? [{ x: side / 2, y: first.y }, ...points, { x: side / 2, y: last.y }]
      : points;
  return [half, half.map((point) => reflect(point, side))];
}

/** As SVG path data: closed, empty for no points. */
export function pathOf(areas: readonly (readonly Point[])[]): string {
  return areas
    .filter((points) => points.length > 0)
    .map((points) => `M${points.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}Z`)
    .join('');
}

/** The size of an area in square pixels, whichever way round it was drawn (shoelace formula). */
export function sizeOf(points: readonly Point[]): number {
  let twice = 0;
  let before = points.at(-1);
  for (const point of points) {
    if (before) twice += before.x * point.y - point.x * before.y;
    before = point;
  }
  return Math.abs(twice) / 2;
}
