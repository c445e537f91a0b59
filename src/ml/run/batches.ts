/** Makes batches of a data set as a recipe wants them: drawn changes, targets, seeds for dropout. */
import { type Dataset, gatherBytes } from '../../data/dataset.ts';
import type { Batch, ImageChange } from '../../engine/contract.ts';
import { PIXELS } from '../../fashion.ts';
import { createRandom } from '../../random.ts';
import { augmentBatch, drawChange } from '../spec/augment.ts';
import type { Recipe } from '../spec/recipe.ts';

/** What of a recipe shapes batches. */
export type BatchRecipe = Pick<Recipe, 'augment' | 'seed'>;

/** Whether batches name rows of the data, so that an engine does well to have all of it at hand. */
export function namesRows({ augment }: Pick<Recipe, 'augment'>): boolean {
  return augment !== 'photos';
}

/**
 * Makes one batch after the other; the same batches for the same seed and rows. A batch holds until
 * the next one is made.
 *
 * @returns A function of `[batchSize]` rows.
 */
export function createBatches(
  dataset: Dataset,
  recipe: BatchRecipe,
  batchSize: number,
  numClasses: number,
): (rows: Uint32Array) => Batch {
  const random = createRandom(recipe.seed + 2);
  const pixels = new Uint8Array(namesRows(recipe) ? 0 : batchSize * PIXELS);
  const targets = new Float32Array(batchSize * numClasses);

  function drawChanges(): readonly ImageChange[] | null {
    if (recipe.augment !== 'light') return null;
    return Array.from({ length: batchSize }, () => ({ ...drawChange(random), erased: null }));
  }

  return (rows) => {
    targets.fill(0);
    rows.forEach((row, index) => {
      targets[index * numClasses + (dataset.labels[row] ?? 0)] = 1;
    });
    const changes = drawChanges();
    let images: Batch['images'] = { kind: 'rows', rows };
    if (!namesRows(recipe)) {
      gatherBytes(dataset, rows, pixels);
      augmentBatch(pixels, batchSize, recipe.augment, random);
      images = { kind: 'pixels', pixels };
    }
    return { images, changes, mixing: null, targets, seed: Math.floor(random() * 2 ** 32) };
  };
}
