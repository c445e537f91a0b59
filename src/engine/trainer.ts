/**
 * Trainers by the types of the version before; no backend has one any more, and the training loop
 * takes its steps in TensorFlow.js's operations.
 */
import type * as tf from '@tensorflow/tfjs';

export type OptimizerKnobs =
  | {
      readonly kind: 'adam';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
    }
  | { readonly kind: 'sgd'; readonly momentum: number };

/** A layer of a network, as trainers understand it. Convolutions have stride 1, pools 2×2. */
export type TrainingLayer =
  | {
      readonly kind: 'conv';
      readonly filters: number;
      readonly kernel: number;
      readonly padding: 'same' | 'valid';
      readonly activation: 'relu' | 'linear';
      readonly hasBias: boolean;
    }
  | { readonly kind: 'dense'; readonly units: number; readonly activation: 'relu' | 'linear' }
  | { readonly kind: 'batchNorm' | 'relu' | 'maxPool' }
  | { readonly kind: 'globalAveragePool' | 'flatten' | 'dropout' };

/** As the weights of a tf.layers model are. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly (number | null)[];
  read(): tf.Tensor;
  write(value: tf.Tensor): unknown;
}

/** Pictures and their labels, as a data set has them. */
export interface TrainingData {
  /** `[n · side · side]`, 0–255. */
  readonly pixels: Uint8Array;
  /** `[n]`. */
  readonly labels: Uint8Array;
}

export interface TrainerRequest {
  /**
   * What batches of rows are taken from; handed over once, and must not change during training. null
   * where all batches are of pictures.
   */
  readonly data: TrainingData | null;
  /** From pictures `[batchSize, side, side, 1]` to logits. */
  readonly layers: readonly TrainingLayer[];
  /** Of the model: kernel, bias, gamma, beta. */
  readonly weights: readonly Weight[];
  /** Mean and variance of each batch normalisation. */
  readonly trackedWeights: readonly Weight[];
  readonly side: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerKnobs;
  /** Share of units to drop, 0–1. */
  readonly dropout: number;
  readonly labelSmoothing: number;
  /** Of batch normalisation; `momentum` is the share of the old value that tracking keeps. */
  readonly epsilon: number;
  readonly momentum: number;
}

/** Rows of the data, each mirrored and moved on the device. */
export interface RowBatch {
  readonly kind: 'rows';
  /** `[batchSize]`. */
  readonly rows: Uint32Array;
  /** `[batchSize · 3]`: mirrored (1) or not (0), then pixels that it moves to the right and down. */
  readonly changes: Int8Array;
  /** 32 bits for dropout. */
  readonly seed: number;
}

/** Pictures made by the caller, taken as they are. */
export interface PictureBatch extends TrainingData {
  readonly kind: 'pictures';
  /** 32 bits for dropout. */
  readonly seed: number;
}

export type TrainingBatch = RowBatch | PictureBatch;

/** Trains the weights of a model. Has a copy of them, which no other changes. */
export interface Trainer {
  /**
   * Resolves when steps can run without waiting for a compiler, as far as the device tells, and the
   * data is where steps take it from.
   */
  prepare(): Promise<void>;
  /**
   * Hands over the batch of a coming step; two may wait, and are taken in turn. Load the next one right
   * after a step: the device then has it before it is done with the step. The batch's arrays are the
   * caller's again at once.
   */
  load(batch: TrainingBatch): void;
  /**
   * Takes one step, on the batch that waits for longest. Gives loss (without smoothing) and accuracy
   * of the batch, `[2]`, on the device.
   */
  step(learningRate: number): tf.Tensor1D;
  /** Writes the weights as they are now into the model. Does not wait for the device. */
  sync(): void;
  /** Whether all weights are numbers. Waits for the device. */
  isSound(): Promise<boolean>;
  /** Frees everything; the model keeps the weights of the last `sync`. */
  dispose(): void;
}

/** Always null. */
export async function createTrainer(_request: TrainerRequest): Promise<Trainer | null> {
  return null;
}
