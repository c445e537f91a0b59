/**
 * The first layer of a network on grey pictures: convolution and max pooling together, with
 * the gradient of the filter alone. On `wasm` that gradient visits only the winners of the pooling,
 * a quarter of the positions, and never writes out the gradient between the two; it takes half the
 * time of going through both in turn.
 */
import * as tf from '@tensorflow/tfjs';
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

const POOL = 2;
/** Of a filter of 3×3. */
const TAPS = 9;

/**
 * Convolves with stride 1, then takes the maximum of windows of 2×2, side by side. Differentiable by
 * the filter, not by the pictures. Call inside `tf.tidy`.
 *
 * @param pictures `[n, height, width, 1]`.
 * @param filter `[3, 3, 1, channels]`.
 * @returns `[n, ⌊outHeight / 2⌋, ⌊outWidth / 2⌋, channels]`.
 */
export function convMaxPoolGrey(
  pictures: tf.Tensor4D,
  filter: tf.Tensor4D,
  padding: 'same' | 'valid',
): tf.Tensor4D {
  const backend = tf.backend();
  const pool = (convolved: tf.Tensor4D) => tf.maxPool(convolved, POOL, POOL, 'valid');
  if (!(backend instanceof BackendWasm)) return pool(tf.conv2d(pictures, filter, 1, padding));

  const compute = tf.customGrad((...inputs) => {
    const [weights, save] = inputs as [tf.Tensor, tf.GradSaveFunc];
    const convolved = tf.conv2d(pictures, weights as tf.Tensor4D, 1, padding);
    const pooled = pool(convolved);
    save([pictures, convolved, pooled]);
    return {
      value: pooled,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, values, maxima] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
        return filterGradient(backend, x, values, maxima, dy, padding);
      },
    };
  });
  return compute(filter) as tf.Tensor4D;
}

function filterGradient(
  backend: BackendWasm,
  x: tf.Tensor4D,
  convolved: tf.Tensor4D,
  pooled: tf.Tensor4D,
  dy: tf.Tensor,
  padding: 'same' | 'valid',
): tf.Tensor {
  const [numPictures, height, width] = x.shape;
  const [, , convWidth, channels] = convolved.shape;
  const [, pooledHeight, pooledWidth] = pooled.shape;
  const viewOf = (tensor: tf.TensorInfo) => backend.typedArrayFromHeap(tensor) as Float32Array;
  const [pixels, values, maxima, slopes] = [
    viewOf(x),
    viewOf(convolved),
    viewOf(pooled),
    viewOf(dy),
  ];

  // One picture with its border, so that no tap has to ask whether it lies inside.
  const border = padding === 'same' ? 1 : 0;
  const borderedWidth = width + 2 * border;
  const bordered = new Float32Array((height + 2 * border) * borderedWidth);
  /** `[channels, 9]`. */
  const sums = new Float32Array(channels * TAPS);
  const convRow = convWidth * channels;
  const convPicture = convolved.size / numPictures;
  const numWindows = pooledHeight * pooledWidth;
  for (let picture = 0; picture < numPictures; picture++) {
    for (let y = 0; y < height; y++) {
      const row = (picture * height + y) * width;
      bordered.set(pixels.subarray(row, row + width), (y + border) * borderedWidth + border);
    }
    for (let channel = 0; channel < channels; channel++) {
      // In variables of their own, which stay in registers; an array would take twice as long.
      let [a, b, c, d, e, f, g, h, i] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
      let window = picture * numWindows * channels + channel;
      for (let y = 0; y < pooledHeight; y++) {
        let at = picture * convPicture + POOL * y * convRow + channel;
        let corner = POOL * y * borderedWidth;
        for (let x = 0; x < pooledWidth; x++) {
          const max = maxima[window] as number;
          const slope = slopes[window] as number;
          // The first that equals the maximum wins, as in the gradient of max pooling.
          const top =
            corner +
            (values[at] === max
              ? 0
              : values[at + channels] === max
                ? 1
                : values[at + convRow] === max
                  ? borderedWidth
                  : borderedWidth + 1);
          const middle = top + borderedWidth;
          const bottom = middle + borderedWidth;
          a += slope * (bordered[top] as number);
          b += slope * (bordered[top + 1] as number);
          c += slope * (bordered[top + 2] as number);
          d += slope * (bordered[middle] as number);
          e += slope * (bordered[middle + 1] as number);
          f += slope * (bordered[middle + 2] as number);
          g += slope * (bordered[bottom] as number);
          h += slope * (bordered[bottom + 1] as number);
          i += slope * (bordered[bottom + 2] as number);
          window += channels;
          at += POOL * channels;
          corner += POOL;
        }
      }
      [a, b, c, d, e, f, g, h, i].forEach((sum, tap) => {
        sums[channel * TAPS + tap] = (sums[channel * TAPS + tap] as number) + sum;
      });
    }
  }
  return tf.reshape(tf.transpose(tf.tensor2d(sums, [channels, TAPS])), [3, 3, 1, channels]);
}
