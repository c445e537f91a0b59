/**
 * Owns trying out the backend in charge: real training steps of a network, as a run takes them, on
 * made-up pictures.
 */
import * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../data/dataset.ts';
import { timeSteps } from '../engine/timing.ts';
import { NUM_CLASSES, PIXELS } from '../fashion.ts';
import { createBatches } from '../ml/run/batches.ts';
import { buildModel } from '../ml/run/build.ts';
import { prepareTrainer, TrainingError } from '../ml/run/train.ts';
import { nextTurn } from '../ml/run/yielding.ts';
import type { NetworkName } from '../ml/spec/network.ts';
import type { Recipe } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { resolveNetwork } from '../network/spec.ts';
import { createRandom } from '../random.ts';

/** A step takes as long at any rate; at this one noise for pictures cannot make the loss diverge. */
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
  networkName: NetworkName,
  recipe: Recipe,
  budgetMs: number,
): Promise<TrialTiming> {
  const { batchSize } = recipe;
  const startMs = performance.now();
  const network = resolveNetwork(NETWORK_PRESETS[networkName].spec, NUM_CLASSES);
  const model = buildModel(network, recipe);
  const dataset = makeNoise(4 * batchSize);
  const rows = Uint32Array.from({ length: 4 * batchSize }, (_, row) => row);
  let figures: tf.Tensor1D[] = [];
  let from = 0;
  const makeBatch = createBatches(dataset, recipe, batchSize, NUM_CLASSES);
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
            throw new TrainingError('Its calculations went wrong: not all of them gave numbers.');
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
    labels: Uint8Array.from({ length: numRows }, (_, row) => row % NUM_CLASSES),
  };
}
