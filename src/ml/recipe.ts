/**
 * Owns how a network is trained: every knob with its unit, bounds, default and explanation, and the
 * learning-rate schedule. Pure.
 */
import * as v from 'valibot';

export type OptimizerName = 'adam' | 'sgd';
export type ScheduleName = 'constant' | 'cosine' | 'oneCycle';

/** All knobs of a training run. Two runs with equal recipe, network, data and backend repeat. */
export interface Recipe {
  /** Passes over the training split. */
  readonly epochs: number;
  /** Pictures per optimizer step. */
  readonly batchSize: number;
  readonly optimizer: OptimizerName;
  /** Peak learning rate of the schedule. */
  readonly learningRate: number;
  readonly schedule: ScheduleName;
  /** SGD only, 0–0.99. */
  readonly momentum: number;
  /** Share of units dropped by the network's dropout layers while training, 0–0.8. */
  readonly dropout: number;
  /** Probability mass spread over the other classes, 0–0.3. */
  readonly labelSmoothing: number;
  /** Share of the training file held out for validation, 0.02–0.5. */
  readonly validationShare: number;
  /** Random flips and shifts of the training pictures. */
  readonly augment: boolean;
  /** Epochs without a better validation loss before the run ends; 0 switches it off. */
  readonly patience: number;
  /** Seeds split, initial weights, shuffling, augmentation and dropout. */
  readonly seed: number;
}

const between = (min: number, max: number) => v.pipe(v.number(), v.minValue(min), v.maxValue(max));
const wholeBetween = (min: number, max: number) => v.pipe(between(min, max), v.integer());

/** A recipe from storage or from a file. */
export const RecipeSchema = v.object({
  epochs: wholeBetween(1, 1000),
  batchSize: wholeBetween(1, 4096),
  optimizer: v.picklist(['adam', 'sgd']),
  learningRate: between(0, 10),
  schedule: v.picklist(['constant', 'cosine', 'oneCycle']),
  momentum: between(0, 1),
  dropout: between(0, 1),
  labelSmoothing: between(0, 1),
  validationShare: between(0, 1),
  augment: v.boolean(),
  patience: wholeBetween(0, 1000),
  seed: wholeBetween(0, Number.MAX_SAFE_INTEGER),
}) satisfies v.GenericSchema<unknown, Recipe>;
