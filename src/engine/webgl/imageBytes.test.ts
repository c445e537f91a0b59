import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Texture, WebGLDeviceError } from './device.ts';
import { type ByteStore, Images, placeOf, Slabs } from './imageBytes.ts';

const SIDE = 28;
const AREA = SIDE ** 2;

/** Textures in memory, in bytes `[layer][y · width + x]`. */
class StubStore implements ByteStore {
  layers: Uint8Array[] = [];
  width = 0;
  height = 0;
  numTextures = 0;
  isFull = false;

  makeByteTexture(width: number, height: number, numLayers: number): Texture {
    if (this.isFull) throw new WebGLDeviceError('No memory.');
    this.numTextures++;
    this.width = width;
    this.height = height;
    this.layers = Array.from({ length: numLayers }, () => new Uint8Array(width * height));
    const bytes = width * height * numLayers;
    return { kind: 'bytes', width, height, bytes, handle: {} };
  }

  uploadBytes(_: Texture, part: Parameters<ByteStore['uploadBytes']>[1], bytes: Uint8Array): void {
    expect(bytes).toHaveLength(part.width * part.height);
    expect(part.x + part.width).toBeLessThanOrEqual(this.width);
    expect(part.y + part.height).toBeLessThanOrEqual(this.height);
    for (let y = 0; y < part.height; y++) {
      const row = bytes.subarray(y * part.width, (y + 1) * part.width);
      this.layers[part.layer]?.set(row, (part.y + y) * this.width + part.x);
    }
  }

  freeTexture(): void {
    this.numTextures--;
  }

  /** The bytes at a image's place. */
  read(image: number): number[] {
    const { x, y, layer } = placeOf(image, SIDE);
    const from = (row: number) => (y + row) * this.width + x;
    return Array.from({ length: SIDE }, (_, row) => [
      ...(this.layers[layer]?.subarray(from(row), from(row) + SIDE) ?? []),
    ]).flat();
  }
}

function makePixels(count: number): Uint8Array {
  return Uint8Array.from({ length: count * AREA }, (_, index) => (index * 7919) >> 5);
}

function expectImages(store: StubStore, pixels: Uint8Array): void {
  for (let image = 0; image < pixels.length / AREA; image += 71) {
    const goal = [...pixels.subarray(image * AREA, (image + 1) * AREA)];
    expect(store.read(image)).toEqual(goal);
  }
}

describe('images on the device', () => {
  beforeEach(() => {
    // As browsers have it that do not tell the machine's memory.
    vi.stubGlobal('navigator', {});
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('each lie in a place of their own, whatever is written first', () => {
    const store = new StubStore();
    const pixels = makePixels(200);
    const images = new Images(store, 200, SIDE);
    images.write(pixels.subarray(60 * AREA), 60);
    images.write(pixels.subarray(0, 60 * AREA));
    expectImages(store, pixels);
    images.dispose();
    expect(store.numTextures).toBe(0);
  });

  it('fill layers that every device can hold, one at a time', () => {
    const store = new StubStore();
    const pixels = makePixels(6000);
    const slabs = Slabs.create(store, pixels, SIDE, 2 ** 30);
    expect(store.width).toBeLessThanOrEqual(2048);
    expect(store.height).toBeLessThanOrEqual(2048);
    expect(store.layers).toHaveLength(2);
    expect(slabs?.writeSlab()).toBe(false);
    expect(slabs?.writeSlab()).toBe(true);
    expect(slabs?.writeSlab()).toBe(true);
    expectImages(store, pixels);
    slabs?.dispose();
    expect(store.numTextures).toBe(0);
  });

  it('stay where they are when the device lacks the memory', () => {
    const store = new StubStore();
    const pixels = makePixels(6000);
    expect(Slabs.create(store, pixels, SIDE, 2 ** 22)).toBeNull();
    // A machine with an eighth of a gigabyte.
    vi.stubGlobal('navigator', { deviceMemory: 0.125 });
    expect(Slabs.create(store, pixels, SIDE, 2 ** 30)).toBeNull();
    vi.stubGlobal('navigator', {});
    store.isFull = true;
    expect(Slabs.create(store, pixels, SIDE, 2 ** 30)).toBeNull();
    expect(store.numTextures).toBe(0);
  });
});
