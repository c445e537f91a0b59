/**
 * Owns the optimizers. All weights are updated as one long vector: about 20 kernels a step, where
 * the optimizers of TensorFlow.js take about 15 for each of the weights.
 */
import * as tf from '@tensorflow/tfjs';
import { InPlaceOptimizer, simdBackend } from '../../engine/simd/training.ts';
import type { OptimizerKnobs } from '../../engine/trainer.ts';
import type { Recipe } from '../spec/recipe.ts';

/** A weight of a tf.layers model. */
export type Weight = tf.LayersModel['trainableWeights'][number];

export interface Optimizer {
  /**
   * Takes one step: changes the weights, keeps the gradients.
   * @param gradients One a weight, in the weights' order.
   */
  step(gradients: readonly tf.Tensor[], learningRate: number): void;
  /**
   * Whether all weights are numbers. Waits for the device. A loss does not tell: ReLU turns NaN into
   * 0 on some backends.
   */
  hasFiniteWeights(): Promise<boolean>;
  /** Frees what the optimizer keeps; the weights stay. */
  dispose(): void;
}

const ADAM_BETA1 = 0.9;
const ADAM_BETA2 = 0.999;

/**
 * Keeps Adam from dividing by nothing. Half floats know no smaller number than 6e-8.
 *
 * Not by `backend.floatPrecision()`: WebGL's says 16 of every device that renders 32.
 */
function adamEpsilon(): number {
  const isHalf = tf.getBackend() === 'webgl' && !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
  return isHalf ? 1e-4 : 1e-7;
}

/** What the recipe says of the optimizer, in numbers. */
export function optimizerKnobs({
  optimizer,
  momentum,
}: Pick<Recipe, 'optimizer' | 'momentum'>): OptimizerKnobs {
  return optimizer === 'adam'
    ? { kind: 'adam', beta1: ADAM_BETA1, beta2: ADAM_BETA2, epsilon: adamEpsilon() }
    : { kind: 'sgd', momentum };
}

/** The weights must not be changed by others while the optimizer is in use. */
export function createOptimizer(
  weights: readonly Weight[],
  recipe: Pick<Recipe, 'optimizer' | 'momentum'>,
): Optimizer {
  const simd = simdBackend();
  if (simd) return new InPlaceOptimizer(simd, weights, optimizerKnobs(recipe));
  const shapes = weights.map((weight) => weight.read().shape);
  const sizes = shapes.map((shape) => tf.util.sizeFromShape(shape));
  const flatten = (tensors: readonly tf.Tensor[]) =>
    tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1]))) as tf.Tensor1D;

  let values = tf.tidy(() => flatten(weights.map((weight) => weight.read())));
  const zeros = () => tf.zerosLike(values);
  let momentum: tf.Tensor = zeros();
  let energy: tf.Tensor | null = recipe.optimizer === 'adam' ? zeros() : null;
  // Kept, since some backends upload a number anew each time it is used.
  const carryOver = tf.scalar(recipe.momentum);
  const newShare = tf.scalar(1 - ADAM_BETA1);
  const newEnergyShare = tf.scalar(1 - ADAM_BETA2);
  const epsilon = adamEpsilon();
  let numSteps = 0;

  /** Adam, Kingma and Ba, 2015, with the bias corrections moved into the rate and epsilon. */
  function adamUpdate(gradient: tf.Tensor, learningRate: number, oldEnergy: tf.Tensor) {
    const correction1 = 1 - ADAM_BETA1 ** numSteps;
    const correction2 = Math.sqrt(1 - ADAM_BETA2 ** numSteps);
    const nextMomentum = tf.add(momentum, tf.mul(tf.sub(gradient, momentum), newShare));
    const nextEnergy = tf.add(
      oldEnergy,
      tf.mul(tf.sub(tf.square(gradient), oldEnergy), newEnergyShare),
    );
    const scale = tf.add(tf.sqrt(nextEnergy), epsilon * correction2);
    const update = tf.mul(tf.div(nextMomentum, scale), (learningRate * correction2) / correction1);
    return { update, nextMomentum, nextEnergy };
  }

  /** Classical momentum, as in Sutskever et al., 2013. */
  function sgdUpdate(gradient: tf.Tensor, learningRate: number) {
    const nextMomentum = tf.add(tf.mul(momentum, carryOver), gradient);
    return { update: tf.mul(nextMomentum, learningRate), nextMomentum, nextEnergy: null };
  }

  return {
    step(gradients, learningRate) {
      numSteps++;
      const next = tf.tidy(() => {
        const gradient = flatten(gradients);
        const { update, nextMomentum, nextEnergy } = energy
          ? adamUpdate(gradient, learningRate, energy)
          : sgdUpdate(gradient, learningRate);
        const nextValues = tf.sub(values, update) as tf.Tensor1D;
        let from = 0;
        weights.forEach((weight, index) => {
          const size = sizes[index] as number;
          weight.write(tf.reshape(tf.slice(nextValues, from, size), shapes[index] as number[]));
          from += size;
        });
        return { nextValues, nextMomentum, ...(nextEnergy ? { nextEnergy } : {}) };
      });
      tf.dispose([values, momentum]);
      energy?.dispose();
      // Outlives any `tf.tidy` around this step.
      values = tf.keep(next.nextValues);
      momentum = tf.keep(next.nextMomentum);
      energy = next.nextEnergy ? tf.keep(next.nextEnergy) : null;
    },
    async hasFiniteWeights() {
      const magnitude = tf.tidy(() => tf.sum(tf.abs(values)));
      const [sum] = await magnitude.data<'float32'>();
      magnitude.dispose();
      return Number.isFinite(sum);
    },
    dispose() {
      tf.dispose([values, momentum, carryOver, newShare, newEnergyShare]);
      energy?.dispose();
    },
  };
}
