/**
 * Where an image file becomes pixels: the browser's own decoders, after the file's headers have been
 * checked.
 */
import { checkPictureBytes, PictureError, readPictureHeader } from '../image/files.ts';

/** Longest edge that is read back: plenty for 28 pixels, and a canvas that phones can hold. */
const DECODED_SIDE = 1024;

/**
 * Decodes a file: the first frame of an animation, upright by its EXIF orientation, at most 1024
 * pixels long.
 *
 * @throws PictureError for whatever is wrong with the file
 */
export async function decodePicture(file: File): Promise<ImageData> {
  checkPictureBytes(file.name, file.size);
  const bytes = await file.arrayBuffer().catch(() => {
    throw new PictureError(`“${file.name}” cannot be read. Is it still where it was?`);
  });
  const { format } = readPictureHeader(file.name, new Uint8Array(bytes));
  // A type of our own, since the name of the file may have given it a wrong one.
  const blob = new Blob([bytes], { type: `image/${format.toLowerCase()}` });
  const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' }).catch(() => {
    throw new PictureError(
      format === 'AVIF'
        ? `This browser cannot decode AVIF, which “${file.name}” is. Export it as PNG or JPEG.`
        : `“${file.name}” says it is ${format}, but it cannot be decoded: it is damaged.`,
    );
  });
  try {
    const scale = Math.min(1, DECODED_SIDE / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(1, Math.round(bitmap.width * scale));
    const height = Math.max(1, Math.round(bitmap.height * scale));
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) throw new PictureError(`There is no memory left to decode “${file.name}”.`);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
}
