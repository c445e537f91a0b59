/**
 * Training on the CPU engine: a network's whole step, planned once as a list of kernel calls over
 * memory of its own, without tensors of TensorFlow.js in between. Weights, their gradients and what
 * the optimizer keeps lie in one region each, in the same order, so that the optimizer is one call
 * or two.
 */
import * as tf from '@tensorflow/tfjs';
import { PIXELS, SIDE } from '../../fashion.ts';
import { type LayerKind, sizeOf, type WeightRole } from '../../network/layers.ts';
import { type NetworkNode, weightKey } from '../../network/spec.ts';
import { averageDecayAt } from '../averageDecay.ts';
import type {
  Batch,
  ImageChange,
  ModelWeight,
  OptimizerState,
  Trainer,
  TrainerRequest,
} from '../contract.ts';
import { LINE_BYTES } from './allocator.ts';
import { SimdBackend } from './backend.ts';
import type { Kernels } from './kernels.ts';
import { notePlain, planPlain } from './plainOperation.ts';
import { type NodeTime, Plan, type WeightPlace } from './plan.ts';
import { OPERATIONS, type OperationTable, operationOf } from './planOperations.ts';

/** Keeps Adam from dividing by nothing. */
const ADAM_EPSILON = 1e-7;

/** 32-bit numbers that say how one image is changed; see assembly/imageBatch.ts. */
const CHANGE_WORDS = 8;

const NUM_SLOTS = 2;

export interface SimdTrainerOptions {
  /** Keeps account of where the time goes, for `profile`. Default: no. */
  readonly isProfiled?: boolean;
  /** Kinds of nodes that have kernels; default: all there are. For tests. */
  readonly operations?: OperationTable;
}

/** A weight's place in the regions. */
interface PlacedWeight {
  readonly key: string;
  readonly role: WeightRole;
  readonly shape: readonly number[];
  readonly weight: ModelWeight;
  /** Numbers from the start of a region. */
  readonly offset: number;
  readonly count: number;
}

/** All weights in their order: kernels, then what else is trained, then statistics. */
interface WeightLayout {
  readonly weights: readonly PlacedWeight[];
  /** Numbers up to which kernels reach, those that are trained, and all. */
  readonly numKernels: number;
  readonly numTrained: number;
  readonly numValues: number;
}

/** A batch that waits for its step. Addresses in bytes. */
interface BatchSlot {
  readonly bytes: number;
  readonly changes: number;
  readonly partners: number;
  readonly shares: number;
  readonly targets: number;
  isChanged: boolean;
  isMixed: boolean;
  seed: number;
}

export class SimdTrainer implements Trainer {
  readonly note: string | null;
  readonly #request: TrainerRequest;
  readonly #kernels: Kernels;
  readonly #layout: WeightLayout;
  readonly #plan: Plan;
  readonly #isProfiled: boolean;
  /** Start of each region, by name; 0 where it is not kept. */
  readonly #regions: {
    readonly values: number;
    readonly gradients: number;
    /** The batch's own statistics. */
    readonly observed: number;
    readonly first: number;
    readonly second: number;
    readonly average: number;
    /** Partial sums of the gradients' length. */
    readonly partials: number;
    /** Loss and accuracy. */
    readonly figures: number;
  };
  readonly #slots: readonly BatchSlot[];
  readonly #allocated: number[] = [];
  #numLoaded = 0;
  #numTaken = 0;
  #numSteps: number;
  #optimizerMs = 0;

  /**
   * @returns null where another backend than the CPU engine's is in charge.
   * @throws {OutOfMemoryError}
   */
  static create(request: TrainerRequest, options: SimdTrainerOptions = {}): SimdTrainer | null {
    const backend = tf.backend();
    return backend instanceof SimdBackend
      ? new SimdTrainer(backend.kernels, request, options)
      : null;
  }

  private constructor(
    kernels: Kernels,
    request: TrainerRequest,
    { isProfiled = false, operations = OPERATIONS }: SimdTrainerOptions,
  ) {
    this.#kernels = kernels;
    this.#request = request;
    this.#isProfiled = isProfiled;
    this.#numSteps = request.optimizerState?.numSteps ?? 0;
    this.#layout = layOutWeights(request);
    const plain: NetworkNode[] = [];
    try {
      this.#regions = this.#allocateRegions();
      this.#slots = Array.from({ length: NUM_SLOTS }, () => this.#allocateSlot());
      this.#readWeights();
      this.#plan = this.#makePlan(operations, plain);
    } catch (error) {
      this.#free();
      throw error;
    }
    const notes = new Set(plain.map(notePlain));
    this.note = notes.size > 0 ? [...notes].join(' ') : null;
  }

  // ---- what callers do ------------------------------------------------------------------------

  /** Bytes that the step's activations, gradients of activations and workspace take. */
  get plannedBytes(): number {
    return this.#plan.bytes;
  }

  async prepare(): Promise<void> {}

  load(batch: Batch): void {
    const { batchSize, network } = this.#request;
    const slot = this.#slots[this.#numLoaded % NUM_SLOTS];
    if (!slot || this.#numLoaded - this.#numTaken >= NUM_SLOTS) {
      throw new RangeError('Two batches wait already: take a step first.');
    }
    const { u8, i32, f32 } = this.#kernels;
    if (batch.images.kind === 'pixels') {
      checkLength('pixels', batch.images.pixels, batchSize * PIXELS);
      u8.set(batch.images.pixels, slot.bytes);
    } else {
      checkLength('rows', batch.images.rows, batchSize);
      const { data } = this.#request;
      let to = slot.bytes;
      for (const row of batch.images.rows) {
        if (!data || row >= data.numRows) throw new RangeError(`There is no image ${row}.`);
        u8.set(data.pixels.subarray(row * PIXELS, (row + 1) * PIXELS), to);
        to += PIXELS;
      }
    }
    checkLength('targets', batch.targets, batchSize * network.numClasses);
    f32.set(batch.targets, slot.targets / 4);
    if (batch.changes) {
      checkLength('changes', batch.changes, batchSize);
      batch.changes.forEach((change, index) => {
        i32.set(changeWords(change), slot.changes / 4 + index * CHANGE_WORDS);
      });
    }
    if (batch.mixing) {
      const { partners, shares } = batch.mixing;
      checkLength('partners', partners, batchSize);
      checkLength('shares', shares, batchSize);
      const stranger = partners.find((partner) => partner >= batchSize);
      if (stranger !== undefined) throw new RangeError(`A batch has no image ${stranger}.`);
      i32.set(partners, slot.partners / 4);
      f32.set(shares, slot.shares / 4);
    }
    slot.isChanged = batch.changes !== null;
    slot.isMixed = batch.mixing !== null;
    slot.seed = batch.seed | 0;
    this.#numLoaded++;
  }

  step(learningRate: number): tf.Tensor1D {
    if (this.#numTaken === this.#numLoaded) {
      throw new RangeError('No batch waits: load one first.');
    }
    this.#plan.state.seed = this.#slot.seed;
    this.#plan.run(this.#isProfiled);
    this.#numTaken++;
    this.#numSteps++;
    const startMs = this.#isProfiled ? performance.now() : 0;
    this.#update(learningRate);
    if (this.#isProfiled) this.#optimizerMs += performance.now() - startMs;
    return tf.tensor1d(this.#read(this.#regions.figures, 2));
  }

  sync(which: 'current' | 'average' = 'current'): void {
    const { values, average } = this.#regions;
    const from = which === 'average' ? average : values;
    if (!from) throw new RangeError('This optimizer keeps no average of the weights.');
    for (const { weight, offset, count, shape } of this.#layout.weights) {
      // A copy of its own: the memory here changes with the next step.
      const value = tf.tensor(this.#read(from + offset * 4, count), [...shape]);
      weight.write(value);
      value.dispose();
    }
  }

  async isSound(): Promise<boolean> {
    return Number.isFinite(this.#sumOfSquares(this.#regions.values, this.#layout.numValues));
  }

  async readOptimizerState(): Promise<OptimizerState> {
    const { first, second, average } = this.#regions;
    const [firstName, secondName] = this.#slotNames;
    const slots: Record<string, Record<string, Float32Array>> = {};
    for (const { key, role, offset, count } of this.#layout.weights) {
      const own: Record<string, Float32Array> = {};
      const isTrained = role !== 'statistic';
      if (isTrained) own[firstName] = this.#read(first + offset * 4, count);
      if (isTrained && second) own[secondName] = this.#read(second + offset * 4, count);
      if (average) own.average = this.#read(average + offset * 4, count);
      slots[key] = own;
    }
    return { numSteps: this.#numSteps, slots };
  }

  dispose(): void {
    this.#plan.dispose();
    this.#free();
  }

  /**
   * Where the time of all steps went, by node and direction, the longest first; riders count with the
   * node that they ride along with, "input" is the images and "optimizer" all that follows the
   * gradients. Empty unless asked for when the trainer was made.
   */
  profile(): readonly NodeTime[] {
    if (!this.#isProfiled) return [];
    return [
      ...this.#plan.times,
      { id: 'optimizer', direction: 'backward' as const, elapsedMs: this.#optimizerMs },
    ].toSorted((a, b) => b.elapsedMs - a.elapsedMs);
  }

  // ---- memory ---------------------------------------------------------------------------------

  get #slotNames(): readonly [first: string, second: string] {
    return this.#request.optimizer.rule.kind === 'adam'
      ? ['first', 'second']
      : ['velocity', 'second'];
  }

  /** Of the batch in turn. */
  get #slot(): BatchSlot {
    return this.#slots[this.#numTaken % NUM_SLOTS] as BatchSlot;
  }

  #allocate(bytes: number): number {
    const address = this.#kernels.allocator.allocate(bytes);
    this.#allocated.push(address);
    this.#kernels.u8.fill(0, address, address + bytes);
    return address;
  }

  #free(): void {
    for (const address of this.#allocated.splice(0)) this.#kernels.allocator.free(address);
  }

  #allocateRegions() {
    const { numTrained, numValues } = this.#layout;
    const { rule, averageDecay } = this.#request.optimizer;
    return {
      values: this.#allocate(numValues * 4),
      gradients: this.#allocate(numTrained * 4),
      observed: this.#allocate((numValues - numTrained) * 4),
      first: this.#allocate(numTrained * 4),
      second: rule.kind === 'adam' ? this.#allocate(numTrained * 4) : 0,
      average: averageDecay === null ? 0 : this.#allocate(numValues * 4),
      partials: this.#allocate(this.#kernels.exports.squaresWorkspace(numValues)),
      figures: this.#allocate(2 * 4),
    };
  }

  #allocateSlot(): BatchSlot {
    const { batchSize, network } = this.#request;
    return {
      bytes: this.#allocate(batchSize * PIXELS),
      changes: this.#allocate(batchSize * CHANGE_WORDS * 4),
      partners: this.#allocate(batchSize * 4),
      shares: this.#allocate(batchSize * 4),
      targets: this.#allocate(batchSize * network.numClasses * 4),
      isChanged: false,
      isMixed: false,
      seed: 0,
    };
  }

  /** Copies the model's weights, and what the optimizer goes on from. */
  #readWeights(): void {
    const { optimizerState } = this.#request;
    const { values, first, second, average } = this.#regions;
    const [firstName, secondName] = this.#slotNames;
    for (const { key, role, weight, offset, count } of this.#layout.weights) {
      const current = weight.read().dataSync<'float32'>();
      this.#write(values, offset, current);
      const slots = optimizerState?.slots[key] ?? {};
      const restore = (region: number, name: string, otherwise?: Float32Array) => {
        const kept = slots[name] ?? otherwise;
        // A state of another rule has other slots: those start afresh.
        if (!region || kept?.length !== count) return;
        this.#write(region, offset, kept);
      };
      if (role !== 'statistic') {
        restore(first, firstName);
        restore(second, secondName);
      }
      restore(average, 'average', current);
    }
  }

  #read(address: number, count: number): Float32Array {
    return this.#kernels.f32.slice(address / 4, address / 4 + count);
  }

  #write(region: number, offset: number, values: Float32Array): void {
    this.#kernels.f32.set(values, region / 4 + offset);
  }

  // ---- the step -------------------------------------------------------------------------------

  /** @param plain Receives the nodes that run by their plain definitions. */
  #makePlan(operations: OperationTable, plain: NetworkNode[]): Plan {
    const { network, batchSize, dropout, labelSmoothing } = this.#request;
    const { exports } = this.#kernels;
    const { values, gradients, observed, figures } = this.#regions;
    const places = this.#layout.weights.map(({ key, role, offset, count }) => {
      const gradient =
        role === 'statistic'
          ? observed + (offset - this.#layout.numTrained) * 4
          : gradients + offset * 4;
      const place: WeightPlace = { value: values + offset * 4, gradient, count };
      return [key, place] as const;
    });
    return new Plan({
      kernels: this.#kernels,
      network,
      batchSize,
      dropout,
      weights: new Map(places),
      operationOf: (kind: LayerKind) => operationOf(operations, kind),
      planPlain: (plan, operation) => {
        plain.push(operation.placed.node);
        return planPlain(plan, operation);
      },
      planImages: (plan, images) => {
        const unmixed = plan.buffer(batchSize * PIXELS);
        plan.call([images, unmixed], () => {
          const slot = this.#slot;
          const to = (slot.isMixed ? unmixed : images).address;
          const changes = slot.isChanged ? slot.changes : 0;
          exports.prepareImages(slot.bytes, changes, to, batchSize, SIDE);
          if (!slot.isMixed) return;
          exports.mixImages(to, slot.partners, slot.shares, images.address, batchSize, SIDE);
        });
      },
      planLoss: (plan, logits, gradient) => {
        plan.call([logits, gradient], () =>
          exports.crossEntropyStep(
            ...[logits.address, this.#slot.targets, gradient.address, figures],
            ...[batchSize, network.numClasses, labelSmoothing],
          ),
        );
      },
    });
  }

  /** Clipping, decay, the rule, statistics and the average. */
  #update(learningRate: number): void {
    const { optimizer, batchNormMomentum } = this.#request;
    const { exports } = this.#kernels;
    const { numKernels, numTrained, numValues } = this.#layout;
    const { values, gradients, observed, average } = this.#regions;

    let gradientScale = 1;
    if (optimizer.maxGradientNorm !== null) {
      const norm = Math.sqrt(this.#sumOfSquares(gradients, numTrained));
      gradientScale = Math.min(1, optimizer.maxGradientNorm / norm);
    }
    const kept = 1 - learningRate * optimizer.weightDecay;
    if (kept === 1) {
      this.#updateRun(0, numTrained, learningRate, 1, gradientScale);
    } else {
      this.#updateRun(0, numKernels, learningRate, kept, gradientScale);
      this.#updateRun(numKernels, numTrained, learningRate, 1, gradientScale);
    }
    if (numValues > numTrained) {
      const statistics = values + numTrained * 4;
      exports.blend(statistics, observed, numValues - numTrained, batchNormMomentum);
    }
    if (average && optimizer.averageDecay !== null) {
      const share = averageDecayAt(optimizer.averageDecay, this.#numSteps);
      exports.blend(average, values, numValues, share);
    }
  }

  /** The rule, on weights from one offset up to another. */
  #updateRun(
    from: number,
    to: number,
    learningRate: number,
    kept: number,
    gradientScale: number,
  ): void {
    if (from === to) return;
    const { exports } = this.#kernels;
    const { values, gradients, first, second } = this.#regions;
    const { rule } = this.#request.optimizer;
    const at = (region: number) => region + from * 4;
    const common = [to - from, learningRate, kept, gradientScale] as const;
    if (rule.kind === 'sgd') {
      const { momentum, isNesterov } = rule;
      const state = at(first);
      exports.sgd(at(values), at(gradients), state, ...common, momentum, Number(isNesterov));
      return;
    }
    const { beta1, beta2, epsilon } = rule;
    exports.adam(
      ...[at(values), at(gradients), at(first), at(second), ...common, beta1, beta2],
      ...[1 - beta1 ** this.#numSteps, 1 - beta2 ** this.#numSteps, epsilon ?? ADAM_EPSILON],
    );
  }

  #sumOfSquares(region: number, count: number): number {
    return this.#kernels.exports.sumOfSquares(region, this.#regions.partials, count);
  }
}

/** Each weight starts at a cache line, so that runs of weights have no tail. */
function layOutWeights({ network, weights }: TrainerRequest): WeightLayout {
  const all = network.nodes.flatMap(({ node, weights: specs }) =>
    specs.map((spec) => {
      const key = weightKey(node.id, spec.name);
      const weight = weights.get(key);
      if (!weight) throw new RangeError(`The weight ${key} of the network is missing.`);
      return { key, role: spec.role, shape: spec.shape, weight, count: sizeOf(spec.shape) };
    }),
  );
  const perLine = LINE_BYTES / 4;
  let end = 0;
  const place = (isPart: (role: WeightRole) => boolean): readonly PlacedWeight[] =>
    all
      .filter(({ role }) => isPart(role))
      .map((one) => {
        const offset = end;
        end += Math.ceil(one.count / perLine) * perLine;
        return { ...one, offset };
      });
  const kernels = place((role) => role === 'kernel');
  const numKernels = end;
  const others = place((role) => role === 'bias' || role === 'scale');
  const numTrained = end;
  const statistics = place((role) => role === 'statistic');
  const placed = [...kernels, ...others, ...statistics];
  return { weights: placed, numKernels, numTrained, numValues: end };
}

function changeWords({ isMirrored, right, down, erased }: ImageChange): readonly number[] {
  const { left = 0, top = 0, width = 0, height = 0, fill = 0 } = erased ?? {};
  return [Number(isMirrored), right, down, left, top, width, height, fill];
}

function checkLength(what: string, array: { readonly length: number }, length: number): void {
  if (array.length === length) return;
  throw new RangeError(`A batch must have ${length} ${what} and not ${array.length}.`);
}
