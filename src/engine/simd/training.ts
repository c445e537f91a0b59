/**
 * Owns what a training loop asks of the CPU backend beyond TensorFlow.js's own kernels: whether it is
 * in charge, and an optimizer that updates weights where they lie. trainingKernels.ts has the rest.
 */
import * as tf from '@tensorflow/tfjs';
import { SimdBackend } from './backend.ts';

/** The backend in charge, if it is the 'simd' one. */
export function simdBackend(): SimdBackend | null {
  const backend = tf.backend();
  return backend instanceof SimdBackend ? backend : null;
}

/** A weight of a tf.layers model. */
type Weight = tf.LayersModel['trainableWeights'][number];

export interface AdamKnobs {
  readonly kind: 'adam';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface SgdKnobs {
  readonly kind: 'sgd';
  /** 0 to 1. */
  readonly momentum: number;
}

/** Takes optimizer steps on the weights in place, one pass over the memory for each weight. */
export class InPlaceOptimizer {
  readonly #backend: SimdBackend;
  readonly #weights: readonly Weight[];
  readonly #knobs: AdamKnobs | SgdKnobs;
  readonly #first: readonly tf.Variable[];
  readonly #second: readonly tf.Variable[];
  #numSteps = 0;

  constructor(backend: SimdBackend, weights: readonly Weight[], knobs: AdamKnobs | SgdKnobs) {
    this.#backend = backend;
    this.#weights = weights;
    this.#knobs = knobs;
    const zeros = () =>
      weights.map((weight) => tf.tidy(() => tf.zerosLike(weight.read()).variable(false)));
    this.#first = zeros();
    this.#second = knobs.kind === 'adam' ? zeros() : [];
  }

  /** Changes the weights by `gradients`, one each; keeps the gradients. */
  step(gradients: readonly tf.Tensor[], learningRate: number): void {
    this.#numSteps++;
    const knobs = this.#knobs;
    const { exports } = this.#backend.kernels;
    this.#weights.forEach((weight, i) => {
      const gradient = gradients[i];
      const first = this.#first[i];
      if (!gradient || !first) throw new Error(`There is no gradient for ${weight.name}.`);
      const variable = ownPointer(this.#backend, weight.read() as tf.Variable);
      const second = this.#second[i];
      if (knobs.kind === 'adam' && second) {
        exports.adam(
          variable,
          this.#backend.pointer(gradient),
          this.#backend.pointer(first),
          this.#backend.pointer(second),
          gradient.size,
          learningRate,
          knobs.beta1,
          knobs.beta2,
          1 - knobs.beta1 ** this.#numSteps,
          1 - knobs.beta2 ** this.#numSteps,
          knobs.epsilon,
        );
      } else if (knobs.kind === 'sgd') {
        exports.sgd(
          variable,
          this.#backend.pointer(gradient),
          this.#backend.pointer(first),
          gradient.size,
          learningRate,
          knobs.momentum,
          0,
        );
      }
    });
  }

  /** Whether all weights are numbers. Bound, so that it can be handed on. */
  readonly hasFiniteWeights = async (): Promise<boolean> => {
    const magnitude = tf.tidy(() =>
      tf.addN(this.#weights.map((weight) => tf.sum(tf.abs(weight.read())))),
    );
    const [sum] = await magnitude.data<'float32'>();
    magnitude.dispose();
    return Number.isFinite(sum);
  };

  /** Frees moments and velocities; the weights stay. */
  dispose(): void {
    tf.dispose([...this.#first, ...this.#second]);
  }
}

/**
 * Address of a variable's numbers, which are about to change in place. Where a clone shares them (a
 * kept copy of the best weights, say), the variable gets numbers of its own first.
 */
function ownPointer(backend: SimdBackend, variable: tf.Variable): number {
  if (backend.refCount(variable.dataId) > 1) {
    const copy = tf.tidy(() => tf.add(variable, 0));
    variable.assign(copy);
    copy.dispose();
  }
  return backend.pointer(variable);
}
