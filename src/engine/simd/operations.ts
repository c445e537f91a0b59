/** The numbers by which the kernels in assembly/ know their operations. */

/** Element by element: TensorFlow.js kernel → number. */
export const UNARY = {
  Relu: 0,
  Step: 1,
  Exp: 2,
  Log: 3,
  Sqrt: 4,
  Rsqrt: 5,
  Square: 6,
  Neg: 7,
  Abs: 8,
  Sigmoid: 9,
  Tanh: 10,
  Reciprocal: 11,
  Floor: 12,
  Ceil: 13,
  Relu6: 14,
  LeakyRelu: 15,
} as const;

/** Pair by pair, with broadcasting: TensorFlow.js kernel → number. */
export const BINARY = {
  Add: 0,
  Sub: 1,
  Multiply: 2,
  RealDiv: 3,
  Maximum: 4,
  Minimum: 5,
  SquaredDifference: 6,
} as const;

/** How the two sides of a binary operation relate. */
export const PAIRING = { same: 0, scalarB: 1, scalarA: 2, repeatB: 3 } as const;

/** Along axes: TensorFlow.js kernel → number. A mean is a sum, scaled. */
export const REDUCTION = { Sum: 0, Max: 1, Min: 2, Prod: 3, Mean: 0 } as const;

/**
 * Activations by the name that a network has for them: their number in assembly/activation.ts, and
 * what their gradient follows from.
 */
export const ACTIVATION = {
  relu: { number: 0, gradientFrom: 'output' },
  leakyRelu: { number: 1, gradientFrom: 'output' },
  silu: { number: 2, gradientFrom: 'input' },
  gelu: { number: 3, gradientFrom: 'input' },
  sigmoid: { number: 4, gradientFrom: 'output' },
} as const;
