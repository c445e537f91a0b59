import { describe, expect, it } from 'vitest';
import { estimateBackground } from './background.ts';
import { segmentGarment } from './segment.ts';
import { type Color, paint } from './testing/paint.ts';
import { fillOutline, mustNegate, toTones } from './tone.ts';

const isGarment = (x: number, y: number) => x >= 12 && x < 88 && y >= 12 && y < 88;

/** A square garment on a background, segmented. */
function scene(garment: number | Color, behind: number | Color) {
  const picture = paint(100, 100, (x, y) => (isGarment(x, y) ? garment : behind));
  const background = estimateBackground(picture);
  const mask = segmentGarment(picture, background, 1)?.mask;
  if (!mask) throw new Error('The scene is blank.');
  return { picture, background, mask, negate: mustNegate(picture, mask, background) };
}

describe('mustNegate', () => {
  it('negates a dark garment on white, though it fills most of the picture', () => {
    expect(scene(40, 250).negate).toBe(true);
  });

  it('leaves what is light on black', () => {
    expect(scene(200, 0).negate).toBe(false);
  });

  it('negates a light garment on a coloured floor: light garments are dim in the data', () => {
    expect(scene(230, [150, 90, 60]).negate).toBe(true);
  });
});

describe('toTones', () => {
  it('maps white to black and the garment to its complement', () => {
    const { picture, mask, background, negate } = scene(55, 255);
    const tones = toTones(picture, mask, background, negate);
    expect(tones[0]).toBe(0);
    expect(tones[50 * 100 + 50]).toBeCloseTo(200, 3);
  });

  it('takes a greyish sheet as white', () => {
    const { picture, mask, background, negate } = scene(100, 200);
    expect(toTones(picture, mask, background, negate)[5050]).toBeCloseTo(127.5, 3);
  });

  it('keeps the levels of a picture that is light on black', () => {
    const { picture, mask, background, negate } = scene(180, 0);
    expect(toTones(picture, mask, background, negate)[5050]).toBeCloseTo(180, 3);
  });
});

describe('fillOutline', () => {
  const square = (line: number) => {
    const picture = paint(100, 100, (x, y) => {
      const isInner = x >= 12 + line && x < 88 - line && y >= 12 + line && y < 88 - line;
      return isGarment(x, y) && !isInner ? 60 : 255;
    });
    const background = estimateBackground(picture);
    const mask = segmentGarment(picture, background, 1)?.mask;
    if (!mask) throw new Error('The scene is blank.');
    return { tones: toTones(picture, mask, background, true), mask };
  };

  it('fills a contour with the tone of its line', () => {
    const { tones, mask } = square(4);
    const filled = fillOutline(tones, mask);
    expect(filled?.[50 * 100 + 50]).toBeCloseTo(195, 3);
    expect(filled?.[0]).toBe(0);
  });

  it('leaves a bag with a hole under its handle as it is', () => {
    const { tones, mask } = square(14);
    expect(fillOutline(tones, mask)).toBeNull();
  });
});
