/**
 * Shaders of convolution: forward, gradient by the input and gradient by the filter, for all channels
 * and depthwise. A dense layer is a convolution by 1×1 of a matrix laid out as images (volume.ts).
 *
 * Filters are matrices in a region of the weights (parameters.ts), with the bias as their last row:
 * `[kernelHeight · kernelWidth · channels filled up to fours, filters]`, depthwise
 * `[kernelHeight · kernelWidth, channels]`.
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
import { fetchTexel, placeInRegion, type Region } from './parameters.ts';
import { columnOf, type Layout, place, rowOf, SUBLAYERS, write } from './volume.ts';

export interface ConvShape {
  readonly input: Layout;
  readonly output: Layout;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** 1 or 2. */
  readonly stride: number;
  /** Rows and columns of zeros before the image. */
  readonly padTop: number;
  readonly padLeft: number;
}

/** A product with a matrix, of every pixel of `input`. */
export function pointwise(input: Layout, output: Layout): ConvShape {
  return { input, output, kernelHeight: 1, kernelWidth: 1, stride: 1, padTop: 0, padLeft: 0 };
}

const COMPONENTS = ['x', 'y', 'z', 'w'] as const;

/** GLSL: the value where all conditions hold, else 0. Without a branch, which costs more than a read. */
function onlyIf(conditions: readonly string[], value: string): string {
  if (conditions.length === 0) return value;
  return `mix(vec4(0.0), ${value}, bvec4(${conditions.join(' && ')}))`;
}

/**
 * GLSL statements: declares `p0`, `p1`, …: the input's pixels that four neighbouring outputs look at,
 * 0 outside; `column` and `line` say where the row's first block is.
 */
function fetchInputs({ input, output, kernelWidth, stride, padLeft }: ConvShape): string {
  return Array.from({ length: 3 * stride + kernelWidth }, (_, index) => {
    const offset = index - padLeft;
    const shift = Math.floor(offset / 4);
    const layer = offset - shift * 4;
    const block = `${stride === 1 ? '' : `${stride} * `}block + ${shift}`;
    const read = `texelFetch(pixels, ivec3(column + ${block}, line, ${layer}), 0)`;
    const limits = [
      ...(shift < 0 ? [`${block} >= 0`] : []),
      ...(stride * (output.blocks - 1) + shift >= input.blocks
        ? [`${block} < ${input.blocks}`]
        : []),
    ];
    return `vec4 p${index} = ${onlyIf(limits, read)};`;
  }).join('\n      ');
}

/**
 * Which of the output's gradients reach the pixel at `layer` of a block through the column `kx` of the
 * filter: the pixel `4 / stride · block + offset` of the output's row; null: none does.
 */
function offsetOf({ stride, padLeft }: ConvShape, layer: number, kx: number): number | null {
  const offset = (layer + padLeft - kx) / stride;
  return Number.isInteger(offset) ? offset : null;
}

/** GLSL: the name of the gradient at an offset; those before the block have an underscore. */
const gradientName = (offset: number) => `g${offset < 0 ? '_' : ''}${Math.abs(offset)}`;

/** GLSL statements: declares the gradients that four neighbouring pixels of the input want. */
function fetchGradients(shape: ConvShape): string {
  const { input, output, kernelWidth, stride } = shape;
  const offsets = new Set<number>();
  for (const layer of SUBLAYERS) {
    for (let kx = 0; kx < kernelWidth; kx++) {
      const offset = offsetOf(shape, layer, kx);
      if (offset !== null) offsets.add(offset);
    }
  }
  const end = output.blocks * 4;
  return [...offsets]
    .map((offset) => {
      const shift = Math.floor(offset / 4);
      const pixel = `${4 / stride} * block + ${offset}`;
      const [block, layer] =
        stride === 1
          ? [`block + ${shift}`, String(offset - shift * 4)]
          : [`((${pixel}) >> 2)`, `(${pixel}) & 3`];
      const read = `texelFetch(gradients, ivec3(column + ${block}, line, ${layer}), 0)`;
      const limits = [
        ...(offset < 0 ? [`${pixel} >= 0`] : []),
        ...((4 / stride) * (input.blocks - 1) + offset >= end ? [`${pixel} < ${end}`] : []),
      ];
      return `vec4 ${gradientName(offset)} = ${onlyIf(limits, read)};`;
    })
    .join('\n      ');
}

/** GLSL: a loop over the rows of the filter, with the output's row `from` that a row reaches `y` by. */
function eachGradientRow({ output, kernelHeight, stride, padTop }: ConvShape, body: string) {
  return `
  for (int ky = 0; ky < ${kernelHeight}; ky++) {
    int above = y + ${padTop} - ky;
    int from = ${stride === 1 ? 'above' : `above >> 1`};
    if (${stride === 1 ? '' : '(above & 1) != 0 || '}from < 0 || from >= ${output.height}) continue;
    int line = ${rowOf(output, 'n', 'from')};
    ${body}
  }`;
}

/** GLSL: a loop over the rows of the filter, with the input's row `line` that each meets. */
function eachInputRow({ input, kernelHeight, stride, padTop }: ConvShape, body: string): string {
  return `
  for (int ky = 0; ky < ${kernelHeight}; ky++) {
    int from = y * ${stride} + ky - ${padTop};
    if (from < 0 || from >= ${input.height}) continue;
    int line = ${rowOf(input, 'n', 'from')};
    ${body}
  }`;
}

const numTapsOf = ({ kernelHeight, kernelWidth }: ConvShape) => kernelHeight * kernelWidth;

interface Outcome {
  readonly hasBias: boolean;
  readonly activation: ActivationName | null;
}

/** activation(conv(input, filter) + bias). */
export function convForward(
  shape: ConvShape,
  filter: Region,
  { hasBias, activation }: Outcome,
): ProgramSpec {
  const { input, output, kernelWidth, stride } = shape;
  const { groups } = filter;
  const channels = input.groups * 4;
  const products = Array.from({ length: kernelWidth }, (_, kx) =>
    COMPONENTS.map(
      (component, index) => `
      w = ${fetchTexel('weights', `tap + ${(kx * channels + index) * groups}`)};
      ${SUBLAYERS.map((layer) => `r${layer} += p${kx + layer * stride}.${component} * w;`).join(' ')}`,
    ).join(''),
  ).join('');
  const biasRow = filter.start + numTapsOf(shape) * channels * groups;
  return {
    name: 'convolution',
    samplers: { pixels: 'layered', weights: 'flat' },
    numOutputs: 4,
    body: `
${activationText(activation)}void main() {${place(output)}
  vec4 r0 = ${hasBias ? fetchTexel('weights', `${biasRow} + group`) : 'vec4(0.0)'};
  vec4 r1 = r0, r2 = r0, r3 = r0, w;${eachInputRow(
    shape,
    `int tap = ${filter.start} + ky * ${kernelWidth * channels * groups} + group;
    for (int c = 0; c < ${input.groups}; c++) {
      int column = ${columnOf(input, 'n', 'c', '0')};
      ${fetchInputs(shape)}
      ${products}
      tap += ${4 * groups};
    }`,
  )}
${write(
  output,
  SUBLAYERS.map((layer) => activated(output, activation, `r${layer}`)),
)}
}`,
  };
}

/** Gradient by the input. */
export function convInputGradient(shape: ConvShape, filter: Region, sink: Sink): ProgramSpec {
  const { input, output, kernelWidth } = shape;
  const { groups } = filter;
  const channels = input.groups * 4;
  const products = Array.from({ length: kernelWidth }, (_, kx) =>
    COMPONENTS.map((component, index) => {
      const sums = SUBLAYERS.map((layer) => {
        const offset = offsetOf(shape, layer, kx);
        return offset === null ? '' : `r${layer}.${component} += dot(${gradientName(offset)}, w);`;
      });
      return `
      w = ${fetchTexel('weights', `tap + ${(kx * channels + index) * groups}`)};
      ${sums.join(' ')}`;
    }).join(''),
  ).join('');
  return {
    name: 'convolution, gradient by input',
    samplers: withSink({ gradients: 'layered', weights: 'flat' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}void main() {${place(input)}
  vec4 r0 = vec4(0.0), r1 = r0, r2 = r0, r3 = r0, w;${eachGradientRow(
    shape,
    `int tap = ${filter.start} + ky * ${kernelWidth * channels * groups} + group * ${4 * groups};
    for (int c = 0; c < ${output.groups}; c++) {
      int column = ${columnOf(output, 'n', 'c', '0')};
      ${fetchGradients(shape)}
      ${products}
      tap++;
    }`,
  )}
${writeGradients(
  input,
  SUBLAYERS.map((layer) => `r${layer}`),
  sink,
)}
}`,
  };
}

/** As `convForward`, each channel by a filter of its own. */
export function depthwiseForward(
  shape: ConvShape,
  filter: Region,
  { hasBias, activation }: Outcome,
): ProgramSpec {
  const { input, output, kernelWidth, stride } = shape;
  const { groups } = filter;
  const products = Array.from(
    { length: kernelWidth },
    (_, kx) => `
      w = ${fetchTexel('weights', `tap + ${kx * groups}`)};
      ${SUBLAYERS.map((layer) => `r${layer} += p${kx + layer * stride} * w;`).join(' ')}`,
  ).join('');
  const biasRow = filter.start + numTapsOf(shape) * groups;
  return {
    name: 'depthwise convolution',
    samplers: { pixels: 'layered', weights: 'flat' },
    numOutputs: 4,
    body: `
${activationText(activation)}void main() {${place(output)}
  vec4 r0 = ${hasBias ? fetchTexel('weights', `${biasRow} + group`) : 'vec4(0.0)'};
  vec4 r1 = r0, r2 = r0, r3 = r0, w;
  int column = ${columnOf(input, 'n', 'group', '0')};${eachInputRow(
    shape,
    `int tap = ${filter.start} + ky * ${kernelWidth * groups} + group;
      ${fetchInputs(shape)}
      ${products}`,
  )}
${write(
  output,
  SUBLAYERS.map((layer) => activated(output, activation, `r${layer}`)),
)}
}`,
  };
}

/** Gradient of `depthwiseForward` by the input. */
export function depthwiseInputGradient(shape: ConvShape, filter: Region, sink: Sink): ProgramSpec {
  const { input, output, kernelWidth } = shape;
  const { groups } = filter;
  const products = Array.from({ length: kernelWidth }, (_, kx) => {
    const sums = SUBLAYERS.map((layer) => {
      const offset = offsetOf(shape, layer, kx);
      return offset === null ? '' : `r${layer} += ${gradientName(offset)} * w;`;
    });
    return `
      w = ${fetchTexel('weights', `tap + ${kx * groups}`)};
      ${sums.join(' ')}`;
  }).join('');
  return {
    name: 'depthwise convolution, gradient by input',
    samplers: withSink({ gradients: 'layered', weights: 'flat' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}void main() {${place(input)}
  vec4 r0 = vec4(0.0), r1 = r0, r2 = r0, r3 = r0, w;
  int column = ${columnOf(output, 'n', 'group', '0')};${eachGradientRow(
    shape,
    `int tap = ${filter.start} + ky * ${kernelWidth * groups} + group;
      ${fetchGradients(shape)}
      ${products}`,
  )}
${writeGradients(
  input,
  SUBLAYERS.map((layer) => `r${layer}`),
  sink,
)}
}`,
  };
}

/** Fragments that keep a GPU busy; the sum over the batch is split to have about as many. */
const ENOUGH_FRAGMENTS = 32_768;
const PARTIAL_WIDTH = 1024;

/** Blocks of a filter in rows of a texture, each row once for each part of the batch. */
function split(numBlocks: number, batch: number) {
  const numParts = Math.min(batch, Math.max(1, Math.round(ENOUGH_FRAGMENTS / numBlocks)));
  const width = Math.min(PARTIAL_WIDTH, numBlocks);
  const height = Math.ceil(numBlocks / width) * numParts;
  return { numParts, partSize: Math.ceil(batch / numParts), width, height };
}

/** How the filter gradient is made: `numParts` partial sums over images, then their sum. */
export interface FilterGradient {
  readonly partial: ProgramSpec;
  /** Texture of the partial sums, layered. */
  readonly width: number;
  readonly height: number;
  /** Writes a region as the filter's. */
  readonly total: ProgramSpec;
}

/** Gradient by the filter and by the bias. */
export function convFilterGradient(
  shape: ConvShape,
  filter: Region,
  { hasBias }: { readonly hasBias: boolean },
): FilterGradient {
  const { input, output, kernelWidth, stride, padTop, padLeft } = shape;
  const { groups } = filter;
  const numTaps = numTapsOf(shape);
  // Four rows of the filter by four of its columns each; the bias has four rows of which one counts.
  const numFilterBlocks = numTaps * input.groups * groups;
  const numBlocks = numFilterBlocks + (hasBias ? groups : 0);
  const { numParts, partSize, width, height } = split(numBlocks, output.batch);
  const isPointwise = numTaps === 1 && stride === 1;
  // A tap that can be left or right of the image reads pixels that do not count.
  const canMissX = padLeft > 0 || (output.width - 1) * stride + kernelWidth - padLeft > input.width;
  const products = SUBLAYERS.map((layer) => {
    const from = isPointwise ? null : `(x + ${layer}) * ${stride} + kx`;
    const [block, sublayer] = from ? ['(from >> 2)', 'from & 3'] : ['(x >> 2)', String(layer)];
    const read = `texelFetch(pixels, ivec3(column + ${block}, line, ${sublayer}), 0)`;
    const limits = canMissX ? ['from >= 0', `from < ${input.width}`] : [];
    return `
        ${from ? `from = ${from};` : ''}
        p = ${onlyIf(limits, read)};
        g = texelFetch(gradients, ivec3(gradientColumn + (x >> 2), gradientLine, ${layer}), 0);
        r0 += p.x * g; r1 += p.y * g; r2 += p.z * g; r3 += p.w * g;${hasBias ? ' sum += g;' : ''}`;
  });
  const partial: ProgramSpec = {
    name: 'convolution, gradient by filter',
    samplers: { pixels: 'layered', gradients: 'layered' },
    numOutputs: 4,
    body: `
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int index = (at.y / ${numParts}) * ${width} + at.x;
  int part = at.y % ${numParts};
  int group = index % ${groups};
  int rest = index / ${groups};
  bool isBias = index >= ${numFilterBlocks};
  int c = isBias ? 0 : rest % ${input.groups};
  int tap = rest / ${input.groups};
  int kx = tap % ${kernelWidth} - ${padLeft};
  int ky = tap / ${kernelWidth} - ${padTop};
  // The rows of the output whose tap is inside the input. The bias counts all.
  int firstY = isBias ? 0 : max(0, (${stride - 1} - ky) / ${stride});
  int endY = isBias
    ? ${output.height}
    : min(${output.height}, (${input.height - 1} - ky + ${stride}) / ${stride});
  vec4 r0 = vec4(0.0), r1 = r0, r2 = r0, r3 = r0, sum = r0, p, g;
  int from;
  int end = min((part + 1) * ${partSize}, ${output.batch});
  for (int n = part * ${partSize}; n < end; n++) {
    int column = ${columnOf(input, 'n', 'c', '0')};
    int gradientColumn = ${columnOf(output, 'n', 'group', '0')};
    for (int y = firstY; y < endY; y++) {
      int line = ${rowOf(input, 'n', `(y * ${stride} + ky)`)};
      int gradientLine = ${rowOf(output, 'n', 'y')};
      // Gradients of pixels beyond the width are 0.
      for (int x = 0; x < ${output.width}; x += 4) {${products.join('')}
      }
    }
  }
  out0 = ${hasBias ? 'isBias ? sum : r0' : 'r0'}; out1 = r1; out2 = r2; out3 = r3;
}`,
  };
  const total: ProgramSpec = {
    name: 'convolution, sum of filter gradients',
    samplers: { parts: 'layered' },
    numOutputs: 1,
    body: `
void main() {${placeInRegion(filter)}
  vec4 sum = vec4(0.0);
  if (row < ${filter.rows}) {
    int index = (row >> 2) * ${groups} + group;
    int column = index % ${width};
    int line = (index / ${width}) * ${numParts};
    for (int part = 0; part < ${numParts}; part++) {
      sum += texelFetch(parts, ivec3(column, line + part, row & 3), 0);
    }
  }
  out0 = sum;
}`,
  };
  return { partial, width, height, total };
}

/** Gradient of `depthwiseForward` by the filter and by the bias. */
export function depthwiseFilterGradient(
  { input, output, ...shape }: ConvShape,
  filter: Region,
): FilterGradient {
  const { kernelHeight, kernelWidth, stride, padTop, padLeft } = shape;
  const { groups } = filter;
  const numTaps = kernelHeight * kernelWidth;
  // A row of the filter by four of its channels; the bias is the row after the last one.
  const { numParts, partSize, width, height } = split(filter.rows * groups, output.batch);
  const partial: ProgramSpec = {
    name: 'depthwise convolution, gradient by filter',
    samplers: { pixels: 'layered', gradients: 'layered' },
    numOutputs: 4,
    body: `
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int index = (at.y / ${numParts}) * ${width} + at.x;
  int part = at.y % ${numParts};
  int group = index % ${groups};
  int tap = index / ${groups};
  bool isBias = tap >= ${numTaps};
  int kx = tap % ${kernelWidth} - ${padLeft};
  int ky = tap / ${kernelWidth} - ${padTop};
  vec4 sum = vec4(0.0), g;
  int end = min((part + 1) * ${partSize}, ${output.batch});
  for (int n = part * ${partSize}; n < end; n++) {
    int column = ${columnOf(input, 'n', 'group', '0')};
    int gradientColumn = ${columnOf(output, 'n', 'group', '0')};
    for (int y = 0; y < ${output.height}; y++) {
      int fromY = y * ${stride} + ky;
      if (!isBias && (fromY < 0 || fromY >= ${input.height})) continue;
      int line = ${rowOf(input, 'n', 'fromY')};
      int gradientLine = ${rowOf(output, 'n', 'y')};
      for (int x = 0; x < ${output.width}; x++) {
        int from = x * ${stride} + kx;
        g = texelFetch(gradients, ivec3(gradientColumn + (x >> 2), gradientLine, x & 3), 0);
        if (isBias) sum += g;
        else if (from >= 0 && from < ${input.width}) {
          sum += g * texelFetch(pixels, ivec3(column + (from >> 2), line, from & 3), 0);
        }
      }
    }
  }
  out0 = sum; out1 = vec4(0.0); out2 = vec4(0.0); out3 = vec4(0.0);
}`,
  };
  const total: ProgramSpec = {
    name: 'depthwise convolution, sum of filter gradients',
    samplers: { parts: 'layered' },
    numOutputs: 1,
    body: `
void main() {${placeInRegion(filter)}
  vec4 sum = vec4(0.0);
  if (row < ${filter.rows}) {
    int index = row * ${groups} + group;
    int column = index % ${width};
    int line = (index / ${width}) * ${numParts};
    for (int part = 0; part < ${numParts}; part++) {
      sum += texelFetch(parts, ivec3(column, line + part, 0), 0);
    }
  }
  out0 = sum;
}`,
  };
  return { partial, width, height, total };
}
