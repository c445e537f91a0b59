/**
 * What training asks of an engine, in types alone: a network, its weights, batches, an optimizer,
 * and a trainer that takes whole steps with them. `simd`, `webgl` and `stock` each implement it;
 * `ml` knows nothing else of them.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Network } from '../network/spec.ts';

/** How weights follow from gradients. Rates and schedules are the caller's. */
export interface OptimizerSpec {
  readonly rule:
    | {
        readonly kind: 'adam';
        readonly beta1: number;
        readonly beta2: number;
        /** Null: what suits the device's precision. */
        readonly epsilon: number | null;
      }
    | { readonly kind: 'sgd'; readonly momentum: number; readonly isNesterov: boolean };
  /**
   * Decoupled (Loshchilov and Hutter, 2019): each step first takes `learningRate · weightDecay` off
   * kernels; biases and normalisation are left alone. 0: none.
   */
  readonly weightDecay: number;
  /** Gradients longer than this, all together, are shortened to it. Null: never. */
  readonly maxGradientNorm: number | null;
  /**
   * Share of the old value that the exponential moving average of all weights, statistics included,
   * keeps in each step; it starts at the first weights, and at step t keeps no more than
   * (1 + t) / (10 + t), so that it leaves them soon. Null: no average.
   */
  readonly averageDecay: number | null;
}

/** What an optimizer carries from step to step, to go on later where it stopped. */
export interface OptimizerState {
  /** Steps taken. */
  readonly numSteps: number;
  /**
   * By weight key, then by slot: "first" and "second" moments of Adam, "velocity" of SGD,
   * "average". Numbers in the order of the weight's.
   */
  readonly slots: Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;
}

/** A weight of the caller's model, as TensorFlow.js has it. */
export interface ModelWeight {
  read(): tf.Tensor;
  write(value: tf.Tensor): unknown;
}

/** Images and labels that batches take rows from. */
export interface TrainingData {
  /** `[n · 784]`, 0–255. */
  readonly pixels: Uint8Array;
  readonly numRows: number;
}

export interface TrainerRequest {
  readonly network: Network;
  /** By key, `weightKey(node.id, weight.name)`: one for each weight of the network. */
  readonly weights: ReadonlyMap<string, ModelWeight>;
  /** Handed over once, and must not change during training. Null: all batches bring their pixels. */
  readonly data: TrainingData | null;
  readonly batchSize: number;
  readonly optimizer: OptimizerSpec;
  /** To go on from; null starts afresh. */
  readonly optimizerState: OptimizerState | null;
  /** For dropout nodes without a rate of their own: share of units to drop, 0–1. */
  readonly dropout: number;
  /** Share of each target row spread evenly over all classes, 0–1. */
  readonly labelSmoothing: number;
  /** Share of the old value that batch normalisation's statistics keep in each step. */
  readonly batchNormMomentum: number;
}

/** What happens to one image of a batch, in this order. */
export interface ImageChange {
  /** Left to right. */
  readonly isMirrored: boolean;
  /** Whole pixels that it then moves, negative to the left and up; black comes in at the edges. */
  readonly right: number;
  readonly down: number;
  /** Then painted over; null: nothing. Zhong et al., "Random Erasing", 2020. */
  readonly erased: ErasedArea | null;
}

/** Inside the image, in whole pixels. */
export interface ErasedArea {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** 0–255. */
  readonly fill: number;
}

/**
 * Each image, changed, becomes `share · itself + (1 − share) · partner`, where its partner is another
 * image of the batch, changed as well. Zhang et al., "mixup", 2018.
 */
export interface Mixing {
  /** `[batchSize]` places in the batch, 0-based. */
  readonly partners: Uint32Array;
  /** `[batchSize]`, 0–1. */
  readonly shares: Float32Array;
}

export interface Batch {
  readonly images: /** `[batchSize]` rows of the request's data. */
    | { readonly kind: 'rows'; readonly rows: Uint32Array }
    /** `[batchSize · 784]`, 0–255. */
    | { readonly kind: 'pixels'; readonly pixels: Uint8Array };
  /** `[batchSize]`; null: images are taken as they are. */
  readonly changes: readonly ImageChange[] | null;
  /** The targets are mixed already. */
  readonly mixing: Mixing | null;
  /** `[batchSize · classes]`; each row sums to 1. Label smoothing is still to come. */
  readonly targets: Float32Array;
  /** 32 bits for dropout. */
  readonly seed: number;
}

/**
 * Trains the weights of a model. Has a copy of them, which no other changes.
 *
 * Every engine computes the same: the network's plain definitions with the statistics of the batch,
 * the mean cross-entropy against the smoothed targets, gradients, then clipping, decay, the rule and
 * the average.
 */
export interface Trainer {
  /** What people should know of how this runs, e.g. that nodes run by their plain definition. */
  readonly note: string | null;
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
  load(batch: Batch): void;
  /**
   * Takes one step, on the batch that waits for longest. Gives loss (against the targets before
   * smoothing, in nats) and accuracy (share of images whose likeliest class is that of their target)
   * of the batch, `[2]`, on the device. The caller disposes it.
   */
  step(learningRate: number): tf.Tensor1D;
  /**
   * Writes the weights as they are now, or their average, into the model. Does not wait for the device.
   * @throws {RangeError} 'average' where the optimizer keeps none.
   */
  sync(which?: 'current' | 'average'): void;
  /** Whether all weights are finite. Waits for the device. */
  isSound(): Promise<boolean>;
  /** Waits for the device. */
  readOptimizerState(): Promise<OptimizerState>;
  /** Frees everything; the model keeps the weights of the last `sync`. */
  dispose(): void;
}
