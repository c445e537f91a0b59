import { describe, expect, it } from 'vitest';
import { paint } from './testing/paint.ts';
import { cropPicture, turnBack, turnPicture } from './turn.ts';

const TURNS = [0, 1, 2, 3] as const;

/** Every pixel of a colour of its own. */
const picture = paint(8, 4, (x, y) => 10 * x + y);

describe('turnPicture', () => {
  it('brings the left column to the top, bottom first, by a quarter turn', () => {
    const turned = turnPicture(picture, 1);
    expect([turned.width, turned.height]).toEqual([4, 8]);
    expect([0, 1, 2, 3].map((x) => turned.data[x * 4])).toEqual([3, 2, 1, 0]);
  });

  it('is back where it was after four quarter turns', () => {
    let turned = picture;
    for (let i = 0; i < 4; i++) turned = turnPicture(turned, 1);
    expect(turned).toEqual(picture);
    expect(turnPicture(turnPicture(picture, 1), 3)).toEqual(picture);
    expect(turnPicture(turnPicture(picture, 1), 1)).toEqual(turnPicture(picture, 2));
  });
});

describe('cropPicture', () => {
  it.each(TURNS)('takes the same pixels before %i turns as after', (turns) => {
    const crop = { left: 0.5, top: 0.25, width: 0.5, height: 0.5 };
    const after = cropPicture(turnPicture(picture, turns), crop);
    const before = turnPicture(cropPicture(picture, turnBack(crop, turns)), turns);
    expect(before).toEqual(after);
  });

  it('keeps at least one pixel and stays within the picture', () => {
    const beside = cropPicture(picture, { left: 1, top: 1, width: 0, height: 0 });
    expect([beside.width, beside.height]).toEqual([1, 1]);
    const over = cropPicture(picture, { left: -1, top: -1, width: 9, height: 9 });
    expect(over).toEqual(picture);
  });
});
