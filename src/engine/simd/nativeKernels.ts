/**
 * Which TensorFlow.js kernels run natively (`NATIVE`), and how their inputs, attributes and
 * shapes become calls of the WebAssembly kernels. Whatever is missing here, or comes with a type or
 * option that the native kernel does not take, runs through the stock `cpu` kernel on the same data,
 * with a note in the console, once for each kernel.
 */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-cpu';
import { BACKEND_NAME, type NativeTensor, SimdBackend } from './backend.ts';
import { BINARY, PAIRING, REDUCTION, UNARY } from './operations.ts';

/** One call of a kernel. */
interface Call {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: SimdBackend;
}

interface NativeKernel {
  /** Whether this call can run natively; default: all inputs are non-empty floats. */
  readonly takes?: (call: Call) => boolean;
  readonly run: (call: Call) => tf.TensorInfo | tf.TensorInfo[];
}

/** The named input, which the kernel's signature promises. */
function input(call: Call, name: string): tf.TensorInfo {
  const tensor = call.inputs[name];
  if (!tensor) throw new Error(`A kernel was called without its input "${name}".`);
  return tensor;
}

const size = (tensor: tf.TensorInfo): number => tf.util.sizeFromShape(tensor.shape);

const isFloat = (tensor: tf.TensorInfo | undefined): boolean =>
  !tensor || (tensor.dtype === 'float32' && size(tensor) > 0);

const allFloats = ({ inputs }: Call): boolean => Object.values(inputs).every(isFloat);

// ---------------------------------------------------------------------------------------------
// Elementwise

function unary(op: number, alpha = 0): NativeKernel {
  return {
    run: ({ inputs, attrs, backend }) => {
      const x = Object.values(inputs)[0] as tf.TensorInfo;
      const from = backend.pointer(x);
      const out = backend.makeNative(x.shape);
      const slope = typeof attrs.alpha === 'number' ? attrs.alpha : alpha;
      backend.kernels.exports.unary(op, from, out.pointer, size(x), slope);
      return out;
    },
  };
}

/** Whether `part` is the end of `whole`: [3, 4] of [2, 3, 4], and also [1, 4] of [2, 3, 4]'s [4]. */
function isSuffix(part: readonly number[], whole: readonly number[]): boolean {
  const first = part.findIndex((length) => length !== 1);
  const rest = first < 0 ? [] : part.slice(first);
  return rest.length <= whole.length && tf.util.arraysEqual(rest, whole.slice(-rest.length));
}

/** Copies a tensor to the larger shape it is broadcast to. The caller frees the result. */
function expand(backend: SimdBackend, x: tf.TensorInfo, shape: readonly number[]): number {
  const from = backend.pointer(x);
  const to = backend.kernels.allocator.allocate(tf.util.sizeFromShape([...shape]) * 4);
  const strides = stridesOf(x.shape);
  const lead = shape.length - x.shape.length;
  const source = shape.map((_, axis) =>
    axis < lead || x.shape[axis - lead] === 1 ? 0 : (strides[axis - lead] ?? 0),
  );
  copyStrided(backend, from, source, to, stridesOf(shape), shape);
  return to;
}

const COMMUTATIVE: ReadonlySet<number> = new Set([
  BINARY.Add,
  BINARY.Multiply,
  BINARY.Maximum,
  BINARY.Minimum,
  BINARY.SquaredDifference,
]);

function binary(op: number): NativeKernel {
  return {
    run: (call) => {
      const { backend } = call;
      const a = input(call, 'a');
      const b = input(call, 'b');
      const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
      return pairwise(backend, op, a, b, shape);
    },
  };
}

/** op over two float tensors broadcast to `shape`. */
function pairwise(
  backend: SimdBackend,
  op: number,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  shape: number[],
): NativeTensor {
  const count = tf.util.sizeFromShape(shape);
  const run = (x: number, y: number, pairing: number, period = 1) => {
    const out = backend.makeNative(shape);
    backend.kernels.exports.binary(op, x, y, out.pointer, count, pairing, period);
    return out;
  };
  const aIsWhole = size(a) === count;
  const bIsWhole = size(b) === count;
  // Addresses first: bringing a tensor in may move nothing, but it may run other kernels' fallbacks.
  if (aIsWhole && bIsWhole) return run(backend.pointer(a), backend.pointer(b), PAIRING.same);
  if (aIsWhole && size(b) === 1)
    return run(backend.pointer(a), backend.pointer(b), PAIRING.scalarB);
  if (bIsWhole && size(a) === 1)
    return run(backend.pointer(a), backend.pointer(b), PAIRING.scalarA);
  if (aIsWhole && isSuffix(b.shape, shape)) {
    return run(backend.pointer(a), backend.pointer(b), PAIRING.repeatB, size(b));
  }
  if (bIsWhole && COMMUTATIVE.has(op) && isSuffix(a.shape, shape)) {
    return run(backend.pointer(b), backend.pointer(a), PAIRING.repeatB, size(a));
  }
  const x = aIsWhole ? backend.pointer(a) : expand(backend, a, shape);
  const y = bIsWhole ? backend.pointer(b) : expand(backend, b, shape);
  const out = run(x, y, PAIRING.same);
  if (!aIsWhole) backend.kernels.allocator.free(x);
  if (!bIsWhole) backend.kernels.allocator.free(y);
  return out;
}

// ---------------------------------------------------------------------------------------------
// Moving numbers

/** Element strides of a densely stored shape. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return strides;
}

/** Most axes that the native copy takes; more are looped over here. */
const MAX_COPY_RANK = 6;

/** Copies `shape` elements of 4 bytes between two addresses, each side with its own strides. */
function copyStrided(
  backend: SimdBackend,
  from: number,
  fromStrides: readonly number[],
  to: number,
  toStrides: readonly number[],
  shape: readonly number[],
): void {
  // Axes of length 1 go; an axis that continues the next on both sides joins it.
  const axes: { length: number; from: number; to: number }[] = [];
  shape.forEach((length, i) => {
    if (length === 1) return;
    const axis = { length, from: fromStrides[i] ?? 0, to: toStrides[i] ?? 0 };
    const outer = axes.at(-1);
    if (outer && outer.from === axis.from * length && outer.to === axis.to * length) {
      axes[axes.length - 1] = { ...axis, length: outer.length * length };
    } else {
      axes.push(axis);
    }
  });
  if (axes.length === 0) axes.push({ length: 1, from: 1, to: 1 });

  const { kernels } = backend;
  const copy = (source: number, target: number, first: number): void => {
    const rest = axes.length - first;
    const head = axes[first];
    if (rest > MAX_COPY_RANK && head) {
      for (let i = 0; i < head.length; i++) {
        copy(source + i * head.from * 4, target + i * head.to * 4, first + 1);
      }
      return;
    }
    const layout = kernels.exports.copyLayout() >>> 2;
    for (let i = 0; i < rest; i++) {
      const axis = axes[first + i];
      if (!axis) continue;
      kernels.i32[layout + i] = axis.length;
      kernels.i32[layout + MAX_COPY_RANK + i] = axis.from;
      kernels.i32[layout + 2 * MAX_COPY_RANK + i] = axis.to;
    }
    kernels.exports.stridedCopy(source, target, rest);
  };
  copy(from, to, 0);
}

function transposed(backend: SimdBackend, x: tf.TensorInfo, perm: readonly number[]): NativeTensor {
  const from = backend.pointer(x);
  const strides = stridesOf(x.shape);
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  const out = backend.makeNative(shape);
  const source = perm.map((axis) => strides[axis] ?? 0);
  copyStrided(backend, from, source, out.pointer, stridesOf(shape), shape);
  return out;
}

const FLOAT_BITS = new Float32Array(1);
const INTEGER_BITS = new Int32Array(FLOAT_BITS.buffer);

function fill(backend: SimdBackend, out: NativeTensor, value: number): void {
  FLOAT_BITS[0] = value;
  backend.kernels.exports.fill(out.pointer, size(out), INTEGER_BITS[0] ?? 0);
}

const MOVES: Record<string, NativeKernel> = {
  Transpose: {
    run: (call) => transposed(call.backend, input(call, 'x'), call.attrs.perm as number[]),
  },
  Slice: {
    takes: (call) => {
      const [, lengths] = sliceOf(call);
      return allFloats(call) && lengths.every((length) => length > 0);
    },
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'x');
      const [begin, lengths] = sliceOf(call);
      tf.slice_util.assertParamsValid(x as tf.Tensor, begin, lengths);
      const from = backend.pointer(x);
      const out = backend.makeNative(lengths);
      const strides = stridesOf(x.shape);
      const offset = begin.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0);
      copyStrided(backend, from + offset * 4, strides, out.pointer, stridesOf(lengths), lengths);
      return out;
    },
  },
  PadV2: {
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'x');
      const paddings = call.attrs.paddings as [number, number][];
      const shape = paddings.map(([before, after], axis) => before + (x.shape[axis] ?? 0) + after);
      const from = backend.pointer(x);
      const out = backend.makeNative(shape);
      fill(backend, out, call.attrs.constantValue as number);
      const strides = stridesOf(shape);
      const offset = paddings.reduce((sum, [at], axis) => sum + at * (strides[axis] ?? 0), 0);
      copyStrided(backend, from, stridesOf(x.shape), out.pointer + offset * 4, strides, x.shape);
      return out;
    },
  },
  Concat: {
    run: ({ inputs, attrs, backend }) => {
      const tensors = Object.values(inputs);
      const first = tensors[0] as tf.TensorInfo;
      const axis = tf.util.parseAxisParam(attrs.axis as number, first.shape)[0] ?? 0;
      const shapes = tensors.map((tensor) => tensor.shape);
      tf.backend_util.assertParamsConsistent(shapes, axis);
      const shape = tf.backend_util.computeOutShape(shapes, axis);
      const pointers = tensors.map((tensor) => backend.pointer(tensor));
      const out = backend.makeNative(shape);
      const strides = stridesOf(shape);
      let to = out.pointer;
      tensors.forEach((tensor, i) => {
        copyStrided(backend, pointers[i] ?? 0, stridesOf(tensor.shape), to, strides, tensor.shape);
        to += (tensor.shape[axis] ?? 0) * (strides[axis] ?? 1) * 4;
      });
      return out;
    },
  },
  Tile: {
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'x');
      const reps = call.attrs.reps as number[];
      const from = backend.pointer(x);
      const shape = x.shape.map((length, axis) => length * (reps[axis] ?? 1));
      const out = backend.makeNative(shape);
      // As [reps, length] pairs: the repeats read the same numbers again, with stride 0.
      const pairs = x.shape.flatMap((length, axis) => [reps[axis] ?? 1, length]);
      const strides = stridesOf(x.shape).flatMap((stride) => [0, stride]);
      copyStrided(backend, from, strides, out.pointer, stridesOf(pairs), pairs);
      return out;
    },
    takes: (call) => allFloats(call) && (call.attrs.reps as number[]).every((times) => times > 0),
  },
  Reverse: {
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'x');
      const dims = tf.util.parseAxisParam(call.attrs.dims as number[], x.shape);
      const from = backend.pointer(x);
      const out = backend.makeNative(x.shape);
      const strides = stridesOf(x.shape);
      const last = dims.reduce(
        (sum, axis) => sum + ((x.shape[axis] ?? 1) - 1) * (strides[axis] ?? 0),
        0,
      );
      const backwards = strides.map((stride, axis) => (dims.includes(axis) ? -stride : stride));
      copyStrided(backend, from + last * 4, backwards, out.pointer, strides, x.shape);
      return out;
    },
  },
  GatherV2: {
    takes: (call) =>
      isFloat(input(call, 'x')) &&
      input(call, 'indices').dtype === 'int32' &&
      size(input(call, 'indices')) > 0 &&
      !call.attrs.batchDims,
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'x');
      const indices = input(call, 'indices');
      const axis = tf.util.parseAxisParam((call.attrs.axis ?? 0) as number, x.shape)[0] ?? 0;
      const length = x.shape[axis] ?? 0;
      const rows = backend.readSync(indices.dataId) as Int32Array;
      for (const row of rows) {
        if (!(row >= 0 && row < length)) {
          throw new Error(`GatherV2: the index value ${row} is not in [0, ${length - 1}]`);
        }
      }
      const from = backend.pointer(x) >>> 2;
      const before = x.shape.slice(0, axis);
      const after = x.shape.slice(axis + 1);
      const out = backend.makeNative([...before, ...indices.shape, ...after]);
      const inner = tf.util.sizeFromShape(after);
      const { f32 } = backend.kernels;
      let to = out.pointer >>> 2;
      for (let outer = 0; outer < tf.util.sizeFromShape(before); outer++) {
        for (const row of rows) {
          const start = from + (outer * length + row) * inner;
          f32.copyWithin(to, start, start + inner);
          to += inner;
        }
      }
      return out;
    },
  },
  // The stock kernel would hand on integers as they are, under the name of floats.
  Cast: {
    takes: ({ inputs, attrs }) =>
      attrs.dtype === 'float32' && (inputs.x?.dtype === 'int32' || inputs.x?.dtype === 'bool'),
    run: (call) => {
      const x = input(call, 'x');
      const values = call.backend.readSync(x.dataId) as Int32Array | Uint8Array;
      return call.backend.makeTensorInfo(x.shape, 'float32', Float32Array.from(values));
    },
  },
  Fill: {
    takes: ({ attrs }) =>
      (attrs.dtype === 'float32' || (!attrs.dtype && typeof attrs.value === 'number')) &&
      tf.util.sizeFromShape(attrs.shape as number[]) > 0,
    run: ({ attrs, backend }) => {
      const out = backend.makeNative(attrs.shape as number[]);
      fill(backend, out, attrs.value as number);
      return out;
    },
  },
  ZerosLike: {
    run: (call) => {
      const out = call.backend.makeNative(input(call, 'x').shape);
      fill(call.backend, out, 0);
      return out;
    },
  },
  OnesLike: {
    run: (call) => {
      const out = call.backend.makeNative(input(call, 'x').shape);
      fill(call.backend, out, 1);
      return out;
    },
  },
};

function sliceOf(call: Call): [begin: number[], lengths: number[]] {
  const x = input(call, 'x');
  return tf.slice_util.parseSliceParams(
    x as tf.Tensor,
    call.attrs.begin as number | number[],
    call.attrs.size as number | number[],
  ) as [number[], number[]];
}

// ---------------------------------------------------------------------------------------------
// Reductions

/** Runs `use` on x with the given axes made one, between the ones before and the ones after. */
function withAxesTogether<T>(
  backend: SimdBackend,
  x: tf.TensorInfo,
  axes: readonly number[],
  use: (from: number, outer: number, length: number, inner: number) => T,
): T {
  const first = axes[0] ?? 0;
  const length = axes.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1);
  if (axes.every((axis, i) => axis === first + i)) {
    const outer = tf.util.sizeFromShape(x.shape.slice(0, first));
    return use(backend.pointer(x), outer, length, size(x) / outer / length);
  }
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const moved = transposed(backend, x, [...kept, ...axes]);
  const result = use(moved.pointer, size(x) / length, length, 1);
  backend.disposeIntermediateTensorInfo(moved);
  return result;
}

function reduction(op: number, isMean: boolean): NativeKernel {
  return {
    run: (call) => {
      const { backend, attrs } = call;
      const { kernels } = backend;
      const x = input(call, 'x');
      const axes = tf.util
        .parseAxisParam((attrs.axis ?? attrs.reductionIndices ?? null) as number[], x.shape)
        .sort((a, b) => a - b);
      const [outShape, reducedShape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
      const shape = attrs.keepDims
        ? tf.backend_util.expandShapeToKeepDim(outShape, axes)
        : outShape;
      const scale = isMean ? 1 / tf.util.sizeFromShape(reducedShape) : 1;
      return withAxesTogether(backend, x, axes, (from, outer, length, inner) => {
        const out = backend.makeNative(shape);
        const partials = kernels.workspace(kernels.exports.reduceWorkspace(outer, length, inner));
        kernels.exports.reduce(op, from, out.pointer, partials, outer, length, inner, scale);
        return out;
      });
    },
  };
}

function argReduction(least: number): NativeKernel {
  return {
    run: (call) => {
      const { backend, attrs } = call;
      const x = input(call, 'x');
      const axes = tf.util.parseAxisParam(attrs.axis as number, x.shape);
      const [shape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
      return withAxesTogether(backend, x, axes, (from, outer, length, inner) => {
        const out = backend.makeNative(shape, 'int32');
        backend.kernels.exports.argReduce(least, from, out.pointer, outer, length, inner);
        return out;
      });
    },
  };
}

/** Over the last axis, which is the only one that TensorFlow.js asks for. */
const SOFTMAX: NativeKernel = {
  takes: (call) => allFloats(call) && call.attrs.dim === input(call, 'logits').shape.length - 1,
  run: (call) => {
    const { backend } = call;
    const logits = input(call, 'logits');
    const classes = logits.shape.at(-1) ?? 1;
    const from = backend.pointer(logits);
    const out = backend.makeNative(logits.shape);
    backend.kernels.exports.softmax(from, out.pointer, size(logits) / classes, classes);
    return out;
  },
};

// ---------------------------------------------------------------------------------------------
// Matrix products

/** A·B over a batch, each side transposed where asked, with bias [columns] and ReLU fused. */
function matMul(
  backend: SimdBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  bias?: tf.TensorInfo,
  relu = false,
): NativeTensor {
  const { kernels } = backend;
  const [aRows = 1, aColumns = 1] = a.shape.slice(-2);
  const [bRows = 1, bColumns = 1] = b.shape.slice(-2);
  const [rows, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const columns = transposeB ? bRows : bColumns;
  const aBatch = size(a) / (aRows * aColumns);
  const bBatch = size(b) / (bRows * bColumns);
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(
    a.shape.slice(0, -2),
    b.shape.slice(0, -2),
  );
  const batch = tf.util.sizeFromShape(outer);
  const aPointer = backend.pointer(a);
  const bPointer = backend.pointer(b);
  const biasPointer = bias ? backend.pointer(bias) : 0;
  const out = backend.makeNative([...outer, rows, columns]);
  kernels.ensureScratch(kernels.exports.matMulScratch(columns));
  const packed = kernels.workspace(
    kernels.exports.matMulWorkspace(bBatch > 1 ? batch : 1, columns, depth),
  );
  kernels.exports.matMul(
    aPointer,
    bPointer,
    biasPointer,
    out.pointer,
    packed,
    batch,
    rows,
    columns,
    depth,
    aBatch > 1 ? rows * depth : 0,
    bBatch > 1 ? columns * depth : 0,
    Number(transposeA),
    Number(transposeB),
    Number(relu),
  );
  return out;
}

/**
 * Whether the shapes are a product's, batch by batch or with one matrix for the whole batch. All else
 * is the stock kernel's, which broadcasts, or explains what is wrong.
 */
function multiplies(call: Call): boolean {
  const a = input(call, 'a').shape;
  const b = input(call, 'b').shape;
  const [aOuter, bOuter] = [a.slice(0, -2), b.slice(0, -2)];
  return (
    allFloats(call) &&
    a.length >= 2 &&
    b.length >= 2 &&
    a.at(call.attrs.transposeA ? -2 : -1) === b.at(call.attrs.transposeB ? -1 : -2) &&
    (tf.util.sizeFromShape(aOuter) === 1 ||
      tf.util.sizeFromShape(bOuter) === 1 ||
      tf.util.arraysEqual(aOuter, bOuter))
  );
}

const PRODUCTS: Record<string, NativeKernel> = {
  BatchMatMul: {
    takes: multiplies,
    run: (call) =>
      matMul(
        call.backend,
        input(call, 'a'),
        input(call, 'b'),
        Boolean(call.attrs.transposeA),
        Boolean(call.attrs.transposeB),
      ),
  },
  _FusedMatMul: {
    takes: (call) => {
      const { bias } = call.inputs;
      const columns = input(call, 'b').shape.at(call.attrs.transposeB ? -2 : -1);
      return (
        multiplies(call) &&
        (!bias || size(bias) === columns) &&
        (call.attrs.activation === 'linear' || call.attrs.activation === 'relu')
      );
    },
    run: (call) =>
      matMul(
        call.backend,
        input(call, 'a'),
        input(call, 'b'),
        Boolean(call.attrs.transposeA),
        Boolean(call.attrs.transposeB),
        call.inputs.bias,
        call.attrs.activation === 'relu',
      ),
  },
};

// ---------------------------------------------------------------------------------------------
// Convolution and pooling

type Conv2DInfo = tf.backend_util.Conv2DInfo;

/** Writes the shape of the next convolution or pool where the kernels look for it. */
function setShape(backend: SimdBackend, info: Conv2DInfo): void {
  const { kernels } = backend;
  kernels.i32.set(
    [
      info.batchSize,
      info.inHeight,
      info.inWidth,
      info.inChannels,
      info.outHeight,
      info.outWidth,
      info.outChannels,
      info.filterHeight,
      info.filterWidth,
      info.strideHeight,
      info.strideWidth,
      info.dilationHeight,
      info.dilationWidth,
      info.padInfo.top,
      info.padInfo.left,
    ],
    kernels.exports.convShape() >>> 2,
  );
}

/** What both the shape and later arguments share a block with: set the shape last. */
function convInfo(
  xShape: number[],
  filterShape: number[],
  attrs: Readonly<Record<string, unknown>>,
): Conv2DInfo {
  return tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides as number | [number, number],
    (attrs.dilations ?? 1) as number | [number, number],
    attrs.pad as 'same' | 'valid' | number | tf.backend_util.ExplicitPadding,
    attrs.dimRoundingMode as 'floor' | 'round' | 'ceil' | undefined,
    false,
    'channelsLast',
  );
}

const isChannelsLast = (call: Call): boolean =>
  allFloats(call) && (call.attrs.dataFormat ?? 'NHWC') === 'NHWC';

/** y = relu?(conv(x, filter) + bias?). */
function convForward(
  backend: SimdBackend,
  info: Conv2DInfo,
  x: tf.TensorInfo,
  filter: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  relu: boolean,
): NativeTensor {
  const { kernels } = backend;
  const xPointer = backend.pointer(x);
  const filterPointer = backend.pointer(filter);
  const biasPointer = bias ? backend.pointer(bias) : 0;
  const out = backend.makeNative(info.outShape);
  setShape(backend, info);
  const packed = kernels.workspace(kernels.exports.convForwardWorkspace());
  kernels.ensureScratch(kernels.exports.convScratch());
  kernels.exports.convForward(
    xPointer,
    filterPointer,
    biasPointer,
    out.pointer,
    packed,
    Number(relu),
  );
  return out;
}

/** The gradient of a convolution's input. */
function convInputGradient(
  backend: SimdBackend,
  info: Conv2DInfo,
  dy: tf.TensorInfo,
  filter: tf.TensorInfo,
): NativeTensor {
  const { kernels } = backend;
  const dyPointer = backend.pointer(dy);
  const filterPointer = backend.pointer(filter);
  const out = backend.makeNative(info.inShape);
  setShape(backend, info);
  const packed = kernels.workspace(kernels.exports.convInputGradientWorkspace());
  kernels.ensureScratch(kernels.exports.convScratch());
  kernels.exports.convInputGradient(dyPointer, filterPointer, out.pointer, packed);
  return out;
}

/**
 * The gradient of a convolution's filter, and what else one reading of dy can give.
 *
 * @param y the layer's output where a ReLU was fused: dy counts only where y > 0
 * @param maskedDy tensor that receives dy so cut
 * @param dBias tensor that receives the sum of dy over all positions
 */
function convFilterGradient(
  backend: SimdBackend,
  info: Conv2DInfo,
  x: tf.TensorInfo,
  dy: tf.TensorInfo,
  { y, maskedDy, dBias }: { y?: tf.TensorInfo; maskedDy?: NativeTensor; dBias?: NativeTensor } = {},
): NativeTensor {
  const { kernels } = backend;
  const xPointer = backend.pointer(x);
  const dyPointer = backend.pointer(dy);
  const yPointer = y ? backend.pointer(y) : 0;
  const out = backend.makeNative(info.filterShape);
  setShape(backend, info);
  const partials = kernels.workspace(kernels.exports.convFilterGradientWorkspace());
  kernels.ensureScratch(kernels.exports.convScratch());
  kernels.exports.convFilterGradient(
    xPointer,
    dyPointer,
    out.pointer,
    partials,
    yPointer,
    maskedDy?.pointer ?? 0,
    dBias?.pointer ?? 0,
  );
  return out;
}

function poolInfo(xShape: number[], attrs: Readonly<Record<string, unknown>>): Conv2DInfo {
  return tf.backend_util.computePool2DInfo(
    xShape as [number, number, number, number],
    attrs.filterSize as number | [number, number],
    attrs.strides as number | [number, number],
    1,
    attrs.pad as 'same' | 'valid' | number | tf.backend_util.ExplicitPadding,
    attrs.dimRoundingMode as 'floor' | 'round' | 'ceil' | undefined,
  );
}

/** Winners are bytes: place in window. */
const MAX_WINDOW = 255;

const windowSize = (info: Conv2DInfo): number => info.filterHeight * info.filterWidth;

/** A window of one place that keeps the size is no pool: the stock kernel hands the input on. */
function pools(call: Call): boolean {
  if (!allFloats(call)) return false;
  const info = poolInfo(input(call, 'x').shape, call.attrs);
  return windowSize(info) > 1 || !tf.util.arraysEqual(info.inShape, info.outShape);
}

function runMaxPool(
  backend: SimdBackend,
  info: Conv2DInfo,
  x: tf.TensorInfo,
  keepsWinners: boolean,
): NativeTensor {
  const from = backend.pointer(x);
  const out = backend.makeNative(info.outShape);
  const winners = keepsWinners ? backend.makeWinners(out, winnerBytes(info)) : 0;
  setShape(backend, info);
  backend.kernels.exports.maxPool(from, out.pointer, winners);
  return out;
}

function winnerBytes(info: Conv2DInfo): number {
  const channels = Math.ceil(info.outChannels / 4) * 4;
  return info.batchSize * info.outHeight * info.outWidth * channels;
}

/** Whether somebody records this call for a gradient. */
const isTraining = (): boolean => tf.engine().state.gradientDepth > 0;

const SPATIAL: Record<string, NativeKernel> = {
  Conv2D: {
    takes: isChannelsLast,
    run: (call) => {
      const x = input(call, 'x');
      const filter = input(call, 'filter');
      const info = convInfo(x.shape, filter.shape, call.attrs);
      return convForward(call.backend, info, x, filter, undefined, false);
    },
  },
  FusedConv2D: {
    takes: (call) => {
      const { bias } = call.inputs;
      return (
        isChannelsLast(call) &&
        (!bias || size(bias) === input(call, 'filter').shape[3]) &&
        (call.attrs.activation === 'linear' || call.attrs.activation === 'relu')
      );
    },
    run: (call) => {
      const x = input(call, 'x');
      const filter = input(call, 'filter');
      const info = convInfo(x.shape, filter.shape, call.attrs);
      const relu = call.attrs.activation === 'relu';
      return convForward(call.backend, info, x, filter, call.inputs.bias, relu);
    },
  },
  Conv2DBackpropInput: {
    takes: (call) => {
      if (!isChannelsLast(call)) return false;
      const { shape } = input(call, 'filter');
      const { outShape } = convInfo(call.attrs.inputShape as number[], shape, call.attrs);
      return tf.util.arraysEqual(outShape, input(call, 'dy').shape);
    },
    run: (call) => {
      const filter = input(call, 'filter');
      const info = convInfo(call.attrs.inputShape as number[], filter.shape, call.attrs);
      return convInputGradient(call.backend, info, input(call, 'dy'), filter);
    },
  },
  Conv2DBackpropFilter: {
    takes: isChannelsLast,
    run: (call) => {
      const x = input(call, 'x');
      const info = convInfo(x.shape, call.attrs.filterShape as number[], call.attrs);
      return convFilterGradient(call.backend, info, x, input(call, 'dy'));
    },
  },
  MaxPool: {
    takes: pools,
    run: (call) => {
      const x = input(call, 'x');
      const info = poolInfo(x.shape, call.attrs);
      return runMaxPool(call.backend, info, x, isTraining() && windowSize(info) <= MAX_WINDOW);
    },
  },
  MaxPoolGrad: {
    takes: (call) =>
      allFloats(call) && windowSize(poolInfo(input(call, 'input').shape, call.attrs)) <= MAX_WINDOW,
    run: (call) => {
      const { backend } = call;
      const dy = input(call, 'dy');
      const x = input(call, 'input');
      const info = poolInfo(x.shape, call.attrs);
      const dyPointer = backend.pointer(dy);
      let winners = backend.winners(input(call, 'output'));
      // Where the output came from elsewhere, pool once more to find them.
      const again = winners ? null : runMaxPool(backend, info, x, true);
      if (again) winners = backend.winners(again);
      const out = backend.makeNative(x.shape);
      setShape(backend, info);
      backend.kernels.exports.maxPoolGradient(dyPointer, winners, out.pointer);
      if (again) backend.disposeIntermediateTensorInfo(again);
      return out;
    },
  },
  AvgPool: {
    takes: pools,
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'x');
      const info = poolInfo(x.shape, call.attrs);
      const from = backend.pointer(x);
      const out = backend.makeNative(info.outShape);
      setShape(backend, info);
      backend.kernels.exports.averagePool(from, out.pointer);
      return out;
    },
  },
  AvgPoolGrad: {
    run: (call) => {
      const { backend } = call;
      const x = input(call, 'input');
      const info = poolInfo(x.shape, call.attrs);
      const dy = backend.pointer(input(call, 'dy'));
      const out = backend.makeNative(x.shape);
      setShape(backend, info);
      backend.kernels.exports.averagePoolGradient(dy, out.pointer);
      return out;
    },
  },
  FusedBatchNorm: {
    takes: (call) => {
      const channels = input(call, 'x').shape.at(-1);
      const { mean, variance, scale, offset } = call.inputs;
      return (
        allFloats(call) &&
        [mean, variance, scale, offset].every((tensor) => !tensor || size(tensor) === channels)
      );
    },
    run: (call) => {
      const { backend } = call;
      const { kernels } = backend;
      const x = input(call, 'x');
      const channels = x.shape.at(-1) ?? 1;
      const rows = size(x) / channels;
      const pointers = [
        backend.pointer(x),
        backend.pointer(input(call, 'mean')),
        backend.pointer(input(call, 'variance')),
        call.inputs.scale ? backend.pointer(call.inputs.scale) : 0,
        call.inputs.offset ? backend.pointer(call.inputs.offset) : 0,
      ];
      const out = backend.makeNative(x.shape);
      const partials = kernels.workspace(kernels.exports.normWorkspace(rows, channels));
      const epsilon = (call.attrs.varianceEpsilon ?? 0.001) as number;
      kernels.exports.normalize(...pointers, out.pointer, partials, rows, channels, epsilon, 0);
      return out;
    },
  },
};

// ---------------------------------------------------------------------------------------------

function fromTable(
  table: Readonly<Record<string, number>>,
  make: (op: number, name: string) => NativeKernel,
): Record<string, NativeKernel> {
  return Object.fromEntries(Object.entries(table).map(([name, op]) => [name, make(op, name)]));
}

/** Every TensorFlow.js kernel that runs natively on float32 tensors. */
export const NATIVE: Readonly<Record<string, NativeKernel>> = {
  ...fromTable(UNARY, (op) => unary(op)),
  LeakyRelu: unary(UNARY.LeakyRelu, 0.2),
  ...fromTable(BINARY, binary),
  AddN: {
    run: ({ inputs, backend }) => {
      const [first, second, ...rest] = Object.values(inputs);
      if (!first) throw new Error('AddN was called without inputs.');
      if (!second) return unary(UNARY.LeakyRelu, 1).run({ inputs: { first }, attrs: {}, backend });
      let sum = pairwise(backend, BINARY.Add, first, second, first.shape);
      for (const next of rest) {
        const previous = sum;
        sum = pairwise(backend, BINARY.Add, previous, next, first.shape);
        backend.disposeIntermediateTensorInfo(previous);
      }
      return sum;
    },
  },
  ...MOVES,
  ...fromTable(REDUCTION, (op, name) => reduction(op, name === 'Mean')),
  ArgMax: argReduction(0),
  ArgMin: argReduction(1),
  Softmax: SOFTMAX,
  ...PRODUCTS,
  ...SPATIAL,
};

/** Stock kernels that move no numbers: they only hand on, or make, a reference. */
const REFERENCES: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'ExpandDims', 'Cast']);

const noted = new Set<string>();

function noteFallback(kernelName: string): void {
  if (noted.has(kernelName)) return;
  noted.add(kernelName);
  console.info(`CPU engine: "${kernelName}" runs in plain JavaScript, which is slower.`);
}

/** Registers native and fallback kernels for the backend. */
export function registerKernels(): void {
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    const native = NATIVE[kernelName];
    const isReference = REFERENCES.has(kernelName);
    tf.registerKernel({
      kernelName,
      backendName: BACKEND_NAME,
      kernelFunc: ({ inputs, attrs, backend }) => {
        if (!(backend instanceof SimdBackend)) throw new Error('Not the CPU engine.');
        if (native) {
          const call = { inputs, attrs: attrs ?? {}, backend } as unknown as Call;
          if ((native.takes ?? allFloats)(call)) return native.run(call);
        }
        if (!isReference) noteFallback(kernelName);
        return kernelFunc({ inputs, attrs: attrs ?? {}, backend });
      },
    });
  }
}
