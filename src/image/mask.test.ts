import { describe, expect, it } from 'vitest';
import { boxOf, close, fillHoles, keepLargest, keepTouching, type Mask, open } from './mask.ts';

function draw(...rows: string[]): Mask {
  const width = rows[0]?.length ?? 0;
  const inside = Uint8Array.from(rows.join(''), (sign) => (sign === '#' ? 1 : 0));
  return { width, height: rows.length, inside };
}

function rowsOf({ width, height, inside }: Mask): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from(inside.subarray(y * width, (y + 1) * width), (v) => (v ? '#' : '.')).join(''),
  );
}

describe('morphology', () => {
  it('opens: specks and hairs go, the body keeps its shape', () => {
    const mask = draw('#.......', '...###..', '...####.', '...###..', '........', '######..');
    expect(rowsOf(open(mask, 1))).toEqual([
      '........',
      '...###..',
      '...###..',
      '...###..',
      '........',
      '........',
    ]);
  });

  it('closes: a gap one pixel wide is bridged, the outline stays', () => {
    const mask = draw('.......', '.##.##.', '.##.##.', '.##.##.', '.......');
    expect(rowsOf(close(mask, 1))).toEqual(['.......', '.#####.', '.#####.', '.#####.', '.......']);
  });

  it('does not erode a garment where the picture cuts it off', () => {
    const mask = draw('####', '####', '####');
    expect(rowsOf(open(mask, 1))).toEqual(['####', '####', '####']);
  });
});

describe('regions', () => {
  const parts = draw('##..#', '##...', '....#', '...##');

  it('keeps the largest', () => {
    expect(rowsOf(keepLargest(parts, 1))).toEqual(['##...', '##...', '.....', '.....']);
  });

  it('keeps all of a given share', () => {
    expect(rowsOf(keepLargest(parts, 0.5))).toEqual(['##...', '##...', '....#', '...##']);
  });

  it('keeps those that hold a seed', () => {
    const seeds = draw('.....', '.....', '.....', '....#');
    expect(rowsOf(keepTouching(parts, seeds))).toEqual(['.....', '.....', '....#', '...##']);
  });

  it('fills what is enclosed, and not what reaches the edge', () => {
    const mask = draw('.......', '.#####.', '.#...#.', '.#####.', '.#...#.', '.#...#.');
    expect(rowsOf(fillHoles(mask))).toEqual([
      '.......',
      '.#####.',
      '.#####.',
      '.#####.',
      '.#...#.',
      '.#...#.',
    ]);
  });

  it('counts a diagonal step as a wall', () => {
    const ring = draw('.....', '..#..', '.#.#.', '..#..', '.....');
    expect(rowsOf(fillHoles(ring))[2]).toBe('.###.');
  });

  it('finds the box', () => {
    expect(boxOf(draw('....', '.##.', '..#.'))).toEqual({ left: 1, top: 1, width: 2, height: 2 });
    expect(boxOf(draw('....', '....'))).toBeNull();
  });
});
