import { describe, expect, it } from 'vitest';
import { keepImages } from './keptImages.ts';

const image = (width: number) => ({ width, height: 1, data: new Uint8ClampedArray(4 * width) });

describe('kept images', () => {
  it('are found by id, replaced and released', () => {
    const kept = keepImages();
    kept.put('a', image(1));
    kept.put('a', image(2));
    expect(kept.get('a')?.width).toBe(2);
    kept.release('a');
    expect(kept.get('a')).toBeNull();
  });

  it('are bounded in number: the one used longest ago goes', () => {
    const kept = keepImages(2);
    kept.put('a', image(1));
    kept.put('b', image(2));
    kept.get('a');
    kept.put('c', image(3));
    expect(['a', 'b', 'c'].map((id) => kept.get(id)?.width ?? null)).toEqual([1, null, 3]);
  });
});
