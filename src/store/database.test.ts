import 'fake-indexeddb/auto';
import { deleteDB, openDB, unwrap } from 'idb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { closeDatabase, StorageError, withDatabase, writeAtOnce } from './database.ts';

afterEach(async () => {
  vi.restoreAllMocks();
  await closeDatabase();
  await deleteDB('atelier');
});

const count = () => withDatabase('count', (database) => database.count('settings'));

describe('withDatabase', () => {
  it('makes way for a newer version and then says that the page is out of date', async () => {
    await count();
    const newer = await openDB('atelier', 99);
    await expect(count()).rejects.toMatchObject({
      name: 'StorageError',
      reason: 'blocked',
      message: expect.stringMatching(/newer version of Atelier.*Reload/),
    });
    newer.close();
  });

  it('opens a lost connection anew', async () => {
    await withDatabase('lose the connection', async (database) => database.close());
    expect(await count()).toBe(0);
  });

  it('puts an unknown failure into words', async () => {
    const failing = withDatabase('fold the shirts', () => Promise.reject(new Error('creased')));
    await expect(failing).rejects.toThrow(StorageError);
    await expect(failing).rejects.toThrow(
      'Atelier could not fold the shirts. The browser says: creased',
    );
  });
});

describe('writeAtOnce', () => {
  it('takes everything back where a later part fails', async () => {
    await expect(
      withDatabase('write', (database) =>
        writeAtOnce(database, ['settings'], async (transaction) => {
          await transaction.objectStore('settings').put(1, 'first');
          // Functions cannot be kept: the browser throws at once.
          await transaction.objectStore('settings').put(() => {}, 'second');
        }),
      ),
    ).rejects.toThrow(StorageError);
    expect(await count()).toBe(0);
  });

  it('tells why the transaction failed, not that its requests were aborted', async () => {
    const writing = withDatabase('write', (database) =>
      writeAtOnce(database, ['settings'], async (transaction) => {
        const put = transaction.objectStore('settings').put(1, 'first');
        // As a browser over quota does: the requests abort, the transaction knows the reason.
        const inside = unwrap(transaction) as unknown as { _abort(errorName: string): void };
        inside._abort('QuotaExceededError');
        await put;
      }),
    );
    await expect(writing).rejects.toMatchObject({ reason: 'full' });
  });
});
