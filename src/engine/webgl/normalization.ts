/**
 * Shaders of batch normalisation in training: moments of the batch, normalisation, and the gradient in
 * closed form, each through the activation after it. After Ioffe and Szegedy, "Batch Normalization",
 * 2015.
 *
 * Gamma, beta and the tracked mean and variance are the four rows of a region of the weights
 * (parameters.ts); where gradients stand for the others, the moments of the batch do for the last two.
 */
import { BATCH_NORM_EPSILON } from '../../network/layers.ts';
import {
  type ActivationName,
  activated,
  activationText,
  behindText,
  isByOutput,
  type Sink,
  withSink,
  writeGradients,
} from './activations.ts';
import type { ProgramSpec } from './device.ts';
import { fetchTexel, placeInRegion, type Region } from './parameters.ts';
import { fetch, type Layout, place, SUBLAYERS, write } from './volume.ts';

/** GLSL: how many pixels of a row of image `n` count. */
function widthText({ batch, width, lastWidth }: Layout): string {
  return lastWidth === width ? String(width) : `(n == ${batch - 1} ? ${lastWidth} : ${width})`;
}

/** Pixels of the batch that count. */
const numPixelsOf = ({ batch, height, width, lastWidth }: Layout) =>
  height * ((batch - 1) * width + lastWidth);

/** GLSL: a loop over the pixels of image `n`, channels `group`; `p` is the pixel. */
function eachPixel(layout: Layout, sampler: string, statement: string): string {
  const pixel = fetch(sampler, layout, ['n', 'y', '(x >> 2)', 'group', '(x & 3)']);
  return `
  for (int y = 0; y < ${layout.height}; y++) {
    for (int x = 0; x < ${widthText(layout)}; x++) {
      vec4 p = ${pixel};
      ${statement}
    }
  }`;
}

/** Mean and sum of squared distances from it of each image, a column a group and a line an image. */
export function imageMoments(layout: Layout): ProgramSpec {
  return {
    name: 'batch normalisation, moments of images',
    samplers: { pixels: 'layered' },
    numOutputs: 2,
    // Around the first pixel: squares of numbers far from 0 would lose the digits that count.
    body: `
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int group = at.x, n = at.y;
  vec4 origin = ${fetch('pixels', layout, ['n', '0', '0', 'group', '0'])};
  vec4 sum = vec4(0.0), squares = vec4(0.0);
  ${eachPixel(layout, 'pixels', 'p -= origin; sum += p; squares += p * p;')}
  float count = float(${layout.height} * ${widthText(layout)});
  vec4 mean = sum / count;
  out0 = origin + mean;
  out1 = max(squares / count - mean * mean, vec4(0.0));
}`,
  };
}

/** Mean, variance and 1 / standard deviation of the batch. */
export function batchMoments(layout: Layout): ProgramSpec {
  const { batch, height } = layout;
  const share = `(float(${height} * ${widthText(layout)}) * ${(1 / numPixelsOf(layout)).toExponential()})`;
  return {
    name: 'batch normalisation, moments of the batch',
    samplers: { means: 'flat', variances: 'flat' },
    numOutputs: 3,
    body: `
void main() {
  int group = int(gl_FragCoord.x);
  vec4 mean = vec4(0.0), variance = vec4(0.0);
  for (int n = 0; n < ${batch}; n++) mean += texelFetch(means, ivec2(group, n), 0) * ${share};
  for (int n = 0; n < ${batch}; n++) {
    vec4 distance = texelFetch(means, ivec2(group, n), 0) - mean;
    variance += (texelFetch(variances, ivec2(group, n), 0) + distance * distance) * ${share};
  }
  out0 = mean;
  out1 = variance;
  out2 = inversesqrt(variance + ${BATCH_NORM_EPSILON.toExponential()});
}`,
  };
}

const gammaOf = ({ start }: Region) => `${start} + group`;
const betaOf = ({ start, groups }: Region) => `${start + groups} + group`;

/** GLSL statements: `p * factor + shift` is a pixel normalised. */
const lineText = (region: Region) => `
  vec4 centre = texelFetch(mean, ivec2(group, 0), 0);
  vec4 root = texelFetch(inverse, ivec2(group, 0), 0);
  vec4 factor = root * ${fetchTexel('weights', gammaOf(region))};
  vec4 shift = ${fetchTexel('weights', betaOf(region))} - centre * factor;`;

/** What comes after a normalisation in the same draw. */
export interface AfterNormalization {
  readonly activation: ActivationName | null;
  /** Another value is added then, the sampler `terms`, */
  readonly hasSum: boolean;
  /** and the sum goes through another activation. */
  readonly sumActivation: ActivationName | null;
}

export function normalize(
  layout: Layout,
  region: Region,
  { activation, hasSum, sumActivation }: AfterNormalization,
): ProgramSpec {
  return {
    name: 'batch normalisation',
    samplers: {
      pixels: 'layered',
      mean: 'flat',
      inverse: 'flat',
      weights: 'flat',
      ...(hasSum ? { terms: 'layered' } : {}),
    },
    numOutputs: 4,
    body: `
${activationText(activation)}${activationText(sumActivation, 'activateSum')}void main() {${place(layout)}${lineText(region)}
${write(
  layout,
  SUBLAYERS.map((layer) => {
    const at = ['n', 'y', 'block', 'group', String(layer)] as const;
    const value = activated(layout, activation, `${fetch('pixels', layout, at)} * factor + shift`);
    if (!hasSum) return value;
    const total = `${value} + ${fetch('terms', layout, at)}`;
    return activated(layout, sumActivation, total, 'activateSum');
  }),
)}
}`,
  };
}

/** GLSL: what is declared to take a gradient back through the activation, and how that is done. */
function goBack(activation: ActivationName | null) {
  if (!activation) return { text: '', behind: (gradient: string) => gradient };
  // ReLU and its like tell by the sign, which is the same before and after.
  const isBySign = activation === 'relu' || activation === 'leakyRelu';
  const needsOutput = isByOutput(activation) && !isBySign;
  return {
    text: `${needsOutput ? activationText(activation) : ''}${behindText(activation)}`,
    behind: (gradient: string, pixel: string) => {
      const line = `${pixel} * factor + shift`;
      return `behind(${gradient}, ${needsOutput ? `activate(${line})` : line})`;
    },
  };
}

/** Sums over each image of the gradient, and of the gradient times the normalised pixel. */
export function imageGradients(
  layout: Layout,
  region: Region,
  activation: ActivationName | null,
): ProgramSpec {
  const { text, behind } = goBack(activation);
  const pixel = fetch('pixels', layout, ['n', 'y', '(x >> 2)', 'group', '(x & 3)']);
  return {
    name: 'batch normalisation, gradient of images',
    samplers: {
      pixels: 'layered',
      gradients: 'layered',
      mean: 'flat',
      inverse: 'flat',
      weights: 'flat',
    },
    numOutputs: 2,
    body: `
${text}void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int group = at.x, n = at.y;${lineText(region)}
  vec4 sum = vec4(0.0), product = vec4(0.0);
  ${eachPixel(
    layout,
    'gradients',
    `vec4 own = ${pixel};
      p = ${behind('p', 'own')};
      sum += p; product += p * (own - centre);`,
  )}
  out0 = sum;
  out1 = product * root;
}`,
  };
}

/** Gradients by gamma and beta, and the moments of the batch, written to the region. */
export function weightGradients(layout: Layout, region: Region): ProgramSpec {
  return {
    name: 'batch normalisation, gradient by weights',
    samplers: { sums: 'flat', products: 'flat', mean: 'flat', variance: 'flat' },
    numOutputs: 1,
    body: `
void main() {${placeInRegion(region)}
  vec4 sum = vec4(0.0);
  if (row < 2) {
    for (int n = 0; n < ${layout.batch}; n++) {
      sum += row == 0 ? texelFetch(products, ivec2(group, n), 0) : texelFetch(sums, ivec2(group, n), 0);
    }
  } else if (row < 4) {
    sum = row == 2 ? texelFetch(mean, ivec2(group, 0), 0) : texelFetch(variance, ivec2(group, 0), 0);
  }
  out0 = sum;
}`,
  };
}

/** Gradient by the input. */
export function normalizeGradient(
  layout: Layout,
  region: Region,
  activation: ActivationName | null,
  sink: Sink,
): ProgramSpec {
  const share = (1 / numPixelsOf(layout)).toExponential();
  const { text, behind } = goBack(activation);
  // The input may have come through an activation as well.
  const statements = writeGradients(
    layout,
    SUBLAYERS.map((layer) => {
      const at = ['n', 'y', 'block', 'group', String(layer)] as const;
      const pixel = fetch('pixels', layout, at);
      const gradient = behind(fetch('gradients', layout, at), pixel);
      return `normalGradient(${gradient}, ${pixel}, level, centre, slope, factor)`;
    }),
    sink,
    'behindSink',
  );
  return {
    name: 'batch normalisation, gradient',
    samplers: withSink(
      {
        pixels: 'layered',
        gradients: 'layered',
        mean: 'flat',
        inverse: 'flat',
        weights: 'flat',
        weightGradients: 'flat',
      },
      sink,
    ),
    numOutputs: 4,
    body: `
${text}${behindText(sink.activation, 'behindSink')}vec4 normalGradient(vec4 gradient, vec4 pixel, vec4 level, vec4 centre, vec4 slope, vec4 factor) {
  return (gradient - level - (pixel - centre) * slope) * factor;
}
void main() {${place(layout)}${lineText(region)}
  vec4 slope = ${fetchTexel('weightGradients', gammaOf(region))} * root * ${share};
  vec4 level = ${fetchTexel('weightGradients', betaOf(region))} * ${share};
${statements}
}`,
  };
}
