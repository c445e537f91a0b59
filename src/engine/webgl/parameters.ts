/**
 * How weights lie in textures, and the optimizer's step, which is one draw for all of them.
 *
 * All weights of a network are in one texture, WIDTH texels wide; each matrix `[rows, columns]` starts
 * at a row of its own and has four columns a texel. A layer's bias is one more row of its matrix.
 * Gradients and the optimizer's slots lie the same way. Where the gradient of a statistic would be
 * stands what the batch has of it.
 */
import type { WeightRole } from '../../network/layers.ts';
import { averageDecayAt } from '../averageDecay.ts';
import type { OptimizerSpec, OptimizerState } from '../contract.ts';
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

/** Rows of a region that a weight has. */
export interface Rows {
  readonly region: Region;
  readonly firstRow: number;
  /** After so many rows there are as many empty ones as fill them up to fours. */
  readonly depth: number;
}

/** A weight and where it is. */
export interface Place extends Rows {
  readonly key: string;
  readonly shape: readonly number[];
  readonly role: WeightRole;
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

// ---- the optimizer ------------------------------------------------------------------------------

type SlotName = 'first' | 'second' | 'velocity' | 'average';

function slotsOf({ rule, averageDecay }: OptimizerSpec): readonly SlotName[] {
  return [
    ...(rule.kind === 'adam' ? (['first', 'second'] as const) : (['velocity'] as const)),
    ...(averageDecay === null ? [] : (['average'] as const)),
  ];
}

/** GLSL statements: `next` from `w`, the gradient `g` and the slots, which they move on. */
const RULES = {
  // Kingma and Ba, "Adam", 2015, with the bias corrections moved into the rate and epsilon.
  adam: `
  first += (g - first) * share1;
  second += (g * g - second) * share2;
  vec4 next = w * (1.0 - decay) - rate * first / (sqrt(second) + epsilon);`,
  // As in Sutskever et al., 2013.
  sgd: `
  velocity = velocity * momentum + g;
  vec4 next = w * (1.0 - decay) - rate * velocity;`,
  nesterov: `
  velocity = velocity * momentum + g;
  vec4 next = w * (1.0 - decay) - rate * (g + momentum * velocity);`,
};

function ruleOf({ rule }: OptimizerSpec): keyof typeof RULES {
  return rule.kind === 'sgd' && rule.isNesterov ? 'nesterov' : rule.kind;
}

function updateProgram(spec: OptimizerSpec): ProgramSpec {
  const slots = slotsOf(spec);
  const isClipped = spec.maxGradientNorm !== null;
  const moments = slots.filter((name) => name !== 'average');
  return {
    name: `${ruleOf(spec)} step`,
    samplers: {
      weights: 'flat',
      gradients: 'flat',
      roles: 'flat',
      ...Object.fromEntries(slots.map((name) => [`${name}s`, 'flat' as const])),
      ...(isClipped ? { clip: 'flat' } : {}),
    },
    uniforms: {
      rate: 'float',
      decayRate: 'float',
      epsilon: 'float',
      share1: 'float',
      share2: 'float',
      momentum: 'float',
      statisticShare: 'float',
      averageShare: 'float',
    },
    numOutputs: 1 + slots.length,
    body: `
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 w = texelFetch(weights, at, 0);
  vec4 g = texelFetch(gradients, at, 0);
  vec4 role = texelFetch(roles, at, 0);
  float decay = role.x * decayRate;
  vec4 observed = g;
  ${slots.map((name) => `vec4 ${name} = texelFetch(${name}s, at, 0);`).join(' ')}
  ${isClipped ? 'g *= texelFetch(clip, ivec2(0, 0), 0).x;' : ''}
  ${RULES[ruleOf(spec)]}
  if (role.y > 0.5) {
    next = mix(observed, w, statisticShare);
    ${moments.map((name) => `${name} = vec4(0.0);`).join(' ')}
  }
  out0 = next;
  ${slots
    .map((name, index) =>
      name === 'average'
        ? `out${index + 1} = mix(next, average, averageShare);`
        : `out${index + 1} = ${name};`,
    )
    .join(' ')}
}`,
  };
}

/** Length of the gradients in each of WIDTH columns. Not its square, which half floats do not hold. */
function columnNorms(numLines: number): ProgramSpec {
  return {
    name: 'gradient norms',
    samplers: { gradients: 'flat', roles: 'flat' },
    numOutputs: 1,
    body: `
void main() {
  int column = int(gl_FragCoord.x);
  float sum = 0.0;
  for (int line = 0; line < ${numLines}; line++) {
    vec4 g = texelFetch(gradients, ivec2(column, line), 0);
    if (texelFetch(roles, ivec2(column, line), 0).y < 0.5) sum += dot(g, g);
  }
  out0 = vec4(sqrt(sum), 0.0, 0.0, 0.0);
}`,
  };
}

/** What gradients are multiplied by so that they are no longer than `limit`, all together. */
const CLIP: ProgramSpec = {
  name: 'gradient clipping',
  samplers: { norms: 'flat' },
  uniforms: { limit: 'float' },
  numOutputs: 1,
  body: `
void main() {
  float sum = 0.0;
  for (int column = 0; column < ${WIDTH}; column++) {
    float norm = texelFetch(norms, ivec2(column, 0), 0).x;
    sum += norm * norm;
  }
  float norm = sqrt(sum);
  out0 = vec4(norm > limit ? limit / norm : 1.0, 0.0, 0.0, 0.0);
}`,
};

/** Weights with their slots; a draw cannot write what it reads. */
interface Side {
  readonly weights: Texture;
  readonly slots: ReadonlyMap<SlotName, Texture>;
  readonly target: Target;
}

/** What clipping draws need. */
interface Clipping {
  readonly norms: Texture;
  readonly normTarget: Target;
  readonly factor: Texture;
  readonly factorTarget: Target;
}

export interface ParametersRequest {
  readonly places: readonly Place[];
  readonly numLines: number;
  readonly optimizer: OptimizerSpec;
  readonly state: OptimizerState | null;
  /** Share of the old value that statistics keep. */
  readonly batchNormMomentum: number;
  readonly read: (key: string) => Float32Array;
}

/** The weights of a network and what its optimizer keeps of them. */
export class Parameters {
  readonly gradients: Texture;
  readonly gradientTarget: Target;
  readonly #device: Device;
  readonly #request: ParametersRequest;
  readonly #roles: Texture;
  readonly #clipping: Clipping | null;
  /** Each step goes from one side to the other. */
  #sides: readonly [now: Side, next: Side];
  #numSteps: number;

  constructor(device: Device, request: ParametersRequest) {
    const { numLines, optimizer, state, places, read } = request;
    this.#device = device;
    this.#request = request;
    this.#numSteps = state?.numSteps ?? 0;
    this.gradients = this.#makeTexture();
    this.gradientTarget = device.makeTarget([this.gradients]);
    this.#roles = this.#makeTexture();
    this.#sides = [this.#makeSide(), this.#makeSide()];
    this.#clipping = optimizer.maxGradientNorm === null ? null : this.#makeClipping();

    const roles = emptyLines(numLines);
    for (const { region, firstRow, depth, role, shape } of places) {
      const numRows = sizeOf(shape) / region.columns;
      const texel = [Number(role === 'kernel'), Number(role === 'statistic'), 0, 0];
      for (let row = 0; row < numRows; row++) {
        const start = region.start + rowAt({ firstRow, depth }, row) * region.groups;
        for (let group = 0; group < region.groups; group++) roles.set(texel, (start + group) * 4);
      }
    }
    device.upload(this.#roles, roles);
    const fill = (values: (key: string) => ArrayLike<number> | null) => {
      const lines = emptyLines(numLines);
      for (const place of places) fillRegion(lines, place, values(place.key) ?? []);
      return lines;
    };
    const [now] = this.#sides;
    device.upload(now.weights, fill(read));
    for (const [name, texture] of now.slots) {
      const kept = (key: string) => state?.slots[key]?.[name] ?? null;
      device.upload(
        texture,
        fill((key) => kept(key) ?? (name === 'average' ? read(key) : null)),
      );
    }
    device.program(updateProgram(optimizer));
    if (this.#clipping) {
      device.program(columnNorms(numLines));
      device.program(CLIP);
    }
  }

  #makeTexture(): Texture {
    return this.#device.makeTexture('flat', WIDTH, this.#request.numLines);
  }

  #makeSide(): Side {
    const weights = this.#makeTexture();
    const slots = new Map(
      slotsOf(this.#request.optimizer).map((name) => [name, this.#makeTexture()]),
    );
    return { weights, slots, target: this.#device.makeTarget([weights, ...slots.values()]) };
  }

  #makeClipping(): Clipping {
    const norms = this.#device.makeTexture('flat', WIDTH, 1);
    const factor = this.#device.makeTexture('flat', 1, 1);
    const normTarget = this.#device.makeTarget([norms]);
    return { norms, normTarget, factor, factorTarget: this.#device.makeTarget([factor]) };
  }

  /** The texture that has the weights until the next step. */
  get weights(): WebGLTexture {
    return this.#sides[0].weights.handle;
  }

  /** The texture that has their average until the next step. */
  get averages(): WebGLTexture | null {
    return this.#sides[0].slots.get('average')?.handle ?? null;
  }

  /** Changes the weights by the gradients. */
  step(learningRate: number): void {
    this.#numSteps++;
    const { optimizer, numLines } = this.#request;
    const device = this.#device;
    const [now, next] = this.#sides;
    const textures = [now.weights, this.gradients, this.#roles, ...now.slots.values()];
    if (this.#clipping) {
      const { norms, normTarget, factor, factorTarget } = this.#clipping;
      device.draw(
        device.program(columnNorms(numLines)),
        [this.gradients.handle, this.#roles.handle],
        normTarget,
      );
      device.draw(device.program(CLIP), [norms.handle], factorTarget, {
        limit: optimizer.maxGradientNorm ?? 0,
      });
      textures.push(factor);
    }
    device.draw(
      device.program(updateProgram(optimizer)),
      textures.map(({ handle }) => handle),
      next.target,
      this.#uniforms(learningRate),
    );
    this.#sides = [next, now];
  }

  #uniforms(learningRate: number): Record<string, number> {
    const { optimizer, batchNormMomentum } = this.#request;
    const { rule, weightDecay, averageDecay } = optimizer;
    const step = this.#numSteps;
    const common = {
      decayRate: learningRate * weightDecay,
      statisticShare: batchNormMomentum,
      averageShare: averageDecayAt(averageDecay ?? 0, step),
    };
    if (rule.kind === 'sgd') return { ...common, rate: learningRate, momentum: rule.momentum };
    const { beta1, beta2 } = rule;
    // Half floats know no smaller number than 6e-8.
    const epsilon = rule.epsilon ?? (this.#device.isHalf ? 1e-4 : 1e-7);
    const correction1 = 1 - beta1 ** step;
    const correction2 = Math.sqrt(1 - beta2 ** step);
    return {
      ...common,
      rate: (learningRate * correction2) / correction1,
      epsilon: epsilon * correction2,
      share1: 1 - beta1,
      share2: 1 - beta2,
    };
  }

  /** Waits for the device. */
  async readState(): Promise<OptimizerState> {
    const slots: Record<string, Record<string, Float32Array>> = {};
    const { places } = this.#request;
    const [now] = this.#sides;
    await Promise.all(
      places.flatMap((place) =>
        [...now.slots]
          .filter(([name]) => name === 'average' || place.role !== 'statistic')
          .map(async ([name, texture]) => {
            const values = await this.#device.readTensor(
              [sizeOf(place.shape)],
              (width) => readRegion(place, width),
              [texture.handle],
            );
            slots[place.key] = { ...slots[place.key], [name]: values };
          }),
      ),
    );
    return { numSteps: this.#numSteps, slots };
  }

  /** Whether all weights are finite. Waits for the device. */
  async isSound(): Promise<boolean> {
    const sums = await this.#device.readTensor(
      [WIDTH],
      (width) => sumMagnitudes(this.#request.numLines, width),
      [this.weights],
    );
    return sums.every(Number.isFinite);
  }

  dispose(): void {
    const device = this.#device;
    for (const { weights, slots, target } of this.#sides) {
      device.freeTarget(target);
      for (const texture of [weights, ...slots.values()]) device.freeTexture(texture);
    }
    device.freeTarget(this.gradientTarget);
    for (const texture of [this.gradients, this.#roles]) device.freeTexture(texture);
    if (!this.#clipping) return;
    const { norms, normTarget, factor, factorTarget } = this.#clipping;
    for (const target of [normTarget, factorTarget]) device.freeTarget(target);
    for (const texture of [norms, factor]) device.freeTexture(texture);
  }
}

// ---- in and out ---------------------------------------------------------------------------------

const sizeOf = (shape: readonly number[]) => shape.reduce((size, length) => size * length, 1);

/** Where a weight's row is in its region. */
function rowAt({ firstRow, depth }: Pick<Rows, 'firstRow' | 'depth'>, row: number): number {
  return firstRow + Math.floor(row / depth) * Math.ceil(depth / 4) * 4 + (row % depth);
}

/** Room for the numbers of `numLines` lines. */
export function emptyLines(numLines: number): Float32Array {
  return new Float32Array(numLines * WIDTH * 4);
}

/** Writes a weight's values into its rows. */
export function fillRegion(lines: Float32Array, rows: Rows, values: ArrayLike<number>): void {
  const { columns, groups, start } = rows.region;
  for (let index = 0; index < values.length; index++) {
    const row = rowAt(rows, Math.floor(index / columns));
    const column = index % columns;
    lines[(start + row * groups) * 4 + column] = values[index] as number;
  }
}

/** Reads a weight into a tensor's texture, one number after the other. */
export function readRegion({ region, firstRow, depth }: Rows, width: number): ProgramSpec {
  const { columns, groups, start } = region;
  const filled = Math.ceil(depth / 4) * 4;
  return {
    name: 'read weights',
    samplers: { values: 'flat' },
    numOutputs: 1,
    body: `
void main() {
  int index = int(gl_FragCoord.y) * ${width} + int(gl_FragCoord.x);
  int row = index / ${columns};
  int column = index - row * ${columns};
  ${filled === depth ? '' : `row = (row / ${depth}) * ${filled} + row % ${depth};`}
  int texel = ${start + firstRow * groups} + row * ${groups} + (column >> 2);
  out0 = vec4(${fetchTexel('values', 'texel')}[column & 3], 0.0, 0.0, 0.0);
}`,
  };
}

/** Sums of magnitudes, one for each of WIDTH columns: not finite where a weight is not. */
function sumMagnitudes(numLines: number, width: number): ProgramSpec {
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
