import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { startWasmInNode } from '../../engine/stock/wasmInNode.ts';
import { FASHION_MNIST, PIXELS, SIDE } from '../../fashion.ts';
import { NETWORK_PRESETS, type NetworkPresetName } from '../../network/presets.ts';
import { type Network, resolveNetwork } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';

import { DEFAULT_RECIPE, type Recipe } from '../spec/recipe.ts';
import { buildModel } from './build.ts';
import { evaluateModel } from './evaluate.ts';
import { predictPicture } from './predict.ts';
import { optimizerOf, type TrainEvent, TrainingControl, TrainingError, train } from './train.ts';

/** Ten classes that are easy to tell apart: a bright bar at a height of its own, in noise. */
function makeToys(numRows: number, seed: number): Dataset {
  const random = createRandom(seed);
  const labels = Uint8Array.from({ length: numRows }, (_, row) => row % 10);
  const pixels = Uint8Array.from({ length: numRows * PIXELS }, () => 60 * random());
  labels.forEach((label, row) => {
    const top = row * PIXELS + (2 + 2 * label) * SIDE;
    pixels.fill(255, top, top + 3 * SIDE);
  });
  return { pixels, labels, spec: FASHION_MNIST };
}

const toys = makeToys(400, 1);
const recipe: Recipe = {
  ...DEFAULT_RECIPE,
  epochs: 2,
  batchSize: 32,
  optimizer: 'adam',
  learningRate: 0.01,
  schedule: 'oneCycle',
  dropout: 0.2,
  labelSmoothing: 0,
  validationShare: 0.1,
  augment: 'none',
  patience: 0,
  seed: 5,
};

const networkOf = (name: NetworkPresetName): Network =>
  resolveNetwork(NETWORK_PRESETS[name].spec, 10);
const small = networkOf('small');

interface Run {
  readonly events: readonly TrainEvent[];
  readonly model: tf.LayersModel;
}

/** Trains to the end. `onEvent` may use the control. */
async function run(
  change: Partial<Recipe> = {},
  onEvent: (event: TrainEvent, control: TrainingControl) => void = () => {},
  { network = 'small', dataset = toys }: { network?: NetworkPresetName; dataset?: Dataset } = {},
): Promise<Run> {
  const full = { ...recipe, ...change };
  const resolved = networkOf(network);
  const model = buildModel(resolved, full);
  const control = new TrainingControl();
  const events: TrainEvent[] = [];
  for await (const event of train({ model, network: resolved, recipe: full, dataset, control })) {
    events.push(event);
    onEvent(event, control);
  }
  return { events, model };
}

const ofKind = <Kind extends TrainEvent['kind']>(events: readonly TrainEvent[], kind: Kind) =>
  events.filter((event): event is Extract<TrainEvent, { kind: Kind }> => event.kind === kind);
const recordsOf = (events: readonly TrainEvent[]) =>
  ofKind(events, 'epoch').map(({ record }) => record);
const weightsOf = (model: tf.LayersModel) => model.getWeights().map((weight) => weight.dataSync());

let numTensors = 0;
let models: tf.LayersModel[] = [];
/** Disposed after the test, which then counts the tensors. */
function own({ events, model }: Run): readonly TrainEvent[] {
  models.push(model);
  return events;
}

beforeEach(async () => {
  await startWasmInNode();
  numTensors = tf.memory().numTensors;
  models = [];
});

afterEach(() => {
  for (const model of models) model.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
});

describe('a training run', () => {
  it('learns, and tells of it in order', async () => {
    const result = await run({ epochs: 4 });
    const events = own(result);
    expect(events[0]).toEqual({
      kind: 'preparing',
      numTrain: 360,
      numValidation: 40,
      stepsPerEpoch: 11,
      epochs: 4,
    });
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'completed', epoch: 4 });
    const steps = ofKind(events, 'step').map(({ step }) => step);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(44);
    const records = recordsOf(events);
    expect(records.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    expect(records.at(-1)?.validationAccuracy).toBeGreaterThan(0.95);
    expect(records.at(-1)?.trainLoss).toBeLessThan(records[0]?.trainLoss ?? 0);

    const evaluation = await evaluateModel(result.model, null, makeToys(200, 9), 'toys.csv');
    expect(evaluation.accuracy).toBeGreaterThan(0.95);
    const picture = toys.pixels.subarray(3 * PIXELS, 4 * PIXELS);
    const probabilities = await predictPicture(result.model, picture);
    expect(probabilities.indexOf(Math.max(...probabilities))).toBe(3);
  });

  it('learns with SGD, smoothing, augmentation, batch normalisation', async () => {
    const events = own(
      await run(
        { epochs: 6, optimizer: 'sgd', learningRate: 0.05, labelSmoothing: 0.1, dropout: 0 },
        undefined,
        { network: 'deep', dataset: makeToys(150, 2) },
      ),
    );
    expect(recordsOf(events).at(-1)?.validationAccuracy).toBeGreaterThan(0.8);
    const varied = own(await run({ epochs: 1, augment: 'light' }));
    expect(recordsOf(varied)[0]?.trainLoss).toBeGreaterThan(0);
  });

  it('repeats for a seed, dropout and augmentation included', async () => {
    const change = { epochs: 1, augment: 'light', dropout: 0.5 } as const;
    const options = { network: 'classic', dataset: makeToys(100, 3) } as const;
    const [first, again, other] = [
      await run(change, undefined, options),
      await run(change, undefined, options),
      await run({ ...change, seed: 6 }, undefined, options),
    ];
    for (const result of [first, again, other]) own(result);
    expect(weightsOf(again.model)).toEqual(weightsOf(first.model));
    expect(weightsOf(other.model)).not.toEqual(weightsOf(first.model));
  });

  it('takes one batch of all there is where that is less than a batch', async () => {
    const events = own(await run({ epochs: 1 }, undefined, { dataset: makeToys(20, 4) }));
    expect(events[0]).toMatchObject({ numTrain: 10, numValidation: 10, stepsPerEpoch: 1 });
    expect(ofKind(events, 'step').at(-1)?.step).toBe(1);
  });

  it('refuses data that cannot be split', async () => {
    const model = buildModel(small, recipe);
    const dataset = makeToys(1, 4);
    const events = train({ model, network: small, recipe, dataset });
    await expect(events.next()).rejects.toThrow(TrainingError);
    model.dispose();
  });
});

describe('the optimizer', () => {
  it('is told what the recipe says, and nothing of what is switched off', () => {
    expect(optimizerOf(DEFAULT_RECIPE)).toMatchObject({
      rule: { kind: 'adam' },
      weightDecay: 0,
      maxGradientNorm: null,
      averageDecay: null,
    });
    const knobs = { nesterov: true, weightDecay: 0.0005, gradientClip: 2, averaging: 0.99 };
    expect(optimizerOf({ ...DEFAULT_RECIPE, ...knobs, optimizer: 'sgd', momentum: 0.8 })).toEqual({
      rule: { kind: 'sgd', momentum: 0.8, isNesterov: true },
      weightDecay: 0.0005,
      maxGradientNorm: 2,
      averageDecay: 0.99,
    });
  });
});

describe('control of a run', () => {
  it('stops between two batches; before the first epoch is over the weights stay as they are', async () => {
    const events = own(
      await run({ epochs: 100, patience: 3 }, (event, control) => {
        if (event.kind === 'preparing') {
          setTimeout(() => control.stop(), 0);
        }
      }),
    );
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'stopped', epoch: 0 });
    expect(ofKind(events, 'step').at(-1)?.step).toBeLessThan(11);
    expect(recordsOf(events)).toEqual([]);
  });

  it('keeps the best epoch of a stopped run', async () => {
    const events = own(
      await run({ epochs: 100 }, (event, control) => {
        if (event.kind === 'epoch' && event.record.epoch === 2) control.stop();
      }),
    );
    const records = recordsOf(events);
    const best = records.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
    expect(records.length).toBe(2);
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'stopped', epoch: best.epoch });
  });

  it('pauses and resumes without changing the result', async () => {
    const undisturbed = await run();
    own(undisturbed);
    let stepsWhilePaused = 0;
    let isPaused = false;
    const paused = await run({}, (event, control) => {
      if (event.kind === 'preparing') {
        control.pause();
        isPaused = true;
        setTimeout(() => {
          isPaused = false;
          control.resume();
        }, 50);
      } else if (event.kind === 'step' && isPaused) {
        stepsWhilePaused++;
      }
    });
    const events = own(paused);
    // The one that was under way.
    expect(stepsWhilePaused).toBe(1);
    expect(weightsOf(paused.model)).toEqual(weightsOf(undisturbed.model));
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'completed', epoch: 2 });
  });

  it('can be stopped while paused', async () => {
    const events = own(
      await run({}, (event, control) => {
        if (event.kind !== 'preparing') return;
        control.pause();
        setTimeout(() => control.stop(), 20);
      }),
    );
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'stopped', epoch: 0 });
  });

  it('lets the caller leave early', async () => {
    const model = buildModel(small, recipe);
    models.push(model);
    for await (const event of train({ model, network: small, recipe, dataset: toys })) {
      if (event.kind === 'step') break;
    }
  });
});

describe('the weights in the end', () => {
  it('are the best ones where the validation loss stops getting better', async () => {
    // Labels at random: whatever is learned makes new pictures worse.
    const random = createRandom(8);
    const noise: Dataset = {
      pixels: Uint8Array.from({ length: 200 * PIXELS }, () => 255 * random()),
      labels: Uint8Array.from({ length: 200 }, () => Math.floor(10 * random())),
      spec: FASHION_MNIST,
    };
    const change = { epochs: 60, patience: 2, schedule: 'constant', learningRate: 0.01 } as const;
    const result = await run(change, undefined, { dataset: noise });
    const events = own(result);
    const records = recordsOf(events);
    const best = records.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
    expect(records.length).toBe(best.epoch + 2);
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'earlyStopped', epoch: best.epoch });

    // A run that ends with that epoch has the same weights.
    const short = await run({ ...change, epochs: best.epoch, patience: 0 }, undefined, {
      dataset: noise,
    });
    own(short);
    expect(weightsOf(result.model)).toEqual(weightsOf(short.model));
  });

  it('are the last good ones where they stop being numbers', async () => {
    const model = buildModel(small, recipe);
    models.push(model);
    const wild = { ...recipe, optimizer: 'sgd', learningRate: 1e39 } as const;
    const failure = (async () => {
      for await (const _ of train({ model, network: small, recipe: wild, dataset: toys }));
    })();
    await expect(failure).rejects.toThrow(/no longer numbers.*a tenth.*last good weights/);
    expect(
      weightsOf(model)
        .flatMap((values) => [...values])
        .every(Number.isFinite),
    ).toBe(true);
  });
});
