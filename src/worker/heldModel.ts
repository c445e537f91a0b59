/**
 * A model with its card, counted by its users: the tensors are disposed when the owner has let go
 * and nobody is at work on them any more.
 */
import type * as tf from '@tensorflow/tfjs';
import type { ModelCard } from '../ml/spec/modelCard.ts';

export class HeldModel {
  /** What is known about it now. */
  card: ModelCard;
  readonly #model: tf.LayersModel;
  #numHolders = 1;
  #isOwned = true;

  /** Takes over the model: nobody else disposes it. */
  constructor(model: tf.LayersModel, card: ModelCard) {
    this.#model = model;
    this.card = card;
  }

  /**
   * Does work on the model, which lasts at least until that is over.
   * @throws where nobody holds the model any more.
   */
  async use<Result>(work: (model: tf.LayersModel) => Promise<Result>): Promise<Result> {
    if (this.#numHolders === 0) throw new Error('This model is not in memory any more.');
    this.#numHolders++;
    try {
      return await work(this.#model);
    } finally {
      this.#leave();
    }
  }

  /** The owner lets go, once. */
  release(): void {
    if (!this.#isOwned) return;
    this.#isOwned = false;
    this.#leave();
  }

  #leave(): void {
    this.#numHolders--;
    if (this.#numHolders === 0) this.#model.dispose();
  }
}
