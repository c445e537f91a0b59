/** What a run's events make of the state of training. Pure. */
import type { TrainEvent } from '../ml/run/train.ts';
import type { ChartPoint, Run, RunUnderWay, TrainingState } from './state.ts';

/** Points kept for the live charts of a run; past it every second one goes. */
const MAX_CHART_POINTS = 300;

export function applyEvent(training: RunUnderWay, event: TrainEvent): TrainingState {
  const { run } = training;
  switch (event.kind) {
    case 'preparing': {
      const { numTrain, numValidation, stepsPerEpoch } = event;
      return { ...training, run: { ...run, numTrain, numValidation, stepsPerEpoch } };
    }
    case 'ready':
      return { ...training, run: { ...run, engineNote: event.engineNote } };
    case 'step': {
      const { step, epoch, loss, accuracy, learningRate, imagesPerSecond, elapsedMs } = event;
      const trainPoints = thin([...run.trainPoints, { step, loss, accuracy }]);
      const progress = { step, epoch, learningRate, imagesPerSecond, elapsedMs, trainPoints };
      const next: Run = { ...run, ...progress };
      // The step under way when pause or stop was pressed still reports: its phase stays.
      const isFirst = training.phase === 'preparing';
      return isFirst ? { phase: 'training', run: next } : { ...training, run: next };
    }
    case 'epoch': {
      const { record } = event;
      const point: ChartPoint = {
        step: record.epoch * run.stepsPerEpoch,
        loss: record.validationLoss,
        accuracy: record.validationAccuracy,
      };
      const next: Run = {
        ...run,
        elapsedMs: record.elapsedMs,
        validationPoints: [...run.validationPoints, point],
        history: [...run.history, record],
      };
      return { ...training, run: next };
    }
    case 'finished':
      return { phase: 'finished', run, reason: event.reason };
    default:
      return event satisfies never;
  }
}

/** Halves the points once there are too many, keeping the newest. */
function thin(points: readonly ChartPoint[]): readonly ChartPoint[] {
  if (points.length <= MAX_CHART_POINTS) return points;
  return points.filter((_, index) => (points.length - 1 - index) % 2 === 0);
}
