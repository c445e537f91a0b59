/** Valid networks at random, for tests that compare engines: every kind of layer comes up. */
import { createRandom, type Random } from '../../random.ts';
import { ACTIVATION_NAMES, LAYERS, type LayerKind, type Shape } from '../layers.ts';
import { INPUT, type NetworkNode, type NetworkSpec, resolveNetwork } from '../spec.ts';

interface Growing {
  readonly nodes: NetworkNode[];
  /** Of every node that may still be read. */
  readonly shapes: Map<string, Shape>;
  readonly random: Random;
}

/** Kinds that read one node with sides. */
const SPATIAL_KINDS = [
  'conv',
  'depthwiseConv',
  'batchNorm',
  'activation',
  'maxPool',
  'averagePool',
] as const satisfies readonly LayerKind[];

/**
 * A network that follows from the seed: small, so that the plain `cpu` backend can check it, with
 * forks, sums, products, concatenations and strides.
 *
 * @param hasDropout whether it may drop units; what engines drop differs.
 */
export function makeRandomNetwork(
  seed: number,
  { hasDropout = false }: { readonly hasDropout?: boolean } = {},
): NetworkSpec {
  const growing: Growing = { nodes: [], shapes: new Map(), random: createRandom(seed) };
  const { random } = growing;
  // From 28 sides down at once: sums over fewer places need fewer digits.
  let last = add(growing, {
    kind: 'conv',
    from: [INPUT],
    filters: pick(random, [3, 4, 6, 8]),
    size: pick(random, [3, 5, 7]),
    stride: 2,
    padding: pick(random, ['same', 'valid']),
    bias: random() < 0.5,
  });
  const numSteps = 2 + Math.floor(random() * 4);
  for (let step = 0; step < numSteps; step++) last = grow(growing, last);
  if (hasDropout) {
    const kind = pick(random, ['dropout', 'spatialDropout']);
    last = add(growing, { kind, from: [last], rate: null });
  }
  const side = sidesOf(growing, last);
  last =
    side <= 4 && random() < 0.4
      ? add(growing, { kind: 'flatten', from: [last] })
      : add(growing, { kind: pick(random, ['globalAverage', 'globalMax']), from: [last] });
  if (random() < 0.3) {
    last = add(growing, { kind: 'dense', from: [last], units: 5, bias: random() < 0.5 });
    last = add(growing, { kind: 'activation', from: [last], function: activation(random) });
  }
  add(growing, { kind: 'dense', from: [last], units: 'classes', bias: random() < 0.7 });
  return { title: `Random ${seed}`, nodes: growing.nodes };
}

/** One more layer, or a fork that joins again. Gives the id of what comes out. */
function grow(growing: Growing, last: string): string {
  const { random } = growing;
  const chance = random();
  if (chance < 0.6) return addSpatial(growing, last);
  if (chance < 0.75) {
    // Squeeze and excite.
    const channels = growing.shapes.get(last)?.[2] ?? 1;
    let gate = add(growing, { kind: pick(random, ['globalAverage', 'globalMax']), from: [last] });
    gate = add(growing, { kind: 'dense', from: [gate], units: channels, bias: true });
    gate = add(growing, { kind: 'activation', from: [gate], function: 'sigmoid' });
    return add(growing, { kind: 'multiply', from: [last, gate] });
  }
  const numBranches = random() < 0.8 ? 2 : 3;
  const kind = pick(random, ['add', 'multiply', 'concatenate']);
  const filters = kind === 'concatenate' ? null : (growing.shapes.get(last)?.[2] ?? 1);
  const branches = Array.from({ length: kind === 'multiply' ? 2 : numBranches }, (_, index) =>
    index === 0 && random() < 0.6 ? last : addKeepingSides(growing, last, filters),
  );
  return add(growing, { kind, from: branches });
}

function addSpatial(growing: Growing, last: string): string {
  const { random } = growing;
  const kind = pick(random, SPATIAL_KINDS);
  const side = sidesOf(growing, last);
  // What is small already keeps its size.
  const window = {
    stride: side > 4 ? pick(random, [1, 2]) : 1,
    padding: side > 7 ? pick(random, ['same', 'valid']) : 'same',
  } as const;
  switch (kind) {
    case 'conv':
      return add(growing, {
        kind,
        from: [last],
        filters: pick(random, [3, 4, 5, 8]),
        size: pick(random, [1, 3, 5, 7]),
        bias: random() < 0.5,
        ...window,
      });
    case 'depthwiseConv':
      return add(growing, {
        kind,
        from: [last],
        size: pick(random, [3, 5, 7]),
        bias: random() < 0.5,
        ...window,
      });
    case 'maxPool':
    case 'averagePool':
      return add(growing, { kind, from: [last], size: pick(random, [2, 3]), ...window });
    case 'batchNorm':
      return add(growing, { kind, from: [last] });
    default:
      return add(growing, { kind, from: [last], function: activation(random) });
  }
}

/** A layer whose output has the sides of its input, and as many channels as `filters` if not null. */
function addKeepingSides(growing: Growing, last: string, filters: number | null): string {
  const { random } = growing;
  const conv = add(growing, {
    kind: 'conv',
    from: [last],
    filters: filters ?? pick(random, [3, 4, 8]),
    size: pick(random, [1, 3]),
    stride: 1,
    padding: 'same',
    bias: random() < 0.5,
  });
  if (random() < 0.5) return conv;
  const norm = random() < 0.5 ? add(growing, { kind: 'batchNorm', from: [conv] }) : conv;
  return add(growing, { kind: 'activation', from: [norm], function: activation(random) });
}

function activation(random: Random) {
  return pick(random, ACTIVATION_NAMES);
}

type WithoutId<Node> = Node extends unknown ? Omit<Node, 'id'> : never;

function add(growing: Growing, fields: WithoutId<NetworkNode>): string {
  const id = `${fields.kind}${growing.nodes.length + 1}`;
  const node = { id, ...fields } as NetworkNode;
  growing.nodes.push(node);
  const inputs = node.from.map((source) => growing.shapes.get(source) ?? [28, 28, 1]);
  const entry = LAYERS[node.kind] as unknown as {
    outputShape(node: NetworkNode, inputs: readonly Shape[], numClasses: number): Shape;
  };
  growing.shapes.set(id, entry.outputShape(node, inputs, 10));
  return id;
}

function sidesOf(growing: Growing, id: string): number {
  return growing.shapes.get(id)?.[0] ?? 1;
}

function pick<const Value>(random: Random, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)] as Value;
}

/** As `makeRandomNetwork`, resolved for ten classes. */
export function resolveRandomNetwork(...of: Parameters<typeof makeRandomNetwork>) {
  return resolveNetwork(makeRandomNetwork(...of), 10);
}
