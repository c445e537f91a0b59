/**
 * Owns the kernels that TensorFlow.js has no name for: whole pieces of a training step in one call,
 * each with its gradient. accelerate.ts puts them to work under tf.layers models.
 */
import * as tf from '@tensorflow/tfjs';
import { BACKEND_NAME, SimdBackend } from './backend.ts';
import {
  convFilterGradient,
  convForward,
  convInfo,
  convInputGradient,
  input,
} from './nativeKernels.ts';

const CONV = 'AtelierConv2D';
const CONV_GRADIENT = 'AtelierConv2DGradient';
const CONV_INPUT_GRADIENT = 'AtelierConv2DInputGradient';
const BATCH_NORM = 'AtelierBatchNorm';
const BATCH_NORM_GRADIENT = 'AtelierBatchNormGradient';
const DROPOUT = 'AtelierDropout';
const CROSS_ENTROPY = 'AtelierSoftmaxCrossEntropy';
const CROSS_ENTROPY_GRADIENT = 'AtelierSoftmaxCrossEntropyGradient';

type Inputs = Record<string, tf.Tensor>;
type Attributes = tf.NamedAttrMap;

function run(kernelName: string, inputs: Inputs, attrs: Attributes): tf.Tensor[] {
  const outputs: tf.Tensor | tf.Tensor[] = tf.engine().runKernel(kernelName, inputs, attrs);
  return Array.isArray(outputs) ? outputs : [outputs];
}

/** The output at `index`, which the kernel's definition promises. */
function nth<T>(tensors: readonly T[], index: number): T {
  const tensor = tensors[index];
  if (!tensor) throw new Error(`A kernel returned no output ${index}.`);
  return tensor;
}

export interface ConvOptions {
  readonly pad: 'same' | 'valid';
  readonly relu: boolean;
  /** False for a network's first layer: nobody asks how the loss changes with the pictures. */
  readonly needsInputGradient: boolean;
}

/** relu?(conv2d(x, filter) + bias?): NHWC, HWIO, stride 1. */
export function conv2d(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor1D | null,
  options: ConvOptions,
): tf.Tensor4D {
  const inputs: Inputs = bias ? { x, filter, bias } : { x, filter };
  return nth(run(CONV, inputs, { ...options, strides: 1 }), 0) as tf.Tensor4D;
}

/**
 * Batch normalisation by the batch's own moments over the last axis, then ReLU where asked.
 * Mean and variance carry no gradient of their own.
 */
export function batchNorm(
  x: tf.Tensor,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  epsilon: number,
  relu: boolean,
): { y: tf.Tensor; mean: tf.Tensor1D; variance: tf.Tensor1D } {
  const outputs = run(BATCH_NORM, { x, gamma, beta }, { epsilon, relu });
  return {
    y: nth(outputs, 0),
    mean: nth(outputs, 1) as tf.Tensor1D,
    variance: nth(outputs, 2) as tf.Tensor1D,
  };
}

/** Drops numbers with probability `rate` (0–1) by the mask that the 32-bit `seed` gives. */
export function dropout(x: tf.Tensor, rate: number, seed: number): tf.Tensor {
  return nth(run(DROPOUT, { x }, { rate, seed }), 0);
}

/** Cross-entropy in nats of softmax(logits) against labels, [n, classes] both → [n]. */
export function softmaxCrossEntropy(labels: tf.Tensor2D, logits: tf.Tensor2D): tf.Tensor1D {
  return nth(run(CROSS_ENTROPY, { logits, labels }, {}), 0) as tf.Tensor1D;
}

/** Of [rows, channels], as batch normalisation sees a tensor of any rank. */
function rowsAndChannels(x: tf.TensorInfo): [rows: number, channels: number] {
  const channels = x.shape.at(-1) ?? 1;
  return [tf.util.sizeFromShape(x.shape) / channels, channels];
}

type Call = Parameters<typeof input>[0];

const KERNELS: Readonly<Record<string, (call: Call) => tf.TensorInfo | tf.TensorInfo[]>> = {
  [CONV]: (call) => {
    const x = input(call, 'x');
    const filter = input(call, 'filter');
    const info = convInfo(x.shape, filter.shape, call.attrs);
    return convForward(call.backend, info, x, filter, call.inputs.bias, Boolean(call.attrs.relu));
  },
  // → [dFilter, dBias, dy behind the ReLU (dy itself where there is none)]
  [CONV_GRADIENT]: (call) => {
    const { backend, attrs } = call;
    const x = input(call, 'x');
    const dy = input(call, 'dy');
    const info = convInfo(x.shape, attrs.filterShape as number[], attrs);
    const dBias = backend.makeNative([info.outChannels]);
    const cutsDy = Boolean(attrs.relu) && Boolean(attrs.needsInputGradient);
    const maskedDy = cutsDy ? backend.makeNative(dy.shape) : undefined;
    const dFilter = convFilterGradient(backend, info, x, dy, {
      ...(attrs.relu ? { y: input(call, 'y') } : {}),
      ...(maskedDy ? { maskedDy } : {}),
      dBias,
    });
    return maskedDy ? [dFilter, dBias, maskedDy] : [dFilter, dBias];
  },
  [CONV_INPUT_GRADIENT]: (call) => {
    const filter = input(call, 'filter');
    const info = convInfo(call.attrs.inputShape as number[], filter.shape, call.attrs);
    return convInputGradient(call.backend, info, input(call, 'dy'), filter);
  },
  // → [y, mean, variance]
  [BATCH_NORM]: (call) => {
    const { backend, attrs } = call;
    const { kernels } = backend;
    const x = input(call, 'x');
    const [rows, channels] = rowsAndChannels(x);
    const from = backend.pointer(x);
    const gamma = backend.pointer(input(call, 'gamma'));
    const beta = backend.pointer(input(call, 'beta'));
    const y = backend.makeNative(x.shape);
    const mean = backend.makeNative([channels]);
    const variance = backend.makeNative([channels]);
    const partials = kernels.workspace(kernels.exports.normWorkspace(rows, channels));
    kernels.exports.channelMoments(from, mean.pointer, variance.pointer, partials, rows, channels);
    kernels.exports.normalize(
      from,
      mean.pointer,
      variance.pointer,
      gamma,
      beta,
      y.pointer,
      partials,
      rows,
      channels,
      attrs.epsilon as number,
      Number(attrs.relu),
    );
    return [y, mean, variance];
  },
  // → [dx, dGamma, dBeta]
  [BATCH_NORM_GRADIENT]: (call) => {
    const { backend, attrs } = call;
    const { kernels } = backend;
    const x = input(call, 'x');
    const [rows, channels] = rowsAndChannels(x);
    const pointers = [
      backend.pointer(x),
      attrs.relu ? backend.pointer(input(call, 'y')) : 0,
      backend.pointer(input(call, 'dy')),
      backend.pointer(input(call, 'mean')),
      backend.pointer(input(call, 'variance')),
      backend.pointer(input(call, 'gamma')),
    ];
    const dx = backend.makeNative(x.shape);
    const dGamma = backend.makeNative([channels]);
    const dBeta = backend.makeNative([channels]);
    const partials = kernels.workspace(kernels.exports.normWorkspace(rows, channels));
    kernels.exports.normalizeGradient(
      ...pointers,
      dx.pointer,
      dGamma.pointer,
      dBeta.pointer,
      partials,
      rows,
      channels,
      attrs.epsilon as number,
    );
    return [dx, dGamma, dBeta];
  },
  [DROPOUT]: (call) => {
    const { backend, attrs } = call;
    const x = input(call, 'x');
    const from = backend.pointer(x);
    const out = backend.makeNative(x.shape);
    backend.kernels.exports.dropout(
      from,
      out.pointer,
      tf.util.sizeFromShape(x.shape),
      attrs.rate as number,
      attrs.seed as number,
    );
    return out;
  },
  // → [losses, probabilities]
  [CROSS_ENTROPY]: (call) => {
    const { backend } = call;
    const logits = input(call, 'logits');
    const [rows, classes] = rowsAndChannels(logits);
    const from = backend.pointer(logits);
    const labels = backend.pointer(input(call, 'labels'));
    const losses = backend.makeNative([rows]);
    const probabilities = backend.makeNative(logits.shape);
    backend.kernels.exports.softmaxCrossEntropy(
      from,
      labels,
      probabilities.pointer,
      losses.pointer,
      rows,
      classes,
    );
    return [losses, probabilities];
  },
  [CROSS_ENTROPY_GRADIENT]: (call) => {
    const { backend } = call;
    const probabilities = input(call, 'probabilities');
    const [rows, classes] = rowsAndChannels(probabilities);
    const dLosses = backend.pointer(input(call, 'dLosses'));
    const labels = backend.pointer(input(call, 'labels'));
    const from = backend.pointer(probabilities);
    const out = backend.makeNative(probabilities.shape);
    backend.kernels.exports.softmaxCrossEntropyGradient(
      dLosses,
      labels,
      from,
      out.pointer,
      rows,
      classes,
    );
    return out;
  },
};

const GRADIENTS: readonly tf.GradConfig[] = [
  {
    kernelName: CONV,
    inputsToSave: ['x', 'filter'],
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => {
      const x = nth(saved, 0);
      const filter = nth(saved, 1);
      const y = nth(saved, 2);
      const gradients = run(
        CONV_GRADIENT,
        { x, dy: dy as tf.Tensor, y },
        { ...attrs, filterShape: filter.shape },
      );
      return {
        x: () =>
          nth(
            run(
              CONV_INPUT_GRADIENT,
              { dy: gradients[2] ?? (dy as tf.Tensor), filter },
              { ...attrs, inputShape: x.shape },
            ),
            0,
          ),
        filter: () => nth(gradients, 0),
        bias: () => nth(gradients, 1),
      };
    },
  },
  {
    kernelName: BATCH_NORM,
    inputsToSave: ['x', 'gamma'],
    outputsToSave: [true, true, true],
    gradFunc: (dys, saved, attrs) => {
      const [x, gamma, y, mean, variance] = [0, 1, 2, 3, 4].map((i) => nth(saved, i)) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const dy = nth(dys as tf.Tensor[], 0);
      const gradients = run(BATCH_NORM_GRADIENT, { x, y, dy, mean, variance, gamma }, attrs);
      return {
        x: () => nth(gradients, 0),
        gamma: () => nth(gradients, 1),
        beta: () => nth(gradients, 2),
      };
    },
  },
  {
    kernelName: DROPOUT,
    gradFunc: (dy, _saved, attrs) => ({
      x: () => nth(run(DROPOUT, { x: dy as tf.Tensor }, attrs), 0),
    }),
  },
  {
    kernelName: CROSS_ENTROPY,
    inputsToSave: ['labels'],
    outputsToSave: [false, true],
    gradFunc: (dys, saved) => {
      const labels = nth(saved, 0);
      const probabilities = nth(saved, 1);
      const dLosses = nth(dys as tf.Tensor[], 0);
      return {
        logits: () => nth(run(CROSS_ENTROPY_GRADIENT, { dLosses, labels, probabilities }, {}), 0),
      };
    },
  },
];

/** Registers these kernels and their gradients. Once. */
export function registerTrainingKernels(): void {
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    tf.registerKernel({
      kernelName,
      backendName: BACKEND_NAME,
      kernelFunc: ({ inputs, attrs, backend }) => {
        if (!(backend instanceof SimdBackend)) throw new Error('Not the CPU engine.');
        return kernel({ inputs, attrs: attrs ?? {}, backend } as unknown as Call);
      },
    });
  }
  for (const gradient of GRADIENTS) tf.registerGradient(gradient);
}
