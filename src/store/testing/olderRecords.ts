/**
 * Puts the records that an earlier version of Atelier wrote into the database, as a visitor's browser
 * would hold them. `fixtures/README.md` says what they are.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openDB } from 'idb';
import * as v from 'valibot';
import { type Dataset, selectRows } from '../../data/dataset.ts';
import { loadOwnFile } from '../../data/source.ts';
import { FASHION_MNIST } from '../../fashion.ts';

const FOLDER = join(import.meta.dirname, '../fixtures');
const STORES = ['models', 'weights', 'runs', 'datasets', 'settings'] as const;

const EntriesSchema = v.array(v.tuple([v.string(), v.looseObject({})]));
const RecordsSchema = v.object({
  models: EntriesSchema,
  runs: EntriesSchema,
  /** The id of the model used last is a bare text. */
  settings: v.array(v.tuple([v.string(), v.union([v.string(), v.looseObject({})])])),
  datasets: v.array(
    v.tuple([v.string(), v.looseObject({ pixels: v.string(), labels: v.array(v.number()) })]),
  ),
});
type OlderRecords = v.InferOutput<typeof RecordsSchema>;

/** The records of a version as they are in its folder. */
export function readOlderRecords(version: number): OlderRecords {
  return v.parse(RecordsSchema, readJson(version, 'records.json'));
}

/**
 * Fills an empty database with the records of a version.
 * @param change changes a record before it is written, e.g. to an older spelling still.
 */
export async function putOlderRecords(
  version: number,
  change: (store: string, record: Record<string, unknown>) => Record<string, unknown> = (_, same) =>
    same,
): Promise<void> {
  const { models, runs, settings, datasets } = readOlderRecords(version);
  const database = await openDB('atelier', 1, {
    upgrade(created) {
      for (const store of STORES) created.createObjectStore(store);
    },
  });
  for (const [id, model] of models) {
    await database.put('models', change('models', model), id);
    const weights = Uint8Array.from(gunzipSync(readFixture(version, `${id}.weights.gz`)));
    await database.put('weights', weights.buffer, id);
  }
  for (const [id, run] of runs) await database.put('runs', change('runs', run), id);
  for (const [key, value] of settings) {
    const changed = typeof value === 'string' ? value : change('settings', value);
    await database.put('settings', changed, key);
  }
  for (const [key, value] of datasets) {
    const pixels = Uint8Array.from(gunzipSync(Buffer.from(value.pixels, 'base64')));
    const labels = Uint8Array.from(value.labels);
    await database.put('datasets', change('datasets', { ...value, pixels, labels }), key);
  }
  database.close();
}

/** A file of a version's folder. */
export function readFixture(version: number, name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(join(FOLDER, `version${version}`, name)));
}

/** `[20 · 10]` probabilities that the version gave for `probedRows`, by name of the model. */
export function readProbabilities(version: number): Readonly<Record<string, readonly number[]>> {
  const schema = v.record(v.string(), v.array(v.number()));
  return v.parse(schema, readJson(version, 'probabilities.json'));
}

/** The twenty rows of the sample's test file that the probabilities are of. */
export async function probedRows(): Promise<Dataset> {
  const path = join(import.meta.dirname, '../../../public/data/sample_test.csv.gz');
  const file = new File([Uint8Array.from(readFileSync(path))], 'sample_test.csv.gz');
  const dataset = await loadOwnFile(file, FASHION_MNIST, {
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  return selectRows(
    dataset,
    Uint32Array.from({ length: 20 }, (_, i) => i * 23),
  );
}

function readJson(version: number, name: string): unknown {
  return JSON.parse(new TextDecoder().decode(readFixture(version, name)));
}
