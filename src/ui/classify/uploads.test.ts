import { describe, expect, it } from 'vitest';
import type { Picture, PictureSettings } from '../../image/picture.ts';
import type { Classification } from '../../ml/spec/verdict.ts';
import { createUploads, type UploadsParts } from './uploads.ts';

/** One pixel; its red tells the pictures apart. */
const pixel = (red: number): Picture => ({
  width: 1,
  height: 1,
  data: new Uint8ClampedArray([red, 0, 0, 255]),
});

const file = (name: string) => new File([], name);

interface Question {
  readonly red: number | undefined;
  readonly settings: PictureSettings;
  readonly answer: (classification?: Classification) => void;
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
  const uploads = createUploads({
    open: async ({ name }) => pixel(Number.parseInt(name, 10)),
    classify: ({ data }, settings) =>
      new Promise((resolve, reject) => {
        questions.push({
          red: data[0],
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
  return { uploads, questions, phases, settle };
}

describe('uploads', () => {
  it('are opened and answered one after the other, the newest batch on top', async () => {
    const { uploads, questions, phases, settle } = play();
    const first = uploads.add([file('1.png'), file('2.png')]);
    expect(uploads.store.getState()[0]?.id).toBe(first);
    uploads.add([file('3.png')]);
    expect(uploads.store.getState().map(({ name }) => name)).toEqual(['3.png', '1.png', '2.png']);
    await settle();
    expect(questions.map(({ red }) => red)).toEqual([1]);
    questions[0]?.answer();
    await settle();
    expect(questions.map(({ red }) => red)).toEqual([1, 2]);
    expect(phases()).toEqual(['waiting', 'answered', 'waiting']);
    expect(uploads.add([])).toBeNull();
  });

  it('tell what could not be opened, and go on', async () => {
    const { uploads, questions, settle } = play({
      open: async ({ name }) => {
        if (name === 'broken.png') throw new Error('no header');
        return pixel(7);
      },
    });
    uploads.add([file('broken.png'), file('7.png')]);
    await settle();
    expect(questions.map(({ red }) => red)).toEqual([7]);
    expect(uploads.store.getState()[0]?.state).toEqual({
      phase: 'refused',
      reason: '“broken.png” could not be opened: no header',
    });
  });

  it('are asked about with the settings of now, one question at a time', async () => {
    const { uploads, questions, settle } = play();
    const id = uploads.add([file('1.png')]) ?? '';
    await settle();
    questions[0]?.answer();
    await settle();
    for (const tolerance of [1.1, 1.2, 1.3]) uploads.steer(id, { tolerance }, 'tolerance');
    await settle();
    expect(questions.slice(1).map(({ settings }) => settings.tolerance)).toEqual([1.1]);
    questions[1]?.answer();
    await settle();
    expect(questions.slice(1).map(({ settings }) => settings.tolerance)).toEqual([1.1, 1.3]);
    questions[2]?.answer();
    await settle();
    uploads.takeBack(id);
    await settle();
    expect(questions.at(-1)?.settings.tolerance).toBe(1);
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
    const names = () => uploads.store.getState().map(({ name }) => name);
    const second = uploads.store.getState()[1]?.id ?? '';
    const removed = uploads.remove(second);
    expect(names()).toEqual(['1.png', '3.png']);
    await settle();
    questions[0]?.answer();
    await settle();
    questions[1]?.answer();
    await settle();
    expect(questions.map(({ red }) => red)).toEqual([1, 3]);
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
