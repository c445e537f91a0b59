/**
 * The training loop.
 *
 * Why not `model.fit`: it waits for animation frames, which hidden tabs do not get; a callback
 * makes it read the GPU in every batch; it neither pauses nor brings back the best weights. Here
 * nothing is read in a batch: losses pile up as tensors and are read together a few times a second.
 */
import * as tf from '@tensorflow/tfjs';
import {
  countClasses,
  type Dataset,
  gatherLabels,
  shuffleRows,
  splitRows,
} from '../../data/dataset.ts';
import type { OptimizerSpec, Trainer } from '../../engine/contract.ts';
import { createTrainer } from '../../engine/trainers.ts';
import type { Network } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import { judgePredictions, type PredictionFigures } from '../spec/metrics.ts';
import type { EpochRecord } from '../spec/modelCard.ts';
import { learningRateAt, type Recipe } from '../spec/recipe.ts';
import { createBatches, namesRows } from './batches.ts';
import { modelWeights } from './build.ts';
import { Meter, TrainingClock } from './meter.ts';
import { predictRows } from './predict.ts';
import { nextTurn } from './yielding.ts';

/** What a training run tells. The caller decides what to show. Losses in nats, accuracies 0–1. */
export type TrainEvent =
  | {
      /** Shaders, splits and buffers are being made; the first batch has not run yet. */
      readonly kind: 'preparing';
      readonly numTrain: number;
      readonly numValidation: number;
      readonly stepsPerEpoch: number;
      readonly epochs: number;
    }
  | {
      /** Steps begin. */
      readonly kind: 'ready';
      /** What people should know of how the engine runs this network; null where nothing. */
      readonly engineNote: string | null;
    }
  | {
      readonly kind: 'step';
      /** 1-based. */
      readonly epoch: number;
      /** Steps done since the start of the run. */
      readonly step: number;
      /** Smoothed (exponential moving average) training loss and accuracy. */
      readonly loss: number;
      readonly accuracy: number;
      readonly learningRate: number;
      /** Over the last second or so, pauses left out. */
      readonly imagesPerSecond: number;
      /** Training time, pauses left out. */
      readonly elapsedMs: number;
    }
  | { readonly kind: 'epoch'; readonly record: EpochRecord; readonly isBest: boolean }
  | {
      readonly kind: 'finished';
      readonly reason: 'completed' | 'earlyStopped' | 'stopped';
      /** Epoch whose weights the model now has; 0 where stopped before the first epoch's end. */
      readonly epoch: number;
    };

/** Training cannot start or go on. The message is for people. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
}

/** Pauses, resumes and stops a run. What is asked takes effect between two batches. */
export class TrainingControl {
  #isPaused = false;
  #isStopped = false;
  #endPause: (() => void) | null = null;

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#endPause?.();
  }

  /** For good. Ends a pause. */
  stop(): void {
    this.#isStopped = true;
    this.#endPause?.();
  }

  get isPaused(): boolean {
    return this.#isPaused && !this.#isStopped;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Resolves when the run is not paused any more. */
  async untilResumed(): Promise<void> {
    while (this.isPaused) {
      await new Promise<void>((resolve) => {
        this.#endPause = resolve;
      });
    }
  }
}

export interface TrainRequest {
  /** Made by `buildModel` of `network`; its weights are trained in place. */
  readonly model: tf.LayersModel;
  readonly network: Network;
  readonly recipe: Recipe;
  /** The whole training file; the validation rows are taken from it. */
  readonly dataset: Dataset;
  readonly control?: TrainingControl;
}

/** Weights as they were. Shares their memory until they change: keeping one costs next to nothing. */
type Snapshot = readonly tf.Tensor[];

/**
 * Trains `model` in place and yields what happens. After the last event the model has the best
 * weights by validation loss where the recipe has patience or the run was stopped, and the last
 * ones otherwise. Disposes all of its own tensors, also when the caller leaves early (`return`);
 * the model stays the caller's.
 *
 * @throws {TrainingError} Where there is too little data, or where loss or weights are NaN or
 *   infinity; the model then has the last weights that were good.
 */
export async function* train({
  model,
  network,
  recipe,
  dataset,
  control = new TrainingControl(),
}: TrainRequest): AsyncGenerator<TrainEvent, void, void> {
  const split = splitRows(dataset, recipe.validationShare, recipe.seed);
  const numTrain = split.train.length;
  const numValidation = split.validation.length;
  if (numTrain === 0 || numValidation === 0) {
    throw new TrainingError(
      `The training data has ${dataset.labels.length} rows: too few to train on some and validate on others. Load more data.`,
    );
  }
  // One shape for every batch. The rows left over may come up in the next epoch's shuffle.
  const batchSize = Math.min(recipe.batchSize, numTrain);
  const stepsPerEpoch = Math.floor(numTrain / batchSize);
  const totalSteps = stepsPerEpoch * recipe.epochs;
  yield { kind: 'preparing', numTrain, numValidation, stepsPerEpoch, epochs: recipe.epochs };

  const rows = split.train.slice();
  const shuffleRandom = createRandom(recipe.seed + 1);
  const makeBatch = createBatches(dataset, recipe, batchSize, network.numClasses);
  const trainer = await prepareTrainer(model, network, recipe, dataset, batchSize);
  const kept = optimizerOf(recipe).averageDecay === null ? 'current' : 'average';
  const clock = new TrainingClock();
  const meter = new Meter(clock, batchSize);
  let epoch = 0;
  let step = 0;
  let best: { readonly epoch: number; readonly loss: number; readonly weights: Snapshot } | null =
    null;
  /** The last weights that were checked. */
  let good = takeSnapshot(model);

  const divergence = () =>
    new TrainingError(
      `Training broke off at step ${step.toLocaleString('en-GB')}: the loss or the weights are NaN or infinity. A learning rate of ${recipe.learningRate} is probably too high; try a tenth of it. The model keeps the last good weights.`,
    );

  /** Waits for the device, checks its losses, and sums up the steps since the last report. */
  async function report(): Promise<TrainEvent> {
    const losses = await meter.read();
    if (!losses.every(Number.isFinite) || !(await trainer.isSound())) throw divergence();
    trainer.sync(kept);
    tf.dispose([...good]);
    good = takeSnapshot(model);
    return {
      kind: 'step',
      epoch: epoch + 1,
      step,
      loss: meter.loss,
      accuracy: meter.accuracy,
      learningRate: learningRateAt(recipe, step - 1, totalSteps),
      imagesPerSecond: meter.imagesPerSecond,
      elapsedMs: clock.elapsedMs,
    };
  }

  try {
    yield { kind: 'ready', engineNote: trainer.note };
    let reason: 'completed' | 'earlyStopped' | 'stopped' = 'completed';
    while (epoch < recipe.epochs) {
      shuffleRows(rows, shuffleRandom);
      meter.startEpoch();
      trainer.load(makeBatch(rows.subarray(0, batchSize)));
      for (let from = 0; from + batchSize <= numTrain && !control.isStopped; from += batchSize) {
        meter.add(trainer.step(learningRateAt(recipe, step, totalSteps)));
        step++;
        const end = from + 2 * batchSize;
        if (end <= numTrain) trainer.load(makeBatch(rows.subarray(end - batchSize, end)));
        if (meter.isReadDue || control.isPaused) yield await report();
        await nextTurn();
        if (control.isPaused) {
          clock.pause();
          await control.untilResumed();
          clock.resume();
          meter.skipTime();
        }
      }
      if (meter.hasUnread) yield await report();
      const validation = control.isStopped
        ? null
        : await validate(model, dataset, split.validation, control);
      if (!validation) {
        reason = 'stopped';
        break;
      }
      if (!Number.isFinite(validation.loss)) throw divergence();
      meter.skipTime();
      epoch++;
      const isBest: boolean = !best || validation.loss < best.loss;
      if (isBest) {
        tf.dispose([...(best?.weights ?? [])]);
        best = { epoch, loss: validation.loss, weights: takeSnapshot(model) };
      }
      yield {
        kind: 'epoch',
        isBest,
        record: {
          epoch,
          ...meter.epochFigures,
          validationLoss: validation.loss,
          validationAccuracy: validation.accuracy,
          elapsedMs: clock.elapsedMs,
        },
      };
      const numWithoutBetter = epoch - (best?.epoch ?? epoch);
      if (recipe.patience > 0 && numWithoutBetter >= recipe.patience && epoch < recipe.epochs) {
        reason = 'earlyStopped';
        break;
      }
    }
    if (best && (recipe.patience > 0 || reason === 'stopped')) {
      writeWeights(model, best.weights);
      epoch = best.epoch;
    }
    yield { kind: 'finished', reason, epoch };
  } catch (error) {
    if (error instanceof TrainingError) writeWeights(model, good);
    throw error;
  } finally {
    trainer.dispose();
    meter.dispose();
    tf.dispose([...good, ...(best?.weights ?? [])]);
  }
}

/** What a recipe asks of an optimizer. */
export function optimizerOf(recipe: Recipe): OptimizerSpec {
  return {
    rule:
      recipe.optimizer === 'adam'
        ? { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: null }
        : { kind: 'sgd', momentum: recipe.momentum, isNesterov: recipe.nesterov },
    weightDecay: recipe.weightDecay,
    maxGradientNorm: recipe.gradientClip === 0 ? null : recipe.gradientClip,
    averageDecay: recipe.averaging === 0 ? null : recipe.averaging,
  };
}

/** A trainer of `model` by a recipe, ready to step. The caller disposes it. */
export async function prepareTrainer(
  model: tf.LayersModel,
  network: Network,
  recipe: Recipe,
  dataset: Dataset,
  batchSize: number,
): Promise<Trainer> {
  const trainer = await createTrainer({
    network,
    weights: modelWeights(model, network),
    data: namesRows(recipe) ? { pixels: dataset.pixels, numRows: dataset.labels.length } : null,
    batchSize,
    optimizer: optimizerOf(recipe),
    optimizerState: null,
    dropout: recipe.dropout,
    labelSmoothing: recipe.labelSmoothing,
    batchNormMomentum: recipe.batchNormMomentum,
  });
  try {
    await trainer.prepare();
  } catch (error) {
    trainer.dispose();
    throw error;
  }
  return trainer;
}

/** Null where the run is stopped meanwhile. */
async function validate(
  model: tf.LayersModel,
  dataset: Dataset,
  rows: Uint32Array,
  control: TrainingControl,
): Promise<PredictionFigures | null> {
  const stopped = new Error('The run was stopped.');
  try {
    const probabilities = await predictRows(model, dataset, rows, () => {
      if (control.isStopped) throw stopped;
    });
    const labels = new Uint8Array(rows.length);
    gatherLabels(dataset, rows, labels);
    return judgePredictions(probabilities, labels, countClasses(dataset));
  } catch (error) {
    if (error === stopped) return null;
    throw error;
  }
}

function takeSnapshot(model: tf.LayersModel): Snapshot {
  return model.weights.map((weight) => tf.keep(tf.clone(weight.read())));
}

function writeWeights(model: tf.LayersModel, values: Snapshot): void {
  model.weights.forEach((weight, index) => {
    weight.write(values[index] as tf.Tensor);
  });
}
