/**
 * Owns what a person does to a picture by hand before anything else: turning it, and cropping it.
 */
import type { Crop, Picture } from './picture.ts';

/** The picture turned clockwise by quarter turns. One that is not turned is returned as it is. */
export function turnPicture(picture: Picture, quarterTurns: 0 | 1 | 2 | 3): Picture {
  if (quarterTurns === 0) return picture;
  const { width, height } = picture;
  const isUpright = quarterTurns === 2;
  const outWidth = isUpright ? width : height;
  const outHeight = isUpright ? height : width;
  const source = new Uint32Array(picture.data.slice().buffer);
  const turned = new Uint32Array(source.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const right = quarterTurns === 1 ? height - 1 - y : isUpright ? width - 1 - x : y;
      const down = quarterTurns === 1 ? x : isUpright ? height - 1 - y : width - 1 - x;
      turned[down * outWidth + right] = source[y * width + x]!;
    }
  }
  return { width: outWidth, height: outHeight, data: new Uint8ClampedArray(turned.buffer) };
}

/** The crop as it lies in the picture before the turns. */
export function turnBack({ left, top, width, height }: Crop, quarterTurns: 0 | 1 | 2 | 3): Crop {
  switch (quarterTurns) {
    case 0:
      return { left, top, width, height };
    case 1:
      return { left: top, top: 1 - left - width, width: height, height: width };
    case 2:
      return { left: 1 - left - width, top: 1 - top - height, width, height };
    case 3:
      return { left: 1 - top - height, top: left, width: height, height: width };
    default:
      throw new RangeError(`There is no quarter turn ${quarterTurns satisfies never}.`);
  }
}

/** The part of the picture in the crop, at least one pixel; what lies outside the picture is left out. */
export function cropPicture({ width, height, data }: Picture, crop: Crop): Picture {
  const within = (value: number, most: number) => Math.max(0, Math.min(most, Math.round(value)));
  const left = within(crop.left * width, width - 1);
  const top = within(crop.top * height, height - 1);
  const right = Math.max(left + 1, within((crop.left + crop.width) * width, width));
  const bottom = Math.max(top + 1, within((crop.top + crop.height) * height, height));
  const part = new Uint8ClampedArray((right - left) * (bottom - top) * 4);
  for (let y = top; y < bottom; y++) {
    const row = data.subarray((y * width + left) * 4, (y * width + right) * 4);
    part.set(row, (y - top) * (right - left) * 4);
  }
  return { width: right - left, height: bottom - top, data: part };
}
