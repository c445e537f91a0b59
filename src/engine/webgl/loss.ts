/**
 * Owns the shaders of the end of a step: softmax cross-entropy with label smoothing from logits, and
 * the figures that people see.
 *
 * Labels are in the texels of `batch`, see `patches`.
 */
import type { ProgramSpec } from './device.ts';
import { fetch, LAYERS, type Layout, place, write } from './volume.ts';

/** GLSL: `logitAt(group, n, layer)`, four logits of a row; those past the last class are hopeless. */
function logits(layout: Layout): string {
  const { groups, channels } = layout;
  const read = fetch('logits', layout, ['n', '0', '0', 'group', 'layer']);
  return `
vec4 logitsAt(int group, int n, int layer) {
  vec4 values = ${read};
  bvec4 isClass = lessThan(ivec4(group * 4) + ivec4(0, 1, 2, 3), ivec4(${channels}));
  return mix(vec4(-1e30), values, isClass);
}
float largestOf(vec4 v) { return max(max(v.x, v.y), max(v.z, v.w)); }
/** Largest logit, and the logarithm of the sum of their exponentials less that. */
vec2 normalizer(int n, int layer) {
  float largest = -1e30, sum = 0.0;
  for (int group = 0; group < ${groups}; group++) {
    largest = max(largest, largestOf(logitsAt(group, n, layer)));
  }
  for (int group = 0; group < ${groups}; group++) {
    sum += dot(exp(logitsAt(group, n, layer) - largest), vec4(1.0));
  }
  return vec2(largest, log(sum));
}`;
}

/** Gradient of the mean loss by the logits, a matrix `[rows, classes]`. */
export function crossEntropyGradient(layout: Layout, labelSmoothing: number): ProgramSpec {
  const { batch, channels } = layout;
  const share = (1 / (batch * 4)).toExponential();
  const value = (layer: number) => `gradient(n, ${layer}, group)`;
  return {
    name: 'cross-entropy, gradient',
    samplers: { logits: 'layered', batch: 'integers' },
    numOutputs: 4,
    body: `${logits(layout)}
vec4 gradient(int n, int layer, int group) {
  vec2 parts = normalizer(n, layer);
  vec4 probabilities = exp(logitsAt(group, n, layer) - parts.x - parts.y);
  ivec4 classes = ivec4(group * 4) + ivec4(0, 1, 2, 3);
  int label = texelFetch(batch, ivec2(n * 4 + layer, 0), 0).w >> 1;
  vec4 goal = vec4(equal(classes, ivec4(label))) * ${(1 - labelSmoothing).toExponential()}
    + ${(labelSmoothing / channels).toExponential()};
  return mix(vec4(0.0), (probabilities - goal) * ${share}, lessThan(classes, ivec4(${channels})));
}
void main() {${place(layout)}
${write(layout, LAYERS.map(value))}
}`,
  };
}

/** Mean loss without smoothing and share of rows whose largest logit is the label's: a tensor `[2]`. */
export function figures(layout: Layout, width: number): ProgramSpec {
  const { batch, groups } = layout;
  return {
    name: 'figures',
    samplers: { logits: 'layered', batch: 'integers' },
    numOutputs: 1,
    body: `${logits(layout)}
void main() {
  bool isLoss = int(gl_FragCoord.y) * ${width} + int(gl_FragCoord.x) == 0;
  float sum = 0.0;
  for (int n = 0; n < ${batch}; n++) {
    for (int layer = 0; layer < 4; layer++) {
      int label = texelFetch(batch, ivec2(n * 4 + layer, 0), 0).w >> 1;
      float own = logitsAt(label >> 2, n, layer)[label & 3];
      vec2 parts = normalizer(n, layer);
      // Of equal logits the first one is the answer.
      bool isRight = own == parts.x;
      for (int group = 0; group < ${groups}; group++) {
        vec4 values = logitsAt(group, n, layer);
        bvec4 isBefore = lessThan(ivec4(group * 4) + ivec4(0, 1, 2, 3), ivec4(label));
        if (any(greaterThanEqual(mix(vec4(-2e30), values, isBefore), vec4(own)))) isRight = false;
      }
      sum += isLoss ? parts.x + parts.y - own : float(isRight);
    }
  }
  out0 = vec4(sum * ${(1 / (batch * 4)).toExponential()}, 0.0, 0.0, 0.0);
}`,
  };
}
