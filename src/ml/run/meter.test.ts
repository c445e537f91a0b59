import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Meter, TrainingClock } from './meter.ts';

let numTensors = 0;

beforeEach(async () => {
  await tf.setBackend('cpu');
  numTensors = tf.memory().numTensors;
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
  expect(tf.memory().numTensors).toBe(numTensors);
});

/** Lets a step take its time. */
async function step(meter: Meter, loss: number, accuracy: number, ms: number): Promise<void> {
  meter.add(tf.tensor1d([loss, accuracy]));
  vi.advanceTimersByTime(ms);
  if (meter.isReadDue) await meter.read();
}

describe('the meter', () => {
  it('smooths without leaning towards its start', async () => {
    const meter = new Meter(new TrainingClock(), 10);
    await step(meter, 2, 0.1, 300);
    expect(meter.loss).toBeCloseTo(2);
    expect(meter.accuracy).toBeCloseTo(0.1);
    await step(meter, 1, 0.3, 300);
    expect(meter.loss).toBeCloseTo((0.96 * 2 + 1) / 1.96);
    expect(meter.accuracy).toBeCloseTo((0.96 * 0.1 + 0.3) / 1.96);
  });

  it('takes plain means over an epoch', async () => {
    const meter = new Meter(new TrainingClock(), 10);
    await step(meter, 9, 0, 300);
    meter.startEpoch();
    await step(meter, 3, 0.5, 300);
    await step(meter, 1, 1, 300);
    expect(meter.epochFigures).toEqual({ trainLoss: 2, trainAccuracy: 0.75 });
  });

  it('measures the speed over training time alone', async () => {
    const clock = new TrainingClock();
    const meter = new Meter(clock, 10);
    for (let count = 0; count < 8; count++) await step(meter, 1, 1, 100);
    await meter.read();
    expect(meter.imagesPerSecond).toBeCloseTo(100);
    clock.pause();
    vi.advanceTimersByTime(10_000);
    clock.resume();
    expect(clock.elapsedMs).toBeCloseTo(800);
    for (let count = 0; count < 8; count++) await step(meter, 1, 1, 100);
    await meter.read();
    expect(meter.imagesPerSecond).toBeCloseTo(100);
  });

  it('reads about four times a second, however fast the steps are', async () => {
    const meter = new Meter(new TrainingClock(), 10);
    let numReads = 0;
    const read = vi.spyOn(meter, 'read').mockImplementation(async function (this: Meter) {
      numReads++;
      return Meter.prototype.read.call(meter);
    });
    for (let count = 0; count < 1000; count++) await step(meter, 1, 1, 10);
    read.mockRestore();
    await meter.read();
    expect(numReads).toBeGreaterThan(35);
    expect(numReads).toBeLessThan(50);
  });

  it('gives the losses it has read, and forgets the rest when disposed', async () => {
    const meter = new Meter(new TrainingClock(), 10);
    meter.add(tf.tensor1d([2, 0]));
    meter.add(tf.tensor1d([Number.NaN, 0]));
    expect(await meter.read()).toEqual([2, Number.NaN]);
    expect(await meter.read()).toEqual([]);
    meter.add(tf.tensor1d([1, 0]));
    meter.dispose();
  });
});
