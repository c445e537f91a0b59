/** No two files of src are called alike, so that a name alone says which one is meant. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';

/** The AssemblyScript of the CPU kernels and what it compiles to. */
const EXCLUDED = ['assembly', 'build'].map((folder) => join('engine', 'simd', folder));

it('gives no name to two files', () => {
  // A folder's README is called so everywhere.
  const files = readdirSync(import.meta.dirname, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() &&
        entry.name !== 'README.md' &&
        !EXCLUDED.some((each) => entry.parentPath.endsWith(each)),
    )
    .map((entry) => join(entry.parentPath, entry.name).slice(import.meta.dirname.length + 1));
  // Some file systems take upper and lower case for the same.
  const names = files.map((file) => basename(file).toLowerCase());
  const alike = files.filter(
    (_, i) => names.indexOf(names[i] ?? '') !== names.lastIndexOf(names[i] ?? ''),
  );
  expect(alike).toEqual([]);
  expect(files.length).toBeGreaterThan(100);
});
