import * as tf from '@tensorflow/tfjs';
import { describe, expect, it, vi } from 'vitest';
import { startWasmInNode } from '../../engine/stock/wasmInNode.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { DEFAULT_RECIPE } from '../spec/recipe.ts';
import { tryTraining } from './trial.ts';

const recipe = { ...DEFAULT_RECIPE, batchSize: 16 };

describe('a trial', () => {
  it('tells the speed of training and leaves nothing behind', async () => {
    await startWasmInNode();
    const { numTensors } = tf.memory();
    const startMs = performance.now();
    const { imagesPerSecond, warmUpMs } = await tryTraining(
      NETWORK_PRESETS.small.spec,
      recipe,
      100,
    );
    expect(imagesPerSecond).toBeGreaterThan(1);
    expect(warmUpMs).toBeGreaterThan(0);
    expect(warmUpMs).toBeLessThan(performance.now() - startMs);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('fails on a device whose numbers are none', async () => {
    await startWasmInNode();
    const { numTensors } = tf.memory();
    const spy = vi.spyOn(Number, 'isFinite').mockReturnValue(false);
    await expect(tryTraining(NETWORK_PRESETS.small.spec, recipe, 100)).rejects.toThrow(
      'calculations went wrong',
    );
    spy.mockRestore();
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
