/** The summaries of finished runs, kept for comparison. Free of TensorFlow.js: the page reads them. */
import * as v from 'valibot';
import { CardNetworkSchema, EpochRecordSchema } from '../ml/spec/modelCard.ts';
import { RecipeSchema } from '../ml/spec/recipe.ts';
import { withDatabase, writeAtOnce } from './database.ts';
import type { RunSummary } from './records.ts';
import { readRecord, refuseNewer, stamp } from './upgrades.ts';

/** The oldest run gives way to the one after this many. */
const MAX_RUNS = 50;

const ShareSchema = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

const RunSummarySchema = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  network: CardNetworkSchema,
  recipe: RecipeSchema,
  backend: v.string(),
  dataName: v.string(),
  numTrain: v.pipe(v.number(), v.integer(), v.minValue(0)),
  startedAt: v.pipe(v.string(), v.isoTimestamp()),
  elapsedMs: v.pipe(v.number(), v.finite()),
  reason: v.picklist(['completed', 'earlyStopped', 'stopped']),
  history: v.array(EpochRecordSchema),
  testAccuracy: v.nullable(ShareSchema),
  testLoss: v.nullable(v.pipe(v.number(), v.finite())),
}) satisfies v.GenericSchema<unknown, RunSummary>;

/**
 * Most recent first. Runs of a newer version are left out (see `Library.newer`); records that do not
 * pass their checks are left out and told on the console.
 * @throws {StorageError}
 */
export function listRuns(): Promise<RunSummary[]> {
  return withDatabase('list the earlier runs', async (database) => {
    const runs: RunSummary[] = [];
    for (const value of await database.getAll('runs')) {
      const reading = readRecord('run', RunSummarySchema, value);
      if (reading.kind === 'read') runs.push(reading.record);
      else if (reading.kind === 'damaged') {
        console.warn('A stored run is damaged and left out:', reading.reason);
      }
    }
    return runs.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  });
}

/**
 * Adds or replaces a run; past `MAX_RUNS` the oldest go.
 * @throws {StorageError}
 */
export async function saveRun(run: RunSummary): Promise<void> {
  await withDatabase('keep the run for comparison', (database) =>
    writeAtOnce(database, ['runs'], async (transaction) => {
      const runs = transaction.objectStore('runs');
      refuseNewer(await runs.get(run.id), 'This run');
      await runs.put(stamp(run), run.id);
    }),
  );
  const overflow = (await listRuns()).slice(MAX_RUNS);
  for (const { id } of overflow) await removeRun(id);
}

/** @throws {StorageError} */
export function removeRun(id: string): Promise<void> {
  return withDatabase('remove the run', (database) => database.delete('runs', id));
}
