/**
 * Owns the shaders that choose, move and average numbers: patches of the pictures, pooling, flattening
 * and dropout, each with its gradient.
 *
 * A gradient by a ReLU's output stands behind the ReLU already: where `relu`, the shader's last sampler
 * is that output.
 */
import type { ProgramSpec, SamplerKind } from './device.ts';
import { placeOfText } from './pictures.ts';
import { behindRelu, fetch, LAYERS, type Layout, place, write } from './volume.ts';

type Samplers = Readonly<Record<string, SamplerKind>>;

const withInputs = (samplers: Samplers, relu: boolean): Samplers =>
  relu ? { ...samplers, inputs: 'layered' } : samplers;

/** Writes four gradients by `input`, masked by the ReLU before it where there is one. */
function writeGradients(input: Layout, values: readonly string[], relu: boolean): string {
  const own = (layer: number) =>
    fetch('inputs', input, ['n', 'y', 'block', 'group', String(layer)]);
  return write(
    input,
    values.map((value, layer) => (relu ? behindRelu(value, own(layer)) : value)),
  );
}

// ---- pictures -----------------------------------------------------------------------------------

export interface PatchShape {
  /** Of the pictures: `side` × `side` bytes, as pictures.ts lays them out. */
  readonly side: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
  /** A channel of ones after the patch, which a bias is multiplied by. */
  readonly hasOnes: boolean;
}

/**
 * The patch around each pixel as its channels: a convolution of pictures with one channel becomes a
 * product. A texel of `batch` says which picture of `bytes` to take, how far to move it to the right and
 * down, and its label, doubled and with 1 added where it is to be mirrored first.
 */
export function patches(
  { side, kernelHeight, kernelWidth, padTop, padLeft, hasOnes }: PatchShape,
  output: Layout,
): ProgramSpec {
  const numTaps = kernelHeight * kernelWidth;
  return {
    name: 'patches',
    samplers: { bytes: 'bytes', batch: 'integers' },
    numOutputs: 4,
    body: `${placeOfText(side)}
float pixel(ivec3 corner, ivec4 picture, int y, int x, int tap) {
  if (tap >= ${numTaps}) return ${hasOnes ? `tap == ${numTaps} ? 1.0 : 0.0` : '0.0'};
  int fromY = y + tap / ${kernelWidth} - ${padTop};
  int fromX = x + tap % ${kernelWidth} - ${padLeft};
  if (fromY < 0 || fromY >= ${side} || fromX < 0 || fromX >= ${side}) return 0.0;
  fromY -= picture.z;
  fromX -= picture.y;
  if (fromY < 0 || fromY >= ${side} || fromX < 0 || fromX >= ${side}) return 0.0;
  if ((picture.w & 1) == 1) fromX = ${side - 1} - fromX;
  return texelFetch(bytes, corner + ivec3(fromX, fromY, 0), 0).r;
}
vec4 patchAt(ivec3 corner, ivec4 picture, int y, int x, int tap) {
  return vec4(
    pixel(corner, picture, y, x, tap), pixel(corner, picture, y, x, tap + 1),
    pixel(corner, picture, y, x, tap + 2), pixel(corner, picture, y, x, tap + 3));
}
void main() {${place(output)}
  ivec4 picture = texelFetch(batch, ivec2(n, 0), 0);
  ivec3 corner = placeOf(picture.x);
${write(
  output,
  LAYERS.map((layer) => `patchAt(corner, picture, y, block * 4 + ${layer}, group * 4)`),
)}
}`,
  };
}

// ---- pooling ------------------------------------------------------------------------------------

/** Largest of each 2×2 pixels; what is left over at the edges counts for nothing. Then ReLU. */
export function maxPool(input: Layout, output: Layout, relu: boolean): ProgramSpec {
  const at = (row: number, block: number, layer: number) =>
    fetch('pixels', input, [
      'n',
      `(y * 2 + ${row})`,
      `(block * 2 + ${block})`,
      'group',
      `${layer}`,
    ]);
  return {
    name: 'max pooling',
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
void main() {${place(output)}
${write(
  output,
  LAYERS.map((layer) => {
    const [block, left] = [layer >> 1, (layer & 1) * 2];
    const pair = (row: number) => `max(${at(row, block, left)}, ${at(row, block, left + 1)})`;
    const largest = `max(${pair(0)}, ${pair(1)})`;
    return relu ? `max(${largest}, vec4(0.0))` : largest;
  }),
)}
}`,
  };
}

/** The gradient goes to the first of the largest pixels, row by row. */
export function maxPoolGradient(input: Layout, output: Layout, relu: boolean): ProgramSpec {
  const own = (row: number, layer: number) =>
    fetch('pixels', input, ['n', `(top + ${row})`, 'block', 'group', String(layer)]);
  // Two windows in four pixels of a row.
  const window = (index: number) => {
    const place = `block * 2 + ${index}`;
    const gradient = fetch('gradients', output, [
      'n',
      '(y >> 1)',
      '(block >> 1)',
      'group',
      `((${place}) & 3)`,
    ]);
    return `
  vec4 g${index} = isInside && ${place} < ${output.width} ? ${gradient} : vec4(0.0);
  route(${[own(0, index * 2), own(0, index * 2 + 1), own(1, index * 2), own(1, index * 2 + 1)].join(', ')},
    (y & 1) == 1, g${index}, r${index * 2}, r${index * 2 + 1});`;
  };
  const values = LAYERS.map((layer) =>
    relu
      ? behindRelu(`r${layer}`, fetch('pixels', input, ['n', 'y', 'block', 'group', String(layer)]))
      : `r${layer}`,
  );
  return {
    name: 'max pooling, gradient',
    samplers: { pixels: 'layered', gradients: 'layered' },
    numOutputs: 4,
    body: `
void route(vec4 a, vec4 b, vec4 c, vec4 d, bool isLower, vec4 gradient, out vec4 left, out vec4 right) {
  vec4 largest = max(max(a, b), max(c, d));
  vec4 isA = vec4(equal(a, largest));
  vec4 isB = vec4(equal(b, largest)) * (1.0 - isA);
  vec4 isAbove = isA + isB;
  vec4 isC = vec4(equal(c, largest)) * (1.0 - isAbove);
  vec4 isD = 1.0 - isAbove - isC;
  left = gradient * (isLower ? isC : isA);
  right = gradient * (isLower ? isD : isB);
}
void main() {${place(input)}
  int top = (y >> 1) * 2;
  bool isInside = (y >> 1) < ${output.height};
  vec4 r0, r1, r2, r3;
  ${window(0)}
  ${window(1)}
${write(input, values)}
}`,
  };
}

/** Mean over each picture, `[n, h, w, c]` → the matrix `[n, c]`. */
export function averagePictures(input: Layout, output: Layout): ProgramSpec {
  const { height, width, blocks } = input;
  const pixel = (layer: number) =>
    fetch('pixels', input, ['from', 'row', 'across', 'group', String(layer)]);
  return {
    name: 'average of pictures',
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
vec4 average(int from, int group) {
  vec4 sum = vec4(0.0);
  for (int row = 0; row < ${height}; row++) {
    for (int across = 0; across < ${blocks}; across++) {
      sum += ${LAYERS.map(pixel).join(' + ')};
    }
  }
  return sum * ${(1 / (height * width)).toExponential()};
}
void main() {${place(output)}
${write(
  output,
  LAYERS.map((layer) => `average(n * 4 + ${layer}, group)`),
)}
}`,
  };
}

export function averagePicturesGradient(input: Layout, output: Layout, relu: boolean): ProgramSpec {
  const share = (1 / (input.height * input.width)).toExponential();
  const gradient = fetch('gradients', output, ['(n >> 2)', '0', '0', 'group', '(n & 3)']);
  return {
    name: 'average of pictures, gradient',
    samplers: withInputs({ gradients: 'layered' }, relu),
    numOutputs: 4,
    body: `
void main() {${place(input)}
  vec4 gradient = ${gradient} * ${share};
${writeGradients(
  input,
  LAYERS.map(() => 'gradient'),
  relu,
)}
}`,
  };
}

/** `[n, h, w, c]` → the matrix `[n, h · w · c]`. Channels must be a multiple of 4. */
export function flatten(input: Layout, output: Layout): ProgramSpec {
  const at = (layer: number) =>
    fetch('pixels', input, [
      `(n * 4 + ${layer})`,
      'row',
      '(across >> 2)',
      'channel',
      '(across & 3)',
    ]);
  return {
    name: 'flatten',
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
void main() {${place(output)}
  int channel = group % ${input.groups};
  int pixel = group / ${input.groups};
  int across = pixel % ${input.width};
  int row = pixel / ${input.width};
${write(output, LAYERS.map(at))}
}`,
  };
}

export function flattenGradient(input: Layout, output: Layout, relu: boolean): ProgramSpec {
  const at = (layer: number) => {
    const from = `((y * ${input.width} + block * 4 + ${layer}) * ${input.groups} + group)`;
    return fetch('gradients', output, ['(n >> 2)', '0', '0', from, '(n & 3)']);
  };
  return {
    name: 'flatten, gradient',
    samplers: withInputs({ gradients: 'layered' }, relu),
    numOutputs: 4,
    body: `
void main() {${place(input)}
${writeGradients(input, LAYERS.map(at), relu)}
}`,
  };
}

// ---- dropout ------------------------------------------------------------------------------------

/**
 * Numbers that a hash of their place and `seed` chooses, at probability `rate`, become 0; the others
 * grow to make up for it. The same seed drops the same: the gradient is dropped as the numbers were.
 *
 * The hash is PCG's output function: Jarzynski and Olano, "Hash Functions for GPU Rendering", 2020.
 */
export function dropout(layout: Layout, relu: boolean): ProgramSpec {
  const at = (layer: number) => {
    const value = fetch('numbers', layout, ['n', 'y', 'block', 'group', String(layer)]);
    return `${value} * keep(((uint(n * ${layout.height} + y) * ${layout.blocks * 4}u + uint(block * 4 + ${layer})) * ${layout.groups}u + uint(group)) * 4u)`;
  };
  return {
    name: 'dropout',
    samplers: withInputs({ numbers: 'layered' }, relu),
    uniforms: { seed: 'uint', rate: 'float' },
    numOutputs: 4,
    body: `
float chance(uint index) {
  uint state = (index ^ seed) * 747796405u + 2891336453u;
  uint word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return float(((word >> 22u) ^ word) >> 8u) * ${(2 ** -24).toExponential()};
}
vec4 keep(uint index) {
  vec4 chances = vec4(chance(index), chance(index + 1u), chance(index + 2u), chance(index + 3u));
  return vec4(greaterThanEqual(chances, vec4(rate))) / (1.0 - rate);
}
void main() {${place(layout)}
${writeGradients(layout, LAYERS.map(at), relu)}
}`,
  };
}

/** Tells the layers of dropout in a network apart: each has a seed of its own in a step. */
export function dropoutSeed(stepSeed: number, layer: number): number {
  return (stepSeed ^ Math.imul(layer + 1, 0x9e3779b1)) >>> 0;
}

/**
 * What `dropout` multiplies a matrix `[rows, columns]` by, row by row: computed here.
 *
 * @param seed Of the step; the layer is the network's first dropout.
 */
export function dropoutMask(
  rows: number,
  columns: number,
  seed: number,
  rate: number,
): Float32Array {
  const columnsFilled = Math.ceil(columns / 4) * 4;
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    const place = Math.floor(index / columns) * columnsFilled + (index % columns);
    const state = (Math.imul(place ^ dropoutSeed(seed, 0), 747796405) + 2891336453) >>> 0;
    const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
    const chance = (((word >>> 22) ^ word) >>> 8) * 2 ** -24;
    return chance >= rate ? 1 / (1 - rate) : 0;
  });
}
