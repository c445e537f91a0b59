/**
 * Owns what a chart is to the page: the wishes that `studio.ts` draws, and its loading. tfjs-vis and
 * Vega are large and come as a chunk of their own when the first chart is drawn.
 */
import type { Point } from './series.ts';
import type { Canvas } from './studio.ts';

/** Draws are at least this far apart: each takes tens of milliseconds of the page's time. */
export const DRAW_INTERVAL_MS = 500;
/** Positions a chart shows at most. */
export const MAX_POINTS = 300;

export type MarkerShape =
  | 'circle'
  | 'square'
  | 'diamond'
  | 'triangle-up'
  | 'triangle-down'
  | 'cross';

/** One line, told apart from its neighbours by dash and marker and not by colour alone. */
export interface Line {
  /** Shown in the tooltip; letters, digits and spaces only (Vega reads dots and brackets as paths). */
  readonly title: string;
  readonly points: readonly Point[];
  /** Any CSS colour, custom properties included: `var(--series-1)`. */
  readonly color: string;
  /** Lengths of strokes and gaps in pixels; empty: solid. */
  readonly dash: readonly number[];
  /** Set on each of the line's points. */
  readonly marker: MarkerShape | null;
}

export interface LineChart {
  readonly lines: readonly Line[];
  readonly xTitle: string;
  readonly xDomain: readonly [number, number];
  /** d3-format specifiers of the axis and of the tooltip, e.g. "%" and ".1%". */
  readonly yFormat: string;
  readonly yTooltipFormat: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

export interface MatrixChart {
  /** `counts[actual][predicted]`, square. */
  readonly counts: readonly (readonly number[])[];
  readonly labels: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly fontSize: number;
}

/** Where the cells of a drawn matrix lie within its element, in pixels. */
export interface MatrixLayout {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

let studio: Promise<typeof import('./studio.ts')> | undefined;

function loadStudio(): Promise<typeof import('./studio.ts')> {
  studio ??= import('./studio.ts').catch((error: unknown) => {
    studio = undefined; // A later call tries again.
    throw error;
  });
  return studio;
}

/** Fetches the drawing code ahead of the first draw. */
export function preloadStudio(): void {
  // A failure shows at the first draw.
  loadStudio().catch(() => {});
}

/**
 * Opens an element for drawing, loading the drawing code first where need be. The element must hold
 * nothing else. Rejects where the code cannot be fetched.
 */
export async function openCanvas(element: HTMLElement): Promise<Canvas> {
  return (await loadStudio()).openCanvas(element);
}
