/**
 * Owns the checksum by which files and stored records prove that they are whole: CRC-32 as zip
 * archives use it (polynomial 0xEDB88320, reflected), four bytes a step. It finds damage, it does
 * not prove origin.
 *
 * Method: M. Kounavis, F. Berry, "A Systematic Approach to Building High Performance Software-based
 * CRC Generators", 2005 (slicing).
 */

/** `TABLES[k · 256 + b]`: what byte `b`, followed by `k` zero bytes, does to the remainder. */
const TABLES = makeTables();

function makeTables(): Uint32Array {
  const tables = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
    }
    tables[byte] = remainder;
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256] ?? 0;
    tables[i] = (previous >>> 8) ^ (tables[previous & 255] ?? 0);
  }
  return tables;
}

/**
 * The CRC-32 of some bytes, 0 to 2³² − 1.
 * @param seed the CRC-32 of what came before, to go on from there.
 */
export function crc32(bytes: Uint8Array, seed = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numWords = bytes.length >>> 2;
  let crc = ~seed;
  for (let word = 0; word < numWords; word++) {
    const mixed = crc ^ view.getInt32(word << 2, true);
    crc =
      (TABLES[768 + (mixed & 255)] as number) ^
      (TABLES[512 + ((mixed >>> 8) & 255)] as number) ^
      (TABLES[256 + ((mixed >>> 16) & 255)] as number) ^
      (TABLES[mixed >>> 24] as number);
  }
  for (let i = numWords << 2; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[i] as number)) & 255] as number);
  }
  return ~crc >>> 0;
}
