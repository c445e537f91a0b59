/**
 * Owns the table of a person's pictures as a CSV file: RFC 4180, and harmless when a spreadsheet
 * opens it. Pure.
 */
import { CLASS_NAMES } from '../../fashion.ts';
import { changedSteps } from './steering.ts';
import type { Upload } from './uploads.ts';
import { rank, sayAnswer } from './words.ts';

const COLUMNS = [
  'file',
  'answer',
  'confidence',
  ...CLASS_NAMES,
  'in words',
  'doubts',
  'steps changed by hand',
  'error',
] as const;

type Row = Partial<Record<(typeof COLUMNS)[number], string>>;

/**
 * One line for each picture, in the given order, below a line of headings. Probabilities are 0–1 with
 * six decimals. Pictures that still wait are left out; those that the model cannot name have no answer.
 */
export function toCsv(uploads: readonly Upload[]): string {
  const rows = uploads.flatMap((upload) => rowOf(upload) ?? []);
  const lines = [COLUMNS, ...rows.map((row) => COLUMNS.map((column) => row[column] ?? ''))];
  return lines.map((cells) => `${cells.map(quote).join(',')}\r\n`).join('');
}

function rowOf({ file: { name }, steering, state }: Upload): Row | null {
  switch (state.phase) {
    case 'waiting':
      return null;
    case 'refused':
    case 'unanswered':
      return { file: name, error: state.reason };
    case 'answered': {
      const row: Row = {
        file: name,
        'steps changed by hand': changedSteps(steering.settings).join(' '),
      };
      const { classification } = state;
      if (classification.kind === 'blank') {
        return { ...row, error: 'Nothing stands out from the background.' };
      }
      const { verdict, doubts, probabilities } = classification;
      const shares = rank(probabilities).map(
        ({ name, probability }) => [name, probability.toFixed(6)] as const,
      );
      const hasAnswer = verdict.kind !== 'cannotSay';
      return {
        ...row,
        ...Object.fromEntries(shares),
        answer: (hasAnswer && shares[0]?.[0]) || '',
        confidence: (hasAnswer && shares[0]?.[1]) || '',
        'in words': sayAnswer(classification),
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
