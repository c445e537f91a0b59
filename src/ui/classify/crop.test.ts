import { describe, expect, it } from 'vitest';
import type { Crop } from '../../image/picture.ts';
import { between, describeCrop, gripAt, moveCrop, resizeCrop, unlessWhole, WHOLE } from './crop.ts';

const crop: Crop = { left: 0.2, top: 0.3, width: 0.5, height: 0.4 };
const reach = { x: 0.05, y: 0.05 };

function expectCrop(actual: Crop, expected: Crop): void {
  for (const key of ['left', 'top', 'width', 'height'] as const) {
    expect(actual[key], key).toBeCloseTo(expected[key], 9);
  }
}

describe('between', () => {
  it('does not mind the direction, and ends at the edges', () => {
    expectCrop(between({ x: 0.8, y: -0.2 }, { x: 0.3, y: 0.5 }), {
      left: 0.3,
      top: 0,
      width: 0.5,
      height: 0.5,
    });
    expectCrop(between({ x: 0.9, y: 0.5 }, { x: 1.4, y: 2 }), {
      left: 0.9,
      top: 0.5,
      width: 0.1,
      height: 0.5,
    });
  });

  it('has a least size, also in the corner', () => {
    expectCrop(between({ x: 1, y: 1 }, { x: 1, y: 1 }), {
      left: 0.95,
      top: 0.95,
      width: 0.05,
      height: 0.05,
    });
  });
});

describe('moveCrop', () => {
  it('keeps the size and stays inside', () => {
    expectCrop(moveCrop(crop, { x: 0.1, y: -0.1 }), { ...crop, left: 0.3, top: 0.2 });
    expectCrop(moveCrop(crop, { x: 2, y: -2 }), { ...crop, left: 0.5, top: 0 });
  });
});

describe('resizeCrop', () => {
  it('moves the edges taken hold of and leaves the others', () => {
    expectCrop(resizeCrop(crop, { x: -1, y: 1 }, { x: -0.1, y: 0.2 }), {
      left: 0.1,
      top: 0.3,
      width: 0.6,
      height: 0.6,
    });
    expectCrop(resizeCrop(crop, { x: 0, y: -1 }, { x: 0.3, y: 0.1 }), {
      left: 0.2,
      top: 0.4,
      width: 0.5,
      height: 0.3,
    });
  });

  it('does not turn inside out nor leave the picture', () => {
    expectCrop(resizeCrop(crop, { x: -1, y: 0 }, { x: 3, y: 0 }), {
      ...crop,
      left: 0.65,
      width: 0.05,
    });
    expectCrop(resizeCrop(crop, { x: 1, y: 1 }, { x: 3, y: 3 }), {
      ...crop,
      width: 0.8,
      height: 0.7,
    });
  });
});

describe('gripAt', () => {
  it('knows corners, edges, inside and outside', () => {
    expect(gripAt(crop, { x: 0.21, y: 0.69 }, reach)).toEqual({ x: -1, y: 1 });
    expect(gripAt(crop, { x: 0.72, y: 0.5 }, reach)).toEqual({ x: 1, y: 0 });
    expect(gripAt(crop, { x: 0.4, y: 0.5 }, reach)).toBe('inside');
    expect(gripAt(crop, { x: 0.8, y: 0.5 }, reach)).toBeNull();
  });

  it('leaves the middle of a small rectangle for moving it', () => {
    const small: Crop = { left: 0.4, top: 0.4, width: 0.06, height: 0.06 };
    expect(gripAt(small, { x: 0.43, y: 0.43 }, reach)).toBe('inside');
  });
});

it('takes almost everything for the whole picture', () => {
  expect(unlessWhole(WHOLE)).toBeNull();
  expect(unlessWhole({ left: 0.002, top: 0, width: 0.997, height: 1 })).toBeNull();
  expect(unlessWhole(crop)).toBe(crop);
});

it('is told in numbers', () => {
  expect(describeCrop(crop)).toBe(
    '50 % of the width and 40 % of the height, from 20 % left and 30 % top',
  );
});
