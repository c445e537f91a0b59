/**
 * The kernels that only the planned step calls, against plain definitions in double precision, for
 * sizes with and without a part of a vector at their end, on one thread and several.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PIXELS, SIDE } from '../../fashion.ts';
import { writeImages } from '../batchImages.ts';
import type { ImageChange } from '../contract.ts';
import { Kernels } from './kernels.ts';
import { ACTIVATION } from './operations.ts';
import { Draw, relativeError } from './testing/cases.ts';
import { NODE_OPTIONS } from './testing/loadInNode.ts';

let all: Kernels[] = [];

beforeAll(async () => {
  all = await Promise.all(
    [1, 3].map((numThreads) => Kernels.load({ ...NODE_OPTIONS, numThreads })),
  );
});

afterAll(() => {
  for (const kernels of all) kernels.dispose();
});

const GUARD = 16;

/**
 * Calls a kernel on arrays in its memory and gives what it left in them, on every number of threads
 * the same. Numbers behind the end of an array may change within its last cache line only.
 */
function call(
  arrays: readonly ArrayLike<number>[],
  run: (kernels: Kernels, addresses: readonly number[]) => void,
): readonly Float32Array[] {
  const results = all.map((kernels) => {
    const { allocator } = kernels;
    const addresses = arrays.map((values) => {
      const address = allocator.allocate((values.length + GUARD) * 4);
      kernels.f32.fill(7, address / 4, address / 4 + values.length + GUARD);
      kernels.f32.set(values, address / 4);
      return address;
    });
    run(kernels, addresses);
    const after = arrays.map(({ length }, index) => {
      const start = (addresses[index] ?? 0) / 4;
      const behind = start + Math.ceil(length / GUARD) * GUARD;
      expect(kernels.f32[behind]).toBe(7);
      return kernels.f32.slice(start, start + length);
    });
    for (const address of addresses) allocator.free(address);
    return after;
  });
  expect(results[1]).toEqual(results[0]);
  return results[0] ?? [];
}

const seeds = (count: number) => Array.from({ length: count }, (_, seed) => new Draw(seed + 1));

/** The share of a normal distribution below x, summed finely. */
function normalShare(x: number): number {
  const steps = 2000;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    const at = (x * (i + 0.5)) / steps;
    sum += (Math.exp((-at * at) / 2) / Math.sqrt(2 * Math.PI)) * (x / steps);
  }
  return 0.5 + sum;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const FUNCTIONS: Record<keyof typeof ACTIVATION, (x: number) => number> = {
  relu: (x) => Math.max(0, x),
  leakyRelu: (x) => (x < 0 ? 0.1 * x : x),
  silu: (x) => x * sigmoid(x),
  gelu: (x) => x * normalShare(x),
  sigmoid,
};

describe('activations', () => {
  it.each(Object.keys(FUNCTIONS) as (keyof typeof ACTIVATION)[])(
    '%s and its gradient follow the definition',
    (name) => {
      const { number, gradientFrom } = ACTIVATION[name];
      const x = new Draw(2).numbers(203).map((value) => value * 6);
      const dy = new Draw(3).numbers(203);
      const [, y = new Float32Array()] = call([x, x], ({ exports }, [from = 0, to = 0]) => {
        exports.activate(number, from, to, x.length, 0.1);
      });
      const f = FUNCTIONS[name];
      expect(relativeError(y, [...x].map(f))).toBeLessThan(1e-6);
      const source = gradientFrom === 'input' ? x : y;
      // In place, as a plan calls it.
      const [, dx = []] = call([source, dy], ({ exports }, [from = 0, to = 0]) => {
        exports.activateGradient(number, from, to, to, x.length, 0.1);
      });
      const expected = [...x].map((at, i) => ((f(at + 1e-4) - f(at - 1e-4)) / 2e-4) * (dy[i] ?? 0));
      expect(relativeError(dx, expected)).toBeLessThan(1e-5);
    },
  );
});

describe('depthwise convolution', () => {
  it('and its gradients follow the definition', () => {
    for (const draw of seeds(30)) {
      const [batch, channels, size, stride] = [
        draw.int(1, 20),
        draw.pick([1, 3, 4, 6, 8]),
        draw.pick([3, 5, 7]),
        draw.pick([1, 2]),
      ];
      const [height, width] = [draw.int(7, 10), draw.int(7, 10)];
      const isSame = draw.chance(0.5);
      const isRelu = draw.chance(0.5);
      const out = (length: number) =>
        isSame ? Math.ceil(length / stride) : Math.floor((length - size) / stride) + 1;
      const pad = (length: number) =>
        isSame ? Math.max(0, (out(length) - 1) * stride + size - length) >> 1 : 0;
      const [outHeight, outWidth] = [out(height), out(width)];
      const words = [
        ...[batch, height, width, channels, outHeight, outWidth, channels],
        ...[size, size, stride, stride, 1, 1, pad(height), pad(width)],
      ];
      const x = draw.numbers(batch * height * width * channels);
      const w = draw.numbers(size * size * channels);
      const bias = draw.numbers(channels);
      const dy = draw.numbers(batch * outHeight * outWidth * channels);
      const y = Array.from(dy, (_, at) => bias[at % channels] ?? 0);
      const dx = new Float64Array(x.length);
      const dw = new Float64Array(w.length);
      const dBias = new Float64Array(channels);
      dy.forEach((value, at) => {
        const c = at % channels;
        const column = Math.floor(at / channels) % outWidth;
        const row = Math.floor(at / channels / outWidth) % outHeight;
        const image = Math.floor(at / channels / outWidth / outHeight);
        dBias[c] = (dBias[c] ?? 0) + value;
        for (let tap = 0; tap < size * size; tap++) {
          const inY = row * stride - pad(height) + Math.floor(tap / size);
          const inX = column * stride - pad(width) + (tap % size);
          if (inY < 0 || inX < 0 || inY >= height || inX >= width) continue;
          const from = ((image * height + inY) * width + inX) * channels + c;
          const weight = tap * channels + c;
          y[at] = (y[at] ?? 0) + (x[from] ?? 0) * (w[weight] ?? 0);
          dx[from] = (dx[from] ?? 0) + value * (w[weight] ?? 0);
          dw[weight] = (dw[weight] ?? 0) + value * (x[from] ?? 0);
        }
      });
      const results = call(
        [x, w, bias, dy, y, dx, dw, dBias].map((values) => Float32Array.from(values)),
        (kernels, addresses) => {
          const { exports } = kernels;
          const [xAt = 0, wAt = 0, biasAt = 0, dyAt = 0, yAt = 0, dxAt = 0, dwAt = 0, dBiasAt = 0] =
            addresses;
          const setShape = () => kernels.i32.set(words, exports.convShape() / 4);
          setShape();
          const workspace = kernels.workspace(exports.depthwiseWorkspace());
          exports.depthwiseForward(xAt, wAt, biasAt, yAt, Number(isRelu));
          setShape();
          exports.depthwiseInputGradient(dyAt, wAt, dxAt);
          setShape();
          exports.depthwiseFilterGradient(xAt, dyAt, dwAt, workspace, dBiasAt);
        },
      );
      const expected = [isRelu ? y.map((value) => Math.max(0, value)) : y, dx, dw, dBias];
      expected.forEach((values, index) => {
        expect(relativeError(results[4 + index] ?? [], values)).toBeLessThan(1e-5);
      });
    }
  });
});

describe('channels', () => {
  it('are scaled, averaged and searched for their greatest number, and back', () => {
    for (const draw of seeds(20)) {
      const [batch, positions, channels] = [draw.int(1, 9), draw.int(1, 30), draw.int(1, 13)];
      const sizes = [batch, positions, channels] as const;
      const x = draw.numbers(batch * positions * channels);
      const dy = draw.numbers(x.length);
      const before = draw.numbers(x.length);
      const factors = draw.numbers(batch * channels);
      const factorAt = (at: number) =>
        Math.floor(at / channels / positions) * channels + (at % channels);
      const sums = new Float64Array(factors.length);
      const greatest = new Float64Array(factors.length).fill(-Infinity);
      const winners = new Float64Array(factors.length);
      x.forEach((value, at) => {
        const to = factorAt(at);
        sums[to] = (sums[to] ?? 0) + value * (dy[at] ?? 0);
        if (value > (greatest[to] ?? 0)) {
          greatest[to] = value;
          winners[to] = at;
        }
      });
      for (const adds of [0, 1]) {
        const old = (at: number) => (adds ? (before[at] ?? 0) : 0);
        const [, , scaled = [], sum = [], spread = [], most = [], , back = []] = call(
          [x, factors, before, factors, before, factors, factors, before, dy],
          ({ exports }, [xAt = 0, fAt = 0, toAt = 0, sumAt = 0, spreadAt = 0, ...rest]) => {
            const [mostAt = 0, winnersAt = 0, backAt = 0, dyAt = 0] = rest;
            exports.scaleChannels(xAt, fAt, toAt, ...sizes, adds);
            exports.factorGradient(xAt, dyAt, sumAt, ...sizes);
            exports.spreadChannels(fAt, spreadAt, ...sizes, 0.25, adds);
            exports.globalMax(xAt, mostAt, winnersAt, ...sizes);
            exports.globalMaxGradient(fAt, winnersAt, backAt, ...sizes, adds);
          },
        );
        const factor = (at: number) => factors[factorAt(at)] ?? 0;
        const indices = [...x.keys()];
        expect(relativeError(sum, sums)).toBeLessThan(1e-5);
        expect(most).toEqual(Float32Array.from(greatest));
        const expected = [
          [scaled, indices.map((at) => old(at) + (x[at] ?? 0) * factor(at))],
          [spread, indices.map((at) => old(at) + 0.25 * factor(at))],
          [back, indices.map((at) => old(at) + (winners[factorAt(at)] === at ? factor(at) : 0))],
        ] as const;
        for (const [actual, wanted] of expected) {
          expect(relativeError(actual, wanted)).toBeLessThan(1e-6);
        }
      }
    }
  });

  it('have their first greatest number win', () => {
    const [, , winners] = call(
      [
        [1, -5, 3, -5, 3, -5],
        [0, 0],
        [9, 9],
      ],
      ({ exports }, [x = 0, y = 0, to = 0]) => {
        exports.globalMax(x, y, to, 1, 3, 2);
      },
    );
    expect(new Int32Array(Float32Array.from(winners ?? []).buffer)).toEqual(Int32Array.of(1, 0));
  });
});

describe('cross-entropy', () => {
  it('gives loss, accuracy and gradient of smoothed targets, however large the logits', () => {
    for (const draw of seeds(10)) {
      const [rows, classes, smoothing] = [draw.int(1, 70), draw.int(2, 30), draw.pick([0, 0.1])];
      const logits = draw.numbers(rows * classes).map((value) => value * draw.pick([1, 300]));
      const targets = draw.numbers(logits.length).map(Math.abs);
      const rowOf = (values: ArrayLike<number>, row: number) =>
        Array.from(values).slice(row * classes, (row + 1) * classes);
      let [loss, numCorrect] = [0, 0];
      const gradient: number[] = [];
      for (let row = 0; row < rows; row++) {
        const total = rowOf(targets, row).reduce((sum, value) => sum + value, 0);
        for (let c = 0; c < classes; c++) {
          const at = row * classes + c;
          targets[at] = (targets[at] ?? 0) / total;
        }
        const [scores, goal] = [rowOf(logits, row), rowOf(targets, row)];
        const most = Math.max(...scores);
        const logSum = most + Math.log(scores.reduce((sum, s) => sum + Math.exp(s - most), 0));
        scores.forEach((score, c) => {
          const target = goal[c] ?? 0;
          loss += (target * (logSum - score)) / rows;
          const smoothed = (1 - smoothing) * target + smoothing / classes;
          gradient.push((Math.exp(score - logSum) - smoothed) / rows);
        });
        if (scores.indexOf(most) === goal.indexOf(Math.max(...goal))) numCorrect++;
      }
      const [, , dLogits = [], figures = []] = call(
        [logits, targets, logits, [0, 0]],
        ({ exports }, [from = 0, goal = 0, to = 0, figuresAt = 0]) => {
          exports.crossEntropyStep(from, goal, to, figuresAt, rows, classes, smoothing);
        },
      );
      expect(relativeError(dLogits, gradient)).toBeLessThan(1e-5);
      expect(relativeError(figures, [loss, numCorrect / rows])).toBeLessThan(1e-5);
    }
  });
});

describe('images of a batch', () => {
  it('are changed and mixed as the other engines do', () => {
    const draw = new Draw(4);
    const count = 24;
    const pixels = Uint8Array.from({ length: count * PIXELS }, () => draw.int(0, 255));
    const changes = Array.from({ length: count }, (_, index): ImageChange => {
      const [left, top] = [draw.int(0, SIDE - 1), draw.int(0, SIDE - 1)];
      const erased = {
        ...{ left, top, width: draw.int(1, SIDE - left), height: draw.int(1, SIDE - top) },
        fill: draw.int(0, 255),
      };
      return {
        isMirrored: draw.chance(0.5),
        right: index === 0 ? 40 : draw.int(-9, 9),
        down: draw.int(-9, 9),
        erased: draw.chance(0.5) ? erased : null,
      };
    });
    const partners = Uint32Array.from({ length: count }, () => draw.int(0, count - 1));
    const shares = draw.numbers(count).map(Math.abs);
    const words = changes.flatMap(({ isMirrored, right, down, erased }) => [
      ...[Number(isMirrored), right, down, erased?.left ?? 0, erased?.top ?? 0],
      ...[erased?.width ?? 0, erased?.height ?? 0, erased?.fill ?? 0],
    ]);
    const bits = (values: ArrayLike<number>) => new Float32Array(Int32Array.from(values).buffer);
    const blank = new Float32Array(count * PIXELS);
    for (const [isChanged, isMixed] of [
      [false, false],
      [true, false],
      [true, true],
    ]) {
      const [, , , , plain = [], mixed = []] = call(
        [new Float32Array(pixels.buffer), bits(words), bits(partners), shares, blank, blank],
        ({ exports }, [from = 0, changesAt = 0, partnersAt = 0, sharesAt = 0, to = 0, out = 0]) => {
          exports.prepareImages(from, isChanged ? changesAt : 0, to, count, SIDE);
          if (isMixed) exports.mixImages(to, partnersAt, sharesAt, out, count, SIDE);
        },
      );
      const expected = new Float32Array(count * PIXELS);
      const batch = {
        images: { kind: 'pixels' as const, pixels },
        changes: isChanged ? changes : null,
        mixing: isMixed ? { partners, shares } : null,
        targets: new Float32Array(),
        seed: 0,
      };
      writeImages(batch, null, expected);
      expect(relativeError(isMixed ? mixed : plain, expected)).toBeLessThan(1e-6);
    }
  });
});

describe('all weights', () => {
  const count = 40_000;
  const [weights, gradients, first, second] = [1, 2, 3, 4].map((seed) =>
    new Draw(seed).numbers(count),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];

  it('take a step of Adam', () => {
    const seconds = second.map(Math.abs);
    const [w = [], , m = [], v = []] = call(
      [weights, gradients, first, seconds],
      ({ exports }, [at = 0, gradientAt = 0, firstAt = 0, secondAt = 0]) => {
        exports.adam(
          ...[at, gradientAt, firstAt, secondAt, count, 0.01, 0.9, 0.5],
          ...[0.8, 0.99, 0.36, 0.0199, 1e-7],
        );
      },
    );
    const moments = first.map((old, i) => 0.8 * old + 0.2 * 0.5 * (gradients[i] ?? 0));
    const squares = seconds.map((old, i) => 0.99 * old + 0.01 * (0.5 * (gradients[i] ?? 0)) ** 2);
    const expected = weights.map(
      (old, i) =>
        0.9 * old -
        (0.01 * ((moments[i] ?? 0) / 0.36)) / (Math.sqrt((squares[i] ?? 0) / 0.0199) + 1e-7),
    );
    expect(relativeError(m, moments)).toBeLessThan(1e-6);
    expect(relativeError(v, squares)).toBeLessThan(1e-6);
    expect(relativeError(w, expected)).toBeLessThan(1e-6);
  });

  it.each([false, true])('take a step of SGD, by Nesterov: %s', (isNesterov) => {
    const [w = [], , velocity = []] = call(
      [weights, gradients, first],
      ({ exports }, [at = 0, gradientAt = 0, velocityAt = 0]) => {
        exports.sgd(
          ...[at, gradientAt, velocityAt, count, 0.01, 0.9, 0.5, 0.8],
          Number(isNesterov),
        );
      },
    );
    const velocities = first.map((old, i) => 0.8 * old + 0.5 * (gradients[i] ?? 0));
    const expected = weights.map((old, i) => {
      const own = velocities[i] ?? 0;
      return 0.9 * old - 0.01 * (isNesterov ? 0.5 * (gradients[i] ?? 0) + 0.8 * own : own);
    });
    expect(relativeError(velocity, velocities)).toBeLessThan(1e-6);
    expect(relativeError(w, expected)).toBeLessThan(1e-6);
  });

  it('are averaged and measured', () => {
    let norm = 0;
    const [average = []] = call([weights, gradients], (kernels, [at = 0, valueAt = 0]) => {
      const { exports } = kernels;
      const partials = kernels.workspace(exports.squaresWorkspace(count));
      norm = exports.sumOfSquares(at, partials, count);
      exports.blend(at, valueAt, count, 0.75);
    });
    expect(norm).toBeCloseTo(
      weights.reduce((sum, value) => sum + value * value, 0),
      3,
    );
    const expected = weights.map((old, i) => 0.75 * old + 0.25 * (gradients[i] ?? 0));
    expect(relativeError(average, expected)).toBeLessThan(1e-6);
    for (const value of [Number.NaN, Infinity]) {
      const broken = weights.with(20_001, value);
      call([broken], (kernels, [at = 0]) => {
        const partials = kernels.workspace(kernels.exports.squaresWorkspace(count));
        norm = kernels.exports.sumOfSquares(at, partials, count);
      });
      expect(Number.isFinite(norm)).toBe(false);
    }
  });
});

describe('dropout', () => {
  it('drops the asked share, keeps the mean, and repeats by seed', () => {
    const ones = new Float32Array(100_003).fill(1);
    const [once = new Float32Array(), again, other] = [5, 5, 6].map(
      (seed) =>
        call([ones], ({ exports }, [at = 0]) => {
          exports.dropout(at, at, ones.length, 0.3, seed);
        })[0],
    );
    const numDropped = once.filter((value) => value === 0).length;
    expect(numDropped / ones.length).toBeCloseTo(0.3, 2);
    expect(new Set(once)).toEqual(new Set([0, Math.fround(1 / Math.fround(0.7))]));
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });
});
