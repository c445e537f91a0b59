import { describe, expect, it } from 'vitest';
import type { PictureSettings } from '../../image/picture.ts';
import type { Classification } from '../../ml/spec/verdict.ts';
import { createUploads, type UploadsParts } from './uploads.ts';

const bitmap: ImageBitmap = { width: 1, height: 1, close: () => {} };

const file = (name: string) => new File([], name);

interface Question {
  /** Of the file that was put under the id asked about. */
  readonly name: string | undefined;
  readonly settings: PictureSettings | undefined;
  readonly answer: (classification?: Classification | null) => void;
  readonly fail: (error: Error) => void;
}

const BLANK: Classification = {
  kind: 'blank',
  steps: [],
  verdict: { kind: 'cannotSay', reason: 'blank' },
};

/** Uploads whose questions wait until the test answers them. */
function play(parts: Partial<UploadsParts> = {}) {
  const questions: Question[] = [];
  const put = new Map<string, string>();
  const uploads = createUploads({
    putImage: (id, source) => void put.set(id, source.name),
    openImage: async () => bitmap,
    releaseImage: (id) => void put.delete(id),
    classify: (id, settings) =>
      new Promise((resolve, reject) => {
        const name = put.get(id);
        if (name === undefined) throw new Error('It was not put.');
        questions.push({
          name,
          settings,
          answer: (classification = BLANK) => resolve(classification),
          fail: reject,
        });
      }),
    ...parts,
  });
  const phases = () => uploads.store.getState().map(({ state }) => state.phase);
  /** Lets everything happen that waits for nothing but its turn. */
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
  return { uploads, questions, put, phases, settle };
}

describe('uploads', () => {
  it('are opened and answered one after the other, the newest batch on top', async () => {
    const { uploads, questions, phases, settle } = play();
    const first = uploads.add([file('1.png'), file('2.png')]);
    expect(uploads.store.getState()[0]?.id).toBe(first);
    uploads.add([file('3.png')]);
    expect(uploads.store.getState().map(({ file }) => file.name)).toEqual([
      '3.png',
      '1.png',
      '2.png',
    ]);
    await settle();
    expect(questions.map(({ name }) => name)).toEqual(['1.png']);
    questions[0]?.answer();
    await settle();
    expect(questions.map(({ name }) => name)).toEqual(['1.png', '2.png']);
    expect(phases()).toEqual(['waiting', 'answered', 'waiting']);
    expect(uploads.add([])).toBeNull();
  });

  it('tell what could not be opened, and go on', async () => {
    const { uploads, questions, put, settle } = play({
      openImage: async (id) => {
        if (put.get(id) === 'broken.png') throw new Error('no header');
        return bitmap;
      },
    });
    uploads.add([file('broken.png'), file('7.png')]);
    await settle();
    expect(questions.map(({ name }) => name)).toEqual(['7.png']);
    expect(uploads.store.getState()[0]?.state).toEqual({
      phase: 'refused',
      reason: '“broken.png” could not be opened: no header',
    });
  });

  it('are asked about with the settings of now; what was overtaken leaves the answer as it is', async () => {
    const { uploads, questions, phases, settle } = play();
    const id = uploads.add([file('1.png')]) ?? '';
    await settle();
    questions[0]?.answer();
    await settle();
    for (const tolerance of [1.1, 1.2, 1.3]) uploads.steer(id, { tolerance }, 'tolerance');
    await settle();
    expect(questions.slice(1).map(({ settings }) => settings?.tolerance)).toEqual([1.1, 1.2, 1.3]);
    questions[1]?.answer();
    questions[2]?.answer(null);
    await settle();
    expect(phases()).toEqual(['answered']);
    questions[3]?.answer();
    uploads.takeBack(id);
    await settle();
    expect(questions.at(-1)?.settings?.tolerance).toBe(1);
  });

  it('wait where no worker is there to open them, and are opened when one is', async () => {
    let isThere = false;
    const { uploads, questions, phases, settle } = play({
      openImage: async () => {
        if (isThere) return bitmap;
        throw Object.assign(new Error('The engine stopped.'), { name: 'WorkerLostError' });
      },
    });
    uploads.add([file('1.png')]);
    await settle();
    expect(uploads.store.getState()[0]?.state).toEqual({
      phase: 'unanswered',
      shown: null,
      reason: 'No answer: The engine stopped.',
    });
    isThere = true;
    uploads.askAgain();
    await settle();
    questions[0]?.answer();
    await settle();
    expect(phases()).toEqual(['answered']);
  });

  it('are asked about again when another model comes, also those nobody answered', async () => {
    const { uploads, questions, phases, settle } = play();
    uploads.add([file('1.png')]);
    await settle();
    questions[0]?.fail(new Error('There is no model yet.'));
    await settle();
    expect(uploads.store.getState()[0]?.state).toMatchObject({
      phase: 'unanswered',
      reason: 'No answer: There is no model yet.',
    });
    uploads.askAgain();
    await settle();
    questions[1]?.answer();
    await settle();
    expect(phases()).toEqual(['answered']);
  });

  it('come back where they were once removed, and are opened where they waited', async () => {
    const { uploads, questions, phases, settle } = play();
    uploads.add(['1.png', '2.png', '3.png'].map(file));
    const names = () => uploads.store.getState().map(({ file }) => file.name);
    const second = uploads.store.getState()[1]?.id ?? '';
    const removed = uploads.remove(second);
    expect(names()).toEqual(['1.png', '3.png']);
    await settle();
    questions[0]?.answer();
    await settle();
    questions[1]?.answer();
    await settle();
    expect(questions.map(({ name }) => name)).toEqual(['1.png', '3.png']);
    uploads.restore(removed);
    expect(names()).toEqual(['1.png', '2.png', '3.png']);
    await settle();
    questions[2]?.answer();
    await settle();
    expect(phases()).toEqual(['answered', 'answered', 'answered']);

    const all = uploads.clear();
    expect(names()).toEqual([]);
    uploads.restore(all);
    expect(names()).toEqual(['1.png', '2.png', '3.png']);
  });

  it('are at most sixty at a time', () => {
    const { uploads, phases } = play();
    uploads.add(Array.from({ length: 62 }, (_, i) => file(`${i}.png`)));
    expect(phases().filter((phase) => phase === 'refused')).toHaveLength(2);
  });
});
