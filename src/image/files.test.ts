import { describe, expect, it } from 'vitest';
import { checkPictureBytes, PictureError, readPictureHeader } from './files.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** A PNG's signature and header chunk. */
function png(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(33);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 13);
  bytes.set(text('IHDR'), 12);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return bytes;
}

function gif(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes.set(text('GIF89a'));
  new DataView(bytes.buffer).setUint16(6, width, true);
  new DataView(bytes.buffer).setUint16(8, height, true);
  return bytes;
}

/** ISO base media: a file-type box of the brand, and a meta box that holds the size. */
function heif(brand: string, width: number, height: number): Uint8Array {
  const box = (name: string, ...parts: Uint8Array[]) => {
    const size = parts.reduce((sum, part) => sum + part.length, 8);
    const bytes = new Uint8Array(size);
    new DataView(bytes.buffer).setUint32(0, size);
    bytes.set(text(name), 4);
    let at = 8;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  };
  const size = new Uint8Array(12);
  new DataView(size.buffer).setUint32(4, width);
  new DataView(size.buffer).setUint32(8, height);
  const fileType = box('ftyp', text(brand), new Uint8Array(4), text('mif1'));
  const meta = box('meta', new Uint8Array(4), box('iprp', box('ipco', box('ispe', size))));
  return Uint8Array.of(...fileType, ...meta);
}

describe('checkPictureBytes', () => {
  it('lets 20 MB pass and not a byte more', () => {
    expect(() => checkPictureBytes('a.png', 20_000_000)).not.toThrow();
    expect(() => checkPictureBytes('a.png', 20_000_001)).toThrow(PictureError);
    expect(() => checkPictureBytes('big.png', 31_400_000)).toThrow(/big\.png.*31\.4 MB.*20 MB/);
  });

  it('refuses an empty file', () => {
    expect(() => checkPictureBytes('a.png', 0)).toThrow(/empty/);
  });
});

describe('readPictureHeader', () => {
  it('goes by the content, not by the name', () => {
    expect(readPictureHeader('shirt.txt', png(640, 480))).toEqual({
      format: 'PNG',
      width: 640,
      height: 480,
    });
    expect(readPictureHeader('a', gif(30, 20))).toEqual({ format: 'GIF', width: 30, height: 20 });
    expect(readPictureHeader('a', heif('avif', 50, 40)).format).toBe('AVIF');
  });

  it('refuses over 25 megapixels, from the header alone', () => {
    expect(() => readPictureHeader('huge.png', png(5001, 5000))).toThrow(
      /huge\.png.*25\.0 megapixels \(5001 × 5000\)/,
    );
    expect(readPictureHeader('large.png', png(5000, 5000)).width).toBe(5000);
  });

  it('refuses other picture formats by name', () => {
    expect(() => readPictureHeader('IMG_1.heic', heif('heic', 50, 40))).toThrow(
      /IMG_1\.heic.*HEIC.*PNG, JPEG, WebP, GIF and AVIF/,
    );
    const svg = text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>');
    expect(() => readPictureHeader('logo.svg', svg)).toThrow(/SVG picture/);
  });

  it.each(['hello', 'P5 nothing to see', 'label,pixel1,pixel2\n1,0,0\n', '\0\0\0\0\0\0\0\0'])(
    'says of other files that they are no pictures: %j',
    (content) => {
      expect(() => readPictureHeader('notes.jpg', text(content))).toThrow(
        /“notes\.jpg” is not a picture/,
      );
    },
  );

  it('tells a broken picture from something else', () => {
    const broken = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16);
    expect(() => readPictureHeader('half.jpg', broken)).toThrow(/breaks off or is damaged/);
    expect(() => readPictureHeader('zero.png', png(0, 10))).toThrow(PictureError);
  });
});
