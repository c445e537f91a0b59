/**
 * The CSV form of a data set, one image a line, `label,pixel1,…,pixel784`: text becomes a `Dataset` as
 * it arrives, every cell checked on the way.
 */
import Papa from 'papaparse';
import { PIXELS } from '../fashion.ts';
import type { DataSpec } from './dataSpec.ts';
import type { Dataset } from './dataset.ts';

/** Columns of a row: the label, then the pixels. */
const NUM_COLUMNS = 1 + PIXELS;
/** A row of quoted three-digit cells has 4,700 characters. Far beyond that it is no CSV of ours. */
const MAX_LINE_CHARS = 64 * 1024;
/** About 200 MB of pixels: more would not fit into the memory a tab may ask for, several times over. */
const MAX_ROWS = 250_000;
const FIRST_CAPACITY = 1024;

/** A fault in a data file. The message tells file, place and remedy. */
export class DatasetError extends Error {
  override readonly name = 'DatasetError';
  readonly file: string;
  /** 1-based line of the file, the header counted: what an editor or spreadsheet shows. */
  readonly row: number | null;
  /** 1-based; column 1 is the label. */
  readonly column: number | null;

  constructor(
    file: string,
    place: { readonly row: number; readonly column?: number } | null,
    what: string,
  ) {
    const parts = [file];
    if (place) parts.push(`row ${place.row.toLocaleString('en')}`);
    if (place?.column !== undefined) {
      parts.push(`column ${place.column} (${columnName(place.column)})`);
    }
    super(`${parts.join(', ')}: ${what}`);
    this.file = file;
    this.row = place?.row ?? null;
    this.column = place?.column ?? null;
  }
}

/** Takes a file's text piece by piece, cut anywhere. After a throw it is of no more use. */
export interface CsvReader {
  /** Checked rows so far. */
  readonly numRows: number;
  /** @throws DatasetError at the first cell that is wrong. */
  push(text: string): void;
  /** @throws DatasetError where the last line is wrong or there are no rows. */
  finish(): Dataset;
}

/**
 * Accepted: a header line or none, a byte order mark, LF or CRLF, quoted cells, blank lines at the
 * end, whole numbers written with decimals ("12.0", as pandas may write them). Everything else that
 * is not 785 cells of an integer label, one of those of `spec`, and integer pixels 0–255 is refused.
 *
 * @param file The name to use in messages.
 */
export function createCsvReader(file: string, spec: DataSpec): CsvReader {
  const lastLabel = spec.classNames.length - 1;
  let pixels = new Uint8Array(FIRST_CAPACITY * PIXELS);
  let labels = new Uint8Array(FIRST_CAPACITY);
  let numRows = 0;
  let line = 0;
  let isFirst = true;
  let blankLine: number | null = null;
  let carry = '';

  function takeRow(cells: readonly string[]): void {
    line++;
    if (cells.length === 1 && cells[0]?.trim() === '') {
      blankLine ??= line;
      return;
    }
    if (blankLine !== null) {
      throw new DatasetError(
        file,
        { row: blankLine },
        'this line is blank, yet rows follow. Blank lines may only stand at the end.',
      );
    }
    const mayBeHeader = isFirst;
    isFirst = false;
    if (mayBeHeader && isHeader(cells)) {
      checkHeader(cells);
      return;
    }
    checkWidth(cells);
    if (numRows === labels.length) grow();
    labels[numRows] = readCell(cells, 0, lastLabel);
    const start = numRows * PIXELS - 1;
    for (let column = 1; column < NUM_COLUMNS; column++) {
      pixels[start + column] = readCell(cells, column, 255);
    }
    numRows++;
  }

  function readCell(cells: readonly string[], column: number, max: number): number {
    const cell = cells[column] as string;
    const value = readWholeNumber(cell);
    if (value <= max) return value;
    const wanted =
      column === 0
        ? `a label must be a whole number from 0 to ${max}`
        : `a pixel must be a whole number from 0 to ${max}`;
    throw new DatasetError(
      file,
      { row: line, column: column + 1 },
      `${wanted}, but this cell ${cell.trim() === '' ? 'is empty' : `says ${quote(cell)}`}. Correct it and load the file again.`,
    );
  }

  function checkWidth(cells: readonly string[]): void {
    if (cells.length === NUM_COLUMNS) return;
    const only = cells.length === 1 ? (cells[0] as string) : '';
    const hint = /[;\t]/.test(only)
      ? 'Separate the columns by commas.'
      : 'Each row must have the label and then the 784 pixels of a 28 by 28 picture.';
    throw new DatasetError(
      file,
      { row: line },
      `${cells.length.toLocaleString('en')} ${cells.length === 1 ? 'column' : 'columns'} where ${NUM_COLUMNS} are expected. ${hint}`,
    );
  }

  function checkHeader(cells: readonly string[]): void {
    checkWidth(cells);
    const at = cells.findIndex((cell) => cell.trim().toLowerCase() === 'label');
    if (at > 0) {
      throw new DatasetError(
        file,
        { row: line, column: at + 1 },
        'the label stands here, but it must be the first column. Move it and load the file again.',
      );
    }
  }

  function grow(): void {
    if (numRows >= MAX_ROWS) {
      throw new DatasetError(
        file,
        { row: line },
        `a file may have at most ${MAX_ROWS.toLocaleString('en')} rows. Split it into smaller files.`,
      );
    }
    const capacity = Math.min(labels.length * 2, MAX_ROWS);
    const morePixels = new Uint8Array(capacity * PIXELS);
    morePixels.set(pixels);
    pixels = morePixels;
    const moreLabels = new Uint8Array(capacity);
    moreLabels.set(labels);
    labels = moreLabels;
  }

  /** `text` is whole lines, without the last line end. */
  function takeLines(text: string): void {
    // Papa does not check the width of rows that have no header, and converting cells itself
    // (`dynamicTyping`) would take three times as long: both are ours to do.
    const { data } = Papa.parse<string[]>(text, { delimiter: ',', newline: '\n' });
    for (const cells of data) {
      const last = cells.length - 1;
      const lastCell = cells[last];
      if (lastCell?.endsWith('\r')) cells[last] = lastCell.slice(0, -1);
      takeRow(cells);
    }
  }

  return {
    get numRows() {
      return numRows;
    },
    push(text) {
      const pending =
        line === 0 && carry === '' && text.startsWith('\ufeff') ? text.slice(1) : carry + text;
      const end = pending.lastIndexOf('\n');
      carry = end < 0 ? pending : pending.slice(end + 1);
      if (end >= 0) takeLines(pending.slice(0, end));
      if (carry.length > MAX_LINE_CHARS) {
        throw new DatasetError(
          file,
          { row: line + 1 },
          `this line runs on for more than ${MAX_LINE_CHARS.toLocaleString('en')} characters, so this is no CSV of pictures. Choose a CSV file with one picture a line.`,
        );
      }
    },
    finish() {
      if (carry !== '') takeLines(carry);
      carry = '';
      if (numRows === 0) {
        throw new DatasetError(
          file,
          null,
          'this file holds no rows. Choose a CSV with one picture a line: the label, then 784 pixels.',
        );
      }
      return { pixels: pixels.slice(0, numRows * PIXELS), labels: labels.slice(0, numRows), spec };
    },
  };
}

/** "label", "pixel1" … "pixel784" for columns 1 to 785. */
function columnName(column: number): string {
  return column === 1 ? 'label' : `pixel${column - 1}`;
}

/**
 * A header says "label" first, or has no number in any cell. A first row that mixes words and
 * numbers is a row with a fault, to be told with its place.
 */
function isHeader(cells: readonly string[]): boolean {
  if (cells[0]?.trim().toLowerCase() === 'label') return true;
  return cells.every((cell) => !Number.isFinite(readWholeNumber(cell)) && cell.trim() !== '');
}

/** The cell as a whole number ≥ 0, or Infinity where it is none. */
function readWholeNumber(cell: string): number {
  // Nearly all 55 million cells of the full data are one to three bare digits.
  const { length } = cell;
  if (length > 0 && length <= 3) {
    let value = 0;
    for (let at = 0; at < length; at++) {
      const digit = cell.charCodeAt(at) - 48;
      if (digit < 0 || digit > 9) return readSlowly(cell);
      value = value * 10 + digit;
    }
    return value;
  }
  return readSlowly(cell);
}

function readSlowly(cell: string): number {
  return /^\s*\d+(\.0*)?\s*$/.test(cell) ? Number(cell) : Number.POSITIVE_INFINITY;
}

function quote(cell: string): string {
  const trimmed = cell.trim();
  return `“${trimmed.length > 20 ? `${trimmed.slice(0, 20)}…` : trimmed}”`;
}
