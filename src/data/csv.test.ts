import { describe, expect, it } from 'vitest';
import { FASHION_MNIST, PIXELS } from '../fashion.ts';
import { createCsvReader, DatasetError } from './csv.ts';
import type { Dataset } from './dataset.ts';

const HEADER = ['label', ...Array.from({ length: PIXELS }, (_, at) => `pixel${at + 1}`)].join(',');

/** A good row: pixel p is (label + p) % 256. */
function makeCells(label: number): string[] {
  return [String(label), ...Array.from({ length: PIXELS }, (_, at) => String((label + at) % 256))];
}

function makeRow(label: number, change: Readonly<Record<number, string>> = {}): string {
  const cells = makeCells(label);
  for (const [at, cell] of Object.entries(change)) cells[Number(at)] = cell;
  return cells.join(',');
}

function read(text: string, pieceLength = text.length || 1): Dataset {
  const reader = createCsvReader('my.csv', FASHION_MNIST);
  for (let at = 0; at < text.length; at += pieceLength) {
    reader.push(text.slice(at, at + pieceLength));
  }
  return reader.finish();
}

function catchFault(text: string): DatasetError {
  try {
    read(text);
  } catch (error) {
    if (error instanceof DatasetError) return error;
    throw error;
  }
  throw new Error('The text was accepted.');
}

const plain = `${HEADER}\n${makeRow(3)}\n${makeRow(9)}\n`;

describe('what is accepted', () => {
  it('reads labels and pixels', () => {
    const { labels, pixels } = read(plain);
    expect(Array.from(labels)).toEqual([3, 9]);
    expect(pixels).toHaveLength(2 * PIXELS);
    expect(pixels[0]).toBe(3);
    expect(pixels[PIXELS - 1]).toBe((3 + 783) % 256);
    expect(pixels[PIXELS]).toBe(9);
  });

  it.each([
    ['no header', plain.slice(HEADER.length + 1)],
    ['a byte order mark', `\ufeff${plain}`],
    ['a byte order mark and no header', `\ufeff${plain.slice(HEADER.length + 1)}`],
    ['CRLF', plain.replaceAll('\n', '\r\n')],
    ['no line end at the end', plain.trimEnd()],
    ['blank lines at the end', `${plain}\n\r\n \n`],
    ['quoted cells', plain.replaceAll(/[^,\n]+/g, '"$&"')],
    ['a header in capitals', plain.replace('label', 'Label')],
    ['a header of other words', plain.replace(HEADER, HEADER.replaceAll('pixel', 'px'))],
    ['decimals without a fraction, and spaces', plain.replaceAll(/,(\d+)/g, ', $1.0')],
    ['numbers as names of the pixel columns', plain.replaceAll('pixel', '')],
  ])('reads the same with %s', (_, text) => {
    expect(read(text)).toEqual(read(plain));
  });

  it('does not mind where the text is cut', () => {
    const text = `\ufeff${plain.replaceAll('\n', '\r\n')}`;
    for (const pieceLength of [1, 2, 7, 1000, HEADER.length + 1, HEADER.length + 2]) {
      expect(read(text, pieceLength)).toEqual(read(plain));
    }
  });

  it('grows beyond its first capacity and counts on the way', () => {
    const reader = createCsvReader('my.csv', FASHION_MNIST);
    const numRows = 2500;
    for (let row = 0; row < numRows; row++) reader.push(`${makeRow(row % 10)}\n`);
    expect(reader.numRows).toBe(numRows);
    const { labels, pixels } = reader.finish();
    expect(labels).toHaveLength(numRows);
    expect(pixels).toHaveLength(numRows * PIXELS);
    expect(labels[2345]).toBe(5);
    expect(pixels[2345 * PIXELS]).toBe(5);
  });
});

describe('what is refused, with its place', () => {
  it.each([
    ['a word among the pixels', makeRow(1, { 5: 'abc' }), 6, 'pixel5', '“abc”'],
    ['a pixel above 255', makeRow(1, { 784: '256' }), 785, 'pixel784', '“256”'],
    ['a negative pixel', makeRow(1, { 1: '-1' }), 2, 'pixel1', '“-1”'],
    ['a fraction', makeRow(1, { 2: '0.5' }), 3, 'pixel2', '“0.5”'],
    ['an empty cell', makeRow(1, { 2: '' }), 3, 'pixel2', 'this cell is empty'],
    ['a blank cell', makeRow(1, { 2: ' ' }), 3, 'pixel2', 'this cell is empty'],
    ['not a number', makeRow(1, { 2: 'NaN' }), 3, 'pixel2', '“NaN”'],
    ['an exponent', makeRow(1, { 2: '1e2' }), 3, 'pixel2', '“1e2”'],
    ['a hexadecimal number', makeRow(1, { 2: '0x1' }), 3, 'pixel2', '“0x1”'],
    ['a label above 9', makeRow(1, { 0: '10' }), 1, 'label', '“10”'],
    ['an empty label', makeRow(1, { 0: '' }), 1, 'label', 'this cell is empty'],
  ])('%s', (_, row, column, columnName, shown) => {
    const fault = catchFault(`${HEADER}\n${makeRow(2)}\n${row}\n${makeRow(3)}\n`);
    expect(fault).toMatchObject({ name: 'DatasetError', file: 'my.csv', row: 3, column });
    expect(fault.message).toContain(`my.csv, row 3, column ${column} (${columnName}): `);
    expect(fault.message).toContain(shown);
  });

  it('counts rows from 1 where there is no header', () => {
    expect(catchFault(`${makeRow(1)}\n${makeRow(1, { 7: 'x' })}\n`)).toMatchObject({
      row: 2,
      column: 8,
    });
  });

  it('takes a first row that mixes words and numbers for a row, not for a header', () => {
    expect(catchFault(`${makeRow(1, { 0: 'shoe' })}\n`)).toMatchObject({ row: 1, column: 1 });
  });

  it.each([
    ['short', makeCells(1).slice(1).join(','), '784 columns where 785'],
    ['long', `${makeRow(1)},0`, '786 columns where 785'],
    ['cut by semicolons', makeRow(1).replaceAll(',', ';'), 'Separate the columns by commas'],
  ])('a row that is too %s', (_, row, said) => {
    const fault = catchFault(`${HEADER}\n${row}\n`);
    expect(fault).toMatchObject({ row: 2, column: null });
    expect(fault.message).toContain(said);
  });

  it('a header with its label elsewhere, or of another width', () => {
    const moved = `${HEADER.slice('label,'.length)},label`;
    expect(catchFault(`${moved}\n${makeRow(1)}\n`)).toMatchObject({ row: 1, column: 785 });
    expect(catchFault(`label,pixel1\n${makeRow(1)}\n`)).toMatchObject({ row: 1, column: null });
  });

  it('a blank line in the middle', () => {
    const fault = catchFault(`${HEADER}\n${makeRow(1)}\n\n${makeRow(1)}\n`);
    expect(fault.row).toBe(3);
    expect(fault.message).toContain('blank');
  });

  it.each([
    ['this cell is empty', ''],
    ['blank lines', '\n\n'],
    ['a header alone', `${HEADER}\n`],
  ])('a file of %s', (_, text) => {
    expect(catchFault(text).message).toContain('no rows');
  });

  it('a line without end, before it fills the memory', () => {
    const reader = createCsvReader('film.mp4', FASHION_MNIST);
    expect(() => {
      for (let piece = 0; piece < 100; piece++) reader.push('x'.repeat(10_000));
    }).toThrow(/film\.mp4, row 1: this line runs on/);
  });
});
