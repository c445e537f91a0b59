/**
 * Brings what earlier versions of Atelier wrote of models, recipes and networks up to this version, one
 * step a version. Cards travel in files as well as in the browser's storage, so both use these steps.
 * Checks nothing: the schemas do so afterwards.
 */
import { FASHION_MNIST } from '../../fashion.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { MAX_TITLE_LENGTH, resolveNetwork } from '../../network/spec.ts';

/**
 * The version of all that this page writes to storage and files. What carries none is of version 1.
 *
 * 2: networks are values and no longer names; cards say what the classes are; how images are varied has
 * three levels.
 */
export const RECORD_VERSION = 2;

/** An object as it was read, before anything about it is checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** Brings an object one version up. */
export type Step = (fields: Fields) => Fields;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `steps[i]` leads from version i + 1 to i + 2. Anything but an object stays as it is. */
export function takeSteps(steps: readonly Step[], value: unknown, version: number): unknown {
  if (!isFields(value)) return value;
  return steps.slice(version - 1).reduce((fields, step) => step(fields), value);
}

const CARD_STEPS: readonly Step[] = [cardTo2];

/** A card of an earlier version as this one writes it. */
export function upgradeCard(card: unknown, version: number): unknown {
  return takeSteps(CARD_STEPS, card, version);
}

function cardTo2(card: Fields): Fields {
  const { network, numParams, recipe, calibration = null } = card;
  return {
    ...card,
    network: networkTo2(network, numParams),
    recipe: recipeTo2(recipe),
    calibration,
    dataSpec: FASHION_MNIST,
  };
}

/** How images are varied was once a yes or a no. */
export function recipeTo2(recipe: unknown): unknown {
  if (!isFields(recipe) || typeof recipe.augment !== 'boolean') return recipe;
  return { ...recipe, augment: recipe.augment ? 'light' : 'none' };
}

/**
 * Networks had names. Should one of these presets ever change, what it was is to be kept here.
 * @param numParams tells a preset from an imported model that happens to have its name; undefined
 *   where it is not known.
 */
export function networkTo2(name: unknown, numParams?: unknown): unknown {
  if (typeof name !== 'string') return name;
  const { small, classic, deep } = NETWORK_PRESETS;
  const preset = [small, classic, deep].find((other) => other.name === name);
  const isIt =
    preset &&
    (numParams === undefined ||
      resolveNetwork(preset.spec, FASHION_MNIST.classNames.length).params === numParams);
  return isIt ? preset.spec : { title: name.slice(0, MAX_TITLE_LENGTH) || 'Unknown', nodes: null };
}
