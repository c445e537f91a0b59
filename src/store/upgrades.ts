/**
 * The version that every record carries: stamps what is written, brings what an earlier version wrote
 * up to this one before it is checked, and tells what a newer one wrote, which is never touched. A
 * record stays as it is in storage until something about it changes.
 *
 * To change the form of a record: raise `RECORD_VERSION`, add a step to every list here and in
 * `cardUpgrades.ts`, and a folder of fixtures that the version before wrote.
 */
import * as v from 'valibot';
import {
  type Fields,
  networkTo2,
  RECORD_VERSION,
  recipeTo2,
  type Step,
  takeSteps,
  upgradeCard,
} from '../ml/spec/cardUpgrades.ts';
import { StorageError } from './database.ts';

export type RecordKind = 'model' | 'run' | 'settings' | 'engines' | 'dataset';

const unchanged: Step = (fields) => fields;

/** `STEPS[kind][i]` leads from version i + 1 to i + 2. */
const STEPS: { readonly [Kind in RecordKind]: readonly Step[] } = {
  model: [(model) => ({ ...model, card: upgradeCard(model.card, 1) })],
  run: [(run) => ({ ...run, network: networkTo2(run.network), recipe: recipeTo2(run.recipe) })],
  settings: [settingsTo2],
  engines: [unchanged],
  dataset: [unchanged],
};

function settingsTo2(settings: Fields): Fields {
  return {
    ...settings,
    network: networkTo2(settings.network),
    recipe: recipeTo2(settings.recipe),
    // Absent in what the first pages kept.
    includesWebGPU: settings.includesWebGPU ?? false,
  };
}

/** What a stored value turned out to be. */
export type Reading<T> =
  | { readonly kind: 'read'; readonly record: T }
  /** Not for this page to understand, change or remove. */
  | { readonly kind: 'newer' }
  | { readonly kind: 'damaged'; readonly reason: string };

const VersionSchema = v.object({
  recordVersion: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
});

/** Upgrades and checks a stored value. */
export function readRecord<T>(
  kind: RecordKind,
  schema: v.GenericSchema<unknown, T>,
  value: unknown,
): Reading<T> {
  const version = v.safeParse(VersionSchema, value);
  if (!version.success) return { kind: 'damaged', reason: v.summarize(version.issues) };
  const { recordVersion } = version.output;
  if (recordVersion > RECORD_VERSION) return { kind: 'newer' };
  const parsed = v.safeParse(schema, takeSteps(STEPS[kind], value, recordVersion));
  return parsed.success
    ? { kind: 'read', record: parsed.output }
    : { kind: 'damaged', reason: v.summarize(parsed.issues) };
}

/** Whether a newer version of Atelier wrote a value. */
export function isNewer(value: unknown): boolean {
  return v.is(v.object({ recordVersion: v.pipe(v.number(), v.gtValue(RECORD_VERSION)) }), value);
}

/** A record as it is written. */
export function stamp<T extends object>(record: T): T & { readonly recordVersion: number } {
  return { ...record, recordVersion: RECORD_VERSION };
}

/** @throws {StorageError} reason 'newer' where writing would put an end to what a newer version wrote. */
export function refuseNewer(value: unknown, what: string): void {
  if (isNewer(value)) throw newer(what);
}

/** @param what The record, at the start of a sentence. */
export function newer(what: string): StorageError {
  return new StorageError(
    'newer',
    `${what} was kept by a newer version of Atelier, so this page leaves it as it is. Reload the page to get that version.`,
  );
}
