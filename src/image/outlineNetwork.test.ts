import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import {
  decodeWeights,
  encodeWeights,
  FRAME_CHANNELS,
  FRAME_SIDE,
  numInputs,
  OUTLINE_LAYERS,
  type OutlineWeights,
  runOutlineNetwork,
} from './outlineNetwork.ts';

const NUM_PLACES = FRAME_SIDE * FRAME_SIDE;

/** Weights that let one channel of each layer through as it is, the first from the frame's `channel`. */
function passing(channel: number): OutlineWeights[] {
  return OUTLINE_LAYERS.map((layer, index) => {
    const kernel = new Float32Array(9 * numInputs(layer) * layer.filters);
    const middle = 4 * numInputs(layer);
    kernel[(middle + (index === 0 ? channel : 0)) * layer.filters] = 1;
    return { kernel, bias: new Float32Array(layer.filters) };
  });
}

function frameWith(values: (x: number, y: number, channel: number) => number): Float32Array {
  return Float32Array.from({ length: NUM_PLACES * FRAME_CHANNELS }, (_, i) => {
    const place = Math.floor(i / FRAME_CHANNELS);
    return values(place % FRAME_SIDE, Math.floor(place / FRAME_SIDE), i % FRAME_CHANNELS);
  });
}

describe('runOutlineNetwork', () => {
  it('adds what the four sizes see at a place', () => {
    const frame = frameWith((x, y, channel) => (x === 20 && y === 33 && channel === 1 ? 2 : 0));
    const logits = runOutlineNetwork(frame, passing(1));
    const at = (x: number, y: number) => logits[y * FRAME_SIDE + x];
    expect(at(20, 33)).toBe(8);
    // The same half, quarter and eighth; then the same quarter and eighth; then the eighth alone.
    expect(at(21, 32)).toBe(6);
    expect(at(22, 34)).toBe(4);
    expect(at(16, 39)).toBe(2);
    expect(at(15, 33)).toBe(0);
    expect(at(24, 33)).toBe(0);
  });

  it('looks at the neighbours of a place, and at nothing beyond the edge', () => {
    const weights = passing(0);
    weights[0]?.kernel.fill(1);
    const logits = runOutlineNetwork(
      frameWith(() => 1),
      // Only what comes by the first shortcut: nothing is left of the coarser sizes.
      weights.map((each, i) =>
        i >= 1 && i <= 8 ? { ...each, kernel: each.kernel.map(() => 0) } : each,
      ),
    );
    expect(logits[FRAME_SIDE + 1]).toBe(18);
    expect(logits[1]).toBe(12);
    expect(logits[0]).toBe(8);
  });
});

describe('encodeWeights', () => {
  const random = createRandom(1);
  const weights = OUTLINE_LAYERS.map((layer) => ({
    kernel: Float32Array.from(
      { length: 9 * numInputs(layer) * layer.filters },
      () => random() - 0.5,
    ),
    bias: Float32Array.from({ length: layer.filters }, () => random()),
  }));

  it('keeps weights to a 254th of their range', () => {
    const kept = decodeWeights(encodeWeights(weights));
    kept.forEach(({ kernel, bias }, i) => {
      expect(bias).toEqual(weights[i]?.bias);
      const furthest = Math.max(
        ...kernel.map((weight, j) => Math.abs(weight - (weights[i]?.kernel[j] ?? 9))),
      );
      expect(furthest).toBeLessThan(0.5 / 254 + 1e-6);
    });
  });

  it('keeps a filter that is 0', () => {
    const empty = weights.map(({ kernel, bias }) => ({ kernel: kernel.map(() => 0), bias }));
    expect(
      decodeWeights(encodeWeights(empty)).every(({ kernel }) => kernel.every((w) => w === 0)),
    ).toBe(true);
  });

  it('refuses a text that is cut short or too long', () => {
    const text = encodeWeights(weights);
    expect(() => decodeWeights(text.slice(0, -8))).toThrow(RangeError);
    expect(() => decodeWeights(`AAAA${text}`)).toThrow(RangeError);
  });
});
