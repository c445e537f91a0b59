/**
 * Owns `npm run outline`: trains the network that guesses a garment's outline on a sheet of about its
 * own tone, and writes its weights into src/image/outlineWeights.ts.
 *
 * It learns from the training images alone, as they are and varied like photos, pasted on sheets of
 * any grey and of soft colours: there the truth is known. Labels are not looked at.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { type Dataset, selectRows, shuffleRows, splitRows } from '../src/data/dataset.ts';
import { registerInNode } from '../src/engine/simd/testing/loadInNode.ts';
import { StockOptimizer } from '../src/engine/stock/stockOptimizer.ts';
import { FASHION_MNIST, PIXELS, SIDE } from '../src/fashion.ts';
import { estimateBackground, paintBackground } from '../src/image/background.ts';
import { WORK_SIDE } from '../src/image/normalize.ts';
import { frameOf, readFrame } from '../src/image/outline.ts';
import {
  decodeWeights,
  encodeWeights,
  FRAME_CHANNELS,
  FRAME_SIDE,
  numInputs,
  OUTLINE_LAYERS,
  type OutlineWeights,
  runOutlineNetwork,
} from '../src/image/outlineNetwork.ts';
import type { Picture } from '../src/image/picture.ts';
import { shrinkPicture } from '../src/image/resample.ts';
import { distanceFrom } from '../src/image/segment.ts';
import { varyLikePhoto } from '../src/ml/spec/photoVariation.ts';
import { createRandom } from '../src/random.ts';
import { ROOT } from './build.ts';
import { ensureData } from './data.ts';
import { readCsv } from './fashionMnist.ts';
import { bilinear, pasteOnSheet, saveAsJpeg } from './sheets.ts';

const OUTPUT = join(ROOT, 'src/image/outlineWeights.ts');
const SEED = 7;
const NUM_PICTURES = 12_000;
const NUM_HELD_OUT = 300;
/** Share of the garments' area that may be wrong in weights worth keeping. */
const MOST_WRONG = 0.15;
const EPOCHS = 7;
const BATCH_SIZE = 64;
const PEAK_RATE = 4e-3;
const WARM_UP = 0.2;
/** Added to a variance before its root is taken. */
const EPSILON = 1e-3;

const FRAME_VALUES = FRAME_SIDE * FRAME_SIDE * FRAME_CHANNELS;
const COVER_VALUES = FRAME_SIDE * FRAME_SIDE;

interface Examples {
  /** `[n, 56, 56, 2]` */
  readonly frames: Float32Array;
  /** How far the garment covers the middle of each place, 0–1. `[n, 56, 56, 1]` */
  readonly covers: Float32Array;
}

/** Enlarged less than in the round trip: quicker, and coarser for the same number of pixels. */
const MAX_SCALE = 6;
/** Share of the pictures that are no garments, so that what clearly stands out counts as it stands. */
const SHAPES_SHARE = 0.12;
/** Share of the pictures that are varied like photos. */
const VARIED_SHARE = 0.35;
/** Share of the pictures that show a garment as light as the data has it. */
const NEGATIVE_SHARE = 0.25;
/**
 * The data keeps dust of the levels 1 to 5 around its garments, a white rim as of a careless cut from
 * white paper. It shows in this share of the other pictures; in the rest levels below `SHEER` fade.
 */
const DUSTY_SHARE = 0.6;
const SHEER = 24;
/** Share of the pictures with grain, as of a camera or of paper, and its levels up or down at most. */
const GRAINY_SHARE = 0.5;
const MAX_GRAIN = 12;
/** Levels that a garment must have to count. */
const DUST = 8;

function makeExamples(dataset: Dataset, random: () => number): Examples {
  const count = dataset.labels.length;
  const frames = new Float32Array(count * FRAME_VALUES);
  const covers = new Float32Array(count * COVER_VALUES);
  const pixels = new Uint8Array(PIXELS);
  for (let i = 0; i < count; i++) {
    pixels.set(dataset.pixels.subarray(i * PIXELS, (i + 1) * PIXELS));
    const chance = random();
    if (chance < SHAPES_SHARE) drawShapes(pixels, random);
    else if (chance < SHAPES_SHARE + VARIED_SHARE) varyLikePhoto(pixels, pixels, random);
    const isNegative = random() < NEGATIVE_SHARE;
    const hasDust = !isNegative && random() < DUSTY_SHARE;
    const pasted = pasteOnSheet(pixels, { isNegative, sheet: drawSheet }, random, {
      maxScale: MAX_SCALE,
      opaqueFrom: hasDust ? 1 : SHEER,
    });
    if (random() < GRAINY_SHARE) addGrain(pasted.picture, MAX_GRAIN * random(), random);
    const picture = shrinkPicture(saveAsJpeg(pasted.picture, random), WORK_SIDE);
    const background = estimateBackground(picture);
    const behind = paintBackground(background, picture);
    const frame = frameOf(picture, distanceFrom(behind, picture), background.spread);
    frames.set(readFrame(picture, behind, frame), i * FRAME_VALUES);

    const isGarment = Float32Array.from(pixels, (level) => (level > DUST ? 1 : 0));
    const shrunk = pasted.picture.width / picture.width;
    const cell = frame.side / FRAME_SIDE;
    for (let y = 0; y < FRAME_SIDE; y++) {
      for (let x = 0; x < FRAME_SIDE; x++) {
        const u = ((frame.left + (x + 0.5) * cell) * shrunk - pasted.left) / pasted.scale;
        const v = ((frame.top + (y + 0.5) * cell) * shrunk - pasted.top) / pasted.scale;
        covers[i * COVER_VALUES + y * FRAME_SIDE + x] = bilinear(isGarment, u, v);
      }
    }
    if ((i + 1) % 1000 === 0) console.log(`  ${i + 1} of ${count} pictures`);
  }
  return { frames, covers };
}

/** Moves each pixel up or down by up to `grain` levels. */
function addGrain({ data }: Picture, grain: number, random: () => number): void {
  for (let i = 0; i < data.length; i += 4) {
    const change = grain * (2 * random() - 1);
    for (let channel = 0; channel < 3; channel++)
      data[i + channel] = (data[i + channel] ?? 0) + change;
  }
}

/** Draws one to three boxes, ellipses and rings over each other, turned and grained. */
function drawShapes(pixels: Uint8Array, random: () => number): void {
  const between = (from: number, to: number) => from + (to - from) * random();
  pixels.fill(0);
  for (let count = 1 + Math.floor(3 * random()); count > 0; count--) {
    const tone = between(30, 250);
    const grain = between(0, 15);
    const [middleX, middleY] = [between(8, 20), between(8, 20)];
    const [halfWidth, halfHeight] = [between(1.5, 12), between(1.5, 12)];
    const turn = between(0, Math.PI);
    const power = random() < 0.5 ? 2 : 8;
    const hole = random() < 0.3 ? between(0.4, 0.8) : 0;
    for (let i = 0; i < PIXELS; i++) {
      const x = (i % SIDE) + 0.5 - middleX;
      const y = Math.floor(i / SIDE) + 0.5 - middleY;
      const across = Math.abs(x * Math.cos(turn) + y * Math.sin(turn)) / halfWidth;
      const down = Math.abs(y * Math.cos(turn) - x * Math.sin(turn)) / halfHeight;
      const away = (across ** power + down ** power) ** (1 / power);
      if (away < 1 && away >= hole) {
        pixels[i] = Math.max(DUST + 1, Math.min(255, tone + between(-grain, grain)));
      }
    }
  }
}

/** A sheet of any grey but the lightest and darkest, tinted or not, in even light. */
function drawSheet(random: () => number) {
  const level = 45 + 170 * random();
  const tint = random() < 0.4 ? 60 * random() : 0;
  const hue = random() * 2 * Math.PI;
  const part = (turn: number) =>
    Math.min(255, level + tint * Math.cos(hue + (turn * 2 * Math.PI) / 3));
  const color = [part(0), part(1), part(2)] as const;
  return () => color;
}

/** Each value four times. By tiles: their gradient is quick on every backend, that of a resize is not. */
class Double extends tf.layers.Layer {
  static readonly className = 'Double';

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    const [count = null, height, width, channels = null] = shape;
    return [count, 2 * Number(height), 2 * Number(width), channels];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [input] = Array.isArray(inputs) ? inputs : [inputs];
    if (!input) throw new RangeError('There is nothing to double.');
    const [count = 0, height = 0, width = 0, channels = 0] = input.shape;
    const wide = tf.tile(tf.reshape(input, [count * height * width, 1, channels]), [1, 2, 1]);
    const high = tf.tile(tf.reshape(wide, [count * height, 1, 2 * width * channels]), [1, 2, 1]);
    return tf.reshape(high, [count, 2 * height, 2 * width, channels]);
  }
}

function buildNetwork(): tf.LayersModel {
  const frame = tf.input({ shape: [FRAME_SIDE, FRAME_SIDE, FRAME_CHANNELS] });
  const known = new Map([['frame', frame]]);
  const outputOf = (name: string) => {
    const output = known.get(name);
    if (!output) throw new RangeError(`There is no layer ${name} yet.`);
    return output;
  };
  OUTLINE_LAYERS.forEach(({ name, from, resize, shortcut, filters }, index) => {
    const apply = (layer: tf.layers.Layer, input: tf.SymbolicTensor | tf.SymbolicTensor[]) => {
      const output = layer.apply(input);
      if (Array.isArray(output) || output instanceof tf.Tensor) throw new TypeError(name);
      return output;
    };
    let input = outputOf(from);
    if (resize === 'halve') input = apply(tf.layers.maxPooling2d({ poolSize: 2 }), input);
    if (resize === 'double') input = apply(new Double(), input);
    if (shortcut !== null) {
      input = apply(tf.layers.add(), [input, outputOf(shortcut)]);
    }
    const isLast = index === OUTLINE_LAYERS.length - 1;
    const sums = apply(
      tf.layers.conv2d({
        name,
        filters,
        kernelSize: 3,
        padding: 'same',
        useBias: isLast,
        kernelInitializer: tf.initializers.heNormal({ seed: SEED + index }),
      }),
      input,
    );
    const normalize = tf.layers.batchNormalization({
      name: `${name}Norm`,
      epsilon: EPSILON,
      momentum: 0.95,
    });
    known.set(name, isLast ? sums : apply(tf.layers.reLU(), apply(normalize, sums)));
  });
  return tf.model({ inputs: frame, outputs: outputOf('logits') });
}

/** Up to the peak and down again, in cosines. */
function rateAt(progress: number): number {
  const along = progress < WARM_UP ? progress / WARM_UP : (1 - progress) / (1 - WARM_UP);
  return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 - Math.cos(Math.PI * along)));
}

function readWeight(weights: tf.LayersModel['trainableWeights'], name: string): tf.Tensor {
  const weight = weights.find((each) => each.name === name);
  if (!weight) throw new RangeError(`No weight is called ${name}.`);
  return weight.read();
}

function trainNetwork(network: tf.LayersModel, examples: Examples, random: () => number): void {
  const count = examples.covers.length / COVER_VALUES;
  const weights = network.trainableWeights;
  const optimizer = new StockOptimizer(
    { trainable: weights.map(({ name }) => name), statistics: [], decaying: new Set() },
    (name) => readWeight(weights, name),
    {
      rule: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: null },
      weightDecay: 0,
      maxGradientNorm: null,
      averageDecay: null,
    },
    null,
  );
  const numSteps = Math.floor(count / BATCH_SIZE);
  const rows = Uint32Array.from({ length: count }, (_, i) => i);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffleRows(rows, random);
    let total = 0;
    for (let step = 0; step < numSteps; step++) {
      const batch = rows.subarray(step * BATCH_SIZE, (step + 1) * BATCH_SIZE);
      const frames = gather(examples.frames, batch, FRAME_VALUES);
      const covers = gather(examples.covers, batch, COVER_VALUES);
      const isMirrored = random() < 0.5;
      total += tf.tidy(() => {
        const shape = [BATCH_SIZE, FRAME_SIDE, FRAME_SIDE] as const;
        const turn = (tensor: tf.Tensor4D) => (isMirrored ? tf.reverse(tensor, 2) : tensor);
        const input = turn(tf.tensor4d(frames, [...shape, FRAME_CHANNELS]));
        const truth = turn(tf.tensor4d(covers, [...shape, 1]));
        const { value, grads } = tf.variableGrads(() => {
          const logits = network.apply(input, { training: true });
          if (!(logits instanceof tf.Tensor)) throw new TypeError('The network has one output.');
          return tf.losses.sigmoidCrossEntropy(truth, logits).asScalar();
        });
        const gradients = weights.map(({ name }) => {
          const gradient = grads[name];
          if (!gradient) throw new RangeError(`${name} has no gradient.`);
          return gradient;
        });
        optimizer.step(gradients, rateAt((epoch + step / numSteps) / EPOCHS));
        for (const [index, value] of optimizer.values.entries()) weights[index]?.write(value);
        return value.dataSync()[0] ?? Number.NaN;
      });
    }
    console.log(`  Epoch ${epoch + 1}/${EPOCHS}   loss ${(total / numSteps).toFixed(4)}`);
  }
  optimizer.dispose();
}

function gather(values: Float32Array, rows: Uint32Array, size: number): Float32Array {
  const result = new Float32Array(rows.length * size);
  rows.forEach((row, i) => {
    result.set(values.subarray(row * size, (row + 1) * size), i * size);
  });
  return result;
}

/** Weights of plain convolutions: what normalisation does in use is moved into them. */
function foldWeights(network: tf.LayersModel): OutlineWeights[] {
  return OUTLINE_LAYERS.map((layer, index) => {
    const valuesOf = (name: string) =>
      network
        .getLayer(name)
        .getWeights()
        .map((tensor) => Float32Array.from(tensor.dataSync()));
    const { filters } = layer;
    const [kernel, ownBias] = valuesOf(layer.name);
    if (kernel?.length !== 9 * numInputs(layer) * filters) throw new RangeError(layer.name);
    if (index === OUTLINE_LAYERS.length - 1 && ownBias) return { kernel, bias: ownBias };
    const [gamma, beta, mean, variance] = valuesOf(`${layer.name}Norm`);
    if (!gamma || !beta || !mean || !variance) throw new RangeError(layer.name);
    const scale = gamma.map((value, i) => value / Math.sqrt((variance[i] ?? 1) + EPSILON));
    return {
      kernel: kernel.map((value, i) => value * (scale[i % filters] ?? 1)),
      bias: beta.map((value, i) => value - (mean[i] ?? 0) * (scale[i] ?? 1)),
    };
  });
}

/**
 * What the network with the weights as they are kept misses of the garments, and what it adds, as
 * shares of their area.
 */
function scoreHeldOut({ frames, covers }: Examples, text: string) {
  const weights = decodeWeights(text);
  let area = 0;
  let missed = 0;
  let added = 0;
  for (let i = 0; i < NUM_HELD_OUT; i++) {
    const frame = frames.subarray(i * FRAME_VALUES, (i + 1) * FRAME_VALUES);
    runOutlineNetwork(frame, weights).forEach((logit, place) => {
      const isGarment = (covers[i * COVER_VALUES + place] ?? 0) > 0.5;
      if (isGarment) area += 1;
      if (isGarment && logit <= 0) missed += 1;
      if (!isGarment && logit > 0) added += 1;
    });
  }
  return { missed: missed / area, added: added / area };
}

const data = await ensureData();
if (!data.ok) throw new Error(data.message);
const csvFile = FASHION_MNIST.files.full.train;
const full = await readCsv(join(ROOT, 'public', csvFile), csvFile);
const random = createRandom(SEED);
const { train, validation } = splitRows(full, 0.1, SEED);
const examples = makeExamples(selectRows(full, train.subarray(0, NUM_PICTURES)), random);
const heldOut = makeExamples(selectRows(full, validation.subarray(0, NUM_HELD_OUT)), random);

await registerInNode({ numThreads: availableParallelism() });
tf.enableProdMode();
await tf.setBackend('simd');
const network = buildNetwork();
trainNetwork(network, examples, random);
const text = encodeWeights(foldWeights(network));
const { missed, added } = scoreHeldOut(heldOut, text);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
console.log(
  `  Of ${NUM_HELD_OUT} held-out garments ${percent(missed)} is missed, ${percent(added)} of sheet is added`,
);
// Also true where they are not numbers.
if (!(missed + added < MOST_WRONG)) {
  throw new Error(`That is more than ${percent(MOST_WRONG)} in all: ${OUTPUT} stays as it was.`);
}
await writeFile(
  OUTPUT,
  `/** Made by \`npm run outline\`; see scripts/outline.ts. */\nexport const OUTLINE_WEIGHTS =\n  '${text}';\n`,
);
console.log(`  ${OUTPUT}: ${(text.length / 1024).toFixed(0)} KB`);
process.exit(0);
