import { describe, expect, it } from 'vitest';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { stepEvent } from './fixtures.ts';
import { applyEvent } from './progress.ts';
import { hasRunUnderWay, type Run, type RunUnderWay, type TrainingState } from './state.ts';

const run: Run = {
  id: 'run-1',
  network: NETWORK_PRESETS.small.spec,
  recipe: DEFAULT_RECIPE,
  backend: 'wasm',
  engineNote: null,
  dataName: 'train.csv',
  startedAt: '2026-01-01T00:00:00.000Z',
  numTrain: 0,
  numValidation: 0,
  stepsPerEpoch: 3,
  step: 0,
  epoch: 0,
  learningRate: 0,
  imagesPerSecond: 0,
  elapsedMs: 0,
  trainPoints: [],
  validationPoints: [],
  history: [],
};

function applyAll(training: RunUnderWay, events: Parameters<typeof applyEvent>[1][]) {
  return events.reduce<TrainingState>(
    (state, event) => (hasRunUnderWay(state) ? applyEvent(state, event) : state),
    training,
  );
}

describe('the events of a run', () => {
  it('begin it, and put a point for each step and epoch', () => {
    const record = {
      epoch: 1,
      trainLoss: 0.5,
      trainAccuracy: 0.8,
      validationLoss: 0.6,
      validationAccuracy: 0.7,
      elapsedMs: 10,
    };
    const state = applyAll({ phase: 'preparing', run }, [
      {
        kind: 'preparing',
        numTrain: 3,
        numValidation: 1,
        stepsPerEpoch: 3,
        epochs: 1,
      },
      { kind: 'ready', engineNote: 'WebGL cannot take it.' },
      stepEvent(1),
      stepEvent(2),
      { kind: 'epoch', record, isBest: true },
    ]);
    expect(state).toMatchObject({
      phase: 'training',
      run: {
        numTrain: 3,
        engineNote: 'WebGL cannot take it.',
        step: 2,
        validationPoints: [{ step: 3, loss: 0.6, accuracy: 0.7 }],
        history: [record],
      },
    });
    expect(hasRunUnderWay(state) && state.run.trainPoints.map(({ step }) => step)).toEqual([1, 2]);
  });

  it('leave a pause and a stop as they are', () => {
    for (const phase of ['paused', 'stopping'] as const) {
      expect(applyEvent({ phase, run }, stepEvent(4))).toMatchObject({ phase, run: { step: 4 } });
    }
  });

  it('end it', () => {
    const event = { kind: 'finished', reason: 'stopped', epoch: 0 } as const;
    const state = applyEvent({ phase: 'stopping', run }, event);
    expect(state).toEqual({ phase: 'finished', run, reason: 'stopped' });
  });

  it('leave at most 300 points on the chart of a long run, the newest among them', () => {
    const events = Array.from({ length: 1000 }, (_, i) => stepEvent(i + 1));
    const state = applyAll({ phase: 'preparing', run }, events);
    const points = hasRunUnderWay(state) ? state.run.trainPoints : [];
    expect(points.length).toBeGreaterThan(100);
    expect(points.length).toBeLessThanOrEqual(300);
    expect(points.at(-1)?.step).toBe(1000);
  });
});
