import { describe, expect, it } from 'vitest';
import { fitToSide, sharpen, spreadLevels } from './fit.ts';
import { teePixels } from './testing/paint.ts';
import { trimToEdges } from './trim.ts';

/** The bounding box of what is lit, as [left, top, right, bottom] in whole pixels. */
function litBox(pixels: ArrayLike<number>): number[] {
  const xs: number[] = [];
  const ys: number[] = [];
  for (let i = 0; i < 784; i++) {
    if ((pixels[i] ?? 0) > 0) {
      xs.push(i % 28);
      ys.push(Math.floor(i / 28));
    }
  }
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

describe('fitToSide', () => {
  it('fills 28 pixels on the long side and centres the short one', () => {
    const tones = new Float32Array(200 * 200).fill(100);
    const { pixels } = fitToSide(
      tones,
      { width: 200, height: 200 },
      { left: 20, top: 10, width: 50, height: 100 },
    );
    expect(litBox(pixels)).toEqual([7, 0, 20, 27]);
  });

  it('leaves the wider margin on the left, as the originals do', () => {
    const tones = new Float32Array(28 * 28).fill(100);
    const size = { width: 28, height: 28 };
    const { pixels } = fitToSide(tones, size, { left: 0, top: 0, width: 13, height: 28 });
    expect(litBox(pixels)).toEqual([8, 0, 20, 27]);
  });

  it('keeps a garment one pixel wide', () => {
    const tones = new Float32Array(100 * 100).fill(100);
    const size = { width: 100, height: 100 };
    const { pixels } = fitToSide(tones, size, { left: 0, top: 0, width: 1, height: 100 });
    expect(litBox(pixels)).toEqual([14, 0, 14, 27]);
  });
});

describe('sharpen', () => {
  const size = { width: 280, height: 280 };
  const box = { left: 0, top: 0, width: 280, height: 280 };

  it('changes nothing where averaging lost nothing', () => {
    const tee = teePixels();
    const enlarged = Float32Array.from(
      { length: 280 * 280 },
      (_, i) => tee[Math.floor(i / 2800) * 28 + Math.floor((i % 280) / 10)] ?? 0,
    );
    const fitted = fitToSide(enlarged, size, box);
    const sharpened = sharpen(fitted);
    for (let i = 0; i < 784; i++) expect(sharpened[i]).toBeCloseTo(tee[i] ?? 0, 3);
  });

  it('deepens soft edges, within 0 and 255 and within the garment', () => {
    const soft = Float32Array.from({ length: 280 * 280 }, (_, i) => {
      const x = i % 280;
      return Math.max(0, Math.min(200, (x - 100) * 5));
    });
    const fitted = fitToSide(soft, size, box);
    const sharpened = sharpen(fitted);
    const row = 14 * 28;
    const contrast = (pixels: Float32Array) => (pixels[row + 13] ?? 0) - (pixels[row + 10] ?? 0);
    expect(contrast(sharpened)).toBeGreaterThan(contrast(fitted.pixels));
    expect(
      sharpened.every(
        (tone, i) => tone >= 0 && tone <= 255 && (fitted.pixels[i] !== 0 || tone === 0),
      ),
    ).toBe(true);
  });
});

describe('spreadLevels', () => {
  it('leaves brightness that the data knows', () => {
    const tee = teePixels();
    expect(spreadLevels(Float32Array.from(tee))).toEqual(tee);
  });

  it('lifts what is dimmer than the data', () => {
    const dim = Float32Array.from(teePixels(), (tone) => tone / 4);
    expect(Math.max(...spreadLevels(dim))).toBe(160);
  });

  it('survives all black', () => {
    expect(Math.max(...spreadLevels(new Float32Array(784)))).toBe(0);
  });
});

describe('trimToEdges', () => {
  const width = 140;
  const tonesOf = (profile: (x: number) => number) =>
    Float32Array.from({ length: width * width }, (_, i) => {
      const y = Math.floor(i / width);
      return y >= 20 && y < 120 ? profile(i % width) : 0;
    });
  const box = { left: 20, top: 20, width: 100, height: 100 };

  it('moves in to the middle of a blurred edge', () => {
    const ramp = tonesOf((x) => Math.max(0, Math.min(200, (x - 20) * 50)));
    expect(trimToEdges(ramp, width, box)).toEqual({ ...box, left: 22, width: 98 });
  });

  it('keeps a faint, flat part', () => {
    const faint = tonesOf((x) => (x < 40 ? 12 : 200));
    expect(trimToEdges(faint, width, box)).toEqual(box);
  });
});
