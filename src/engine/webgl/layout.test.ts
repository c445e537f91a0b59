import { describe, expect, it } from 'vitest';
import { emptyLines, fillRegion, RegionPlan } from './parameters.ts';
import { layOut, layOutMatrix } from './volume.ts';

const GUARANTEED_SIDE = 2048;

describe('how numbers lie in textures', () => {
  it('puts four pixels of a row and four channels at a place', () => {
    const layout = layOut([3, 11, 13, 10], GUARANTEED_SIDE);
    expect([layout.blocks, layout.groups]).toEqual([4, 3]);
    expect([layout.textureWidth, layout.textureHeight]).toEqual([4 * 3, 3 * 11]);
  });

  it('puts images side by side where the texture would be too high', () => {
    const layout = layOut([1024, 28, 28, 32], GUARANTEED_SIDE);
    expect(layout.textureHeight).toBeLessThanOrEqual(GUARANTEED_SIDE);
    expect(layout.textureWidth).toBeLessThanOrEqual(GUARANTEED_SIDE);
    const places = layout.textureWidth * layout.textureHeight;
    expect(places).toBeGreaterThanOrEqual(1024 * 28 * layout.blocks * layout.groups);
  });

  it('takes four rows of a matrix for a image', () => {
    const { batch, width, channels } = layOutMatrix(64, 1600, GUARANTEED_SIDE);
    expect([batch, width, channels]).toEqual([16, 4, 1600]);
  });

  it('keeps the matrices of a network apart', () => {
    const plan = new RegionPlan();
    const first = plan.add(3, 6);
    const second = plan.add(2, 1500);
    const lines = emptyLines(plan.numLines);
    fillRegion(lines, { region: first, firstRow: 0, depth: 3 }, new Array(18).fill(1));
    fillRegion(lines, { region: second, firstRow: 1, depth: 1 }, new Array(1500).fill(2));
    expect(lines.filter((value) => value === 1)).toHaveLength(18);
    expect(lines.filter((value) => value === 2)).toHaveLength(1500);
    // Columns are filled up to fours: row 1 starts two texels on.
    expect([...lines.subarray(8, 16)]).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
    expect(second.firstLine).toBe(first.numLines);
  });
});
