/** The networks that Atelier offers, as values, and the names under which older records know them. */
import type { LayerKind } from './layers.ts';
import { INPUT, type NetworkNode, type NetworkSpec, type NodeOf } from './spec.ts';

/** A node that reads the one before it, unless it says otherwise. */
type Unlinked<Kind extends LayerKind> = Omit<NodeOf<Kind>, 'from'> & {
  readonly kind: Kind;
  readonly from?: readonly string[];
};

/** Adds nodes one after the other, each reading the one before unless told otherwise. */
class Chain {
  readonly nodes: NetworkNode[] = [];
  last = INPUT;

  add<Kind extends LayerKind>(node: Unlinked<Kind>): this {
    const { id, kind, from = [this.last], ...fields } = node;
    this.nodes.push({ id, kind, from, ...fields } as unknown as NetworkNode);
    this.last = id;
    return this;
  }

  conv(id: string, filters: number, { bias }: { readonly bias: boolean }): this {
    return this.add({ id, kind: 'conv', filters, size: 3, stride: 1, padding: 'same', bias });
  }

  pool(id: string): this {
    return this.add({ id, kind: 'maxPool', size: 2, stride: 2, padding: 'valid' });
  }

  relu(id: string): this {
    return this.add({ id, kind: 'activation', function: 'relu' });
  }

  /** Convolution `index`, batch normalisation, ReLU. No bias: normalisation takes it away again. */
  block(index: number, filters: number): this {
    return this.conv(`conv${index}`, filters, { bias: false }).normalise(index);
  }

  /**
   * As `block`, with pooling after the convolution: normalisation and ReLU then have a quarter of
   * the values to work on.
   */
  pooledBlock(index: number, filters: number): this {
    return this.conv(`conv${index}`, filters, { bias: false })
      .pool(`pool${index}`)
      .normalise(index);
  }

  normalise(index: number): this {
    return this.add({ id: `norm${index}`, kind: 'batchNorm' }).relu(`relu${index}`);
  }

  /** The blocks' output added to what they read. He et al., "Deep Residual Learning", 2015. */
  residual(id: string, blocks: (chain: this) => void): this {
    const skip = this.last;
    blocks(this);
    return this.add({ id, kind: 'add', from: [skip, this.last] });
  }

  logits(): this {
    return this.add({ id: 'logits', kind: 'dense', units: 'classes', bias: true });
  }
}

export type NetworkPresetName = 'small' | 'classic' | 'deep' | 'residualS' | 'residualM';

export interface NetworkPreset {
  readonly name: NetworkPresetName;
  /** One sentence. */
  readonly summary: string;
  readonly spec: NetworkSpec;
}

function preset(
  name: NetworkPresetName,
  title: string,
  summary: string,
  chain: Chain,
): NetworkPreset {
  return { name, summary, spec: { title, nodes: chain.nodes } };
}

/** From the least work for an image to the most. */
export const NETWORK_PRESETS: { readonly [Name in NetworkPresetName]: NetworkPreset } = {
  small: preset(
    'small',
    'Small',
    'Two small convolutions: the least work of all.',
    new Chain()
      .conv('conv1', 8, { bias: true })
      .pool('pool1')
      .relu('relu1')
      .conv('conv2', 16, { bias: true })
      .pool('pool2')
      .relu('relu2')
      .add({ id: 'flatten', kind: 'flatten' })
      .logits(),
  ),
  classic: preset(
    'classic',
    'Classic',
    'The textbook network: two convolutions with pooling, then two dense layers.',
    new Chain()
      .pooledBlock(1, 24)
      .pooledBlock(2, 48)
      .add({ id: 'flatten', kind: 'flatten' })
      .add({ id: 'dropout1', kind: 'dropout', rate: null })
      .add({ id: 'hidden', kind: 'dense', units: 64, bias: true })
      .relu('relu3')
      .add({ id: 'dropout2', kind: 'dropout', rate: null })
      .logits(),
  ),
  deep: preset(
    'deep',
    'Deep',
    'Four wider convolutions: six times the work of Classic.',
    new Chain()
      .pooledBlock(1, 32)
      .block(2, 64)
      .pooledBlock(3, 64)
      .pooledBlock(4, 128)
      .add({ id: 'average', kind: 'globalAverage' })
      .add({ id: 'dropout', kind: 'dropout', rate: null })
      .logits(),
  ),
  residualS: preset(
    'residualS',
    'Residual S',
    'Five convolutions, two of them in residual blocks: half again the work of Deep.',
    new Chain()
      .pooledBlock(1, 32)
      .block(2, 64)
      .residual('add1', (chain) => chain.block(3, 64))
      .pool('pool2')
      .block(4, 128)
      .residual('add2', (chain) => chain.block(5, 128))
      .add({ id: 'maximum', kind: 'globalMax' })
      .logits(),
  ),
  residualM: preset(
    'residualM',
    'Residual M',
    'Seven convolutions, four of them in residual blocks: the most work of all.',
    new Chain()
      .pooledBlock(1, 32)
      .block(2, 64)
      .residual('add1', (chain) => chain.block(3, 64).block(4, 64))
      .pool('pool2')
      .block(5, 128)
      .residual('add2', (chain) => chain.block(6, 128).block(7, 128))
      .add({ id: 'maximum', kind: 'globalMax' })
      .logits(),
  ),
};

/** The preset that a network is, title aside; null where it is none. */
export function findNetworkPreset(spec: NetworkSpec): NetworkPreset | null {
  const text = canonicalText(spec);
  return Object.values(NETWORK_PRESETS).find((other) => canonicalText(other.spec) === text) ?? null;
}

/** The same for the same nodes, whatever the title and the order of their fields. */
function canonicalText({ nodes }: NetworkSpec): string {
  return JSON.stringify(nodes.map((node) => Object.entries(node).toSorted()));
}
