/** Owns a line chart on the page: heading, legend, the drawing and its words for screen readers. */
import { type ReactNode, useMemo, useRef } from 'react';
import type { Canvas, Line, LineChart, MarkerShape } from './charts.ts';
import styles from './LineFigure.module.css';
import { useDrawing, useWidth } from './useDrawing.ts';

const HEIGHT = 240;

export interface LegendEntry extends Line {
  /** Set beside the name: the newest figure, as a rule. */
  readonly figure?: string;
}

export interface LineFigureProps {
  readonly title: string;
  readonly lines: readonly LegendEntry[];
  readonly xTitle: string;
  readonly xMax: number;
  readonly yFormat: LineChart['yFormat'];
  readonly yTooltipFormat: LineChart['yTooltipFormat'];
  /** The chart in words. */
  readonly summary: string;
  /** Stands in the chart's place while there is nothing to draw. */
  readonly empty: ReactNode;
}

/** Keep `lines` stable by identity while nothing changes: each new array is drawn anew. */
export function LineFigure({
  title,
  lines,
  xTitle,
  xMax,
  yFormat,
  yTooltipFormat,
  summary,
  empty,
}: LineFigureProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const isEmpty = lines.every((line) => line.points.length === 0);
  const chart = useMemo<LineChart | null>(
    () =>
      isEmpty || width === 0
        ? null
        : {
            lines,
            xTitle,
            xDomain: [0, xMax],
            yFormat,
            yTooltipFormat,
            width,
            height: HEIGHT,
          },
    [lines, isEmpty, xTitle, xMax, yFormat, yTooltipFormat, width],
  );
  const hasFailed = useDrawing(frame, chart, drawLines);

  return (
    <figure className={styles.figure}>
      <figcaption className={styles.caption}>
        <h3 className={styles.title}>{title}</h3>
        <ul className={styles.legend}>
          {lines.map((line) => (
            <li key={line.title} className={styles.entry}>
              <Swatch line={line} />
              <span>{line.title}</span>
              {line.figure !== undefined && <strong className="figures">{line.figure}</strong>}
            </li>
          ))}
        </ul>
      </figcaption>
      <div className={styles.place} style={{ height: HEIGHT }}>
        <div
          ref={frame}
          role="img"
          aria-label={summary}
          className={styles.frame}
          data-empty={isEmpty || hasFailed || undefined}
        />
        {isEmpty && <p className={styles.empty}>{empty}</p>}
        {hasFailed && !isEmpty && (
          <p className={styles.empty}>
            The chart could not be drawn. Nothing else is touched by it, and the figures above are
            up to date.
          </p>
        )}
      </div>
    </figure>
  );
}

function drawLines(canvas: Canvas, chart: LineChart): Promise<void> {
  return canvas.lines(chart);
}

function Swatch({ line }: { readonly line: Line }) {
  return (
    <svg aria-hidden="true" width="30" height="12" className={styles.swatch}>
      <line
        x1="1"
        x2="29"
        y1="6"
        y2="6"
        stroke={line.color}
        strokeWidth="2"
        strokeDasharray={line.dash.join(' ')}
      />
      {line.marker !== null && <path d={MARKERS[line.marker]} fill={line.color} />}
    </svg>
  );
}

/** Vega's markers, about (15, 6). */
const MARKERS: Record<MarkerShape, string> = {
  circle: 'M11.5 6a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0Z',
  square: 'M12 3h6v6h-6Z',
  diamond: 'M15 1.5l4.5 4.5l-4.5 4.5l-4.5 -4.5Z',
  'triangle-up': 'M15 2l4.2 7.4h-8.4Z',
  'triangle-down': 'M15 10l4.2 -7.4h-8.4Z',
  cross: 'M13.8 2h2.4v2.8h2.8v2.4h-2.8v2.8h-2.4v-2.8h-2.8v-2.4h2.8Z',
};
