import { describe, expect, it } from 'vitest';
import { timeSteps } from './timing.ts';

/** A device on a clock of its own. `stepMs` gives the length of the step with that number, from 0. */
function play(stepMs: (index: number) => number, settleMs = 0) {
  let nowMs = 1000;
  let numSteps = 0;
  let numSettles = 0;
  return {
    now: () => nowMs,
    steps: {
      async step() {
        nowMs += stepMs(numSteps++);
      },
      async settle() {
        nowMs += settleMs;
        numSettles++;
      },
    },
    get elapsedMs() {
      return nowMs - 1000;
    },
    get numSteps() {
      return numSteps;
    },
    get numSettles() {
      return numSettles;
    },
  };
}

const BUDGET = { batchSize: 128, budgetMs: 1000 };

describe('the timing of steps', () => {
  it('tells images a second and keeps the first step apart', async () => {
    const device = play((index) => (index === 0 ? 3000 : 10));
    const timing = await timeSteps(device.steps, BUDGET, device.now);
    expect(timing.imagesPerSecond).toBeCloseTo(12_800);
    expect(timing.firstStepMs).toBe(3000);
    expect(device.elapsedMs).toBeLessThanOrEqual(4000);
    expect(device.elapsedMs).toBeGreaterThan(3900);
  });

  it('leaves out the time in which code is still being compiled', async () => {
    const device = play((index) => (index < 20 ? 20 : 5));
    const { imagesPerSecond } = await timeSteps(device.steps, BUDGET, device.now);
    expect(imagesPerSecond).toBeCloseTo(25_600);
  });

  it.each([0.02, 1, 7, 90, 300, 700])('keeps to its budget with steps of %s ms', async (stepMs) => {
    const device = play(() => stepMs);
    const { imagesPerSecond } = await timeSteps(device.steps, BUDGET, device.now);
    expect(device.elapsedMs).toBeLessThanOrEqual(1000 + 2 * stepMs);
    expect(imagesPerSecond).toBeCloseTo(128_000 / stepMs);
  });

  it('takes one step where a step is longer than the budget', async () => {
    const device = play(() => 5000);
    const { imagesPerSecond } = await timeSteps(device.steps, BUDGET, device.now);
    expect(device.numSteps).toBe(2);
    expect(imagesPerSecond).toBeCloseTo(25.6);
  });

  it('waits for the device as seldom as training does', async () => {
    const device = play(() => 5, 10);
    const { imagesPerSecond } = await timeSteps(device.steps, BUDGET, device.now);
    expect(device.numSettles).toBeLessThan(14);
    expect(imagesPerSecond).toBeGreaterThan(0.85 * 25_600);
  });

  it('copes with a clock that ticks seldom', async () => {
    const device = play(() => 4);
    const coarse = () => Math.floor(device.now() / 100) * 100;
    const { imagesPerSecond } = await timeSteps(device.steps, BUDGET, coarse);
    expect(imagesPerSecond / 32_000).toBeGreaterThan(0.7);
    expect(imagesPerSecond / 32_000).toBeLessThan(1.3);
  });

  it('ends where the steps go wrong', async () => {
    const device = play(() => 1);
    const settle = async () => {
      throw new Error('NaN');
    };
    await expect(timeSteps({ ...device.steps, settle }, BUDGET, device.now)).rejects.toThrow('NaN');
    expect(device.numSteps).toBe(1);
  });
});
