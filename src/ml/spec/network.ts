/**
 * Owns the architectures: each network as a list of layers, and what follows from the list — output
 * shapes, parameters, multiply-adds. Pure; `build.ts` makes the tf.layers model.
 */
import { FASHION_MNIST, SIDE } from '../../fashion.ts';

export type LayerSpec =
  | {
      readonly kind: 'conv';
      readonly filters: number;
      readonly kernel: number;
      readonly padding: 'same' | 'valid';
      readonly activation: 'relu' | 'linear';
    }
  | { readonly kind: 'batchNorm' }
  | { readonly kind: 'relu' }
  /** Windows of 2×2, side by side. */
  | { readonly kind: 'maxPool' }
  | { readonly kind: 'globalAveragePool' }
  | { readonly kind: 'flatten' }
  /** At the recipe's rate. */
  | { readonly kind: 'dropout' }
  | { readonly kind: 'dense'; readonly units: number; readonly activation: 'relu' | 'linear' };

export type NetworkName = 'small' | 'classic' | 'deep';

export interface Network {
  readonly name: NetworkName;
  readonly title: string;
  /** One sentence. */
  readonly summary: string;
  /** From pictures `[n, 28, 28, 1]` to logits `[n, 10]`. */
  readonly layers: readonly LayerSpec[];
}

const conv = (filters: number, activation: 'relu' | 'linear'): LayerSpec => ({
  kind: 'conv',
  filters,
  kernel: 3,
  padding: 'same',
  activation,
});
const batchNorm: LayerSpec = { kind: 'batchNorm' };
const relu: LayerSpec = { kind: 'relu' };
const maxPool: LayerSpec = { kind: 'maxPool' };
const flatten: LayerSpec = { kind: 'flatten' };
const dropout: LayerSpec = { kind: 'dropout' };
const hidden = (units: number): LayerSpec => ({ kind: 'dense', units, activation: 'relu' });
const logits: LayerSpec = {
  kind: 'dense',
  units: FASHION_MNIST.classNames.length,
  activation: 'linear',
};

/**
 * Pooling comes before normalisation and ReLU, which then have a quarter of the values to work on.
 */
const pooledConv = (filters: number): readonly LayerSpec[] => [
  conv(filters, 'linear'),
  maxPool,
  batchNorm,
  relu,
];

/** Every network, from the least work for a picture to the most. */
export const NETWORKS: { readonly [Name in NetworkName]: Network } = {
  small: {
    name: 'small',
    title: 'Small',
    summary: 'Two small convolutions: the least work of the three.',
    layers: [conv(8, 'relu'), maxPool, conv(16, 'relu'), maxPool, flatten, logits],
  },
  classic: {
    name: 'classic',
    title: 'Classic',
    summary: 'The textbook network: two convolutions with pooling, then two dense layers.',
    layers: [...pooledConv(24), ...pooledConv(48), flatten, dropout, hidden(64), dropout, logits],
  },
  deep: {
    name: 'deep',
    title: 'Deep',
    summary: 'Four wider convolutions: the most work, so the one that wants a graphics card.',
    layers: [
      ...pooledConv(32),
      conv(64, 'linear'),
      batchNorm,
      relu,
      ...pooledConv(64),
      ...pooledConv(128),
      { kind: 'globalAveragePool' },
      dropout,
      logits,
    ],
  },
};

/** `[height, width, channels]` while the picture has sides, `[units]` after. */
export type LayerShape = readonly number[];

/** One line of the network's table. */
export interface LayerRow {
  /** E.g. "Convolution 3×3, ReLU". */
  readonly title: string;
  readonly outputShape: LayerShape;
  /** Weights, those that batch normalisation tracks included. */
  readonly params: number;
  /** Multiplications with an addition, for one picture, forward. */
  readonly multiplyAdds: number;
}

export interface NetworkDescription {
  readonly rows: readonly LayerRow[];
  readonly params: number;
  readonly multiplyAdds: number;
}

/**
 * A convolution that batch normalisation follows, pooled or not, needs no bias: the normalisation
 * would take it away again.
 */
export function hasBias(layers: readonly LayerSpec[], index: number): boolean {
  const after = layers.slice(index + 1).find(({ kind }) => kind !== 'maxPool');
  return after?.kind !== 'batchNorm';
}

function sizeOf(shape: LayerShape): number {
  return shape.reduce((size, length) => size * length, 1);
}

function describeLayer(layer: LayerSpec, input: LayerShape, withBias: boolean): LayerRow {
  const [height = 1, width = 1, channels = 1] = input;
  const relu = 'activation' in layer && layer.activation === 'relu' ? ', ReLU' : '';
  switch (layer.kind) {
    case 'conv': {
      const { filters, kernel } = layer;
      const lost = layer.padding === 'same' ? 0 : kernel - 1;
      const outputShape = [height - lost, width - lost, filters];
      const weights = kernel * kernel * channels * filters;
      return {
        title: `Convolution ${kernel}×${kernel}, ${filters} filters${relu}`,
        outputShape,
        params: weights + (withBias ? filters : 0),
        multiplyAdds: (height - lost) * (width - lost) * weights,
      };
    }
    case 'batchNorm':
      return {
        title: 'Batch normalisation',
        outputShape: input,
        params: 4 * (input.at(-1) ?? 0),
        multiplyAdds: sizeOf(input),
      };
    case 'relu':
      return { title: 'ReLU', outputShape: input, params: 0, multiplyAdds: 0 };
    case 'maxPool':
      return {
        title: 'Max pooling 2×2',
        outputShape: [Math.floor(height / 2), Math.floor(width / 2), channels],
        params: 0,
        multiplyAdds: 0,
      };
    case 'globalAveragePool':
      return {
        title: 'Average over the picture',
        outputShape: [channels],
        params: 0,
        multiplyAdds: 0,
      };
    case 'flatten':
      return { title: 'Flatten', outputShape: [sizeOf(input)], params: 0, multiplyAdds: 0 };
    case 'dropout':
      return { title: 'Dropout', outputShape: input, params: 0, multiplyAdds: 0 };
    case 'dense': {
      const weights = sizeOf(input) * layer.units;
      return {
        title: `Dense, ${layer.units} units${relu}`,
        outputShape: [layer.units],
        params: weights + layer.units,
        multiplyAdds: weights,
      };
    }
    default:
      throw new RangeError(`Unknown layer ${layer satisfies never}.`);
  }
}

/** The network's table: one row a layer, the softmax at the end included, and totals. */
export function describeNetwork(name: NetworkName): NetworkDescription {
  const { layers } = NETWORKS[name];
  const rows: LayerRow[] = [];
  let shape: LayerShape = [SIDE, SIDE, 1];
  layers.forEach((layer, index) => {
    const row = describeLayer(layer, shape, hasBias(layers, index));
    rows.push(row);
    shape = row.outputShape;
  });
  rows.push({ title: 'Softmax', outputShape: shape, params: 0, multiplyAdds: 0 });
  return {
    rows,
    params: rows.reduce((sum, row) => sum + row.params, 0),
    multiplyAdds: rows.reduce((sum, row) => sum + row.multiplyAdds, 0),
  };
}
