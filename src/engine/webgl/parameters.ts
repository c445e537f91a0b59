/**
 * Owns how weights lie in textures, and the optimizer's step, which is one draw for all of them.
 *
 * All weights of a network are in one texture, WIDTH texels wide; each matrix `[rows, columns]` starts
 * at a row of its own and has four columns a texel. A layer's bias is one more row of its matrix.
 * Gradients and the optimizer's averages lie the same way.
 */
import type { OptimizerKnobs } from '../trainer.ts';
import type { Device, ProgramSpec, Target, Texture } from './device.ts';

/** Texels a row. A power of two: shaders find a texel by shifting. */
const WIDTH_BITS = 8;
const WIDTH = 2 ** WIDTH_BITS;

/** A matrix in the texture. */
export interface Region {
  readonly rows: number;
  readonly columns: number;
  /** Texels a row. */
  readonly groups: number;
  /** Texel of the first row, and rows of the texture. */
  readonly start: number;
  readonly firstLine: number;
  readonly numLines: number;
}

/** Lays out matrices one after the other. */
export class RegionPlan {
  #numLines = 0;

  get numLines(): number {
    return this.#numLines;
  }

  add(rows: number, columns: number): Region {
    const groups = Math.ceil(columns / 4);
    // Shaders read rows by four.
    const numTexels = Math.ceil(rows / 4) * 4 * groups;
    const firstLine = this.#numLines;
    const numLines = Math.ceil(numTexels / WIDTH);
    this.#numLines += numLines;
    return { rows, columns, groups, start: firstLine * WIDTH, firstLine, numLines };
  }
}

/** GLSL: the texel at an index. */
export function fetchTexel(sampler: string, index: string): string {
  return `texelFetch(${sampler}, ivec2((${index}) & ${WIDTH - 1}, (${index}) >> ${WIDTH_BITS}), 0)`;
}

/** GLSL statements: `row` and `group` of the fragment, which is in the region. */
export function placeInRegion(region: Region): string {
  return `
  ivec2 at = ivec2(gl_FragCoord.xy);
  int texel = ((at.y << ${WIDTH_BITS}) | at.x) - ${region.start};
  int row = texel / ${region.groups};
  int group = texel % ${region.groups};`;
}

/** The lines of a target that a region has. */
export function targetOf(region: Region, whole: Target): Target {
  return { ...whole, y: region.firstLine, height: region.numLines };
}

const UPDATES = {
  // Kingma and Ba, "Adam", 2015, with the bias corrections moved into the rate and epsilon.
  adam: `
  vec4 average = m + (g - m) * share1;
  vec4 energy = v + (g * g - v) * share2;
  out0 = w - rate * average / (sqrt(energy) + epsilon);
  out1 = average;
  out2 = energy;`,
  // Classical momentum, as in Sutskever et al., 2013.
  sgd: `
  vec4 average = m * momentum + g;
  out0 = w - rate * average;
  out1 = average;
  out2 = v;`,
};

function updateProgram(kind: OptimizerKnobs['kind']): ProgramSpec {
  return {
    name: `${kind} step`,
    samplers: { weights: 'flat', gradients: 'flat', averages: 'flat', energies: 'flat' },
    uniforms: {
      rate: 'float',
      epsilon: 'float',
      share1: 'float',
      share2: 'float',
      momentum: 'float',
    },
    numOutputs: 3,
    body: `
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 w = texelFetch(weights, at, 0);
  vec4 g = texelFetch(gradients, at, 0);
  vec4 m = texelFetch(averages, at, 0);
  vec4 v = texelFetch(energies, at, 0);
  ${UPDATES[kind]}
}`,
  };
}

interface Side {
  readonly weights: Texture;
  readonly averages: Texture;
  readonly energies: Texture;
  readonly target: Target;
}

/** The weights of a network and what its optimizer keeps of them. */
export class Parameters {
  readonly gradients: Texture;
  readonly gradientTarget: Target;
  readonly numLines: number;
  readonly #device: Device;
  /** A draw cannot write what it reads: each step goes from one side to the other. */
  #sides: readonly [now: Side, next: Side];
  #numSteps = 0;

  /** @param values As `fillRegion` fills them, `numLines` lines. */
  constructor(device: Device, numLines: number, values: Float32Array) {
    this.#device = device;
    this.numLines = numLines;
    this.gradients = device.makeTexture('flat', WIDTH, numLines);
    this.gradientTarget = device.makeTarget([this.gradients]);
    this.#sides = [this.#makeSide(), this.#makeSide()];
    device.upload(this.#sides[0].weights, values);
  }

  #makeSide(): Side {
    const make = () => this.#device.makeTexture('flat', WIDTH, this.numLines);
    const [weights, averages, energies] = [make(), make(), make()];
    const target = this.#device.makeTarget([weights, averages, energies]);
    return { weights, averages, energies, target };
  }

  /** The texture that has the weights until the next step. */
  get weights(): WebGLTexture {
    return this.#sides[0].weights.handle;
  }

  /** Changes the weights by the gradients. */
  step(knobs: OptimizerKnobs, learningRate: number): void {
    this.#numSteps++;
    const [now, next] = this.#sides;
    const program = this.#device.program(updateProgram(knobs.kind));
    const textures = [now.weights, this.gradients, now.averages, now.energies];
    this.#device.draw(
      program,
      textures.map(({ handle }) => handle),
      next.target,
      this.#uniforms(knobs, learningRate),
    );
    this.#sides = [next, now];
  }

  #uniforms(knobs: OptimizerKnobs, learningRate: number): Record<string, number> {
    if (knobs.kind === 'sgd') return { rate: learningRate, momentum: knobs.momentum };
    const { beta1, beta2, epsilon } = knobs;
    const correction1 = 1 - beta1 ** this.#numSteps;
    const correction2 = Math.sqrt(1 - beta2 ** this.#numSteps);
    return {
      rate: (learningRate * correction2) / correction1,
      epsilon: epsilon * correction2,
      share1: 1 - beta1,
      share2: 1 - beta2,
    };
  }

  /** Hands the step's shader to the compiler. */
  prepare(knobs: OptimizerKnobs): void {
    this.#device.program(updateProgram(knobs.kind));
  }

  dispose(): void {
    for (const { weights, averages, energies, target } of this.#sides) {
      this.#device.freeTarget(target);
      for (const texture of [weights, averages, energies]) this.#device.freeTexture(texture);
    }
    this.#device.freeTarget(this.gradientTarget);
    this.#device.freeTexture(this.gradients);
  }
}

/** Room for the numbers of `numLines` lines. */
export function emptyLines(numLines: number): Float32Array {
  return new Float32Array(numLines * WIDTH * 4);
}

/** Writes rows of a matrix, one after the other in `values`, into the region from `firstRow` on. */
export function fillRegion(
  lines: Float32Array,
  region: Region,
  firstRow: number,
  values: ArrayLike<number>,
): void {
  const { columns, groups, start } = region;
  for (let index = 0; index < values.length; index++) {
    const row = firstRow + Math.floor(index / columns);
    const column = index % columns;
    lines[(start + row * groups) * 4 + column] = values[index] as number;
  }
}

/** Reads `numRows` rows from `firstRow` on into a tensor's texture, one number after the other. */
export function readRegion(region: Region, firstRow: number, width: number): ProgramSpec {
  const { columns, groups, start } = region;
  return {
    name: 'read weights',
    samplers: { values: 'flat' },
    numOutputs: 1,
    body: `
void main() {
  int index = int(gl_FragCoord.y) * ${width} + int(gl_FragCoord.x);
  int row = index / ${columns};
  int column = index - row * ${columns};
  int texel = ${start + firstRow * groups} + row * ${groups} + (column >> 2);
  out0 = vec4(${fetchTexel('values', 'texel')}[column & 3], 0.0, 0.0, 0.0);
}`,
  };
}

/** Sums of magnitudes, one for each of WIDTH columns: not a number where a weight is none. */
export function sumMagnitudes(numLines: number, width: number): ProgramSpec {
  return {
    name: 'sum magnitudes',
    samplers: { values: 'flat' },
    numOutputs: 1,
    body: `
void main() {
  int column = int(gl_FragCoord.y) * ${width} + int(gl_FragCoord.x);
  vec4 sum = vec4(0.0);
  for (int line = 0; line < ${numLines}; line++) {
    sum += abs(texelFetch(values, ivec2(column, line), 0));
  }
  out0 = vec4(dot(sum, vec4(1.0)), 0.0, 0.0, 0.0);
}`,
  };
}

export const NUM_MAGNITUDES = WIDTH;
