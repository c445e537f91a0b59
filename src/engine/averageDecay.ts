/** How fast a moving average of the weights follows them, the same in every engine. */

/**
 * The share that the average keeps of itself in step `numSteps` (1-based): a young one forgets the
 * first weights sooner. As TensorFlow's ExponentialMovingAverage does.
 *
 * @param averageDecay The share it keeps in the long run, 0–1.
 */
export function averageDecayAt(averageDecay: number, numSteps: number): number {
  return Math.min(averageDecay, (1 + numSteps) / (10 + numSteps));
}
