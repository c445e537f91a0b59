/**
 * Owns how a network is trained: every knob with its unit, bounds, default and explanation, the
 * presets, and the learning-rate schedule. Pure.
 */
import * as v from 'valibot';

export type OptimizerName = 'adam' | 'sgd';
export type ScheduleName = 'constant' | 'cosine' | 'oneCycle';
/** How far the training pictures are varied: see `augment.ts`. */
export type Augmentation = 'none' | 'light' | 'photos';

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
  /** Random changes of the training pictures. */
  readonly augment: Augmentation;
  /** Epochs without a better validation loss before the run ends; 0 switches it off. */
  readonly patience: number;
  /** Seeds split, initial weights, shuffling, augmentation and dropout. */
  readonly seed: number;
}

interface KnobText {
  /** What the control is called. */
  readonly title: string;
  /** Explains the knob to somebody who has never trained a network. */
  readonly hint: string;
}

export interface NumberKnob extends KnobText {
  readonly kind: 'number';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** What one press of an arrow key changes. */
  readonly step: number;
  /** Only whole numbers are valid. */
  readonly isWhole: boolean;
  /** What the number counts; null where it is a bare number. Shares are shown as 0–1. */
  readonly unit: string | null;
}

export interface ChoiceKnob<Value extends string> extends KnobText {
  readonly kind: 'choice';
  readonly default: Value;
  readonly choices: readonly { readonly value: Value; readonly title: string }[];
}

/** The control that fits a recipe's field. */
export type Knob<Value> = [Value] extends [number]
  ? NumberKnob
  : [Value] extends [string]
    ? ChoiceKnob<Value>
    : never;

/** One knob for each field of a recipe, in the order in which they are shown. */
export const KNOBS: { readonly [Field in keyof Recipe]: Knob<Recipe[Field]> } = {
  epochs: {
    kind: 'number',
    title: 'Epochs',
    unit: 'passes',
    min: 1,
    max: 200,
    step: 1,
    isWhole: true,
    default: 10,
    hint: 'How often the network sees every training picture. More passes learn more, until the network starts to learn single pictures by heart.',
  },
  batchSize: {
    kind: 'number',
    title: 'Batch size',
    unit: 'pictures',
    min: 8,
    max: 1024,
    step: 8,
    isWhole: true,
    default: 128,
    hint: 'How many pictures the network looks at before each correction of its weights. Small batches correct often and roughly, large ones seldom and smoothly.',
  },
  optimizer: {
    kind: 'choice',
    title: 'Optimizer',
    choices: [
      { value: 'adam', title: 'Adam' },
      { value: 'sgd', title: 'SGD with momentum' },
    ],
    default: 'adam',
    hint: 'The rule that turns errors into corrections. Adam finds a step size for each weight by itself. SGD takes the same step everywhere; it wants a higher learning rate, 0.05 say.',
  },
  learningRate: {
    kind: 'number',
    title: 'Learning rate',
    unit: null,
    min: 0.00001,
    max: 1,
    step: 0.0005,
    isWhole: false,
    default: 0.005,
    hint: 'How large a step each correction takes. Too small and learning crawls; too large and it jumps about or breaks off. The schedule makes this the highest value of the run.',
  },
  schedule: {
    kind: 'choice',
    title: 'Schedule',
    choices: [
      { value: 'oneCycle', title: 'One cycle: up, then down' },
      { value: 'cosine', title: 'Cosine: down to nothing' },
      { value: 'constant', title: 'Constant' },
    ],
    default: 'oneCycle',
    hint: 'How the learning rate moves during the run. Ending on small steps lets the network settle.',
  },
  momentum: {
    kind: 'number',
    title: 'Momentum',
    unit: null,
    min: 0,
    max: 0.99,
    step: 0.05,
    isWhole: false,
    default: 0.9,
    hint: 'How much of the last correction carries over into the next, like a heavy ball that keeps rolling. Used by SGD only.',
  },
  dropout: {
    kind: 'number',
    title: 'Dropout',
    unit: 'share',
    min: 0,
    max: 0.8,
    step: 0.05,
    isWhole: false,
    default: 0.25,
    hint: 'The share of units that is switched off at random in every step of training, so that the network does not lean on any single one of them.',
  },
  labelSmoothing: {
    kind: 'number',
    title: 'Label smoothing',
    unit: 'share',
    min: 0,
    max: 0.3,
    step: 0.01,
    isWhole: false,
    default: 0,
    hint: 'Asks the network to be a little less than certain: this share of the target is spread over the other classes.',
  },
  validationShare: {
    kind: 'number',
    title: 'Held out for validation',
    unit: 'share',
    min: 0.02,
    max: 0.5,
    step: 0.01,
    isWhole: false,
    default: 0.1,
    hint: 'The share of the training file that is never trained on. It shows after each epoch how the network does on pictures it has not seen.',
  },
  augment: {
    kind: 'choice',
    title: 'Vary the pictures',
    choices: [
      { value: 'none', title: 'Not at all' },
      { value: 'light', title: 'A little: mirrored, moved' },
      { value: 'photos', title: 'Like photos and drawings' },
    ],
    default: 'light',
    hint: 'Changes the training pictures anew in each epoch, so that the network does not learn single ones by heart. Bent, with other cloths and rougher outlines, they are more like what people photograph and draw; that costs time and some accuracy on the studio shots of the test set.',
  },
  patience: {
    kind: 'number',
    title: 'Patience',
    unit: 'epochs',
    min: 0,
    max: 50,
    step: 1,
    isWhole: true,
    default: 5,
    hint: 'The run ends after this many epochs without a better validation loss, and the best weights are brought back. 0 trains to the end and keeps the last weights.',
  },
  seed: {
    kind: 'number',
    title: 'Seed',
    unit: null,
    min: 0,
    max: 4_294_967_295,
    step: 1,
    isWhole: true,
    default: 7,
    hint: 'Every random choice of the run follows from this number: the same seed gives the same run on the same machine.',
  },
};

/** The balanced recipe: what a newcomer gets by pressing Train. */
export const DEFAULT_RECIPE: Recipe = {
  epochs: KNOBS.epochs.default,
  batchSize: KNOBS.batchSize.default,
  optimizer: KNOBS.optimizer.default,
  learningRate: KNOBS.learningRate.default,
  schedule: KNOBS.schedule.default,
  momentum: KNOBS.momentum.default,
  dropout: KNOBS.dropout.default,
  labelSmoothing: KNOBS.labelSmoothing.default,
  validationShare: KNOBS.validationShare.default,
  augment: KNOBS.augment.default,
  patience: KNOBS.patience.default,
  seed: KNOBS.seed.default,
};

export type PresetName = 'quick' | 'balanced' | 'thorough' | 'photos';

export interface Preset {
  readonly name: PresetName;
  readonly title: string;
  /** One sentence: what one gets and what it costs. */
  readonly summary: string;
  readonly recipe: Recipe;
}

/** From the shortest to the longest, and one with another aim. Each sets every knob. */
export const PRESETS: readonly Preset[] = [
  {
    name: 'quick',
    title: 'Quick look',
    summary: 'Two passes: enough to see the curves move and get a usable model.',
    recipe: { ...DEFAULT_RECIPE, epochs: 2, augment: 'none', patience: 0 },
  },
  {
    name: 'balanced',
    title: 'Balanced',
    summary: 'Good accuracy in minutes, with or without a graphics card.',
    recipe: DEFAULT_RECIPE,
  },
  {
    name: 'thorough',
    title: 'Thorough',
    summary: 'Thirty passes and softer targets: up to three times as long, for those who can wait.',
    recipe: { ...DEFAULT_RECIPE, epochs: 30, labelSmoothing: 0.05, patience: 8 },
  },
  {
    name: 'photos',
    title: 'Photos and drawings',
    summary:
      'For pictures of your own: garments varied as they lie in photos. Goes best with Deep.',
    recipe: { ...DEFAULT_RECIPE, epochs: 15, augment: 'photos' },
  },
];

/** The preset whose recipe this is, but for the seed; null where a knob has been turned. */
export function findPreset(recipe: Recipe): Preset | null {
  const fields = Object.keys(KNOBS) as (keyof Recipe)[];
  const isSame = (preset: Preset) =>
    fields.every((field) => field === 'seed' || preset.recipe[field] === recipe[field]);
  return PRESETS.find(isSame) ?? null;
}

function numberWithin(knob: NumberKnob) {
  const range = `${knob.title} must be from ${knob.min} to ${knob.max}.`;
  return v.pipe(
    v.number(range),
    v.check((value) => value >= knob.min && value <= knob.max, range),
    v.check(
      (value) => !knob.isWhole || Number.isInteger(value),
      `${knob.title} must be a whole number.`,
    ),
  );
}

/** Checks a recipe that comes from a file, storage or the command line. Messages are for people. */
export const RecipeSchema = v.object({
  epochs: numberWithin(KNOBS.epochs),
  batchSize: numberWithin(KNOBS.batchSize),
  optimizer: v.picklist(['adam', 'sgd'], 'Optimizer must be "adam" or "sgd".'),
  learningRate: numberWithin(KNOBS.learningRate),
  schedule: v.picklist(
    ['constant', 'cosine', 'oneCycle'],
    'Schedule must be "constant", "cosine" or "oneCycle".',
  ),
  momentum: numberWithin(KNOBS.momentum),
  dropout: numberWithin(KNOBS.dropout),
  labelSmoothing: numberWithin(KNOBS.labelSmoothing),
  validationShare: numberWithin(KNOBS.validationShare),
  augment: v.union(
    [
      v.picklist(['none', 'light', 'photos']),
      // What models and runs of the first version say.
      v.pipe(
        v.boolean(),
        v.transform((isOn) => (isOn ? 'light' : 'none')),
      ),
    ],
    'Vary the pictures must be "none", "light" or "photos".',
  ),
  patience: numberWithin(KNOBS.patience),
  seed: numberWithin(KNOBS.seed),
}) satisfies v.GenericSchema<unknown, Recipe>;

/** Share of a one-cycle run in which the rate rises. */
const WARM_UP_SHARE = 0.25;
/** Where a one-cycle run starts, as a share of the peak. */
const WARM_UP_FROM = 0.04;
/** Where the falling schedules end, as a share of the peak: not 0, so that no step is wasted. */
const END_AT = 0.001;

/** Half a cosine wave from `from` (progress 0) to `to` (progress 1). */
function ease(from: number, to: number, progress: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/**
 * The learning rate of optimizer step `step` (0-based) of `totalSteps`. One cycle after Smith and
 * Topin, "Super-Convergence", 2018, with cosine flanks; cosine after Loshchilov and Hutter, "SGDR",
 * 2017.
 */
export function learningRateAt(
  recipe: Pick<Recipe, 'learningRate' | 'schedule'>,
  step: number,
  totalSteps: number,
): number {
  const peak = recipe.learningRate;
  const progress = totalSteps > 1 ? Math.min(step / (totalSteps - 1), 1) : 0;
  switch (recipe.schedule) {
    case 'constant':
      return peak;
    case 'cosine':
      return ease(peak, peak * END_AT, progress);
    case 'oneCycle':
      return progress < WARM_UP_SHARE
        ? ease(peak * WARM_UP_FROM, peak, progress / WARM_UP_SHARE)
        : ease(peak, peak * END_AT, (progress - WARM_UP_SHARE) / (1 - WARM_UP_SHARE));
    default:
      throw new RangeError(`Unknown schedule ${recipe.schedule satisfies never}.`);
  }
}
