/**
 * A network as a value: a graph of named nodes in plain JSON, and everything that follows from it,
 * shapes, weights, costs, and what is wrong with it, in words. Knows no engine.
 */
import * as v from 'valibot';
import { SIDE } from '../fashion.ts';
import {
  type FieldsOf,
  formatShape,
  LAYERS,
  type Layer,
  type LayerKind,
  Misfit,
  type Shape,
  sizeOf,
  type WeightRole,
  type WeightSpec,
} from './layers.ts';

/** What the first nodes read: images `[28, 28, 1]`, 0–1. No node may be called so. */
export const INPUT = 'input';

export const MAX_NODES = 200;
/** Characters of a network's title. */
export const MAX_TITLE_LENGTH = 80;
export const MAX_PARAMS = 20_000_000;
/** Forward, one image; a multiplication with its addition is two operations. */
const MAX_FLOP = 1_000_000_000;

/** A node of one kind: `id`, unique; `from`, the ids of the nodes it reads, or "input". */
export type NodeOf<Kind extends LayerKind> = {
  readonly id: string;
  readonly kind: Kind;
  readonly from: readonly string[];
} & Readonly<FieldsOf<(typeof LAYERS)[Kind]['fields']>>;

export type NetworkNode = { [Kind in LayerKind]: NodeOf<Kind> }[LayerKind];

/** From images `[n, 28, 28, 1]` to logits `[n, classes]`: what the one node gives that none reads. */
export interface NetworkSpec {
  /** For people, at most `MAX_TITLE_LENGTH` characters. */
  readonly title: string;
  /** In any order. */
  readonly nodes: readonly NetworkNode[];
}

/** A node with what follows from its place in the graph. */
export interface PlacedNode<Node extends NetworkNode = NetworkNode> {
  readonly node: Node;
  readonly inputShapes: readonly Shape[];
  readonly shape: Shape;
  readonly weights: readonly WeightSpec[];
  /** Weights, statistics included. */
  readonly params: number;
  /** For one image, forward. */
  readonly multiplyAdds: number;
}

/** A network that holds together, for data of so many classes. */
export interface Network {
  readonly spec: NetworkSpec;
  readonly numClasses: number;
  /** Each after those it reads. */
  readonly nodes: readonly PlacedNode[];
  /** Id of the node that gives the logits `[numClasses]`: the last of `nodes`. */
  readonly output: string;
  readonly params: number;
  readonly multiplyAdds: number;
}

/** What is wrong with a network, for people. */
export interface NetworkFault {
  /** The node it is about; null where it is about the whole. */
  readonly id: string | null;
  /** A sentence that names the node. */
  readonly message: string;
}

/** A network that cannot be. The message is for people. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly faults: readonly NetworkFault[];

  constructor(faults: readonly NetworkFault[]) {
    super(faults.map(({ message }) => message).join(' '));
    this.faults = faults;
  }
}

const IdSchema = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z][A-Za-z0-9_]{0,39}$/,
    'An id is a letter and up to 39 letters, digits and underscores.',
  ),
);

const nodeSchema = (kind: LayerKind) =>
  v.strictObject({
    id: IdSchema,
    kind: v.literal(kind),
    from: v.pipe(v.array(v.string()), v.maxLength(8)),
    ...LAYERS[kind].fields,
  });

/** The form alone; `resolveNetwork` says whether the nodes fit together. */
export const NetworkSpecSchema = v.object({
  title: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TITLE_LENGTH)),
  nodes: v.pipe(
    v.array(v.variant('kind', (Object.keys(LAYERS) as LayerKind[]).map(nodeSchema) as never)),
    v.minLength(1, 'A network has at least one node.'),
    v.maxLength(MAX_NODES, `A network has at most ${MAX_NODES} nodes.`),
  ),
}) as unknown as v.GenericSchema<unknown, NetworkSpec>;

/** The entry of a node's kind, for that node. */
export function layerOf(node: NetworkNode): Layer {
  // Every entry takes the nodes of its own kind, which the compiler cannot follow through the union.
  return LAYERS[node.kind] as unknown as Layer;
}

/**
 * @param numClasses 2–100.
 * @throws {NetworkError} naming every fault.
 */
export function resolveNetwork(spec: NetworkSpec, numClasses: number): Network {
  const faults: NetworkFault[] = [];
  const nodes = placeNodes(spec, numClasses, faults);
  const network = {
    spec,
    numClasses,
    nodes,
    output: nodes.at(-1)?.node.id ?? '',
    params: nodes.reduce((sum, { params }) => sum + params, 0),
    multiplyAdds: nodes.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0),
  };
  if (network.params > MAX_PARAMS) {
    const [most] = nodes.toSorted((a, b) => b.params - a.params);
    faults.push({
      id: most?.node.id ?? null,
      message: `The network has ${network.params.toLocaleString('en-GB')} parameters, and ${MAX_PARAMS.toLocaleString('en-GB')} is the most; ${most?.node.id} alone has ${most?.params.toLocaleString('en-GB')}.`,
    });
  }
  if (2 * network.multiplyAdds > MAX_FLOP) {
    const [most] = nodes.toSorted((a, b) => b.multiplyAdds - a.multiplyAdds);
    faults.push({
      id: most?.node.id ?? null,
      message: `The network takes ${Math.round((2 * network.multiplyAdds) / 1e6).toLocaleString('en-GB')} million operations an image, and ${MAX_FLOP / 1e6} million is the most; ${most?.node.id} takes the most of them.`,
    });
  }
  if (faults.length > 0) throw new NetworkError(faults);
  return network;
}

/** What is wrong with a network; empty where nothing is. For an editor. */
export function findFaults(spec: NetworkSpec, numClasses: number): readonly NetworkFault[] {
  try {
    resolveNetwork(spec, numClasses);
    return [];
  } catch (error) {
    if (error instanceof NetworkError) return error.faults;
    throw error;
  }
}

/** Whether no node is read twice and none reads two: a chain, which a sequential model can hold. */
export function isChain({ nodes }: Network): boolean {
  return nodes.every(
    ({ node }, index) =>
      node.from.length === 1 && node.from[0] === (nodes[index - 1]?.node.id ?? INPUT),
  );
}

/** In order, each after those it reads, as far as they can be placed. The output comes last. */
function placeNodes(
  { nodes }: NetworkSpec,
  numClasses: number,
  faults: NetworkFault[],
): readonly PlacedNode[] {
  const known = new Map<string, NetworkNode>();
  for (const node of nodes) {
    if (node.id === INPUT || known.has(node.id)) {
      faults.push({
        id: node.id,
        message: `Two nodes are called ${node.id}${node.id === INPUT ? ', the name of the images' : ''}: ids must differ.`,
      });
    }
    known.set(node.id, node);
  }
  for (const { id, kind, from } of nodes) {
    const [least, most] = LAYERS[kind].numInputs;
    if (from.length < least || from.length > most) {
      const wanted = least === most ? `${least}` : `${least} to ${most}`;
      faults.push({
        id,
        message: `${id} reads ${from.length} nodes, and ${LAYERS[kind].title.toLowerCase()} takes ${wanted}.`,
      });
    }
    for (const source of from) {
      if (source !== INPUT && !known.has(source)) {
        faults.push({ id, message: `${id} reads ${source}, which does not exist.` });
      }
    }
  }
  if (faults.length > 0) return [];

  const shapes = new Map<string, Shape | null>([[INPUT, [SIDE, SIDE, 1]]]);
  const placed: PlacedNode[] = [];
  let waiting = nodes;
  for (;;) {
    const next = waiting.filter(({ from }) => from.every((source) => shapes.has(source)));
    if (next.length === 0) break;
    // One at a time, so that nodes keep their order wherever the graph leaves it open.
    const [node] = next as [NetworkNode, ...NetworkNode[]];
    waiting = waiting.filter((other) => other !== node);
    const found = placeNode(node, shapes, numClasses, faults);
    shapes.set(node.id, found?.shape ?? null);
    if (found) placed.push(found);
  }
  if (waiting.length > 0) {
    const ids = waiting.map(({ id }) => id).join(', ');
    faults.push({
      id: waiting[0]?.id ?? null,
      message: `${ids} read one another in a circle: a network runs from the images to the answer.`,
    });
  }
  if (faults.length > 0) return placed;
  return endWithOutput(placed, numClasses, faults);
}

/** Null where it does not fit, or where a node that it reads did not. */
function placeNode(
  node: NetworkNode,
  shapes: ReadonlyMap<string, Shape | null>,
  numClasses: number,
  faults: NetworkFault[],
): PlacedNode | null {
  const inputShapes = node.from.map((source) => shapes.get(source) ?? null);
  if (!inputShapes.every((shape) => shape !== null)) return null;
  const layer = layerOf(node);
  try {
    const shape = layer.outputShape(node, inputShapes, numClasses);
    const weights = layer.weights(node, inputShapes, shape);
    return {
      node,
      inputShapes,
      shape,
      weights,
      params: weights.reduce((sum, weight) => sum + sizeOf(weight.shape), 0),
      multiplyAdds: layer.multiplyAdds(node, inputShapes, shape),
    };
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    faults.push({ id: node.id, message: `${node.id} ${error.message}.` });
    return null;
  }
}

function endWithOutput(
  placed: readonly PlacedNode[],
  numClasses: number,
  faults: NetworkFault[],
): readonly PlacedNode[] {
  const read = new Set(placed.flatMap(({ node }) => node.from));
  const ends = placed.filter(({ node }) => !read.has(node.id));
  const [output] = ends;
  if (!output || ends.length > 1) {
    const ids = ends.map(({ node }) => node.id).join(', ');
    faults.push({
      id: ends.at(-1)?.node.id ?? null,
      message: `Nothing reads ${ids}: only one node may be the output.`,
    });
    return placed;
  }
  const { node, shape } = output;
  if (shape.length !== 1 || shape[0] !== numClasses) {
    faults.push({
      id: node.id,
      message: `${node.id} is the output and gives ${formatShape(shape)}: it must give one number for each of the ${numClasses} classes.`,
    });
  }
  return [...placed.filter((other) => other !== output), output];
}

/** Names one weight of a network: the node's id, then the weight's name in it. */
export function weightKey(nodeId: string, weightName: string): string {
  return `${nodeId}/${weightName}`;
}

/** The weights of a network by key, in the order of its nodes. */
export interface WeightKeys {
  readonly trainable: readonly string[];
  /** Means and variances of batch normalisation. */
  readonly statistics: readonly string[];
  /** Those that weight decay acts on. */
  readonly decaying: ReadonlySet<string>;
}

export function weightKeys({ nodes }: Network): WeightKeys {
  const all = nodes.flatMap(({ node, weights }) =>
    weights.map(({ name, role }) => ({ key: weightKey(node.id, name), role })),
  );
  const keysOf = (isWanted: (role: WeightRole) => boolean) =>
    all.filter(({ role }) => isWanted(role)).map(({ key }) => key);
  return {
    trainable: keysOf((role) => role !== 'statistic'),
    statistics: keysOf((role) => role === 'statistic'),
    decaying: new Set(keysOf((role) => role === 'kernel')),
  };
}
