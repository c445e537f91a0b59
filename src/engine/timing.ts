/**
 * Owns how training steps are timed: the first one apart, in which shaders and kernels compile, then
 * as many as a budget of time allows. Pure but for the clock.
 */

/** The steps to be timed. */
export interface TimedSteps {
  /** Takes one step, or hands it to the device. */
  step(): Promise<void>;
  /**
   * Waits until the device has done all steps so far.
   * @throws where they went wrong.
   */
  settle(): Promise<void>;
}

export interface StepTiming {
  readonly imagesPerSecond: number;
  /** Of the first step, compilers included. Not part of the budget. */
  readonly firstStepMs: number;
}

/** Between two waits for the device, as in training: a wait leaves it without work for a moment. */
const SETTLE_INTERVAL_MS = 250;
const MAX_UNSETTLED_STEPS = 64;

/**
 * Takes steps for `budgetMs` after the first one and tells their speed over the later half of that
 * time: in the earlier one the browser still turns quickly compiled code into fast code. Where a
 * step is longer than the budget, one is taken.
 *
 * @param now A clock in ms; tests bring their own.
 */
export async function timeSteps(
  { step, settle }: TimedSteps,
  { batchSize, budgetMs }: { readonly batchSize: number; readonly budgetMs: number },
  now: () => number = () => performance.now(),
): Promise<StepTiming> {
  const startMs = now();
  await step();
  await settle();
  const warmMs = now();
  const endMs = warmMs + budgetMs;

  /** After each wait for the device, oldest first. */
  const marks = [{ atMs: warmMs, numSteps: 0 }];
  let last = { atMs: warmMs, numSteps: 0 };
  let stepMs = 0;
  let block = 1;
  do {
    for (let taken = 0; taken < block; taken++) await step();
    await settle();
    const mark = { atMs: now(), numSteps: last.numSteps + block };
    stepMs = (mark.atMs - last.atMs) / block;
    marks.push(mark);
    last = mark;
    const fitting = Math.min(SETTLE_INTERVAL_MS, endMs - mark.atMs) / stepMs;
    // At most double: the first steps tell little of the speed.
    block = Math.max(1, Math.floor(Math.min(fitting, 2 * block, MAX_UNSETTLED_STEPS)));
  } while (last.atMs + stepMs <= endMs);

  const halfMs = warmMs + budgetMs / 2;
  const runUp = marks.slice(0, -1);
  const from = runUp.find(({ atMs }) => atMs >= halfMs) ?? runUp.at(-1) ?? last;
  return {
    imagesPerSecond: (1000 * batchSize * (last.numSteps - from.numSteps)) / (last.atMs - from.atMs),
    firstStepMs: warmMs - startMs,
  };
}
