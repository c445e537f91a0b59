import { describe, expect, it } from 'vitest';
import { emptyLines, fillRegion, RegionPlan } from './parameters.ts';
import { layOut, layOutMatrix, rowsOf } from './volume.ts';

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

  it('counts the rows of a matrix that are no multiple of 4', () => {
    for (const rows of [1, 4, 63, 64, 65]) {
      const layout = layOutMatrix(rows, 10, GUARANTEED_SIDE);
      expect(rowsOf(layout)).toBe(rows);
      expect(layout.lastWidth).toBeLessThanOrEqual(layout.width);
    }
  });

  it('fills the channels of a filter up to fours, pixel by pixel', () => {
    const plan = new RegionPlan();
    // 1×2 pixels of 3 channels, 2 filters, and the bias.
    const region = plan.add(2 * 4 + 1, 2);
    const lines = emptyLines(plan.numLines);
    const values = Array.from({ length: 2 * 3 * 2 }, (_, index) => index + 1);
    fillRegion(lines, { region, firstRow: 0, depth: 3 }, values);
    fillRegion(lines, { region, firstRow: 8, depth: 1 }, [91, 92]);
    const rows = Array.from({ length: 9 }, (_, row) => [...lines.subarray(row * 4, row * 4 + 2)]);
    expect(rows.flat()).toEqual([1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0, 91, 92]);
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
