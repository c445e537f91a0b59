/**
 * Owns how a network is trained: every knob with its unit, bounds, default and explanation, and the
 * learning-rate schedule. Pure.
 */

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
