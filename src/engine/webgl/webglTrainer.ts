/**
 * Whole training steps on WebGL: the draws of a network are planned once, forward, backward and
 * optimizer, and repeated. Weights stay in textures meanwhile; `sync` brings them to the model. A step
 * of a network with two convolutions and two dense layers is about 25 draws, where TensorFlow.js makes
 * 280.
 */
import * as tf from '@tensorflow/tfjs';
import { PIXELS, SIDE } from '../../fashion.ts';
import type { LayerKind } from '../../network/layers.ts';
import { INPUT, type PlacedNode, weightKey } from '../../network/spec.ts';
import type { Batch, OptimizerState, Trainer, TrainerRequest } from '../contract.ts';
import { Device, type ProgramSpec, type Texture, WebGLDeviceError } from './device.ts';
import { DrawPlan, MAX_BYTES, type Value } from './drawPlan.ts';
import { Images, Slabs } from './imageBytes.ts';
import { crossEntropyGradient, meanFigures, rowFigures } from './loss.ts';
import { entryOf, Graph, type Planning, takesPatches } from './nodes.ts';
import { Parameters, type Place, RegionPlan, readRegion } from './parameters.ts';
import { placePlain, planPlain } from './plainNode.ts';
import { images, NUM_RECORDS, SHARE_UNITS } from './rearrangement.ts';
import { isRemoved } from './replacements.ts';
import { layOut } from './volume.ts';

/** Batches that may wait: the device may still read the one while the other is filled. */
const MAX_WAITING = 2;

/** A batch that waits for its step, or is in it. */
interface Input {
  /** Columns of texels for each image, see `images`. */
  readonly batch: Texture;
  readonly targets: Texture;
  /** Has the images: the slabs, or what was uploaded. */
  images: Images | null;
  /** Made when first needed. */
  uploaded: Images | null;
  seed: number;
}

export interface WebGLTrainerOptions {
  /** Kinds that run by their plain definitions although there are shaders for them. */
  readonly plainKinds?: ReadonlySet<LayerKind>;
}

export class WebGLTrainer implements Trainer {
  readonly note: string | null;
  readonly #device: Device;
  readonly #request: TrainerRequest;
  readonly #plan: DrawPlan;
  readonly #parameters: Parameters;
  readonly #places: readonly Place[];
  readonly #inputs: readonly Input[];
  /** Of the rows, see `rowFigures`. */
  readonly #rowFigures: Texture;
  #numLoaded = 0;
  #numSteps = 0;
  #slabs: Slabs | null = null;

  /**
   * Plans for the WebGL backend in charge.
   * @returns null where it is another backend, or the device has not what the network needs.
   */
  static create(request: TrainerRequest, options: WebGLTrainerOptions = {}): WebGLTrainer | null {
    const device = Device.current();
    if (!device) return null;
    try {
      return new WebGLTrainer(device, request, options);
    } catch (error) {
      if (error instanceof WebGLDeviceError) return null;
      throw error;
    }
  }

  private constructor(device: Device, request: TrainerRequest, options: WebGLTrainerOptions) {
    const { network, batchSize, optimizer, optimizerState, batchNormMomentum } = request;
    this.#device = device;
    this.#request = request;
    const plainNodes = network.nodes.filter(
      ({ node }) => !entryOf(node) || options.plainKinds?.has(node.kind),
    );
    this.note = noteOn(plainNodes);
    const plainIds = new Set(plainNodes.map(({ node }) => node.id));
    const { places, numLines } = placeWeights(request, plainIds);
    this.#places = places;
    this.#parameters = new Parameters(device, {
      places,
      numLines,
      optimizer,
      state: optimizerState,
      batchNormMomentum,
      read: (key) => weightOf(request, key).read().dataSync<'float32'>(),
    });
    this.#plan = new DrawPlan(device);
    const inputs: Input[] = [];
    this.#inputs = inputs;
    try {
      const numGroups = Math.ceil(network.numClasses / 4);
      for (let turn = 0; turn < MAX_WAITING; turn++) {
        const batch = device.makeTexture('integers', batchSize, NUM_RECORDS);
        const targets = device.makeTexture('flat', numGroups, batchSize);
        inputs.push({ batch, targets, images: null, uploaded: null, seed: 0 });
      }
      this.#rowFigures = this.#plan.makeFlat(batchSize, 1);
      this.#planStep(plainIds);
      if (request.data && !isRemoved('DataSlabs')) {
        const room = MAX_BYTES - device.numBytes;
        this.#slabs = Slabs.create(device, request.data.pixels, SIDE, room);
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  // ---- planning -------------------------------------------------------------------------------

  /** Plans all draws but the optimizer's and that of the figures. */
  #planStep(plainIds: ReadonlySet<string>): void {
    const { network, batchSize, labelSmoothing, dropout } = this.#request;
    const plan = this.#plan;
    const { maxSide } = this.#device;
    const graph = new Graph(network, plainIds);
    const planning: Planning = {
      plan,
      batchSize,
      dropout,
      graph,
      places: new Map(this.#places.map((place) => [place.key, place])),
      gradients: this.#parameters.gradients,
      gradientTarget: this.#parameters.gradientTarget,
      weights: () => this.#parameters.weights,
      seed: () => this.#input.seed,
    };

    const volume = plan.makeVolume(layOut([batchSize, SIDE, SIDE, 1], maxSide));
    plan.draw(images(SIDE, volume.layout), volume.target, () => {
      const { images: source, batch } = this.#input;
      if (!source) throw new Error('A batch has no images.');
      return [source.texture, batch];
    });
    graph.values.set(
      INPUT,
      plan.addStage([], { volume }, () => {}),
    );
    for (const placed of network.nodes) {
      const { node } = placed;
      // Some are done by the one before.
      if (graph.values.has(node.id)) continue;
      const inputs = node.from.map((id) => demandValue(graph, id));
      const value = graph.isPlain(node)
        ? planPlain(planning, placed, inputs)
        : entryOf(node)?.plan(planning, placed, inputs);
      if (value) graph.values.set(node.id, value);
    }

    const logits = demandValue(graph, network.output);
    if (!logits.needsGradient) throw new WebGLDeviceError('The network has nothing to train.');
    const { layout, texture } = logits.volume;
    const figureTarget = plan.makeTarget([this.#rowFigures]);
    plan.draw(rowFigures(layout), figureTarget, () => [texture, this.#input.targets]);
    logits.numDue++;
    plan.contribute(
      logits,
      (sink) => crossEntropyGradient(layout, labelSmoothing, sink),
      () => [texture, this.#input.targets, this.#rowFigures],
    );
    plan.planBackward();
  }

  /** Of the step under way. */
  get #input(): Input {
    return this.#inputs[this.#numSteps % MAX_WAITING] as Input;
  }

  // ---- what callers do ------------------------------------------------------------------------

  /** Whether batches of rows are gathered on the device. */
  get hasSlabs(): boolean {
    return this.#slabs !== null;
  }

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

  load(batch: Batch): void {
    if (this.#numLoaded - this.#numSteps >= MAX_WAITING) {
      throw new RangeError('Two batches wait already: take a step first.');
    }
    const input = this.#inputs[this.#numLoaded % MAX_WAITING] as Input;
    this.#loadImages(batch, input);
    this.#loadTargets(batch, input);
    input.seed = batch.seed;
    this.#numLoaded++;
  }

  #loadImages({ images: source, changes, mixing }: Batch, input: Input): void {
    const { batchSize, data } = this.#request;
    if (source.kind === 'rows') {
      const missing = source.rows.find((row) => row >= (data?.numRows ?? 0));
      if (missing !== undefined) throw new RangeError(`There is no image ${missing} to train on.`);
    }
    const slabs = source.kind === 'rows' ? this.#slabs : null;
    if (slabs) {
      while (!slabs.writeSlab());
      input.images = slabs.images;
    } else {
      input.uploaded ??= new Images(this.#device, batchSize, SIDE);
      const pixels =
        source.kind === 'rows'
          ? gather(data?.pixels ?? new Uint8Array(), source.rows)
          : source.pixels;
      input.uploaded.write(pixels.subarray(0, batchSize * PIXELS));
      input.images = input.uploaded;
    }
    const records = new Int32Array(batchSize * NUM_RECORDS * 4);
    for (let index = 0; index < batchSize; index++) {
      const change = changes?.[index];
      const { isMirrored = false, right = 0, down = 0, erased = null } = change ?? {};
      const image = slabs && source.kind === 'rows' ? (source.rows[index] ?? 0) : index;
      const { left, top, width, height, fill } = erased ?? NOTHING_ERASED;
      const share = Math.round((mixing?.shares[index] ?? 1) * SHARE_UNITS);
      records.set([image, right, down, Number(isMirrored)], index * 4);
      records.set([left, top, left + width, top + height], (batchSize + index) * 4);
      records.set([fill, mixing?.partners[index] ?? 0, share, 0], (2 * batchSize + index) * 4);
    }
    this.#device.upload(input.batch, records);
  }

  #loadTargets({ targets }: Batch, input: Input): void {
    const { batchSize, network } = this.#request;
    const { numClasses } = network;
    const numColumns = Math.ceil(numClasses / 4) * 4;
    const texels = new Float32Array(batchSize * numColumns);
    for (let row = 0; row < batchSize; row++) {
      texels.set(targets.subarray(row * numClasses, (row + 1) * numClasses), row * numColumns);
    }
    this.#device.upload(input.targets, texels);
  }

  step(learningRate: number): tf.Tensor1D {
    if (this.#numSteps === this.#numLoaded) throw new RangeError('No batch waits for a step.');
    this.#plan.run();
    this.#parameters.step(learningRate);
    this.#numSteps++;
    const { batchSize } = this.#request;
    return this.#drawTensor([2], (width) => meanFigures(batchSize, width), [
      this.#rowFigures.handle,
    ]) as tf.Tensor1D;
  }

  sync(which: 'current' | 'average' = 'current'): void {
    const { weights, averages } = this.#parameters;
    const texture = which === 'average' ? averages : weights;
    if (!texture) throw new RangeError('This optimizer keeps no average of the weights.');
    for (const place of this.#places) {
      const tensor = this.#drawTensor(place.shape, (width) => readRegion(place, width), [texture]);
      weightOf(this.#request, place.key).write(tensor);
      tensor.dispose();
    }
  }

  #drawTensor(
    shape: readonly number[],
    makeProgram: (width: number) => ProgramSpec,
    textures: readonly WebGLTexture[],
  ): tf.Tensor {
    const info = this.#device.drawTensor([...shape], makeProgram, textures);
    return tf.engine().makeTensorFromTensorInfo(info);
  }

  isSound(): Promise<boolean> {
    return this.#parameters.isSound();
  }

  readOptimizerState(): Promise<OptimizerState> {
    return this.#parameters.readState();
  }

  dispose(): void {
    this.#plan.dispose();
    for (const { batch, targets, uploaded } of this.#inputs) {
      for (const texture of [batch, targets]) this.#device.freeTexture(texture);
      uploaded?.dispose();
    }
    this.#slabs?.dispose();
    this.#parameters.dispose();
  }
}

const NOTHING_ERASED = { left: 0, top: 0, width: 0, height: 0, fill: 0 };

/** A place for each weight of a network. */
function placeWeights(
  { network }: TrainerRequest,
  plainIds: ReadonlySet<string>,
): { readonly places: readonly Place[]; readonly numLines: number } {
  const regions = new RegionPlan();
  /** Ids of what weights come before. */
  const trained = new Set<string>();
  const places: Place[] = [];
  for (const placed of network.nodes) {
    const { node, weights } = placed;
    const needsGradient = node.from.some((id) => trained.has(id));
    if (needsGradient || weights.some(({ role }) => role !== 'statistic')) trained.add(node.id);
    const rows = plainIds.has(node.id)
      ? placePlain(regions, placed)
      : entryOf(node)?.place?.(regions, placed, takesPatches(placed, needsGradient));
    for (const { name, shape, role } of weights) {
      const own = rows?.[name];
      if (!own) throw new Error(`The weight ${name} of ${node.id} has no place.`);
      places.push({ ...own, key: weightKey(node.id, name), shape, role });
    }
  }
  return { places, numLines: Math.max(1, regions.numLines) };
}

/** Told once for each network. */
const told = new Set<string>();

function noteOn(plainNodes: readonly PlacedNode[]): string | null {
  if (plainNodes.length === 0) return null;
  const ids = plainNodes.map(({ node }) => node.id).join(', ');
  const note = `WebGL has no shaders of ours for ${ids}: slower operations of TensorFlow.js run there.`;
  if (!told.has(note)) console.info(note);
  told.add(note);
  return note;
}

function demandValue(graph: Graph, id: string): Value {
  const value = graph.values.get(id);
  if (!value) throw new Error(`Nothing was planned for ${id}.`);
  return value;
}

function weightOf({ weights }: TrainerRequest, key: string) {
  const weight = weights.get(key);
  if (!weight) throw new RangeError(`The network is to train without the weight ${key}.`);
  return weight;
}

/** The images in these rows. */
function gather(pixels: Uint8Array, rows: Uint32Array): Uint8Array {
  const gathered = new Uint8Array(rows.length * PIXELS);
  rows.forEach((row, index) => {
    gathered.set(pixels.subarray(row * PIXELS, (row + 1) * PIXELS), index * PIXELS);
  });
  return gathered;
}
