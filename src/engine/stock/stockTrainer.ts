/**
 * Training steps through TensorFlow.js's own operations and gradients, on whatever backend is in
 * charge: the engine that takes every network, and the measure of the others.
 */
import * as tf from '@tensorflow/tfjs';
import { PIXELS, SIDE } from '../../fashion.ts';
import { type Network, type WeightKeys, weightKeys } from '../../network/spec.ts';
import { createRandom } from '../../random.ts';
import { writeImages } from '../batchImages.ts';
import type { Batch, OptimizerState, Trainer, TrainerRequest } from '../contract.ts';
import { applyNetwork, crossEntropy, type Observations } from './plainNetwork.ts';
import { StockOptimizer } from './stockOptimizer.ts';

/** A batch that waits for its step. */
interface WaitingBatch {
  readonly images: Float32Array;
  readonly targets: Float32Array;
  seed: number;
}

const MAX_WAITING = 2;

export class StockTrainer implements Trainer {
  readonly note: string | null;
  readonly #request: TrainerRequest;
  readonly #keys: WeightKeys;
  readonly #optimizer: StockOptimizer;
  /** By key, as of the last step. */
  readonly #statistics: Map<string, tf.Tensor>;
  /** Their moving averages; empty where none are kept. */
  readonly #averages = new Map<string, tf.Tensor>();
  readonly #waiting: WaitingBatch[];
  #numLoaded = 0;
  #numSteps = 0;

  /** @param note why this engine and no faster one, for people. */
  constructor(request: TrainerRequest, note: string | null = null) {
    this.note = note;
    this.#request = request;
    this.#keys = weightKeys(request.network);
    const read = (key: string) => weightOf(request, key).read();
    const { optimizer, optimizerState } = request;
    this.#optimizer = new StockOptimizer(this.#keys, read, optimizer, optimizerState);
    const copy = (tensor: tf.Tensor) => tf.keep(tf.clone(tensor));
    this.#statistics = new Map(this.#keys.statistics.map((key) => [key, copy(read(key))]));
    if (optimizer.averageDecay !== null) {
      for (const key of this.#keys.statistics) {
        const kept = optimizerState?.slots[key]?.average;
        const value = kept ? tf.tensor(kept, read(key).shape) : copy(read(key));
        this.#averages.set(key, tf.keep(value));
      }
    }
    const { batchSize, network } = request;
    this.#waiting = Array.from({ length: MAX_WAITING }, () => ({
      images: new Float32Array(batchSize * PIXELS),
      targets: new Float32Array(batchSize * network.numClasses),
      seed: 0,
    }));
  }

  async prepare(): Promise<void> {}

  load(batch: Batch): void {
    const place = this.#waiting[this.#numLoaded % MAX_WAITING];
    if (!place || this.#numLoaded - this.#numSteps >= MAX_WAITING) {
      throw new RangeError('Two batches wait already: take a step first.');
    }
    writeImages(batch, this.#request.data, place.images);
    place.targets.set(batch.targets);
    place.seed = batch.seed;
    this.#numLoaded++;
  }

  step(learningRate: number): tf.Tensor1D {
    const batch = this.#waiting[this.#numSteps % MAX_WAITING];
    if (!batch || this.#numSteps === this.#numLoaded) {
      throw new RangeError('No batch waits for a step.');
    }
    const { network, batchSize, labelSmoothing, dropout } = this.#request;
    const { trainable } = this.#keys;
    const random = createRandom(batch.seed);
    const figures = tf.tidy(() => {
      const x = tf.tensor4d(batch.images, [batchSize, SIDE, SIDE, 1]);
      const targets = tf.tensor2d(batch.targets, [batchSize, network.numClasses]);
      const goals: tf.Tensor2D = labelSmoothing
        ? tf.add(tf.mul(targets, 1 - labelSmoothing), labelSmoothing / network.numClasses)
        : targets;
      let pass: ReturnType<typeof applyNetwork> | undefined;
      const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
        const byKey = new Map(trainable.map((key, index) => [key, values[index] as tf.Tensor]));
        pass = keepPass(
          applyNetwork(
            network,
            (key) => byKey.get(key) ?? (this.#statistics.get(key) as tf.Tensor),
            x,
            { rate: dropout, random },
            { usesShortcuts: true },
          ),
        );
        return crossEntropy(pass.logits, goals);
      })(this.#optimizer.values);
      if (!pass) throw new Error('The forward pass did not run.');
      const { logits, observed } = pass;
      this.#optimizer.step(grads, learningRate);
      this.#track(observed);
      // Without smoothing, so that it compares with the validation loss.
      const loss = labelSmoothing ? crossEntropy(logits, targets) : value;
      const isCorrect = tf.equal(tf.argMax(logits, 1), tf.argMax(targets, 1));
      const accuracy = tf.mean(tf.cast(isCorrect, 'float32'));
      tf.dispose([logits, ...observed.values()]);
      return tf.stack([tf.reshape(loss, []), accuracy]) as tf.Tensor1D;
    });
    this.#numSteps++;
    return figures;
  }

  /** Moves means and variances, and their averages, by what a step has observed. */
  #track(observed: Observations): void {
    const { batchNormMomentum } = this.#request;
    const decay = this.#optimizer.averageDecay;
    for (const [key, before] of this.#statistics) {
      const value = observed.get(key);
      if (!value) throw new Error(`Nothing was observed for the weight ${key}.`);
      const next = blend(before, value, batchNormMomentum);
      replace(this.#statistics, key, next);
      const average = this.#averages.get(key);
      if (average && decay !== null) replace(this.#averages, key, blend(average, next, decay));
    }
  }

  sync(which: 'current' | 'average' = 'current'): void {
    const isAverage = which === 'average';
    const values = isAverage ? this.#optimizer.averages : this.#optimizer.values;
    this.#keys.trainable.forEach((key, index) => {
      weightOf(this.#request, key).write(values[index] as tf.Tensor);
    });
    for (const [key, value] of isAverage ? this.#averages : this.#statistics) {
      weightOf(this.#request, key).write(value);
    }
    if (isAverage) tf.dispose([...values]);
  }

  async isSound(): Promise<boolean> {
    const magnitude = tf.tidy(() =>
      tf.addN(
        [...this.#optimizer.values, ...this.#statistics.values()].map((value) =>
          tf.sum(tf.abs(value)),
        ),
      ),
    );
    const [sum] = await magnitude.data<'float32'>();
    magnitude.dispose();
    return Number.isFinite(sum);
  }

  async readOptimizerState(): Promise<OptimizerState> {
    const slots = await this.#optimizer.readSlots();
    for (const [key, value] of this.#averages) {
      slots[key] = { average: await value.data<'float32'>() };
    }
    return { numSteps: this.#optimizer.numSteps, slots };
  }

  dispose(): void {
    this.#optimizer.dispose();
    tf.dispose([...this.#statistics.values(), ...this.#averages.values()]);
  }
}

/** Keeps what is needed of a pass after its gradients, which dispose all they do not return. */
function keepPass<Pass extends { readonly logits: tf.Tensor; readonly observed: Observations }>(
  pass: Pass,
): Pass {
  for (const tensor of [pass.logits, ...pass.observed.values()]) tf.keep(tensor);
  return pass;
}

/** `share` of the old and the rest of the new. */
function blend(before: tf.Tensor, after: tf.Tensor, share: number): tf.Tensor {
  return tf.add(before, tf.mul(tf.sub(after, before), 1 - share));
}

function replace(tensors: Map<string, tf.Tensor>, key: string, value: tf.Tensor): void {
  tensors.get(key)?.dispose();
  tensors.set(key, tf.keep(value));
}

function weightOf(
  { weights, network }: { weights: TrainerRequest['weights']; network: Network },
  key: string,
) {
  const weight = weights.get(key);
  if (!weight)
    throw new RangeError(`“${network.spec.title}” is to train without the weight ${key}.`);
  return weight;
}
