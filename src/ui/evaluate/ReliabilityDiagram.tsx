/**
 * Owns the reliability diagram: for answers that were equally sure, what was promised beside what came
 * true. Bars and strokes, told apart by shape; the same figures as a table below.
 */
import type { Reliability } from '../../ml/calibration.ts';
import { formatCount, formatPercent } from '../controls/figures.ts';
import styles from './ReliabilityDiagram.module.css';

export interface ReliabilityDiagramProps {
  /** E.g. "As the model gives them". */
  readonly title: string;
  readonly reliability: Reliability;
}

/** Units of the drawing; it scales with the page. */
const SIDE = 240;
const LEFT = 38;
const TOP = 8;
const BOTTOM = 34;
const WIDTH = LEFT + SIDE + 8;
const HEIGHT = TOP + SIDE + BOTTOM;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

const across = (share: number) => LEFT + share * SIDE;
const up = (share: number) => TOP + (1 - share) * SIDE;

export function ReliabilityDiagram({ title, reliability }: ReliabilityDiagramProps) {
  const { bins, error } = reliability;
  const width = 1 / bins.length;
  return (
    <figure className={styles.figure}>
      <figcaption className={styles.caption}>
        <strong>{title}</strong>
        <span className="figures">{formatPercent(error, 2)} off on average</span>
      </figcaption>
      <svg
        className={styles.diagram}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Reliability diagram. ${title}: the share that came true lies ${formatPercent(error, 2)} off the promised probability on average. The table below has every bar.`}
      >
        {TICKS.map((tick) => (
          <g key={tick}>
            <line
              className={styles.grid}
              x1={across(0)}
              x2={across(1)}
              y1={up(tick)}
              y2={up(tick)}
            />
            <text className={styles.tick} x={LEFT - 6} y={up(tick)} dy="0.32em" textAnchor="end">
              {tick * 100}
            </text>
            <text className={styles.tick} x={across(tick)} y={TOP + SIDE + 14} textAnchor="middle">
              {tick * 100}
            </text>
          </g>
        ))}
        <text className={styles.axis} x={across(0.5)} y={HEIGHT - 4} textAnchor="middle">
          promised, %
        </text>
        <line className={styles.ideal} x1={across(0)} y1={up(0)} x2={across(1)} y2={up(1)} />
        {bins.map(({ count, accuracy, confidence }, i) => {
          if (count === 0) return null;
          const left = across(i * width) + 1;
          const barWidth = SIDE * width - 2;
          return (
            <g key={left}>
              <rect
                className={styles.bar}
                x={left}
                y={up(accuracy)}
                width={barWidth}
                height={accuracy * SIDE}
              />
              <line
                className={styles.promise}
                x1={left}
                x2={left + barWidth}
                y1={up(confidence)}
                y2={up(confidence)}
              />
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

/** The bars of one or two diagrams in figures; bins that no answer fell into are left out. */
export function ReliabilityTable({
  columns,
}: {
  readonly columns: readonly ReliabilityDiagramProps[];
}) {
  const numBins = columns[0]?.reliability.bins.length ?? 0;
  const rows = Array.from({ length: numBins }, (_, i) => i).filter((i) =>
    columns.some(({ reliability }) => (reliability.bins[i]?.count ?? 0) > 0),
  );
  return (
    <div className={styles.scroll}>
      <table className={`${styles.table} figures`}>
        <thead>
          <tr>
            <td />
            {columns.map(({ title }) => (
              <th key={title} scope="colgroup" colSpan={3}>
                {title}
              </th>
            ))}
          </tr>
          <tr>
            <th scope="col">Promised between</th>
            {columns.flatMap(({ title }) =>
              ['Answers', 'Promised', 'Right'].map((head) => (
                <th key={`${title} ${head}`} scope="col">
                  {head}
                </th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => (
            <tr key={i}>
              <th scope="row">
                {((i / numBins) * 100).toFixed(0)}–{formatPercent((i + 1) / numBins, 0)}
              </th>
              {columns.flatMap(({ title, reliability }) => {
                const { count, confidence, accuracy } = reliability.bins[i] ?? EMPTY;
                const cells = [
                  formatCount(count),
                  count > 0 ? formatPercent(confidence) : '–',
                  count > 0 ? formatPercent(accuracy) : '–',
                ];
                return cells.map((text, column) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: Columns keep their places.
                  <td key={`${title} ${column}`}>{text}</td>
                ));
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const EMPTY = { count: 0, confidence: 0, accuracy: 0 };
