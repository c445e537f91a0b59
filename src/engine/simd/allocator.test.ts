import { describe, expect, it } from 'vitest';
import { createRandom } from '../../random.ts';
import { Allocator, LINE_BYTES, OutOfMemoryError } from './allocator.ts';

const makeMemory = (maximum = 2000) => new WebAssembly.Memory({ initial: 2, maximum });

describe('Allocator', () => {
  it('never hands out overlapping blocks, and loses none', () => {
    const memory = makeMemory();
    const allocator = new Allocator(memory, 65536);
    const random = createRandom(1);
    const blocks = new Map<number, number>();
    for (let i = 0; i < 5000; i++) {
      if (random() < 0.55) {
        const bytes = Math.floor(random() ** 3 * 200_000);
        const start = allocator.allocate(bytes);
        expect(start % LINE_BYTES).toBe(0);
        expect(start + bytes).toBeLessThanOrEqual(memory.buffer.byteLength);
        for (const [other, size] of blocks) {
          expect(start + bytes <= other || other + size <= start).toBe(true);
        }
        blocks.set(start, Math.max(bytes, 1));
      } else {
        const [start] = [...blocks.keys()].slice(Math.floor(random() * blocks.size));
        if (start === undefined) continue;
        blocks.delete(start);
        allocator.free(start);
      }
    }
    for (const start of blocks.keys()) allocator.free(start);
    expect(allocator.usedBytes).toBe(0);
    // Everything has merged again: one block of nearly all the memory fits without growing.
    const { byteLength } = memory.buffer;
    allocator.allocate(byteLength - 65536 - 2 * LINE_BYTES);
    expect(memory.buffer.byteLength).toBe(byteLength);
  });

  it('stops growing when the same sizes come again', () => {
    const memory = makeMemory();
    const allocator = new Allocator(memory, 65536);
    const step = () => {
      const sizes = [11_000_000, 64, 2_800_000, 900_000, 128, 11_000_000];
      for (const block of sizes.map((bytes) => allocator.allocate(bytes))) allocator.free(block);
    };
    step();
    const { byteLength } = memory.buffer;
    for (let i = 0; i < 100; i++) step();
    expect(memory.buffer.byteLength).toBe(byteLength);
  });

  it('says what to do when the memory is full', () => {
    const allocator = new Allocator(makeMemory(20), 65536);
    allocator.allocate(1_000_000);
    expect(() => allocator.allocate(1_000_000)).toThrow(OutOfMemoryError);
    expect(() => allocator.allocate(1_000_000)).toThrow(/smaller batch/);
    // Still usable.
    expect(allocator.allocate(100)).toBeGreaterThan(0);
  });

  it('refuses to free what it did not give', () => {
    const allocator = new Allocator(makeMemory(), 65536);
    const start = allocator.allocate(100);
    allocator.free(start);
    expect(() => allocator.free(start)).toThrow(RangeError);
  });
});
