/**
 * Shaders that work on each number by itself: activations, sums, products and dropout, each with its
 * gradient.
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
import type { ProgramSpec, SamplerKind } from './device.ts';
import { rowOfImage } from './pooling.ts';
import { fetch, type Layout, place, SUBLAYERS, write } from './volume.ts';

const own = (sampler: string, layout: Layout, layer: number) =>
  fetch(sampler, layout, ['n', 'y', 'block', 'group', String(layer)]);

/** The sum of one or more, through an activation. */
export function sum(layout: Layout, count: number, activation: ActivationName | null): ProgramSpec {
  const names = Array.from({ length: count }, (_, index) => `term${index}`);
  return {
    name: count === 1 ? 'activation' : 'sum',
    samplers: Object.fromEntries(names.map((name): [string, SamplerKind] => [name, 'layered'])),
    numOutputs: 4,
    body: `
${activationText(activation)}void main() {${place(layout)}
${write(
  layout,
  SUBLAYERS.map((layer) =>
    activated(layout, activation, names.map((name) => own(name, layout, layer)).join(' + ')),
  ),
)}
}`,
  };
}

/** Hands a gradient on into a sink. */
export function passGradient(layout: Layout, sink: Sink): ProgramSpec {
  return {
    name: 'gradient',
    samplers: withSink({ gradients: 'layered' }, sink),
    numOutputs: 4,
    body: `
${behindText(sink.activation)}void main() {${place(layout)}
${writeGradients(
  layout,
  SUBLAYERS.map((layer) => own('gradients', layout, layer)),
  sink,
)}
}`,
  };
}

export interface ProductShape {
  readonly layout: Layout;
  readonly factors: Layout;
  readonly isPerChannel: boolean;
}

/**
 * Products with factors of the same layout, or with a matrix `[n, c]` of one factor for each channel
 * of an image. With a gradient in place of the values: the gradient by them.
 */
export function multiply(
  { layout, factors, isPerChannel }: ProductShape,
  { sink, activation }: { readonly sink: Sink; readonly activation: ActivationName | null },
): ProgramSpec {
  const value = (layer: number) =>
    `${own('values', layout, layer)} * ${isPerChannel ? 'factor' : own('factors', layout, layer)}`;
  return {
    name: 'product',
    samplers: withSink({ values: 'layered', factors: 'layered' }, sink),
    numOutputs: 4,
    body: `
${activationText(activation)}${behindText(sink.activation)}void main() {${place(layout)}
  ${isPerChannel ? `vec4 factor = ${rowOfImage('factors', factors, 'n', 'group')};` : ''}
${writeGradients(
  layout,
  SUBLAYERS.map((layer) => activated(layout, activation, value(layer))),
  sink,
)}
}`,
  };
}

// ---- dropout ------------------------------------------------------------------------------------

/**
 * Numbers that a hash of their place and `seed` chooses, at probability `rate`, become 0; the others
 * grow to make up for it. Spatial: all or none of a channel of an image. The same seed drops the same:
 * the gradient is dropped as the numbers were.
 *
 * The hash is PCG's output function: Jarzynski and Olano, "Hash Functions for GPU Rendering", 2020.
 */
export function dropout(
  layout: Layout,
  { isSpatial, sink }: { readonly isSpatial: boolean; readonly sink: Sink },
): ProgramSpec {
  const at = (layer: number) => {
    if (isSpatial) return `${own('numbers', layout, layer)} * kept`;
    return `${own('numbers', layout, layer)} * keep(((uint(n * ${layout.height} + y) * ${layout.blocks * 4}u + uint(block * 4 + ${layer})) * ${layout.groups}u + uint(group)) * 4u)`;
  };
  return {
    name: 'dropout',
    samplers: withSink({ numbers: 'layered' }, sink),
    uniforms: { seed: 'uint', rate: 'float' },
    numOutputs: 4,
    body: `
${behindText(sink.activation)}float chance(uint index) {
  uint state = (index ^ seed) * 747796405u + 2891336453u;
  uint word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return float(((word >> 22u) ^ word) >> 8u) * ${(2 ** -24).toExponential()};
}
vec4 keep(uint index) {
  vec4 chances = vec4(chance(index), chance(index + 1u), chance(index + 2u), chance(index + 3u));
  return vec4(greaterThanEqual(chances, vec4(rate))) / (1.0 - rate);
}
void main() {${place(layout)}
  ${isSpatial ? `vec4 kept = keep(uint(n * ${layout.groups} + group) * 4u);` : ''}
${writeGradients(layout, SUBLAYERS.map(at), sink)}
}`,
  };
}

/** Tells the layers of dropout in a network apart: each has a seed of its own in a step. */
export function dropoutSeed(stepSeed: number, layer: number): number {
  return (stepSeed ^ Math.imul(layer + 1, 0x9e3779b1)) >>> 0;
}

/**
 * What dropout number `index` of a network multiplies a matrix `[rows, columns]` by, row by row, or
 * spatial dropout channels `[images, channels]`: computed here.
 *
 * @param seed Of the step.
 */
export function dropoutMask(
  rows: number,
  columns: number,
  { seed, index, rate }: { readonly seed: number; readonly index: number; readonly rate: number },
): Float32Array {
  const columnsFilled = Math.ceil(columns / 4) * 4;
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const place = Math.floor(at / columns) * columnsFilled + (at % columns);
    const state = (Math.imul(place ^ dropoutSeed(seed, index), 747796405) + 2891336453) >>> 0;
    const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
    const chance = (((word >>> 22) ^ word) >>> 8) * 2 ** -24;
    return chance >= rate ? 1 / (1 - rate) : 0;
  });
}
