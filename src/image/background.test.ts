import { describe, expect, it } from 'vitest';
import { estimateBackground, flattenPicture, isPlain, paintBackground } from './background.ts';
import { paint } from './testing/paint.ts';

describe('flattenPicture', () => {
  it('returns an opaque picture as it is', () => {
    const picture = paint(4, 4, () => 9);
    expect(flattenPicture(picture)).toBe(picture);
  });

  it('lays a cut-out on white', () => {
    const flat = flattenPicture(paint(2, 1, (x) => (x === 0 ? [40, 40, 40] : [0, 0, 0, 0])));
    expect([...flat.data]).toEqual([40, 40, 40, 255, 255, 255, 255, 255]);
  });

  it('lays a nearly white cut-out on black, where it can be seen', () => {
    const flat = flattenPicture(paint(2, 1, (x) => (x === 0 ? [240, 240, 240] : [0, 0, 0, 0])));
    expect([...flat.data]).toEqual([240, 240, 240, 255, 0, 0, 0, 255]);
  });

  it('mixes half-transparent edges with the sheet', () => {
    const flat = flattenPicture(paint(1, 1, () => [0, 0, 0, 128]));
    expect(flat.data[0]).toBe(127);
  });
});

describe('estimateBackground', () => {
  it('reads the colour of the border, whatever fills the middle', () => {
    const picture = paint(60, 60, (x, y) =>
      x > 4 && x < 55 && y > 4 && y < 55 ? [10, 10, 10] : [200, 180, 160],
    );
    const background = estimateBackground(picture);
    expect(background.color).toEqual([200, 180, 160]);
    expect(background.spread).toBe(0);
  });

  it('is not moved by a garment that leaves the picture at the bottom', () => {
    const picture = paint(60, 60, (x, y) => (x > 20 && x < 40 && y > 10 ? 20 : 230));
    expect(estimateBackground(picture).color).toEqual([230, 230, 230]);
  });

  it('tells a plain backdrop from a busy one', () => {
    expect(isPlain(estimateBackground(paint(50, 50, (x) => 240 + (x % 3))))).toBe(true);
    const checks = paint(50, 50, (x, y) => (((x >> 2) + (y >> 2)) % 2 === 0 ? 90 : 160));
    expect(isPlain(estimateBackground(checks))).toBe(false);
  });
});

describe('a shaded backdrop', () => {
  /** Light that falls off to one side and towards the corners. */
  const shade = (x: number, y: number) => 230 - 0.2 * x - 0.001 * (x - 60) ** 2 - 0.002 * y * y;
  const withGarment = paint(120, 100, (x, y) =>
    // It leaves the picture at the bottom, as many do.
    x > 40 && x < 80 && y > 20 ? [90, 30, 40] : [shade(x, y), shade(x, y), shade(x, y) - 10],
  );

  it('is plain, and known behind the garment too', () => {
    const background = estimateBackground(withGarment);
    expect(isPlain(background)).toBe(true);
    const painted = paintBackground(background, withGarment);
    for (const [x, y] of [
      [5, 5],
      [60, 60],
      [110, 90],
    ] as const) {
      expect(Math.abs((painted[(y * 120 + x) * 3] ?? 0) - shade(x, y))).toBeLessThan(4);
    }
  });

  it('is not what a carpet is taken for', () => {
    const carpet = paint(120, 100, (x, y) => ((x * 31 + y * 17) % 7) * 25);
    expect(estimateBackground(carpet).shading).toBeNull();
    expect(isPlain(estimateBackground(carpet))).toBe(false);
  });
});
