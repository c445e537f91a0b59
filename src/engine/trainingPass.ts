/** What plain definitions do in training, the same wherever they run. */
import * as tf from '@tensorflow/tfjs';
import type { TrainingPass } from '../network/layers.ts';

/** What one application of a plain definition is told. */
export interface PassRequest {
  /** Share of units that dropout nodes without a rate of their own drop, 0–1. */
  readonly dropout: number;
  /** Uniform in [0, 1), a number for each unit that may be dropped. */
  readonly random: () => number;
  readonly observe: TrainingPass['observe'];
}

/**
 * Masks are made here and not by the stock layer, which repeats one mask in every step when it has a
 * seed and repeats nothing when it has none.
 */
export function makeTrainingPass({ dropout, random, observe }: PassRequest): TrainingPass {
  return {
    dropoutRate: (own) => own ?? dropout,
    dropoutMask(shape, rate) {
      const mask = new Float32Array(tf.util.sizeFromShape([...shape]));
      const kept = 1 / (1 - rate);
      for (let unit = 0; unit < mask.length; unit++) if (random() >= rate) mask[unit] = kept;
      return tf.tensor(mask, [...shape]);
    },
    observe,
  };
}
