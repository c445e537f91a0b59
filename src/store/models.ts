/**
 * The models kept in IndexedDB: saving that says "saved" only after reading back, loading that checks
 * whatever it reads, and deleting that can be undone.
 *
 * (TensorFlow.js' own `indexeddb://` handler resolves before its transaction completes, so over
 * quota it reports success and the model is lost.)
 */
import type * as tf from '@tensorflow/tfjs';
import * as v from 'valibot';
import { crc32 } from '../formats/crc32.ts';
import {
  parseJson,
  putTogether,
  takeApart,
  type WeightSpec,
  WeightSpecSchema,
} from '../formats/layersModel.ts';
import { MAX_NAME_LENGTH, type ModelCard, ModelCardSchema } from '../ml/spec/modelCard.ts';
import { type AtelierDatabase, StorageError, withDatabase, writeAtOnce } from './database.ts';
import type { Library, NewerRecords, StoredModel, UnreadableModel } from './records.ts';
import { SETTINGS_KEY } from './settings.ts';
import { isNewer, newer, type Reading, readRecord, refuseNewer, stamp } from './upgrades.ts';

/** A deletion can be undone for this long at least; the next start after it makes it final. */
const UNDO_MS = 10 * 60_000;
/** Among the settings: id of the model that was live last. */
const LAST_USED_KEY = 'lastModel';

interface KeptModel {
  readonly card: ModelCard;
  readonly kind: StoredModel['kind'];
  /** Layers as JSON text. */
  readonly topology: string;
  readonly weightSpecs: readonly WeightSpec[];
  readonly numWeightBytes: number;
  /** CRC-32 of the weights. */
  readonly checksum: number;
  /** `Date.now()` of the deletion; null while it is kept. */
  readonly deletedAt: number | null;
}

const KeptModelSchema = v.object({
  card: ModelCardSchema,
  kind: v.picklist(['latest', 'named']),
  topology: v.string(),
  weightSpecs: v.array(WeightSpecSchema),
  numWeightBytes: v.number(),
  checksum: v.number(),
  deletedAt: v.nullable(v.number()),
}) satisfies v.GenericSchema<unknown, KeptModel>;

/**
 * All kept models, most recent first, those that fail their checks, and what a newer version keeps.
 * @throws {StorageError}
 */
export function listModels(): Promise<Library> {
  return withDatabase('list the kept models', async (database) => {
    const transaction = database.transaction('models');
    const [ids, values] = await Promise.all([
      transaction.store.getAllKeys(),
      transaction.store.getAll(),
    ]);
    const models: StoredModel[] = [];
    const unreadable: UnreadableModel[] = [];
    values.forEach((value, i) => {
      if (isDeleted(value)) return;
      const reading = readModelRecord(value);
      if (reading.kind === 'read') models.push(toStoredModel(reading.record));
      else if (reading.kind === 'damaged') {
        unreadable.push({ id: ids[i] ?? '', reason: reading.reason });
      }
    });
    models.sort((a, b) => b.card.createdAt.localeCompare(a.card.createdAt));
    return { models, unreadable, newer: await findNewer(database) };
  });
}

async function findNewer(database: AtelierDatabase): Promise<NewerRecords | null> {
  const transaction = database.transaction(['models', 'runs', 'settings']);
  const [models, runs, settings] = await Promise.all([
    transaction.objectStore('models').getAll(),
    transaction.objectStore('runs').getAll(),
    transaction.objectStore('settings').get(SETTINGS_KEY),
  ]);
  const found: NewerRecords = {
    numModels: models.filter((value) => isNewer(value) && !isDeleted(value)).length,
    numRuns: runs.filter(isNewer).length,
    hasSettings: isNewer(settings),
  };
  return found.numModels + found.numRuns > 0 || found.hasSettings ? found : null;
}

function readModelRecord(value: unknown): Reading<KeptModel> {
  return readRecord('model', KeptModelSchema, value);
}

/**
 * Keeps a model under its card's id and makes it the one used last. Resolves only after the bytes
 * have been read back and compared. A 'latest' model takes the place of the one before; a model
 * once 'named' stays so.
 * @throws {StorageError} reason 'full' over the browser's quota. Whatever was kept before still is.
 */
export async function saveModel(
  model: tf.LayersModel,
  card: ModelCard,
  kind: StoredModel['kind'],
): Promise<StoredModel> {
  const { topology, weightSpecs, weights } = await takeApart(model);
  const kept: KeptModel = {
    card,
    kind,
    topology: JSON.stringify(topology),
    weightSpecs,
    numWeightBytes: weights.byteLength,
    checksum: crc32(weights),
    deletedAt: null,
  };
  const reading = readModelRecord(stamp(kept));
  if (reading.kind === 'damaged') {
    // It could not be read again.
    const { reason } = reading;
    throw new StorageError(
      'failed',
      `“${card.name}” was not saved, its card is not valid: ${reason}`,
    );
  }
  try {
    try {
      return await writeModel(kept, weights);
    } catch (error) {
      const isFull = error instanceof StorageError && error.reason === 'full';
      if (!isFull || !(await makeRoom())) throw error;
      return await writeModel(kept, weights);
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const { reason, message } = error;
    throw reason === 'full'
      ? new StorageError(
          reason,
          `“${card.name}” was not saved: the room this browser gives the page is used up. Nothing that was kept before is lost. Download the model to keep it, or delete another one and save again.`,
          { cause: error },
        )
      : new StorageError(reason, `“${card.name}” was not saved. ${message}`, { cause: error });
  }
}

/**
 * Loads a kept model and makes it the one used last. The caller owns and disposes it.
 * @throws {StorageError} reason 'missing', 'newer', or 'corrupt' where it fails a check: layers,
 *   number and length of the weights, checksum, values that are finite.
 */
export async function loadModel(id: string): Promise<{ model: tf.LayersModel; card: ModelCard }> {
  const loaded = await readModel(id);
  await setLastUsed(id);
  return loaded;
}

/**
 * The model that was live last; null on a first visit, and where it has been deleted since.
 * @throws {StorageError} as `loadModel`.
 */
export async function loadLastModel(): Promise<{ model: tf.LayersModel; card: ModelCard } | null> {
  const id = await withDatabase('find the model you used last', (database) =>
    database.get('settings', LAST_USED_KEY),
  );
  if (typeof id !== 'string') return null;
  try {
    return await readModel(id);
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'missing') return null;
    throw error;
  }
}

/**
 * Notes which model is live; null for one that is not kept, such as the shipped one.
 * @throws {StorageError}
 */
export async function setLastUsed(id: string | null): Promise<void> {
  await withDatabase('remember the model you use', async (database) => {
    if (id === null) await database.delete('settings', LAST_USED_KEY);
    else await database.put('settings', id, LAST_USED_KEY);
  });
}

/**
 * Replaces what is known about a kept model, all but its name, e.g. after it has been evaluated.
 * Where the model is not kept, nothing happens.
 * @throws {StorageError}
 */
export async function updateCard(card: ModelCard): Promise<void> {
  await changeModel(card.id, 'note the new figures of the model', (kept) => ({
    ...kept,
    card: { ...card, name: kept.card.name },
  }));
}

/**
 * Renames a kept model. A 'latest' one becomes 'named': who gives a name wants to keep it.
 * @param name trimmed; 1 to `MAX_NAME_LENGTH` characters.
 * @throws {StorageError} also where the name is empty or too long.
 */
export async function renameModel(id: string, name: string): Promise<ModelCard> {
  const newName = checkName(name);
  const kept = await changeModel(id, 'rename the model', (before) => ({
    ...before,
    kind: 'named',
    card: { ...before.card, name: newName },
  }));
  if (!kept) throw missing();
  return kept.card;
}

/**
 * A name as it is kept.
 * @throws {StorageError} where nothing is left of it or it is too long.
 */
export function checkName(name: string): string {
  const trimmed = name.trim();
  if (trimmed.length === 0) {
    throw new StorageError('failed', 'A model needs a name of at least one letter.');
  }
  if (trimmed.length > MAX_NAME_LENGTH) {
    throw new StorageError(
      'failed',
      `A name has at most ${MAX_NAME_LENGTH} characters; this one has ${trimmed.length}.`,
    );
  }
  return trimmed;
}

/**
 * Takes a model out of the list. `restoreModel` brings it back until `purgeDeleted` or the need
 * for room makes it final. A record that cannot be read goes at once.
 * @throws {StorageError} reason 'newer' for the record of a newer version.
 */
export async function deleteModel(id: string): Promise<void> {
  await withDatabase('delete the model', (database) =>
    writeAtOnce(database, ['models', 'weights'], async (transaction) => {
      const models = transaction.objectStore('models');
      const value = await models.get(id);
      const reading = readModelRecord(value);
      refuseNewer(value, 'This model');
      if (reading.kind === 'read') {
        await models.put(stamp({ ...reading.record, deletedAt: Date.now() }), id);
      } else {
        await Promise.all([models.delete(id), transaction.objectStore('weights').delete(id)]);
      }
    }),
  );
}

/** @throws {StorageError} reason 'missing' where the deletion is final. */
export async function restoreModel(id: string): Promise<void> {
  await withDatabase('undo the deletion', (database) =>
    writeAtOnce(database, ['models'], async (transaction) => {
      const models = transaction.objectStore('models');
      const reading = readModelRecord(await models.get(id));
      if (reading.kind !== 'read') throw missing();
      await models.put(stamp({ ...reading.record, deletedAt: null }), id);
    }),
  );
}

/**
 * Makes deletions final. For the start of the page.
 * @param before only deletions earlier than this, as `Date.now()` counts.
 * @returns how many.
 * @throws {StorageError}
 */
export function purgeDeleted(before = Date.now() - UNDO_MS): Promise<number> {
  return withDatabase('clear away deleted models', (database) =>
    dropModels(
      database,
      (value) => !isNewer(value) && isDeleted(value) && value.deletedAt < before,
    ),
  );
}

/** One transaction for all parts, then the reading back, then the end of the 'latest' before. */
function writeModel(wanted: KeptModel, weights: Uint8Array<ArrayBuffer>): Promise<StoredModel> {
  const { id } = wanted.card;
  return withDatabase('save the model', async (database) => {
    const before = await readRecords(database, id);
    refuseNewer(before.kept, 'A model of this id');
    const wasNamed = before.kept !== undefined && !isLatest(before.kept);
    const kept = stamp<KeptModel>(wasNamed ? { ...wanted, kind: 'named' } : wanted);
    await writeRecords(database, id, { kept, weights: weights.buffer, lastUsed: id });

    const after = await readRecords(database, id);
    if (!isSame(after, kept)) {
      // Never seen; the browser would have said "written" and kept something else.
      await writeRecords(database, id, before);
      throw new StorageError(
        'corrupt',
        'What the browser kept is not what it was given, so it was removed again. Download the model to keep it.',
      );
    }
    if (kept.kind === 'latest') {
      await dropModels(database, (value, key) => key !== id && !isNewer(value) && isLatest(value));
    }
    return toStoredModel(kept);
  });
}

interface Records {
  readonly kept: unknown;
  readonly weights: unknown;
  readonly lastUsed: unknown;
}

async function readRecords(database: AtelierDatabase, id: string): Promise<Records> {
  const transaction = database.transaction(['models', 'weights', 'settings']);
  const [kept, weights, lastUsed] = await Promise.all([
    transaction.objectStore('models').get(id),
    transaction.objectStore('weights').get(id),
    transaction.objectStore('settings').get(LAST_USED_KEY),
  ]);
  return { kept, weights, lastUsed };
}

/** All or nothing, on disk when it resolves. An undefined value removes its record. */
async function writeRecords(
  database: AtelierDatabase,
  id: string,
  { kept, weights, lastUsed }: Records,
): Promise<void> {
  const changes = [
    ['models', id, kept],
    ['weights', id, weights],
    ['settings', LAST_USED_KEY, lastUsed],
  ] as const;
  await writeAtOnce(
    database,
    ['models', 'weights', 'settings'],
    async (transaction) => {
      for (const [name, key, value] of changes) {
        const store = transaction.objectStore(name);
        await (value === undefined ? store.delete(key) : store.put(value, key));
      }
    },
    'strict',
  );
}

function isSame({ kept, weights }: Records, expected: KeptModel): boolean {
  return (
    JSON.stringify(kept) === JSON.stringify(expected) &&
    weights instanceof ArrayBuffer &&
    weights.byteLength === expected.numWeightBytes &&
    crc32(new Uint8Array(weights)) === expected.checksum
  );
}

/** @returns how many went. */
function dropModels(
  database: AtelierDatabase,
  isOver: (value: unknown, id: string) => boolean,
): Promise<number> {
  return writeAtOnce(database, ['models', 'weights'], async (transaction) => {
    const models = transaction.objectStore('models');
    let numDropped = 0;
    for (const id of await models.getAllKeys()) {
      if (!isOver(await models.get(id), id)) continue;
      await Promise.all([models.delete(id), transaction.objectStore('weights').delete(id)]);
      numDropped++;
    }
    return numDropped;
  });
}

async function readModel(id: string): Promise<{ model: tf.LayersModel; card: ModelCard }> {
  const { kept: value, weights } = await withDatabase('load the model', (database) =>
    readRecords(database, id),
  );
  if (value === undefined || isDeleted(value)) throw missing();
  const reading = readModelRecord(value);
  if (reading.kind === 'newer') throw newer('This model');
  if (reading.kind === 'damaged') throw damaged('The kept model', reading.reason);
  const kept = reading.record;
  const name = `“${kept.card.name}”`;
  if (!(weights instanceof ArrayBuffer) || crc32(new Uint8Array(weights)) !== kept.checksum) {
    throw damaged(name, 'its weights are not the ones that were saved');
  }
  try {
    const parts = {
      topology: parseJson(kept.topology, 'its description'),
      weightSpecs: kept.weightSpecs,
      weights: new Uint8Array(weights),
    };
    const model = await putTogether(parts, kept.card.dataSpec.classNames.length);
    return { model, card: kept.card };
  } catch (error) {
    throw damaged(name, error instanceof Error ? error.message : String(error), error);
  }
}

/** Null where there is no such model. */
function changeModel(
  id: string,
  task: string,
  change: (kept: KeptModel) => KeptModel,
): Promise<KeptModel | null> {
  return withDatabase(task, (database) =>
    writeAtOnce(database, ['models'], async (transaction) => {
      const models = transaction.objectStore('models');
      const value = await models.get(id);
      const reading = readModelRecord(value);
      refuseNewer(value, 'This model');
      if (reading.kind !== 'read' || isDeleted(reading.record)) return null;
      const changed = change(reading.record);
      await models.put(stamp(changed), id);
      return changed;
    }),
  );
}

/** Gives up what can be missed: deleted models and the parsed copy of the data. */
async function makeRoom(): Promise<boolean> {
  const numPurged = await purgeDeleted(Number.POSITIVE_INFINITY);
  return withDatabase('make room', async (database) => {
    const numDatasets = await database.count('datasets');
    await database.clear('datasets');
    return numPurged + numDatasets > 0;
  });
}

const DeletedSchema = v.object({ deletedAt: v.number() });

function isLatest(value: unknown): boolean {
  return v.is(v.object({ kind: v.literal('latest') }), value);
}

function isDeleted(value: unknown): value is v.InferOutput<typeof DeletedSchema> {
  return v.is(DeletedSchema, value);
}

function toStoredModel({ card, kind, topology, numWeightBytes }: KeptModel): StoredModel {
  return { card, kind, bytes: numWeightBytes + topology.length };
}

function missing(): StorageError {
  return new StorageError(
    'missing',
    'This model is no longer kept. It may have been deleted in another tab.',
  );
}

function damaged(name: string, reason: string, cause?: unknown): StorageError {
  return new StorageError(
    'corrupt',
    `${name} is damaged and cannot be used: ${reason}. Delete it; where you have it as a file, import that.`,
    { cause },
  );
}
