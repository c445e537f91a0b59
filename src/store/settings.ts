/**
 * Owns what the person has set, kept for the next visit. Free of TensorFlow.js: the page reads it
 * itself.
 */
import * as v from 'valibot';
import { RecipeSchema } from '../ml/recipe.ts';
import { withDatabase } from './database.ts';
import type { Settings } from './records.ts';

const KEY = 'page';

const SettingsSchema = v.object({
  network: v.picklist(['small', 'classic', 'deep']),
  recipe: RecipeSchema,
  backend: v.picklist(['auto', 'webgl', 'webgpu', 'simd', 'wasm', 'cpu']),
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
