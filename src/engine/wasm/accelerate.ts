/**
 * Owns how ordinary tf.layers models and optimizers come to use the fused training kernels: their
 * `call` and `applyGradients` are replaced on the instance. While another backend runs, or for
 * options that the kernels do not take, the originals do the work; configuration, weights, names and
 * saved files do not change.
 */
import * as tf from '@tensorflow/tfjs';
import { SimdBackend } from './backend.ts';
import { batchNorm, conv2d, dropout, softmaxCrossEntropy } from './trainingKernels.ts';

type Layer = tf.layers.Layer;
type LayerInputs = Parameters<Layer['call']>[0];
type Arguments = Parameters<Layer['call']>[1];

const accelerated = new WeakSet<object>();

/** Outputs of a batch normalisation that has applied the ReLU behind it already. */
const rectified = new WeakSet<tf.Tensor>();

/** The backend in charge, if it is ours. */
function activeBackend(): SimdBackend | null {
  const backend = tf.backend();
  return backend instanceof SimdBackend ? backend : null;
}

/**
 * Makes the layers of a model train fast on the 'simd' backend. Call it once, after building or
 * loading; calling it again, or with another backend in charge, does no harm.
 */
export function accelerateModel(model: tf.LayersModel): void {
  for (const layer of model.layers) {
    if (accelerated.has(layer)) continue;
    accelerated.add(layer);
    const config = layer.getConfig();
    switch (layer.getClassName()) {
      case 'Conv2D':
        accelerateConv(layer, config);
        break;
      case 'BatchNormalization':
        accelerateBatchNorm(layer, config);
        break;
      case 'Dropout':
        accelerateDropout(layer, config);
        break;
      case 'ReLU':
      case 'Activation':
        if (isRelu(layer)) accelerateRelu(layer);
        break;
    }
  }
}

/** The one tensor that a layer with one input is called with. */
function single(inputs: LayerInputs): tf.Tensor {
  const tensor = Array.isArray(inputs) ? inputs[0] : inputs;
  if (!tensor) throw new Error('A layer was called without an input.');
  return tensor;
}

/** Replaces a layer's `call`; `fast` returns null to leave a case to the original. */
function override(
  layer: Layer,
  fast: (x: tf.Tensor, isTraining: boolean) => tf.Tensor | null,
): void {
  const original = layer.call.bind(layer);
  layer.call = (inputs: LayerInputs, kwargs: Arguments) =>
    tf.tidy(() => {
      const x = single(inputs);
      const isOurs = activeBackend() !== null && x.dtype === 'float32' && x.size > 0;
      const y = isOurs ? fast(x, kwargs?.training === true) : null;
      return y ?? original(inputs, kwargs);
    });
}

function accelerateConv(layer: Layer, config: tf.serialization.ConfigDict): void {
  const { activation, padding, dataFormat, useBias } = config;
  const relu = activation === 'relu';
  if (dataFormat !== 'channelsLast' || !(relu || activation === 'linear')) return;
  if (padding !== 'same' && padding !== 'valid') return;
  const options = {
    strides: pair(config.strides),
    dilations: pair(config.dilationRate),
    pad: padding,
    relu,
    needsInputGradient: !isFirst(layer),
  } as const;
  override(layer, (x) => {
    const [filter, bias] = layer.weights.map((weight) => weight.read());
    if (x.rank !== 4 || !filter || (useBias && !bias)) return null;
    return conv2d(
      x as tf.Tensor4D,
      filter as tf.Tensor4D,
      useBias ? (bias as tf.Tensor1D) : null,
      options,
    );
  });
}

function accelerateBatchNorm(layer: Layer, config: tf.serialization.ConfigDict): void {
  const { axis, momentum, epsilon, scale, center } = config;
  if (!scale || !center || typeof epsilon !== 'number' || typeof momentum !== 'number') return;
  const next = layer.outboundNodes.length === 1 ? layer.outboundNodes[0]?.outboundLayer : undefined;
  const relu = next !== undefined && isRelu(next);
  override(layer, (x, isTraining) => {
    const [gamma, beta, movingMean, movingVariance] = layer.weights;
    if (!isTraining || (axis !== -1 && axis !== x.rank - 1)) return null;
    if (!gamma || !beta || !movingMean || !movingVariance) return null;
    const { y, mean, variance } = batchNorm(
      x,
      gamma.read() as tf.Tensor1D,
      beta.read() as tf.Tensor1D,
      epsilon,
      relu,
    );
    // As the stock layer does it: at once, and outside the gradient.
    for (const [moving, current] of [
      [movingMean, mean],
      [movingVariance, variance],
    ] as const) {
      moving.write(tf.add(tf.mul(moving.read(), momentum), tf.mul(current, 1 - momentum)));
    }
    if (relu) rectified.add(y);
    return y;
  });
}

function accelerateRelu(layer: Layer): void {
  override(layer, (x) => (rectified.has(x) ? x.clone() : null));
}

function accelerateDropout(layer: Layer, config: tf.serialization.ConfigDict): void {
  const { rate, noiseShape, seed } = config;
  if (typeof rate !== 'number' || rate <= 0 || rate >= 1 || noiseShape || seed) return;
  override(layer, (x, isTraining) => {
    if (!isTraining) return null;
    // From the global generator: seeding that makes a run repeat.
    return dropout(x, rate, Math.floor(Math.random() * 2 ** 32) | 0);
  });
}

function isRelu(layer: Layer): boolean {
  const config = layer.getConfig();
  if (layer.getClassName() === 'Activation') return config.activation === 'relu';
  return layer.getClassName() === 'ReLU' && (config.maxValue ?? null) === null;
}

/** Whether the layer reads the model's input, of which nobody wants a gradient. */
function isFirst(layer: Layer): boolean {
  return layer.inboundNodes.every((node) =>
    node.inboundLayers.every((inbound) => inbound.getClassName() === 'InputLayer'),
  );
}

function pair(value: unknown): [number, number] {
  const [first, second] = Array.isArray(value) ? value : [value, value];
  if (typeof first !== 'number' || typeof second !== 'number') {
    throw new TypeError(`Expected one or two numbers, got ${JSON.stringify(value)}.`);
  }
  return [first, second];
}

// ---------------------------------------------------------------------------------------------
// Loss

/**
 * Mean over the batch of the cross-entropy (nats) of softmax(logits) against labels, both
 * [n, classes]; with `labelSmoothing` (0–1) that share of the labels is spread over all classes.
 * One kernel on our backend; TensorFlow.js's own elsewhere.
 */
export function meanCrossEntropy(
  labels: tf.Tensor2D,
  logits: tf.Tensor2D,
  labelSmoothing = 0,
): tf.Scalar {
  if (!activeBackend()) {
    return tf.losses.softmaxCrossEntropy(labels, logits, undefined, labelSmoothing) as tf.Scalar;
  }
  return tf.tidy(() => {
    const numClasses = logits.shape[1];
    const smooth = labelSmoothing
      ? labels.mul(1 - labelSmoothing).add(labelSmoothing / numClasses)
      : labels;
    return softmaxCrossEntropy(smooth as tf.Tensor2D, logits).mean();
  });
}

// ---------------------------------------------------------------------------------------------
// Optimizers

type Gradients = Parameters<tf.Optimizer['applyGradients']>[0];

interface Slot {
  readonly originalName: string;
  readonly variable: tf.Variable;
}

/** Of TensorFlow.js's optimizers, what their type declarations keep to themselves. */
interface OptimizerState {
  learningRate: number;
  incrementIterations(): void;
  // Adam
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  accBeta1?: tf.Variable;
  accBeta2?: tf.Variable;
  accumulatedFirstMoment?: Slot[];
  accumulatedSecondMoment?: Slot[];
  // Momentum
  momentum?: number;
  useNesterov?: boolean;
  accumulations?: Slot[];
}

/**
 * Makes a tf.train.adam, momentum or sgd optimizer update every variable in place, in one pass. Its
 * state stays where TensorFlow.js keeps it, so saving, loading and changing the learning rate work
 * as before. Call it once, after making the optimizer.
 */
export function accelerateOptimizer(optimizer: tf.Optimizer): void {
  if (accelerated.has(optimizer)) return;
  accelerated.add(optimizer);
  const original = optimizer.applyGradients.bind(optimizer);
  const state = optimizer as unknown as OptimizerState;
  const name = optimizer.getClassName();
  const step = name === 'Adam' ? adamStep : name === 'Momentum' || name === 'SGD' ? sgdStep : null;
  if (!step) return;
  optimizer.applyGradients = (gradients: Gradients) => {
    const backend = activeBackend();
    if (!backend) {
      original(gradients);
      return;
    }
    tf.tidy(() => step(backend, state, namedGradients(gradients)));
    state.incrementIterations();
  };
}

interface NamedGradient {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly gradient: tf.Tensor;
}

function namedGradients(gradients: Gradients): (NamedGradient | null)[] {
  const entries = Array.isArray(gradients)
    ? gradients.map(({ name, tensor }) => [name, tensor] as const)
    : Object.entries(gradients);
  return entries.map(([name, gradient]) => {
    const variable = tf.engine().registeredVariables[name];
    if (!variable) throw new Error(`There is no variable "${name}" to train.`);
    return gradient ? { name, variable, gradient } : null;
  });
}

/** Address of a variable's numbers, which nobody else may hold: they are about to change in place. */
function ownPointer(backend: SimdBackend, variable: tf.Variable): number {
  // A clone or a reshape made earlier shares the numbers (a kept copy of the best weights, say).
  if (backend.refCount(variable.dataId) > 1) {
    const copy = tf.tidy(() => tf.add(variable, 0));
    variable.assign(copy);
    copy.dispose();
  }
  return backend.pointer(variable);
}

/** The slot of the i-th variable, made of zeros when first asked for. */
function slot(slots: Slot[], index: number, { name, variable }: NamedGradient, suffix: string): Slot {
  const known = slots[index];
  if (known) return known;
  const made = {
    originalName: `${name}/${suffix}`,
    variable: tf.tidy(() => tf.zerosLike(variable).variable(false)),
  };
  slots[index] = made;
  return made;
}

function adamStep(
  backend: SimdBackend,
  state: OptimizerState,
  gradients: readonly (NamedGradient | null)[],
): void {
  const { learningRate, beta1, beta2, epsilon, accBeta1, accBeta2 } = state;
  const { accumulatedFirstMoment, accumulatedSecondMoment } = state;
  if (
    beta1 === undefined ||
    beta2 === undefined ||
    epsilon === undefined ||
    !accBeta1 ||
    !accBeta2 ||
    !accumulatedFirstMoment ||
    !accumulatedSecondMoment
  ) {
    throw new Error('This is not the Adam of TensorFlow.js 4.');
  }
  // On this backend reading a scalar costs nothing.
  const correction1 = 1 - (accBeta1.dataSync()[0] ?? 0);
  const correction2 = 1 - (accBeta2.dataSync()[0] ?? 0);
  gradients.forEach((entry, i) => {
    if (!entry) return;
    const first = slot(accumulatedFirstMoment, i, entry, 'm');
    const second = slot(accumulatedSecondMoment, i, entry, 'v');
    backend.kernels.exports.adam(
      ownPointer(backend, entry.variable),
      backend.pointer(entry.gradient),
      ownPointer(backend, first.variable),
      ownPointer(backend, second.variable),
      entry.variable.size,
      learningRate,
      beta1,
      beta2,
      correction1,
      correction2,
      epsilon,
    );
  });
  accBeta1.assign(tf.mul(accBeta1, beta1));
  accBeta2.assign(tf.mul(accBeta2, beta2));
}

function sgdStep(
  backend: SimdBackend,
  state: OptimizerState,
  gradients: readonly (NamedGradient | null)[],
): void {
  const { learningRate, momentum, useNesterov, accumulations } = state;
  gradients.forEach((entry, i) => {
    if (!entry) return;
    const velocity = accumulations && slot(accumulations, i, entry, 'momentum');
    backend.kernels.exports.sgd(
      ownPointer(backend, entry.variable),
      backend.pointer(entry.gradient),
      velocity ? ownPointer(backend, velocity.variable) : 0,
      entry.variable.size,
      learningRate,
      momentum ?? 0,
      Number(useNesterov ?? false),
    );
  });
}
