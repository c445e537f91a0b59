import { describe, expect, it } from 'vitest';
import { crc32 } from './crc32.ts';

const encode = (text: string) => new TextEncoder().encode(text);

describe('crc32', () => {
  it('gives the published check values', () => {
    expect(crc32(encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(encode('The quick brown fox jumps over the lazy dog'))).toBe(0x414fa339);
    expect(crc32(encode(''))).toBe(0);
  });

  it('goes on from a part, wherever the cut lies', () => {
    const bytes = encode('a garment, a coat, an ankle boot');
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
    }
  });

  it('sees one changed bit', () => {
    const bytes = encode('ankle boot');
    const before = crc32(bytes);
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    expect(crc32(bytes)).not.toBe(before);
  });
});
