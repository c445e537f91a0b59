/**
 * Owns the proof that training by our shaders is right on this device: one step of a little network
 * with the layers that hold weights, beside the gradients of TensorFlow.js. Drivers compile some shaders
 * wrongly, and a network that learns a little worse would not tell.
 */
import * as tf from '@tensorflow/tfjs';
import { batchNormInTraining } from '../batchNorm.ts';
import type { TrainingLayer, Weight } from '../trainer.ts';
import { Device, WebGLDeviceError } from './device.ts';
import { isClose } from './kernels.ts';
import { WebGLTrainer } from './trainer.ts';

const verdicts = new WeakMap<Device, Promise<boolean>>();

/** Whether WebGL is in charge and trains rightly. Checked once for a device; takes about a second. */
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
/** Large, so that gradients are not lost in the difference of two half floats. */
const RATE = 16;
/** Of the largest gradient of a weight. Half floats lose digits in each of nine layers. */
const TOLERANCE = 1e-3;
const HALF_TOLERANCE = 0.2;

/** An odd side, so that pooling leaves a rest and rows do not fill fours. */
const LAYERS: readonly TrainingLayer[] = [
  { kind: 'conv', filters: 8, kernel: 3, padding: 'valid', activation: 'relu', hasBias: true },
  { kind: 'maxPool' },
  { kind: 'conv', filters: 12, kernel: 3, padding: 'same', activation: 'linear', hasBias: false },
  { kind: 'batchNorm' },
  { kind: 'relu' },
  { kind: 'conv', filters: 4, kernel: 3, padding: 'valid', activation: 'relu', hasBias: true },
  { kind: 'flatten' },
  { kind: 'dense', units: 8, activation: 'relu' },
  { kind: 'dense', units: CLASSES, activation: 'linear' },
];
const SHAPES = [
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
];

type Tensors = readonly tf.Tensor[];

/** Mean loss of the network above, by TensorFlow.js. */
function computeLoss(weights: Tensors, x: tf.Tensor4D, targets: tf.Tensor2D): tf.Scalar {
  const [w1, b1, w2, gamma, beta, w3, b3, w4, b4, w5, b5] = weights as tf.Tensor4D[];
  const conv = (input: tf.Tensor, filter: tf.Tensor | undefined, pad: 'same' | 'valid') =>
    tf.conv2d(input as tf.Tensor4D, filter as tf.Tensor4D, 1, pad);
  const affine = (input: tf.Tensor, kernel: tf.Tensor | undefined, bias: tf.Tensor | undefined) =>
    tf.add(tf.matMul(input, kernel as tf.Tensor), bias as tf.Tensor);
  const first = tf.maxPool(
    tf.relu(tf.add(conv(x, w1, 'valid'), b1 as tf.Tensor)) as tf.Tensor4D,
    2,
    2,
    'valid',
  );
  const { value } = batchNormInTraining(
    conv(first, w2, 'same'),
    gamma as unknown as tf.Tensor1D,
    beta as unknown as tf.Tensor1D,
    EPSILON,
  );
  const third = tf.relu(tf.add(conv(tf.relu(value), w3, 'valid'), b3 as tf.Tensor));
  const hidden = tf.relu(affine(tf.reshape(third, [BATCH, -1]), w4, b4));
  const logits = affine(hidden, w5, b5);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), 1)));
}

async function check(device: Device): Promise<boolean> {
  const initial = SHAPES.map((shape, index) =>
    tf.tidy(() => tf.variable(tf.randomUniform(shape, -0.7, 0.7, 'float32', index + 1), true)),
  );
  const tracked = [tf.variable(tf.zeros([12])), tf.variable(tf.ones([12]))];
  const batch = {
    pixels: Uint8Array.from({ length: BATCH * SIDE ** 2 }, (_, index) => (index * 7919) % 256),
    changes: Float32Array.from({ length: BATCH * 4 }, (_, at) =>
      at % 4 === 3 ? (at >> 2) % CLASSES : 0,
    ),
    seed: 0,
  };
  const expected = tf.tidy(() => {
    const x = tf.tensor4d(
      Float32Array.from(batch.pixels, (byte) => byte / 255),
      [BATCH, SIDE, SIDE, 1],
    );
    const labels = tf.tensor1d(
      Array.from({ length: BATCH }, (_, row) => row % CLASSES),
      'int32',
    );
    const targets = tf.add(
      tf.mul(tf.oneHot(labels, CLASSES), 1 - LABEL_SMOOTHING),
      LABEL_SMOOTHING / CLASSES,
    ) as tf.Tensor2D;
    return tf.valueAndGrads((...weights: tf.Tensor[]) => computeLoss(weights, x, targets))(initial)
      .grads;
  });
  const weights = initial.map(asWeight);
  const before = initial.map((variable) => tf.clone(variable));
  const trainer = WebGLTrainer.create({
    layers: LAYERS,
    weights,
    trackedWeights: tracked.map(asWeight),
    side: SIDE,
    batchSize: BATCH,
    optimizer: { kind: 'sgd', momentum: 0 },
    dropout: 0,
    labelSmoothing: LABEL_SMOOTHING,
    epsilon: EPSILON,
    momentum: 0.9,
  });
  try {
    if (!trainer) return false;
    trainer.step(batch, RATE).dispose();
    trainer.sync();
    const actual = before.map((old, index) =>
      tf.tidy(() => tf.div(tf.sub(old, initial[index] as tf.Tensor), RATE)),
    );
    const pairs = await Promise.all(
      actual.map(async (tensor, index) => {
        const values = [tensor.data<'float32'>(), expected[index]?.data<'float32'>()] as const;
        return Promise.all(values);
      }),
    );
    tf.dispose(actual);
    const tolerance = device.isHalf ? HALF_TOLERANCE : TOLERANCE;
    return pairs.every(([own, stock]) => stock !== undefined && isClose(own, stock, tolerance));
  } catch (error) {
    if (error instanceof WebGLDeviceError) return false;
    throw error;
  } finally {
    trainer?.dispose();
    tf.dispose([...initial, ...tracked, ...before, ...expected]);
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
