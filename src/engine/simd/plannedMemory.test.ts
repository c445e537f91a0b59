import { describe, expect, it } from 'vitest';
import { createRandom } from '../../random.ts';
import { LINE_BYTES } from './allocator.ts';
import { PlannedBuffer, placeBuffers } from './plannedMemory.ts';

/** The most bytes that are in use at one call. */
function peakOf(buffers: readonly PlannedBuffer[]): number {
  const calls = Math.max(...buffers.map(({ last }) => last)) + 1;
  const inUse = Array.from({ length: calls }, (_, call) =>
    buffers
      .filter(({ first, last }) => first <= call && call <= last)
      .reduce((sum, { bytes }) => sum + bytes, 0),
  );
  return Math.max(...inUse);
}

describe('planned memory', () => {
  it('never gives two buffers the same place at the same time, and wastes little', () => {
    const random = createRandom(3);
    for (let round = 0; round < 50; round++) {
      const buffers = Array.from({ length: 60 }, () => {
        const buffer = new PlannedBuffer(1 + Math.floor(random() ** 3 * 100_000));
        const first = Math.floor(random() * 100);
        buffer.use(first);
        buffer.use(first + Math.floor(random() ** 2 * 40));
        return buffer;
      });
      const bytes = placeBuffers(buffers);
      for (const [index, one] of buffers.entries()) {
        expect(one.address % LINE_BYTES).toBe(0);
        expect(one.address + one.bytes).toBeLessThanOrEqual(bytes);
        for (const other of buffers.slice(index + 1)) {
          const isMeanwhile = one.first <= other.last && other.first <= one.last;
          const isApart =
            one.address + one.bytes <= other.address || other.address + other.bytes <= one.address;
          expect(isApart || !isMeanwhile).toBe(true);
        }
      }
      expect(bytes).toBeLessThan(1.3 * peakOf(buffers));
    }
  });

  it('uses the same place again', () => {
    const chain = Array.from({ length: 10 }, (_, index) => {
      const buffer = new PlannedBuffer(1000);
      buffer.use(index);
      buffer.use(index + 1);
      return buffer;
    });
    expect(placeBuffers(chain)).toBe(2 * (chain[0]?.bytes ?? 0));
    expect(placeBuffers([])).toBe(0);
  });
});
