/**
 * Owns the shaders of convolution: forward, gradient by the input and gradient by the filter. A
 * dense layer is a convolution by 1×1 of a matrix laid out as pictures (volume.ts).
 *
 * Filters are matrices `[kernelHeight · kernelWidth · channels (+ 1 for the bias), filters]` in a
 * region of the weights (parameters.ts).
 */
import type { ProgramSpec } from './device.ts';
import { fetchTexel, placeInRegion, type Region } from './parameters.ts';
import { behindRelu, columnOf, fetch, LAYERS, type Layout, place, rowOf, write } from './volume.ts';

export interface ConvShape {
  readonly input: Layout;
  readonly output: Layout;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** Rows and columns of zeros before the picture. */
  readonly padTop: number;
  readonly padLeft: number;
}

/** A product with a matrix, of every pixel of `input`. */
export function pointwise(input: Layout, output: Layout): ConvShape {
  return { input, output, kernelHeight: 1, kernelWidth: 1, padTop: 0, padLeft: 0 };
}

const COMPONENTS = ['x', 'y', 'z', 'w'] as const;

/**
 * GLSL statements: declares `p0`, `p1`, …: the pixels of a row from four times `block` minus `pad`
 * on, 0 outside; `column` and `line` say where the row's first block is.
 *
 * @param numPlaces Values that `block` takes.
 */
function fetchPixels(
  sampler: string,
  numPixels: number,
  pad: number,
  { blocks }: Layout,
  numPlaces: number,
): string {
  return Array.from({ length: numPixels }, (_, index) => {
    const offset = index - pad;
    const shift = Math.floor(offset / 4);
    const layer = offset - shift * 4;
    const read = `texelFetch(${sampler}, ivec3(column + block + ${shift}, line, ${layer}), 0)`;
    const limits = [
      ...(shift < 0 ? [`block >= ${-shift}`] : []),
      ...(shift + numPlaces > blocks ? [`block < ${blocks - shift}`] : []),
    ];
    return `vec4 p${index} = ${onlyIf(limits, read)};`;
  }).join('\n      ');
}

/** GLSL: the value where all conditions hold, else 0. Without a branch, which costs more than a read. */
function onlyIf(conditions: readonly string[], value: string): string {
  if (conditions.length === 0) return value;
  return `mix(vec4(0.0), ${value}, bvec4(${conditions.join(' && ')}))`;
}

/** relu?(conv(input, filter) + bias?), stride 1. The bias is the row after the filter's. */
export function convForward(
  { input, output, kernelHeight, kernelWidth, padTop, padLeft }: ConvShape,
  filter: Region,
  { bias, relu }: { readonly bias: boolean; readonly relu: boolean },
): ProgramSpec {
  const { groups } = filter;
  const channels = input.groups * 4;
  const products = Array.from({ length: kernelWidth }, (_, kx) =>
    COMPONENTS.map(
      (component, index) => `
      w = ${fetchTexel('weights', `tap + ${(kx * channels + index) * groups}`)};
      ${LAYERS.map((layer) => `r${layer} += p${kx + layer}.${component} * w;`).join(' ')}`,
    ).join(''),
  ).join('');
  const biasText = bias
    ? fetchTexel(
        'weights',
        `${filter.start + kernelHeight * kernelWidth * channels * groups} + group`,
      )
    : 'vec4(0.0)';
  return {
    name: 'convolution',
    samplers: { pixels: 'layered', weights: 'flat' },
    numOutputs: 4,
    body: `
void main() {${place(output)}
  vec4 r0 = ${biasText}, r1 = r0, r2 = r0, r3 = r0, w;
  for (int ky = 0; ky < ${kernelHeight}; ky++) {
    int from = y + ky - ${padTop};
    if (from < 0 || from >= ${input.height}) continue;
    int line = ${rowOf(input, 'n', 'from')};
    int tap = ${filter.start} + ky * ${kernelWidth * channels * groups} + group;
    for (int c = 0; c < ${input.groups}; c++) {
      int column = ${columnOf(input, 'n', 'c', '0')};
      ${fetchPixels('pixels', kernelWidth + 3, padLeft, input, output.blocks)}
      ${products}
      tap += ${4 * groups};
    }
  }
${write(
  output,
  LAYERS.map((layer) => (relu ? `max(r${layer}, vec4(0.0))` : `r${layer}`)),
)}
}`,
  };
}

/**
 * Gradient by the input, stride 1; behind the ReLU whose output the input is where `relu`.
 * The second sampler is the input then.
 */
export function convInputGradient(
  { input, output, kernelHeight, kernelWidth, padTop, padLeft }: ConvShape,
  filter: Region,
  relu: boolean,
): ProgramSpec {
  const { groups } = filter;
  const channels = input.groups * 4;
  // The filter turned around, over the padded gradient.
  const products = Array.from({ length: kernelWidth }, (_, kx) =>
    COMPONENTS.map(
      (component, index) => `
      w = ${fetchTexel('weights', `tap + ${((kernelWidth - 1 - kx) * channels + index) * groups}`)};
      ${LAYERS.map((layer) => `r${layer}.${component} += dot(p${kx + layer}, w);`).join(' ')}`,
    ).join(''),
  ).join('');
  const own = (layer: number) =>
    fetch('inputs', input, ['n', 'y', 'block', 'group', String(layer)]);
  return {
    name: 'convolution, gradient by input',
    samplers: { gradients: 'layered', weights: 'flat', ...(relu ? { inputs: 'layered' } : {}) },
    numOutputs: 4,
    body: `
void main() {${place(input)}
  vec4 r0 = vec4(0.0), r1 = r0, r2 = r0, r3 = r0, w;
  for (int ky = 0; ky < ${kernelHeight}; ky++) {
    int from = y + ky - ${kernelHeight - 1 - padTop};
    if (from < 0 || from >= ${output.height}) continue;
    int line = ${rowOf(output, 'n', 'from')};
    int tap = ${filter.start} +
      (${kernelHeight - 1} - ky) * ${kernelWidth * channels * groups} + group * ${4 * groups};
    for (int c = 0; c < ${output.groups}; c++) {
      int column = ${columnOf(output, 'n', 'c', '0')};
      ${fetchPixels('gradients', kernelWidth + 3, kernelWidth - 1 - padLeft, output, input.blocks)}
      ${products}
      tap++;
    }
  }
${write(
  input,
  LAYERS.map((layer) => (relu ? behindRelu(`r${layer}`, own(layer)) : `r${layer}`)),
)}
}`,
  };
}

/** Fragments that keep a GPU busy; the sum over the batch is split to have about as many. */
const ENOUGH_FRAGMENTS = 32_768;
const PARTIAL_WIDTH = 1024;

/** How the filter gradient is made: `numParts` partial sums over pictures, then their sum. */
export interface FilterGradient {
  readonly partial: ProgramSpec;
  /** Layered texture of the partial sums. */
  readonly width: number;
  readonly height: number;
  /** Writes a region as the filter's. */
  readonly total: ProgramSpec;
}

/** Gradient by the filter and, where `bias`, by the bias. */
export function convFilterGradient(
  { input, output, kernelHeight, kernelWidth, padTop, padLeft }: ConvShape,
  filter: Region,
  { bias, stride }: { readonly bias: boolean; readonly stride: number },
): FilterGradient {
  const { groups } = filter;
  const numTaps = kernelHeight * kernelWidth;
  // Four rows of the filter by four of its columns each; the bias has four rows of which one counts.
  const numFilterBlocks = numTaps * input.groups * groups;
  const numBlocks = numFilterBlocks + (bias ? groups : 0);
  const numParts = Math.min(output.batch, Math.max(1, Math.round(ENOUGH_FRAGMENTS / numBlocks)));
  const partSize = Math.ceil(output.batch / numParts);
  const width = Math.min(PARTIAL_WIDTH, numBlocks);
  const isPointwise = numTaps === 1 && stride === 1;
  // A tap that can be left or right of the picture reads pixels that do not count.
  const canMissX = padLeft > 0 || (output.width - 1) * stride + kernelWidth - padLeft > input.width;
  const products = LAYERS.map((layer) => {
    const from = isPointwise ? null : `(x + ${layer}) * ${stride} + kx`;
    const [block, sublayer] = from ? ['(from >> 2)', 'from & 3'] : ['(x >> 2)', String(layer)];
    const read = `texelFetch(pixels, ivec3(column + ${block}, line, ${sublayer}), 0)`;
    const limits = canMissX ? ['from >= 0', `from < ${input.width}`] : [];
    return `
        ${from ? `from = ${from};` : ''}
        p = ${onlyIf(limits, read)};
        g = texelFetch(gradients, ivec3(gradientColumn + (x >> 2), gradientLine, ${layer}), 0);
        r0 += p.x * g; r1 += p.y * g; r2 += p.z * g; r3 += p.w * g;${bias ? ' sum += g;' : ''}`;
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
  out0 = ${bias ? 'isBias ? sum : r0' : 'r0'}; out1 = r1; out2 = r2; out3 = r3;
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
  return { partial, width, height: Math.ceil(numBlocks / width) * numParts, total };
}
