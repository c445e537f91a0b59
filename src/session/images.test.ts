import { describe, expect, it } from 'vitest';
import type { Picture, PictureSettings } from '../image/picture.ts';
import type { Classification } from '../ml/spec/verdict.ts';
import type { AskedImage, ModelWorkerApi } from '../worker/model.worker.ts';
import { createTestStore, dataInfo, later, playHost, untilAborted } from './fixtures.ts';
import { createImages } from './images.ts';

const blank: Classification = {
  kind: 'blank',
  steps: [],
  verdict: { kind: 'cannotSay', reason: 'blank' },
};

const image = (width: number): Picture => ({
  width,
  height: 1,
  data: new Uint8ClampedArray(4 * width),
});

const widthOf = ({ source }: AskedImage) =>
  source && !(source instanceof File) ? source.width : null;

function play(api: Partial<ModelWorkerApi>) {
  const store = createTestStore({ data: { phase: 'ready', info: dataInfo, note: null } });
  const { host } = playHost({ releaseImage: () => {}, ...api });
  return createImages(store, host);
}

/** A worker that keeps what it is given, until it forgets. */
function playKeeping() {
  const kept = new Set<string>();
  const log: (string | null)[] = [];
  const images = play({
    async classify(asked, settings) {
      if (asked.source) kept.add(asked.id);
      log.push(`${asked.id} ${widthOf(asked) ?? '–'} ${settings?.tolerance ?? ''}`.trim());
      return kept.has(asked.id) ? blank : 'missing';
    },
  });
  return { images, log, forget: () => kept.clear() };
}

const settingsOf = (tolerance: number) => ({ tolerance }) as PictureSettings;

describe('an image', () => {
  it('is handed over once, after which only settings travel', async () => {
    const { images, log } = playKeeping();
    images.putImage('a', () => image(7));
    await images.classify('a');
    await images.classify('a', settingsOf(2));
    await images.classify('a', settingsOf(3));
    expect(log).toEqual(['a 7', 'a – 2', 'a – 3']);
  });

  it('is handed over again when it changes, and where the worker has it no longer', async () => {
    const { images, log, forget } = playKeeping();
    images.putImage('a', () => image(7));
    await images.classify('a');
    images.putImage('a', () => image(8));
    await images.classify('a');
    forget();
    expect(await images.classify('a', settingsOf(2))).toEqual(blank);
    expect(log).toEqual(['a 7', 'a 8', 'a – 2', 'a 8 2']);
  });

  it('is handed over again after a question that failed', async () => {
    const widths: (number | null)[] = [];
    const images = play({
      async classify(asked) {
        widths.push(widthOf(asked));
        if (widths.length === 1) throw new Error('There is no model yet.');
        return blank;
      },
    });
    images.putImage('a', () => image(7));
    await expect(images.classify('a')).rejects.toThrow('no model');
    expect(await images.classify('a')).toEqual(blank);
    expect(widths).toEqual([7, 7]);
  });

  it('is answered for the latest of many questions; those overtaken get null', async () => {
    const seen: (number | undefined)[] = [];
    const images = play({
      classify: async (_asked, settings) => {
        seen.push(settings?.tolerance);
        return blank;
      },
    });
    images.putImage('a', () => image(1));
    const answers = await Promise.all(
      [1, 2, 3, 4].map((tolerance) => images.classify('a', settingsOf(tolerance))),
    );
    expect(answers.map((answer) => answer?.kind ?? null)).toEqual(['blank', null, null, 'blank']);
    expect(seen).toEqual([1, 4]);
  });

  it('is asked about beside another, each with its own latest question', async () => {
    const { images } = playKeeping();
    images.putImage('a', () => image(1));
    images.putImage('b', () => image(2));
    const answers = await Promise.all([images.classify('a'), images.classify('b')]);
    expect(answers).toEqual([blank, blank]);
  });

  it('is forgotten when it is released, and a question about it stops in the worker', async () => {
    const released: string[] = [];
    const begun = later<AbortSignal>();
    const images = play({
      classify(_asked, _settings, _areStepsSeen, signal) {
        begun.resolve(signal);
        return untilAborted(signal);
      },
      releaseImage: (id) => void released.push(id),
    });
    images.putImage('a', () => image(1));
    const answer = images.classify('a');
    const signal = await begun.promise;
    images.releaseImage('a');
    expect(await answer).toBeNull();
    await expect.poll(() => signal.aborted).toBe(true);
    await expect.poll(() => released).toEqual(['a']);
    await expect(images.classify('a')).rejects.toThrow('no image');
  });
});

describe('lookalikes', () => {
  it('come from the data in use; a later question aborts the one before', async () => {
    const found = { pixels: new Uint8Array(784), rows: new Uint32Array([3]), numCompared: 4 };
    const begun = later<AbortSignal>();
    const asked: unknown[] = [];
    const images = play({
      lookalikes(data, _pixels, label, count, signal) {
        asked.push([data, label, count]);
        if (label === 4) return Promise.resolve(found);
        begun.resolve(signal);
        return untilAborted(signal);
      },
    });
    const first = images.lookalikes(new Uint8Array(784), 3);
    const signal = await begun.promise;
    const second = images.lookalikes(new Uint8Array(784), 4);
    expect(await first).toBeNull();
    await expect.poll(() => signal.aborted).toBe(true);
    expect(await second).toEqual(found);
    const data = { id: 'data-1', file: 'train.csv' };
    expect(asked).toEqual([
      [data, 3, 5],
      [data, 4, 5],
    ]);
  });
});
