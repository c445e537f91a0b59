/**
 * Shaders of the end of a step: softmax cross-entropy from logits against target rows, with label
 * smoothing, and the figures that people see.
 *
 * Targets `[n, classes]` are a flat texture, a line a row and a column for four classes.
 */
import { behindText, type Sink, withSink, writeGradients } from './activations.ts';
import type { ProgramSpec } from './device.ts';
import { fetch, type Layout, place, rowsOf, SUBLAYERS } from './volume.ts';

/** GLSL: `logitAt(group, n, layer)`, four logits of a row; those past the last class are hopeless. */
function logitsText(layout: Layout): string {
  const read = fetch('logits', layout, ['n', '0', '0', 'group', 'layer']);
  return `
vec4 logitsAt(int group, int n, int layer) {
  bvec4 isClass = lessThan(ivec4(group * 4) + ivec4(0, 1, 2, 3), ivec4(${layout.channels}));
  return mix(vec4(-1e30), ${read}, isClass);
}`;
}

/**
 * Of each row, a column each: loss without smoothing, whether the likeliest class is that of the
 * target (of equal ones the first counts), the largest logit, and the logarithm of the sum of the
 * exponentials of what logits are less than that.
 */
export function rowFigures(layout: Layout): ProgramSpec {
  const { groups } = layout;
  return {
    name: 'figures of rows',
    samplers: { logits: 'layered', targets: 'flat' },
    numOutputs: 1,
    body: `${logitsText(layout)}
void main() {
  int row = int(gl_FragCoord.x);
  int n = row >> 2, layer = row & 3;
  float largest = -2e30, mostWanted = -1.0;
  int answer = 0, goal = 0;
  for (int group = 0; group < ${groups}; group++) {
    vec4 values = logitsAt(group, n, layer);
    vec4 target = texelFetch(targets, ivec2(group, row), 0);
    for (int index = 0; index < 4; index++) {
      if (values[index] > largest) { largest = values[index]; answer = group * 4 + index; }
      if (target[index] > mostWanted) { mostWanted = target[index]; goal = group * 4 + index; }
    }
  }
  float sum = 0.0, wanted = 0.0;
  for (int group = 0; group < ${groups}; group++) {
    vec4 values = logitsAt(group, n, layer) - largest;
    sum += dot(exp(values), vec4(1.0));
    wanted += dot(max(values, vec4(-1e20)), texelFetch(targets, ivec2(group, row), 0));
  }
  float logSum = log(sum);
  out0 = vec4(logSum - wanted, float(answer == goal), largest, logSum);
}`,
  };
}

/** Gradient of the mean loss by the logits, a matrix `[rows, classes]`. */
export function crossEntropyGradient(
  layout: Layout,
  labelSmoothing: number,
  sink: Sink,
): ProgramSpec {
  const { channels } = layout;
  const share = (1 / rowsOf(layout)).toExponential();
  return {
    name: 'cross-entropy, gradient',
    samplers: withSink({ logits: 'layered', targets: 'flat', rowFigures: 'flat' }, sink),
    numOutputs: 4,
    body: `${logitsText(layout)}
vec4 gradientAt(int n, int layer, int group) {
  vec4 figures = texelFetch(rowFigures, ivec2(n * 4 + layer, 0), 0);
  vec4 probabilities = exp(logitsAt(group, n, layer) - figures.z - figures.w);
  vec4 goal = texelFetch(targets, ivec2(group, n * 4 + layer), 0) * ${(1 - labelSmoothing).toExponential()}
    + ${(labelSmoothing / channels).toExponential()};
  bvec4 isClass = lessThan(ivec4(group * 4) + ivec4(0, 1, 2, 3), ivec4(${channels}));
  return mix(vec4(0.0), (probabilities - goal) * ${share}, isClass);
}
${behindText(sink.activation)}void main() {${place(layout)}
${writeGradients(
  layout,
  SUBLAYERS.map((layer) => `gradientAt(n, ${layer}, group)`),
  sink,
)}
}`,
  };
}

/** Mean loss and share of correct rows: a tensor `[2]`. */
export function meanFigures(numRows: number, width: number): ProgramSpec {
  return {
    name: 'figures',
    samplers: { rowFigures: 'flat' },
    numOutputs: 1,
    body: `
void main() {
  int index = int(gl_FragCoord.y) * ${width} + int(gl_FragCoord.x);
  float sum = 0.0;
  for (int row = 0; row < ${numRows}; row++) {
    vec4 figures = texelFetch(rowFigures, ivec2(row, 0), 0);
    sum += index == 0 ? figures.x : figures.y;
  }
  out0 = vec4(sum * ${(1 / numRows).toExponential()}, 0.0, 0.0, 0.0);
}`,
  };
}
