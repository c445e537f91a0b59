import { expect, it } from 'vitest';
import { FASHION_MNIST } from '../../fashion.ts';
import { DEFAULT_SETTINGS } from '../../image/picture.ts';
import type { Verdict } from '../../ml/spec/verdict.ts';
import { toCsv } from './batchCsv.ts';
import { UNSTEERED } from './steering.ts';
import type { Upload } from './uploads.ts';

const shown: ImageBitmap = { width: 1, height: 1, close: () => {} };

function answered(
  name: string,
  steering = UNSTEERED,
  verdict: Verdict = { kind: 'leaning', label: 3, rivals: [1] },
): Upload {
  return {
    id: name,
    file: new File([], name),
    steering,
    state: {
      phase: 'answered',
      shown,
      classification: {
        kind: 'garment',
        pixels: new Uint8Array(784),
        doubts: ['busyBackground', 'tiny'],
        steps: [],
        verdict,
        probabilities: Float32Array.from([0, 0.25, 0, 0.75, 0, 0, 0, 0, 0, 0]),
        elapsedMs: 1,
      },
    },
  };
}

const refused = (name: string, reason: string): Upload => ({
  id: name,
  file: new File([], name),
  steering: UNSTEERED,
  state: { phase: 'refused', reason },
});

const lines = (csv: string) => csv.split('\r\n');

it('has headings, and a line with ten probabilities for each picture', () => {
  const [head, row, end] = lines(toCsv([answered('dress.png')], FASHION_MNIST));
  expect(head).toBe(
    'file,answer,confidence,T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot,in words,doubts,steps changed by hand,error',
  );
  expect(row).toBe(
    'dress.png,Dress,0.750000,0.000000,0.250000,0.000000,0.750000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,"Leaning towards a dress, perhaps a pair of trousers.",busyBackground tiny,,',
  );
  expect(end).toBe('');
});

it('gives no answer where the model gives none, but all its probabilities', () => {
  const [, row] = lines(
    toCsv(
      [answered('cat.png', UNSTEERED, { kind: 'cannotSay', reason: 'unfamiliar' })],
      FASHION_MNIST,
    ),
  );
  expect(row).toMatch(/^cat\.png,,,0\.000000,0\.250000,/);
  expect(row).toContain('Cannot say: this looks like none of the ten.');
});

it('tells what was changed by hand, and what failed', () => {
  const steering = {
    settings: { ...DEFAULT_SETTINGS, quarterTurns: 1, off: ['fit'] },
    past: [],
  } as const;
  const csv = lines(
    toCsv(
      [
        answered('turned.png', steering),
        refused('x.png', 'It is empty.'),
        { ...refused('y.png', ''), state: { phase: 'waiting' } },
      ],
      FASHION_MNIST,
    ),
  );
  expect(csv[1]).toMatch(/,picture fit,$/);
  expect(csv[2]).toBe(`x.png${','.repeat(16)}It is empty.`);
  // The one that waits is not there yet.
  expect(csv).toHaveLength(4);
});

it('quotes commas, quotes and line breaks', () => {
  const csv = toCsv([refused('a, "b"\n.png', 'No.')], FASHION_MNIST);
  expect(csv).toContain('\r\n"a, ""b""\n.png",');
});

it.each(['=1+1.png', '+1.png', '-1.png', '@sum.png', '\tx.png'])(
  'lets no spreadsheet take the name %j for a formula',
  (name) => {
    expect(lines(toCsv([refused(name, 'No.')], FASHION_MNIST))[1]).toMatch(/^'/);
  },
);

it('quotes a formula that would leave its cell', () => {
  expect(lines(toCsv([refused('=cmd(",").png', 'No.')], FASHION_MNIST))[1]).toMatch(
    /^"'=cmd\("",""\)\.png",/,
  );
});
