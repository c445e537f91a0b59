/**
 * The table of a person's images as a CSV file: RFC 4180, and harmless when a spreadsheet opens it.
 * Pure.
 */
import type { DataSpec } from '../../data/dataSpec.ts';
import { changedSteps } from './steering.ts';
import type { Upload } from './uploads.ts';
import { rank, sayAnswer } from './words.ts';

interface Row {
  readonly file: string;
  readonly answer?: string;
  readonly confidence?: string;
  /** By label. */
  readonly shares?: readonly string[];
  readonly words?: string;
  readonly doubts?: string;
  readonly changed?: string;
  readonly error?: string;
}

/**
 * One line for each image, in the given order, below a line of headings. Probabilities are 0–1 with
 * six decimals. Images that still wait are left out; those that the model cannot classify have no
 * answer.
 */
export function toCsv(uploads: readonly Upload[], spec: DataSpec): string {
  const { classNames } = spec;
  const headings = [
    ...['file', 'answer', 'confidence'],
    ...classNames,
    ...['in words', 'doubts', 'steps changed by hand', 'error'],
  ];
  const rows = uploads
    .flatMap((upload) => rowOf(upload, spec) ?? [])
    .map(({ file, answer, confidence, shares, words, doubts, changed, error }) => [
      ...[file, answer, confidence],
      ...(shares ?? classNames.map(() => '')),
      ...[words, doubts, changed, error],
    ]);
  return [headings, ...rows]
    .map((cells) => `${cells.map((cell) => quote(cell ?? '')).join(',')}\r\n`)
    .join('');
}

function rowOf({ file: { name }, steering, state }: Upload, spec: DataSpec): Row | null {
  switch (state.phase) {
    case 'waiting':
      return null;
    case 'refused':
    case 'unanswered':
      return { file: name, error: state.reason };
    case 'answered': {
      const row = { file: name, changed: changedSteps(steering.settings).join(' ') };
      const { classification } = state;
      if (classification.kind === 'blank') {
        return { ...row, error: 'Nothing stands out from the background.' };
      }
      const { verdict, doubts, probabilities } = classification;
      const [first] = rank(probabilities, spec);
      const hasAnswer = verdict.kind !== 'cannotSay' && first !== undefined;
      return {
        ...row,
        shares: Array.from(probabilities, (probability) => probability.toFixed(6)),
        ...(hasAnswer && { answer: first.name, confidence: first.probability.toFixed(6) }),
        words: sayAnswer(classification, spec),
        doubts: doubts.join(' '),
      };
    }
    default:
      return state satisfies never;
  }
}

/**
 * What begins like a formula is one to a spreadsheet, and file names come from anywhere: an apostrophe
 * in front makes it text (OWASP, "CSV injection").
 */
function quote(text: string): string {
  const harmless = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
