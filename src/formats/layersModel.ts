/**
 * Takes a tf.layers model apart into bytes and puts it together again, with every check between the
 * two: what comes from a file or from storage is built only if it can classify images of 28 × 28,
 * whole, at a size this page can carry.
 */
import * as tf from '@tensorflow/tfjs';
import * as v from 'valibot';
import { SIDE } from '../fashion.ts';
import { MAX_PARAMS } from '../network/spec.ts';
import { FormatError } from './formatError.ts';

/** Values one layer may hand to the next for one picture; far more than any of ours does. */
const MAX_ACTIVATIONS = 1_000_000;
const MAX_LAYERS = 1000;
const BYTES_PER_WEIGHT = 4;

/**
 * Layers that are safe to build and mean what they say here. `Rescaling`, `Resizing` and the like
 * are left out on purpose: a model that has them expects other pixels than the 0–1 it would get.
 */
const KNOWN_LAYERS = new Set([
  'InputLayer',
  'Conv2D',
  'Conv2DTranspose',
  'SeparableConv2D',
  'DepthwiseConv2D',
  'Dense',
  'Activation',
  'ReLU',
  'LeakyReLU',
  'PReLU',
  'ELU',
  'ThresholdedReLU',
  'Softmax',
  'BatchNormalization',
  'LayerNormalization',
  'Dropout',
  'AlphaDropout',
  'GaussianDropout',
  'GaussianNoise',
  'MaxPooling2D',
  'AveragePooling2D',
  'GlobalMaxPooling2D',
  'GlobalAveragePooling2D',
  'Flatten',
  'Reshape',
  'Permute',
  'ZeroPadding2D',
  'Cropping2D',
  'UpSampling2D',
  'Add',
  'Average',
  'Multiply',
  'Maximum',
  'Minimum',
  'Concatenate',
]);

/** A model in parts that can be stored and sent. */
export interface ModelParts {
  /** What `tf.LayersModel.toJSON` gives, or a Keras model's JSON. */
  readonly topology: unknown;
  /** What the bytes are, in order. */
  readonly weightSpecs: readonly WeightSpec[];
  /** 32-bit little-endian floats, one weight after the other. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

export const WeightSpecSchema = v.object({
  name: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.check((name) => !isTrick(name)),
  ),
  shape: v.array(v.pipe(v.number(), v.integer(), v.minValue(0))),
  dtype: v.literal('float32'),
  // Such weights are stored as small integers with a scale.
  quantization: v.exactOptional(v.never()),
});
export type WeightSpec = v.InferOutput<typeof WeightSpecSchema>;

const LayerSchema = v.object({ class_name: v.string() });
const TopologySchema = v.object({
  class_name: v.picklist(['Sequential', 'Model', 'Functional']),
  // A Sequential saved by Keras 1 has its layers as `config` itself.
  config: v.union([v.object({ layers: v.array(LayerSchema) }), v.array(LayerSchema)]),
});

/** The parts of a model, without its optimizer. Weights are read back from the backend. */
export function takeApart(model: tf.LayersModel): Promise<ModelParts> {
  return new Promise((resolve, reject) => {
    const handler = tf.io.withSaveHandler(async (artifacts) => {
      resolve({
        topology: artifacts.modelTopology,
        weightSpecs: v.parse(v.array(WeightSpecSchema), artifacts.weightSpecs),
        weights: new Uint8Array(tf.io.CompositeArrayBuffer.join(artifacts.weightData)),
      });
      return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
    });
    model.save(handler).catch(reject);
  });
}

/**
 * Checks the parts and builds the model, on the active backend. The caller owns and disposes it;
 * where the parts are refused, nothing is left behind.
 * @param numClasses Values that it is to give for an image.
 * @returns a model `[null, 28, 28, 1]` → `[null, numClasses]` whose outputs are probabilities: where the
 *   last layer gives plain sums (logits), a softmax is put after it.
 * @throws {FormatError}
 */
export async function putTogether(parts: ModelParts, numClasses: number): Promise<tf.LayersModel> {
  const topology = checkTopology(parts.topology);
  checkWeights(parts);
  const { model, dispose } = await buildLayers(topology);
  try {
    checkShapes(model, numClasses);
    loadWeights(model, parts);
    return await withProbabilities(model);
  } catch (error) {
    dispose();
    if (error instanceof FormatError) throw error;
    throw new FormatError(`The model does not run here: ${messageOf(error)}`, { cause: error });
  }
}

/** Number of weights, trainable or not. */
export function countParameters(weightSpecs: readonly WeightSpec[]): number {
  return weightSpecs.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);
}

/**
 * Parses JSON from outside.
 * @param file its name, for messages.
 * @throws {FormatError} also where a key aims at the prototype of objects.
 */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (isTrick(key)) throw new FormatError(`${file} has a field named "${key}".`);
      return value;
    });
  } catch (error) {
    if (error instanceof FormatError) {
      throw new FormatError(
        `${error.message} No model needs one; Atelier does not read this file.`,
      );
    }
    throw new FormatError(
      `${file} is not JSON. Export the model again; the file may have been cut short.`,
      { cause: error },
    );
  }
}

function isTrick(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype';
}

/** Classes and number of layers, before any of them is built. */
function checkTopology(topology: unknown): object {
  // `keras.Model.save` wraps the layers, with the optimizer beside them.
  const wrapped = v.safeParse(v.object({ model_config: v.looseObject({}) }), topology);
  const inner = wrapped.success ? wrapped.output.model_config : topology;
  const parsed = v.safeParse(TopologySchema, inner);
  if (!parsed.success || typeof inner !== 'object' || inner === null) {
    throw new FormatError(
      'The file does not describe a tf.layers model. A graph model or another format cannot be read: save it with tf.LayersModel.save or convert it as "tfjs_layers_model".',
    );
  }
  const { config } = parsed.output;
  const layers = Array.isArray(config) ? config : config.layers;
  if (layers.length > MAX_LAYERS) {
    throw new FormatError(
      `The model has ${layers.length} layers; Atelier takes at most ${MAX_LAYERS}.`,
    );
  }
  const unknown = layers.find((layer) => !KNOWN_LAYERS.has(layer.class_name));
  if (unknown) {
    throw new FormatError(
      `The model has a layer of class "${unknown.class_name}", which Atelier does not take. It takes ${[...KNOWN_LAYERS].join(', ')}, all in one model that is not nested.`,
    );
  }
  return inner;
}

/** Number, bytes and values of the weights, before any of them becomes a tensor. */
function checkWeights({ weightSpecs, weights }: ModelParts): void {
  const numParams = countParameters(weightSpecs);
  if (numParams > MAX_PARAMS) throw tooManyParameters(numParams);
  const expectedBytes = numParams * BYTES_PER_WEIGHT;
  if (weights.byteLength !== expectedBytes) {
    throw new FormatError(
      `The weights should be ${expectedBytes.toLocaleString('en')} bytes and are ${weights.byteLength.toLocaleString('en')}. The file is cut short or belongs to another model; export or download it again.`,
    );
  }
  const view = new DataView(weights.buffer, weights.byteOffset, weights.byteLength);
  let offset = 0;
  for (const { name, shape } of weightSpecs) {
    const end = offset + tf.util.sizeFromShape(shape) * BYTES_PER_WEIGHT;
    for (; offset < end; offset += BYTES_PER_WEIGHT) {
      if (Number.isFinite(view.getFloat32(offset, true))) continue;
      throw new FormatError(
        `The weights hold values that are not finite numbers (in "${name}"). The training they came from went wrong, or the file is damaged; take another one.`,
      );
    }
  }
}

/**
 * Builds the layers with a ceiling on what they allocate: a few bytes of JSON can ask for
 * gigabytes, and tf.layers allocates while it reads. It hands out every weight through
 * `Layer.addWeight` and reads the whole description before its first await, so replacing that
 * method for the one call meets these layers and no others. The initial values are zeros, since
 * stored ones follow.
 */
async function buildLayers(
  topology: object,
): Promise<{ model: tf.LayersModel; dispose: () => void }> {
  const layerPrototype = tf.layers.Layer.prototype as unknown as {
    addWeight(...args: unknown[]): tf.LayerVariable;
  };
  const { addWeight } = layerPrototype;
  const zeros = tf.initializers.zeros();
  const variables: tf.LayerVariable[] = [];
  let numParams = 0;

  layerPrototype.addWeight = function (name, shape, dtype, _initializer, ...rest) {
    numParams += tf.util.sizeFromShape(v.parse(v.array(v.number()), shape));
    if (numParams > MAX_PARAMS) throw tooManyParameters(numParams);
    const variable = addWeight.call(this, name, shape, dtype, zeros, ...rest);
    variables.push(variable);
    return variable;
  };
  let building: Promise<tf.LayersModel>;
  try {
    building = tf.models.modelFromJSON({ modelTopology: topology } as Parameters<
      typeof tf.models.modelFromJSON
    >[0]);
  } finally {
    layerPrototype.addWeight = addWeight;
  }
  // A variable knows no half-way: disposing one twice is an error, so only this list is used.
  const dispose = () => {
    for (const variable of variables.splice(0)) variable.dispose();
  };
  try {
    return { model: await building, dispose };
  } catch (error) {
    dispose();
    if (error instanceof FormatError) throw error;
    throw new FormatError(`The layers do not fit together: ${messageOf(error)}`, { cause: error });
  }
}

function checkShapes(model: tf.LayersModel, numClasses: number): void {
  const inputs = model.inputs.map(({ shape }) => shape);
  if (inputs.length !== 1 || !isShape(inputs[0], [null, SIDE, SIDE, 1])) {
    throw new FormatError(
      `The model takes ${inputs.map(describeShape).join(' and ')}; Atelier gives it one grey picture at a time, [any, ${SIDE}, ${SIDE}, 1].`,
    );
  }
  const outputs = model.outputs.map(({ shape }) => shape);
  if (outputs.length !== 1 || !isShape(outputs[0], [null, numClasses])) {
    throw new FormatError(
      `The model gives ${outputs.map(describeShape).join(' and ')}; Atelier needs one value for each of the ${numClasses} classes, [any, ${numClasses}].`,
    );
  }
  for (const layer of model.layers) {
    const numValues = layer.inboundNodes
      .flatMap(({ outputTensors }) => outputTensors)
      .reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape.slice(1).map(Number)), 0);
    if (!(numValues > 0 && numValues <= MAX_ACTIVATIONS)) {
      throw new FormatError(
        `The layer "${layer.name}" makes ${numValues.toLocaleString('en')} values for one picture; Atelier takes 1 to ${MAX_ACTIVATIONS.toLocaleString('en')}.`,
      );
    }
  }
}

function loadWeights(model: tf.LayersModel, { weightSpecs, weights }: ModelParts): void {
  const named: tf.NamedTensorMap = Object.create(null);
  try {
    let offset = weights.byteOffset;
    for (const { name, shape, dtype } of weightSpecs) {
      if (name in named) throw new FormatError(`Two weights are named "${name}".`);
      const size = tf.util.sizeFromShape(shape);
      // Copied: the bytes may start where no float may, and belong to the caller.
      const bytes = weights.buffer.slice(offset, offset + size * BYTES_PER_WEIGHT);
      named[name] = tf.tensor(new Float32Array(bytes), shape, dtype);
      offset += bytes.byteLength;
    }
    model.loadWeights(named, true);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(
      `The weights do not belong to these layers: ${messageOf(error)} Take both files from the same export.`,
      { cause: error },
    );
  } finally {
    tf.dispose(named);
  }
}

/**
 * The model itself where its outputs are probabilities, the model with a softmax after it where
 * its last layer is linear. A probe decides, since an activation can be named in many ways.
 */
async function withProbabilities(model: tf.LayersModel): Promise<tf.LayersModel> {
  if (await givesProbabilities(model)) return model;
  const last = model.layers[model.layers.length - 1];
  const activation = last?.getConfig().activation;
  const isLinear =
    last?.getClassName() === 'Dense' && (activation === undefined || activation === 'linear');
  if (!isLinear) {
    throw new FormatError(
      `The outputs are not probabilities: for some pictures they do not sum to 1. Let the last layer of the model ("${last?.name}") be a Dense layer with softmax, or one without activation.`,
    );
  }
  const output = tf.layers.softmax({ axis: -1 }).apply(model.output) as tf.SymbolicTensor;
  const wrapped = tf.model({ inputs: model.inputs, outputs: output, name: model.name });
  if (await givesProbabilities(wrapped)) return wrapped;
  throw new FormatError(
    'The model gives no usable numbers for some pictures. Its weights are out of range; take another training.',
  );
}

/** Tries four pictures, `[4, 28, 28, 1]`: black, white, a ramp and stripes. */
async function givesProbabilities(model: tf.LayersModel): Promise<boolean> {
  const numPixels = SIDE * SIDE;
  const pictures = Float32Array.from({ length: 4 * numPixels }, (_, i) => {
    const pixel = i % numPixels;
    return [0, 1, pixel / numPixels, pixel & 1][Math.floor(i / numPixels)] ?? 0;
  });
  const values = await predict(model, tf.tensor4d(pictures, [4, SIDE, SIDE, 1]));
  const numClasses = values.length / 4;
  for (let row = 0; row < values.length; row += numClasses) {
    const probabilities = values.slice(row, row + numClasses);
    const sum = probabilities.reduce((total, value) => total + value, 0);
    const areShares = probabilities.every((value) => value >= 0 && value <= 1 + 1e-5);
    if (!areShares || Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

/** Disposes the input. */
async function predict(model: tf.LayersModel, input: tf.Tensor4D): Promise<Float32Array> {
  try {
    const output = tf.tidy(() => model.predict(input) as tf.Tensor);
    const values = Float32Array.from(await output.data());
    output.dispose();
    return values;
  } finally {
    input.dispose();
  }
}

function tooManyParameters(numParams: number): FormatError {
  return new FormatError(
    `The model has ${numParams.toLocaleString('en')} parameters or more; Atelier takes at most ${MAX_PARAMS.toLocaleString('en')}.`,
  );
}

function isShape(shape: tf.Shape | undefined, expected: tf.Shape): boolean {
  return shape?.length === expected.length && shape.every((size, i) => size === expected[i]);
}

function describeShape(shape: tf.Shape): string {
  return `[${shape.map((size) => size ?? 'any').join(', ')}]`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
