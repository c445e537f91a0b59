/**
 * The one IndexedDB database, 'atelier': its schema and versions, the connection, and what a failure
 * of storage means in words. Values come back as `unknown`: `upgrades.ts` brings a record up to this
 * version and checks it.
 */
import {
  type DBSchema,
  type IDBPDatabase,
  type IDBPTransaction,
  openDB,
  type StoreNames,
} from 'idb';

const NAME = 'atelier';
const VERSION = 1;

/** One object store a line, with what its key is. */
interface AtelierSchema extends DBSchema {
  /** By model id: card, kind and layers of a kept model, all but its weights. See `models.ts`. */
  models: { key: string; value: unknown };
  /** By model id: `ArrayBuffer` of weights. Apart from `models`, so that listing does not read them. */
  weights: { key: string; value: unknown };
  /** By run id. See `runs.ts`. */
  runs: { key: string; value: unknown };
  /** By file path. See `datasets.ts`. */
  datasets: { key: string; value: unknown };
  /** By name of the setting. See `settings.ts`; the model last used is here too. */
  settings: { key: string; value: unknown };
}

export type AtelierDatabase = IDBPDatabase<AtelierSchema>;

export type StorageFailure =
  /** The browser keeps nothing for this page: a private window, a setting. */
  | 'unavailable'
  /** Another tab holds an older or newer version of the database. */
  | 'blocked'
  /** Over the browser's quota. */
  | 'full'
  /** What was asked for is not there. */
  | 'missing'
  /** What is there does not pass its checks. */
  | 'corrupt'
  /** What is there was written by a newer version of Atelier. */
  | 'newer'
  | 'failed';

/** Storage could not do what was asked. The message says what that means and what to do. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly reason: StorageFailure;

  constructor(reason: StorageFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

let connection: Promise<AtelierDatabase> | null = null;

/**
 * Runs one or more transactions on the database, opening it first where needed.
 * @param task completes "Atelier could not …" for people, e.g. "list the kept models".
 * @throws {StorageError} whatever goes wrong; reason 'full' where the browser's quota is reached.
 */
export async function withDatabase<T>(
  task: string,
  action: (database: AtelierDatabase) => Promise<T>,
): Promise<T> {
  try {
    try {
      return await action(await open());
    } catch (error) {
      // The browser may drop an idle connection without a word; no transaction has begun then.
      if (!isNamed(error, 'InvalidStateError')) throw error;
      connection = null;
      return await action(await open());
    }
  } catch (error) {
    throw toStorageError(error, task);
  }
}

/**
 * Runs `change` in one transaction: when this resolves all of it is kept, when it rejects nothing.
 * @param change may await nothing but the transaction's own requests.
 * @param durability 'strict': flushed to disk before this resolves.
 */
export async function writeAtOnce<Names extends StoreNames<AtelierSchema>[], T>(
  database: AtelierDatabase,
  stores: Names,
  change: (transaction: IDBPTransaction<AtelierSchema, Names, 'readwrite'>) => Promise<T>,
  durability: 'default' | 'strict' | 'relaxed' = 'default',
): Promise<T> {
  const transaction = database.transaction(stores, 'readwrite', { durability });
  transaction.done.catch(() => {}); // Heard below, but perhaps only after it has rejected.
  try {
    const result = await change(transaction);
    await transaction.done;
    return result;
  } catch (error) {
    try {
      transaction.abort();
    } catch {
      // It is over already.
    }
    // Over quota the requests report an abort and only the transaction knows why.
    const cause: unknown = await transaction.done.then(
      () => error,
      (reason: unknown) => reason,
    );
    throw isNamed(cause, 'AbortError') ? error : cause;
  }
}

/** Asks the browser not to clear what is kept when space runs low. True where it agrees. */
export async function requestPersistence(): Promise<boolean> {
  try {
    return (await navigator.storage.persisted()) || (await navigator.storage.persist());
  } catch {
    return false;
  }
}

/** Closes the connection; the next call opens it anew. */
export async function closeDatabase(): Promise<void> {
  const closing = connection;
  connection = null;
  const database = await closing?.catch(() => null);
  database?.close();
}

function open(): Promise<AtelierDatabase> {
  if (!connection) {
    const opening = openFresh();
    connection = opening;
    // A failed opening is not remembered: the next call tries again.
    opening.catch(() => {
      if (connection === opening) connection = null;
    });
  }
  return connection;
}

async function openFresh(): Promise<AtelierDatabase> {
  try {
    return await new Promise<AtelierDatabase>((resolve, reject) => {
      openDB<AtelierSchema>(NAME, VERSION, {
        upgrade(database) {
          // Version 1. Later versions add their own step, guarded by the old version.
          for (const store of ['models', 'weights', 'runs', 'datasets', 'settings'] as const) {
            database.createObjectStore(store);
          }
        },
        blocked() {
          reject(
            new StorageError(
              'blocked',
              'Atelier is open in another tab in an older version, which holds the stored models. Close that tab and reload this page.',
            ),
          );
        },
        blocking(_current, _wanted, event) {
          // Another tab brings a newer version: make way at once. The next call here tries to open
          // the old version and learns that the page is out of date.
          connection = null;
          (event.target as IDBDatabase).close();
        },
        terminated() {
          connection = null;
        },
      }).then(resolve, reject);
    });
  } catch (error) {
    if (error instanceof StorageError) throw error;
    if (isNamed(error, 'VersionError')) {
      throw new StorageError(
        'blocked',
        'The stored models belong to a newer version of Atelier. Reload this page to get it.',
        { cause: error },
      );
    }
    // Browsers differ: `indexedDB` may be missing, throw when it is touched, or fail to open.
    throw new StorageError(
      'unavailable',
      'This browser does not let Atelier keep anything, as in a private window or under a strict setting. Everything else works until the page is left; download a model to keep it.',
      { cause: error },
    );
  }
}

function toStorageError(error: unknown, task: string): StorageError {
  if (error instanceof StorageError) return error;
  if (isNamed(error, 'QuotaExceededError')) {
    return new StorageError(
      'full',
      `Atelier could not ${task}: the room this browser gives the page is used up. Nothing that was kept before is lost.`,
      { cause: error },
    );
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new StorageError('failed', `Atelier could not ${task}. The browser says: ${detail}`, {
    cause: error,
  });
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error || error instanceof DOMException ? error.name === name : false;
}
