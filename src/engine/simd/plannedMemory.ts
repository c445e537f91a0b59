/**
 * Places for all that a plan of calls hands from one call to another: two buffers share memory
 * where the one is no longer needed when the other is first written.
 */
import { LINE_BYTES } from './allocator.ts';

/** Memory that a plan's calls write and read. Its content is whatever was there before. */
export class PlannedBuffer {
  readonly bytes: number;
  /** Bytes from the start of the memory; known once the plan is complete. */
  address = 0;
  /** First and last call that use it, counted from 0. */
  first = Number.POSITIVE_INFINITY;
  last = -1;

  /** @param count Numbers of 4 bytes. */
  constructor(count: number) {
    this.bytes = Math.max(LINE_BYTES, Math.ceil((count * 4) / LINE_BYTES) * LINE_BYTES);
  }

  /** Says that call `index` writes or reads it. */
  use(index: number): void {
    this.first = Math.min(this.first, index);
    this.last = Math.max(this.last, index);
  }
}

/**
 * Gives each buffer an address, as bytes from 0, so that no two share memory that are in use at the
 * same call. Largest first, each into the smallest gap that holds it: within a few per cent of the
 * most that is in use at once.
 *
 * @returns Bytes in all.
 */
export function placeBuffers(buffers: readonly PlannedBuffer[]): number {
  const placed: PlannedBuffer[] = [];
  let end = 0;
  for (const buffer of buffers.toSorted((a, b) => b.bytes - a.bytes)) {
    const meanwhile = placed
      .filter(({ first, last }) => first <= buffer.last && buffer.first <= last)
      .sort((a, b) => a.address - b.address);
    let best = Number.POSITIVE_INFINITY;
    let bestGap = Number.POSITIVE_INFINITY;
    let from = 0;
    for (const { address, bytes } of meanwhile) {
      const gap = address - from;
      if (gap >= buffer.bytes && gap < bestGap) {
        best = from;
        bestGap = gap;
      }
      from = Math.max(from, address + bytes);
    }
    buffer.address = Number.isFinite(best) ? best : from;
    end = Math.max(end, buffer.address + buffer.bytes);
    placed.push(buffer);
  }
  return end;
}
