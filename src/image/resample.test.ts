import { describe, expect, it } from 'vitest';
import { averageArea, shrinkPicture } from './resample.ts';
import { paint } from './testing/paint.ts';

const whole = (width: number, height: number) => ({ left: 0, top: 0, width, height });

describe('averageArea', () => {
  it('takes the mean of whole blocks', () => {
    const source = Float32Array.of(0, 10, 20, 30, 40, 50, 60, 70);
    const result = averageArea(source, { width: 4, height: 2, channels: 1 }, whole(4, 2), 2, 1);
    expect([...result]).toEqual([25, 45]);
  });

  it('weights pixels that a cell only partly covers', () => {
    const source = Float32Array.of(0, 90, 30);
    const result = averageArea(source, { width: 3, height: 1, channels: 1 }, whole(3, 1), 2, 1);
    expect([...result]).toEqual([30, 50]);
  });

  it('keeps a picture of the same size as it is', () => {
    const source = Float32Array.from({ length: 28 * 28 }, (_, i) => (i * 37) % 256);
    const size = { width: 28, height: 28, channels: 1 };
    expect(averageArea(source, size, whole(28, 28), 28, 28)).toEqual(source);
  });

  it('enlarges by repeating', () => {
    const size = { width: 2, height: 1, channels: 1 };
    const result = averageArea(Float32Array.of(5, 9), size, whole(2, 1), 4, 1);
    expect([...result]).toEqual([5, 5, 9, 9]);
  });
});

describe('shrinkPicture', () => {
  it('brings the longest edge to the wanted length and keeps the proportions', () => {
    const small = shrinkPicture(
      paint(4000, 3000, () => 100),
      256,
    );
    expect([small.width, small.height]).toEqual([256, 192]);
    expect(small.data.every((value, i) => value === (i % 4 === 3 ? 255 : 100))).toBe(true);
  });

  it('leaves small pictures alone', () => {
    const picture = paint(30, 20, (x) => x);
    expect(shrinkPicture(picture, 256)).toBe(picture);
  });

  it('keeps edges where they are, also in the coarse pass', () => {
    const small = shrinkPicture(
      paint(1000, 500, (x) => (x < 500 ? 0 : 255)),
      100,
    );
    for (let x = 0; x < 100; x++) {
      expect(small.data[(25 * 100 + x) * 4]).toBe(x < 50 ? 0 : 255);
    }
  });

  it('does not let transparent pixels colour their neighbours', () => {
    const picture = paint(400, 400, (x) => (x % 2 === 0 ? [200, 10, 10] : [0, 255, 0, 0]));
    const small = shrinkPicture(picture, 200);
    expect([...small.data.subarray(0, 4)]).toEqual([200, 10, 10, 128]);
  });

  it('survives a picture one pixel high', () => {
    const small = shrinkPicture(
      paint(5000, 1, () => 7),
      256,
    );
    expect([small.width, small.height]).toEqual([256, 1]);
    expect(small.data[0]).toBe(7);
  });
});
