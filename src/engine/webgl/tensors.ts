/**
 * Numbers on their way between TensorFlow.js's tensors and textures as ours lie (volume.ts,
 * parameters.ts), all on the device.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Device, ProgramSpec } from './device.ts';
import { placeInRegion, type Region } from './parameters.ts';
import { type Layout, place, SUBLAYERS, write } from './volume.ts';

/** A tensor's texture with a number a texel. */
export interface Flat {
  readonly handle: WebGLTexture;
  readonly width: number;
  /** Of the tensor's first number. */
  readonly offset: number;
  readonly dispose: () => void;
}

export function flat(device: Device, tensor: tf.TensorInfo): Flat {
  const { backend } = device;
  backend.uploadToGPU(tensor.dataId);
  const { isPacked, slice } = backend.texData.get(tensor.dataId);
  const plain = isPacked ? backend.unpackTensor(tensor) : tensor;
  const { handle, width } = device.textureOf(plain);
  return {
    handle,
    width,
    offset: isPacked ? 0 : (slice?.flatOffset ?? 0),
    dispose: () => {
      if (isPacked) backend.disposeIntermediateTensorInfo(plain);
    },
  };
}

/** GLSL: number `index` of a flat tensor. */
export function numberAt(sampler: string, { width, offset }: Flat): string {
  return `float numberAt(int index) {
  index += ${offset};
  return texelFetch(${sampler}, ivec2(index % ${width}, index / ${width}), 0).r;
}`;
}

export function bringIn(layout: Layout, from: Flat): ProgramSpec {
  const { height, width, channels } = layout;
  return {
    name: 'tensor to volume',
    samplers: { numbers: 'flat' },
    numOutputs: 4,
    body: `${numberAt('numbers', from)}
vec4 pixelAt(int n, int y, int x, int channel) {
  int index = ((n * ${height} + y) * ${width} + x) * ${channels} + channel;
  return vec4(
    numberAt(index),
    ${[1, 2, 3].map((more) => `channel + ${more} < ${channels} ? numberAt(index + ${more}) : 0.0`).join(',\n    ')});
}
void main() {${place(layout)}
${write(
  layout,
  SUBLAYERS.map((layer) => `pixelAt(n, y, block * 4 + ${layer}, group * 4)`),
)}
}`,
  };
}

export function bringOut(layout: Layout, textureWidth: number): ProgramSpec {
  const { height, width, channels, groups, blocks, foldBits } = layout;
  return {
    name: 'volume to tensor',
    samplers: { pixels: 'layered' },
    numOutputs: 1,
    body: `
void main() {
  int index = int(gl_FragCoord.y) * ${textureWidth} + int(gl_FragCoord.x);
  int channel = index % ${channels};
  index /= ${channels};
  int x = index % ${width};
  index /= ${width};
  int y = index % ${height};
  int n = index / ${height};
  int column = ((n & ${2 ** foldBits - 1}) * ${groups} + (channel >> 2)) * ${blocks} + (x >> 2);
  vec4 pixel = texelFetch(pixels, ivec3(column, (n >> ${foldBits}) * ${height} + y, x & 3), 0);
  out0 = vec4(pixel[channel & 3], 0.0, 0.0, 0.0);
}`,
  };
}

/** A tensor of as many numbers as the region has rows and columns. */
export function bringInRegion(region: Region, from: Flat): ProgramSpec {
  const { rows, columns } = region;
  const read = (more: number) =>
    `row < ${rows} && group * 4 + ${more} < ${columns} ? numberAt(row * ${columns} + group * 4 + ${more}) : 0.0`;
  return {
    name: 'tensor to weights',
    samplers: { numbers: 'flat' },
    numOutputs: 1,
    body: `${numberAt('numbers', from)}
void main() {${placeInRegion(region)}
  out0 = vec4(
    ${[0, 1, 2, 3].map(read).join(',\n    ')});
}`,
  };
}
