/**
 * Shows that training by our shaders is right on this device: one step of small networks with every
 * kind of layer, beside the gradients of the plain definitions. Drivers compile some shaders wrongly,
 * and a network that trains a little worse would not show it.
 *
 * The speed of the step is not compared here, as that of single kernels is: for TensorFlow.js's own to
 * run, a hundred shaders and more would have to be compiled before each first run.
 */
import * as tf from '@tensorflow/tfjs';
import { PIXELS, SIDE } from '../../fashion.ts';
import type { LayerKind } from '../../network/layers.ts';
import {
  INPUT,
  layerOf,
  type Network,
  type NetworkNode,
  type NetworkSpec,
  resolveNetwork,
  weightKey,
} from '../../network/spec.ts';
import type { Batch, ImageChange, ModelWeight } from '../contract.ts';
import { Device, WebGLDeviceError } from './device.ts';
import { dropoutMask } from './elementwise.ts';
import { isClose } from './tensorKernels.ts';
import { WebGLTrainer } from './webglTrainer.ts';

/** No multiple of 4, so that matrices end with rows that do not count. */
const BATCH = 6;
const CLASSES = 10;
const LABEL_SMOOTHING = 0.1;
const DROPOUT = 0.3;
const MOMENTUM = 0.9;
const SEED = 20;
/** Far apart, so that they are in several columns of the data's texture. */
const ROWS = Array.from({ length: BATCH }, (_, index) => index * 53 + 3);
const CHANGES = ROWS.map(
  (_, index): ImageChange => ({
    isMirrored: index % 2 === 1,
    right: (index % 3) - 1,
    down: (index % 5) - 2,
    erased: index === 2 ? { left: 3, top: 9, width: 12, height: 7, fill: 90 } : null,
  }),
);
const PARTNERS = ROWS.map((_, index) => (index + 1) % BATCH);
const SHARES = ROWS.map((_, index) => (index < 4 ? 1 : 0.75));
const NUM_ROWS = Math.max(...ROWS) + 1;

/** Large, so that gradients are not lost in the difference of two half floats. */
const RATE = 16;
/** Of the largest gradient of a weight. Half floats lose digits in each layer. */
const TOLERANCE = 1e-3;
const HALF_TOLERANCE = 0.2;

type Chained<Node> = Node extends NetworkNode
  ? Omit<Node, 'from'> & { readonly from?: readonly string[] }
  : never;

function chain(title: string, nodes: readonly Chained<NetworkNode>[]): NetworkSpec {
  return {
    title,
    nodes: nodes.map((node, index) => {
      const from = node.from ?? [nodes[index - 1]?.id ?? INPUT];
      return { ...node, from } as NetworkNode;
    }),
  };
}

const window = { size: 3, stride: 1, padding: 'same', bias: false } as const;
const classes = { id: 'logits', kind: 'dense', units: 'classes', bias: true } as const;

/** Odd sides and numbers of channels, so that nothing fills fours. */
const SPECIMENS: readonly NetworkSpec[] = [
  chain('Common layers', [
    { id: 'conv1', kind: 'conv', filters: 8, ...window, stride: 2, bias: true },
    { id: 'relu1', kind: 'activation', function: 'relu' },
    { id: 'pool', kind: 'maxPool', size: 2, stride: 2, padding: 'valid' },
    { id: 'conv2', kind: 'conv', filters: 6, ...window },
    { id: 'relu2', kind: 'activation', function: 'relu' },
    { id: 'conv3', kind: 'conv', filters: 6, ...window },
    { id: 'norm3', kind: 'batchNorm' },
    { id: 'relu3', kind: 'activation', function: 'relu' },
    { id: 'add1', kind: 'add', from: ['relu2', 'relu3'] },
    { id: 'conv4', kind: 'conv', filters: 10, ...window, padding: 'valid', bias: true },
    { id: 'relu4', kind: 'activation', function: 'relu' },
    { id: 'largest', kind: 'globalMax' },
    { id: 'average', kind: 'globalAverage', from: ['relu4'] },
    { id: 'flat', kind: 'flatten', from: ['relu4'] },
    { id: 'dropout', kind: 'dropout', rate: null },
    { id: 'hidden', kind: 'dense', units: 10, bias: false },
    { id: 'relu5', kind: 'activation', function: 'relu' },
    { id: 'add2', kind: 'add', from: ['largest', 'average', 'relu5'] },
    classes,
  ]),
  chain('Other layers', [
    { id: 'conv1', kind: 'conv', filters: 6, ...window, size: 5, stride: 2, padding: 'valid' },
    { id: 'depth1', kind: 'depthwiseConv', ...window, bias: true },
    { id: 'silu', kind: 'activation', function: 'silu' },
    { id: 'both', kind: 'concatenate', from: ['conv1', 'silu'] },
    { id: 'norm', kind: 'batchNorm' },
    { id: 'gelu', kind: 'activation', function: 'gelu' },
    { id: 'pool1', kind: 'averagePool', size: 3, stride: 2, padding: 'same' },
    { id: 'squeeze', kind: 'globalAverage' },
    { id: 'excite', kind: 'dense', units: 12, bias: true },
    { id: 'sigmoid', kind: 'activation', function: 'sigmoid' },
    { id: 'scaled', kind: 'multiply', from: ['pool1', 'sigmoid'] },
    { id: 'dropout', kind: 'spatialDropout', rate: null },
    { id: 'conv2', kind: 'conv', filters: 7, ...window, stride: 2, bias: true },
    { id: 'leaky', kind: 'activation', function: 'leakyRelu' },
    { id: 'pool2', kind: 'maxPool', size: 3, stride: 1, padding: 'same' },
    { id: 'depth2', kind: 'depthwiseConv', ...window, stride: 2 },
    { id: 'flat', kind: 'flatten' },
    classes,
  ]),
];
const COMMON: ReadonlySet<LayerKind> = new Set(SPECIMENS[0]?.nodes.map(({ kind }) => kind));

/** Whether a network has what only the other specimen checks. */
function isUncommon({ nodes }: Network): boolean {
  return nodes.some(({ node }) => {
    if (!COMMON.has(node.kind)) return true;
    if (node.kind === 'activation') return node.function !== 'relu';
    if (node.kind === 'maxPool') return node.size !== 2 || node.stride !== 2;
    return false;
  });
}

const verdicts = new WeakMap<Device, Promise<boolean>[]>();

/**
 * Whether WebGL is in charge and trains networks like this one rightly. Checked once for a device,
 * rarer layers when a network first has them.
 */
export async function trainsRightly(network: Network): Promise<boolean> {
  const device = Device.current();
  if (!device) return false;
  const known = verdicts.get(device) ?? [];
  verdicts.set(device, known);
  const wanted = isUncommon(network) ? SPECIMENS : SPECIMENS.slice(0, 1);
  for (const [index, specimen] of wanted.entries()) {
    const verdict = known[index] ?? isRight(specimen, device);
    known[index] = verdict;
    if (!(await verdict)) return false;
  }
  return true;
}

/** Whether a step changes the weights by the gradients of the plain definitions. */
async function isRight(spec: NetworkSpec, device: Device): Promise<boolean> {
  const network = resolveNetwork(spec, CLASSES);
  const pixels = Uint8Array.from({ length: NUM_ROWS * PIXELS }, (_, index) => (index * 7919) % 251);
  const before = initialWeights(network);
  const expected = onCpu(() => expectedWeights(network, before, pixels));
  const variables = new Map(
    [...before].map(([key, { shape, values }]) => [key, tf.variable(tf.tensor(values, shape))]),
  );
  const trainer = WebGLTrainer.create({
    network,
    weights: new Map([...variables].map(([key, variable]) => [key, asWeight(variable)])),
    data: { pixels, numRows: NUM_ROWS },
    batchSize: BATCH,
    optimizer: {
      rule: { kind: 'sgd', momentum: 0, isNesterov: false },
      weightDecay: 0,
      maxGradientNorm: null,
      averageDecay: null,
    },
    optimizerState: null,
    dropout: DROPOUT,
    labelSmoothing: LABEL_SMOOTHING,
    batchNormMomentum: MOMENTUM,
  });
  try {
    if (!trainer) return false;
    trainer.load(makeBatch());
    trainer.step(RATE).dispose();
    trainer.sync();
    const tolerance = device.isHalf ? HALF_TOLERANCE : TOLERANCE;
    const verdicts = await Promise.all(
      [...variables].map(async ([key, variable]) => {
        const after = await variable.data<'float32'>();
        const [old, goal] = [before.get(key)?.values, expected.get(key)];
        if (!old || !goal) return false;
        return isClose(subtract(old, after), subtract(old, goal), tolerance);
      }),
    );
    return verdicts.every((verdict) => verdict);
  } catch (error) {
    if (error instanceof WebGLDeviceError) return false;
    throw error;
  } finally {
    trainer?.dispose();
    tf.dispose([...variables.values()]);
  }
}

function makeBatch(): Batch {
  const targets = new Float32Array(BATCH * CLASSES);
  ROWS.forEach((row, index) => {
    targets[index * CLASSES + (row % CLASSES)] = 0.75;
    targets[index * CLASSES + ((row + 3) % CLASSES)] = 0.25;
  });
  return {
    images: { kind: 'rows', rows: Uint32Array.from(ROWS) },
    changes: CHANGES,
    mixing: { partners: Uint32Array.from(PARTNERS), shares: Float32Array.from(SHARES) },
    targets,
    seed: SEED,
  };
}

/** The images as a step sees them, 0–1. */
function changedImages(pixels: Uint8Array): Float32Array {
  const unmixed = Float32Array.from({ length: BATCH * PIXELS }, (_, at) => {
    const index = Math.floor(at / PIXELS);
    const { isMirrored, right, down, erased } = CHANGES[index] as ImageChange;
    const [x, y] = [at % SIDE, Math.floor((at % PIXELS) / SIDE)];
    if (erased) {
      const { left, top, width, height, fill } = erased;
      if (x >= left && x < left + width && y >= top && y < top + height) return fill / 255;
    }
    const [fromX, fromY] = [x - right, y - down];
    if (fromX < 0 || fromX >= SIDE || fromY < 0 || fromY >= SIDE) return 0;
    const column = isMirrored ? SIDE - 1 - fromX : fromX;
    return (pixels[((ROWS[index] ?? 0) * SIDE + fromY) * SIDE + column] ?? 0) / 255;
  });
  return unmixed.map((value, at) => {
    const index = Math.floor(at / PIXELS);
    const share = SHARES[index] ?? 1;
    const partner = unmixed[(PARTNERS[index] ?? 0) * PIXELS + (at % PIXELS)] ?? 0;
    return share * value + (1 - share) * partner;
  });
}

interface Weight {
  readonly shape: number[];
  readonly values: Float32Array;
}

/** Neither zeros nor ones, which would hide errors. */
function initialWeights({ nodes }: Network): Map<string, Weight> {
  let index = 0;
  return new Map(
    nodes.flatMap(({ node, weights }) =>
      weights.map(({ name, shape, role }): [string, Weight] => {
        const size = tf.util.sizeFromShape([...shape]);
        const fanIn = role === 'kernel' ? size / (shape.at(-1) ?? 1) : 1;
        const values = Float32Array.from({ length: size }, () => {
          const chance = (Math.imul(++index, 0x9e3779b1) >>> 8) * 2 ** -24;
          return role === 'statistic' ? chance : ((chance * 2 - 1) * 1.5) / Math.sqrt(fanIn);
        });
        return [weightKey(node.id, name), { shape: [...shape], values }];
      }),
    ),
  );
}

/** The weights after a step by the plain definitions. */
function expectedWeights(
  network: Network,
  before: ReadonlyMap<string, Weight>,
  pixels: Uint8Array,
): Map<string, Float32Array> {
  const after = new Map<string, Float32Array>();
  const trained = network.nodes.flatMap(({ node, weights }) =>
    weights.flatMap(({ name, role }) => (role === 'statistic' ? [] : weightKey(node.id, name))),
  );
  const weightOf = (key: string) => before.get(key)?.values ?? new Float32Array();
  tf.tidy(() => {
    const x = tf.tensor4d(changedImages(pixels), [BATCH, SIDE, SIDE, 1]);
    const targets = tf.tensor2d(makeBatch().targets, [BATCH, CLASSES]);
    const goals = tf.add(tf.mul(targets, 1 - LABEL_SMOOTHING), LABEL_SMOOTHING / CLASSES);
    const loss = (...weights: tf.Tensor[]): tf.Scalar => {
      const byKey = new Map(trained.map((key, index) => [key, weights[index] as tf.Tensor]));
      const logits = applyPlainly(network, byKey, x, (key, observed) => {
        const old = weightOf(key);
        const moment = observed.dataSync<'float32'>();
        after.set(
          key,
          old.map((value, at) => value * MOMENTUM + (moment[at] ?? 0) * (1 - MOMENTUM)),
        );
      });
      return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), goals), 1)));
    };
    const weights = trained.map((key) => tf.tensor(weightOf(key), before.get(key)?.shape));
    const { grads } = tf.valueAndGrads(loss)(weights);
    trained.forEach((key, index) => {
      const gradient = grads[index]?.dataSync<'float32'>() ?? [];
      after.set(
        key,
        weightOf(key).map((value, at) => value - RATE * (gradient[at] ?? Number.NaN)),
      );
    });
  });
  return after;
}

function applyPlainly(
  { nodes, output }: Network,
  weights: ReadonlyMap<string, tf.Tensor>,
  x: tf.Tensor4D,
  observe: (key: string, value: tf.Tensor) => void,
): tf.Tensor {
  const values = new Map<string, tf.Tensor>([[INPUT, x]]);
  let numDropouts = 0;
  for (const { node, ...placed } of nodes) {
    const value = layerOf(node).apply(tf, {
      node,
      inputs: node.from.map((id) => values.get(id) as tf.Tensor),
      weights: Object.fromEntries(
        placed.weights.map(({ name }) => [
          name,
          weights.get(weightKey(node.id, name)) as tf.Tensor,
        ]),
      ),
      training: {
        dropoutRate: (own) => own ?? DROPOUT,
        dropoutMask(shape, rate) {
          const [rows = 1, columns = 1] = [shape[0], shape.at(-1)];
          const mask = dropoutMask(rows, columns, { seed: SEED, index: numDropouts++, rate });
          return tf.tensor(mask, [...shape]);
        },
        observe: (name, observed) => observe(weightKey(node.id, name), observed),
      },
    });
    values.set(node.id, value);
  }
  return values.get(output) as tf.Tensor;
}

function subtract(left: Float32Array, right: Float32Array): Float32Array {
  return left.map((value, index) => value - (right[index] ?? Number.NaN));
}

/**
 * Runs on TensorFlow.js's `cpu` backend: it is quick with so little to compute, where WebGL would
 * compile a hundred shaders for it. That backend starts at once and this is one task, so that nobody
 * else sees the change.
 */
function onCpu<Result>(run: () => Result): Result {
  const before = tf.getBackend();
  void tf.setBackend('cpu');
  try {
    return run();
  } finally {
    void tf.setBackend(before);
  }
}

function asWeight(variable: tf.Variable): ModelWeight {
  return {
    read: () => variable,
    write: (value) => variable.assign(value),
  };
}
