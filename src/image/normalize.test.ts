import { describe, expect, it } from 'vitest';
import { normalizePicture } from './normalize.ts';
import {
  DEFAULT_SETTINGS,
  type NormalizedPicture,
  type Picture,
  type PictureSettings,
  STEP_NAMES,
} from './picture.ts';
import { paint, teePixels, teeTone } from './testing/paint.ts';

/** The T enlarged, dark on light or light on dark, somewhere on a larger sheet. */
function teeOnSheet(
  scale: number,
  left: number,
  top: number,
  width: number,
  sheet: number,
): Picture {
  return paint(width, width, (x, y) => {
    const tone = teeTone(Math.floor((x - left) / scale), Math.floor((y - top) / scale));
    if (tone === 0) return sheet;
    return sheet > 128 ? 255 - tone : tone;
  });
}

function pixelsOf(result: NormalizedPicture): Uint8Array {
  if (result.kind === 'blank') throw new Error('The picture came out blank.');
  return result.pixels;
}

function worstDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? 0))), 0);
}

describe('normalizePicture', () => {
  it.each([
    ['on white, 3 times the size, off centre', teeOnSheet(3, 7, 41, 160, 255)],
    ['on near-white', teeOnSheet(3, 60, 9, 150, 247)],
    ['light on black', teeOnSheet(4, 20, 30, 180, 0)],
    ['as large as the sheet', teeOnSheet(7, 1, 1, 198, 255)],
  ])('gives the garment back: %s', (_, picture) => {
    // A near-white sheet is taken as white, which stretches the tones by a few levels.
    expect(worstDifference(pixelsOf(normalizePicture(picture)), teePixels())).toBeLessThanOrEqual(
      6,
    );
  });

  it('gives back a picture of the data set itself', () => {
    const tone = (x: number, y: number) => (x >= 8 && x < 20 ? 150 + 3 * y : 0);
    const pixels = Uint8Array.from({ length: 784 }, (_, i) => tone(i % 28, Math.floor(i / 28)));
    expect(worstDifference(pixelsOf(normalizePicture(paint(28, 28, tone))), pixels)).toBe(0);
  });

  it('does not care where the garment lies or how large it is', () => {
    const here = pixelsOf(normalizePicture(teeOnSheet(4, 10, 10, 220, 255)));
    const there = pixelsOf(normalizePicture(teeOnSheet(5, 70, 50, 220, 255)));
    expect(worstDifference(here, there)).toBeLessThanOrEqual(2);
  });

  it.each([
    ['white', paint(200, 200, () => 255)],
    ['black', paint(200, 200, () => 0)],
    ['transparent', paint(200, 200, () => [0, 0, 0, 0])],
    ['one pixel', paint(1, 1, () => 77)],
  ])('says blank of a sheet that is %s', (_, picture) => {
    const result = normalizePicture(picture);
    expect(result.kind).toBe('blank');
    expect(result.steps.map((step) => step.name)).toEqual(['picture']);
  });

  it('shows every step that was taken, small', () => {
    const result = normalizePicture(teeOnSheet(20, 100, 100, 900, 255));
    expect(result.steps.map((step) => step.name)).toEqual([...STEP_NAMES]);
    for (const { picture } of result.steps) {
      const { width, height, data } = picture ?? { width: 999, height: 999, data: [] };
      expect(Math.max(width, height)).toBeLessThanOrEqual(128);
      expect(data.length).toBe(width * height * 4);
    }
    const last = result.steps.at(-1)?.picture;
    const shown = Uint8Array.from({ length: 784 }, (_, i) => last?.data[i * 4] ?? 0);
    expect(shown).toEqual(pixelsOf(result));
  });

  it('draws no steps where nobody sees them, and comes to the same', () => {
    const picture = teeOnSheet(20, 100, 100, 900, 255);
    const seen = normalizePicture(picture);
    const unseen = normalizePicture(picture, DEFAULT_SETTINGS, false);
    expect(unseen).toEqual({
      ...seen,
      steps: seen.steps.map((step) => ({ ...step, picture: null })),
    });
  });

  it('doubts what is faint, tiny, without a border, or hard to tell from what is behind', () => {
    const doubtsAbout = (picture: Picture) => {
      const result = normalizePicture(picture);
      return result.kind === 'garment' ? result.doubts : null;
    };
    expect(doubtsAbout(teeOnSheet(4, 30, 30, 180, 255))).toEqual([]);
    const dot = paint(200, 200, (x, y) => (Math.hypot(x - 100, y - 100) < 6 ? 30 : 255));
    expect(doubtsAbout(dot)).toEqual(['tiny']);
    const pale = paint(100, 100, (x, y) => (x > 30 && x < 70 && y > 20 && y < 80 ? 240 : 250));
    expect(doubtsAbout(pale)).toEqual(['faint']);
    const camouflage = paint(160, 160, (x, y) => {
      const isGarment = x > 50 && x < 110 && y > 30 && y < 130;
      const spots = (x * 37 + y * 91 + x * y * 13) % 160;
      return isGarment ? 40 + spots : 60 + spots;
    });
    expect(doubtsAbout(camouflage)).toContain('busyBackground');
  });

  it('leaves a step out, and takes a garment as a person crops and turns it', () => {
    const picture = teeOnSheet(4, 30, 30, 180, 255);
    const withSettings = (settings: Partial<PictureSettings>) =>
      normalizePicture(picture, { ...DEFAULT_SETTINGS, ...settings });
    // The paler patch of the garment is then the lighter one.
    const kept = pixelsOf(withSettings({ negate: 'never' }));
    expect(kept[16 * 28 + 13]).toBeGreaterThan(kept[2 * 28 + 14] ?? 255);
    const unfitted = withSettings({ off: ['fit'] });
    expect(unfitted.steps.find(({ name }) => name === 'fit')?.state).toBe('off');
    expect(pixelsOf(unfitted)[14]).toBe(0);
    const turned = pixelsOf(withSettings({ quarterTurns: 2 }));
    expect(worstDifference(turned, teePixels().reverse())).toBeLessThanOrEqual(6);
    const corner = withSettings({ crop: { left: 0, top: 0, width: 0.15, height: 0.15 } });
    expect(corner.kind).toBe('blank');
  });

  it('fills a drawn outline and says so', () => {
    const outline = paint(200, 200, (x, y) => {
      const distance = Math.max(Math.abs(x - 100), Math.abs(y - 100));
      return distance > 60 && distance <= 66 ? 40 : 255;
    });
    const result = normalizePicture(outline);
    expect(result.steps.find((step) => step.name === 'fill')?.state).toBe('on');
    expect(pixelsOf(result)[14 * 28 + 14]).toBeGreaterThan(200);
  });

  it('is the same every time and leaves its input alone', () => {
    const picture = teeOnSheet(3, 30, 30, 140, 255);
    const before = picture.data.slice();
    expect(normalizePicture(picture)).toEqual(normalizePicture(picture));
    expect(picture.data).toEqual(before);
  });

  it('takes a photo of 12 megapixels in its stride', () => {
    const width = 4000;
    const height = 3000;
    const data = new Uint8ClampedArray(width * height * 4).fill(255);
    for (let y = 800; y < 2200; y++) data.fill(60, (y * width + 1000) * 4, (y * width + 3000) * 4);
    const photo = { width, height, data };
    const pixels = pixelsOf(normalizePicture(photo));
    expect(pixels.filter((level) => level > 150).length).toBeGreaterThan(28 * 18);
  });
});
