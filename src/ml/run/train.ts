/**
 * Owns the training loop.
 *
 * Why not `model.fit`: it waits for animation frames, which hidden tabs do not get; a callback
 * makes it read the GPU in every batch; it neither pauses nor brings back the best weights. Here
 * nothing is read in a batch: losses pile up as tensors and are read together a few times a second.
 */
import * as tf from '@tensorflow/tfjs';
import {
  type Dataset,
  gatherBytes,
  gatherLabels,
  shuffleRows,
  splitRows,
} from '../../data/dataset.ts';
import { createTrainer } from '../../engine/trainer.ts';
import { NUM_CLASSES, PIXELS, SIDE } from '../../fashion.ts';
import { createRandom } from '../../random.ts';
import { augmentBatch, drawChange } from '../spec/augment.ts';
import { judgePredictions, type PredictionFigures } from '../spec/evaluation.ts';
import type { EpochRecord } from '../spec/modelCard.ts';
import { hasBias, NETWORKS, type NetworkName } from '../spec/network.ts';
import { learningRateAt, type Recipe } from '../spec/recipe.ts';
import { BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM } from './build.ts';
import { applyInTraining, type BatchMoments, crossEntropy, type ForwardPass } from './forward.ts';
import { Meter, TrainingClock } from './meter.ts';
import { createOptimizer, optimizerKnobs } from './optimizer.ts';
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
      /** Why the engine could not take the network and gave way to the stock path; else null. */
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
  #wake: (() => void) | null = null;

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake?.();
  }

  /** For good. Ends a pause. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
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
        this.#wake = resolve;
      });
    }
  }
}

export interface TrainRequest {
  /** Made by `buildModel` for `network`; its weights are trained in place. */
  readonly model: tf.LayersModel;
  readonly network: NetworkName;
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
 * @throws {TrainingError} Where there is too little data, or where loss or weights stop being
 *   numbers; the model then has the last weights that were good.
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
  yield {
    kind: 'preparing',
    numTrain,
    numValidation,
    stepsPerEpoch,
    epochs: recipe.epochs,
    engineNote: null,
  };

  const rows = split.train.slice();
  const shuffleRandom = createRandom(recipe.seed + 1);
  const trainStep = await prepareStep(model, network, recipe, dataset, batchSize);
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
      `Training broke off at step ${step.toLocaleString('en-GB')}: the loss or the weights are no longer numbers. A learning rate of ${recipe.learningRate} is probably too high; try a tenth of it. The model keeps the last good weights.`,
    );

  /** Waits for the device, checks its losses, and tells of the steps since the last report. */
  async function report(): Promise<TrainEvent> {
    const losses = await meter.read();
    if (!losses.every(Number.isFinite) || !(await trainStep.isSound())) throw divergence();
    trainStep.sync();
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
    let reason: 'completed' | 'earlyStopped' | 'stopped' = 'completed';
    while (epoch < recipe.epochs) {
      shuffleRows(rows, shuffleRandom);
      meter.startEpoch();
      trainStep.load(rows.subarray(0, batchSize));
      for (let from = 0; from + batchSize <= numTrain && !control.isStopped; from += batchSize) {
        meter.add(trainStep.run(learningRateAt(recipe, step, totalSteps)));
        step++;
        const end = from + 2 * batchSize;
        if (end <= numTrain) trainStep.load(rows.subarray(end - batchSize, end));
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
    trainStep.dispose();
    meter.dispose();
    tf.dispose([...good, ...(best?.weights ?? [])]);
  }
}

export interface TrainStep {
  /** Gets the rows of the next step ready, while the device is still at the last one. */
  load(batch: Uint32Array): void;
  /** Takes one optimizer step on them. Gives loss and accuracy, `[2]`, still on the device. */
  run(learningRate: number): tf.Tensor1D;
  /** Whether all weights are numbers. Waits for the device. */
  isSound(): Promise<boolean>;
  /** Makes sure that the model has the weights of the last step. */
  sync(): void;
  dispose(): void;
}

/**
 * The backend's own step where it has one for this network, else one through TensorFlow.js. The
 * caller disposes it.
 *
 * @param dataset Has the rows that batches will name.
 */
export async function prepareStep(
  model: tf.LayersModel,
  network: NetworkName,
  recipe: Recipe,
  dataset: Dataset,
  batchSize: number,
): Promise<TrainStep> {
  const { layers } = NETWORKS[network];
  const trainer = await createTrainer({
    data: recipe.augment === 'photos' ? null : dataset,
    layers: layers.map((layer, index) =>
      layer.kind === 'conv' ? { ...layer, hasBias: hasBias(layers, index) } : layer,
    ),
    weights: model.trainableWeights,
    trackedWeights: model.nonTrainableWeights,
    side: SIDE,
    batchSize,
    optimizer: optimizerKnobs(recipe),
    dropout: recipe.dropout,
    labelSmoothing: recipe.labelSmoothing,
    epsilon: BATCH_NORM_EPSILON,
    momentum: BATCH_NORM_MOMENTUM,
  });
  if (!trainer) return prepareTensorStep(model, network, recipe, dataset, batchSize);
  await trainer.prepare();
  const random = createRandom(recipe.seed + 2);
  const changes = new Int8Array(batchSize * 3);
  const [pixels, labels] = [new Uint8Array(batchSize * PIXELS), new Uint8Array(batchSize)];
  const nextSeed = () => Math.floor(random() * 2 ** 32);
  return {
    load(rows) {
      if (recipe.augment === 'photos') {
        gatherBytes(dataset, rows, pixels);
        gatherLabels(dataset, rows, labels);
        augmentBatch(pixels, batchSize, recipe.augment, random);
        trainer.load({ kind: 'pictures', pixels, labels, seed: nextSeed() });
        return;
      }
      // The light changes are made on the device.
      rows.forEach((_, index) => {
        const { isMirrored, right, down } =
          recipe.augment === 'light' ? drawChange(random) : NO_CHANGE;
        changes.set([Number(isMirrored), right, down], index * 3);
      });
      trainer.load({ kind: 'rows', rows, changes, seed: nextSeed() });
    },
    run: (learningRate) => trainer.step(learningRate),
    isSound: () => trainer.isSound(),
    sync: () => trainer.sync(),
    dispose: () => trainer.dispose(),
  };
}

const NO_CHANGE = { isMirrored: false, right: 0, down: 0 } as const;

function prepareTensorStep(
  model: tf.LayersModel,
  network: NetworkName,
  recipe: Recipe,
  dataset: Dataset,
  batchSize: number,
): TrainStep {
  const { layers } = NETWORKS[network];
  const weights = model.trainableWeights;
  const optimizer = createOptimizer(weights, recipe);
  const random = createRandom(recipe.seed + 2);
  const pixels = new Uint8Array(batchSize * PIXELS);
  const scaled = new Float32Array(batchSize * PIXELS);
  const labels = new Uint8Array(batchSize);
  const { labelSmoothing } = recipe;

  return {
    load(batch) {
      gatherBytes(dataset, batch, pixels);
      gatherLabels(dataset, batch, labels);
      augmentBatch(pixels, batchSize, recipe.augment, random);
      for (let i = 0; i < pixels.length; i++) scaled[i] = (pixels[i] as number) / 255;
    },
    run(learningRate) {
      return tf.tidy(() => {
        const x = tf.tensor4d(scaled, [batchSize, SIDE, SIDE, 1]);
        const truth = oneHot(labels);
        const targets: tf.Tensor2D = labelSmoothing
          ? tf.add(tf.mul(truth, 1 - labelSmoothing), labelSmoothing / NUM_CLASSES)
          : truth;
        let pass: ForwardPass | undefined;
        const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
          pass = keepPass(applyInTraining(layers, values, x, recipe.dropout, random));
          return crossEntropy(pass.logits, targets);
        })(weights.map((weight) => weight.read()));
        if (!pass) throw new Error('The forward pass did not run.');
        const { logits, moments } = pass;
        optimizer.step(grads, learningRate);
        trackMoments(model, moments);
        // Without smoothing, so that it compares with the validation loss.
        const loss = labelSmoothing ? crossEntropy(logits, truth) : value;
        const isRight = tf.equal(tf.argMax(logits, 1), tf.argMax(truth, 1));
        const figures = [tf.reshape(loss, []), tf.mean(tf.cast(isRight, 'float32'))];
        disposePass(pass);
        return tf.stack(figures) as tf.Tensor1D;
      });
    },
    isSound: optimizer.hasFiniteWeights,
    // Each step writes the weights into the model.
    sync() {},
    dispose() {
      optimizer.dispose();
    },
  };
}

/** Keeps what is needed of a pass after its gradients, which dispose all they do not return. */
function keepPass(pass: ForwardPass): ForwardPass {
  tf.keep(pass.logits);
  for (const { mean, variance } of pass.moments) {
    tf.keep(mean);
    tf.keep(variance);
  }
  return pass;
}

function disposePass({ logits, moments }: ForwardPass): void {
  logits.dispose();
  for (const { mean, variance } of moments) tf.dispose([mean, variance]);
}

/** `[n, 10]`, 1 at the label. */
function oneHot(labels: Uint8Array): tf.Tensor2D {
  const values = new Float32Array(labels.length * NUM_CLASSES);
  labels.forEach((label, row) => {
    values[row * NUM_CLASSES + label] = 1;
  });
  return tf.tensor2d(values, [labels.length, NUM_CLASSES]);
}

/** Moves the means and variances that batch normalisation uses outside training. */
function trackMoments(model: tf.LayersModel, moments: readonly BatchMoments[]): void {
  // The untrainable weights of the networks are these alone: mean, variance, mean, variance, …
  const tracked = model.nonTrainableWeights;
  const observed = moments.flatMap(({ mean, variance }) => [mean, variance]);
  tracked.forEach((weight, index) => {
    const value = observed[index];
    if (!value) throw new Error(`Nothing was observed for the weight ${weight.name}.`);
    const change = tf.mul(tf.sub(value, weight.read()), 1 - BATCH_NORM_MOMENTUM);
    weight.write(tf.add(weight.read(), change));
  });
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
    return judgePredictions(probabilities, labels);
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
