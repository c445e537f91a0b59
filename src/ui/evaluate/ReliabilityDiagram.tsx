/**
 * The reliability diagram: for answers that were equally sure, what was promised beside what came
 * true. Bars and strokes, told apart by shape; the same figures as a table below.
 */
import type { Reliability } from '../../ml/spec/calibration.ts';
import { formatCount, formatPercent } from '../controls/figures.ts';
import styles from './ReliabilityDiagram.module.css';

export interface ReliabilityDiagramProps {
  /** E.g. "As the model gives them". */
  readonly title: string;
  readonly reliability: Reliability;
}

/** Below this, chance moves the share that was right by tens of percents. */
export const FEW_ANSWERS = 20;

/** Units of the drawing; it scales with the page. */
const SIDE = 240;
const LEFT = 38;
const TOP = 8;
const BOTTOM = 34;
const WIDTH = LEFT + SIDE + 14;
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
                className={count < FEW_ANSWERS ? styles.hollow : styles.bar}
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

/** The bars of a diagram in figures; bins that no answer fell into are left out. */
export function ReliabilityTable({ title, reliability: { bins } }: ReliabilityDiagramProps) {
  return (
    <table className={`${styles.table} figures`}>
      <caption>{title}</caption>
      <thead>
        <tr>
          <th scope="col">Between</th>
          <th scope="col">Answers</th>
          <th scope="col">Promised</th>
          <th scope="col">Right</th>
        </tr>
      </thead>
      <tbody>
        {bins.map(({ count, confidence, accuracy }, i) => {
          const from = ((i / bins.length) * 100).toFixed(0);
          if (count === 0) return null;
          return (
            <tr key={from}>
              <th scope="row">
                {from}–{formatPercent((i + 1) / bins.length, 0)}
              </th>
              <td>{formatCount(count)}</td>
              <td>{formatPercent(confidence)}</td>
              <td>{formatPercent(accuracy)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
