/**
 * Says which parts of the WebAssembly memory are in use: blocks of whole cache lines, best fit,
 * neighbours merged when freed. A training step asks for the same sizes in the same order every
 * time, so after the first one or two the memory neither grows nor fragments.
 */

/** Block addresses and sizes are multiples of this: one cache line. */
export const LINE_BYTES = 64;

const PAGE_BYTES = 65536;

/** The memory grows by at least this much, since growing costs a system call (and new views). */
const GROWTH_BYTES = 16 * 1024 * 1024;

/** Vector loads may run past the end of the last block. */
const SLACK_BYTES = 64;

/** The memory cannot grow any further. */
export class OutOfMemoryError extends Error {
  override name = 'OutOfMemoryError';
}

interface FreeBlock {
  start: number;
  bytes: number;
}

export class Allocator {
  /** By address, never two that touch. */
  readonly #free: FreeBlock[] = [];
  readonly #sizes = new Map<number, number>();
  readonly #memory: WebAssembly.Memory;
  #end: number;
  #usedBytes = 0;

  /** Hands out the memory from `start` (bytes) to wherever it may grow. */
  constructor(memory: WebAssembly.Memory, start: number) {
    this.#memory = memory;
    this.#end = start;
    this.#grow(LINE_BYTES);
  }

  /** Bytes in blocks that are in use. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Returns the address of a block of at least `bytes`; its content is whatever was there before. */
  allocate(bytes: number): number {
    const size = Math.max(LINE_BYTES, Math.ceil(bytes / LINE_BYTES) * LINE_BYTES);
    let best = this.#bestFit(size);
    if (best < 0) {
      this.#grow(size);
      best = this.#bestFit(size);
    }
    const block = this.#free[best];
    if (!block) throw new OutOfMemoryError(`No block of ${size} bytes after growing.`);
    const { start } = block;
    block.start += size;
    block.bytes -= size;
    if (block.bytes === 0) this.#free.splice(best, 1);
    this.#sizes.set(start, size);
    this.#usedBytes += size;
    return start;
  }

  /** Gives a block back. */
  free(start: number): void {
    const bytes = this.#sizes.get(start);
    if (bytes === undefined) throw new RangeError(`${start} is not the start of a block in use.`);
    this.#sizes.delete(start);
    this.#usedBytes -= bytes;
    this.#insert(start, bytes);
  }

  #bestFit(size: number): number {
    let best = -1;
    let bestBytes = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#free.length; i++) {
      const bytes = this.#free[i]?.bytes ?? 0;
      if (bytes >= size && bytes < bestBytes) {
        best = i;
        bestBytes = bytes;
        if (bytes === size) break;
      }
    }
    return best;
  }

  #grow(bytes: number): void {
    const current = this.#memory.buffer.byteLength;
    // What is free at the end counts: only the rest must be new.
    const last = this.#free.at(-1);
    const tail = last && last.start + last.bytes === this.#end ? last.bytes : 0;
    const needed = this.#end + bytes - tail + SLACK_BYTES - current;
    if (needed > 0) {
      const pages = (size: number) => Math.ceil(size / PAGE_BYTES);
      try {
        this.#memory.grow(pages(Math.max(needed, GROWTH_BYTES)));
      } catch {
        try {
          this.#memory.grow(pages(needed));
        } catch (cause) {
          throw new OutOfMemoryError(
            `The CPU engine is out of memory: ${Math.round(this.#usedBytes / 1e6)} MB are in use and ` +
              `${Math.round(bytes / 1e6)} MB more do not fit. A smaller batch needs less.`,
            { cause },
          );
        }
      }
    }
    const end = this.#memory.buffer.byteLength - SLACK_BYTES;
    this.#insert(this.#end, end - this.#end);
    this.#end = end;
  }

  #insert(start: number, bytes: number): void {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#free[middle]?.start ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    const previous = this.#free[low - 1];
    const next = this.#free[low];
    const joinsPrevious = previous && previous.start + previous.bytes === start;
    const joinsNext = next && start + bytes === next.start;
    if (joinsPrevious && joinsNext) {
      previous.bytes += bytes + next.bytes;
      this.#free.splice(low, 1);
    } else if (joinsPrevious) {
      previous.bytes += bytes;
    } else if (joinsNext) {
      next.start = start;
      next.bytes += bytes;
    } else {
      this.#free.splice(low, 0, { start, bytes });
    }
  }
}
