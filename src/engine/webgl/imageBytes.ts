/**
 * Images as bytes on the device: how they lie in textures, and which of a data set fit there.
 *
 * Images stand on one another in columns, so that bytes go up as they are and a shader finds a
 * image's pixels side by side; columns fill a layer (a slab), and layers a texture. Every device has
 * textures of the size taken here.
 */
import { type Device, type Texture, WebGLDeviceError } from './device.ts';

/** Of a device, what images need. */
export type ByteStore = Pick<Device, 'makeByteTexture' | 'uploadBytes' | 'freeTexture'>;

const LAYER_SIDE = 2048;
/** Of a data set on the device; a network's own numbers want room as well. */
const MAX_BYTES = 256 * 2 ** 20;
/** The share of the machine's memory for it, where a browser tells how much that is. */
const MEMORY_SHARE = 1 / 32;

/** Where a image is. */
export interface ImagePlace {
  readonly x: number;
  readonly y: number;
  readonly layer: number;
}

const perColumn = (side: number) => Math.floor(LAYER_SIDE / side);

export function placeOf(image: number, side: number): ImagePlace {
  const count = perColumn(side);
  const column = Math.floor(image / count);
  const layer = Math.floor(column / count);
  return { x: (column - layer * count) * side, y: (image - column * count) * side, layer };
}

/** GLSL: `placeOf(image)`, the texel of a image's corner. */
export function placeOfText(side: number): string {
  const count = perColumn(side);
  return `
ivec3 placeOf(int image) {
  int column = image / ${count};
  int layer = column / ${count};
  return ivec3((column - layer * ${count}) * ${side}, (image - column * ${count}) * ${side}, layer);
}`;
}

/** The size of a texture for `count` images. */
function sizeFor(count: number, side: number): [width: number, height: number, layers: number] {
  const each = perColumn(side);
  const columns = Math.ceil(count / each);
  return [Math.min(columns, each) * side, Math.min(count, each) * side, Math.ceil(columns / each)];
}

/** Square images of one size in one texture. */
export class Images {
  readonly texture: Texture;
  readonly #device: ByteStore;
  readonly #side: number;

  /** @throws {WebGLDeviceError} Where they do not fit on the device. */
  constructor(device: ByteStore, count: number, side: number) {
    this.#device = device;
    this.#side = side;
    this.texture = device.makeByteTexture(...sizeFor(count, side));
  }

  /** @param pixels `[images · side · side]`, which become the images from `first` on. */
  write(pixels: Uint8Array, first = 0): void {
    const side = this.#side;
    const end = first + pixels.length / side ** 2;
    for (let from = first; from < end; ) {
      const { x, y, layer } = placeOf(from, side);
      const count = Math.min(perColumn(side) - y / side, end - from);
      const start = (from - first) * side ** 2;
      this.#device.uploadBytes(
        this.texture,
        { x, y, layer, width: side, height: count * side },
        pixels.subarray(start, start + count * side ** 2),
      );
      from += count;
    }
  }

  dispose(): void {
    this.#device.freeTexture(this.texture);
  }
}

/** All images of a data set on the device. */
export class Slabs {
  readonly images: Images;
  readonly #pixels: Uint8Array;
  readonly #side: number;
  #numSlabsWritten = 0;

  /**
   * @param roomBytes That may be taken at most.
   * @returns null where the device does not have, or is not to give, the memory.
   */
  static create(
    device: ByteStore,
    pixels: Uint8Array,
    side: number,
    roomBytes: number,
  ): Slabs | null {
    const [width, height, layers] = sizeFor(pixels.length / side ** 2, side);
    const bytes = width * height * layers;
    if (bytes === 0 || bytes > Math.min(roomBytes, boundBytes())) return null;
    try {
      return new Slabs(device, pixels, side);
    } catch (error) {
      if (error instanceof WebGLDeviceError) return null;
      throw error;
    }
  }

  private constructor(device: ByteStore, pixels: Uint8Array, side: number) {
    this.images = new Images(device, pixels.length / side ** 2, side);
    this.#pixels = pixels;
    this.#side = side;
  }

  /** Uploads the next slab. @returns whether all are there. */
  writeSlab(): boolean {
    const side = this.#side;
    const first = this.#numSlabsWritten * perColumn(side) ** 2;
    const end = first + perColumn(side) ** 2;
    const slab = this.#pixels.subarray(first * side ** 2, end * side ** 2);
    if (slab.length > 0) {
      this.images.write(slab, first);
      this.#numSlabsWritten++;
    }
    return end * side ** 2 >= this.#pixels.length;
  }

  dispose(): void {
    this.images.dispose();
  }
}

function boundBytes(): number {
  const memory: unknown = 'deviceMemory' in navigator ? navigator.deviceMemory : null;
  return typeof memory === 'number'
    ? Math.min(MAX_BYTES, memory * 2 ** 30 * MEMORY_SHARE)
    : MAX_BYTES;
}
