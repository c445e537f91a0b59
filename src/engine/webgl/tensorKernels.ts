/**
 * The kernels of TensorFlow.js's WebGL backend that are replaced by our own shaders: whoever calls `tf.conv2d` or takes its gradient gets them. What they do not know (dilation, other data
 * formats, other windows) goes to the stock kernel.
 *
 * A driver may compile a shader wrongly, or suit the stock kernel better: each of ours is used only where
 * it agrees with the stock one on this device and is not slower.
 */
import * as tf from '@tensorflow/tfjs';
import { PLAIN_SINK } from './activations.ts';
import {
  type ConvShape,
  convFilterGradient,
  convForward,
  convInputGradient,
} from './convolution.ts';
import { Device, type ProgramSpec, type Target, type Texture, WebGLDeviceError } from './device.ts';
import { emptyLines, fetchTexel, placeInRegion, type Region, RegionPlan } from './parameters.ts';
import { maxPoolPairsGradient } from './pooling.ts';
import { race } from './race.ts';
import { isRemoved, KERNEL_NAMES, type KernelName } from './replacements.ts';
import { bringIn, bringOut, type Flat, flat, numberAt } from './tensors.ts';
import { freeVolume, type Layout, layOut, makeVolume, type Volume } from './volume.ts';

const BACKEND = 'webgl';

type Shape4D = [number, number, number, number];
type Inputs = tf.NamedTensorInfoMap;
type Attributes = tf.NamedAttrMap;
/** null where the call is not for this kernel. */
type OwnKernel = (device: Device, inputs: Inputs, attrs: Attributes) => tf.TensorInfo | null;

// ---- filters in and out -------------------------------------------------------------------------

/** A filter `[height, width, channels, filters]` as rows of channels filled up to fours. */
function bringInFilter([, , channels, filters]: Shape4D, region: Region, from: Flat): ProgramSpec {
  const filled = Math.ceil(channels / 4) * 4;
  return {
    name: 'tensor to filter',
    samplers: { numbers: 'flat' },
    numOutputs: 1,
    body: `${numberAt('numbers', from)}
void main() {${placeInRegion(region)}
  int channel = row % ${filled};
  int index = ((row / ${filled}) * ${channels} + channel) * ${filters} + group * 4;
  bool isInside = row < ${region.rows} && channel < ${channels};
  out0 = vec4(
    ${[0, 1, 2, 3].map((more) => `isInside && group * 4 + ${more} < ${filters} ? numberAt(index + ${more}) : 0.0`).join(',\n    ')});
}`,
  };
}

function bringOutFilter(
  [, , channels, filters]: Shape4D,
  region: Region,
  textureWidth: number,
): ProgramSpec {
  const filled = Math.ceil(channels / 4) * 4;
  return {
    name: 'filter to tensor',
    samplers: { values: 'flat' },
    numOutputs: 1,
    body: `
void main() {
  int index = int(gl_FragCoord.y) * ${textureWidth} + int(gl_FragCoord.x);
  int column = index % ${filters};
  index /= ${filters};
  int row = (index / ${channels}) * ${filled} + index % ${channels};
  vec4 texel = ${fetchTexel('values', `row * ${region.groups} + (column >> 2)`)};
  out0 = vec4(texel[column & 3], 0.0, 0.0, 0.0);
}`,
  };
}

/** Draws that share scratch textures, which are freed together. */
class Job {
  readonly #device: Device;
  readonly #volumes: Volume[] = [];
  readonly #flats: { texture: Texture; target: Target }[] = [];
  readonly #tensors: Flat[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  volume(shape: Shape4D): Volume {
    const volume = makeVolume(this.#device, layOut(shape, this.#device.maxSide));
    this.#volumes.push(volume);
    return volume;
  }

  draw(spec: ProgramSpec, textures: readonly (Texture | Flat)[], target: Target): void {
    this.#device.draw(
      this.#device.program(spec),
      textures.map(({ handle }) => handle),
      target,
    );
  }

  bringIn(tensor: tf.TensorInfo): Volume {
    const from = flat(this.#device, tensor);
    this.#tensors.push(from);
    const volume = this.volume(tensor.shape as Shape4D);
    this.draw(bringIn(volume.layout, from), [from], volume.target);
    return volume;
  }

  bringOut({ layout, texture }: Volume): tf.TensorInfo {
    const { batch, height, width, channels } = layout;
    return this.#device.drawTensor(
      [batch, height, width, channels],
      (textureWidth) => bringOut(layout, textureWidth),
      [texture.handle],
    );
  }

  filter(shape: Shape4D): { region: Region; texture: Texture; target: Target } {
    const [height, width, channels, filters] = shape;
    const plan = new RegionPlan();
    const region = plan.add(height * width * Math.ceil(channels / 4) * 4, filters);
    const texture = this.#device.makeTexture('flat', emptyLines(1).length / 4, plan.numLines);
    const target = this.#device.makeTarget([texture]);
    this.#flats.push({ texture, target });
    return { region, texture, target };
  }

  bringInFilter(tensor: tf.TensorInfo): { region: Region; texture: Texture } {
    const from = flat(this.#device, tensor);
    this.#tensors.push(from);
    const shape = tensor.shape as Shape4D;
    const { region, texture, target } = this.filter(shape);
    this.draw(bringInFilter(shape, region, from), [from], target);
    return { region, texture };
  }

  bringOutFilter(shape: Shape4D, region: Region, texture: Texture): tf.TensorInfo {
    return this.#device.drawTensor(
      shape,
      (textureWidth) => bringOutFilter(shape, region, textureWidth),
      [texture.handle],
    );
  }

  parts(width: number, height: number): { texture: Texture; target: Target } {
    const texture = this.#device.makeTexture('layered', width, height);
    const made = { texture, target: this.#device.makeTarget([texture]) };
    this.#flats.push(made);
    return made;
  }

  dispose(): void {
    for (const volume of this.#volumes) freeVolume(this.#device, volume);
    for (const { texture, target } of this.#flats) {
      this.#device.freeTarget(target);
      this.#device.freeTexture(texture);
    }
    for (const tensor of this.#tensors) tensor.dispose();
  }
}

function inJob<T>(device: Device, work: (job: Job) => T): T {
  const job = new Job(device);
  try {
    return work(job);
  } finally {
    job.dispose();
  }
}

// ---- kernels ------------------------------------------------------------------------------------

interface ConvCall {
  readonly info: tf.backend_util.Conv2DInfo;
  /** Equal in both directions. */
  readonly stride: number;
}

/** null for convolutions of other kinds. */
function readConv(xShape: number[], filterShape: number[], attrs: Attributes): ConvCall | null {
  const { strides, pad, dataFormat, dilations = 1, dimRoundingMode } = attrs;
  if (dataFormat !== undefined && dataFormat !== 'NHWC') return null;
  const info = tf.backend_util.computeConv2DInfo(
    xShape as Shape4D,
    filterShape as Shape4D,
    strides as number | [number, number],
    dilations as number | [number, number],
    pad as 'same' | 'valid' | number,
    dimRoundingMode as 'floor' | undefined,
  );
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, inShape, outShape } = info;
  if (strideHeight !== strideWidth || dilationHeight !== 1 || dilationWidth !== 1) return null;
  if ([...inShape, ...outShape].includes(0)) return null;
  return { info, stride: strideHeight };
}

function convShape(info: tf.backend_util.Conv2DInfo, input: Layout, output: Layout): ConvShape {
  const { filterHeight, filterWidth, padInfo } = info;
  return {
    input,
    output,
    kernelHeight: filterHeight,
    kernelWidth: filterWidth,
    stride: info.strideHeight,
    padTop: padInfo.top,
    padLeft: padInfo.left,
  };
}

/** GLSL unrolls each row of a filter: long ones would make endless shaders. */
const MAX_KERNEL_WIDTH = 7;

const KERNELS: Readonly<Record<KernelName, OwnKernel>> = {
  Conv2D(device, inputs, attrs) {
    const { x, filter } = inputs as { x: tf.TensorInfo; filter: tf.TensorInfo };
    const call = readConv(x.shape, filter.shape, attrs);
    if (call?.stride !== 1 || call.info.filterWidth > MAX_KERNEL_WIDTH) return null;
    // A product alone: TensorFlow.js takes that for one, too.
    if (call.info.filterWidth === 1 && call.info.filterHeight === 1) return null;
    // Channels come in fours here: of one, three quarters of the work would be for nothing.
    if (call.info.inChannels < 4) return null;
    return inJob(device, (job) => {
      const pixels = job.bringIn(x);
      const { region, texture } = job.bringInFilter(filter);
      const output = job.volume(call.info.outShape);
      const shape = convShape(call.info, pixels.layout, output.layout);
      const program = convForward(shape, region, { hasBias: false, activation: null });
      job.draw(program, [pixels.texture, texture], output.target);
      return job.bringOut(output);
    });
  },

  Conv2DBackpropInput(device, inputs, attrs) {
    const { dy, filter } = inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
    const call = readConv(attrs.inputShape as number[], filter.shape, attrs);
    if (call?.stride !== 1 || call.info.filterWidth > MAX_KERNEL_WIDTH) return null;
    return inJob(device, (job) => {
      const gradients = job.bringIn(dy);
      const { region, texture } = job.bringInFilter(filter);
      const input = job.volume(call.info.inShape);
      const shape = convShape(call.info, input.layout, gradients.layout);
      const program = convInputGradient(shape, region, PLAIN_SINK);
      job.draw(program, [gradients.texture, texture], input.target);
      return job.bringOut(input);
    });
  },

  Conv2DBackpropFilter(device, inputs, attrs) {
    const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    const filterShape = attrs.filterShape as Shape4D;
    const call = readConv(x.shape, filterShape, attrs);
    if (!call) return null;
    return inJob(device, (job) => {
      const pixels = job.bringIn(x);
      const gradients = job.bringIn(dy);
      const { region, texture, target } = job.filter(filterShape);
      const shape = convShape(call.info, pixels.layout, gradients.layout);
      const { partial, width, height, total } = convFilterGradient(shape, region, {
        hasBias: false,
      });
      const parts = job.parts(width, height);
      job.draw(partial, [pixels.texture, gradients.texture], parts.target);
      job.draw(total, [parts.texture], target);
      return job.bringOutFilter(filterShape, region, texture);
    });
  },

  MaxPoolGrad(device, inputs, attrs) {
    const { dy, input } = inputs as { dy: tf.TensorInfo; input: tf.TensorInfo };
    const { filterSize, strides, pad, dimRoundingMode } = attrs;
    const info = tf.backend_util.computePool2DInfo(
      input.shape as Shape4D,
      filterSize as number | [number, number],
      strides as number | [number, number],
      1,
      pad as 'same' | 'valid' | number,
      dimRoundingMode as 'floor' | undefined,
    );
    const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
    const isPair = [filterHeight, filterWidth, strideHeight, strideWidth].every((n) => n === 2);
    const isInside = Object.values(padInfo).every((n) => n === 0 || typeof n === 'string');
    const hasAll = info.outHeight === info.inHeight >> 1 && info.outWidth === info.inWidth >> 1;
    if (!isPair || !isInside || !hasAll || [...input.shape, ...dy.shape].includes(0)) return null;
    return inJob(device, (job) => {
      const pixels = job.bringIn(input);
      const gradients = job.bringIn(dy);
      const output = job.volume(input.shape as Shape4D);
      const program = maxPoolPairsGradient(pixels.layout, gradients.layout, PLAIN_SINK);
      job.draw(program, [pixels.texture, gradients.texture], output.target);
      return job.bringOut(output);
    });
  },
};

// ---- registering --------------------------------------------------------------------------------

/** Why a kernel of ours is used or is not. */
export type Standing = 'used' | 'removed' | 'wrong' | 'slower';

/** What was seen of a kernel on a device. */
interface Verdict {
  readonly agrees: boolean;
  /** Time of the stock kernel over ours. */
  readonly gain: number;
  /** How long it took to find that out. */
  readonly raceMs: number;
}

const WRONG: Verdict = { agrees: false, gain: 0, raceMs: 0 };

const stock = new Map<KernelName, tf.KernelConfig>();
const verdicts = new WeakMap<Device, Map<KernelName, Verdict>>();

/**
 * Replaces the kernels of the WebGL backend, which must be the one in charge: those that are not
 * removed, agree with the stock ones on this device, and are not slower. Looks once for a device.
 *
 * @returns What became of each; nothing where WebGL is not in charge.
 */
export async function registerWebGLKernels({
  evenSlower = false,
} = {}): Promise<ReadonlyMap<KernelName, { standing: Standing; gain: number | null }>> {
  restoreStockKernels();
  const standings = new Map<KernelName, { standing: Standing; gain: number | null }>();
  const device = Device.current();
  if (!device) return standings;
  const known = verdicts.get(device) ?? new Map<KernelName, Verdict>();
  verdicts.set(device, known);
  let budgetMs = RACES_MS;
  for (const [index, name] of KERNEL_NAMES.entries()) {
    if (isRemoved(name)) {
      standings.set(name, { standing: 'removed', gain: null });
      continue;
    }
    let verdict = known.get(name);
    if (!verdict) {
      // What one leaves over is for the others, and what it takes too much is theirs.
      verdict = await judge(name, device, budgetMs / (KERNEL_NAMES.length - index));
      budgetMs = Math.max(0, budgetMs - verdict.raceMs);
      known.set(name, verdict);
    }
    const isUsed = verdict.agrees && (verdict.gain >= 1 || evenSlower);
    if (isUsed) replace(name);
    const standing = isUsed ? 'used' : verdict.agrees ? 'slower' : 'wrong';
    standings.set(name, { standing, gain: verdict.gain });
  }
  return standings;
}

function replace(name: KernelName): void {
  const original = tf.getKernel(name, BACKEND);
  if (!original) return;
  stock.set(name, original);
  tf.unregisterKernel(name, BACKEND);
  tf.registerKernel({
    ...original,
    kernelFunc(call) {
      const own = Device.of(call.backend);
      return (
        (own && KERNELS[name](own, call.inputs, call.attrs ?? {})) ?? original.kernelFunc(call)
      );
    },
  });
}

export function restoreStockKernels(): void {
  for (const [name, original] of stock) {
    tf.unregisterKernel(name, BACKEND);
    tf.registerKernel(original);
  }
  stock.clear();
}

// ---- judging ------------------------------------------------------------------------------------

/** Odd sizes, so that every edge of the layouts is met. */
const CHECK_SIDE = 13;
const CHECK_CHANNELS = 22;
const CHECK_FILTERS = 26;
/** Images: a slow device is kept busy by few, and a GPU with fewer than a batch only starts draws. */
const CHECK_BATCH = { slow: 2, fast: 64 };
/** A device that convolves the few in less is fast. The wait for it is part of this. */
const FAST_MS = 2;
/** For comparing the speed of all kernels; three runs a kernel in any case. */
const RACES_MS = 80;
/** Half floats have 11 bits, and sums of some hundred products lose some. */
const TOLERANCE = { full: 1e-4, half: 2e-2 };

/** From -1 to 1 without a pattern; no two near each other are alike, not in half floats either. */
function checkNumbers(shape: Shape4D, stride: number): tf.Tensor4D {
  const count = shape.reduce((product, size) => product * size);
  const numbers = Float32Array.from(
    { length: count },
    (_, index) => ((index * stride) % 2039) / 1019 - 1,
  );
  return tf.tensor4d(numbers, shape);
}

function checkCall(
  name: KernelName,
  batch: number,
): { inputs: Record<string, tf.Tensor>; attrs: Attributes } {
  const xShape: Shape4D = [batch, CHECK_SIDE, CHECK_SIDE, CHECK_CHANNELS];
  const filterShape: Shape4D = [3, 3, CHECK_CHANNELS, CHECK_FILTERS];
  const [conved, pooled] = [CHECK_SIDE - 2, CHECK_SIDE >> 1];
  const x = () => checkNumbers(xShape, 7919);
  const filter = () => checkNumbers(filterShape, 6007);
  const dy = () => checkNumbers([batch, conved, conved, CHECK_FILTERS], 4231);
  const attrs = { strides: 1, pad: 'valid', dataFormat: 'NHWC', dilations: 1 };
  switch (name) {
    case 'Conv2D':
      return { inputs: { x: x(), filter: filter() }, attrs };
    case 'Conv2DBackpropInput':
      return { inputs: { dy: dy(), filter: filter() }, attrs: { ...attrs, inputShape: xShape } };
    case 'Conv2DBackpropFilter':
      return { inputs: { x: x(), dy: dy() }, attrs: { ...attrs, filterShape } };
    case 'MaxPoolGrad': {
      const gradient = checkNumbers([batch, pooled, pooled, CHECK_CHANNELS], 4231);
      const pool = { filterSize: 2, strides: 2, pad: 'valid' };
      return { inputs: { dy: gradient, input: x(), output: gradient }, attrs: pool };
    }
    default:
      throw new RangeError(`Unknown kernel ${name satisfies never}.`);
  }
}

const paces = new WeakMap<Device, 'slow' | 'fast'>();

/** How fast the device is, by our own convolution. */
function paceOf(device: Device): 'slow' | 'fast' {
  const known = paces.get(device);
  if (known) return known;
  const { inputs, attrs } = checkCall('Conv2D', CHECK_BATCH.slow);
  let elapsedMs = 0;
  // The first one waits for the compiler.
  for (let turn = 0; turn < 2; turn++) {
    const startMs = performance.now();
    const output = runOwn('Conv2D', device, inputs, attrs);
    device.waitFor(output);
    elapsedMs = performance.now() - startMs;
    output.dispose();
  }
  tf.dispose(inputs);
  const pace = elapsedMs < FAST_MS ? 'fast' : 'slow';
  paces.set(device, pace);
  return pace;
}

function runOwn(
  name: KernelName,
  device: Device,
  inputs: Record<string, tf.Tensor>,
  attrs: Attributes,
): tf.Tensor {
  const info = KERNELS[name](device, inputs, attrs);
  if (!info) throw new Error(`The check of ${name} is not one of its calls.`);
  return tf.engine().makeTensorFromTensorInfo(info);
}

async function judge(name: KernelName, device: Device, budgetMs: number): Promise<Verdict> {
  const owned: tf.Tensor[] = [];
  try {
    const { inputs, attrs } = checkCall(name, CHECK_BATCH[paceOf(device)]);
    owned.push(...Object.values(inputs));
    const runStock = () => tf.engine().runKernel(name, inputs, attrs) as tf.Tensor;
    const own = runOwn(name, device, inputs, attrs);
    owned.push(own);
    const expected = runStock();
    owned.push(expected);
    // A first wait makes the device prepare for it, which is not to be timed.
    device.waitFor(own);
    device.waitFor(expected);
    const [actualNumbers, expectedNumbers] = await Promise.all([
      own.data<'float32'>(),
      expected.data<'float32'>(),
    ]);
    const tolerance = device.isHalf ? TOLERANCE.half : TOLERANCE.full;
    if (!isClose(actualNumbers, expectedNumbers, tolerance)) return WRONG;
    const finish = (run: () => tf.Tensor) => () => {
      const output = run();
      device.waitFor(output);
      output.dispose();
    };
    const startMs = performance.now();
    const gain = race(
      finish(() => runOwn(name, device, inputs, attrs)),
      finish(runStock),
      budgetMs,
    );
    return { agrees: true, gain, raceMs: performance.now() - startMs };
  } catch (error) {
    if (error instanceof WebGLDeviceError) return WRONG;
    throw error;
  } finally {
    tf.dispose(owned);
  }
}

/** Whether all numbers agree within the tolerance, a share of the largest. */
export function isClose(actual: Float32Array, expected: Float32Array, tolerance: number): boolean {
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return expected.every(
    (value, index) => Math.abs(value - (actual[index] ?? Number.NaN)) <= largest * tolerance,
  );
}
