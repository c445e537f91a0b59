/**
 * Owns the shape of the small network that guesses a garment's outline, and running it: an encoder
 * and a decoder with shortcuts between them that add (Chaurasia and Culurciello, "LinkNet", 2017),
 * small enough to need no library. `npm run outline` trains it and writes `outlineWeights.ts`.
 */

/** Edge of the square that the network looks at: twice for each of the 28, halved thrice. */
export const FRAME_SIDE = 56;
/** Lightness against the sheet, and distance from it. */
export const FRAME_CHANNELS = 2;

/** A convolution 3 × 3 of what comes in, with ReLU but after the last. */
export interface OutlineLayer {
  readonly name: string;
  /** Layer whose values come in, or 'frame'. */
  readonly from: string;
  /** Whether their sides are halved first (the largest of each four) or doubled. */
  readonly resize: 'halve' | 'double' | null;
  /** Layer whose values are then added. */
  readonly shortcut: string | null;
  readonly filters: number;
}

const layer = (
  name: string,
  from: string,
  filters: number,
  resize: OutlineLayer['resize'] = null,
  shortcut: string | null = null,
): OutlineLayer => ({ name, from, resize, shortcut, filters });

export const OUTLINE_LAYERS: readonly OutlineLayer[] = [
  layer('fine1', 'frame', 12),
  layer('half1', 'fine1', 20, 'halve'),
  layer('half2', 'half1', 20),
  layer('quarter1', 'half2', 28, 'halve'),
  layer('quarter2', 'quarter1', 28),
  layer('eighth1', 'quarter2', 28, 'halve'),
  layer('eighth2', 'eighth1', 28),
  layer('quarter3', 'eighth2', 20, 'double', 'quarter2'),
  layer('half3', 'quarter3', 12, 'double', 'half2'),
  layer('fine2', 'half3', 12, 'double', 'fine1'),
  layer('logits', 'fine2', 1),
];

/**
 * Channels that come into a layer.
 *
 * @throws RangeError where the layer before it does not exist
 */
export function numInputs({ from }: OutlineLayer): number {
  if (from === 'frame') return FRAME_CHANNELS;
  const before = OUTLINE_LAYERS.find(({ name }) => name === from);
  if (!before) throw new RangeError(`The outline's network has no layer ${from}.`);
  return before.filters;
}

export interface OutlineWeights {
  /** `[3 · 3 · inputs · filters]`, rows first. */
  readonly kernel: Float32Array;
  /** `[filters]` */
  readonly bias: Float32Array;
}

/** Weights of all layers as text, in base64: a byte for each of a kernel, with a scale for each filter. */
export function encodeWeights(all: readonly OutlineWeights[]): string {
  const bytes: number[] = [];
  for (const { kernel, bias } of all) {
    const numFilters = bias.length;
    const scales = new Float32Array(numFilters);
    kernel.forEach((weight, i) => {
      scales[i % numFilters] = Math.max(scales[i % numFilters]!, Math.abs(weight) / 127);
    });
    bytes.push(...new Uint8Array(scales.buffer), ...new Uint8Array(bias.slice().buffer));
    kernel.forEach((weight, i) => {
      bytes.push(Math.round(weight / (scales[i % numFilters]! || 1)) & 255);
    });
  }
  return btoa(bytes.map((byte) => String.fromCharCode(byte)).join(''));
}

/** @throws RangeError where the text is no base64, or not as long as the network needs it */
export function decodeWeights(base64: string): OutlineWeights[] {
  const length = OUTLINE_LAYERS.reduce(
    (sum, layer) => sum + layer.filters * (8 + 9 * numInputs(layer)),
    0,
  );
  if (base64.length !== Math.ceil(length / 3) * 4 || !/^[\w+/]*=*$/.test(base64)) {
    throw new RangeError('The weights of the outline are not whole.');
  }
  const { buffer } = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  let at = 0;
  const take = (length: number) => {
    at += length;
    return buffer.slice(at - length, at);
  };
  return OUTLINE_LAYERS.map((layer) => {
    const { filters } = layer;
    const scales = new Float32Array(take(4 * filters));
    const bias = new Float32Array(take(4 * filters));
    const steps = new Int8Array(take(9 * numInputs(layer) * filters));
    return { bias, kernel: Float32Array.from(steps, (step, i) => step * scales[i % filters]!) };
  });
}

interface Values {
  readonly side: number;
  readonly channels: number;
  /** `[side · side · channels]` */
  readonly data: Float32Array;
}

/**
 * @param frame `[56 · 56 · 2]`
 * @returns log-odds that the garment covers each place, `[56 · 56]`
 */
export function runOutlineNetwork(
  frame: Float32Array,
  weights: readonly OutlineWeights[],
): Float32Array {
  const known = new Map<string, Values>([
    ['frame', { side: FRAME_SIDE, channels: FRAME_CHANNELS, data: frame }],
  ]);
  const valuesOf = (name: string) => {
    const values = known.get(name);
    if (!values) throw new RangeError(`The outline's layer ${name} comes too late.`);
    return values;
  };
  OUTLINE_LAYERS.forEach((layer, i) => {
    const from = valuesOf(layer.from);
    const sized =
      layer.resize === 'halve' ? halve(from) : layer.resize === 'double' ? double(from) : from;
    const input = layer.shortcut === null ? sized : add(sized, valuesOf(layer.shortcut));
    known.set(layer.name, convolve(input, weights[i]!, layer.name !== 'logits'));
  });
  return valuesOf('logits').data;
}

/** 3 × 3, nothing beyond the edges. */
function convolve({ side, channels, data }: Values, weights: OutlineWeights, isRelu: boolean) {
  const { kernel, bias } = weights;
  const numFilters = bias.length;
  const result = new Float32Array(side * side * numFilters);
  const sums = new Float32Array(numFilters);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      sums.set(bias);
      for (let v = Math.max(0, y - 1); v <= Math.min(side - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u++) {
          const source = (v * side + u) * channels;
          const tap = ((v - y + 1) * 3 + u - x + 1) * channels;
          for (let c = 0; c < channels; c++) {
            const value = data[source + c]!;
            // After a ReLU about half of them.
            if (value === 0) continue;
            const row = (tap + c) * numFilters;
            for (let f = 0; f < numFilters; f++) sums[f]! += value * kernel[row + f]!;
          }
        }
      }
      const target = (y * side + x) * numFilters;
      for (let f = 0; f < numFilters; f++) {
        result[target + f] = isRelu ? Math.max(0, sums[f]!) : sums[f]!;
      }
    }
  }
  return { side, channels: numFilters, data: result };
}

/** The largest of each four. */
function halve({ side, channels, data }: Values): Values {
  const half = side / 2;
  const result = new Float32Array(half * half * channels).fill(Number.NEGATIVE_INFINITY);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const target = ((y >> 1) * half + (x >> 1)) * channels;
      const source = (y * side + x) * channels;
      for (let c = 0; c < channels; c++) {
        result[target + c] = Math.max(result[target + c]!, data[source + c]!);
      }
    }
  }
  return { side: half, channels, data: result };
}

/** Each value four times. */
function double({ side, channels, data }: Values): Values {
  const twice = side * 2;
  const result = new Float32Array(twice * twice * channels);
  for (let y = 0; y < twice; y++) {
    for (let x = 0; x < twice; x++) {
      const source = ((y >> 1) * side + (x >> 1)) * channels;
      result.set(data.subarray(source, source + channels), (y * twice + x) * channels);
    }
  }
  return { side: twice, channels, data: result };
}

function add(first: Values, { data }: Values): Values {
  return { ...first, data: first.data.map((value, i) => value + data[i]!) };
}
