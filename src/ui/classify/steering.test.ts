import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, type PictureSettings } from '../../image/picture.ts';
import { changedSteps, steer, switchStep, takeBack, turn, UNSTEERED } from './steering.ts';

const crop = { left: 0.1, top: 0.2, width: 0.3, height: 0.4 };

describe('steer', () => {
  it('takes a gesture back as one, and the one before it after that', () => {
    const whole = steer(UNSTEERED, { negate: 'never' }, 'negate');
    const dragging = [0.2, 0.3, 0.4].reduce(
      (before, left) => steer(before, { crop: { ...crop, left } }, 'drag 1'),
      whole,
    );
    const again = steer(dragging, { crop }, 'drag 2');
    expect(again.settings).toMatchObject({ crop, negate: 'never' });
    expect(takeBack(again).settings.crop?.left).toBe(0.4);
    expect(takeBack(takeBack(again))).toEqual(whole);
    expect(takeBack(takeBack(takeBack(again)))).toEqual(UNSTEERED);
    expect(takeBack(UNSTEERED)).toEqual(UNSTEERED);
  });
});

describe('turn', () => {
  it('takes the crop along', () => {
    const turned = turn({ ...DEFAULT_SETTINGS, crop }, 'clockwise');
    expect(turned.quarterTurns).toBe(1);
    // What was 0.2 from the top is now 0.2 from the right.
    expect(turned.crop?.left).toBeCloseTo(1 - 0.2 - 0.4);
    expect(turned.crop?.top).toBeCloseTo(0.1);
    expect(turned.crop?.width).toBeCloseTo(0.4);
    expect(turned.crop?.height).toBeCloseTo(0.3);
  });

  it('is undone by the opposite turn, and by three more', () => {
    const start = { ...DEFAULT_SETTINGS, crop };
    const back = turn({ ...start, ...turn(start, 'clockwise') }, 'anticlockwise');
    expect(back.quarterTurns).toBe(0);
    expect(back.crop?.left).toBeCloseTo(crop.left);
    expect(back.crop?.top).toBeCloseTo(crop.top);
    let settings: PictureSettings = start;
    for (let i = 0; i < 4; i++) settings = { ...settings, ...turn(settings, 'anticlockwise') };
    expect(settings.quarterTurns).toBe(0);
    expect(settings.crop?.top).toBeCloseTo(crop.top);
    expect(turn(DEFAULT_SETTINGS, 'clockwise').crop).toBeNull();
  });
});

describe('changedSteps', () => {
  it('names what a person has changed, and nothing else', () => {
    expect(changedSteps(DEFAULT_SETTINGS)).toEqual([]);
    expect(
      changedSteps({ quarterTurns: 3, crop: null, tolerance: 2, negate: 'auto', off: ['levels'] }),
    ).toEqual(['picture', 'garment', 'levels']);
    expect(
      changedSteps({ ...DEFAULT_SETTINGS, ...switchStep(DEFAULT_SETTINGS, 'fit', false) }),
    ).toEqual(['fit']);
    expect(changedSteps({ ...DEFAULT_SETTINGS, negate: 'always', crop })).toEqual([
      'picture',
      'tones',
    ]);
  });

  it('a step switched off and on again is as it was', () => {
    const without = { ...DEFAULT_SETTINGS, ...switchStep(DEFAULT_SETTINGS, 'fill', false) };
    expect(switchStep(without, 'fill', false)).toEqual({ off: ['fill'] });
    expect(switchStep(without, 'fill', true)).toEqual({ off: [] });
  });
});
