/** Owns the two live charts of a run: loss and accuracy, training against validation. */
import { useEffect, useMemo } from 'react';
import type { ChartPoint, Run } from '../../session/state.ts';
import { formatPercent } from '../controls/figures.ts';
import { type LegendEntry, LineFigure } from './LineFigure.tsx';
import { preloadStudio } from './loadStudio.ts';
import styles from './TrainingCharts.module.css';

export interface TrainingChartsProps {
  /** Null before the first run: the charts keep their place. */
  readonly run: Run | null;
}

const NO_POINTS: readonly ChartPoint[] = [];

export function TrainingCharts({ run }: TrainingChartsProps) {
  const hasRun = run !== null;
  useEffect(() => {
    if (hasRun) preloadStudio();
  }, [hasRun]);

  const stepsPerEpoch = run?.stepsPerEpoch ?? 0;
  const training = run?.trainPoints ?? NO_POINTS;
  const validation = run?.validationPoints ?? NO_POINTS;
  const loss = useMemo(
    () => legend(training, validation, stepsPerEpoch, (point) => point.loss, formatLoss),
    [training, validation, stepsPerEpoch],
  );
  const accuracy = useMemo(
    () => legend(training, validation, stepsPerEpoch, (point) => point.accuracy, formatPercent),
    [training, validation, stepsPerEpoch],
  );
  const shared = {
    xTitle: 'Epoch',
    xMax: run?.recipe.epochs ?? 1,
    empty: hasRun ? 'The first figures are on their way.' : 'Press Train and watch it learn here.',
  };

  return (
    <div className={styles.charts}>
      <LineFigure
        {...shared}
        title="Loss"
        lines={loss}
        yFormat=".2~f"
        yTooltipFormat=".3f"
        summary={summarise('Loss', run, loss)}
      />
      <LineFigure
        {...shared}
        title="Accuracy"
        lines={accuracy}
        yFormat="%"
        yTooltipFormat=".1%"
        summary={summarise('Accuracy', run, accuracy)}
      />
    </div>
  );
}

function formatLoss(loss: number): string {
  return loss.toFixed(3);
}

/** Positions in epochs, so that both lines and every batch size share one axis. */
function legend(
  training: readonly ChartPoint[],
  validation: readonly ChartPoint[],
  stepsPerEpoch: number,
  read: (point: ChartPoint) => number,
  format: (figure: number) => string,
): readonly LegendEntry[] {
  const place = (points: readonly ChartPoint[]) =>
    points.map((point) => ({ x: point.step / stepsPerEpoch, y: read(point) }));
  const newest = (points: readonly ChartPoint[]) => {
    const last = points.at(-1);
    return last === undefined ? {} : { figure: format(read(last)) };
  };
  return [
    {
      title: 'Training',
      points: place(training),
      color: 'var(--series-1)',
      dash: [],
      marker: null,
      ...newest(training),
    },
    {
      title: 'Validation',
      points: place(validation),
      color: 'var(--series-2)',
      dash: [6, 4],
      marker: 'diamond',
      ...newest(validation),
    },
  ];
}

function summarise(name: string, run: Run | null, lines: readonly LegendEntry[]): string {
  const figures = lines
    .filter((line) => line.figure !== undefined)
    .map((line) => `${line.title.toLowerCase()} ${line.figure}`);
  if (run === null || figures.length === 0) return `${name}: nothing to show yet.`;
  return `${name} over ${run.recipe.epochs} epochs, now in epoch ${run.epoch}: ${figures.join(', ')}.`;
}
