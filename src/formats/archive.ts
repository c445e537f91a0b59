/**
 * Owns the reading of zip archives from outside: the directory at the archive's end is believed
 * only as far as it can be checked, and nothing unpacks to more than it declared. (fflate unpacks;
 * its own reader trusts sizes, skips checksums, and its parallel one needs `blob:` workers.)
 *
 * Source of the format: PKWARE, "APPNOTE.TXT – .ZIP File Format Specification", 6.3.
 */
import { Inflate } from 'fflate';
import { crc32 } from './crc32.ts';
import { FormatError } from './formatError.ts';

export interface ArchiveLimits {
  readonly maxEntries: number;
  /** Of all wanted entries together, unpacked. */
  readonly maxBytes: number;
}

const DIRECTORY_END = 0x06054b50;
const DIRECTORY_END_BYTES = 22;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_BYTES = 46;
const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
const IS_ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
/** Packed bytes given to the unpacker at a time; they become at most 1,032 times as many. */
const SLICE_BYTES = 16 * 1024;

/** Whether bytes begin as a zip archive does. */
export function isArchive(bytes: Uint8Array): boolean {
  return bytes.length > DIRECTORY_END_BYTES && viewOf(bytes).getUint32(0, true) === LOCAL_HEADER;
}

/**
 * Unpacks the entries whose path is wanted.
 * @param file the archive's name, for messages.
 * @returns contents by path, in the archive's order.
 * @throws {FormatError}
 */
export function unpack(
  bytes: Uint8Array,
  file: string,
  limits: ArchiveLimits,
  isWanted: (path: string) => boolean,
): Map<string, Uint8Array<ArrayBuffer>> {
  try {
    return unpackWanted(bytes, file, limits, isWanted);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    // A RangeError of DataView where an offset points outside, or fflate's own error.
    throw damaged(file, error);
  }
}

function unpackWanted(
  bytes: Uint8Array,
  file: string,
  { maxEntries, maxBytes }: ArchiveLimits,
  isWanted: (path: string) => boolean,
): Map<string, Uint8Array<ArrayBuffer>> {
  const view = viewOf(bytes);
  const end = findDirectoryEnd(view);
  if (end === null) throw damaged(file);
  const numEntries = view.getUint16(end + 10, true);
  // Also where the fields say "see the zip64 record", all ones.
  if (numEntries > maxEntries) {
    throw new FormatError(`${file} holds ${numEntries} files; a model needs no more than a few.`);
  }

  const unpacked = new Map<string, Uint8Array<ArrayBuffer>>();
  let position = view.getUint32(end + 16, true);
  let totalBytes = 0;
  for (let i = 0; i < numEntries; i++) {
    if (view.getUint32(position, true) !== DIRECTORY_ENTRY) throw damaged(file);
    const flags = view.getUint16(position + 8, true);
    const method = view.getUint16(position + 10, true);
    const checksum = view.getUint32(position + 16, true);
    const packedBytes = view.getUint32(position + 20, true);
    const unpackedBytes = view.getUint32(position + 24, true);
    const nameBytes = view.getUint16(position + 28, true);
    const localHeader = view.getUint32(position + 42, true);
    const nameStart = position + DIRECTORY_ENTRY_BYTES;
    const path = new TextDecoder().decode(bytes.subarray(nameStart, nameStart + nameBytes));
    position =
      nameStart +
      nameBytes +
      view.getUint16(position + 30, true) +
      view.getUint16(position + 32, true);
    if (!isWanted(path)) continue;

    if (unpacked.has(path)) throw new FormatError(`${file} holds ${path} twice.`);
    if (flags & IS_ENCRYPTED) {
      throw new FormatError(`${file} is encrypted. Unpack it and choose the files themselves.`);
    }
    totalBytes += unpackedBytes;
    if (totalBytes > maxBytes) {
      throw new FormatError(
        `${file} unpacks to ${megabytes(totalBytes)} or more; Atelier takes at most ${megabytes(maxBytes)}.`,
      );
    }
    if (view.getUint32(localHeader, true) !== LOCAL_HEADER) throw damaged(file);
    const start =
      localHeader +
      LOCAL_HEADER_BYTES +
      view.getUint16(localHeader + 26, true) +
      view.getUint16(localHeader + 28, true);
    const packed = bytes.subarray(start, start + packedBytes);
    const content = unpackEntry(packed, method, unpackedBytes);
    if (!content || packed.length !== packedBytes || crc32(content) !== checksum) {
      throw damaged(file);
    }
    unpacked.set(path, content);
  }
  return unpacked;
}

/** Null where it unpacks to more or less than `numBytes`. */
function unpackEntry(
  packed: Uint8Array,
  method: number,
  numBytes: number,
): Uint8Array<ArrayBuffer> | null {
  if (method === STORED) return packed.length === numBytes ? new Uint8Array(packed) : null;
  if (method !== DEFLATED) {
    throw new FormatError(
      'The zip is packed by a method other than "deflate". Unpack it and choose the files themselves.',
    );
  }
  const content = new Uint8Array(numBytes);
  let position = 0;
  let isTooLong = false;
  const inflate = new Inflate((chunk) => {
    isTooLong ||= position + chunk.length > numBytes;
    if (!isTooLong) content.set(chunk, position);
    position += chunk.length;
  });
  for (let start = 0; start < packed.length && !isTooLong; start += SLICE_BYTES) {
    const stop = Math.min(start + SLICE_BYTES, packed.length);
    inflate.push(packed.subarray(start, stop), stop === packed.length);
  }
  return position === numBytes ? content : null;
}

function findDirectoryEnd(view: DataView): number | null {
  const last = view.byteLength - DIRECTORY_END_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at--) {
    if (view.getUint32(at, true) === DIRECTORY_END) return at;
  }
  return null;
}

function damaged(file: string, cause?: unknown): FormatError {
  return new FormatError(
    `${file} is damaged: its parts do not add up. Export or download it again.`,
    {
      cause,
    },
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;
}
