/**
 * A network's nodes, gathered into what the kernels of the CPU engine do in one go: a node and those
 * right after it that ride along.
 */
import type { LayerKind } from '../../network/layers.ts';
import { INPUT, type Network, type NetworkNode, type PlacedNode } from '../../network/spec.ts';

/** A node together with those that ride along. */
export interface Operation<Node extends NetworkNode = NetworkNode> {
  readonly placed: PlacedNode<Node>;
  /** What rides along, first to last, by `Rider`. */
  readonly riders: readonly Rider[];
  readonly riderNodes: readonly PlacedNode[];
  /** Ids of nodes whose results it reads, "input" for the images; at the end what an "add" adds. */
  readonly inputs: readonly string[];
  /** Id of the node whose result it gives: its own, or the last rider's. */
  readonly output: string;
}

/** A node that another can do along the way. */
export type Rider = 'relu' | 'add' | 'maxPool';

/**
 * What may ride along with a kind, longest first.
 *
 * A convolution and pooling with ReLU, before or after, are the same, to the bit: ReLU never
 * decreases. The convolution does it on the way to memory, and its gradient is masked by what was
 * pooled, a quarter of the numbers.
 */
const RIDES: Readonly<Partial<Record<LayerKind, readonly (readonly Rider[])[]>>> = {
  conv: [['relu', 'maxPool'], ['maxPool', 'relu'], ['maxPool'], ['relu']],
  depthwiseConv: [['relu']],
  dense: [['relu']],
  add: [['relu']],
  batchNorm: [['relu', 'add'], ['add', 'relu'], ['relu'], ['add']],
};

/**
 * Every node in exactly one operation, each operation after those it reads.
 *
 * @param known Kinds that have kernels; others stay by themselves.
 */
export function fuseNetwork(
  { nodes }: Network,
  known: (kind: LayerKind) => boolean,
): readonly Operation[] {
  const readers = new Map<string, PlacedNode[]>();
  for (const placed of nodes) {
    for (const source of placed.node.from) {
      readers.set(source, [...(readers.get(source) ?? []), placed]);
    }
  }
  /** The node that alone reads another, where it can ride along as `rider`. */
  const soleReader = (id: string, rider: Rider): PlacedNode | null => {
    const [reader, ...others] = readers.get(id) ?? [];
    return reader && others.length === 0 && isRider(reader.node, rider) ? reader : null;
  };
  const taken = new Set<string>();
  const operations: Operation[] = [];
  for (const placed of nodes) {
    const { node } = placed;
    if (taken.has(node.id)) continue;
    const follow = (pattern: readonly Rider[]): readonly PlacedNode[] | null => {
      const riderNodes: PlacedNode[] = [];
      for (const rider of pattern) {
        const reader = soleReader(riderNodes.at(-1)?.node.id ?? node.id, rider);
        if (!reader || taken.has(reader.node.id) || !known(reader.node.kind)) return null;
        riderNodes.push(reader);
      }
      return riderNodes;
    };
    let riders: readonly Rider[] = [];
    let riderNodes: readonly PlacedNode[] = [];
    for (const pattern of known(node.kind) ? (RIDES[node.kind] ?? []) : []) {
      const found = follow(pattern);
      if (!found) continue;
      riders = pattern;
      riderNodes = found;
      break;
    }
    const done = [placed, ...riderNodes].map((one) => one.node.id);
    for (const id of done) taken.add(id);
    const added = riderNodes.flatMap((one) =>
      one.node.kind === 'add' ? one.node.from.filter((source) => !done.includes(source)) : [],
    );
    operations.push({
      placed,
      riders,
      riderNodes,
      inputs: [...node.from, ...added],
      output: done.at(-1) ?? node.id,
    });
  }
  return inOrder(operations);
}

function isRider(node: NetworkNode, rider: Rider): boolean {
  if (rider === 'relu') return node.kind === 'activation' && node.function === 'relu';
  if (rider === 'add') return node.kind === 'add' && node.from.length === 2;
  return node.kind === 'maxPool';
}

/** What an operation adds may come later than its first node: moves it to behind that. */
function inOrder(operations: readonly Operation[]): readonly Operation[] {
  const known = new Set<string>([INPUT]);
  const ordered: Operation[] = [];
  let waiting = [...operations];
  while (waiting.length > 0) {
    const next = waiting.find(({ inputs }) => inputs.every((input) => known.has(input)));
    if (!next) throw new Error('Operations read one another in a circle.');
    waiting = waiting.filter((other) => other !== next);
    known.add(next.output);
    ordered.push(next);
  }
  return ordered;
}
