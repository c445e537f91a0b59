/**
 * Shaders that place numbers: images of a batch, their patches, flattening and concatenation, each
 * with its gradient.
 */
import { behindText, type Sink, withSink, writeGradients } from './activations.ts';
import type { ProgramSpec, SamplerKind } from './device.ts';
import { placeOfText } from './imageBytes.ts';
import { fetch, type Layout, place, SUBLAYERS, write } from './volume.ts';

// ---- images -------------------------------------------------------------------------------------

/** Texels that `images` reads of each image of a batch, one below the other. */
export const NUM_RECORDS = 3;

/** `share` as the whole number that `images` takes for it, exactly for 0 and 1. */
export const SHARE_UNITS = 2 ** 24;

/**
 * The images of a batch, changed and mixed, 0–1. A column of `batch` is an image's: which image of
 * `bytes` to take, how far to move it to the right and down, and whether to mirror it first; left, top,
 * right and bottom of the area to paint over; with what, its partner's column, and the share of itself.
 *
 * @param side Of the images: `side` × `side` bytes, as imageBytes.ts lays them out.
 */
export function images(side: number, output: Layout): ProgramSpec {
  return {
    name: 'images',
    samplers: { bytes: 'bytes', batch: 'integers' },
    numOutputs: 4,
    body: `${placeOfText(side)}
float pixelOf(ivec4 change, ivec4 area, int fill, ivec3 corner, int y, int x) {
  if (x >= area.x && x < area.z && y >= area.y && y < area.w) return float(fill) * ${(1 / 255).toExponential()};
  int fromY = y - change.z;
  int fromX = x - change.y;
  if (fromY < 0 || fromY >= ${side} || fromX < 0 || fromX >= ${side}) return 0.0;
  if (change.w == 1) fromX = ${side - 1} - fromX;
  return texelFetch(bytes, corner + ivec3(fromX, fromY, 0), 0).r;
}
vec4 pixelsOf(int index, int y, int x) {
  ivec4 change = texelFetch(batch, ivec2(index, 0), 0);
  ivec4 area = texelFetch(batch, ivec2(index, 1), 0);
  int fill = texelFetch(batch, ivec2(index, 2), 0).x;
  ivec3 corner = placeOf(change.x);
  return vec4(
    ${SUBLAYERS.map((layer) => `pixelOf(change, area, fill, corner, y, x + ${layer})`).join(',\n    ')});
}
void main() {${place(output)}
  vec4 row = pixelsOf(n, y, block * 4);
  ivec4 mixing = texelFetch(batch, ivec2(n, 2), 0);
  if (mixing.z != ${SHARE_UNITS}) {
    row = mix(pixelsOf(mixing.y, y, block * 4), row, float(mixing.z) * ${(1 / SHARE_UNITS).toExponential()});
  }
${write(
  output,
  SUBLAYERS.map((layer) => `vec4(row[${layer}], 0.0, 0.0, 0.0)`),
)}
}`,
  };
}

export interface PatchShape {
  /** Of one channel. */
  readonly input: Layout;
  readonly output: Layout;
  readonly size: number;
  readonly stride: number;
  readonly padTop: number;
  readonly padLeft: number;
  /** A channel of ones after the patch, which a bias is multiplied by. */
  readonly hasOnes: boolean;
}

/**
 * The patch around each pixel as its channels: a convolution of images with one channel becomes a
 * product, where channels in fours would make three quarters of the work for nothing.
 */
export function patches(shape: PatchShape): ProgramSpec {
  const { input, output, size, stride, padTop, padLeft, hasOnes } = shape;
  const numTaps = size ** 2;
  const pixel = fetch('pixels', input, ['n', 'fromY', '(fromX >> 2)', '0', '(fromX & 3)']);
  return {
    name: 'patches',
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
float pixel(int n, int y, int x, int tap) {
  if (tap >= ${numTaps}) return ${hasOnes ? `tap == ${numTaps} ? 1.0 : 0.0` : '0.0'};
  int fromY = y + tap / ${size} - ${padTop};
  int fromX = x + tap % ${size} - ${padLeft};
  if (fromY < 0 || fromY >= ${input.height} || fromX < 0 || fromX >= ${input.width}) return 0.0;
  return ${pixel}.x;
}
vec4 patchAt(int n, int y, int x, int tap) {
  return vec4(pixel(n, y, x, tap), pixel(n, y, x, tap + 1), pixel(n, y, x, tap + 2), pixel(n, y, x, tap + 3));
}
void main() {${place(output)}
${write(
  output,
  SUBLAYERS.map(
    (layer) => `patchAt(n, y * ${stride}, (block * 4 + ${layer}) * ${stride}, group * 4)`,
  ),
)}
}`,
  };
}

// ---- flattening ---------------------------------------------------------------------------------

/** `[n, h, w, c]` → the matrix `[n, h · w · c]`. */
export function flatten(input: Layout, output: Layout): ProgramSpec {
  const { width, channels } = input;
  const isAligned = channels % 4 === 0;
  const at = ['n', 'pixel / WIDTH', '((pixel % WIDTH) >> 2)', 'channel', '((pixel % WIDTH) & 3)'];
  const read = fetch(
    'pixels',
    input,
    at.map((text) => text.replaceAll('WIDTH', String(width))) as [
      string,
      string,
      string,
      string,
      string,
    ],
  );
  const one = `float one(int n, int index) {
  if (index >= ${output.channels}) return 0.0;
  int pixel = index / ${channels};
  int channel = (index % ${channels}) >> 2;
  return ${read}[(index % ${channels}) & 3];
}
vec4 row(int n, int group) {
  int index = group * 4;
  return vec4(one(n, index), one(n, index + 1), one(n, index + 2), one(n, index + 3));
}`;
  const four = `vec4 row(int n, int group) {
  int channel = group % ${input.groups};
  int pixel = group / ${input.groups};
  return ${read};
}`;
  return {
    name: 'flatten',
    samplers: { pixels: 'layered' },
    numOutputs: 4,
    body: `
${isAligned ? four : one}
void main() {${place(output)}
${write(
  output,
  SUBLAYERS.map((layer) => `row(n * 4 + ${layer}, group)`),
)}
}`,
  };
}

export function flattenGradient(input: Layout, output: Layout, sink: Sink): ProgramSpec {
  const { width, channels, groups } = input;
  const isAligned = channels % 4 === 0;
  const read = (group: string) =>
    fetch('gradients', output, ['(n >> 2)', '0', '0', group, '(n & 3)']);
  const one = `float one(int n, int pixel, int channel) {
  if (channel >= ${channels}) return 0.0;
  int index = pixel * ${channels} + channel;
  return ${read('(index >> 2)')}[index & 3];
}
vec4 gradientAt(int n, int pixel, int group) {
  int channel = group * 4;
  return vec4(
    one(n, pixel, channel), one(n, pixel, channel + 1),
    one(n, pixel, channel + 2), one(n, pixel, channel + 3));
}`;
  const four = `vec4 gradientAt(int n, int pixel, int group) {
  return ${read(`(pixel * ${groups} + group)`)};
}`;
  return {
    name: 'flatten, gradient',
    samplers: withSink({ gradients: 'layered' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}${isAligned ? four : one}
void main() {${place(input)}
${writeGradients(
  input,
  SUBLAYERS.map((layer) => `gradientAt(n, y * ${width} + block * 4 + ${layer}, group)`),
  sink,
)}
}`,
  };
}

// ---- concatenation ------------------------------------------------------------------------------

/** One after the other along the channels. */
export function concatenate(inputs: readonly Layout[], output: Layout): ProgramSpec {
  const samplers = inputs.map((_, index): [string, SamplerKind] => [`part${index}`, 'layered']);
  let start = 0;
  const parts = inputs.map((layout, index) => {
    const first = start;
    start += layout.channels;
    return { layout, sampler: `part${index}`, first, end: start };
  });
  const isAligned = inputs.every(({ channels }) => channels % 4 === 0);
  const groupOf = (first: number) => (first === 0 ? 'group' : `(group - ${first / 4})`);
  const four = `vec4 channelsAt(int n, int y, int block, int group, int layer) {
${parts
  .map(
    ({ layout, sampler, first, end }) =>
      `  if (group < ${end / 4}) return ${fetch(sampler, layout, ['n', 'y', 'block', groupOf(first), 'layer'])};`,
  )
  .join('\n')}
  return vec4(0.0);
}`;
  const one = `float one(int n, int y, int block, int channel, int layer) {
${parts
  .map(
    ({ layout, sampler, first, end }) =>
      `  if (channel < ${end}) return ${fetch(sampler, layout, ['n', 'y', 'block', `((channel - ${first}) >> 2)`, 'layer'])}[(channel - ${first}) & 3];`,
  )
  .join('\n')}
  return 0.0;
}
vec4 channelsAt(int n, int y, int block, int group, int layer) {
  int channel = group * 4;
  return vec4(
    one(n, y, block, channel, layer), one(n, y, block, channel + 1, layer),
    one(n, y, block, channel + 2, layer), one(n, y, block, channel + 3, layer));
}`;
  return {
    name: 'concatenation',
    samplers: Object.fromEntries(samplers),
    numOutputs: 4,
    body: `
${isAligned ? four : one}
void main() {${place(output)}
${write(
  output,
  SUBLAYERS.map((layer) => `channelsAt(n, y, block, group, ${layer})`),
)}
}`,
  };
}

/** Gradient of `concatenate` by the input whose channels start at `first`. */
export function concatenateGradient(
  input: Layout,
  output: Layout,
  first: number,
  sink: Sink,
): ProgramSpec {
  const isAligned = first % 4 === 0 && input.channels % 4 === 0;
  const four = `vec4 channelsAt(int n, int y, int block, int group, int layer) {
  return ${fetch('gradients', output, ['n', 'y', 'block', `(group + ${first >> 2})`, 'layer'])};
}`;
  const one = `float one(int n, int y, int block, int channel, int layer) {
  if (channel >= ${input.channels}) return 0.0;
  channel += ${first};
  return ${fetch('gradients', output, ['n', 'y', 'block', '(channel >> 2)', 'layer'])}[channel & 3];
}
vec4 channelsAt(int n, int y, int block, int group, int layer) {
  int channel = group * 4;
  return vec4(
    one(n, y, block, channel, layer), one(n, y, block, channel + 1, layer),
    one(n, y, block, channel + 2, layer), one(n, y, block, channel + 3, layer));
}`;
  return {
    name: 'concatenation, gradient',
    samplers: withSink({ gradients: 'layered' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}${isAligned ? four : one}
void main() {${place(input)}
${writeGradients(
  input,
  SUBLAYERS.map((layer) => `channelsAt(n, y, block, group, ${layer})`),
  sink,
)}
}`,
  };
}
