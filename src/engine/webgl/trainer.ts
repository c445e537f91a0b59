/**
 * Owns whole training steps on WebGL: plans the draws of a network once, forward, backward and
 * optimizer, and repeats them. Weights stay in the plan's textures meanwhile; `sync` brings them to
 * the tf.layers model. A step of a network with two convolutions and two dense layers is about 25
 * draws, where TensorFlow.js makes 280.
 *
 * ReLU is never a draw: it is done by whoever writes its output, and whoever writes the gradient by
 * that output masks it.
 */
import * as tf from '@tensorflow/tfjs';
import type {
  Trainer,
  TrainerRequest,
  TrainingBatch,
  TrainingData,
  TrainingLayer,
  Weight,
} from '../trainer.ts';
import {
  type ConvShape,
  convFilterGradient,
  convForward,
  convInputGradient,
  pointwise,
} from './convolution.ts';
import { Device, type ProgramSpec, type Target, type Texture, WebGLDeviceError } from './device.ts';
import { crossEntropyGradient, figures } from './loss.ts';
import {
  batchMoments,
  normalize,
  normalizeGradient,
  pictureGradients,
  pictureMoments,
  weightGradients,
} from './normalization.ts';
import {
  emptyLines,
  fillRegion,
  NUM_MAGNITUDES,
  Parameters,
  type Region,
  RegionPlan,
  readRegion,
  sumMagnitudes,
  targetOf,
} from './parameters.ts';
import { Pictures, Slabs } from './pictures.ts';
import {
  averagePictures,
  averagePicturesGradient,
  dropout,
  dropoutSeed,
  flatten,
  flattenGradient,
  maxPool,
  maxPoolGradient,
  patches,
} from './rearrangement.ts';
import { isRemoved } from './replacements.ts';
import {
  freeVolume,
  type Layout,
  layOut,
  layOutMatrix,
  makeVolume,
  type Volume,
} from './volume.ts';

/** Textures of a plan are not to take more than this: the tab is not alone on the device. */
const MAX_BYTES = 1.5 * 2 ** 30;

/** A weight of the model, and where the plan has it. */
interface Slot {
  readonly weight: Weight;
  readonly region: Region;
  readonly firstRow: number;
  /** Of the texture that has it at the moment. */
  readonly texture: () => WebGLTexture;
}

/** A batch that waits for its step, or is in it. */
interface Input {
  /** A texel for each picture, see `patches`. */
  readonly batch: Texture;
  /** Has the pictures: the slabs, or what was uploaded. */
  pictures: Pictures | null;
  /** Made when first needed. */
  uploaded: Pictures | null;
  seed: number;
}

/** What a layer made. `isRelu`: it went through ReLU. */
interface Value {
  readonly volume: Volume;
  readonly isRelu: boolean;
}

/** Plans the draws backward through a layer, and gives the gradient by its input. */
type Backward = (gradient: Volume) => Volume | null;

interface Stage {
  readonly output: Value;
  readonly backward: Backward;
}

export class WebGLTrainer implements Trainer {
  readonly #device: Device;
  readonly #request: TrainerRequest;
  readonly #parameters: Parameters;
  readonly #slots: Slot[] = [];
  readonly #textures = new Set<Texture>();
  readonly #targets = new Set<Target>();
  readonly #volumes = new Set<Volume>();
  /** Free again further on in the plan. */
  #spare: Volume[] = [];
  #draws: (() => void)[] = [];
  /** Changes sides where a draw would write what it reads. */
  readonly #flips: (() => void)[] = [];
  /** Taken in turn: the device may still read the one while the other is filled. */
  readonly #inputs: Input[] = [];
  #numLoaded = 0;
  #numSteps = 0;
  #slabs: Slabs | null = null;
  #numDropouts = 0;
  readonly #logits: Volume;

  /**
   * Plans for the WebGL backend in charge.
   * @returns null where it is another backend, or the device or the network do not suit.
   */
  static create(request: TrainerRequest): WebGLTrainer | null {
    const device = Device.current();
    if (!device || request.batchSize % 4 !== 0) return null;
    try {
      return new WebGLTrainer(device, request);
    } catch (error) {
      if (error instanceof WebGLDeviceError) return null;
      throw error;
    }
  }

  private constructor(device: Device, request: TrainerRequest) {
    this.#device = device;
    this.#request = request;
    const { regions, numLines, values } = this.#placeWeights();
    this.#parameters = new Parameters(device, numLines, values);
    try {
      this.#logits = this.#plan(regions);
      this.#parameters.prepare(request.optimizer);
      if (request.data && !isRemoved('DataSlabs')) {
        const room = MAX_BYTES - device.numBytes;
        this.#slabs = Slabs.create(device, request.data.pixels, request.side, room);
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  // ---- what callers do ------------------------------------------------------------------------

  /** Whether batches of rows are gathered on the device. */
  get hasSlabs(): boolean {
    return this.#slabs !== null;
  }

  /** Resolves when the data is on the device and the shaders are compiled, as far as that tells. */
  async prepare(): Promise<void> {
    // The programs are with the compiler meanwhile.
    while (this.#slabs && !this.#slabs.writeSlab()) await new Promise((next) => setTimeout(next));
    if (this.#slabs && this.#device.hasRunOut()) {
      // Some drivers take memory for a texture only when it is filled.
      this.#slabs.dispose();
      this.#slabs = null;
    }
    await this.#device.compiled();
  }

  load(batch: TrainingBatch): void {
    const { batchSize, side } = this.#request;
    const input = this.#inputs[this.#numLoaded % this.#inputs.length];
    if (!input || this.#numLoaded - this.#numSteps >= this.#inputs.length) {
      throw new RangeError('Two batches wait already: take a step first.');
    }
    const { pixels, labels } = batch.kind === 'rows' ? this.#data : batch;
    const slabs = batch.kind === 'rows' ? this.#slabs : null;
    const texels = new Int32Array(batchSize * 4);
    for (let index = 0; index < batchSize; index++) {
      const picture = batch.kind === 'rows' ? (batch.rows[index] ?? -1) : index;
      const label = labels[picture];
      if (label === undefined)
        throw new RangeError(`There is no picture ${picture} to learn from.`);
      const change = batch.kind === 'rows' ? batch.changes.subarray(index * 3, index * 3 + 3) : [];
      const [isMirrored = 0, right = 0, down = 0] = change;
      texels.set([slabs ? picture : index, right, down, label * 2 + isMirrored], index * 4);
    }
    if (slabs) {
      while (!slabs.writeSlab());
      input.pictures = slabs.pictures;
    } else {
      input.uploaded ??= new Pictures(this.#device, batchSize, side);
      input.uploaded.write(batch.kind === 'rows' ? gather(pixels, batch.rows, side ** 2) : pixels);
      input.pictures = input.uploaded;
    }
    this.#device.upload(input.batch, texels);
    input.seed = batch.seed;
    this.#numLoaded++;
  }

  get #data(): TrainingData {
    const { data } = this.#request;
    if (!data) throw new RangeError('There is no data to take rows from.');
    return data;
  }

  step(learningRate: number): tf.Tensor1D {
    if (this.#numSteps === this.#numLoaded) throw new RangeError('No batch waits for a step.');
    for (const draw of this.#draws) draw();
    this.#parameters.step(this.#request.optimizer, learningRate);
    const result = this.#device.drawTensor([2], (width) => figures(this.#logits.layout, width), [
      this.#logits.texture.handle,
      this.#input.batch.handle,
    ]);
    for (const flip of this.#flips) flip();
    this.#numSteps++;
    return tf.engine().makeTensorFromTensorInfo(result) as tf.Tensor1D;
  }

  /** Writes the weights as they are now into the model. Does not wait. */
  sync(): void {
    for (const { weight, region, firstRow, texture } of this.#slots) {
      const info = this.#device.drawTensor(
        weight.read().shape,
        (width) => readRegion(region, firstRow, width),
        [texture()],
      );
      const tensor = tf.engine().makeTensorFromTensorInfo(info);
      weight.write(tensor);
      tensor.dispose();
    }
  }

  /** Whether all weights are numbers. Waits for the device. */
  async isSound(): Promise<boolean> {
    const { numLines, weights } = this.#parameters;
    const info = this.#device.drawTensor(
      [NUM_MAGNITUDES],
      (width) => sumMagnitudes(numLines, width),
      [weights],
    );
    const tensor = tf.engine().makeTensorFromTensorInfo(info);
    const sums = await tensor.data<'float32'>();
    tensor.dispose();
    return sums.every(Number.isFinite);
  }

  /** Frees everything; the model keeps the weights of the last `sync`. */
  dispose(): void {
    for (const volume of this.#volumes) freeVolume(this.#device, volume);
    for (const target of this.#targets) this.#device.freeTarget(target);
    for (const texture of this.#textures) this.#device.freeTexture(texture);
    for (const { uploaded } of this.#inputs) uploaded?.dispose();
    this.#slabs?.dispose();
    this.#parameters.dispose();
  }

  // ---- weights --------------------------------------------------------------------------------

  /** A region for each layer that has weights, and what the texture has at the start. */
  #placeWeights(): { regions: (Region | null)[]; numLines: number; values: Float32Array } {
    const { layers, weights, side } = this.#request;
    const plan = new RegionPlan();
    const unread = [...weights];
    const fills: { region: Region; firstRow: number; weight: Weight }[] = [];
    const take = (region: Region, firstRow: number) => {
      const weight = unread.shift();
      if (!weight) throw new WebGLDeviceError('The network has more layers than weights.');
      fills.push({ region, firstRow, weight });
      this.#slots.push({ weight, region, firstRow, texture: () => this.#parameters.weights });
    };
    let channels = 1;
    let pixels = side * side;
    let rowLength = side;
    const regions = layers.map((layer): Region | null => {
      switch (layer.kind) {
        case 'conv': {
          const rows = layer.kernel ** 2 * channels;
          const region = plan.add(rows + (layer.hasBias ? 1 : 0), layer.filters);
          take(region, 0);
          if (layer.hasBias) take(region, rows);
          channels = layer.filters;
          if (layer.padding === 'valid') rowLength -= layer.kernel - 1;
          pixels = rowLength ** 2;
          return region;
        }
        case 'dense': {
          const region = plan.add(channels + 1, layer.units);
          take(region, 0);
          take(region, channels);
          channels = layer.units;
          return region;
        }
        case 'batchNorm': {
          const region = plan.add(2, channels);
          take(region, 0);
          take(region, 1);
          return region;
        }
        case 'maxPool':
          rowLength = Math.floor(rowLength / 2);
          pixels = rowLength ** 2;
          return null;
        case 'flatten':
          channels *= pixels;
          return null;
        case 'globalAveragePool':
        case 'relu':
        case 'dropout':
          return null;
        default:
          throw new RangeError(`Unknown layer ${layer satisfies never}.`);
      }
    });
    const values = emptyLines(plan.numLines);
    for (const { region, firstRow, weight } of fills) {
      fillRegion(values, region, firstRow, weight.read().dataSync());
    }
    return { regions, numLines: plan.numLines, values };
  }

  // ---- planning -------------------------------------------------------------------------------

  /** Plans all draws but the optimizer's. Gives the logits. */
  #plan(regions: readonly (Region | null)[]): Volume {
    const { layers, labelSmoothing } = this.#request;
    const stages: Stage[] = [];
    const unread = [...this.#request.trackedWeights];
    /** A ReLU waits for the pooling after it, which leaves fewer numbers. */
    let isReluDue = false;
    layers.forEach((layer, index) => {
      const input = stages.at(-1)?.output ?? null;
      const next = layers[index + 1]?.kind;
      const isActive = 'activation' in layer && layer.activation === 'relu';
      const relu = isActive || isReluDue || next === 'relu';
      const region = regions[index] ?? null;
      switch (layer.kind) {
        case 'conv': {
          const isPooledNext = (next === 'relu' ? layers[index + 2]?.kind : next) === 'maxPool';
          isReluDue = relu && isPooledNext;
          stages.push(this.#planConv(layer, input, demand(region), relu && !isPooledNext));
          break;
        }
        case 'dense':
          stages.push(this.#planDense(layer.units, demand(input), demand(region), relu));
          break;
        case 'batchNorm': {
          const tracked = [unread.shift(), unread.shift()] as const;
          stages.push(this.#planBatchNorm(demand(input), demand(region), tracked, relu));
          break;
        }
        case 'maxPool':
          stages.push(this.#planPool(demand(input), relu));
          isReluDue = false;
          break;
        case 'globalAveragePool':
        case 'flatten':
          stages.push(this.#planMatrix(layer.kind, demand(input)));
          break;
        case 'dropout':
          if (this.#request.dropout > 0) stages.push(this.#planDropout(demand(input)));
          break;
        case 'relu': {
          const before = layers[index - 1]?.kind;
          if (before !== 'conv' && before !== 'batchNorm' && before !== 'maxPool') {
            throw new WebGLDeviceError('Nothing before this ReLU can do it.');
          }
          break;
        }
        default:
          throw new RangeError(`Unknown layer ${layer satisfies never}.`);
      }
    });

    const logits = demand(stages.at(-1)?.output ?? null).volume;
    let gradient: Volume | null = this.#makeVolume(logits.layout);
    this.#draw(crossEntropyGradient(logits.layout, labelSmoothing), gradient.target, () => [
      logits.texture,
      this.#input.batch,
    ]);
    for (const { output, backward } of stages.toReversed()) {
      if (!gradient) break;
      const before: Volume | null = backward(gradient);
      this.#spare.push(gradient);
      // The figures are drawn last.
      if (output.volume !== logits) this.#spare.push(output.volume);
      gradient = before;
    }
    this.#spare = [];
    return logits;
  }

  #planConv(
    layer: Extract<TrainingLayer, { kind: 'conv' }>,
    input: Value | null,
    filter: Region,
    relu: boolean,
  ): Stage {
    const { side, batchSize } = this.#request;
    const { kernel, filters, hasBias, padding } = layer;
    const [height, width] = input
      ? [input.volume.layout.height, input.volume.layout.width]
      : [side, side];
    const lost = padding === 'same' ? 0 : kernel - 1;
    // As TensorFlow.js pads: of an odd number of zeros, the smaller half comes first.
    const pad = padding === 'same' ? Math.floor((kernel - 1) / 2) : 0;
    const output = this.#makeVolume(
      this.#layOut([batchSize, height - lost, width - lost, filters]),
    );
    const { source, shape } = input
      ? {
          source: input,
          shape: {
            input: input.volume.layout,
            output: output.layout,
            kernelHeight: kernel,
            kernelWidth: kernel,
            padTop: pad,
            padLeft: pad,
          },
        }
      : this.#planPictures(kernel, pad, hasBias, output.layout);
    return this.#planProduct(shape, source, output, filter, {
      // The patches have ones for it.
      bias: hasBias && input !== null,
      relu,
      needsInputGradient: input !== null,
    });
  }

  /** The pictures as patches: the first convolution is a product then. */
  #planPictures(
    kernel: number,
    pad: number,
    hasOnes: boolean,
    output: Layout,
  ): { source: Value; shape: ConvShape } {
    const { side, batchSize } = this.#request;
    for (let turn = 0; turn < 2; turn++) {
      const batch = this.#device.makeTexture('integers', batchSize, 1);
      this.#textures.add(batch);
      this.#inputs.push({ batch, pictures: null, uploaded: null, seed: 0 });
    }
    const { height, width } = output;
    const channels = kernel ** 2 + (hasOnes ? 1 : 0);
    const volume = this.#makeVolume(this.#layOut([batchSize, height, width, channels]));
    const shape = {
      side,
      kernelHeight: kernel,
      kernelWidth: kernel,
      padTop: pad,
      padLeft: pad,
      hasOnes,
    };
    this.#draw(patches(shape, volume.layout), volume.target, () => {
      const { pictures, batch } = this.#input;
      return [demand(pictures).texture, batch];
    });
    return { source: { volume, isRelu: false }, shape: pointwise(volume.layout, output) };
  }

  #planDense(units: number, input: Value, filter: Region, relu: boolean): Stage {
    const { layout } = input.volume;
    if (layout.height !== 1 || layout.width !== 4) {
      throw new WebGLDeviceError('A dense layer takes a matrix.');
    }
    const output = this.#makeVolume(this.#layOut([layout.batch, 1, 4, units]));
    return this.#planProduct(pointwise(layout, output.layout), input, output, filter, {
      bias: true,
      relu,
      needsInputGradient: true,
    });
  }

  #planProduct(
    shape: ConvShape,
    input: Value,
    output: Volume,
    filter: Region,
    options: { bias: boolean; relu: boolean; needsInputGradient: boolean },
  ): Stage {
    const { bias, relu, needsInputGradient } = options;
    const inputs = input.volume;
    if (inputs.layout.channels % 4 !== 0 && needsInputGradient) {
      throw new WebGLDeviceError('Channels come in fours here.');
    }
    const parameters = () => this.#parameters;
    this.#draw(convForward(shape, filter, { bias, relu }), output.target, () => [
      inputs.texture,
      parameters().weights,
    ]);
    return {
      output: { volume: output, isRelu: relu },
      backward: (gradient) => {
        const { partial, width, height, total } = convFilterGradient(shape, filter, {
          bias,
          stride: 1,
        });
        const parts = this.#device.makeTexture('layered', width, height);
        this.#textures.add(parts);
        const partTarget = this.#makeTarget([parts]);
        this.#draw(partial, partTarget, () => [inputs.texture, gradient.texture]);
        this.#draw(total, targetOf(filter, this.#parameters.gradientTarget), () => [parts]);
        if (!needsInputGradient) return null;
        const before = this.#makeVolume(inputs.layout);
        this.#draw(convInputGradient(shape, filter, input.isRelu), before.target, () => [
          gradient.texture,
          parameters().weights,
          inputs.texture,
        ]);
        return before;
      },
    };
  }

  #planPool(input: Value, relu: boolean): Stage {
    const { layout } = input.volume;
    const { batch, height, width, channels } = layout;
    const output = this.#makeVolume(
      this.#layOut([batch, Math.floor(height / 2), Math.floor(width / 2), channels]),
    );
    this.#draw(maxPool(layout, output.layout, relu), output.target, () => [input.volume.texture]);
    return {
      output: { volume: output, isRelu: relu },
      backward: (gradient) => {
        const before = this.#makeVolume(layout);
        this.#draw(maxPoolGradient(layout, output.layout, input.isRelu), before.target, () => [
          input.volume.texture,
          gradient.texture,
        ]);
        return before;
      },
    };
  }

  /** Pictures become rows. */
  #planMatrix(kind: 'flatten' | 'globalAveragePool', input: Value): Stage {
    const { layout, texture } = input.volume;
    const isFlat = kind === 'flatten';
    const columns = layout.channels * (isFlat ? layout.height * layout.width : 1);
    if (layout.channels % 4 !== 0) throw new WebGLDeviceError('Channels come in fours here.');
    const output = this.#makeVolume(layOutMatrix(layout.batch, columns, this.#device.maxSide));
    const [forward, gradientOf] = isFlat
      ? [flatten, flattenGradient]
      : [averagePictures, averagePicturesGradient];
    this.#draw(forward(layout, output.layout), output.target, () => [texture]);
    return {
      output: { volume: output, isRelu: false },
      backward: (gradient) => {
        const before = this.#makeVolume(layout);
        this.#draw(gradientOf(layout, output.layout, input.isRelu), before.target, () => [
          gradient.texture,
          texture,
        ]);
        return before;
      },
    };
  }

  #planDropout(input: Value): Stage {
    const { layout, texture } = input.volume;
    const index = this.#numDropouts++;
    const uniforms = () => ({
      seed: dropoutSeed(this.#input.seed, index),
      rate: this.#request.dropout,
    });
    const output = this.#makeVolume(layout);
    this.#draw(dropout(layout, false), output.target, () => [texture], uniforms);
    return {
      output: { volume: output, isRelu: false },
      backward: (gradient) => {
        const before = this.#makeVolume(layout);
        this.#draw(
          dropout(layout, input.isRelu),
          before.target,
          () => [gradient.texture, texture],
          uniforms,
        );
        return before;
      },
    };
  }

  #planBatchNorm(
    input: Value,
    region: Region,
    tracked: readonly [Weight | undefined, Weight | undefined],
    relu: boolean,
  ): Stage {
    const { layout, texture } = input.volume;
    const { groups, batch } = layout;
    if (layout.channels % 4 !== 0) throw new WebGLDeviceError('Channels come in fours here.');
    const [means, variances] = [this.#makeFlat(groups, batch), this.#makeFlat(groups, batch)];
    const [mean, inverse] = [this.#makeFlat(groups, 1), this.#makeFlat(groups, 1)];
    const makeSide = () => {
      const [trackedMean, trackedVariance] = [this.#makeFlat(groups, 1), this.#makeFlat(groups, 1)];
      const target = this.#makeTarget([mean, inverse, trackedMean, trackedVariance]);
      return { textures: [trackedMean, trackedVariance] as const, target };
    };
    let [now, next] = [makeSide(), makeSide()];
    this.#flips.push(() => {
      [now, next] = [next, now];
    });
    tracked.forEach((weight, index) => {
      if (!weight) throw new WebGLDeviceError('The network has more layers than weights.');
      const values = new Float32Array(groups * 4);
      values.set(weight.read().dataSync<'float32'>());
      this.#device.upload(now.textures[index as 0 | 1], values);
      const place = { ...region, rows: 1, start: 0 };
      const current = () => now.textures[index as 0 | 1].handle;
      this.#slots.push({ weight, region: place, firstRow: 0, texture: current });
    });

    const { epsilon, momentum } = this.#request;
    this.#draw(pictureMoments(layout), this.#makeTarget([means, variances]), () => [texture]);
    this.#draw(
      batchMoments(layout, { epsilon, momentum }),
      () => next.target,
      () => [means, variances, ...now.textures],
    );
    const output = this.#makeVolume(layout);
    this.#draw(normalize(layout, region, relu), output.target, () => [
      texture,
      mean,
      inverse,
      this.#parameters.weights,
    ]);
    return {
      output: { volume: output, isRelu: relu },
      backward: (gradient) => {
        const { gradients, gradientTarget } = this.#parameters;
        // The sums of pictures take the place of their moments.
        const [sums, products] = [means, variances];
        this.#draw(pictureGradients(layout), this.#makeTarget([sums, products]), () => [
          texture,
          gradient.texture,
          mean,
          inverse,
        ]);
        this.#draw(weightGradients(layout, region), targetOf(region, gradientTarget), () => [
          sums,
          products,
        ]);
        const before = this.#makeVolume(layout);
        this.#draw(normalizeGradient(layout, region, input.isRelu), before.target, () => [
          texture,
          gradient.texture,
          mean,
          inverse,
          this.#parameters.weights,
          gradients,
        ]);
        return before;
      },
    };
  }

  // ---- means of planning ----------------------------------------------------------------------

  /** Of the step under way. */
  get #input(): Input {
    return demand(this.#inputs[this.#numSteps % this.#inputs.length] ?? null);
  }

  #layOut(shape: readonly [number, number, number, number]): Layout {
    return layOut(shape, this.#device.maxSide);
  }

  #makeVolume(layout: Layout): Volume {
    const { textureWidth, textureHeight } = layout;
    const index = this.#spare.findIndex(
      ({ texture }) => texture.width === textureWidth && texture.height === textureHeight,
    );
    const [spare] = index < 0 ? [] : this.#spare.splice(index, 1);
    if (spare) return { ...spare, layout };
    if (this.#device.numBytes > MAX_BYTES) {
      throw new WebGLDeviceError('The network takes too much memory with this batch size.');
    }
    const volume = makeVolume(this.#device, layout);
    this.#volumes.add(volume);
    return volume;
  }

  #makeFlat(width: number, height: number): Texture {
    const texture = this.#device.makeTexture('flat', width, height);
    this.#textures.add(texture);
    return texture;
  }

  #makeTarget(textures: readonly [Texture, ...Texture[]]): Target {
    const target = this.#device.makeTarget(textures);
    this.#targets.add(target);
    return target;
  }

  /** Adds a draw to the plan. What it reads is asked for each time. */
  #draw(
    spec: ProgramSpec,
    target: Target | (() => Target),
    textures: () => readonly (Texture | WebGLTexture)[],
    uniforms?: () => Readonly<Record<string, number>>,
  ): void {
    const program = this.#device.program(spec);
    const numTextures = Object.keys(spec.samplers).length;
    this.#draws.push(() => {
      const handles = textures()
        .slice(0, numTextures)
        .map((texture) => ('handle' in texture ? texture.handle : texture));
      this.#device.draw(
        program,
        handles,
        typeof target === 'function' ? target() : target,
        uniforms?.(),
      );
    });
  }
}

/** The pictures of `area` pixels in these rows. */
function gather(pixels: Uint8Array, rows: Uint32Array, area: number): Uint8Array {
  const gathered = new Uint8Array(rows.length * area);
  rows.forEach((row, index) => {
    gathered.set(pixels.subarray(row * area, (row + 1) * area), index * area);
  });
  return gathered;
}

function demand<T>(value: T | null): T {
  if (value === null) throw new WebGLDeviceError('The layers do not fit together.');
  return value;
}
