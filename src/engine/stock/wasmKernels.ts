/**
 * What TensorFlow.js's `wasm` backend lacks to train a convolutional network: the gradients of
 * convolutions and max pooling, composed from forward kernels or written over the WebAssembly heap,
 * and faster ways for a few kernels on the way. Checked against the `cpu` backend.
 *
 * What the stock backend (4.22) does: no kernel for a convolution's filter gradient at all, nor for
 * either gradient of a depthwise one; its
 * input gradient is a scalar loop, ten times slower than a forward convolution of the same size;
 * `MaxPoolGrad` starts its maximum at the smallest positive number, so that windows without a
 * positive value lose their gradient; products with a transposed side take a slow path, ten times
 * slower than transposing first; `Identity` copies.
 */
import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/** Registered kernels get their inputs as tensors, whatever the wider declared type. */
type KernelArgs<Inputs extends string, Attributes> = {
  readonly inputs: { readonly [Name in Inputs]: tf.Tensor };
  readonly attrs: Attributes;
  readonly backend: BackendWasm;
};

/** Replaces the kernel, or adds it where the backend has none. */
function register<Inputs extends string, Attributes>(
  kernelName: string,
  kernel: (args: KernelArgs<Inputs, Attributes>) => tf.TensorInfo,
): void {
  const stock = tf.getKernel(kernelName, 'wasm');
  if (stock) tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({
    // Keeps the stock kernel's set-up, which ours may build upon.
    ...stock,
    kernelName,
    backendName: 'wasm',
    // The registry knows kernels by their widest type only; the names above keep the pairs right.
    kernelFunc: kernel as unknown as tf.KernelFunc,
  });
}

/** A view of a float tensor's memory. Ends with the next allocation, which may move the heap. */
function viewFloats(backend: BackendWasm, tensor: tf.TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(tensor) as Float32Array;
}

/** A float tensor of zeros, made on the heap itself: `tf.zeros` would fill an array and copy it. */
function allocateZeros<R extends tf.Rank>(
  backend: BackendWasm,
  shape: tf.ShapeMap[R],
): tf.Tensor<R> {
  const zeros = backend.makeOutput(shape, 'float32');
  viewFloats(backend, zeros).fill(0);
  return tf.engine().makeTensorFromTensorInfo(zeros) as tf.Tensor<R>;
}

type ConvInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

function describeConv(
  inputShape: readonly number[],
  filterShape: readonly number[],
  attrs: Pick<tf.Conv2DBackpropInputAttrs, 'strides' | 'pad' | 'dataFormat' | 'dimRoundingMode'>,
): ConvInfo {
  if (attrs.dataFormat !== 'NHWC') {
    throw new Error(`Gradients of ${attrs.dataFormat} convolutions are not there; use NHWC.`);
  }
  return tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  );
}

/**
 * dW of a convolution, `[kernelHeight, kernelWidth, inChannels, outChannels]`. Any stride, kernel
 * and padding.
 *
 * dW[u, v] is the sum over pictures and output positions of x, shifted by (u, v), times dy. With
 * channels and pictures swapped that is itself a convolution, of x by dy, dilated by the stride.
 */
function conv2DBackpropFilter({
  inputs: { x, dy },
  attrs,
}: KernelArgs<'x' | 'dy', tf.Conv2DBackpropFilterAttrs>): tf.TensorInfo {
  const info = describeConv(x.shape, attrs.filterShape, attrs);
  const { padInfo, filterHeight, filterWidth } = info;
  return tf.tidy(() => {
    const picturesInside = tf.transpose(x as tf.Tensor4D, [3, 1, 2, 0]); // [in, height, width, n]
    const asFilter = tf.transpose(dy as tf.Tensor4D, [1, 2, 0, 3]); // [outH, outW, n, out]
    const product = tf.conv2d(
      picturesInside,
      asFilter,
      1,
      [
        [0, 0],
        [padInfo.top, padInfo.bottom],
        [padInfo.left, padInfo.right],
        [0, 0],
      ],
      'NHWC',
      [info.strideHeight, info.strideWidth],
    ); // [in, ≥ kernelHeight, ≥ kernelWidth, out]
    const [, height, width] = product.shape;
    const filter =
      height === filterHeight && width === filterWidth
        ? product
        : tf.slice(product, [0, 0, 0, 0], [-1, filterHeight, filterWidth, -1]);
    return tf.transpose(filter, [1, 2, 0, 3]);
  });
}

/**
 * dX of a convolution, of the input's shape. Any stride, kernel and padding: dy, with zeros
 * between its values where the stride is above 1, convolved with the filter turned by 180° and its
 * channels swapped.
 */
function conv2DBackpropInput({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelArgs<'dy' | 'filter', tf.Conv2DBackpropInputAttrs>): tf.TensorInfo {
  const info = describeConv(attrs.inputShape, filter.shape, attrs);
  const { filterHeight, filterWidth, inHeight, inWidth, padInfo } = info;
  return tf.tidy(() => {
    const spread = spreadOut(backend, dy as tf.Tensor4D, info);
    const [, height, width] = spread.shape;
    const top = filterHeight - 1 - padInfo.top;
    const left = filterWidth - 1 - padInfo.left;
    const bottom = inHeight + filterHeight - 1 - height - top;
    const right = inWidth + filterWidth - 1 - width - left;
    const turned = tf.transpose(tf.reverse(filter as tf.Tensor4D, [0, 1]), [0, 1, 3, 2]);
    // Padding wider than the kernel puts outputs beside the picture: their gradient is cut off.
    const cut = (before: number, after: number, length: number) =>
      [Math.max(0, -before), length - Math.max(0, -before) - Math.max(0, -after)] as const;
    const [fromY, numY] = cut(top, bottom, height);
    const [fromX, numX] = cut(left, right, width);
    const inside =
      numY === height && numX === width
        ? spread
        : tf.slice(spread, [0, fromY, fromX, 0], [-1, numY, numX, -1]);
    return tf.conv2d(inside, turned, 1, [
      [0, 0],
      [Math.max(0, top), Math.max(0, bottom)],
      [Math.max(0, left), Math.max(0, right)],
      [0, 0],
    ]);
  });
}

/** dy with `stride − 1` rows and columns of zeros between its own; dy itself at stride 1. */
function spreadOut(backend: BackendWasm, dy: tf.Tensor4D, info: ConvInfo): tf.Tensor4D {
  const { strideHeight, strideWidth, batchSize, outHeight, outWidth, outChannels } = info;
  if (strideHeight === 1 && strideWidth === 1) return dy;
  const height = (outHeight - 1) * strideHeight + 1;
  const width = (outWidth - 1) * strideWidth + 1;
  const spread = allocateZeros<tf.Rank.R4>(backend, [batchSize, height, width, outChannels]);
  const from = viewFloats(backend, dy);
  const to = viewFloats(backend, spread);
  let source = 0;
  for (let picture = 0; picture < batchSize; picture++) {
    for (let y = 0; y < outHeight; y++) {
      for (let x = 0; x < outWidth; x++, source += outChannels) {
        const target =
          ((picture * height + y * strideHeight) * width + x * strideWidth) * outChannels;
        to.set(from.subarray(source, source + outChannels), target);
      }
    }
  }
  return spread;
}

/**
 * dX of max pooling. Each window's gradient goes to the first of its values that equals its
 * maximum, as on the `cpu` backend.
 */
function maxPoolGrad({
  inputs: { dy, input, output },
  attrs,
  backend,
}: KernelArgs<'dy' | 'input' | 'output', tf.MaxPoolGradAttrs>): tf.TensorInfo {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, ...info } =
    tf.backend_util.computePool2DInfo(
      input.shape as [number, number, number, number],
      attrs.filterSize,
      attrs.strides,
      1,
      attrs.pad,
      attrs.dimRoundingMode,
    );
  const dx = allocateZeros(backend, input.shape);
  const values = viewFloats(backend, input);
  const maxima = viewFloats(backend, output);
  const from = viewFloats(backend, dy);
  const to = viewFloats(backend, dx);
  const rowLength = inWidth * inChannels;
  let window = 0;
  for (let picture = 0; picture < batchSize; picture++) {
    const start = picture * inHeight * rowLength;
    for (let outY = 0; outY < outHeight; outY++) {
      const top = outY * info.strideHeight - info.padInfo.top;
      const firstY = Math.max(0, top);
      const endY = Math.min(inHeight, top + info.filterHeight);
      for (let outX = 0; outX < outWidth; outX++) {
        const left = outX * info.strideWidth - info.padInfo.left;
        const firstX = Math.max(0, left);
        const endX = Math.min(inWidth, left + info.filterWidth);
        const first = start + firstY * rowLength + firstX * inChannels;
        if (endY - firstY === 2 && endX - firstX === 2) {
          // The common window, unrolled: a third of the time of the loop below.
          for (let channel = 0; channel < inChannels; channel++, window++) {
            const max = maxima[window] as number;
            const at = first + channel;
            const winner =
              values[at] === max
                ? at
                : values[at + inChannels] === max
                  ? at + inChannels
                  : values[at + rowLength] === max
                    ? at + rowLength
                    : at + rowLength + inChannels;
            to[winner] = (to[winner] as number) + (from[window] as number);
          }
          continue;
        }
        for (let channel = 0; channel < inChannels; channel++, window++) {
          const max = maxima[window] as number;
          search: for (let y = firstY; y < endY; y++) {
            const end = start + y * rowLength + endX * inChannels;
            for (
              let at = start + y * rowLength + firstX * inChannels + channel;
              at < end;
              at += inChannels
            ) {
              if (values[at] === max) {
                to[at] = (to[at] as number) + (from[window] as number);
                break search;
              }
            }
          }
        }
      }
    }
  }
  return dx;
}

type DepthwiseInfo = ReturnType<typeof describeDepthwise>;

function describeDepthwise(
  inputShape: readonly number[],
  filterShape: readonly number[],
  attrs: Pick<
    tf.DepthwiseConv2dNativeBackpropInputAttrs,
    'strides' | 'dilations' | 'pad' | 'dimRoundingMode'
  >,
) {
  const info = tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    attrs.pad,
    attrs.dimRoundingMode,
    true,
  );
  return { ...info, multiplier: info.outChannels / info.inChannels };
}

/**
 * Calls `visit` for every pair of an input and an output place that a filter's place connects, with
 * the indices of their first channels.
 */
function visitTaps(
  info: DepthwiseInfo,
  visit: (inputAt: number, outputAt: number, filterAt: number) => void,
): void {
  const { padInfo, inChannels, outChannels } = info;
  let outputAt = 0;
  for (let image = 0; image < info.batchSize; image++) {
    for (let outY = 0; outY < info.outHeight; outY++) {
      for (let outX = 0; outX < info.outWidth; outX++, outputAt += outChannels) {
        for (let tapY = 0; tapY < info.filterHeight; tapY++) {
          const y = outY * info.strideHeight - padInfo.top + tapY * info.dilationHeight;
          if (y < 0 || y >= info.inHeight) continue;
          for (let tapX = 0; tapX < info.filterWidth; tapX++) {
            const x = outX * info.strideWidth - padInfo.left + tapX * info.dilationWidth;
            if (x < 0 || x >= info.inWidth) continue;
            const inputAt = ((image * info.inHeight + y) * info.inWidth + x) * inChannels;
            visit(inputAt, outputAt, (tapY * info.filterWidth + tapX) * outChannels);
          }
        }
      }
    }
  }
}

/** dX of a depthwise convolution, of the input's shape. Any stride, kernel and padding. */
function depthwiseBackpropInput({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelArgs<'dy' | 'filter', tf.DepthwiseConv2dNativeBackpropInputAttrs>): tf.TensorInfo {
  const info = describeDepthwise(attrs.inputShape, filter.shape, attrs);
  const { inChannels, multiplier } = info;
  const dx = allocateZeros(backend, attrs.inputShape);
  const [slopes, weights, to] = [dy, filter, dx].map((tensor) => viewFloats(backend, tensor)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  visitTaps(info, (inputAt, outputAt, filterAt) => {
    for (let channel = 0; channel < inChannels; channel++) {
      let sum = to[inputAt + channel] as number;
      for (let copy = 0; copy < multiplier; copy++) {
        const at = channel * multiplier + copy;
        sum += (slopes[outputAt + at] as number) * (weights[filterAt + at] as number);
      }
      to[inputAt + channel] = sum;
    }
  });
  return dx;
}

/** dW of a depthwise convolution, `[kernelHeight, kernelWidth, channels, multiplier]`. */
function depthwiseBackpropFilter({
  inputs: { x, dy },
  attrs,
  backend,
}: KernelArgs<'x' | 'dy', tf.DepthwiseConv2dNativeBackpropFilterAttrs>): tf.TensorInfo {
  const info = describeDepthwise(x.shape, attrs.filterShape, attrs);
  const { inChannels, multiplier } = info;
  const [values, slopes] = [viewFloats(backend, x), viewFloats(backend, dy)];
  // In double precision: these are long sums.
  const sums = new Float64Array(tf.util.sizeFromShape(attrs.filterShape));
  visitTaps(info, (inputAt, outputAt, filterAt) => {
    for (let channel = 0; channel < inChannels; channel++) {
      const value = values[inputAt + channel] as number;
      for (let copy = 0; copy < multiplier; copy++) {
        const at = channel * multiplier + copy;
        sums[filterAt + at] =
          (sums[filterAt + at] as number) + value * (slopes[outputAt + at] as number);
      }
    }
  });
  return tf.tensor(Float32Array.from(sums), attrs.filterShape);
}

/** Registers the kernels, once; later calls do nothing. Needs no initialised backend. */
export function registerWasmKernels(): void {
  if (tf.getKernel(tf.Conv2DBackpropFilter, 'wasm')) return;
  register(tf.Conv2DBackpropFilter, conv2DBackpropFilter);
  register(tf.Conv2DBackpropInput, conv2DBackpropInput);
  register(tf.MaxPoolGrad, maxPoolGrad);
  register(tf.DepthwiseConv2dNativeBackpropInput, depthwiseBackpropInput);
  register(tf.DepthwiseConv2dNativeBackpropFilter, depthwiseBackpropFilter);

  register<'x', undefined>(tf.Identity, ({ inputs: { x }, backend }) => {
    // Shares the memory, as the other backends do. No kernel writes into its inputs.
    backend.incRef(x.dataId);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  });

  const stockMatMul = tf.getKernel(tf.BatchMatMul, 'wasm')?.kernelFunc;
  if (!stockMatMul) throw new Error('The wasm backend has no matrix product.');
  register<'a' | 'b', tf.BatchMatMulAttrs>(
    tf.BatchMatMul,
    ({ inputs: { a, b }, attrs: { transposeA, transposeB }, backend }) => {
      const turn = (tensor: tf.Tensor, isTurned: boolean) => {
        if (!isTurned) return tensor;
        const axes = tensor.shape.map((_, axis) => axis);
        return tf.transpose(tensor, [...axes.slice(0, -2), ...axes.slice(-2).reverse()]);
      };
      return tf.tidy(() => {
        const product = stockMatMul({
          inputs: { a: turn(a, transposeA), b: turn(b, transposeB) },
          attrs: { transposeA: false, transposeB: false },
          backend,
        }) as tf.TensorInfo;
        return tf.engine().makeTensorFromTensorInfo(product);
      });
    },
  );
}
