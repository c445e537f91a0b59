/**
 * Moves numbers without changing them: transposes, slices, padding, broadcasts and
 * concatenation are all one strided copy. Elements are 4 bytes, whatever they mean.
 */
import { JOB, parallel } from './parallel';

export const MAX_RANK: i32 = 6;

@unmanaged
class CopyJob {
  source: usize;
  out: usize;
  rank: i32;
  outer: i32;
  spare: i32;
  // Then three arrays of MAX_RANK numbers: sizes, source strides, output strides, in elements.
}

const ARRAYS: usize = 32;
const ARRAY_BYTES: usize = 24;

/** Where JavaScript writes sizes, source strides and output strides (6 i32 each) before a copy. */
export function copyLayout(): usize {
  return JOB + ARRAYS;
}

// @ts-ignore: decorator
@inline
function entry(array: usize, axis: i32): i32 {
  return load<i32>(JOB + ARRAYS + array * ARRAY_BYTES + (<usize>axis << 2));
}

/** Copies `rank` (1 to 6) axes. Strides may be 0 (repeat) or negative (reverse). */
export function stridedCopy(source: usize, out: usize, rank: i32): void {
  const job = changetype<CopyJob>(JOB);
  job.source = source;
  job.out = out;
  job.rank = rank;
  let total: i64 = 1;
  for (let axis = 0; axis < rank; axis++) total *= entry(0, axis);
  if (total == 0) return;
  // Small copies are done before a helper would have woken.
  const size = entry(0, 0);
  const numChunks = total < 16384 ? 1 : min(size, 64);
  job.outer = numChunks;
  parallel(copyChunk, numChunks);
}

function copyChunk(chunk: i32): void {
  const job = changetype<CopyJob>(JOB);
  const size = entry(0, 0);
  const first = <i32>((<i64>size * chunk) / job.outer);
  const last = <i32>((<i64>size * (chunk + 1)) / job.outer);
  if (job.rank == 1) {
    copyRun(job.source + <usize>(first * entry(1, 0)) * 4, job.out + <usize>(first * entry(2, 0)) * 4,
      last - first, entry(1, 0), entry(2, 0));
    return;
  }
  for (let i = first; i < last; i++) {
    copyAxis(1, job.source + <usize>(i * entry(1, 0)) * 4, job.out + <usize>(i * entry(2, 0)) * 4);
  }
}

function copyAxis(axis: i32, source: usize, out: usize): void {
  const size = entry(0, axis);
  const from = entry(1, axis);
  const to = entry(2, axis);
  if (axis == changetype<CopyJob>(JOB).rank - 1) {
    copyRun(source, out, size, from, to);
    return;
  }
  for (let i = 0; i < size; i++) {
    copyAxis(axis + 1, source, out);
    source += <usize>from << 2;
    out += <usize>to << 2;
  }
}

function copyRun(source: usize, out: usize, count: i32, from: i32, to: i32): void {
  if (from == 1 && to == 1) {
    memory.copy(out, source, <usize>count << 2);
    return;
  }
  const fromBytes = <usize>from << 2;
  const toBytes = <usize>to << 2;
  for (let i = 0; i < count; i++) {
    store<u32>(out, load<u32>(source));
    source += fromBytes;
    out += toBytes;
  }
}

/** Fills `count` elements with one 4-byte pattern. */
export function fill(out: usize, count: i32, bits: u32): void {
  const value = i32x4.splat(bits);
  const end = out + (<usize>count << 2);
  // Blocks are rounded up to 64 bytes: the last vector may run over.
  for (let at = out; at < end; at += 16) v128.store(at, value);
}
