/**
 * What a run measures of itself: losses and accuracies that stay on the device until they are
 * read together, their smoothed course, and speed over training time.
 */
import * as tf from '@tensorflow/tfjs';

/** How often the figures are read: a read waits for the device. */
const READ_INTERVAL_MS = 250;
/** Steps between two reads at most. */
const MAX_UNREAD_STEPS = 64;
/** Share of the old value that the smoothed figures keep in each step. */
const SMOOTHING = 0.96;
/** Over which the speed is measured. */
const SPEED_WINDOW_MS = 2000;

/** Training time: stands still while the run is paused. */
export class TrainingClock {
  #countedMs = 0;
  #sinceMs: number | null = performance.now();

  get elapsedMs(): number {
    return this.#countedMs + (this.#sinceMs === null ? 0 : performance.now() - this.#sinceMs);
  }

  pause(): void {
    this.#countedMs = this.elapsedMs;
    this.#sinceMs = null;
  }

  resume(): void {
    this.#sinceMs ??= performance.now();
  }
}

export class Meter {
  readonly #clock: TrainingClock;
  readonly #batchSize: number;
  #unread: tf.Tensor1D[] = [];
  /**
   * Steps until the next read: as many as the device does in a read interval. A GPU takes work
   * long before it does it; without this bound, a slow one would have minutes of steps queued up
   * before a picture to classify.
   */
  #stepsPerRead = 1;
  #lastReadMs: number;
  #numSteps = 0;
  #smoothLoss = 0;
  #smoothAccuracy = 0;
  #epochSteps = 0;
  #epochLoss = 0;
  #epochAccuracy = 0;
  /** Training time and steps at the latest reads, oldest first. */
  #marks: { readonly atMs: number; readonly numSteps: number }[];

  constructor(clock: TrainingClock, batchSize: number) {
    this.#clock = clock;
    this.#batchSize = batchSize;
    this.#lastReadMs = clock.elapsedMs;
    this.#marks = [{ atMs: this.#lastReadMs, numSteps: 0 }];
  }

  /** @param figures Loss and accuracy of a step, `[2]`. The meter disposes it. */
  add(figures: tf.Tensor1D): void {
    this.#unread.push(figures);
  }

  get hasUnread(): boolean {
    return this.#unread.length > 0;
  }

  get isReadDue(): boolean {
    return this.#unread.length >= this.#stepsPerRead;
  }

  /** Takes in the steps added since the last read. Gives their losses. */
  async read(): Promise<readonly number[]> {
    const unread = this.#unread;
    if (unread.length === 0) return [];
    this.#unread = [];
    const stacked = tf.stack(unread);
    tf.dispose(unread);
    const values = await stacked.data<'float32'>();
    stacked.dispose();
    const losses: number[] = [];
    for (let at = 0; at < values.length; at += 2) {
      losses.push(values[at] as number);
      this.#count(values[at] as number, values[at + 1] as number);
    }
    const nowMs = this.#clock.elapsedMs;
    const stepMs = (nowMs - this.#lastReadMs) / unread.length;
    // At most double: the first steps compile and tell little of the speed.
    this.#stepsPerRead = Math.max(
      1,
      Math.min(Math.round(READ_INTERVAL_MS / stepMs), 2 * unread.length, MAX_UNREAD_STEPS),
    );
    this.#lastReadMs = nowMs;
    this.#marks.push({ atMs: this.#lastReadMs, numSteps: this.#numSteps });
    while (
      this.#marks.length > 2 &&
      (this.#marks[1]?.atMs ?? 0) <= this.#lastReadMs - SPEED_WINDOW_MS
    ) {
      this.#marks.shift();
    }
    return losses;
  }

  #count(loss: number, accuracy: number): void {
    this.#numSteps++;
    this.#smoothLoss = SMOOTHING * this.#smoothLoss + (1 - SMOOTHING) * loss;
    this.#smoothAccuracy = SMOOTHING * this.#smoothAccuracy + (1 - SMOOTHING) * accuracy;
    this.#epochSteps++;
    this.#epochLoss += loss;
    this.#epochAccuracy += accuracy;
  }

  startEpoch(): void {
    this.#epochSteps = 0;
    this.#epochLoss = 0;
    this.#epochAccuracy = 0;
  }

  /** Leaves out what was done since, validation say, from the speed. */
  skipTime(): void {
    this.#lastReadMs = this.#clock.elapsedMs;
    this.#marks = [{ atMs: this.#lastReadMs, numSteps: this.#numSteps }];
  }

  /** Smoothed figures, exponential averages freed of their start at 0; of the steps read. */
  get loss(): number {
    return this.#smoothLoss / (1 - SMOOTHING ** this.#numSteps);
  }

  get accuracy(): number {
    return this.#smoothAccuracy / (1 - SMOOTHING ** this.#numSteps);
  }

  /** Plain means since `startEpoch`; of the steps read. */
  get epochFigures(): { readonly trainLoss: number; readonly trainAccuracy: number } {
    return {
      trainLoss: this.#epochLoss / this.#epochSteps,
      trainAccuracy: this.#epochAccuracy / this.#epochSteps,
    };
  }

  get imagesPerSecond(): number {
    const [oldest] = this.#marks;
    const newest = this.#marks.at(-1);
    if (!oldest || !newest || newest.atMs === oldest.atMs) return 0;
    const numImages = (newest.numSteps - oldest.numSteps) * this.#batchSize;
    return (1000 * numImages) / (newest.atMs - oldest.atMs);
  }

  dispose(): void {
    tf.dispose(this.#unread);
    this.#unread = [];
  }
}
