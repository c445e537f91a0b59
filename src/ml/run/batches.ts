/** Makes batches of a data set as a recipe wants them: drawn changes, targets, seeds for dropout. */
import { type Dataset, gatherBytes, shuffleRows } from '../../data/dataset.ts';
import type { Batch, ImageChange, Mixing } from '../../engine/contract.ts';
import { PIXELS } from '../../fashion.ts';
import { createRandom } from '../../random.ts';
import { augmentBatch, drawChange, drawErasedArea, drawOwnShare } from '../spec/augment.ts';
import type { Recipe } from '../spec/recipe.ts';

const UNCHANGED = { isMirrored: false, right: 0, down: 0 } as const;

/** What of a recipe shapes batches. */
export type BatchRecipe = Pick<Recipe, 'augment' | 'erasing' | 'erasingArea' | 'mixing' | 'seed'>;

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

  const { erasing, erasingArea } = recipe;

  // What is switched off draws nothing: older recipes then train as they always did.
  function drawChanges(): readonly ImageChange[] | null {
    if (recipe.augment !== 'light' && erasing === 0) return null;
    return Array.from({ length: batchSize }, () => ({
      ...(recipe.augment === 'light' ? drawChange(random) : UNCHANGED),
      erased: erasing > 0 && random() < erasing ? drawErasedArea(random, erasingArea) : null,
    }));
  }

  function drawMixing(): Mixing | null {
    if (recipe.mixing === 0) return null;
    const partners = Uint32Array.from({ length: batchSize }, (_, index) => index);
    shuffleRows(partners, random);
    const shares = Float32Array.from(partners, () => drawOwnShare(random, recipe.mixing));
    return { partners, shares };
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
    const mixing = drawMixing();
    if (mixing) mixTargets(mixing, targets, numClasses);
    return { images, changes, mixing, targets, seed: Math.floor(random() * 2 ** 32) };
  };
}

/** As the images are mixed: each with its partner as it was before any was mixed. */
function mixTargets({ partners, shares }: Mixing, targets: Float32Array, numClasses: number): void {
  const unmixed = targets.slice();
  for (let at = 0; at < targets.length; at++) {
    const index = Math.floor(at / numClasses);
    const share = shares[index] ?? 1;
    const partner = (partners[index] ?? index) * numClasses + (at % numClasses);
    targets[at] = share * (unmixed[at] ?? 0) + (1 - share) * (unmixed[partner] ?? 0);
  }
}
