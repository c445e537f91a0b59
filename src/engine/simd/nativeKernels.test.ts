import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { NATIVE } from './nativeKernels.ts';
import { type Draw, expectSameAsCpu, forSeeds } from './testing/cases.ts';
import { registerInNode } from './testing/loadInNode.ts';

beforeAll(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  await registerInNode();
});

/** Sizes that fall on, before and after the tiles of the kernels. */
const CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 32, 33, 64, 65, 130];

interface Pictures {
  readonly shape: [number, number, number, number];
  readonly kernel: [number, number];
  readonly strides: [number, number];
  readonly pad: 'same' | 'valid' | tf.backend_util.ExplicitPadding;
  readonly label: string;
}

/** Pictures and a window that fits them; work for the slow reference is kept in bounds. */
function drawPictures(draw: Draw, label: string, channels: number, work = 1): Pictures {
  const kernel: [number, number] = [draw.int(1, 5), draw.int(1, 5)];
  const side = () => draw.int(5, 14);
  const [height, width] = [side(), side()];
  const budget = 3e6 / (height * width * kernel[0] * kernel[1] * channels * work);
  const batch = Math.max(1, Math.min(draw.pick([1, 2, 3, 5, 17, 130]), Math.floor(budget)));
  const strides = draw.pick<[number, number]>([
    [1, 1],
    [1, 1],
    [2, 2],
    [1, 2],
    [2, 1],
    [3, 2],
  ]);
  const explicit: tf.backend_util.ExplicitPadding = [
    [0, 0],
    [draw.int(0, kernel[0] - 1), draw.int(0, kernel[0] - 1)],
    [draw.int(0, kernel[1] - 1), draw.int(0, kernel[1] - 1)],
    [0, 0],
  ];
  const pad = draw.pick(['same', 'valid', explicit] as const);
  const shape: Pictures['shape'] = [batch, height, width, channels];
  return {
    shape,
    kernel,
    strides,
    pad,
    label: `${label}: ${JSON.stringify({ shape, kernel, strides, pad })}`,
  };
}

describe('convolution', () => {
  it('and both gradients, over random shapes', () =>
    forSeeds(60, async (draw, seed) => {
      const channels = draw.pick(CHANNELS);
      const filters = draw.pick(CHANNELS);
      const { shape, kernel, strides, pad, label } = drawPictures(draw, seed, channels, filters);
      const x = draw.maker(shape);
      const filter = draw.maker([...kernel, channels, filters]);
      const convolve = (a: tf.Tensor, b: tf.Tensor) =>
        tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad);
      const outShape = tf.tidy(() => convolve(x(), filter()).shape);
      const dy = draw.maker(outShape);
      await expectSameAsCpu(`${label} → ${filters}`, () => {
        const [a, b] = [x(), filter()];
        return [convolve(a, b), ...tf.grads(convolve)([a, b], dy())];
      });
    }));

  it('of 3×3 and stride 1, with whole vectors of channels: all the ways that Winograd tiles lie', () =>
    forSeeds(16, async (draw, seed) => {
      const channels = 4 * draw.pick([2, 3, 4, 5, 6, 8, 11, 32]);
      const filters = channels > 44 ? 16 : 4 * draw.pick([2, 3, 4, 5, 7, 8, 17, 32]);
      const [height, width] = [draw.int(3, 13), draw.int(3, 13)];
      const budget = 3e6 / (height * width * 9 * channels * filters);
      const batch = Math.max(1, Math.min(draw.pick([1, 2, 3, 7, 33, 130]), Math.ceil(budget)));
      const explicit: tf.backend_util.ExplicitPadding = [
        [0, 0],
        [draw.int(0, 3), draw.int(0, 3)],
        [draw.int(0, 3), draw.int(0, 3)],
        [0, 0],
      ];
      const pad = draw.pick(['same', 'valid', explicit] as const);
      const x = draw.maker([batch, height, width, channels]);
      const filter = draw.maker([3, 3, channels, filters]);
      const bias = draw.maker([filters]);
      const convolve = (a: tf.Tensor, b: tf.Tensor) =>
        tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, pad);
      const dy = draw.maker(tf.tidy(() => convolve(x(), filter()).shape));
      const label = `${seed}: ${JSON.stringify({ batch, height, width, channels, filters, pad })}`;
      await expectSameAsCpu(
        label,
        () => {
          const [a, b] = [x(), filter()];
          const activated = tf.fused.conv2d({
            x: a as tf.Tensor4D,
            filter: b as tf.Tensor4D,
            bias: bias() as tf.Tensor1D,
            strides: 1,
            pad,
            activation: 'relu',
          });
          return [convolve(a, b), activated, ...tf.grads(convolve)([a, b], dy())];
        },
        2e-5,
      );
    }));

  it('of one or many channels in a large batch', () =>
    forSeeds(6, async (draw, seed) => {
      const shape: [number, number, number, number] = [130, draw.int(3, 7), draw.int(3, 7), 1];
      const [channels, filters] = draw.pick([
        [1, 130],
        [130, 1],
        [16, 20],
        [20, 16],
      ] as const);
      const x = draw.maker([...shape.slice(0, 3), channels]);
      const filter = draw.maker([3, 3, channels, filters]);
      const convolve = (a: tf.Tensor, b: tf.Tensor) =>
        tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same');
      const dy = draw.maker([...shape.slice(0, 3), filters]);
      await expectSameAsCpu(`${seed}: [${shape}], ${channels} → ${filters}`, () => {
        const [a, b] = [x(), filter()];
        return [convolve(a, b), ...tf.grads(convolve)([a, b], dy())];
      });
    }));

  it('with bias and ReLU fused, and dilated', () =>
    forSeeds(20, async (draw, seed) => {
      const channels = draw.pick(CHANNELS);
      const filters = draw.pick(CHANNELS);
      const x = draw.maker([draw.int(1, 4), 11, 12, channels]);
      const filter = draw.maker([3, 2, channels, filters]);
      const bias = draw.maker([filters]);
      const dilations = draw.int(1, 3);
      const pad = draw.pick(['same', 'valid'] as const);
      const activation = draw.pick(['relu', 'linear'] as const);
      await expectSameAsCpu(`${seed}: ${channels} → ${filters}, dilated ${dilations}`, () =>
        tf.fused.conv2d({
          x: x() as tf.Tensor4D,
          filter: filter() as tf.Tensor4D,
          bias: bias() as tf.Tensor1D,
          strides: 1,
          pad,
          dilations,
          activation,
        }),
      );
    }));

  it('of one picture larger than a packed group', () =>
    expectSameAsCpu('70×70', () => {
      const x = tf.randomUniform([1, 70, 70, 9], -1, 1, 'float32', 1);
      const filter = tf.randomUniform([3, 3, 9, 5], -1, 1, 'float32', 2);
      const convolve = (a: tf.Tensor, b: tf.Tensor) =>
        tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same');
      return tf.grads(convolve)([x, filter], tf.randomUniform([1, 70, 70, 5], -1, 1, 'float32', 3));
    }));
});

describe('pooling', () => {
  const pools = {
    'max pool': tf.maxPool,
    'max pool with ties': tf.maxPool,
    'max pool of negative numbers': tf.maxPool,
    'average pool': tf.avgPool,
  };
  for (const [name, pool] of Object.entries(pools)) {
    it(`${name} and its gradient, over random shapes`, () =>
      forSeeds(30, async (draw, seed) => {
        const { shape, kernel, strides, pad, label } = drawPictures(
          draw,
          seed,
          draw.pick(CHANNELS),
        );
        const change = name.endsWith('ties')
          ? (value: number) => Math.round(value * 2)
          : name.endsWith('numbers')
            ? (value: number) => -1 - Math.abs(value)
            : (value: number) => value;
        const x = draw.maker(shape, change);
        const apply = (a: tf.Tensor) => pool(a as tf.Tensor4D, kernel, strides, pad as 'same');
        const dy = draw.maker(tf.tidy(() => apply(x()).shape));
        await expectSameAsCpu(label, () => {
          const a = x();
          return [apply(a), tf.grad(apply)(a, dy())];
        });
      }));
  }
});

describe('matrix product', () => {
  it('with every transposition, over random shapes', () =>
    forSeeds(60, async (draw, seed) => {
      const size = () => draw.pick([1, 2, 3, 4, 5, 8, 9, 31, 48, 49, 130]);
      const [rows, depth, columns, batch] = [size(), size(), size(), draw.int(1, 3)];
      const [transposeA, transposeB] = [draw.chance(0.5), draw.chance(0.5)];
      const aBatch = draw.chance(0.3) ? 1 : batch;
      const a = draw.maker([aBatch, ...(transposeA ? [depth, rows] : [rows, depth])]);
      const b = draw.maker([batch, ...(transposeB ? [columns, depth] : [depth, columns])]);
      await expectSameAsCpu(
        `${seed}: ${JSON.stringify({ rows, depth, columns, aBatch, batch, transposeA, transposeB })}`,
        () => tf.matMul(a(), b(), transposeA, transposeB),
      );
    }));

  it('with bias and ReLU fused', () =>
    forSeeds(20, async (draw, seed) => {
      const [rows, depth, columns] = [draw.int(1, 60), draw.int(1, 60), draw.int(1, 60)];
      const transposeA = draw.chance(0.5);
      const a = draw.maker(transposeA ? [depth, rows] : [rows, depth]);
      const b = draw.maker([depth, columns]);
      const bias = draw.maker([columns]);
      await expectSameAsCpu(`${seed}: ${rows}×${depth}×${columns}`, () =>
        tf.fused.matMul({ a: a(), b: b(), transposeA, bias: bias(), activation: 'relu' }),
      );
    }));
});

describe('elementwise', () => {
  const unary: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    relu: tf.relu,
    relu6: (x) => tf.relu6(tf.mul(x, 10)),
    leakyRelu: (x) => tf.leakyRelu(x, 0.3),
    step: (x) => tf.step(x, 0.2),
    exp: (x) => tf.exp(tf.mul(x, 30)),
    log: (x) => tf.log(tf.mul(x, 1e5)),
    sqrt: tf.sqrt,
    rsqrt: (x) => tf.rsqrt(tf.abs(x)),
    square: tf.square,
    neg: tf.neg,
    abs: tf.abs,
    sigmoid: (x) => tf.sigmoid(tf.mul(x, 30)),
    tanh: (x) => tf.tanh(tf.mul(x, 3)),
    reciprocal: tf.reciprocal,
    floor: (x) => tf.floor(tf.mul(x, 9)),
    ceil: (x) => tf.ceil(tf.mul(x, 9)),
  };
  for (const [name, operation] of Object.entries(unary)) {
    it(`${name}`, () =>
      forSeeds(4, (draw, seed) => {
        const x = draw.maker([draw.pick([1, 3, 4, 17, 40_001])]);
        return expectSameAsCpu(`${seed}: ${name}`, () => operation(x()));
      }));
  }

  it('exp, log, tanh and sigmoid at the ends of their range', () =>
    expectSameAsCpu('ends', () => {
      const x = tf.tensor1d([0, -0, 1e-30, 1e-40, 88, 89, -87, -104, Infinity, -Infinity, NaN]);
      return [tf.exp(x), tf.log(x), tf.tanh(x), tf.sigmoid(x)];
    }));

  const binary: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
    add: tf.add,
    sub: tf.sub,
    mul: tf.mul,
    div: tf.div,
    maximum: tf.maximum,
    minimum: tf.minimum,
    squaredDifference: tf.squaredDifference,
  };
  const DIFFERENTIABLE = new Set(['add', 'sub', 'mul', 'div']);
  for (const [name, operation] of Object.entries(binary)) {
    it(`${name} with broadcasting and gradients`, () =>
      forSeeds(25, async (draw, seed) => {
        const whole = Array.from({ length: draw.int(1, 5) }, () => draw.int(1, 7));
        const part = () => {
          const shape = whole.map((length) => (draw.chance(0.3) ? 1 : length));
          return shape.slice(draw.chance(0.3) ? draw.int(0, shape.length) : 0);
        };
        const [aShape, bShape] = [part(), part()];
        const a = draw.maker(aShape);
        const b = draw.maker(bShape, (value) => value + 2);
        await expectSameAsCpu(`${seed}: ${name} of [${aShape}] and [${bShape}]`, () => {
          const [x, y] = [a(), b()];
          const value = operation(x, y);
          // The other gradients of TensorFlow.js know no broadcasting.
          if (!DIFFERENTIABLE.has(name)) return value;
          return [value, ...tf.grads((p, q) => tf.sum(operation(p, q)))([x, y])];
        });
      }));
  }

  it('addN', () =>
    expectSameAsCpu('addN', () => tf.addN([1, 2, 3].map((value) => tf.fill([3, 5], value)))));
});

describe('reductions', () => {
  const reductions: Record<string, (x: tf.Tensor, axes: number[], keep: boolean) => tf.Tensor> = {
    sum: tf.sum,
    mean: tf.mean,
    max: tf.max,
    min: tf.min,
    prod: (x, axes, keep) => tf.prod(tf.add(x, 1), axes, keep),
  };
  for (const [name, reduce] of Object.entries(reductions)) {
    it(`${name} over random axes`, () =>
      forSeeds(25, async (draw, seed) => {
        const shape = Array.from({ length: draw.int(1, 4) }, () => draw.int(1, 9));
        const axes = shape.map((_, axis) => axis).filter(() => draw.chance(0.5));
        const keep = draw.chance(0.5);
        const x = draw.maker(shape);
        await expectSameAsCpu(`${seed}: ${name} of [${shape}] over [${axes}]`, () =>
          reduce(x(), axes, keep),
        );
      }));
  }

  it('of long axes, in pieces', () =>
    forSeeds(6, async (draw, seed) => {
      const shape = [draw.int(1, 3), draw.int(900, 3000), draw.pick([1, 3, 8, 33])];
      const x = draw.maker(shape);
      await expectSameAsCpu(`${seed}: [${shape}]`, () => [
        tf.sum(x(), 1),
        tf.sum(x(), [0, 1]),
        tf.mean(x()),
        tf.max(x(), 1),
      ]);
    }));

  it('argMax and argMin, the first among equals', () =>
    forSeeds(15, async (draw, seed) => {
      const shape = Array.from({ length: draw.int(1, 3) }, () => draw.int(1, 9));
      const axis = draw.int(0, shape.length - 1);
      const x = draw.maker(shape, (value) => Math.round(value * 3));
      await expectSameAsCpu(`${seed}: [${shape}] along ${axis}`, () => [
        tf.argMax(x(), axis),
        tf.argMin(x(), axis),
      ]);
    }));

  it('softmax and its logarithm, also of large numbers', () =>
    forSeeds(10, async (draw, seed) => {
      const shape = [draw.int(1, 130), draw.int(1, 20)];
      const x = draw.maker(shape, (value) => value * 200);
      await expectSameAsCpu(`${seed}: [${shape}]`, () => [tf.softmax(x()), tf.logSoftmax(x())]);
    }));
});

describe('normalisation', () => {
  it('with given moments', () =>
    forSeeds(12, async (draw, seed) => {
      const channels = draw.pick(CHANNELS);
      const x = draw.maker([draw.int(1, 9), draw.int(1, 9), draw.int(1, 9), channels]);
      const [mean, offset, scale] = [1, 2, 3].map(() => draw.maker([channels]));
      const variance = draw.maker([channels], (value) => value + 1.5);
      await expectSameAsCpu(`${seed}: ${channels}`, () =>
        tf.batchNorm(
          x(),
          mean?.() as tf.Tensor1D,
          variance() as tf.Tensor1D,
          offset?.() as tf.Tensor1D,
          scale?.() as tf.Tensor1D,
        ),
      );
    }));
});

describe('moving numbers', () => {
  it('transpose, pad, slice, concat, tile, reverse, gather', () =>
    forSeeds(40, async (draw, seed) => {
      const shape = Array.from({ length: draw.int(1, 5) }, () => draw.int(1, 6));
      const axes = shape.map((_, axis) => axis);
      const perm = axes.toSorted(() => draw.unit() - 0.5);
      const paddings = shape.map((): [number, number] => [draw.int(0, 2), draw.int(0, 2)]);
      const begin = shape.map((length) => draw.int(0, length - 1));
      const lengths = shape.map((length, i) => draw.int(1, length - (begin[i] ?? 0)));
      const axis = draw.pick(axes);
      const reps = shape.map(() => draw.int(1, 3));
      const dims = axes.filter(() => draw.chance(0.5));
      const rows = Array.from({ length: draw.int(1, 7) }, () =>
        draw.int(0, (shape[axis] ?? 1) - 1),
      );
      const x = draw.maker(shape);
      await expectSameAsCpu(`${seed}: [${shape}]`, () => [
        tf.transpose(x(), perm),
        tf.pad(x(), paddings, 7),
        tf.slice(x(), begin, lengths),
        tf.concat(
          [
            x(),
            tf.slice(
              x(),
              begin.map((_, i) => (i === axis ? (begin[i] ?? 0) : 0)),
              shape.map((length, i) => (i === axis ? length - (begin[i] ?? 0) : length)),
            ),
            x(),
          ],
          axis,
        ),
        tf.tile(x(), reps),
        tf.reverse(x(), dims),
        tf.gather(x(), tf.tensor1d(rows, 'int32'), axis),
      ]);
    }));

  it('fills', () =>
    expectSameAsCpu('fills', () => [
      tf.fill([3, 7], 2.5),
      tf.zerosLike(tf.ones([5])),
      tf.onesLike(tf.zeros([2, 3])),
    ]));
});

describe('what is not native', () => {
  it('runs on the stock kernels, with one note for each', async () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {});
    const x = tf.tensor2d([3, 1, 2, 6, 5, 4], [2, 3]);
    await expectSameAsCpu('cumsum', () => tf.cumsum(tf.relu(x), 1));
    await expectSameAsCpu('cumsum', () => tf.relu(tf.cumsum(tf.neg(x), 1)));
    expect(info.mock.calls.flat().filter((text) => String(text).includes('Cumsum'))).toHaveLength(
      1,
    );
    x.dispose();
    info.mockRestore();
  });

  it('takes integers, booleans, strings and complex numbers', () =>
    expectSameAsCpu('types', () => {
      const whole = tf.tensor1d([1, 2, 3], 'int32');
      return [
        tf.add(whole, whole),
        tf.logicalAnd(tf.greater(tf.tensor1d([1, 5]), 2), tf.tensor1d([true, true])),
        tf.real(tf.complex(tf.relu(tf.tensor1d([1, -2])), tf.tensor1d([3, 4]))),
        tf.cast(tf.argMax(tf.tensor2d([1, 2, 3, 0], [2, 2]), 1), 'float32'),
      ];
    }));

  it('hands out memory of its own, not a view of another tensor', async () => {
    await tf.setBackend('simd');
    const x = tf.relu(tf.tensor1d([1, 2, 3, 4, 5, 6]));
    // A stock kernel (strings and integers aside, `slice` of a boolean) may return part of its input.
    const part = tf.tidy(() => tf.stridedSlice(x, [1], [4]));
    x.dispose();
    const others = [1, 2, 3].map(() => tf.relu(tf.fill([6], 9)));
    expect(Array.from(part.dataSync())).toEqual([2, 3, 4]);
    tf.dispose([part, ...others]);
  });
});

it('claims only kernels that TensorFlow.js knows', () => {
  const known = new Set(tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName));
  expect(Object.keys(NATIVE).filter((name) => !known.has(name))).toEqual([]);
});
