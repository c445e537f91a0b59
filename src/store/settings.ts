/**
 * Owns what the person has set, and what was found out about the engines of the machine, kept for
 * the next visit. Free of TensorFlow.js: the page reads it itself.
 */
import * as v from 'valibot';
import { RecipeSchema } from '../ml/spec/recipe.ts';
import { withDatabase } from './database.ts';
import type { EngineMemory, Settings } from './records.ts';

const KEY = 'page';
const ENGINE_KEY = 'engine';

const SettingsSchema = v.object({
  network: v.picklist(['small', 'classic', 'deep']),
  recipe: RecipeSchema,
  backend: v.picklist(['auto', 'webgl', 'webgpu', 'simd', 'wasm', 'cpu']),
  // Absent in what earlier versions kept.
  includesWebGPU: v.optional(v.boolean(), false),
  source: v.nullable(v.picklist(['full', 'sample'])),
}) satisfies v.GenericSchema<unknown, Settings>;

/**
 * Null on a first visit, and where what is kept does not fit this version of the page.
 * @throws {StorageError}
 */
export async function readSettings(): Promise<Settings | null> {
  const value = await withDatabase('read your settings', (database) =>
    database.get('settings', KEY),
  );
  const parsed = v.safeParse(SettingsSchema, value);
  return parsed.success ? parsed.output : null;
}

/** @throws {StorageError} */
export async function writeSettings(settings: Settings): Promise<void> {
  await withDatabase('keep your settings', async (database) => {
    await database.put('settings', settings, KEY);
  });
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
 * Null before the first trial, and where what is kept does not fit this version of the page.
 * @throws {StorageError}
 */
export async function readEngineMemory(): Promise<EngineMemory | null> {
  const value = await withDatabase('read how fast the engines are', (database) =>
    database.get('settings', ENGINE_KEY),
  );
  const parsed = v.safeParse(EngineMemorySchema, value);
  return parsed.success ? parsed.output : null;
}

/** @throws {StorageError} */
export async function writeEngineMemory(memory: EngineMemory): Promise<void> {
  await withDatabase('keep how fast the engines are', async (database) => {
    await database.put('settings', memory, ENGINE_KEY);
  });
}
