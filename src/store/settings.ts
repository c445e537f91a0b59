/**
 * What the person has set, and what was found out about the engines of the machine, kept for the next
 * visit. Free of TensorFlow.js: the page reads it itself.
 */
import * as v from 'valibot';
import { RecipeSchema } from '../ml/spec/recipe.ts';
import { NetworkSpecSchema } from '../network/spec.ts';
import { withDatabase, writeAtOnce } from './database.ts';
import type { EngineMemory, Settings } from './records.ts';
import { readRecord, refuseNewer, stamp } from './upgrades.ts';

/** Where the settings are kept, for whoever looks at what a newer version left. */
export const SETTINGS_KEY = 'page';
const ENGINE_KEY = 'engine';

const SettingsSchema = v.object({
  network: NetworkSpecSchema,
  recipe: RecipeSchema,
  backend: v.picklist(['auto', 'webgl', 'webgpu', 'simd', 'wasm', 'cpu']),
  includesWebGPU: v.boolean(),
  source: v.nullable(v.picklist(['full', 'sample'])),
}) satisfies v.GenericSchema<unknown, Settings>;

/**
 * Null on a first visit, and where what is kept is damaged or a newer version's.
 * @throws {StorageError}
 */
export async function readSettings(): Promise<Settings | null> {
  const value = await withDatabase('read your settings', (database) =>
    database.get('settings', SETTINGS_KEY),
  );
  const reading = readRecord('settings', SettingsSchema, value);
  return reading.kind === 'read' ? reading.record : null;
}

/** @throws {StorageError} reason 'newer' where a newer version has kept some. */
export function writeSettings(settings: Settings): Promise<void> {
  return write('keep your settings', SETTINGS_KEY, 'What you have set', settings);
}

async function write(task: string, key: string, what: string, record: object): Promise<void> {
  await withDatabase(task, (database) =>
    writeAtOnce(database, ['settings'], async (transaction) => {
      const records = transaction.objectStore('settings');
      refuseNewer(await records.get(key), what);
      await records.put(stamp(record), key);
    }),
  );
}

const TrialSchema = v.variant('outcome', [
  v.object({
    outcome: v.literal('timed'),
    imagesPerSecond: v.pipe(v.number(), v.finite(), v.gtValue(0)),
    warmUpMs: v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0))),
  }),
  v.object({ outcome: v.literal('failed'), message: v.pipe(v.string(), v.maxLength(1000)) }),
]);

const TrialsSchema = v.object({
  webgl: v.exactOptional(TrialSchema),
  webgpu: v.exactOptional(TrialSchema),
  simd: v.exactOptional(TrialSchema),
  wasm: v.exactOptional(TrialSchema),
  cpu: v.exactOptional(TrialSchema),
});

const EngineMemorySchema = v.object({
  fingerprint: v.string(),
  trials: v.record(v.string(), TrialsSchema),
}) satisfies v.GenericSchema<unknown, EngineMemory>;

/**
 * Null before the first trial, and where what is kept is damaged or a newer version's.
 * @throws {StorageError}
 */
export async function readEngineMemory(): Promise<EngineMemory | null> {
  const value = await withDatabase('read how fast the engines are', (database) =>
    database.get('settings', ENGINE_KEY),
  );
  const reading = readRecord('engines', EngineMemorySchema, value);
  return reading.kind === 'read' ? reading.record : null;
}

/** @throws {StorageError} reason 'newer' where a newer version has kept some. */
export function writeEngineMemory(memory: EngineMemory): Promise<void> {
  return write('keep how fast the engines are', ENGINE_KEY, 'How fast the engines are', memory);
}
