/**
 * Owns which picture files may be decoded: told by their first bytes and not by their name, and
 * refused before anything is decoded where they are too large.
 */
import { imageSize } from 'image-size';

/** A file that is not classified. The message names the file, what is wrong, and what to do. */
export class PictureError extends Error {
  override readonly name = 'PictureError';
}

/** 20 MB. */
const MAX_PICTURE_BYTES = 20_000_000;
/** 25 megapixels, i.e. 100 MB once decoded. */
const MAX_PICTURE_PIXELS = 25_000_000;

/** What the page decodes, by the names `image-size` has for them. */
const FORMATS = { png: 'PNG', jpg: 'JPEG', webp: 'WebP', gif: 'GIF', avif: 'AVIF' } as const;

export type PictureFormat = (typeof FORMATS)[keyof typeof FORMATS];

const ALL_FORMATS = 'PNG, JPEG, WebP, GIF and AVIF';

export interface PictureHeader {
  readonly format: PictureFormat;
  /** As stored, before EXIF orientation. */
  readonly width: number;
  readonly height: number;
}

/** @throws PictureError where the file is over 20 MB or empty */
export function checkPictureBytes(name: string, numBytes: number): void {
  if (numBytes === 0) throw new PictureError(`“${name}” is empty.`);
  if (numBytes > MAX_PICTURE_BYTES) {
    const megabytes = (numBytes / 1e6).toFixed(1);
    throw new PictureError(
      `“${name}” has ${megabytes} MB; the limit is 20 MB. Save a smaller version of it and try that.`,
    );
  }
}

/**
 * Reads what a file says of itself.
 *
 * @param bytes the file's content; only its headers are read
 * @throws PictureError where it is no picture, of a format that is not decoded, broken, or over 25
 *   megapixels
 */
export function readPictureHeader(name: string, bytes: Uint8Array): PictureHeader {
  const { type, width, height } = sizeOf(name, bytes);
  const format = Object.entries(FORMATS).find(([key]) => key === type)?.[1];
  if (!format) {
    throw new PictureError(
      type && isPhotoFormat(type)
        ? `“${name}” is a ${type.toUpperCase()} picture, which browsers do not decode. Atelier reads ${ALL_FORMATS}: export it as one of these.`
        : notAPicture(name),
    );
  }
  if (!(width > 0 && height > 0)) {
    throw new PictureError(`“${name}” says that it is ${width} × ${height} pixels: it is broken.`);
  }
  if (width * height > MAX_PICTURE_PIXELS) {
    const megapixels = ((width * height) / 1e6).toFixed(1);
    throw new PictureError(
      `“${name}” has ${megapixels} megapixels (${width} × ${height}); the limit is 25. Save a smaller version of it and try that.`,
    );
  }
  return { format, width, height };
}

function sizeOf(name: string, bytes: Uint8Array) {
  const startsLikePicture =
    startsWith(bytes, [0x89, 0x50, 0x4e, 0x47]) ||
    startsWith(bytes, [0xff, 0xd8, 0xff]) ||
    startsWith(bytes, [0x47, 0x49, 0x46, 0x38]);
  try {
    return imageSize(bytes);
  } catch {
    throw new PictureError(
      startsLikePicture
        ? `“${name}” starts like a picture but breaks off or is damaged. Try the original once more.`
        : notAPicture(name),
    );
  }
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((value, i) => bytes[i] === value);
}

/** Types that other bytes are hardly mistaken for; `tga` and `pnm`, say, match many a text file. */
function isPhotoFormat(type: string): boolean {
  return ['bmp', 'heic', 'heif', 'jp2', 'jxl', 'psd', 'svg', 'tiff', 'ico'].includes(type);
}

function notAPicture(name: string): string {
  return `“${name}” is not a picture. Atelier reads ${ALL_FORMATS}.`;
}
