/** What a chart is to the page: what is to be drawn (`studio.ts` draws it), as plain values. */
import type { Point } from './series.ts';

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

/** An element opened for drawing. One draw at a time: `pace.ts` sees to it. */
export interface Canvas {
  lines(chart: LineChart): Promise<void>;
  matrix(chart: MatrixChart): Promise<MatrixLayout>;
  /** Takes everything off the element. The canvas is of no use afterwards. */
  close(): void;
}
