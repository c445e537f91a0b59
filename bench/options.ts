/** What the options of measurements say, checked. */
import { cpus } from 'node:os';
import { SUBJECTS, type Subject } from './subjects.ts';

/** An option that cannot be. The message is for people. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/**
 * Networks to measure.
 *
 * @param names Separated by commas; undefined: all.
 * @throws {OptionError} naming those that there are.
 */
export function pickSubjects(names: string | undefined): readonly Subject[] {
  const known = SUBJECTS.map(({ name }) => name);
  const wanted = pickNames('network', known, names);
  return wanted.flatMap((name) => SUBJECTS.filter((subject) => subject.name === name));
}

/** One thread, and as many as there are cores, at most eight. */
export function defaultThreads(): readonly number[] {
  const cores = cpus().length;
  return cores > 1 ? [1, Math.min(cores, 8)] : [1];
}

/**
 * Numbers of threads to measure with.
 *
 * @param counts Separated by commas; undefined: `defaultThreads`.
 * @throws {OptionError}
 */
export function pickThreads(counts: string | undefined): readonly number[] {
  if (counts === undefined) return defaultThreads();
  return counts.split(',').map((text) => pickCount('threads', text));
}

/** A positive whole number from an option. @throws {OptionError} */
export function pickCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new OptionError(`--${name} takes a positive whole number and not "${text}".`);
}

/** "1 thread", "2 threads". */
export function countThreads(count: number): string {
  return `${count} thread${count === 1 ? '' : 's'}`;
}

/**
 * Of `known`, those that a list with commas names; undefined: all.
 *
 * @throws {OptionError} naming those that there are.
 */
export function pickNames<const Name extends string>(
  what: string,
  known: readonly Name[],
  list: string | undefined,
): readonly Name[] {
  if (list === undefined) return known;
  return list.split(',').map((text) => {
    const name = known.find((other) => other === text);
    if (name !== undefined) return name;
    throw new OptionError(`No ${what} is called "${text}". There are ${known.join(', ')}.`);
  });
}
