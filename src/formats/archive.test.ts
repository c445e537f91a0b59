import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { isArchive, unpack } from './archive.ts';
import { FormatError } from './formatError.ts';

const LIMITS = { maxEntries: 10, maxBytes: 1_000_000 };
const text = (length: number) => Uint8Array.from({ length }, (_, i) => 97 + (i % 7));
const everything = () => true;

/** Offset of a field in the directory entry of the first file. */
function directoryField(zip: Uint8Array, field: number): { view: DataView; at: number } {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  return { view, at: view.getUint32(zip.byteLength - 22 + 16, true) + field };
}

describe('unpack', () => {
  it('reads what zip wrote, packed or stored', () => {
    const zip = zipSync({ 'a/one.json': text(5000), 'two.bin': [text(300), { level: 0 }] });
    expect(isArchive(zip)).toBe(true);
    const contents = unpack(zip, 'x.zip', LIMITS, everything);
    expect([...contents.keys()]).toEqual(['a/one.json', 'two.bin']);
    expect(contents.get('a/one.json')).toEqual(text(5000));
    expect(contents.get('two.bin')).toEqual(text(300));
  });

  it('leaves alone what nobody wants, however large', () => {
    const zip = zipSync({ 'film.mov': text(2_000_000), 'a.json': text(5) });
    const contents = unpack(zip, 'x.zip', LIMITS, (path) => path.endsWith('.json'));
    expect([...contents.keys()]).toEqual(['a.json']);
  });

  it('refuses an archive that says it grows too large', () => {
    const zip = zipSync({ 'bomb.bin': new Uint8Array(50_000_000) });
    expect(zip.length).toBeLessThan(100_000);
    expect(() => unpack(zip, 'bomb.zip', LIMITS, everything)).toThrow(/unpacks to 50 MB/);
  });

  it('stops where an archive grows larger than it says', () => {
    const zip = zipSync({ 'bomb.bin': new Uint8Array(50_000_000) });
    const { view, at } = directoryField(zip, 24);
    view.setUint32(at, 1000, true);
    expect(() => unpack(zip, 'bomb.zip', LIMITS, everything)).toThrow(/damaged/);
  });

  it('refuses an archive of many files', () => {
    const names = Array.from({ length: 11 }, (_, i) => [`${i}.json`, text(1)] as const);
    const zip = zipSync(Object.fromEntries(names));
    expect(() => unpack(zip, 'x.zip', LIMITS, everything)).toThrow(/holds 11 files/);
  });

  it('sees a changed byte by the checksum', () => {
    const zip = zipSync({ 'a.bin': [text(1000), { level: 0 }] });
    zip[500] = (zip[500] ?? 0) ^ 1;
    expect(() => unpack(zip, 'x.zip', LIMITS, everything)).toThrow(/x\.zip is damaged/);
  });

  it('refuses an encrypted archive and an unknown method by name', () => {
    const encrypted = zipSync({ 'a.json': text(100) });
    const flags = directoryField(encrypted, 8);
    flags.view.setUint16(flags.at, 1, true);
    expect(() => unpack(encrypted, 'x.zip', LIMITS, everything)).toThrow(/encrypted/);

    const strange = zipSync({ 'a.json': text(100) });
    const method = directoryField(strange, 10);
    method.view.setUint16(method.at, 14, true);
    expect(() => unpack(strange, 'x.zip', LIMITS, everything)).toThrow(/deflate/);
  });

  it('answers every cut and every offset that points outside with a FormatError', () => {
    const zip = zipSync({ 'a.json': text(100), 'b.bin': text(100) });
    for (let length = 0; length < zip.length; length++) {
      expect(() => unpack(zip.subarray(0, length), 'x.zip', LIMITS, everything)).toThrow(
        FormatError,
      );
    }
    for (const field of [20, 24, 28, 30, 32, 42]) {
      const bent = zip.slice();
      const { view, at } = directoryField(bent, field);
      view.setUint16(at, 0xffff, true);
      expect(() => unpack(bent, 'x.zip', LIMITS, everything)).toThrow(FormatError);
    }
  });
});
