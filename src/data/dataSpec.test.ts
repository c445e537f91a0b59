import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { FASHION_MNIST } from '../fashion.ts';
import { type DataSpec, DataSpecSchema, hasSameClasses } from './dataSpec.ts';

describe('a description of data', () => {
  it('of Fashion-MNIST is one', () => {
    const spec: DataSpec = FASHION_MNIST;
    expect(v.parse(DataSpecSchema, spec)).toEqual(spec);
  });

  it.each<[string, Record<string, unknown>]>([
    ['one class', { classNames: ['all'] }],
    ['101 classes', { classNames: Array.from({ length: 101 }, (_, label) => `${label}`) }],
    ['two classes of one name', { classNames: ['cat', 'cat'] }],
    ['a class without a name', { classNames: ['cat', ' '] }],
    ['an id with a space', { id: 'my data' }],
    ...['https://elsewhere/a.csv', '//elsewhere/a.csv', '../a.csv', '/a.csv'].map(
      (train): [string, Record<string, unknown>] => [
        `a file at ${train}`,
        { files: { full: { train, test: 'b.csv' }, sample: { train, test: 'b.csv' } } },
      ],
    ),
  ])('is refused with %s', (_, change) => {
    expect(v.is(DataSpecSchema, { ...FASHION_MNIST, ...change })).toBe(false);
  });

  it('means the same by its labels where names and order are the same', () => {
    const reversed = { ...FASHION_MNIST, classNames: FASHION_MNIST.classNames.toReversed() };
    expect(hasSameClasses(FASHION_MNIST, { ...FASHION_MNIST, id: 'copy' })).toBe(true);
    expect(hasSameClasses(FASHION_MNIST, reversed)).toBe(false);
  });
});
