/**
 * Owns the proof that training by our shaders is right on this device: one step of little networks
 * with every kind of layer, beside the gradients of TensorFlow.js. Drivers compile some shaders
 * wrongly, and a network that learns a little worse would not tell.
 *
 * The speed of the step is not compared here, as that of single kernels is: for TensorFlow.js's own to
 * run, a hundred shaders and more would have to be compiled before each first run.
 */
import * as tf from '@tensorflow/tfjs';
import { batchNormInTraining } from '../stock/batchNorm.ts';
import type { TrainingLayer, Weight } from '../trainer.ts';
import { Device, WebGLDeviceError } from './device.ts';
import { isClose } from './kernels.ts';
import { dropoutMask } from './rearrangement.ts';
import { WebGLTrainer } from './trainer.ts';

const verdicts = new WeakMap<Device, Promise<boolean>>();

/** Whether WebGL is in charge and trains rightly. Checked once for a device. */
export async function trainsRightly(): Promise<boolean> {
  const device = Device.current();
  if (!device) return false;
  const verdict = verdicts.get(device) ?? check(device);
  verdicts.set(device, verdict);
  return verdict;
}

const SIDE = 13;
const BATCH = 8;
const CLASSES = 10;
const EPSILON = 1e-3;
const LABEL_SMOOTHING = 0.1;
const DROPOUT = 0.3;
const SEED = 20;
/** Far apart, so that they are in several columns of the data's texture. */
const ROWS = Array.from({ length: BATCH }, (_, index) => index * 53 + 3);
/** Mirrored, to the right, down. */
const CHANGES = ROWS.map((_, index) => [index & 1, (index % 3) - 1, (index % 5) - 2] as const);
const labelOf = (row: number) => row % CLASSES;
const NUM_ROWS = Math.max(...ROWS) + 1;
const DATA = {
  pixels: Uint8Array.from({ length: NUM_ROWS * SIDE ** 2 }, (_, index) => (index * 7919) % 256),
  labels: Uint8Array.from({ length: NUM_ROWS }, (_, row) => labelOf(row)),
};

/** Large, so that gradients are not lost in the difference of two half floats. */
const RATE = 16;
/** Of the largest gradient of a weight. Half floats lose digits in each of nine layers. */
const TOLERANCE = 1e-3;
const HALF_TOLERANCE = 0.2;

type Tensors = readonly tf.Tensor[];

/** A network, and the same in operations of TensorFlow.js. */
interface Specimen {
  readonly layers: readonly TrainingLayer[];
  /** Of the weights. */
  readonly shapes: readonly number[][];
  /** Channels of its batch normalisation; 0: none. */
  readonly numTracked: number;
  /** From pictures `[BATCH, SIDE, SIDE, 1]` to logits. */
  readonly apply: (weights: Tensors, x: tf.Tensor4D) => tf.Tensor2D;
}

const dense: TrainingLayer = { kind: 'dense', units: CLASSES, activation: 'linear' };

/**
 * Every layer there is; two networks, since one ends its pictures only once. An odd side, so that
 * pooling leaves a rest and rows do not fill fours.
 */
const SPECIMENS: readonly Specimen[] = [
  {
    layers: [
      { kind: 'conv', filters: 8, kernel: 3, padding: 'valid', activation: 'relu', hasBias: true },
      { kind: 'maxPool' },
      {
        kind: 'conv',
        filters: 12,
        kernel: 3,
        padding: 'same',
        activation: 'linear',
        hasBias: false,
      },
      { kind: 'batchNorm' },
      { kind: 'relu' },
      { kind: 'conv', filters: 4, kernel: 3, padding: 'valid', activation: 'relu', hasBias: true },
      { kind: 'flatten' },
      { kind: 'dense', units: 8, activation: 'relu' },
      dense,
    ],
    shapes: [
      [3, 3, 1, 8],
      [8],
      [3, 3, 8, 12],
      [12],
      [12],
      [3, 3, 12, 4],
      [4],
      [36, 8],
      [8],
      [8, CLASSES],
      [CLASSES],
    ],
    numTracked: 12,
    apply(weights, x) {
      const [w1, b1, w2, gamma, beta, w3, b3, w4, b4, w5, b5] = weights;
      const first = tf.maxPool(tf.relu(conv(x, w1, 'valid', b1)), 2, 2, 'valid');
      const { value } = batchNormInTraining(
        conv(first, w2, 'same'),
        gamma as tf.Tensor1D,
        beta as tf.Tensor1D,
        EPSILON,
      );
      const third = tf.relu(conv(tf.relu(value), w3, 'valid', b3));
      return affine(tf.relu(affine(tf.reshape(third, [BATCH, -1]), w4, b4)), w5, b5);
    },
  },
  {
    layers: [
      { kind: 'conv', filters: 8, kernel: 3, padding: 'valid', activation: 'relu', hasBias: true },
      { kind: 'globalAveragePool' },
      { kind: 'dropout' },
      dense,
    ],
    shapes: [[3, 3, 1, 8], [8], [8, CLASSES], [CLASSES]],
    numTracked: 0,
    apply(weights, x) {
      const [w1, b1, w2, b2] = weights;
      const averages = tf.mean(tf.relu(conv(x, w1, 'valid', b1)), [1, 2]);
      const mask = tf.tensor2d(dropoutMask(BATCH, 8, SEED, DROPOUT), [BATCH, 8]);
      return affine(tf.mul(averages, mask), w2, b2);
    },
  },
];

/** The batch as a step sees it, 0–1. */
function changedPictures(): Float32Array {
  const pictures = new Float32Array(BATCH * SIDE ** 2);
  CHANGES.forEach(([isMirrored, right, down], index) => {
    for (let y = Math.max(0, down); y < Math.min(SIDE, SIDE + down); y++) {
      for (let x = Math.max(0, right); x < Math.min(SIDE, SIDE + right); x++) {
        const fromX = isMirrored ? SIDE - 1 - (x - right) : x - right;
        const from = ((ROWS[index] ?? 0) * SIDE + y - down) * SIDE + fromX;
        pictures[(index * SIDE + y) * SIDE + x] = (DATA.pixels[from] ?? 0) / 255;
      }
    }
  });
  return pictures;
}

function conv(
  x: tf.Tensor,
  filter: tf.Tensor | undefined,
  pad: 'same' | 'valid',
  bias?: tf.Tensor,
): tf.Tensor4D {
  const value = tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, pad);
  return bias ? tf.add(value, bias) : value;
}

function affine(
  x: tf.Tensor,
  kernel: tf.Tensor | undefined,
  bias: tf.Tensor | undefined,
): tf.Tensor2D {
  return tf.add(tf.matMul(x, kernel as tf.Tensor), bias as tf.Tensor);
}

async function check(device: Device): Promise<boolean> {
  for (const specimen of SPECIMENS) {
    if (!(await isRight(specimen, device))) return false;
  }
  return true;
}

/** Whether a step changes the weights by the gradients of TensorFlow.js. */
async function isRight({ layers, shapes, numTracked, apply }: Specimen, device: Device) {
  const initial = shapes.map((shape, index) =>
    tf.tidy(() => tf.variable(tf.randomUniform(shape, -0.7, 0.7, 'float32', index + 1), true)),
  );
  const tracked = numTracked
    ? [tf.variable(tf.zeros([numTracked])), tf.variable(tf.ones([numTracked]))]
    : [];
  const before = initial.map((variable) => tf.clone(variable));
  const expected = onCpu(() => gradientsOf(apply, before));
  const trainer = WebGLTrainer.create({
    data: DATA,
    layers,
    weights: initial.map(asWeight),
    trackedWeights: tracked.map(asWeight),
    side: SIDE,
    batchSize: BATCH,
    optimizer: { kind: 'sgd', momentum: 0 },
    dropout: DROPOUT,
    labelSmoothing: LABEL_SMOOTHING,
    epsilon: EPSILON,
    momentum: 0.9,
  });
  try {
    if (!trainer) return false;
    const changes = Int8Array.from(CHANGES.flat());
    trainer.load({ kind: 'rows', rows: Uint32Array.from(ROWS), changes, seed: SEED });
    trainer.step(RATE).dispose();
    trainer.sync();
    const actual = await Promise.all(
      before.map(async (old, index) => {
        const difference = tf.tidy(() => tf.div(tf.sub(old, initial[index] as tf.Tensor), RATE));
        const values = await difference.data<'float32'>();
        difference.dispose();
        return values;
      }),
    );
    const tolerance = device.isHalf ? HALF_TOLERANCE : TOLERANCE;
    return expected.every((goal, index) => {
      const own = actual[index];
      return own !== undefined && isClose(own, goal, tolerance);
    });
  } catch (error) {
    if (error instanceof WebGLDeviceError) return false;
    throw error;
  } finally {
    trainer?.dispose();
    tf.dispose([...initial, ...tracked, ...before]);
  }
}

/** Gradients of the mean loss by the weights. */
function gradientsOf(apply: Specimen['apply'], initial: Tensors): Float32Array[] {
  const values = initial.map((weight) => weight.dataSync<'float32'>());
  return tf.tidy(() => {
    const x = tf.tensor4d(changedPictures(), [BATCH, SIDE, SIDE, 1]);
    const truth = tf.oneHot(tf.tensor1d(ROWS.map(labelOf), 'int32'), CLASSES);
    const targets = tf.add(tf.mul(truth, 1 - LABEL_SMOOTHING), LABEL_SMOOTHING / CLASSES);
    const loss = (...weights: tf.Tensor[]): tf.Scalar =>
      tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(apply(weights, x)), targets), 1)));
    const weights = values.map((value, index) => tf.tensor(value, initial[index]?.shape));
    return tf
      .valueAndGrads(loss)(weights)
      .grads.map((each) => each.dataSync<'float32'>());
  });
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

function asWeight(variable: tf.Variable): Weight {
  return {
    name: variable.name,
    shape: variable.shape,
    read: () => variable,
    write: (value) => variable.assign(value),
  };
}
