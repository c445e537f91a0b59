/**
 * A trial of the engine in charge: real training steps of a network, as a run takes them, on made-up
 * images.
 */
import * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../../data/dataset.ts';
import { timeSteps } from '../../engine/timing.ts';
import { FASHION_MNIST, PIXELS } from '../../fashion.ts';
import { type NetworkSpec, resolveNetwork } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import type { Recipe } from '../spec/recipe.ts';
import { createBatches } from './batches.ts';
import { buildModel } from './build.ts';
import { prepareTrainer, TrainingError } from './train.ts';
import { nextTurn } from './yielding.ts';

/** A step takes as long at any rate; at this one noise for images cannot make the loss diverge. */
const LEARNING_RATE = 1e-4;

/** What a trial came to; see `Trial`. */
export interface TrialTiming {
  readonly imagesPerSecond: number;
  readonly warmUpMs: number;
}

/**
 * Trains a fresh network by the recipe, its batch size above all, and tells how fast that went.
 *
 * @param budgetMs Time for the steps after the first one; see `timeSteps`.
 * @throws {TrainingError} where loss or weights are not numbers.
 */
export async function tryTraining(
  spec: NetworkSpec,
  recipe: Recipe,
  budgetMs: number,
): Promise<TrialTiming> {
  const { batchSize } = recipe;
  const numClasses = FASHION_MNIST.classNames.length;
  const startMs = performance.now();
  const network = resolveNetwork(spec, numClasses);
  const model = buildModel(network, recipe);
  const dataset = makeNoise(4 * batchSize);
  const rows = Uint32Array.from({ length: 4 * batchSize }, (_, row) => row);
  let figures: tf.Tensor1D[] = [];
  let from = 0;
  const makeBatch = createBatches(dataset, recipe, batchSize, numClasses);
  const trainer = await prepareTrainer(model, network, recipe, dataset, batchSize);
  const readyMs = performance.now();
  /** Of the next step, as training does it. */
  const load = () => {
    trainer.load(makeBatch(rows.subarray(from, from + batchSize)));
    from = (from + batchSize) % rows.length;
  };
  try {
    load();
    const { imagesPerSecond, firstStepMs } = await timeSteps(
      {
        async step() {
          figures.push(trainer.step(LEARNING_RATE));
          load();
          await nextTurn();
        },
        async settle() {
          const stacked = tf.stack(figures);
          tf.dispose(figures);
          figures = [];
          const values = await stacked.data<'float32'>();
          stacked.dispose();
          if (!values.every(Number.isFinite) || !(await trainer.isSound())) {
            throw new TrainingError('Its calculations went wrong: they gave NaN or infinity.');
          }
          trainer.sync();
        },
      },
      { batchSize, budgetMs },
    );
    return { imagesPerSecond, warmUpMs: readyMs - startMs + firstStepMs };
  } finally {
    tf.dispose(figures);
    trainer.dispose();
    model.dispose();
  }
}

function makeNoise(numRows: number): Dataset {
  const random = createRandom(1);
  const pixels = new Uint8Array(numRows * PIXELS);
  for (let at = 0; at < pixels.length; at++) pixels[at] = 256 * random();
  return {
    pixels,
    labels: Uint8Array.from({ length: numRows }, (_, row) => row % FASHION_MNIST.classNames.length),
    spec: FASHION_MNIST,
  };
}
