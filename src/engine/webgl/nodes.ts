/**
 * Which kinds of layers have shaders, and how each becomes draws: one entry a kind, with where its
 * weights lie and what is planned forward and backward. Kinds without an entry run by their plain
 * definition (plainNode.ts).
 */
import type { LayerKind } from '../../network/layers.ts';
import {
  type Network,
  type NetworkNode,
  type NodeOf,
  type PlacedNode,
  weightKey,
} from '../../network/spec.ts';
import { type ActivationName, isByOutput, isKnown, PLAIN_SINK } from './activations.ts';
import {
  type ConvShape,
  convFilterGradient,
  convForward,
  convInputGradient,
  depthwiseFilterGradient,
  depthwiseForward,
  depthwiseInputGradient,
  type FilterGradient,
  pointwise,
} from './convolution.ts';
import type { Target, Texture } from './device.ts';
import type { DrawPlan, Value } from './drawPlan.ts';
import { dropout, dropoutSeed, multiply, sum } from './elementwise.ts';
import {
  batchMoments,
  imageGradients,
  imageMoments,
  normalize,
  normalizeGradient,
  weightGradients,
} from './normalization.ts';
import { type Region, type RegionPlan, type Rows, targetOf } from './parameters.ts';
import {
  isInPairs,
  largestInWindow,
  maxPoolPairs,
  maxPoolPairsGradient,
  type PoolShape,
  pool,
  poolGradient,
  poolImages,
  poolImagesGradient,
  sumProducts,
} from './pooling.ts';
import {
  concatenate,
  concatenateGradient,
  flatten,
  flattenGradient,
  patches,
} from './rearrangement.ts';
import { type Layout, layOut, layOutMatrix } from './volume.ts';

/** What planning a node needs besides the node. */
export interface Planning {
  readonly plan: DrawPlan;
  readonly batchSize: number;
  /** The recipe's share of units to drop. */
  readonly dropout: number;
  readonly graph: Graph;
  /** By weight key. */
  readonly places: ReadonlyMap<string, Rows>;
  readonly gradientTarget: Target;
  readonly gradients: Texture;
  weights(): WebGLTexture;
  /** Of the step under way. */
  seed(): number;
}

interface Entry<Node extends NetworkNode> {
  /** Rows for each of its weights, by name; absent: it has none. */
  place?(
    regions: RegionPlan,
    placed: PlacedNode<Node>,
    readsPatches: boolean,
  ): Readonly<Record<string, Rows>>;
  plan(planning: Planning, placed: PlacedNode<Node>, inputs: readonly Value[]): Value;
}

// ---- the graph ----------------------------------------------------------------------------------

/** Who reads whom, and which nodes others have done already. */
export class Graph {
  readonly values = new Map<string, Value>();
  /** Planned so far. */
  numDropouts = 0;
  readonly #readers = new Map<string, NetworkNode[]>();
  /** Activations that the pooling after them does, by its id. */
  readonly #delayed = new Map<string, ActivationName>();
  readonly #plainIds: ReadonlySet<string>;

  /** @param plainIds Nodes that run by their plain definition. */
  constructor({ nodes }: Network, plainIds: ReadonlySet<string>) {
    this.#plainIds = plainIds;
    for (const { node } of nodes) {
      for (const id of node.from) {
        this.#readers.set(id, [...(this.#readers.get(id) ?? []), node]);
      }
    }
  }

  isPlain({ id }: NetworkNode): boolean {
    return this.#plainIds.has(id);
  }

  /** The node that alone reads another one, and once; null: there are several, or none. */
  #onlyReader(id: string): NetworkNode | null {
    const [reader, ...others] = this.#readers.get(id) ?? [];
    return reader && others.length === 0 && !this.isPlain(reader) ? reader : null;
  }

  /** The pooling that can do an activation in its place: fewer numbers then go through it. */
  #poolAfter(activation: NetworkNode): NetworkNode | null {
    if (activation.kind !== 'activation' || activation.function !== 'relu') return null;
    const reader = this.#onlyReader(activation.id);
    return reader?.kind === 'maxPool' ? reader : null;
  }

  /** Leaves an activation to the pooling after it. */
  delay(node: NodeOf<'activation'>): boolean {
    const reader = this.#poolAfter(node);
    if (!reader || !isKnown(node.function)) return false;
    this.#delayed.set(reader.id, node.function);
    return true;
  }

  /** The activation that a pooling has to do for the node before it. */
  delayedTo(id: string): ActivationName | null {
    return this.#delayed.get(id) ?? null;
  }

  /** An activation after a node that the node's own draw can do; it counts as done then. */
  absorbActivation(ids: string[], isFit: (activation: ActivationName) => boolean = isByOutput) {
    const reader = this.#onlyReader(ids.at(-1) as string);
    if (reader?.kind !== 'activation' || this.#poolAfter(reader)) return null;
    const { function: activation } = reader;
    if (!isKnown(activation) || !isFit(activation)) return null;
    ids.push(reader.id);
    return activation;
  }

  /** A sum after a node with one other value, which is known by now; it counts as done then. */
  absorbSum(ids: string[]): Value | null {
    const last = ids.at(-1) as string;
    const reader = this.#onlyReader(last);
    if (reader?.kind !== 'add' || reader.from.length !== 2) return null;
    const other = this.values.get(reader.from.find((id) => id !== last) ?? '');
    if (other) ids.push(reader.id);
    return other ?? null;
  }
}

// ---- shapes -------------------------------------------------------------------------------------

export function layOutNode({ plan, batchSize }: Planning, { shape }: PlacedNode): Layout {
  const { maxSide } = plan.device;
  const [first = 1, width, channels] = shape;
  return width === undefined || channels === undefined
    ? layOutMatrix(batchSize, first, maxSide)
    : layOut([batchSize, first, width, channels], maxSide);
}

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly padding: 'same' | 'valid';
}

/** Zeros before the image. As TensorFlow pads: of an odd number, the smaller half comes first. */
function padBefore({ size, stride, padding }: Window, length: number): number {
  if (padding === 'valid') return 0;
  return Math.floor(Math.max(0, (Math.ceil(length / stride) - 1) * stride + size - length) / 2);
}

function padsOf(window: Window, { height, width }: Layout) {
  return { padTop: padBefore(window, height), padLeft: padBefore(window, width) };
}

/** Whether a convolution takes patches: of one channel, and nobody waits for the gradient. */
export function takesPatches({ node, inputShapes }: PlacedNode, needsGradient: boolean): boolean {
  return node.kind === 'conv' && inputShapes[0]?.[2] === 1 && !needsGradient;
}

const fillUp = (count: number) => Math.ceil(count / 4) * 4;

// ---- what several kinds have in common ----------------------------------------------------------

interface Product {
  readonly shape: ConvShape;
  readonly input: Value;
  readonly filter: Region;
  readonly forward: typeof convForward;
  readonly inputGradient: typeof convInputGradient;
  readonly filterGradient: FilterGradient;
  readonly hasBias: boolean;
}

/** Convolutions and dense layers: draws with a filter, and the activation after them. */
function planProduct(planning: Planning, { node }: PlacedNode, product: Product): Value {
  const { plan, graph, gradientTarget } = planning;
  const { shape, input, filter, forward, inputGradient, filterGradient, hasBias } = product;
  const ids = [node.id];
  const activation = graph.absorbActivation(ids);
  const volume = plan.makeVolume(shape.output);
  plan.draw(forward(shape, filter, { hasBias, activation }), volume.target, () => [
    input.volume.texture,
    planning.weights(),
  ]);
  const mask = activation && { activation, by: volume };
  const value = plan.addStage([input], { volume, mask, isTrained: true }, (gradient) => {
    const { partial, total, width, height } = filterGradient;
    plan.withScratch(width, height, ({ texture, target }) => {
      plan.draw(partial, target, () => [input.volume.texture, gradient.texture]);
      plan.draw(total, targetOf(filter, gradientTarget), () => [texture]);
    });
    plan.contribute(
      input,
      (sink) => inputGradient(shape, filter, sink),
      () => [gradient.texture, planning.weights()],
    );
  });
  return done(graph, ids, value);
}

/** The value is what each of these nodes gives, as far as anyone asks. */
function done(graph: Graph, ids: readonly string[], value: Value): Value {
  for (const id of ids) graph.values.set(id, value);
  return value;
}

function regionOf({ places }: Planning, { node }: PlacedNode, name: string): Region {
  const place = places.get(weightKey(node.id, name));
  if (!place) throw new Error(`The weight ${name} of ${node.id} has no place.`);
  return place.region;
}

const first = ([value]: readonly Value[]) => value as Value;

/** A filter's rows and, after them, the bias. */
function placeFilter(
  regions: RegionPlan,
  kernelName: string,
  rows: { readonly kernel: number; readonly depth: number; readonly columns: number },
  hasBias: boolean,
): Readonly<Record<string, Rows>> {
  const { kernel, depth, columns } = rows;
  const region = regions.add(kernel + (hasBias ? 1 : 0), columns);
  return {
    [kernelName]: { region, firstRow: 0, depth },
    ...(hasBias ? { bias: { region, firstRow: kernel, depth: 1 } } : {}),
  };
}

function planDropout(
  planning: Planning,
  { node }: PlacedNode<NodeOf<'dropout'> | NodeOf<'spatialDropout'>>,
  input: Value,
): Value {
  const { plan, graph } = planning;
  const rate = node.rate ?? planning.dropout;
  if (rate === 0) return input;
  const { layout, texture } = input.volume;
  const isSpatial = node.kind === 'spatialDropout';
  const index = graph.numDropouts++;
  const uniforms = () => ({ seed: dropoutSeed(planning.seed(), index), rate });
  const volume = plan.makeVolume(layout);
  const spec = dropout(layout, { isSpatial, sink: PLAIN_SINK });
  plan.draw(spec, volume.target, () => [texture], uniforms);
  return plan.addStage([input], { volume }, (gradient) => {
    plan.contribute(
      input,
      (sink) => dropout(layout, { isSpatial, sink }),
      () => [gradient.texture],
      uniforms,
    );
  });
}

function planPool(
  kind: 'max' | 'average',
  planning: Planning,
  placed: PlacedNode<NodeOf<'maxPool'> | NodeOf<'averagePool'>>,
  input: Value,
): Value {
  const { plan, graph } = planning;
  const { node } = placed;
  const { layout, texture } = input.volume;
  const ids = [node.id];
  const activation = graph.delayedTo(node.id) ?? graph.absorbActivation(ids);
  const shape: PoolShape = {
    input: layout,
    output: layOutNode(planning, placed),
    size: node.size,
    stride: node.stride,
    ...padsOf(node, layout),
  };
  const isFast = kind === 'max' && isInPairs(shape);
  const volume = plan.makeVolume(shape.output);
  const spec = isFast
    ? maxPoolPairs(layout, shape.output, activation)
    : pool(kind, shape, activation);
  plan.draw(spec, volume.target, () => [texture]);
  const mask = activation && { activation, by: volume };
  const value = plan.addStage([input], { volume, mask }, (gradient) => {
    if (isFast) {
      plan.contribute(
        input,
        (sink) => maxPoolPairsGradient(layout, shape.output, sink),
        () => [texture, gradient.texture],
      );
      return;
    }
    const contribute = (places: readonly Texture[]) => {
      plan.contribute(
        input,
        (sink) => poolGradient(kind, shape, sink),
        () => [gradient.texture, ...places],
      );
    };
    if (kind === 'average') {
      contribute([]);
      return;
    }
    const { textureWidth, textureHeight } = shape.output;
    plan.withScratch(textureWidth, textureHeight, (places) => {
      plan.draw(largestInWindow(shape), places.target, () => [texture]);
      contribute([places.texture]);
    });
  });
  return done(graph, ids, value);
}

function planGlobal(
  kind: 'max' | 'average',
  planning: Planning,
  placed: PlacedNode,
  input: Value,
): Value {
  const { plan } = planning;
  const { layout, texture } = input.volume;
  const output = layOutNode(planning, placed);
  const volume = plan.makeVolume(output);
  plan.draw(poolImages(kind, layout, output), volume.target, () => [texture]);
  return plan.addStage([input], { volume }, (gradient) => {
    const contribute = (places: readonly Texture[]) => {
      plan.contribute(
        input,
        (sink) => poolImagesGradient(kind, layout, output, sink),
        () => [gradient.texture, ...places],
      );
    };
    if (kind === 'average') {
      contribute([]);
      return;
    }
    plan.withScratch(output.textureWidth, output.textureHeight, (places) => {
      plan.draw(poolImages('place', layout, output), places.target, () => [texture]);
      contribute([places.texture]);
    });
  });
}

// ---- the kinds ----------------------------------------------------------------------------------

const NODES: { readonly [Kind in LayerKind]?: Entry<Extract<NetworkNode, { kind: Kind }>> } = {
  conv: {
    place(regions, { node, inputShapes }, readsPatches) {
      const { size, filters, bias } = node;
      const channels = inputShapes[0]?.[2] ?? 1;
      // Patches are as many channels as the filter has pixels.
      const rows = readsPatches
        ? { kernel: size ** 2, depth: size ** 2, columns: filters }
        : { kernel: size ** 2 * fillUp(channels), depth: channels, columns: filters };
      return placeFilter(regions, 'kernel', rows, bias);
    },
    plan(planning, placed, inputs) {
      const { plan } = planning;
      const { node } = placed;
      const { size, stride } = node;
      const input = first(inputs);
      const { layout } = input.volume;
      const output = layOutNode(planning, placed);
      const filter = regionOf(planning, placed, 'kernel');
      const pads = padsOf(node, layout);
      const common = { filter, forward: convForward, inputGradient: convInputGradient };
      if (!takesPatches(placed, input.needsGradient)) {
        const shape = {
          input: layout,
          output,
          kernelHeight: size,
          kernelWidth: size,
          stride,
          ...pads,
        };
        const filterGradient = convFilterGradient(shape, filter, { hasBias: node.bias });
        const product = { ...common, shape, input, filterGradient, hasBias: node.bias };
        return planProduct(planning, placed, product);
      }
      const numPatchChannels = size ** 2 + (node.bias ? 1 : 0);
      const patchLayout = layOut(
        [planning.batchSize, output.height, output.width, numPatchChannels],
        plan.device.maxSide,
      );
      const volume = plan.makeVolume(patchLayout);
      const patchShape = { input: layout, output: patchLayout, size, stride, ...pads };
      plan.draw(patches({ ...patchShape, hasOnes: node.bias }), volume.target, () => [
        input.volume.texture,
      ]);
      const patched = plan.addStage([input], { volume }, () => {});
      const shape = pointwise(patchLayout, output);
      // The patches have ones for the bias.
      const filterGradient = convFilterGradient(shape, filter, { hasBias: false });
      const product = { ...common, shape, input: patched, filterGradient, hasBias: false };
      return planProduct(planning, placed, product);
    },
  },

  depthwiseConv: {
    place: (regions, { node, shape }) =>
      placeFilter(
        regions,
        'depthwise_kernel',
        { kernel: node.size ** 2, depth: node.size ** 2, columns: shape[2] ?? 1 },
        node.bias,
      ),
    plan(planning, placed, inputs) {
      const { size, stride, bias, ...window } = placed.node;
      const input = first(inputs);
      const filter = regionOf(planning, placed, 'depthwise_kernel');
      const shape = {
        input: input.volume.layout,
        output: layOutNode(planning, placed),
        kernelHeight: size,
        kernelWidth: size,
        stride,
        ...padsOf({ size, stride, ...window }, input.volume.layout),
      };
      return planProduct(planning, placed, {
        shape,
        input,
        filter,
        forward: depthwiseForward,
        inputGradient: depthwiseInputGradient,
        filterGradient: depthwiseFilterGradient(shape, filter),
        hasBias: bias,
      });
    },
  },

  dense: {
    place(regions, { node, inputShapes, shape }) {
      const [units = 1] = inputShapes[0] ?? [];
      const rows = { kernel: fillUp(units), depth: units, columns: shape[0] ?? 1 };
      return placeFilter(regions, 'kernel', rows, node.bias);
    },
    plan(planning, placed, inputs) {
      const input = first(inputs);
      const filter = regionOf(planning, placed, 'kernel');
      const shape = pointwise(input.volume.layout, layOutNode(planning, placed));
      const hasBias = placed.node.bias;
      return planProduct(planning, placed, {
        shape,
        input,
        filter,
        forward: convForward,
        inputGradient: convInputGradient,
        filterGradient: convFilterGradient(shape, filter, { hasBias }),
        hasBias,
      });
    },
  },

  batchNorm: {
    place(regions, { shape }) {
      const region = regions.add(4, shape.at(-1) ?? 1);
      const row = (firstRow: number): Rows => ({ region, firstRow, depth: 1 });
      return { gamma: row(0), beta: row(1), moving_mean: row(2), moving_variance: row(3) };
    },
    plan(planning, placed, inputs) {
      const { plan, graph, gradientTarget, gradients } = planning;
      const input = first(inputs);
      const region = regionOf(planning, placed, 'gamma');
      const { layout, texture } = input.volume;
      const { groups, batch } = layout;
      const ids = [placed.node.id];
      const activation = graph.absorbActivation(ids, () => true);
      const term = graph.absorbSum(ids);
      const sumActivation = term && graph.absorbActivation(ids);
      const [means, variances] = [plan.makeFlat(groups, batch), plan.makeFlat(groups, batch)];
      const [mean, variance, inverse] = [
        plan.makeFlat(groups, 1),
        plan.makeFlat(groups, 1),
        plan.makeFlat(groups, 1),
      ];
      const imageTarget = plan.makeTarget([means, variances]);
      plan.draw(imageMoments(layout), imageTarget, () => [texture]);
      plan.draw(batchMoments(layout), plan.makeTarget([mean, variance, inverse]), () => [
        means,
        variances,
      ]);
      const volume = plan.makeVolume(layout);
      const after = { activation, hasSum: term !== null, sumActivation };
      plan.draw(normalize(layout, region, after), volume.target, () => [
        texture,
        mean,
        inverse,
        planning.weights(),
        ...(term ? [term.volume.texture] : []),
      ]);
      const mask = sumActivation && { activation: sumActivation, by: volume };
      const output = { volume, mask, isTrained: true };
      const value = plan.addStage([input, ...(term ? [term] : [])], output, (gradient) => {
        if (term) plan.share(term, gradient);
        const read = () => [texture, gradient.texture, mean, inverse, planning.weights()];
        // The sums of images take the place of their moments.
        plan.draw(imageGradients(layout, region, activation), imageTarget, read);
        plan.draw(weightGradients(layout, region), targetOf(region, gradientTarget), () => [
          means,
          variances,
          mean,
          variance,
        ]);
        plan.contribute(
          input,
          (sink) => normalizeGradient(layout, region, activation, sink),
          () => [...read(), gradients],
        );
      });
      return done(graph, ids, value);
    },
  },

  activation: {
    plan(planning, { node }, inputs) {
      const { plan, graph } = planning;
      const input = first(inputs);
      if (graph.delay(node)) return input;
      const { function: activation } = node;
      if (!isKnown(activation)) throw new Error(`There are no shaders for ${activation}.`);
      const volume = plan.makeVolume(input.volume.layout);
      plan.draw(sum(input.volume.layout, 1, activation), volume.target, () => [
        input.volume.texture,
      ]);
      const mask = { activation, by: isByOutput(activation) ? volume : input.volume };
      return plan.addStage([input], { volume, mask }, (gradient) => {
        plan.share(input, gradient);
      });
    },
  },

  maxPool: { plan: (planning, placed, inputs) => planPool('max', planning, placed, first(inputs)) },
  averagePool: {
    plan: (planning, placed, inputs) => planPool('average', planning, placed, first(inputs)),
  },
  globalMax: {
    plan: (planning, placed, inputs) => planGlobal('max', planning, placed, first(inputs)),
  },
  globalAverage: {
    plan: (planning, placed, inputs) => planGlobal('average', planning, placed, first(inputs)),
  },

  add: {
    plan({ plan, graph }, { node }, inputs) {
      const ids = [node.id];
      const activation = graph.absorbActivation(ids);
      const { layout } = first(inputs).volume;
      const volume = plan.makeVolume(layout);
      plan.draw(sum(layout, inputs.length, activation), volume.target, () =>
        inputs.map((input) => input.volume.texture),
      );
      const mask = activation && { activation, by: volume };
      const value = plan.addStage(inputs, { volume, mask }, (gradient) => {
        for (const input of inputs) plan.share(input, gradient);
      });
      return done(graph, ids, value);
    },
  },

  multiply: {
    plan({ plan, graph }, { node, inputShapes }, inputs) {
      const [values, factors] = inputs as [Value, Value];
      const ids = [node.id];
      const activation = graph.absorbActivation(ids);
      const { layout } = values.volume;
      const factorLayout = factors.volume.layout;
      const isPerChannel = inputShapes[0]?.length !== inputShapes[1]?.length;
      const volume = plan.makeVolume(layout);
      const shape = { layout, factors: factorLayout, isPerChannel };
      plan.draw(multiply(shape, { sink: PLAIN_SINK, activation }), volume.target, () => [
        values.volume.texture,
        factors.volume.texture,
      ]);
      const mask = activation && { activation, by: volume };
      const value = plan.addStage(inputs, { volume, mask }, (gradient) => {
        plan.contribute(
          values,
          (sink) => multiply(shape, { sink, activation: null }),
          () => [gradient.texture, factors.volume.texture],
        );
        plan.contribute(
          factors,
          (sink) =>
            isPerChannel
              ? sumProducts(layout, factorLayout, sink)
              : multiply(shape, { sink, activation: null }),
          () => [gradient.texture, values.volume.texture],
        );
      });
      return done(graph, ids, value);
    },
  },

  concatenate: {
    plan(planning, placed, inputs) {
      const { plan } = planning;
      const output = layOutNode(planning, placed);
      const volume = plan.makeVolume(output);
      const layouts = inputs.map((input) => input.volume.layout);
      plan.draw(concatenate(layouts, output), volume.target, () =>
        inputs.map((input) => input.volume.texture),
      );
      return plan.addStage(inputs, { volume }, (gradient) => {
        let firstChannel = 0;
        for (const input of inputs) {
          const { layout } = input.volume;
          const from = firstChannel;
          plan.contribute(
            input,
            (sink) => concatenateGradient(layout, output, from, sink),
            () => [gradient.texture],
          );
          firstChannel += layout.channels;
        }
      });
    },
  },

  flatten: {
    plan(planning, placed, inputs) {
      const { plan } = planning;
      const input = first(inputs);
      // A matrix is flat already.
      if (placed.inputShapes[0]?.length === 1) return input;
      const { layout, texture } = input.volume;
      const output = layOutNode(planning, placed);
      const volume = plan.makeVolume(output);
      plan.draw(flatten(layout, output), volume.target, () => [texture]);
      return plan.addStage([input], { volume }, (gradient) => {
        plan.contribute(
          input,
          (sink) => flattenGradient(layout, output, sink),
          () => [gradient.texture],
        );
      });
    },
  },

  dropout: { plan: (planning, placed, inputs) => planDropout(planning, placed, first(inputs)) },
  spatialDropout: {
    plan: (planning, placed, inputs) => planDropout(planning, placed, first(inputs)),
  },
};

/** The entry of a node's kind; null: there are no shaders for it. */
export function entryOf(node: NetworkNode): Entry<NetworkNode> | null {
  if (node.kind === 'activation' && !isKnown(node.function)) return null;
  // Every entry takes the nodes of its own kind, which the compiler cannot follow through the union.
  return (NODES[node.kind] as Entry<NetworkNode> | undefined) ?? null;
}
