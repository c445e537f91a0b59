import { describe, expect, it } from 'vitest';
import { estimateBackground, paintBackground } from './background.ts';
import { frameOf, guessOutline, readFrame } from './outline.ts';
import { FRAME_CHANNELS, FRAME_SIDE } from './outlineNetwork.ts';
import { distanceFrom } from './segment.ts';
import { type Color, paint } from './testing/paint.ts';

const WIDTH = 160;
const HEIGHT = 120;

function look(at: (x: number, y: number) => number | Color) {
  const picture = paint(WIDTH, HEIGHT, at);
  const behind = paintBackground(estimateBackground(picture), picture);
  return { picture, behind, distance: distanceFrom(behind, picture) };
}

const isShirt = (x: number, y: number) => x >= 40 && x < 80 && y >= 30 && y < 90;

describe('frameOf', () => {
  it('is a square around what clearly stands out, with room for what does not, and no speck', () => {
    const { picture, distance } = look((x, y) =>
      isShirt(x, y) || (x === 140 && y < 4) ? 30 : x > 100 ? 136 : 128,
    );
    expect(frameOf(picture, distance, 0)).toEqual({ left: 60 - 39, top: 60 - 39, side: 78 });
  });

  it('is a square around the whole picture where nothing stands out', () => {
    const { picture, distance } = look(() => 128);
    expect(frameOf(picture, distance, 0)).toEqual({ left: 80 - 104, top: 60 - 104, side: 208 });
  });
});

describe('readFrame', () => {
  it('shows lightness and distance in their units, and nothing beyond the picture', () => {
    const { picture, behind } = look((x, y) => (isShirt(x, y) ? 68 : 128));
    const frame = readFrame(picture, behind, { left: -20, top: 20, side: 112 });
    const at = (x: number, y: number) => [
      ...frame.subarray(
        (y * FRAME_SIDE + x) * FRAME_CHANNELS,
        (y * FRAME_SIDE + x + 1) * FRAME_CHANNELS,
      ),
    ];
    // Two pixels of the picture to a place: x from -20, y from 20.
    const [lightness, away] = at(40, 20);
    expect(lightness).toBeCloseTo(-60 / 40, 5);
    expect(away).toBeCloseTo((60 * Math.sqrt(3)) / 60, 5);
    expect(at(15, 20)).toEqual([0, 0]);
    expect(at(5, 20)).toEqual([0, 0]);
  });

  it('averages colours, so that grain cancels out', () => {
    const { picture, behind } = look((x, y) => (isShirt(x, y) ? ((x + y) % 2 ? 40 : 56) : 88));
    const frame = readFrame(picture, behind, { left: 4, top: 4, side: 112 });
    const at = (24 * FRAME_SIDE + 24) * FRAME_CHANNELS;
    expect(frame[at]).toBeCloseTo(-1, 5);
    expect(frame[at + 1]).toBeCloseTo((40 * Math.sqrt(3)) / 60, 5);
  });
});

describe('guessOutline', () => {
  it('tells a dark shirt from grey paper, pixel by pixel of the picture', () => {
    const { picture, behind, distance } = look((x, y) => (isShirt(x, y) ? 40 : 140));
    const odds = guessOutline(picture, behind, frameOf(picture, distance, 0));
    expect(odds).toHaveLength(WIDTH * HEIGHT);
    const at = (x: number, y: number) => odds[y * WIDTH + x] ?? Number.NaN;
    expect(at(60, 60)).toBeGreaterThan(2);
    expect(at(10, 10)).toBeLessThan(-2);
    expect(at(150, 100)).toBeLessThan(-2);
  });
});
