/**
 * The names of what stands in for stock TensorFlow.js on WebGL, and which of it is taken away to
 * compare: whatever has a name here can be removed, and training then goes on without it.
 */

/** Kernels of TensorFlow.js with shaders of our own. */
export const KERNEL_NAMES = [
  'Conv2D',
  'Conv2DBackpropInput',
  'Conv2DBackpropFilter',
  'MaxPoolGrad',
] as const;
export type KernelName = (typeof KERNEL_NAMES)[number];

export const REPLACEMENT_NAMES = [
  ...KERNEL_NAMES,
  /** Forward, backward and optimizer in one plan of draws; else operations of TensorFlow.js. */
  'TrainingStep',
  /** The data set on the device; else the bytes of each batch are uploaded. */
  'DataSlabs',
] as const;
export type ReplacementName = (typeof REPLACEMENT_NAMES)[number];

let removed: ReadonlySet<ReplacementName> = new Set();

/**
 * Takes away the named ones and brings back all others. Kernels change with the next
 * `registerWebGLKernels`, the rest with the next trainer.
 */
export function removeReplacements(names: Iterable<ReplacementName>): void {
  removed = new Set(names);
}

export function isRemoved(name: ReplacementName): boolean {
  return removed.has(name);
}
