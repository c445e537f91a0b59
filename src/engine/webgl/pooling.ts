/**
 * Shaders of pooling, by windows and over whole images, each with its gradient.
 */
import {
  type ActivationName,
  activated,
  activationText,
  behindText,
  type Sink,
  withSink,
  writeGradients,
} from './activations.ts';
import type { ProgramSpec } from './device.ts';
import { fetch, type Layout, place, SUBLAYERS, write } from './volume.ts';

// ---- by windows of 2×2, which nearly all networks have ------------------------------------------

/** Max pooling of 2×2 pixels, stride 2; what is left over at the edges counts for nothing. */
export function maxPoolPairs(
  input: Layout,
  output: Layout,
  activation: ActivationName | null,
): ProgramSpec {
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
${activationText(activation)}void main() {${place(output)}
${write(
  output,
  SUBLAYERS.map((layer) => {
    const [block, left] = [layer >> 1, (layer & 1) * 2];
    const pair = (row: number) => `max(${at(row, block, left)}, ${at(row, block, left + 1)})`;
    const largest = `max(${pair(0)}, ${pair(1)})`;
    return activated(output, activation, largest);
  }),
)}
}`,
  };
}

/** The gradient goes to the first of the largest pixels, row by row. */
export function maxPoolPairsGradient(input: Layout, output: Layout, sink: Sink): ProgramSpec {
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
  return {
    name: 'max pooling, gradient',
    samplers: withSink({ pixels: 'layered', gradients: 'layered' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}void route(vec4 a, vec4 b, vec4 c, vec4 d, bool isLower, vec4 gradient, out vec4 left, out vec4 right) {
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
${writeGradients(
  input,
  SUBLAYERS.map((layer) => `r${layer}`),
  sink,
)}
}`,
  };
}

// ---- by windows ---------------------------------------------------------------------------------

export interface PoolShape {
  readonly input: Layout;
  readonly output: Layout;
  readonly size: number;
  readonly stride: number;
  /** Rows and columns before the image, which do not count. */
  readonly padTop: number;
  readonly padLeft: number;
}

/** Whether windows neither overlap nor reach beyond the image. */
export function isInPairs({ input, output, size, stride }: PoolShape): boolean {
  const isInside = (places: number, length: number) => places * 2 <= length;
  return (
    size === 2 &&
    stride === 2 &&
    isInside(output.height, input.height) &&
    isInside(output.width, input.width)
  );
}

/** GLSL: a loop over the pixels of the window of output `y`, `x`; `p` is one, its place is `tap`. */
function eachInWindow({ input, size, stride, padTop, padLeft }: PoolShape, statement: string) {
  const pixel = fetch('pixels', input, ['n', 'fromY', '(fromX >> 2)', 'group', '(fromX & 3)']);
  return `
  for (int tap = 0; tap < ${size ** 2}; tap++) {
    int fromY = y * ${stride} + tap / ${size} - ${padTop};
    int fromX = x * ${stride} + tap % ${size} - ${padLeft};
    if (fromY < 0 || fromY >= ${input.height} || fromX < 0 || fromX >= ${input.width}) continue;
    vec4 p = ${pixel};
    ${statement}
  }`;
}

const eachPixelOf = (name: string) =>
  SUBLAYERS.map((layer) => `${name}(n, y, block * 4 + ${layer}, group)`);

/** The largest or the mean of each window; what is beyond the image does not count. */
export function pool(
  kind: 'max' | 'average',
  shape: PoolShape,
  activation: ActivationName | null,
): ProgramSpec {
  const { output } = shape;
  const isMax = kind === 'max';
  return {
    name: `${kind} pooling`,
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
${activationText(activation)}vec4 pooled(int n, int y, int x, int group) {
  vec4 result = vec4(${isMax ? '-3.4e38' : '0.0'});
  float count = 0.0;${eachInWindow(shape, isMax ? 'result = max(result, p);' : 'result += p; count += 1.0;')}
  return ${isMax ? 'result' : 'result / max(count, 1.0)'};
}
void main() {${place(output)}
${write(
  output,
  eachPixelOf('pooled').map((value) => activated(output, activation, value)),
)}
}`,
  };
}

/** Of each window, which of its pixels is the first of the largest, row by row. */
export function largestInWindow(shape: PoolShape): ProgramSpec {
  const { output } = shape;
  return {
    name: 'max pooling, places',
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
vec4 placeOf(int n, int y, int x, int group) {
  vec4 largest = vec4(-3.4e38), found = vec4(-1.0);${eachInWindow(
    shape,
    `found = mix(found, vec4(float(tap)), greaterThan(p, largest));
    largest = max(largest, p);`,
  )}
  return found;
}
void main() {${place(output)}
${write(output, eachPixelOf('placeOf'))}
}`,
  };
}

/** Gradient of `pool` by the input. The second sampler of max pooling is `largestInWindow`. */
export function poolGradient(kind: 'max' | 'average', shape: PoolShape, sink: Sink): ProgramSpec {
  const { input, output, size, stride, padTop, padLeft } = shape;
  const at = ['n', 'outY', '(outX >> 2)', 'group', '(outX & 3)'] as const;
  const isMax = kind === 'max';
  const gradient = fetch('gradients', output, at);
  const term = isMax
    ? `mix(vec4(0.0), ${gradient}, equal(${fetch('places', output, at)}, vec4(float(tap))))`
    : gradient;
  // At the edges, too, although the mean is over fewer pixels there: so does TensorFlow.js.
  const share = (1 / size ** 2).toExponential();
  const strays = (name: string) => (stride === 1 ? '' : `(${name} & 1) != 0 || `);
  return {
    name: `${kind} pooling, gradient`,
    samplers: withSink({ gradients: 'layered', ...(isMax ? { places: 'layered' } : {}) }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}vec4 gradientAt(int n, int y, int x, int group) {
  vec4 sum = vec4(0.0);
  for (int tap = 0; tap < ${size ** 2}; tap++) {
    int outY = y + ${padTop} - tap / ${size};
    int outX = x + ${padLeft} - tap % ${size};
    if (${strays('outY')}${strays('outX')}outY < 0 || outX < 0) continue;
    ${stride === 1 ? '' : 'outY >>= 1; outX >>= 1;'}
    if (outY >= ${output.height} || outX >= ${output.width}) continue;
    sum += ${term};
  }
  return ${isMax ? 'sum' : `sum * ${share}`};
}
void main() {${place(input)}
${writeGradients(input, eachPixelOf('gradientAt'), sink)}
}`,
  };
}

// ---- over whole images --------------------------------------------------------------------------

/** GLSL: a loop over the pixels of image `from`, channels `group`; `p` is the pixel, `index` its place. */
function eachOfImage(layout: Layout, sampler: string, statement: string): string {
  const { height, width } = layout;
  const at = ['from', 'row', '(x >> 2)', 'group', '(x & 3)'] as const;
  return `
  for (int row = 0; row < ${height}; row++) {
    for (int x = 0; x < ${width}; x++) {
      vec4 p = ${fetch(sampler, layout, at)};
      int index = row * ${width} + x;
      ${statement}
    }
  }`;
}

const eachRowOf = (name: string) => SUBLAYERS.map((layer) => `${name}(n * 4 + ${layer}, group)`);

/** GLSL: what a matrix `[n, c]` has for image `n`. */
export function rowOfImage(sampler: string, matrix: Layout, n: string, group: string): string {
  return fetch(sampler, matrix, [`(${n} >> 2)`, '0', '0', group, `(${n} & 3)`]);
}

/**
 * Of each image and channel the mean, the largest pixel or the place of the first of the largest:
 * `[n, h, w, c]` → the matrix `[n, c]`.
 */
export function poolImages(
  kind: 'average' | 'max' | 'place',
  input: Layout,
  output: Layout,
): ProgramSpec {
  const share = (1 / (input.height * input.width)).toExponential();
  const texts = {
    average: ['0.0', 'result += p;', `result * ${share}`],
    max: ['-3.4e38', 'result = max(result, p);', 'result'],
    place: [
      '-3.4e38',
      `found = mix(found, vec4(float(index)), greaterThan(p, result));
      result = max(result, p);`,
      'found',
    ],
  } as const;
  const [start, statement, result] = texts[kind];
  return {
    name: `${kind} of images`,
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
vec4 pooled(int from, int group) {
  vec4 result = vec4(${start}), found = vec4(0.0);${eachOfImage(input, 'pixels', statement)}
  return ${result};
}
void main() {${place(output)}
${write(output, eachRowOf('pooled'))}
}`,
  };
}

/** Sum over each image of the products of two: `[n, h, w, c]` twice → the matrix `[n, c]`. */
export function sumProducts(input: Layout, output: Layout, sink: Sink): ProgramSpec {
  const other = fetch('factors', input, ['from', 'row', '(x >> 2)', 'group', '(x & 3)']);
  return {
    name: 'sum of products of images',
    samplers: withSink({ pixels: 'layered', factors: 'layered' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}vec4 summed(int from, int group) {
  vec4 result = vec4(0.0);${eachOfImage(input, 'pixels', `result += p * ${other};`)}
  return result;
}
void main() {${place(output)}
${writeGradients(output, eachRowOf('summed'), sink)}
}`,
  };
}

/** Gradient of `poolImages` by the input. The second sampler of the maximum is the places. */
export function poolImagesGradient(
  kind: 'average' | 'max',
  input: Layout,
  output: Layout,
  sink: Sink,
): ProgramSpec {
  const isMax = kind === 'max';
  const share = (1 / (input.height * input.width)).toExponential();
  const index = (layer: number) => `float(y * ${input.width} + block * 4 + ${layer})`;
  return {
    name: `${kind} of images, gradient`,
    samplers: withSink({ gradients: 'layered', ...(isMax ? { places: 'layered' } : {}) }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}void main() {${place(input)}
  vec4 gradient = ${rowOfImage('gradients', output, 'n', 'group')};
  ${isMax ? `vec4 found = ${rowOfImage('places', output, 'n', 'group')};` : `gradient *= ${share};`}
${writeGradients(
  input,
  SUBLAYERS.map((layer) =>
    isMax ? `mix(vec4(0.0), gradient, equal(found, vec4(${index(layer)})))` : 'gradient',
  ),
  sink,
)}
}`,
  };
}
