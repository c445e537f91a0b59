/**
 * Owns smoothing that stops at edges: He, Sun and Tang, "Guided Image Filtering", 2010.
 */

export interface GuidedFilter {
  /**
   * Smooths a field but for where the guide has an edge.
   * @param field `[height · width]`
   * @returns `[height · width]`
   */
  smooth(field: Float32Array): Float32Array;
}

/**
 * @param guide `[height · width]`, the picture whose edges count
 * @param radius of the windows, in pixels
 * @param variance of the guide within a window, in its units squared, from which there is an edge
 */
export function createGuidedFilter(
  guide: Float32Array,
  width: number,
  height: number,
  radius: number,
  variance: number,
): GuidedFilter {
  const mean = (field: Float32Array) => boxMean(field, width, height, radius);
  const guideMean = mean(guide);
  const guideVariance = mean(guide.map((value) => value * value)).map(
    (square, i) => square - guideMean[i]! ** 2,
  );
  return {
    smooth(field) {
      // In each window the field is a line over the guide; a pixel gets the mean of its windows'.
      const fieldMean = mean(field);
      const product = mean(field.map((value, i) => value * guide[i]!));
      const slope = product.map(
        (value, i) => (value - fieldMean[i]! * guideMean[i]!) / (guideVariance[i]! + variance),
      );
      const offset = fieldMean.map((value, i) => value - slope[i]! * guideMean[i]!);
      const slopeMean = mean(slope);
      const offsetMean = mean(offset);
      return guide.map((value, i) => slopeMean[i]! * value + offsetMean[i]!);
    },
  };
}

/** The mean of the square of `radius` around each pixel, as far as it lies in the picture. */
export function boxMean(
  field: Float32Array,
  width: number,
  height: number,
  radius: number,
): Float32Array {
  const across = new Float32Array(field.length);
  for (let y = 0; y < height; y++) meanAlong(field, across, y * width, 1, width, radius);
  const result = new Float32Array(field.length);
  for (let x = 0; x < width; x++) meanAlong(across, result, x, width, height, radius);
  return result;
}

/** Running means along one line: constant time a pixel, whatever the radius. */
function meanAlong(
  from: Float32Array,
  to: Float32Array,
  start: number,
  step: number,
  length: number,
  radius: number,
): void {
  let sum = 0;
  let count = Math.min(radius, length);
  for (let i = 0; i < count; i++) sum += from[start + i * step]!;
  for (let i = 0; i < length; i++) {
    if (i + radius < length) {
      sum += from[start + (i + radius) * step]!;
      count += 1;
    }
    if (i > radius) {
      sum -= from[start + (i - radius - 1) * step]!;
      count -= 1;
    }
    to[start + i * step] = sum / count;
  }
}
