import { describe, expect, it } from 'vitest';
import type { Picture } from '../../image/picture.ts';
import { fillRegion } from './fill.ts';

/** One digit a pixel: its grey level in steps of 25. */
function draw(...rows: string[]): Picture {
  const width = rows[0]?.length ?? 0;
  const data = new Uint8ClampedArray(width * rows.length * 4).fill(255);
  [...rows.join('')].forEach((digit, i) => {
    data.fill(Number(digit) * 25, i * 4, i * 4 + 3);
  });
  return { width, height: rows.length, data };
}

function rowsOf({ width, height, data }: Picture): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => (data[(y * width + x) * 4] ?? 0) / 25).join(''),
  );
}

describe('fillRegion', () => {
  it('fills up to the outline and takes its inner ring with it', () => {
    const picture = draw('9999999', '9000009', '9099909', '9099909', '9000009', '9999999');
    const filled = fillRegion(picture, 3, 2, 50);
    expect(filled && rowsOf(filled)).toEqual([
      '9999999',
      '9022209',
      '9222229',
      '9222229',
      '9022209',
      '9999999',
    ]);
  });

  it('does not leak through a diagonal step', () => {
    const picture = draw('9099', '0999', '9999');
    const filled = fillRegion(picture, 0, 0, 50);
    expect(filled?.data[(2 * 4 + 3) * 4]).toBe(225);
  });

  it('counts half-tones close to the place pressed', () => {
    const filled = fillRegion(draw('9889'), 0, 0, 50);
    expect(filled && rowsOf(filled)).toEqual(['2222']);
  });

  it('leaves its input alone, and the opacity', () => {
    const picture = draw('99', '99');
    const filled = fillRegion(picture, 0, 0, 0);
    expect(rowsOf(picture)).toEqual(['99', '99']);
    expect(filled?.data[3]).toBe(255);
  });

  it('has nothing to do outside, or where the tone is there already', () => {
    expect(fillRegion(draw('99'), 5, 0, 0)).toBeNull();
    expect(fillRegion(draw('99'), 0, -1, 0)).toBeNull();
    expect(fillRegion(draw('22'), 0, 0, 50)).toBeNull();
  });
});
