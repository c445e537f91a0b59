import { describe, expect, it } from 'vitest';
import { type Asking, createLatest, createQueue } from './asking.ts';

/** Work that waits until the test lets it end, with what was seen of it. */
function play(asking: Asking) {
  const log: string[] = [];
  const ends = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const ask = (name: string, signal?: AbortSignal) =>
    asking.ask((inner) => {
      log.push(`begin ${name}`);
      inner.addEventListener('abort', () => log.push(`abort ${name}`));
      return new Promise<string>((resolve, reject) => {
        ends.set(name, { resolve: () => resolve(name), reject });
      });
    }, signal);
  const end = (name: string) => ends.get(name)?.resolve();
  const fail = (name: string) => ends.get(name)?.reject(new Error(`${name} failed`));
  return { ask, end, fail, log };
}

describe('the latest of many', () => {
  it('takes the place of those that wait; work under way may finish', async () => {
    const { ask, end, log } = play(createLatest('finishes'));
    const answers = ['a', 'b', 'c', 'd'].map((name) => ask(name));
    expect(await answers[1]).toBeNull();
    expect(await answers[2]).toBeNull();
    end('a');
    expect(await answers[0]).toBe('a');
    await expect.poll(() => log).toEqual(['begin a', 'begin d']);
    end('d');
    expect(await answers[3]).toBe('d');
  });

  it('aborts work under way where it was told to, and begins when that is over', async () => {
    const { ask, end, fail, log } = play(createLatest('aborts'));
    const first = ask('a');
    const second = ask('b');
    expect(await first).toBeNull();
    expect(log).toEqual(['begin a', 'abort a']);
    // Aborted work ends in an error, as a rule, which nobody is told of.
    fail('a');
    await expect.poll(() => log).toEqual(['begin a', 'abort a', 'begin b']);
    end('b');
    expect(await second).toBe('b');
  });

  it('is aborted as a whole, and takes questions afterwards', async () => {
    const asking = createLatest('finishes');
    const { ask, end, log } = play(asking);
    const [first, second] = [ask('a'), ask('b')];
    asking.abort();
    expect(await Promise.all([first, second])).toEqual([null, null]);
    end('a');
    const third = ask('c');
    await expect.poll(() => log).toEqual(['begin a', 'abort a', 'begin c']);
    end('c');
    expect(await third).toBe('c');
  });

  it('hears the caller’s signal, before and during the work', async () => {
    const { ask, end, log } = play(createLatest('finishes'));
    expect(await ask('a', AbortSignal.abort())).toBeNull();
    const controller = new AbortController();
    const second = ask('b', controller.signal);
    await expect.poll(() => log).toEqual(['begin b']);
    controller.abort();
    expect(await second).toBeNull();
    expect(log).toEqual(['begin b', 'abort b']);
    end('b');
  });

  it('goes on after work that failed', async () => {
    const { ask, end, fail, log } = play(createLatest('finishes'));
    const [first, second] = [ask('a'), ask('b')];
    fail('a');
    await expect(first).rejects.toThrow('a failed');
    await expect.poll(() => log).toEqual(['begin a', 'begin b']);
    end('b');
    expect(await second).toBe('b');
  });
});

describe('a queue', () => {
  it('gives each its turn, in order, also after one that failed', async () => {
    const { ask, end, fail, log } = play(createQueue());
    const [first, second, third] = [ask('a'), ask('b'), ask('c')];
    await expect.poll(() => log).toEqual(['begin a']);
    fail('a');
    await expect(first).rejects.toThrow('a failed');
    await expect.poll(() => log).toEqual(['begin a', 'begin b']);
    end('b');
    expect(await second).toBe('b');
    await expect.poll(() => log).toEqual(['begin a', 'begin b', 'begin c']);
    end('c');
    expect(await third).toBe('c');
  });

  it('leaves out what nobody wants any more, and aborts what is under way', async () => {
    const { ask, end, log } = play(createQueue());
    const [first, second] = [new AbortController(), new AbortController()];
    const answers = [ask('a', first.signal), ask('b', second.signal), ask('c')];
    await expect.poll(() => log).toEqual(['begin a']);
    second.abort();
    first.abort();
    expect(await Promise.all(answers.slice(0, 2))).toEqual([null, null]);
    end('a');
    await expect.poll(() => log).toEqual(['begin a', 'abort a', 'begin c']);
    end('c');
    expect(await answers[2]).toBe('c');
  });
});
