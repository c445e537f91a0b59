/**
 * The table of layer kinds: all that Atelier knows of a kind stands in its entry. A new kind is one
 * more entry; engines that have no kernel of their own for it run its plain definition.
 *
 * TensorFlow.js is handed in where an entry needs it, so that the page can read the table without
 * loading the library.
 */
import type * as tf from '@tensorflow/tfjs';
import * as v from 'valibot';

export type TensorFlow = typeof tf;

/** `[height, width, channels]` while an image has sides, `[units]` after; the batch is left out. */
export type Shape = readonly number[];

/** Added to a variance before its root is taken. Keras's default, and not PyTorch's 1e-5. */
export const BATCH_NORM_EPSILON = 1e-3;
/**
 * Share of the old value that the tracked mean and variance keep in each step. Keras's default of
 * 0.99 needs hundreds of steps to forget the start, more than a run on a small data set has.
 */
const BATCH_NORM_MOMENTUM = 0.9;
/** Slope of a leaky ReLU below zero. */
export const LEAKY_SLOPE = 0.1;

/**
 * `kernel`: multiplies, and is all that weight decay acts on. `bias`: added. `scale`: gamma of a
 * normalisation. `statistic`: tracked from batches and not trained.
 */
export type WeightRole = 'kernel' | 'bias' | 'scale' | 'statistic';

export interface WeightSpec {
  /** As the stock layer names it, e.g. "kernel" or "moving_mean". */
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: WeightRole;
}

/** What a plain definition does in training and leaves out when the network answers. */
export interface TrainingPass {
  /** Share of units that a dropout node drops: its own, else the recipe's. */
  dropoutRate(own: number | null): number;
  /** 0 for what is dropped, 1 / (1 − rate) for the rest. Shape with the batch. */
  dropoutMask(shape: readonly number[], rate: number): tf.Tensor;
  /** Hands on the mean or variance of this batch, for the node's statistic of that name. */
  observe(name: string, value: tf.Tensor): void;
}

/** One application of a layer. Tensors have the batch as their first axis. */
export interface LayerCall<Node> {
  readonly node: Node;
  readonly inputs: readonly tf.Tensor[];
  /** By `WeightSpec.name`. */
  readonly weights: Readonly<Record<string, tf.Tensor>>;
  /** Null where the network answers. */
  readonly training: TrainingPass | null;
}

export interface StockOptions {
  readonly name: string;
  readonly kernelInitializer: ReturnType<TensorFlow['initializers']['heNormal']>;
  /** For dropout nodes that have no rate of their own. */
  readonly dropoutRate: number;
}

/** The inputs of a node do not suit it. The message goes on after the node's name: "adds …". */
export class Misfit extends Error {
  override readonly name = 'Misfit';
}

export interface Layer<Fields extends v.ObjectEntries = v.ObjectEntries> {
  /** Of the kind, e.g. "Convolution". */
  readonly title: string;
  /** What a node of this kind says besides id, kind and from. */
  readonly fields: Fields;
  /** Least and most inputs. */
  readonly numInputs: readonly [least: number, most: number];
  /** Of one node, e.g. "Convolution 3×3, 32 filters". */
  describe(node: FieldsOf<Fields>): string;
  /** @throws {Misfit} */
  outputShape(node: FieldsOf<Fields>, inputs: readonly Shape[], numClasses: number): Shape;
  /** In the order in which the stock layer has them. */
  weights(node: FieldsOf<Fields>, inputs: readonly Shape[], output: Shape): readonly WeightSpec[];
  /** Multiplications with an addition, for one image, forward. */
  multiplyAdds(node: FieldsOf<Fields>, inputs: readonly Shape[], output: Shape): number;
  /** The layer of TensorFlow.js that computes the same, for models that leave Atelier. */
  stock(
    tf: TensorFlow,
    node: FieldsOf<Fields>,
    options: StockOptions,
    inputs: readonly Shape[],
    output: Shape,
  ): tf.layers.Layer;
  /** The plain definition: what every engine is tested against. Differentiable; call in `tf.tidy`. */
  apply(tf: TensorFlow, call: LayerCall<FieldsOf<Fields>>): tf.Tensor;
}

export type FieldsOf<Fields extends v.ObjectEntries> = v.InferOutput<
  v.StrictObjectSchema<Fields, undefined>
>;

const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));
const padding = v.picklist(['same', 'valid']);
const stride = v.picklist([1, 2]);
const rate = v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(0.95)));

const pooling = { size: v.picklist([2, 3]), stride, padding } as const;

/** Widest layer that a network may have. */
const MAX_CHANNELS = 4096;

const noWeights = (): readonly WeightSpec[] => [];
const none = (): number => 0;

function layer<const Fields extends v.ObjectEntries>(entry: Layer<Fields>): Layer<Fields> {
  return entry;
}

interface Activation {
  readonly title: string;
  stock(tf: TensorFlow, name: string): tf.layers.Layer;
  apply(tf: TensorFlow, x: tf.Tensor): tf.Tensor;
}

/** Pointwise functions, each with its source. */
const ACTIVATIONS = {
  relu: {
    title: 'ReLU',
    stock: (tf, name) => tf.layers.reLU({ name }),
    apply: (tf, x) => tf.relu(x),
  },
  leakyRelu: {
    title: 'Leaky ReLU',
    stock: (tf, name) => tf.layers.leakyReLU({ name, alpha: LEAKY_SLOPE }),
    apply: (tf, x) => tf.leakyRelu(x, LEAKY_SLOPE),
  },
  /** Elfwing et al., 2017; also known as swish. */
  silu: {
    title: 'SiLU',
    stock: (tf, name) => tf.layers.activation({ name, activation: 'swish' }),
    apply: (tf, x) => tf.mul(x, tf.sigmoid(x)),
  },
  /** Hendrycks and Gimpel, 2016, by the error function and not its tanh approximation. */
  gelu: {
    title: 'GELU',
    // Its own types forget what the library has.
    stock: (tf, name) => tf.layers.activation({ name, activation: 'gelu' as 'relu' }),
    apply: (tf, x) => tf.mul(x, tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5)),
  },
  sigmoid: {
    title: 'Sigmoid',
    stock: (tf, name) => tf.layers.activation({ name, activation: 'sigmoid' }),
    apply: (tf, x) => tf.sigmoid(x),
  },
} satisfies Readonly<Record<string, Activation>>;

export type ActivationName = keyof typeof ACTIVATIONS;
export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as ActivationName[];

export const LAYERS = {
  conv: layer({
    title: 'Convolution',
    fields: {
      filters: count(MAX_CHANNELS),
      size: v.picklist([1, 3, 5, 7]),
      stride,
      padding,
      bias: v.boolean(),
    },
    numInputs: [1, 1],
    describe: ({ filters, size, stride }) =>
      `Convolution ${size}×${size}${stride > 1 ? `, stride ${stride}` : ''}, ${filters} filters`,
    outputShape({ filters, ...window }, [input]) {
      const [height, width] = slide(input, window);
      return [height, width, filters];
    },
    weights: ({ filters, size, bias }, [input]) => [
      { name: 'kernel', shape: [size, size, channelsOf(input), filters], role: 'kernel' },
      ...biasOf(bias, filters),
    ],
    multiplyAdds: ({ size }, [input], output) => size ** 2 * channelsOf(input) * sizeOf(output),
    stock: (tf, { filters, size, stride, padding, bias }, { name, kernelInitializer }) =>
      tf.layers.conv2d({
        name,
        filters,
        kernelSize: size,
        strides: stride,
        padding,
        useBias: bias,
        kernelInitializer,
      }),
    apply(tf, { node, inputs: [x], weights: { kernel, bias } }) {
      const y = tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, node.stride, node.padding);
      return bias ? tf.add(y, bias) : y;
    },
  }),

  depthwiseConv: layer({
    title: 'Depthwise convolution',
    fields: { size: v.picklist([3, 5, 7]), stride, padding, bias: v.boolean() },
    numInputs: [1, 1],
    describe: ({ size, stride }) =>
      `Depthwise convolution ${size}×${size}${stride > 1 ? `, stride ${stride}` : ''}`,
    outputShape(node, [input]) {
      const [height, width] = slide(input, node);
      return [height, width, channelsOf(input)];
    },
    weights: ({ size, bias }, [input]) => [
      { name: 'depthwise_kernel', shape: [size, size, channelsOf(input), 1], role: 'kernel' },
      ...biasOf(bias, channelsOf(input)),
    ],
    multiplyAdds: ({ size }, _, output) => size ** 2 * sizeOf(output),
    stock: (tf, { size, stride, padding, bias }, { name, kernelInitializer }) =>
      tf.layers.depthwiseConv2d({
        name,
        kernelSize: size,
        strides: stride,
        padding,
        useBias: bias,
        depthwiseInitializer: kernelInitializer,
      }),
    apply(tf, { node, inputs: [x], weights: { depthwise_kernel: kernel, bias } }) {
      const { stride, padding } = node;
      const y = tf.depthwiseConv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, stride, padding);
      return bias ? tf.add(y, bias) : y;
    },
  }),

  batchNorm: layer({
    title: 'Batch normalisation',
    fields: {},
    numInputs: [1, 1],
    describe: () => 'Batch normalisation',
    outputShape: (_, [input]) => input as Shape,
    weights(_, [input]) {
      const shape = [(input as Shape).at(-1) as number];
      return [
        { name: 'gamma', shape, role: 'scale' },
        { name: 'beta', shape, role: 'bias' },
        { name: 'moving_mean', shape, role: 'statistic' },
        { name: 'moving_variance', shape, role: 'statistic' },
      ];
    },
    multiplyAdds: (_, __, output) => sizeOf(output),
    stock: (tf, _, { name }) =>
      tf.layers.batchNormalization({
        name,
        epsilon: BATCH_NORM_EPSILON,
        momentum: BATCH_NORM_MOMENTUM,
      }),
    // Ioffe and Szegedy, "Batch Normalization", 2015.
    apply(tf, { inputs: [x], weights, training }) {
      const input = x as tf.Tensor;
      let { moving_mean: mean, moving_variance: variance } = weights;
      if (training) {
        const axes = input.shape.map((_, axis) => axis).slice(0, -1);
        ({ mean, variance } = tf.moments(input, axes));
        training.observe('moving_mean', mean);
        training.observe('moving_variance', variance);
      }
      const scale = tf.rsqrt(tf.add(variance as tf.Tensor, BATCH_NORM_EPSILON));
      const normal = tf.mul(tf.sub(input, mean as tf.Tensor), scale);
      return tf.add(tf.mul(normal, weights.gamma as tf.Tensor), weights.beta as tf.Tensor);
    },
  }),

  activation: layer({
    title: 'Activation',
    fields: { function: v.picklist(ACTIVATION_NAMES) },
    numInputs: [1, 1],
    describe: (node) => ACTIVATIONS[node.function].title,
    outputShape: (_, [input]) => input as Shape,
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, node, { name }) => ACTIVATIONS[node.function].stock(tf, name),
    apply: (tf, { node, inputs: [x] }) => ACTIVATIONS[node.function].apply(tf, x as tf.Tensor),
  }),

  maxPool: layer({
    title: 'Max pooling',
    fields: pooling,
    numInputs: [1, 1],
    describe: ({ size, stride }) => `Max pooling ${size}×${size}, stride ${stride}`,
    outputShape: (node, [input]) => [...slide(input, node), channelsOf(input)],
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, { size, stride, padding }, { name }) =>
      tf.layers.maxPooling2d({ name, poolSize: size, strides: stride, padding }),
    apply: (tf, { node: { size, stride, padding }, inputs: [x] }) =>
      tf.maxPool(x as tf.Tensor4D, size, stride, padding),
  }),

  averagePool: layer({
    title: 'Average pooling',
    fields: pooling,
    numInputs: [1, 1],
    describe: ({ size, stride }) => `Average pooling ${size}×${size}, stride ${stride}`,
    outputShape: (node, [input]) => [...slide(input, node), channelsOf(input)],
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, { size, stride, padding }, { name }) =>
      tf.layers.averagePooling2d({ name, poolSize: size, strides: stride, padding }),
    apply: (tf, { node: { size, stride, padding }, inputs: [x] }) =>
      tf.avgPool(x as tf.Tensor4D, size, stride, padding),
  }),

  globalAverage: layer({
    title: 'Global average',
    fields: {},
    numInputs: [1, 1],
    describe: () => 'Global average',
    outputShape: (_, [input]) => [channelsOf(input)],
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, _, { name }) => tf.layers.globalAveragePooling2d({ name }),
    apply: (tf, { inputs: [x] }) => tf.mean(x as tf.Tensor, [1, 2]),
  }),

  globalMax: layer({
    title: 'Global maximum',
    fields: {},
    numInputs: [1, 1],
    describe: () => 'Global maximum',
    outputShape: (_, [input]) => [channelsOf(input)],
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, _, { name }) => tf.layers.globalMaxPooling2d({ name }),
    // A pooling and no `tf.max`: where several places hold the maximum, one gets the gradient.
    apply(tf, { inputs: [x] }) {
      const [batch, height, width, channels] = (x as tf.Tensor4D).shape;
      const pooled = tf.maxPool(x as tf.Tensor4D, [height, width], 1, 'valid');
      return tf.reshape(pooled, [batch, channels]);
    },
  }),

  add: layer({
    title: 'Add',
    fields: {},
    numInputs: [2, 8],
    describe: () => 'Add',
    outputShape: (_, inputs) => alike('adds', inputs),
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, _, { name }) => tf.layers.add({ name }),
    apply: (tf, { inputs }) => inputs.reduce((sum, input) => tf.add(sum, input)),
  }),

  multiply: layer({
    title: 'Multiply',
    fields: {},
    numInputs: [2, 2],
    describe: () => 'Multiply',
    outputShape(_, inputs) {
      const [first = [], second = []] = inputs;
      // Squeeze and excite (Hu et al., 2018): one factor a channel.
      const scales = first.length === 3 && second.length === 1 && first[2] === second[0];
      if (scales) return first;
      return alike(
        'multiplies',
        inputs,
        ', or the second one number for each channel of the first',
      );
    },
    weights: noWeights,
    multiplyAdds: (_, __, output) => sizeOf(output),
    stock: (tf, _, { name }) => tf.layers.multiply({ name }),
    apply(tf, { inputs }) {
      const [first, second] = inputs as [tf.Tensor, tf.Tensor];
      if (first.rank === second.rank) return tf.mul(first, second);
      const [batch, channels] = second.shape as [number, number];
      return tf.mul(first, tf.reshape(second, [batch, 1, 1, channels]));
    },
  }),

  concatenate: layer({
    title: 'Concatenate',
    fields: {},
    numInputs: [2, 8],
    describe: () => 'Concatenate',
    outputShape(_, inputs) {
      const [first = []] = inputs;
      const isFit = inputs.every(
        (shape) =>
          shape.length === first.length &&
          shape.slice(0, -1).every((length, axis) => length === first[axis]),
      );
      if (!isFit) {
        throw new Misfit(
          `concatenates ${listShapes(inputs)}: they must have the same height and width`,
        );
      }
      return [...first.slice(0, -1), inputs.reduce((sum, shape) => sum + (shape.at(-1) ?? 0), 0)];
    },
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, _, { name }) => tf.layers.concatenate({ name, axis: -1 }),
    apply: (tf, { inputs }) => tf.concat([...inputs], -1),
  }),

  flatten: layer({
    title: 'Flatten',
    fields: {},
    numInputs: [1, 1],
    describe: () => 'Flatten',
    outputShape: (_, [input]) => [sizeOf(input as Shape)],
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, _, { name }) => tf.layers.flatten({ name }),
    apply: (tf, { inputs: [x] }) =>
      tf.reshape(x as tf.Tensor, [(x as tf.Tensor).shape[0] ?? 1, -1]),
  }),

  dropout: layer({
    title: 'Dropout',
    /** Null: the recipe's. */
    fields: { rate },
    numInputs: [1, 1],
    describe: ({ rate }) => (rate === null ? 'Dropout' : `Dropout of ${rate}`),
    outputShape: (_, [input]) => input as Shape,
    weights: noWeights,
    multiplyAdds: none,
    stock: (tf, { rate }, { name, dropoutRate }) =>
      tf.layers.dropout({ name, rate: rate ?? dropoutRate }),
    apply(tf, { node, inputs: [x], training }) {
      const input = x as tf.Tensor;
      const share = training?.dropoutRate(node.rate) ?? 0;
      if (!training || share === 0) return input;
      return tf.mul(input, training.dropoutMask(input.shape, share));
    },
  }),

  spatialDropout: layer({
    title: 'Spatial dropout',
    /** Null: the recipe's. */
    fields: { rate },
    numInputs: [1, 1],
    describe: ({ rate }) => (rate === null ? 'Spatial dropout' : `Spatial dropout of ${rate}`),
    outputShape(_, [input]) {
      channelsOf(input);
      return input as Shape;
    },
    weights: noWeights,
    multiplyAdds: none,
    // TensorFlow.js has no layer of that name; a dropout whose mask is one number a channel is one.
    stock: (tf, { rate }, { name, dropoutRate }, _, output) =>
      tf.layers.dropout({
        name,
        rate: rate ?? dropoutRate,
        noiseShape: [null as unknown as number, 1, 1, channelsOf(output)],
      }),
    apply(tf, { node, inputs: [x], training }) {
      const input = x as tf.Tensor4D;
      const share = training?.dropoutRate(node.rate) ?? 0;
      if (!training || share === 0) return input;
      const [batch, , , channels] = input.shape;
      return tf.mul(input, training.dropoutMask([batch, 1, 1, channels], share));
    },
  }),

  dense: layer({
    title: 'Dense',
    fields: { units: v.union([v.literal('classes'), count(MAX_CHANNELS)]), bias: v.boolean() },
    numInputs: [1, 1],
    describe: ({ units }) =>
      units === 'classes' ? 'Dense, one unit a class' : `Dense, ${units} units`,
    outputShape({ units }, [input], numClasses) {
      if (input?.length !== 1) {
        throw new Misfit(
          `is given ${formatShape(input as Shape)}: put a flatten or a global pooling before it`,
        );
      }
      return [units === 'classes' ? numClasses : units];
    },
    weights: ({ bias }, [input], output) => [
      { name: 'kernel', shape: [sizeOf(input as Shape), sizeOf(output)], role: 'kernel' },
      ...biasOf(bias, sizeOf(output)),
    ],
    multiplyAdds: (_, [input], output) => sizeOf(input as Shape) * sizeOf(output),
    stock: (tf, { bias }, { name, kernelInitializer }, _, output) =>
      tf.layers.dense({ name, units: sizeOf(output), useBias: bias, kernelInitializer }),
    apply(tf, { inputs: [x], weights: { kernel, bias } }) {
      const y = tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D);
      return bias ? tf.add(y, bias) : y;
    },
  }),
};

export type LayerKind = keyof typeof LAYERS;

/** Numbers in a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** E.g. "14×14×64". */
export function formatShape(shape: Shape): string {
  return shape.join('×');
}

/** "14×14×64 and 7×7×128". */
function listShapes(shapes: readonly Shape[]): string {
  const texts = shapes.map(formatShape);
  return `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}

function biasOf(hasBias: boolean, length: number): readonly WeightSpec[] {
  return hasBias ? [{ name: 'bias', shape: [length], role: 'bias' }] : [];
}

/** @throws {Misfit} where the input has no sides any more. */
function channelsOf(input: Shape | undefined): number {
  const [, , channels] = input ?? [];
  if (channels === undefined) {
    throw new Misfit(
      `is given ${formatShape(input ?? [])}, which has no height and width any more: put it before flatten and global pooling`,
    );
  }
  return channels;
}

/** Height and width that a window leaves as it slides, counted as TensorFlow does. */
function slide(
  input: Shape | undefined,
  {
    size,
    stride,
    padding,
  }: { readonly size: number; readonly stride: number; readonly padding: 'same' | 'valid' },
): [height: number, width: number] {
  channelsOf(input);
  const [height = 1, width = 1] = input ?? [];
  const places = (length: number) =>
    padding === 'same' ? Math.ceil(length / stride) : Math.floor((length - size) / stride) + 1;
  if (places(height) < 1 || places(width) < 1) {
    throw new Misfit(
      `looks through ${size}×${size} windows at ${height}×${width}, where none fits: use “same” padding or fewer poolings before it`,
    );
  }
  return [places(height), places(width)];
}

/** The shape of all inputs. @throws {Misfit} where they differ. */
function alike(verb: string, inputs: readonly Shape[], orElse = ''): Shape {
  const [first = []] = inputs;
  const isFit = inputs.every((shape) => formatShape(shape) === formatShape(first));
  if (!isFit) throw new Misfit(`${verb} ${listShapes(inputs)}: they must be alike${orElse}`);
  return first;
}
