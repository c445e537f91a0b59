import { expect, it } from 'vitest';
import { sortUploads } from './order.ts';
import { UNSTEERED } from './steering.ts';
import type { Upload } from './uploads.ts';

function upload(name: string, confidence: number | null): Upload {
  return {
    id: name,
    file: new File([], name),
    steering: UNSTEERED,
    state:
      confidence === null
        ? { phase: 'refused', reason: 'It is empty.' }
        : {
            phase: 'answered',
            shown: { width: 1, height: 1, close: () => {} },
            classification: {
              kind: 'garment',
              pixels: new Uint8Array(784),
              doubts: [],
              steps: [],
              verdict: { kind: 'sure', label: 0 },
              probabilities: Float32Array.from([confidence, 1 - confidence]),
              elapsedMs: 1,
            },
          },
  };
}

const uploads = [upload('b10', 0.6), upload('a', null), upload('b9', 0.9), upload('C', 0.7)];
const names = (column: 'name' | 'confidence', direction: 'ascending' | 'descending') =>
  sortUploads(uploads, { column, direction }).map(({ file }) => file.name);

it('sorts by name as people do', () => {
  expect(names('name', 'ascending')).toEqual(['a', 'b9', 'b10', 'C']);
  expect(names('name', 'descending')).toEqual(['C', 'b10', 'b9', 'a']);
});

it('sorts by confidence, with what has none at the end either way', () => {
  expect(names('confidence', 'descending')).toEqual(['b9', 'C', 'b10', 'a']);
  expect(names('confidence', 'ascending')).toEqual(['b10', 'C', 'b9', 'a']);
});

it('leaves them as they came', () => {
  expect(sortUploads(uploads, null)).toBe(uploads);
});
