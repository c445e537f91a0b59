/**
 * How a network is trained. `KNOBS` states every setting once; the recipe's type, its checks, defaults,
 * form and command-line options follow from it. Also the presets and the learning-rate schedule. Pure.
 */
import * as v from 'valibot';

interface KnobText {
  /** What the control is called. */
  readonly title: string;
  /** Explains the knob to somebody who has never trained a network. */
  readonly hint: string;
  /** Seldom turned: shown under "More". */
  readonly isAdvanced?: true;
  /** The knob does nothing where another one has one of these values. */
  readonly idleIf?: Readonly<Record<string, readonly KnobValue[]>>;
}

/**
 * What a recipe means that was written before there was the knob. Without it, a recipe that lacks the
 * knob is refused. Never changes, whatever becomes of the default.
 */
interface LaterKnob<Value> {
  readonly ifAbsent?: Value;
}

type KnobValue = number | string | boolean;

export interface NumberKnob extends KnobText, LaterKnob<number> {
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

export interface ChoiceKnob extends KnobText, LaterKnob<string> {
  readonly kind: 'choice';
  readonly default: string;
  readonly choices: readonly { readonly value: string; readonly title: string }[];
}

export interface ToggleKnob extends KnobText, LaterKnob<boolean> {
  readonly kind: 'toggle';
  readonly default: boolean;
}

export type Knob = NumberKnob | ChoiceKnob | ToggleKnob;

/** One knob for each field of a recipe, in the order in which they are shown. */
export const KNOBS = {
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
  warmUpShare: {
    kind: 'number',
    title: 'Warm-up',
    unit: 'share',
    min: 0,
    max: 0.9,
    step: 0.05,
    isWhole: false,
    default: 0.25,
    ifAbsent: 0.25,
    isAdvanced: true,
    idleIf: { schedule: ['cosine', 'constant'] },
    hint: 'The share of the run in which the learning rate rises to its highest value. A longer warm-up helps where a high rate makes the first epochs jump about. Used by one cycle only.',
  },
  endShare: {
    kind: 'number',
    title: 'Final learning rate',
    unit: 'share',
    min: 0,
    max: 1,
    step: 0.001,
    isWhole: false,
    default: 0.001,
    ifAbsent: 0.001,
    isAdvanced: true,
    idleIf: { schedule: ['constant'] },
    hint: 'Where the learning rate ends, as a share of its highest value. Near 0 the network settles most; a higher value keeps it moving, which helps only together with weight averaging.',
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
    idleIf: { optimizer: ['adam'] },
  },
  nesterov: {
    kind: 'toggle',
    title: 'Nesterov momentum',
    default: false,
    ifAbsent: false,
    isAdvanced: true,
    idleIf: { optimizer: ['adam'] },
    hint: 'Corrects the weights as seen from where momentum is about to carry them. Often a little better than plain momentum at the same cost. Used by SGD only.',
  },
  weightDecay: {
    kind: 'number',
    title: 'Weight decay',
    unit: null,
    min: 0,
    max: 0.5,
    step: 0.0005,
    isWhole: false,
    default: 0,
    ifAbsent: 0,
    isAdvanced: true,
    hint: 'Pulls the weights a little towards zero in every step, so that none grows large without need. Helps in long runs against learning pictures by heart: try 0.0005 with SGD, 0.02 with Adam. Biases and normalisation are left alone. 0 switches it off.',
  },
  gradientClip: {
    kind: 'number',
    title: 'Gradient clipping',
    unit: 'norm',
    min: 0,
    max: 100,
    step: 0.5,
    isWhole: false,
    default: 0,
    ifAbsent: 0,
    isAdvanced: true,
    hint: 'Shortens gradients that are longer than this, all weights taken together, so that one odd batch cannot throw the network far off. Helps where the loss jumps up or becomes NaN. 0 switches it off.',
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
  batchNormMomentum: {
    kind: 'number',
    title: 'Batch norm momentum',
    unit: null,
    min: 0,
    max: 0.999,
    step: 0.05,
    isWhole: false,
    default: 0.9,
    ifAbsent: 0.9,
    isAdvanced: true,
    hint: 'How much of its running mean and variance batch normalisation keeps in each step. Lower values, 0.6 say, follow the weights faster, which helps short runs and weight averaging.',
  },
  averaging: {
    kind: 'number',
    title: 'Weight averaging',
    unit: 'decay',
    min: 0,
    max: 0.9999,
    step: 0.001,
    isWhole: false,
    default: 0,
    ifAbsent: 0,
    isAdvanced: true,
    hint: 'Validates and keeps a running average of the weights in place of those of the last step: steadier, and often a little more accurate. 0.99 looks back about a hundred steps, 0.999 about a thousand. 0 switches it off.',
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
  erasing: {
    kind: 'number',
    title: 'Random erasing',
    unit: 'share',
    min: 0,
    max: 1,
    step: 0.05,
    isWhole: false,
    default: 0,
    ifAbsent: 0,
    isAdvanced: true,
    hint: 'The share of training pictures in which a random rectangle is painted over, so that the network does not rely on a single detail. Helps in runs of 40 epochs or more, at 0.25 to 0.5; shorter ones get worse. 0 switches it off.',
  },
  erasingArea: {
    kind: 'number',
    title: 'Largest erased area',
    unit: 'share',
    min: 0.02,
    max: 0.4,
    step: 0.01,
    isWhole: false,
    default: 0.25,
    ifAbsent: 0.25,
    isAdvanced: true,
    idleIf: { erasing: [0] },
    hint: 'The largest share of a picture that random erasing paints over; the smallest is 0.02.',
  },
  mixing: {
    kind: 'number',
    title: 'Mixup',
    unit: null,
    min: 0,
    max: 1,
    step: 0.1,
    isWhole: false,
    default: 0,
    ifAbsent: 0,
    isAdvanced: true,
    hint: 'Blends each training picture with another one and asks for both classes in the same shares. The higher, the more even the blend; 0.2 is usual. Helps large networks in long runs. 0 switches it off.',
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
    hint: 'The run ends after this many epochs without a better validation loss, and the model keeps the best weights. 0 trains to the end and keeps the last weights.',
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
} as const satisfies Readonly<Record<string, Knob>>;

type Knobs = typeof KNOBS;

/** A field of a recipe. */
export type RecipeField = keyof Knobs;

type ValueOf<Of extends Knob> = Of extends ChoiceKnob
  ? Of['choices'][number]['value']
  : Of extends ToggleKnob
    ? boolean
    : number;

/** All settings of a training run. Two runs with equal recipe, network, data and engine repeat. */
export type Recipe = { readonly [Field in RecipeField]: ValueOf<Knobs[Field]> };

/** How far the training images are varied: see `augment.ts`. */
export type Augmentation = Recipe['augment'];

/** In the order of `KNOBS`. */
export const RECIPE_FIELDS = Object.keys(KNOBS) as readonly RecipeField[];

/** The knob of a field, as any knob. */
export function knobOf(field: RecipeField): Knob {
  return KNOBS[field];
}

/** Whether the knob does nothing, as the other ones are set. */
export function isIdle(field: RecipeField, recipe: Recipe): boolean {
  const { idleIf = {} } = knobOf(field);
  return RECIPE_FIELDS.some((other) => idleIf[other]?.includes(recipe[other]) ?? false);
}

/** The value of a field as the form shows it. */
export function describeValue(field: RecipeField, recipe: Recipe): string {
  const value = recipe[field];
  const knob = knobOf(field);
  switch (knob.kind) {
    case 'number':
      return String(value);
    case 'choice':
      return knob.choices.find((choice) => choice.value === value)?.title ?? String(value);
    case 'toggle':
      return value ? 'On' : 'Off';
    default:
      return knob satisfies never;
  }
}

/** What `make` makes of each field, as one object. */
function mapFields<Values extends { readonly [Field in RecipeField]: unknown }>(
  make: (field: RecipeField) => Values[RecipeField],
): Values {
  // The compiler cannot follow that the keys are all of them.
  return Object.fromEntries(RECIPE_FIELDS.map((field) => [field, make(field)])) as Values;
}

/** The balanced recipe: what a newcomer gets by pressing Train. */
export const DEFAULT_RECIPE: Recipe = mapFields<Recipe>((field) => KNOBS[field].default);

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
      'For pictures of your own: garments varied as they lie in photos. Works best with Deep.',
    recipe: { ...DEFAULT_RECIPE, epochs: 15, augment: 'photos' },
  },
];

/** The preset whose recipe this is, but for the seed; null where a knob has been turned. */
export function findPreset(recipe: Recipe): Preset | null {
  const isSame = (preset: Preset) =>
    RECIPE_FIELDS.every((field) => field === 'seed' || preset.recipe[field] === recipe[field]);
  return PRESETS.find(isSame) ?? null;
}

function schemaOf(knob: Knob): v.GenericSchema<unknown, KnobValue> {
  switch (knob.kind) {
    case 'number': {
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
    case 'choice': {
      const names = knob.choices.map(({ value }) => `"${value}"`);
      const list = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
      return v.picklist(
        knob.choices.map(({ value }) => value),
        `${knob.title} must be ${list}.`,
      );
    }
    case 'toggle':
      return v.boolean(`${knob.title} must be on or off.`);
    default:
      return knob satisfies never;
  }
}

function entryOf(field: RecipeField): v.GenericSchema<unknown, KnobValue> {
  const knob = knobOf(field);
  const schema = schemaOf(knob);
  return knob.ifAbsent === undefined ? schema : v.optional(schema, knob.ifAbsent);
}

type RecipeEntries = {
  readonly [Field in RecipeField]: v.GenericSchema<unknown, Recipe[Field]>;
};

/**
 * Checks a recipe that comes from a file, storage or the command line. Messages are for people.
 * Knobs that came later than the recipe get the value that leaves it as it was.
 */
export const RecipeSchema: v.GenericSchema<unknown, Recipe> = v.object(
  mapFields<RecipeEntries>((field) => entryOf(field) as RecipeEntries[RecipeField]),
);

/** Where a one-cycle run starts, as a share of the peak. */
const WARM_UP_FROM = 0.04;

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
  recipe: Pick<Recipe, 'learningRate' | 'schedule' | 'warmUpShare' | 'endShare'>,
  step: number,
  totalSteps: number,
): number {
  const { learningRate: peak, warmUpShare } = recipe;
  const end = peak * recipe.endShare;
  const progress = totalSteps > 1 ? Math.min(step / (totalSteps - 1), 1) : 0;
  switch (recipe.schedule) {
    case 'constant':
      return peak;
    case 'cosine':
      return ease(peak, end, progress);
    case 'oneCycle':
      return progress < warmUpShare
        ? ease(peak * WARM_UP_FROM, peak, progress / warmUpShare)
        : ease(peak, end, (progress - warmUpShare) / (1 - warmUpShare));
    default:
      throw new RangeError(`Unknown schedule ${recipe.schedule satisfies never}.`);
  }
}
