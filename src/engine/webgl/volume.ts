/**
 * How images with channels lie in textures, in numbers and in shader text. A texel has four channels of one pixel, and four
 * neighbouring pixels of a row share a place in the four layers of a texture: a shader with four
 * outputs then makes 4 pixels × 4 channels at once, from few reads. Reads are what shaders spend
 * their time on.
 *
 * Pixels beyond the width and channels beyond the count are 0, in values and in gradients: shaders
 * rely on it and keep it so.
 */
import type { Device, Target, Texture } from './device.ts';

export interface Layout {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Groups of four channels, the last one filled up. */
  readonly groups: number;
  /** Groups of four pixels of a row, the last one filled up. */
  readonly blocks: number;
  /** Pixels of a row of the last image that count: a matrix's rows may be no multiple of 4. */
  readonly lastWidth: number;
  /** Images side by side in the texture, 2^foldBits, so that it is not too high. */
  readonly foldBits: number;
  readonly textureWidth: number;
  readonly textureHeight: number;
}

/** Four-dimensional `[batch, height, width, channels]` numbers on the device. */
export interface Volume {
  readonly layout: Layout;
  readonly texture: Texture;
  readonly target: Target;
}

export function layOut(
  [batch, height, width, channels]: readonly [number, number, number, number],
  maxSide: number,
): Layout {
  const groups = Math.ceil(channels / 4);
  const blocks = Math.ceil(width / 4);
  let foldBits = 0;
  while (Math.ceil(batch / 2 ** foldBits) * height > maxSide) foldBits++;
  return {
    batch,
    height,
    width,
    channels,
    groups,
    blocks,
    lastWidth: width,
    foldBits,
    textureWidth: groups * blocks * 2 ** foldBits,
    textureHeight: Math.ceil(batch / 2 ** foldBits) * height,
  };
}

/** A matrix `[rows, columns]` as images of one row: four rows of the matrix are the pixels of one. */
export function layOutMatrix(rows: number, columns: number, maxSide: number): Layout {
  const layout = layOut([Math.ceil(rows / 4), 1, 4, columns], maxSide);
  return { ...layout, lastWidth: rows - (layout.batch - 1) * 4 };
}

/** Rows of a matrix. */
export function rowsOf({ batch, lastWidth }: Layout): number {
  return (batch - 1) * 4 + lastWidth;
}

export function makeVolume(device: Device, layout: Layout): Volume {
  const texture = device.makeTexture('layered', layout.textureWidth, layout.textureHeight);
  return { layout, texture, target: device.makeTarget([texture]) };
}

export function freeVolume(device: Device, { texture, target }: Volume): void {
  device.freeTarget(target);
  device.freeTexture(texture);
}

// ---- shader text --------------------------------------------------------------------------------

/** GLSL: column of image `n`'s group `group` and block `block`. */
export function columnOf(
  { groups, blocks, foldBits }: Layout,
  n: string,
  group: string,
  block: string,
) {
  const start = foldBits === 0 ? group : `((${n} & ${2 ** foldBits - 1}) * ${groups} + ${group})`;
  return blocks === 1 ? `(${start} + ${block})` : `(${start} * ${blocks} + ${block})`;
}

/** GLSL: row of image `n`'s row `y`. */
export function rowOf({ height, foldBits }: Layout, n: string, y: string): string {
  const image = foldBits === 0 ? n : `(${n} >> ${foldBits})`;
  return height === 1 ? `(${image} + ${y})` : `(${image} * ${height} + ${y})`;
}

/** GLSL: four channels of a pixel. `block` and `layer` are its x / 4 and x % 4. */
export function fetch(
  sampler: string,
  layout: Layout,
  [n, y, block, group, layer]: readonly [string, string, string, string, string],
): string {
  return `texelFetch(${sampler}, ivec3(${columnOf(layout, n, group, block)}, ${rowOf(layout, n, y)}, ${layer}), 0)`;
}

/** GLSL statements: `n`, `y`, `block` and `group` of the fragment. */
export function place({ height, groups, blocks, foldBits }: Layout): string {
  return `
  ivec2 at = ivec2(gl_FragCoord.xy);
  int block = at.x % ${blocks};
  int group = (at.x / ${blocks}) % ${groups};
  int n = (at.y / ${height}) * ${2 ** foldBits} + at.x / ${blocks * groups};
  int y = at.y % ${height};`;
}

/** GLSL statements: sets `out0` to `out3` to the values, pixels that do not count to 0. */
export function write(
  { batch, width, blocks, lastWidth }: Layout,
  values: readonly string[],
): string {
  return values
    .map((value, layer) => {
      const limits = [
        ...((blocks - 1) * 4 + layer < width ? [] : [`block < ${blocks - 1}`]),
        ...(lastWidth < width && layer >= lastWidth ? [`n < ${batch - 1}`] : []),
      ];
      const text = limits.length === 0 ? value : `${limits.join(' && ')} ? ${value} : vec4(0.0)`;
      return `  out${layer} = ${text};`;
    })
    .join('\n');
}

/** GLSL expression: the value with channels that do not count set to 0. `group` is in scope. */
export function withinChannels({ channels }: Layout, value: string): string {
  if (channels % 4 === 0) return value;
  return `mix(vec4(0.0), ${value}, lessThan(ivec4(group * 4) + ivec4(0, 1, 2, 3), ivec4(${channels})))`;
}

/** Of the pixels at one place of a texture. */
export const SUBLAYERS = [0, 1, 2, 3] as const;
