import { describe, expect, it } from 'vitest';
import { FASHION_MNIST } from '../src/fashion.ts';
import type { Picture } from '../src/image/picture.ts';
import { drawGarment, type Style, scoreDrawings } from './drawings.ts';

const LABELS = Array.from({ length: FASHION_MNIST.classNames.length }, (_, label) => label);

/** Share of the sheet that is not paper. */
function inkOf({ data }: Picture): number {
  let inked = 0;
  for (let i = 0; i < data.length; i += 4) if ((data[i] ?? 255) < 250) inked += 1;
  return inked / (data.length / 4);
}

function greyAt({ width, data }: Picture, x: number, y: number): number {
  return data[(y * width + x) * 4] ?? -1;
}

describe('drawGarment', () => {
  it('repeats from its seed, and varies with it', () => {
    for (const label of LABELS) {
      const bytesOf = (seed: number) => Buffer.from(drawGarment(label, 'filled', seed).data);
      expect(bytesOf(5).equals(bytesOf(5))).toBe(true);
      expect(bytesOf(6).equals(bytesOf(5))).toBe(false);
    }
  });

  it('leaves paper all around, and covers more of it when filled', () => {
    for (const label of LABELS) {
      for (const seed of [1, 2, 3]) {
        const [filled, outlined] = (['filled', 'outlined'] as const).map((style: Style) => {
          const picture = drawGarment(label, style, seed);
          for (let at = 0; at < picture.width; at++) {
            expect(greyAt(picture, at, 0) + greyAt(picture, 0, at)).toBe(510);
            expect(greyAt(picture, at, 335) + greyAt(picture, 335, at)).toBe(510);
          }
          return inkOf(picture);
        });
        expect(filled).toBeGreaterThan(0.01);
        expect(filled).toBeLessThan(0.7);
        // Sandals are nearly all strap, drawn as two lines or filled between them.
        if (label !== 5) expect(outlined).toBeLessThan((filled ?? 0) * 1.3);
      }
    }
  });

  it('is opaque and grey', () => {
    const { data } = drawGarment(8, 'filled', 1);
    for (let i = 0; i < data.length; i += 4) {
      expect([data[i + 1], data[i + 2], data[i + 3]]).toEqual([data[i], data[i], 255]);
      if (i > 40_000) break;
    }
  });

  it('knows ten classes', () => {
    expect(() => drawGarment(10, 'filled', 1)).toThrow('There is no class 10 to draw.');
  });
});

describe('scoreDrawings', () => {
  it('counts by class, and names the rival', async () => {
    let asked = 0;
    const scores = await scoreDrawings(async (pictures) => {
      // Asked for one class after the other: the first is taken for the next, the rest are right.
      const label = asked++ % FASHION_MNIST.classNames.length;
      return pictures.map((_, i) => (label === 0 || i > 0 ? Math.max(label, 1) : -1));
    }, 4);
    expect(scores.map(({ style }) => style)).toEqual(['filled', 'outlined']);
    expect(scores[0]?.classes[0]).toEqual({ name: 'T-shirt/top', top1: 0, rival: 'Trouser' });
    expect(scores[0]?.classes[9]).toEqual({ name: 'Ankle boot', top1: 0.75, rival: 'no answer' });
    expect(scores[0]?.top1).toBeCloseTo(0.9 * 0.75);
  });
});
