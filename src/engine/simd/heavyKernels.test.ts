/**
 * The kernels of convolution, pooling and batch normalisation, called as the planned step calls
 * them, against plain definitions in double precision; and their independence of threads.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Kernels, kernelSupport } from './kernels.ts';
import { Draw, relativeError } from './testing/cases.ts';
import { NODE_OPTIONS } from './testing/loadInNode.ts';

/** Without fused multiply-add, and with it where this machine's engine has it. */
let variants: Kernels[] = [];

beforeAll(async () => {
  variants = await Promise.all(
    [...new Set([false, kernelSupport().relaxedSimd])].map((relaxed) =>
      Kernels.load({ ...NODE_OPTIONS, relaxed }),
    ),
  );
});

/** Largest error of one kernel, relative to its largest result. */
const TOLERANCE = 2e-5;

/** Arrays in the kernels' memory for the length of one call. */
class Arrays {
  readonly kernels: Kernels;
  readonly #pointers: number[] = [];

  constructor(kernels: Kernels) {
    this.kernels = kernels;
  }

  put(values: ArrayLike<number>): number {
    const pointer = this.reserve(values.length * 4);
    this.kernels.f32.set(values, pointer >>> 2);
    return pointer;
  }

  reserve(bytes: number): number {
    const pointer = this.kernels.allocator.allocate(bytes);
    this.#pointers.push(pointer);
    return pointer;
  }

  get(pointer: number, length: number): Float32Array {
    return this.kernels.f32.slice(pointer >>> 2, (pointer >>> 2) + length);
  }

  free(): void {
    for (const pointer of this.#pointers.splice(0)) this.kernels.allocator.free(pointer);
  }
}

function withArrays<T>(kernels: Kernels, use: (arrays: Arrays) => T): T {
  const arrays = new Arrays(kernels);
  try {
    return use(arrays);
  } finally {
    arrays.free();
  }
}

interface Shape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filters: number;
  /** Side of the filter or window. */
  readonly size: number;
  readonly stride: number;
  /** Rows and columns of zeros on every side. */
  readonly pad: number;
}

const outSide = (side: number, { size, stride, pad }: Shape): number =>
  Math.floor((side + 2 * pad - size) / stride) + 1;

function setShape(kernels: Kernels, shape: Shape): void {
  const { batch, height, width, channels, filters, size, stride, pad } = shape;
  const [outHeight, outWidth] = [outSide(height, shape), outSide(width, shape)];
  const words = [batch, height, width, channels, outHeight, outWidth, filters];
  words.push(size, size, stride, stride, 1, 1, pad, pad);
  kernels.i32.set(words, kernels.exports.convShape() >>> 2);
}

/** Calls `use(x, y, w)` with the indices of every product of a convolution. */
function forProducts(shape: Shape, use: (x: number, y: number, w: number) => void): void {
  const { batch, height, width, channels, filters, size, stride, pad } = shape;
  const [outHeight, outWidth] = [outSide(height, shape), outSide(width, shape)];
  for (let image = 0; image < batch; image++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        const y = ((image * outHeight + row) * outWidth + column) * filters;
        for (let tap = 0; tap < size * size; tap++) {
          const inY = row * stride - pad + Math.floor(tap / size);
          const inX = column * stride - pad + (tap % size);
          if (inY < 0 || inX < 0 || inY >= height || inX >= width) continue;
          const x = ((image * height + inY) * width + inX) * channels;
          for (let i = 0; i < channels; i++) {
            const w = (tap * channels + i) * filters;
            for (let o = 0; o < filters; o++) use(x + i, y + o, w + o);
          }
        }
      }
    }
  }
}

interface ConvNumbers {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly dy: Float32Array;
  readonly bias: Float32Array;
  /** What dx holds before the gradient is added to it. */
  readonly earlier: Float32Array;
}

function drawConv(draw: Draw, shape: Shape): ConvNumbers {
  const { batch, height, width, channels, filters, size } = shape;
  const positions = batch * outSide(height, shape) * outSide(width, shape);
  return {
    x: draw.numbers(batch * height * width * channels),
    w: draw.numbers(size * size * channels * filters),
    dy: draw.numbers(positions * filters),
    bias: draw.numbers(filters),
    earlier: draw.numbers(batch * height * width * channels),
  };
}

const at = (values: ArrayLike<number>, index: number): number => values[index] ?? Number.NaN;

function plainConv(shape: Shape, { x, w, dy, bias, earlier }: ConvNumbers) {
  const { filters } = shape;
  const y = Float64Array.from(dy, (_, i) => at(bias, i % filters));
  const dx = Float64Array.from(earlier);
  const dw = new Float64Array(w.length);
  forProducts(shape, (ix, iy, iw) => {
    y[iy] = at(y, iy) + at(x, ix) * at(w, iw);
    dx[ix] = at(dx, ix) + at(dy, iy) * at(w, iw);
    dw[iw] = at(dw, iw) + at(dy, iy) * at(x, ix);
  });
  return { y: y.map((value) => Math.max(0, value)), dx, dw };
}

function kernelConv(kernels: Kernels, shape: Shape, numbers: ConvNumbers) {
  const { exports } = kernels;
  return withArrays(kernels, (arrays) => {
    const x = arrays.put(numbers.x);
    const w = arrays.put(numbers.w);
    const dy = arrays.put(numbers.dy);
    const bias = arrays.put(numbers.bias);
    const dx = arrays.put(numbers.earlier);
    const y = arrays.put(new Float32Array(numbers.dy.length).fill(Number.NaN));
    const dw = arrays.put(new Float32Array(numbers.w.length).fill(Number.NaN));
    const dBias = arrays.put(numbers.bias);
    setShape(kernels, shape);
    kernels.ensureScratch(exports.convScratch());
    exports.convForward(x, w, bias, y, arrays.reserve(exports.convForwardWorkspace()), 1);
    setShape(kernels, shape);
    const packed = arrays.reserve(exports.convInputGradientWorkspace());
    exports.convInputGradient(dy, w, dx, packed, 1);
    setShape(kernels, shape);
    const partials = arrays.reserve(exports.convFilterGradientWorkspace());
    exports.convFilterGradient(x, dy, dw, partials, 0, 0, dBias);
    return {
      y: arrays.get(y, numbers.dy.length),
      dx: arrays.get(dx, numbers.x.length),
      dw: arrays.get(dw, numbers.w.length),
      dBias: arrays.get(dBias, numbers.bias.length),
    };
  });
}

/** Convolutions on either side of every border between ways to compute them. */
const CONVOLUTIONS: readonly Shape[] = [
  ...[3, 4, 5, 6, 7, 8].map((side) => conv(26, side, 16, 20, 1)),
  ...[11, 13, 14, 15].map((side) => conv(4, side, 16, 24, 1)),
  ...[4, 5, 9, 13, 15].map((side) => conv(26, side, 8, 12, 0)),
  conv(2, 28, 8, 16, 1),
  conv(3, 14, 132, 8, 1),
  // More tiles than the filter gradient transforms at a time, and more than it keeps.
  conv(70, 7, 8, 140, 1),
  { ...conv(30, 9, 16, 12, 1), height: 14, width: 7 },
  // One channel: tiles that meet the edge, and that do not.
  conv(3, 28, 1, 32, 1),
  conv(18, 9, 1, 24, 0),
  // The direct way.
  { ...conv(4, 14, 16, 12, 1), stride: 2 },
  { ...conv(4, 9, 5, 7, 2), size: 5 },
];

function conv(batch: number, side: number, channels: number, filters: number, pad: number): Shape {
  return { batch, height: side, width: side, channels, filters, size: 3, stride: 1, pad };
}

describe('convolution', () => {
  it.each(CONVOLUTIONS)('$height×$width, $channels → $filters, batch $batch, pad $pad', (shape) => {
    const numbers = drawConv(new Draw(5), shape);
    const expected = plainConv(shape, numbers);
    for (const kernels of variants) {
      const actual = kernelConv(kernels, shape, numbers);
      expect(relativeError(actual.y, expected.y), 'forward').toBeLessThan(TOLERANCE);
      expect(relativeError(actual.dx, expected.dx), 'input').toBeLessThan(TOLERANCE);
      expect(relativeError(actual.dw, expected.dw), 'filter').toBeLessThan(TOLERANCE);
      const sums = new Float64Array(shape.filters);
      numbers.dy.forEach((value, i) => {
        sums[i % shape.filters] = at(sums, i % shape.filters) + value;
      });
      expect(relativeError(actual.dBias, sums), 'bias').toBeLessThan(TOLERANCE);
    }
  });

  it('gives the same bits on any number of threads', async () => {
    const threaded = await Promise.all(
      [1, 2, 3].map((numThreads) => Kernels.load({ ...NODE_OPTIONS, numThreads })),
    );
    for (const shape of CONVOLUTIONS) {
      const numbers = drawConv(new Draw(6), shape);
      const [first, ...others] = threaded.map((kernels) => kernelConv(kernels, shape, numbers));
      for (const other of others) expect(other).toEqual(first);
    }
    for (const kernels of threaded) kernels.dispose();
  });
});

describe('gradients of pooling', () => {
  it.each([
    [2, 2, 6, 6],
    [2, 2, 7, 8],
    [3, 2, 9, 5],
    [2, 1, 5, 8],
  ])('%i wide, stride %i, added to what is there', (size, stride, side, channels) => {
    const shape: Shape = { ...conv(3, side, channels, channels, 0), size, stride };
    const draw = new Draw(7);
    const out = outSide(side, shape);
    const [x, dy] = [draw.numbers(3 * side ** 2 * channels), draw.numbers(3 * out ** 2 * channels)];
    const earlier = draw.numbers(x.length);
    for (const kernels of variants) {
      const { exports } = kernels;
      withArrays(kernels, (arrays) => {
        const winners = arrays.reserve(3 * out ** 2 * (channels + 3));
        const [xs, dys] = [arrays.put(x), arrays.put(dy)];
        setShape(kernels, shape);
        exports.maxPool(xs, arrays.put(dy), winners);
        const gradients = [
          (dx: number, add: number) => exports.maxPoolGradient(dys, winners, dx, add),
          (dx: number, add: number) => exports.averagePoolGradient(dys, dx, add),
        ];
        for (const gradient of gradients) {
          const [alone, added] = [arrays.put(earlier), arrays.put(earlier)];
          setShape(kernels, shape);
          gradient(alone, 0);
          setShape(kernels, shape);
          gradient(added, 1);
          const sum = arrays.get(alone, x.length).map((value, i) => value + at(earlier, i));
          expect(relativeError(arrays.get(added, x.length), sum)).toBeLessThan(1e-6);
        }
      });
    }
  });
});

/** Where a ReLU stands, as `normalize` numbers it, and whether something is added. */
const MODES = [
  { mode: 0, adds: false },
  { mode: 0, adds: true },
  { mode: 1, adds: false },
  { mode: 1, adds: true },
  { mode: 2, adds: true },
];
const EPSILON = 1e-3;

function plainNormalization(
  rows: number,
  channels: number,
  mode: number,
  numbers: Readonly<Record<'x' | 'add' | 'dy' | 'gamma' | 'beta', ArrayLike<number>>>,
) {
  const { x, add, dy, gamma, beta } = numbers;
  const y = new Float64Array(rows * channels);
  const masked = new Float64Array(rows * channels);
  const dx = new Float64Array(rows * channels);
  const dGamma = new Float64Array(channels);
  const dBeta = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    const column = Array.from({ length: rows }, (_, row) => row * channels + c);
    const mean = column.reduce((sum, i) => sum + at(x, i), 0) / rows;
    const variance = column.reduce((sum, i) => sum + (at(x, i) - mean) ** 2, 0) / rows;
    const scaled = (i: number) => (at(x, i) - mean) / Math.sqrt(variance + EPSILON);
    for (const i of column) {
      const n = scaled(i) * at(gamma, c) + at(beta, c);
      const sum = mode === 2 ? n + at(add, i) : n;
      y[i] = (mode === 0 ? sum : Math.max(0, sum)) + (mode === 2 ? 0 : at(add, i));
      masked[i] = mode !== 0 && sum <= 0 ? 0 : at(dy, i);
      dGamma[c] = at(dGamma, c) + at(masked, i) * scaled(i);
      dBeta[c] = at(dBeta, c) + at(masked, i);
    }
    for (const i of column) {
      const centred = at(masked, i) - (at(dBeta, c) + scaled(i) * at(dGamma, c)) / rows;
      dx[i] = (at(gamma, c) / Math.sqrt(variance + EPSILON)) * centred;
    }
  }
  return { y, masked, dx, dGamma, dBeta };
}

describe('batch normalisation', () => {
  const sizes = [
    [700, 8],
    [300, 5],
    [1000, 32],
    [77, 20],
  ] as const;
  const cases = MODES.flatMap((mode) =>
    sizes.map(([rows, channels]) => ({ ...mode, rows, channels })),
  );

  it.each(cases)('mode $mode, adds $adds, [$rows, $channels]', ({ mode, adds, rows, channels }) => {
    const draw = new Draw(8);
    const count = rows * channels;
    const numbers = {
      x: draw.numbers(count).map((value, i) => value * 3 + (i % channels)),
      add: adds ? draw.numbers(count) : new Float32Array(count),
      dy: draw.numbers(count),
      gamma: draw.numbers(channels).map((value) => value + 1.5),
      beta: draw.numbers(channels),
    };
    const earlier = draw.numbers(count);
    const expected = plainNormalization(rows, channels, mode, numbers);
    for (const kernels of variants) {
      const { exports } = kernels;
      withArrays(kernels, (arrays) => {
        const x = arrays.put(numbers.x);
        const add = adds ? arrays.put(numbers.add) : 0;
        const dy = arrays.put(numbers.dy);
        const [gamma, beta] = [arrays.put(numbers.gamma), arrays.put(numbers.beta)];
        const [mean, variance] = [arrays.reserve(channels * 4), arrays.reserve(channels * 4)];
        const [dGamma, dBeta] = [arrays.reserve(channels * 4), arrays.reserve(channels * 4)];
        const [y, dx, dAdd] = [arrays.put(earlier), arrays.put(earlier), arrays.put(earlier)];
        const partials = arrays.reserve(exports.normWorkspace(rows, channels));
        exports.channelMoments(x, mean, variance, partials, rows, channels);
        exports.normalize(
          ...[x, mean, variance, gamma, beta, y, partials, rows, channels, EPSILON, mode, add],
        );
        expect(relativeError(arrays.get(y, count), expected.y)).toBeLessThan(TOLERANCE);

        // Every way to say where the ReLU let through that fits the mode.
        const ways =
          mode === 0
            ? [[0, 0]]
            : mode === 2
              ? [[y, 0]]
              : adds
                ? [[0, 1]]
                : [
                    [y, 0],
                    [0, 1],
                  ];
        const gradient = (
          way: readonly number[],
          flags: number,
          to: number,
          from = dy,
          cut = dAdd,
        ) =>
          exports.normalizeGradient(
            ...[x, way[0] ?? 0, from, mean, variance, gamma, to, dGamma, dBeta, partials],
            ...[rows, channels, EPSILON, beta, cut, (way[1] ?? 0) | flags],
          );
        for (const way of ways) {
          gradient(way, 0, dx);
          expect(relativeError(arrays.get(dx, count), expected.dx)).toBeLessThan(TOLERANCE);
          expect(arrays.get(dAdd, count)).toEqual(Float32Array.from(expected.masked));
          expect(relativeError(arrays.get(dGamma, channels), expected.dGamma)).toBeLessThan(
            TOLERANCE,
          );
          expect(relativeError(arrays.get(dBeta, channels), expected.dBeta)).toBeLessThan(
            TOLERANCE,
          );
          gradient(way, 6, dx);
          const twice = (values: Float64Array) => values.map((value) => 2 * value);
          expect(relativeError(arrays.get(dx, count), twice(expected.dx))).toBeLessThan(TOLERANCE);
          expect(arrays.get(dAdd, count)).toEqual(Float32Array.from(twice(expected.masked)));
          // In place: dx over dy, and the cut dy over dy.
          const [first, second] = [arrays.put(numbers.dy), arrays.put(numbers.dy)];
          gradient(way, 0, first, first, 0);
          expect(relativeError(arrays.get(first, count), expected.dx)).toBeLessThan(TOLERANCE);
          gradient(way, 0, dx, second, second);
          expect(arrays.get(second, count)).toEqual(Float32Array.from(expected.masked));
        }
      });
    }
  });
});
