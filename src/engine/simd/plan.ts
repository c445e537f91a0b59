/**
 * A training step of a network as a list of kernel calls over planned memory, forward and backward,
 * made once and repeated. What a kind of node calls is in planOperations.ts; here is what all share:
 * who needs memory until when, and the sum of gradients where several nodes read one.
 */
import { SIDE } from '../../fashion.ts';
import { type LayerKind, type Shape, sizeOf } from '../../network/layers.ts';
import { INPUT, type Network, type NetworkNode, weightKey } from '../../network/spec.ts';
import { fuseNetwork, type Operation } from './fusion.ts';
import type { Kernels } from './kernels.ts';
import { BINARY, PAIRING } from './operations.ts';
import { PlannedBuffer, placeBuffers } from './plannedMemory.ts';

/** Where a weight's numbers and those of its gradient lie; of a statistic, the batch's own value. */
export interface WeightPlace {
  readonly value: number;
  readonly gradient: number;
  readonly count: number;
}

/** What calls read of the step at hand. */
export interface StepState {
  /** 32 bits for dropout. */
  seed: number;
}

/** What an operation planned forward. */
export interface PlannedForward {
  readonly output: PlannedBuffer;
  /** Plans its calls backward. */
  backward(gradients: Gradients): void;
}

/** Null where there are no kernels for this node. */
export type PlanOperation<Node extends NetworkNode = NetworkNode> = (
  plan: Plan,
  operation: Operation<Node>,
) => PlannedForward | null;

export type Direction = 'forward' | 'backward';

/** Memory that receives the gradient of an operation's input. */
export interface GradientTarget {
  readonly buffer: PlannedBuffer;
  /** 1: add to what is there; 0: write. */
  readonly adds: 0 | 1;
  /** To be called once the call that writes it is planned. */
  done(): void;
}

/** Gradients as one operation sees them on the way back. */
export interface Gradients {
  /** Of the operation's output. */
  readonly dy: PlannedBuffer;
  /** `dy` where this operation alone still reads it, else a new buffer: for what may be in place. */
  ownDy(): PlannedBuffer;
  /** Whether anybody asks how the loss changes with an input. */
  isWanted(index: number): boolean;
  /**
   * Where the gradient of an input is to be written.
   * @param canAdd The kernel can add to a gradient that another reader of the input gave.
   * @param inPlace The kernel can write over `dy`.
   * @returns null where nobody asks for it.
   */
  into(
    index: number,
    can?: { readonly canAdd?: boolean; readonly inPlace?: boolean },
  ): GradientTarget | null;
  /** Gives a buffer that is written already as the gradient of an input. It stays as it is. */
  pass(index: number, buffer: PlannedBuffer): void;
}

interface Call {
  /** Node that it works for. */
  readonly id: string;
  readonly direction: Direction;
  readonly run: () => void;
}

/** What a node's calls took in all steps so far. */
export interface NodeTime {
  readonly id: string;
  readonly direction: Direction;
  readonly elapsedMs: number;
}

export interface PlanRequest {
  readonly kernels: Kernels;
  readonly network: Network;
  readonly batchSize: number;
  /** For dropout nodes without a rate of their own. */
  readonly dropout: number;
  /** By weight key. */
  readonly weights: ReadonlyMap<string, WeightPlace>;
  /** What plans a node of a kind; null where no kernels do. */
  readonly operationOf: (kind: LayerKind) => PlanOperation | null;
  /** Plans a node that has no kernels. */
  readonly planPlain: (plan: Plan, operation: Operation) => PlannedForward;
  /** Plans the calls that fill the images, `[batchSize · 784]`. */
  readonly planImages: (plan: Plan, images: PlannedBuffer) => void;
  /** Plans what makes the gradient of the logits. */
  readonly planLoss: (plan: Plan, logits: PlannedBuffer, gradient: PlannedBuffer) => void;
}

export class Plan {
  readonly kernels: Kernels;
  readonly batchSize: number;
  readonly dropout: number;
  readonly state: StepState = { seed: 0 };
  readonly #weights: ReadonlyMap<string, WeightPlace>;
  readonly #calls: Call[] = [];
  readonly #buffers: PlannedBuffer[] = [];
  readonly #values = new Map<string, PlannedBuffer>();
  readonly #gradients = new Map<string, PlannedBuffer>();
  /** Values whose gradient leads to a weight. */
  readonly #wanted = new Set<string>();
  #workspaceBytes = 0;
  #workspace = 0;
  #memory: number;
  #bytes: number;
  #at: { id: string; direction: Direction } = { id: INPUT, direction: 'forward' };
  readonly #times = new Map<string, { id: string; direction: Direction; elapsedMs: number }>();

  /** Allocates the memory at once. @throws {OutOfMemoryError} */
  constructor(request: PlanRequest) {
    const { kernels, network, batchSize } = request;
    this.kernels = kernels;
    this.batchSize = batchSize;
    this.dropout = request.dropout;
    this.#weights = request.weights;

    const images = this.buffer(batchSize * SIDE ** 2);
    this.#values.set(INPUT, images);
    request.planImages(this, images);

    const operations = fuseNetwork(network, (kind) => request.operationOf(kind) !== null);
    const planned = operations.map((operation) => {
      const { placed, riderNodes, inputs, output } = operation;
      this.#at = { id: placed.node.id, direction: 'forward' };
      const trains = [placed, ...riderNodes].some(({ weights }) => weights.length > 0);
      if (trains || inputs.some((input) => this.#wanted.has(input))) this.#wanted.add(output);
      const forward =
        request.operationOf(placed.node.kind)?.(this, operation) ??
        request.planPlain(this, operation);
      this.#values.set(output, forward.output);
      return { operation, forward };
    });

    this.#at = { id: network.output, direction: 'backward' };
    const logits = this.value(network.output);
    const dLogits = this.buffer(batchSize * network.numClasses);
    request.planLoss(this, logits, dLogits);
    this.#gradients.set(network.output, dLogits);
    for (const { operation, forward } of planned.toReversed()) {
      this.#at = { id: operation.placed.node.id, direction: 'backward' };
      const dy = this.#gradients.get(operation.output);
      if (!dy || !this.#wanted.has(operation.output)) continue;
      forward.backward(this.#gradientsOf(operation, dy));
      this.#gradients.delete(operation.output);
    }

    const used = this.#buffers.filter(({ last }) => last >= 0);
    const bytes = placeBuffers(used);
    this.#bytes = bytes + this.#workspaceBytes;
    this.#memory = kernels.allocator.allocate(this.#bytes);
    for (const buffer of used) buffer.address += this.#memory;
    this.#workspace = this.#memory + bytes;
  }

  /** Of the planned memory: activations, gradients and workspace, without weights. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where each node's time went; empty unless steps were run with `isTimed`. */
  get times(): readonly NodeTime[] {
    return [...this.#times.values()];
  }

  /** Runs all calls. */
  run(isTimed: boolean): void {
    if (!isTimed) {
      for (const call of this.#calls) call.run();
      return;
    }
    for (const { id, direction, run } of this.#calls) {
      const startMs = performance.now();
      run();
      const key = `${id} ${direction}`;
      const time = this.#times.get(key) ?? { id, direction, elapsedMs: 0 };
      time.elapsedMs += performance.now() - startMs;
      this.#times.set(key, time);
    }
  }

  dispose(): void {
    this.kernels.allocator.free(this.#memory);
  }

  // ---- for those that plan calls --------------------------------------------------------------

  /** Memory for `count` numbers of 4 bytes. */
  buffer(count: number): PlannedBuffer {
    const buffer = new PlannedBuffer(count);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** A buffer for a value or gradient of a shape, for the whole batch. */
  batchOf(shape: Shape): PlannedBuffer {
    return this.buffer(this.batchSize * sizeOf(shape));
  }

  /** What a node gave, or the images. */
  value(id: string): PlannedBuffer {
    const value = this.#values.get(id);
    if (!value) throw new Error(`Nothing has computed ${id} yet.`);
    return value;
  }

  /** Whether the gradient of what a node gave, or of the images, leads to a weight. */
  isWanted(id: string): boolean {
    return this.#wanted.has(id);
  }

  weight(nodeId: string, name: string): WeightPlace {
    const place = this.#weights.get(weightKey(nodeId, name));
    if (!place) throw new Error(`There is no place for ${weightKey(nodeId, name)}.`);
    return place;
  }

  /** Adds a call. @param uses All buffers that it reads or writes; addresses are known when it runs. */
  call(uses: readonly PlannedBuffer[], run: () => void): void {
    for (const buffer of uses) buffer.use(this.#calls.length);
    this.#calls.push({ ...this.#at, run });
  }

  /** Sees to it that `workspace` has so many bytes. */
  needWorkspace(bytes: number): void {
    this.#workspaceBytes = Math.max(this.#workspaceBytes, bytes);
  }

  /** Address of memory that a call may use and the next may overwrite. */
  get workspace(): number {
    return this.#workspace;
  }

  // ---- gradients ------------------------------------------------------------------------------

  /** Whether nobody but `id` has this buffer as gradient. */
  #isSole(buffer: PlannedBuffer, id: string): boolean {
    for (const [other, gradient] of this.#gradients) {
      if (gradient === buffer && other !== id) return false;
    }
    return true;
  }

  #add(a: PlannedBuffer, b: PlannedBuffer, sum: PlannedBuffer): void {
    const { exports } = this.kernels;
    this.call([a, b, sum], () =>
      exports.binary(BINARY.Add, a.address, b.address, sum.address, sum.bytes / 4, PAIRING.same, 1),
    );
  }

  #gradientsOf({ inputs, output }: Operation, dy: PlannedBuffer): Gradients {
    const like = (buffer: PlannedBuffer) => this.buffer(buffer.bytes / 4);
    const inputAt = (index: number) => inputs[index] ?? '';
    const isWanted = (index: number) => this.isWanted(inputAt(index));
    // What a call is to write already: no second result of it may go there.
    const claimed = new Set<PlannedBuffer>();
    const claims = (buffer: PlannedBuffer, id: string): boolean => {
      if (claimed.has(buffer) || !this.#isSole(buffer, id)) return false;
      claimed.add(buffer);
      return true;
    };
    const give = (id: string, buffer: PlannedBuffer) => {
      const earlier = this.#gradients.get(id);
      if (earlier) this.#add(earlier, buffer, buffer);
      this.#gradients.set(id, buffer);
    };
    return {
      dy,
      ownDy: () => (claims(dy, output) ? dy : like(dy)),
      isWanted,
      into: (index, { canAdd = false, inPlace = false } = {}) => {
        if (!isWanted(index)) return null;
        const id = inputAt(index);
        const earlier = this.#gradients.get(id);
        if (earlier && canAdd && claims(earlier, id)) {
          return { buffer: earlier, adds: 1, done() {} };
        }
        const buffer = inPlace && claims(dy, output) ? dy : like(this.value(id));
        return { buffer, adds: 0, done: () => give(id, buffer) };
      },
      pass: (index, buffer) => {
        if (!isWanted(index)) return;
        const id = inputAt(index);
        const earlier = this.#gradients.get(id);
        const sum = earlier && (this.#isSole(earlier, id) ? earlier : like(earlier));
        if (earlier && sum) this.#add(earlier, buffer, sum);
        this.#gradients.set(id, sum ?? buffer);
      },
    };
  }
}
