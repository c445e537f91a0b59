/** The shape that convolutions and pools share, and where it lies for them. */
import { JOB } from './parallel';

/** Sizes and steps of a convolution or pool, written by nativeKernels.ts. All numbers are i32. */
@unmanaged
export class ConvShape {
  batch: i32;
  height: i32;
  width: i32;
  channels: i32;
  outHeight: i32;
  outWidth: i32;
  outChannels: i32;
  filterHeight: i32;
  filterWidth: i32;
  strideHeight: i32;
  strideWidth: i32;
  dilationHeight: i32;
  dilationWidth: i32;
  padTop: i32;
  padLeft: i32;
}

/** Where JavaScript writes the ConvShape before a call of conv.ts or pool.ts: the job block. */
export function convShape(): usize {
  return JOB;
}
