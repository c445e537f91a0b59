/**
 * Owns the shaders of batch normalisation in training: moments of the batch, normalisation, and the
 * gradient in closed form. After Ioffe and Szegedy, "Batch Normalization", 2015.
 *
 * Gamma and beta are the two rows of a region of the weights (parameters.ts).
 */
import type { ProgramSpec } from './device.ts';
import { fetchTexel, placeInRegion, type Region } from './parameters.ts';
import { behindRelu, fetch, LAYERS, type Layout, place, write } from './volume.ts';

/** GLSL: a loop over the pixels of picture `n`, channels `group`; `p` is the pixel. */
function eachPixel(layout: Layout, sampler: string, statement: string): string {
  const pixel = fetch(sampler, layout, ['n', 'y', '(x >> 2)', 'group', '(x & 3)']);
  return `
  for (int y = 0; y < ${layout.height}; y++) {
    for (int x = 0; x < ${layout.width}; x++) {
      vec4 p = ${pixel};
      ${statement}
    }
  }`;
}

/** Mean and variance of each picture, a column a group and a line a picture. */
export function pictureMoments(layout: Layout): ProgramSpec {
  const share = (1 / (layout.height * layout.width)).toExponential();
  return {
    name: 'batch normalisation, moments of pictures',
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
  vec4 mean = sum * ${share};
  out0 = origin + mean;
  out1 = max(squares * ${share} - mean * mean, vec4(0.0));
}`,
  };
}

/** Mean and 1 / standard deviation of the batch, and the tracked mean and variance moved there. */
export function batchMoments(
  layout: Layout,
  { epsilon, momentum }: { readonly epsilon: number; readonly momentum: number },
): ProgramSpec {
  const share = (1 / layout.batch).toExponential();
  return {
    name: 'batch normalisation, moments of the batch',
    samplers: { means: 'flat', variances: 'flat', trackedMean: 'flat', trackedVariance: 'flat' },
    numOutputs: 4,
    body: `
void main() {
  int group = int(gl_FragCoord.x);
  vec4 mean = vec4(0.0), variance = vec4(0.0);
  for (int n = 0; n < ${layout.batch}; n++) mean += texelFetch(means, ivec2(group, n), 0);
  mean *= ${share};
  for (int n = 0; n < ${layout.batch}; n++) {
    vec4 distance = texelFetch(means, ivec2(group, n), 0) - mean;
    variance += texelFetch(variances, ivec2(group, n), 0) + distance * distance;
  }
  variance *= ${share};
  out0 = mean;
  out1 = inversesqrt(variance + ${epsilon.toExponential()});
  out2 = mix(mean, texelFetch(trackedMean, ivec2(group, 0), 0), ${momentum.toExponential()});
  out3 = mix(variance, texelFetch(trackedVariance, ivec2(group, 0), 0), ${momentum.toExponential()});
}`,
  };
}

const gammaOf = ({ start }: Region) => `${start} + group`;
const betaOf = ({ start, groups }: Region) => `${start + groups} + group`;

export function normalize(layout: Layout, region: Region, relu: boolean): ProgramSpec {
  return {
    name: 'batch normalisation',
    samplers: { pixels: 'layered', mean: 'flat', inverse: 'flat', weights: 'flat' },
    numOutputs: 4,
    body: `
void main() {${place(layout)}
  vec4 factor = texelFetch(inverse, ivec2(group, 0), 0) * ${fetchTexel('weights', gammaOf(region))};
  vec4 shift = ${fetchTexel('weights', betaOf(region))} - texelFetch(mean, ivec2(group, 0), 0) * factor;
${write(
  layout,
  LAYERS.map((layer) => {
    const pixel = fetch('pixels', layout, ['n', 'y', 'block', 'group', String(layer)]);
    const value = `${pixel} * factor + shift`;
    return relu ? `max(${value}, vec4(0.0))` : value;
  }),
)}
}`,
  };
}

/** Sums over each picture of the gradient, and of the gradient times the normalised pixel. */
export function pictureGradients(layout: Layout): ProgramSpec {
  return {
    name: 'batch normalisation, gradient of pictures',
    samplers: { pixels: 'layered', gradients: 'layered', mean: 'flat', inverse: 'flat' },
    numOutputs: 2,
    body: `
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int group = at.x, n = at.y;
  vec4 centre = texelFetch(mean, ivec2(group, 0), 0);
  vec4 sum = vec4(0.0), product = vec4(0.0);
  ${eachPixel(
    layout,
    'gradients',
    `sum += p; product += p * (${fetch('pixels', layout, ['n', 'y', '(x >> 2)', 'group', '(x & 3)'])} - centre);`,
  )}
  out0 = sum;
  out1 = product * texelFetch(inverse, ivec2(group, 0), 0);
}`,
  };
}

/** Gradients by gamma and beta, written to the region. */
export function weightGradients(layout: Layout, region: Region): ProgramSpec {
  return {
    name: 'batch normalisation, gradient by weights',
    samplers: { sums: 'flat', products: 'flat' },
    numOutputs: 1,
    body: `
void main() {${placeInRegion(region)}
  vec4 sum = vec4(0.0);
  for (int n = 0; n < ${layout.batch}; n++) {
    if (row == 0) sum += texelFetch(products, ivec2(group, n), 0);
    if (row == 1) sum += texelFetch(sums, ivec2(group, n), 0);
  }
  out0 = sum;
}`,
  };
}

/** Gradient by the input; behind the ReLU whose output that is where `relu`. */
export function normalizeGradient(layout: Layout, region: Region, relu: boolean): ProgramSpec {
  const share = (1 / (layout.batch * layout.height * layout.width)).toExponential();
  return {
    name: 'batch normalisation, gradient',
    samplers: {
      pixels: 'layered',
      gradients: 'layered',
      mean: 'flat',
      inverse: 'flat',
      weights: 'flat',
      weightGradients: 'flat',
    },
    numOutputs: 4,
    body: `
void main() {${place(layout)}
  vec4 centre = texelFetch(mean, ivec2(group, 0), 0);
  vec4 root = texelFetch(inverse, ivec2(group, 0), 0);
  vec4 factor = root * ${fetchTexel('weights', gammaOf(region))};
  vec4 slope = ${fetchTexel('weightGradients', gammaOf(region))} * root * ${share};
  vec4 level = ${fetchTexel('weightGradients', betaOf(region))} * ${share};
${write(
  layout,
  LAYERS.map((layer) => {
    const at = ['n', 'y', 'block', 'group', String(layer)] as const;
    const pixel = fetch('pixels', layout, at);
    const value = `(${fetch('gradients', layout, at)} - level - (${pixel} - centre) * slope) * factor`;
    return relu ? behindRelu(value, pixel) : value;
  }),
)}
}`,
  };
}
