/**
 * What is known about a model besides its weights: where it came from, how it was trained and how
 * well it does. The card travels with the weights in storage, in exports and to the page.
 */
import * as v from 'valibot';
import { type DataSpec, DataSpecSchema } from '../../data/dataSpec.ts';
import { MAX_TITLE_LENGTH, type NetworkSpec, NetworkSpecSchema } from '../../network/spec.ts';
import { type Calibration, CalibrationSchema } from './calibration.ts';
import { type Recipe, RecipeSchema } from './recipe.ts';

/** One epoch's figures. Losses are mean cross-entropies in nats, accuracies 0–1. */
export interface EpochRecord {
  /** 1-based. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly validationLoss: number;
  readonly validationAccuracy: number;
  readonly elapsedMs: number;
}

/** Characters of a name that is given in the app; a file may bring a longer one. */
export const MAX_NAME_LENGTH = 80;

/** A network, or no more than the title of one: of an imported model the graph is not known. */
export type CardNetwork = NetworkSpec | { readonly title: string; readonly nodes: null };

export interface ModelCard {
  /** A UUID; the storage key. */
  readonly id: string;
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly origin: 'trained' | 'shipped' | 'imported';
  readonly network: CardNetwork;
  readonly numParams: number;
  /** Null where an import did not tell. */
  readonly recipe: Recipe | null;
  /** What its outputs mean. */
  readonly dataSpec: DataSpec;
  readonly data: {
    readonly name: string;
    readonly numTrain: number;
    readonly numValidation: number;
  } | null;
  readonly history: readonly EpochRecord[];
  /** On the whole test file named; never used to choose anything. */
  readonly test: {
    readonly data: string;
    readonly numRows: number;
    readonly accuracy: number;
    readonly loss: number;
  } | null;
  /** Backend that trained it, as the menu names it, e.g. "wasm". */
  readonly trainedOn: string | null;
  /** From the rows held out from training; null where that has not been done. */
  readonly calibration: Calibration | null;
}

/** Why a model can or cannot be calibrated with the training data in use. */
export type HeldOutRows =
  | 'known'
  /** The model's own file is not the one in use. */
  | 'otherData'
  /** The card does not tell which rows were held out, so none can be trusted to have been. */
  | 'untold';

/**
 * Whether the rows that a model did not learn from are known and at hand. They follow from the share
 * and the seed of its recipe, on the same file.
 * @param training The training data in use; null where there is none.
 */
export function findHeldOut(
  { recipe, data }: ModelCard,
  training: { readonly name: string; readonly numRows: number } | null,
): HeldOutRows {
  if (!recipe || !data || data.numValidation === 0) return 'untold';
  const isSame =
    training?.name === data.name && training.numRows === data.numTrain + data.numValidation;
  return isSame ? 'known' : 'otherData';
}

const TextSchema = v.pipe(v.string(), v.maxLength(200));
const CountSchema = v.pipe(v.number(), v.integer(), v.minValue(0));
const ShareSchema = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const LossSchema = v.pipe(v.number(), v.finite());

export const EpochRecordSchema = v.object({
  epoch: CountSchema,
  trainLoss: LossSchema,
  trainAccuracy: ShareSchema,
  validationLoss: LossSchema,
  validationAccuracy: ShareSchema,
  elapsedMs: v.pipe(v.number(), v.finite()),
}) satisfies v.GenericSchema<unknown, EpochRecord>;

/** The form alone; whether the nodes fit together is not asked. */
export const CardNetworkSchema: v.GenericSchema<unknown, CardNetwork> = v.union([
  v.object({
    title: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TITLE_LENGTH)),
    nodes: v.null(),
  }),
  NetworkSpecSchema,
]);

/** A card of this version; `upgradeCard` brings earlier ones here. */
export const ModelCardSchema = v.object({
  id: v.pipe(v.string(), v.nonEmpty(), v.maxLength(200)),
  name: v.pipe(TextSchema, v.nonEmpty()),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  origin: v.picklist(['trained', 'shipped', 'imported']),
  network: CardNetworkSchema,
  numParams: CountSchema,
  recipe: v.nullable(RecipeSchema),
  dataSpec: DataSpecSchema,
  data: v.nullable(
    v.object({ name: TextSchema, numTrain: CountSchema, numValidation: CountSchema }),
  ),
  history: v.pipe(v.array(EpochRecordSchema), v.maxLength(10_000)),
  test: v.nullable(
    v.object({
      data: TextSchema,
      numRows: CountSchema,
      accuracy: ShareSchema,
      loss: LossSchema,
    }),
  ),
  trainedOn: v.nullable(TextSchema),
  calibration: v.nullable(CalibrationSchema),
}) satisfies v.GenericSchema<unknown, ModelCard>;
