/**
 * Shader text of activations, and of what every draw does that writes a gradient: add what other
 * readers of a value gave, and go back through the activation that the value came through. Neither is
 * a draw of its own.
 */
import { LEAKY_SLOPE, type ActivationName as NetworkActivation } from '../../network/layers.ts';
import type { SamplerKind } from './device.ts';
import { fetch, type Layout, SUBLAYERS, withinChannels, write } from './volume.ts';

interface ActivationText {
  /** GLSL: body of `vec4 activate(vec4 x)`. */
  readonly value: string;
  /** GLSL: body of `vec4 behind(vec4 gradient, vec4 v)`: `gradient` times the slope. */
  readonly gradient: string;
  /** Whether `v` above is what came out; else it is what went in. */
  readonly isByOutput: boolean;
}

/** Abramowitz and Stegun 7.1.26, as TensorFlow.js has it. */
const ERF = `vec4 erf(vec4 x) {
  vec4 t = 1.0 / (1.0 + 0.3275911 * abs(x));
  vec4 sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1.0 - sum * exp(-x * x));
}`;

const TEXTS = {
  relu: {
    value: 'return max(x, vec4(0.0));',
    gradient: 'return mix(vec4(0.0), gradient, greaterThan(v, vec4(0.0)));',
    isByOutput: true,
  },
  leakyRelu: {
    value: `return mix(x * ${LEAKY_SLOPE}, x, greaterThan(x, vec4(0.0)));`,
    gradient: `return mix(gradient * ${LEAKY_SLOPE}, gradient, greaterThan(v, vec4(0.0)));`,
    isByOutput: true,
  },
  sigmoid: {
    value: 'return 1.0 / (1.0 + exp(-x));',
    gradient: 'return gradient * v * (1.0 - v);',
    isByOutput: true,
  },
  silu: {
    value: 'return x / (1.0 + exp(-x));',
    gradient: `vec4 s = 1.0 / (1.0 + exp(-v));
  return gradient * s * (1.0 + v * (1.0 - s));`,
    isByOutput: false,
  },
  gelu: {
    value: 'return x * 0.5 * (1.0 + erf(x * 0.70710678));',
    gradient:
      'return gradient * (0.5 * (1.0 + erf(v * 0.70710678)) + v * 0.39894228 * exp(-0.5 * v * v));',
    isByOutput: false,
  },
} satisfies { readonly [Name in NetworkActivation]?: ActivationText };

/** Activations that shaders know. */
export type ActivationName = keyof typeof TEXTS;

export function isKnown(activation: NetworkActivation): activation is ActivationName {
  return activation in TEXTS;
}

/** Whether the gradient follows from what came out, so that what went in need not be kept. */
export function isByOutput(activation: ActivationName): boolean {
  return TEXTS[activation].isByOutput;
}

/** GLSL: declares `activate`, where there is an activation. */
export function activationText(activation: ActivationName | null, name = 'activate'): string {
  if (!activation) return '';
  return functionText(`${name}(vec4 x)`, TEXTS[activation].value, name);
}

/** GLSL expression: the value through the activation. `group` is in scope. */
export function activated(
  layout: Layout,
  activation: ActivationName | null,
  value: string,
  name = 'activate',
): string {
  if (!activation) return value;
  const text = `${name}(${value})`;
  // Of all activations only this one makes something of 0.
  return activation === 'sigmoid' ? withinChannels(layout, text) : text;
}

/** GLSL: declares `behind`, where there is an activation. */
export function behindText(activation: ActivationName | null, name = 'behind'): string {
  if (!activation) return '';
  return functionText(`${name}(vec4 gradient, vec4 v)`, TEXTS[activation].gradient, name);
}

/** What a body needs goes with it, under a name of its own: a shader may have several. */
function functionText(head: string, body: string, name: string): string {
  const erf = body.includes('erf(') ? `${ERF}\n` : '';
  return `${erf}vec4 ${head} { ${body} }\n`.replaceAll('erf(', `${name}Erf(`);
}

/** Where a gradient goes that a draw writes. */
export interface Sink {
  /** Adds what other readers of the value gave, the sampler `others`. */
  readonly isSum: boolean;
  /** The value came through it; the sampler `outputs` has what came out of it, or what went in. */
  readonly activation: ActivationName | null;
}

export const PLAIN_SINK: Sink = { isSum: false, activation: null };

/** The samplers of a draw that writes gradients: its own, then those of the sink. */
export function withSink(
  samplers: Readonly<Record<string, SamplerKind>>,
  { isSum, activation }: Sink,
): Readonly<Record<string, SamplerKind>> {
  return {
    ...samplers,
    ...(isSum ? { others: 'layered' } : {}),
    ...(activation ? { outputs: 'layered' } : {}),
  };
}

/** GLSL statements: writes four gradients by `layout` into the sink; `behindText` stands before. */
export function writeGradients(
  layout: Layout,
  values: readonly string[],
  { isSum, activation }: Sink,
  name = 'behind',
): string {
  const texts = SUBLAYERS.map((layer) => {
    const at = ['n', 'y', 'block', 'group', String(layer)] as const;
    const sum = isSum ? `(${values[layer]} + ${fetch('others', layout, at)})` : `${values[layer]}`;
    return activation ? `${name}(${sum}, ${fetch('outputs', layout, at)})` : sum;
  });
  return write(layout, texts);
}
