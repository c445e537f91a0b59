/**
 * The optimizers in TensorFlow.js operations. All weights are updated as one long vector: about 20
 * kernels a step, where the optimizers of TensorFlow.js take about 15 for each of the weights.
 */
import * as tf from '@tensorflow/tfjs';
import type { WeightKeys } from '../../network/spec.ts';
import { averageDecayAt } from '../averageDecay.ts';
import type { OptimizerSpec, OptimizerState } from '../contract.ts';

/**
 * Keeps Adam from dividing by nothing. Half floats know no smaller number than 6e-8.
 *
 * Not by `backend.floatPrecision()`: WebGL's says 16 of every device that renders 32.
 */
function adamEpsilon(): number {
  const isHalf = tf.getBackend() === 'webgl' && !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
  return isHalf ? 1e-4 : 1e-7;
}

type Slot = 'first' | 'second' | 'velocity' | 'average';

/** Has a copy of the trainable weights, and changes it step by step. */
export class StockOptimizer {
  readonly #spec: OptimizerSpec;
  readonly #keys: WeightKeys;
  readonly #shapes: readonly number[][];
  readonly #sizes: readonly number[];
  /** `[all trainable weights]`, one after the other, and the slots likewise. */
  #flat: tf.Tensor1D;
  readonly #slots = new Map<Slot, tf.Tensor1D>();
  /** 1 for weights that decay. */
  readonly #decays: tf.Tensor1D | null;
  #values: readonly tf.Tensor[];
  #numSteps: number;

  /**
   * @param read The weights to start with, by key.
   * @param state To go on from; null starts afresh.
   */
  constructor(
    keys: WeightKeys,
    read: (key: string) => tf.Tensor,
    spec: OptimizerSpec,
    state: OptimizerState | null,
  ) {
    this.#spec = spec;
    this.#keys = keys;
    this.#numSteps = state?.numSteps ?? 0;
    this.#shapes = keys.trainable.map((key) => read(key).shape);
    this.#sizes = this.#shapes.map((shape) => tf.util.sizeFromShape(shape));
    this.#flat = tf.tidy(() => flatten(keys.trainable.map(read)));
    const isDecaying = (index: number) => keys.decaying.has(keys.trainable[index] as string);
    this.#decays =
      spec.weightDecay > 0
        ? tf.tidy(() =>
            flatten(
              this.#shapes.map((shape, index) =>
                isDecaying(index) ? tf.ones(shape) : tf.zeros(shape),
              ),
            ),
          )
        : null;
    const start = (slot: Slot, fresh: () => tf.Tensor1D) => {
      this.#slots.set(slot, this.#restore(slot, state) ?? fresh());
    };
    const zeros = () => tf.zerosLike(this.#flat);
    if (spec.rule.kind === 'adam') {
      start('first', zeros);
      start('second', zeros);
    } else {
      start('velocity', zeros);
    }
    if (spec.averageDecay !== null) start('average', () => tf.clone(this.#flat));
    this.#values = this.#split(this.#flat);
  }

  get numSteps(): number {
    return this.#numSteps;
  }

  /** The weights as of the last step, in the order of `trainable`; the optimizer's own. */
  get values(): tf.Tensor[] {
    return [...this.#values];
  }

  /** Of the step last taken; null where no average is kept. */
  get averageDecay(): number | null {
    const { averageDecay } = this.#spec;
    return averageDecay === null ? null : averageDecayAt(averageDecay, this.#numSteps);
  }

  /**
   * Their moving averages; the caller disposes them.
   * @throws {RangeError} where none are kept.
   */
  get averages(): tf.Tensor[] {
    const average = this.#slots.get('average');
    if (!average) throw new RangeError('This optimizer keeps no average of the weights.');
    return this.#split(average);
  }

  /** @param gradients In the order of `trainable`; stay the caller's. */
  step(gradients: readonly tf.Tensor[], learningRate: number): void {
    this.#numSteps++;
    const { weightDecay, maxGradientNorm } = this.#spec;
    tf.tidy(() => {
      let gradient = flatten(gradients);
      if (maxGradientNorm !== null) {
        const norm = tf.sqrt(tf.sum(tf.square(gradient)));
        gradient = tf.mul(gradient, tf.minimum(1, tf.div(maxGradientNorm, norm)));
      }
      const shrunk = this.#decays
        ? tf.mul(this.#flat, tf.sub(1, tf.mul(this.#decays, learningRate * weightDecay)))
        : this.#flat;
      const next: tf.Tensor1D = tf.sub(shrunk, this.#updateOf(gradient, learningRate));
      const average = this.#slots.get('average');
      const decay = this.averageDecay;
      if (average && decay !== null) {
        this.#keep('average', tf.add(average, tf.mul(tf.sub(next, average), 1 - decay)));
      }
      this.#flat.dispose();
      tf.dispose([...this.#values]);
      // Outlives any `tf.tidy` around this step.
      this.#flat = tf.keep(next);
      this.#values = this.#split(next).map((value) => tf.keep(value));
    });
  }

  /** What the rule takes off the weights. */
  #updateOf(gradient: tf.Tensor1D, learningRate: number): tf.Tensor1D {
    const { rule } = this.#spec;
    if (rule.kind === 'sgd') {
      // Sutskever et al., "On the importance of initialization and momentum", 2013.
      const velocity: tf.Tensor1D = tf.add(tf.mul(this.#slot('velocity'), rule.momentum), gradient);
      this.#keep('velocity', velocity);
      const step = rule.isNesterov ? tf.add(gradient, tf.mul(velocity, rule.momentum)) : velocity;
      return tf.mul(step, learningRate);
    }
    // Kingma and Ba, "Adam", 2015, with the bias corrections moved into the rate and epsilon.
    const { beta1, beta2, epsilon } = rule;
    const correction1 = 1 - beta1 ** this.#numSteps;
    const correction2 = Math.sqrt(1 - beta2 ** this.#numSteps);
    const [first, second] = [this.#slot('first'), this.#slot('second')];
    const nextFirst: tf.Tensor1D = tf.add(first, tf.mul(tf.sub(gradient, first), 1 - beta1));
    const nextSecond: tf.Tensor1D = tf.add(
      second,
      tf.mul(tf.sub(tf.square(gradient), second), 1 - beta2),
    );
    this.#keep('first', nextFirst);
    this.#keep('second', nextSecond);
    const scale = tf.add(tf.sqrt(nextSecond), (epsilon ?? adamEpsilon()) * correction2);
    return tf.mul(tf.div(nextFirst, scale), (learningRate * correction2) / correction1);
  }

  /** By weight key, then by slot. */
  async readSlots(): Promise<Record<string, Record<string, Float32Array>>> {
    const slots: Record<string, Record<string, Float32Array>> = {};
    for (const [slot, flat] of this.#slots) {
      const values = await flat.data<'float32'>();
      let from = 0;
      this.#keys.trainable.forEach((key, index) => {
        const end = from + (this.#sizes[index] as number);
        slots[key] = { ...slots[key], [slot]: values.slice(from, end) };
        from = end;
      });
    }
    return slots;
  }

  dispose(): void {
    tf.dispose([this.#flat, ...this.#values, ...this.#slots.values()]);
    this.#decays?.dispose();
  }

  #slot(slot: Slot): tf.Tensor1D {
    return this.#slots.get(slot) as tf.Tensor1D;
  }

  #keep(slot: Slot, value: tf.Tensor1D): void {
    this.#slots.get(slot)?.dispose();
    this.#slots.set(slot, tf.keep(value));
  }

  #restore(slot: Slot, state: OptimizerState | null): tf.Tensor1D | null {
    if (!state) return null;
    const parts = this.#keys.trainable.map((key) => state.slots[key]?.[slot]);
    // A state of another rule has other slots: those start afresh.
    if (!parts.every((part, index) => part?.length === this.#sizes[index])) return null;
    return tf.tensor1d(parts.flatMap((part) => [...(part ?? [])]));
  }

  #split(flat: tf.Tensor1D): tf.Tensor[] {
    let from = 0;
    return this.#shapes.map((shape, index) => {
      const size = this.#sizes[index] as number;
      const part = tf.tidy(() => tf.reshape(tf.slice(flat, from, size), shape));
      from += size;
      return part;
    });
  }
}

function flatten(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1]))) as tf.Tensor1D;
}
