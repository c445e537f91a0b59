/** The numbers by which assembly/elementwise.ts and assembly/reduce.ts know their operations. */

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

/** a where b > 0, else 0: what a ReLU with output b lets through of a gradient. */
export const RELU_GRADIENT = 7;

/** How the two sides of a binary operation relate. */
export const PAIRING = { same: 0, scalarB: 1, scalarA: 2, repeatB: 3 } as const;

/** Along axes: TensorFlow.js kernel → number. A mean is a sum, scaled. */
export const REDUCTION = { Sum: 0, Max: 1, Min: 2, Prod: 3, Mean: 0 } as const;

/** assembly/activation.ts: function of an activation node → number. */
export const ACTIVATION = { relu: 0, leakyRelu: 1, silu: 2, gelu: 3, sigmoid: 4 } as const;
