/**
 * Reads and checks the options of `npm run train`. Every knob of a recipe is an option, made from the
 * knob itself, so that a new knob is one at once.
 */
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { safeParse } from 'valibot';
import type { BackendName } from '../src/engine/backends.ts';
import {
  knobOf,
  PRESETS,
  RECIPE_FIELDS,
  type Recipe,
  type RecipeField,
  RecipeSchema,
} from '../src/ml/spec/recipe.ts';
import { NETWORK_PRESETS, type NetworkPresetName } from '../src/network/presets.ts';

/** What to train, how, on what, and where to put it. */
export interface Plan {
  readonly network: NetworkPresetName;
  readonly recipe: Recipe;
  readonly backend: BackendName | 'auto';
  readonly data: 'full' | 'sample';
  /** Folder, relative to where the command was given. */
  readonly out: string;
}

/** The options make no sense. The message says which and why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const BACKENDS = ['auto', 'webgl', 'webgpu', 'simd', 'wasm', 'cpu'] as const satisfies readonly (
  | BackendName
  | 'auto'
)[];
const DATA = ['full', 'sample'] as const;
const NETWORK_NAMES = Object.values(NETWORK_PRESETS).map(({ name }) => name);
const PRESET_NAMES = PRESETS.map(({ name }) => name);
const DEFAULT_PRESET = 'balanced';

/**
 * Reads a command line.
 *
 * @throws UsageError where an option is unknown, has no value or one that is out of bounds.
 */
export function readPlan(args: readonly string[]): Plan | 'help' {
  const options: NonNullable<ParseArgsConfig['options']> = {
    help: { type: 'boolean', short: 'h' },
    network: { type: 'string' },
    preset: { type: 'string' },
    backend: { type: 'string' },
    data: { type: 'string' },
    out: { type: 'string' },
  };
  for (const field of RECIPE_FIELDS) {
    options[toOption(field)] = { type: knobOf(field).kind === 'toggle' ? 'boolean' : 'string' };
  }

  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true, allowNegative: true }));
  } catch (error) {
    throw new UsageError(
      `${error instanceof Error ? error.message : error}\n"npm run train -- --help" lists the options.`,
    );
  }
  if (values.help) return 'help';

  const network = choose(values, 'network', NETWORK_NAMES, 'classic');
  const presetName = choose(values, 'preset', PRESET_NAMES, DEFAULT_PRESET);
  const knobs: Record<string, unknown> = {
    ...PRESETS.find(({ name }) => name === presetName)?.recipe,
  };
  for (const field of RECIPE_FIELDS) {
    const value = values[toOption(field)];
    if (value === undefined) continue;
    // Number('') is 0, which nobody means.
    const isNumber = knobOf(field).kind === 'number';
    knobs[field] = isNumber ? (value === '' ? Number.NaN : Number(value)) : value;
  }
  const recipe = safeParse(RecipeSchema, knobs);
  if (!recipe.success) {
    throw new UsageError(
      recipe.issues
        .map(({ path, message }) => `--${toOption(String(path?.[0]?.key))}: ${message}`)
        .join('\n'),
    );
  }
  return {
    network,
    recipe: recipe.output,
    backend: choose(values, 'backend', BACKENDS, 'auto'),
    data: choose(values, 'data', DATA, 'full'),
    out: typeof values.out === 'string' && values.out !== '' ? values.out : join('build', network),
  };
}

/** `batchSize` → `batch-size`. */
function toOption(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function choose<Name extends string>(
  values: Readonly<Record<string, unknown>>,
  option: string,
  names: readonly Name[],
  fallback: Name,
): Name {
  const value = values[option];
  if (value === undefined) return fallback;
  const found = names.find((name) => name === value);
  if (found === undefined) {
    throw new UsageError(`--${option} is one of ${names.join(', ')}, not "${value}".`);
  }
  return found;
}

function knobHelp(field: RecipeField): string {
  const knob = knobOf(field);
  const option = `--${toOption(field)}`;
  switch (knob.kind) {
    case 'number':
      return line(
        `${option} N`,
        `${knob.title}${knob.unit === null ? '' : ` (${knob.unit})`}, ${knob.min}–${knob.max}`,
      );
    case 'choice':
      return line(
        `${option} NAME`,
        `${knob.title}: ${knob.choices.map(({ value }) => value).join(', ')}`,
      );
    case 'toggle':
      return line(option, `${knob.title}; --no-${toOption(field)} switches it off`);
    default:
      return knob satisfies never;
  }
}

function line(option: string, text: string): string {
  return `  ${option.padEnd(26)} ${text}`;
}

export const HELP = [
  'npm run train -- [options]',
  '',
  'Trains in the built page, in a browser without a window, and puts the model into a folder.',
  '',
  line('--network NAME', `${NETWORK_NAMES.join(', ')} (classic)`),
  line('--preset NAME', `Sets every knob: ${PRESET_NAMES.join(', ')} (${DEFAULT_PRESET})`),
  line('--data NAME', `${DATA.join(', ')} (full)`),
  line('--backend NAME', `${BACKENDS.join(', ')} (auto)`),
  line('--out DIR', 'Folder for the model and its history (build/NETWORK)'),
  '',
  'Knobs, each over what the preset says:',
  '',
  ...RECIPE_FIELDS.map(knobHelp),
].join('\n');
