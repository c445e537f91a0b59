/**
 * Holds the house to its plan: reads every import of src and fails on one that goes against the
 * direction, or that brings a library into a part that must not know it.
 *
 *   fashion ← data, image, engine ← ml ← formats ← store ← worker ← session ← ui ← App
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = import.meta.dirname;

/** The parts each part may import from, besides itself. */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  fashion: [],
  random: [],
  network: ['fashion', 'random'],
  data: ['fashion', 'random'],
  image: ['fashion', 'random'],
  engine: ['fashion', 'random', 'network'],
  ml: ['fashion', 'random', 'network', 'data', 'image', 'engine'],
  formats: ['fashion', 'network', 'data', 'image', 'engine', 'ml'],
  store: ['fashion', 'network', 'data', 'image', 'engine', 'ml', 'formats'],
  worker: ['fashion', 'random', 'network', 'data', 'image', 'engine', 'ml', 'store', 'formats'],
  session: ['fashion', 'network', 'data', 'image', 'engine', 'ml', 'store', 'formats', 'worker'],
  ui: [
    'fashion',
    'random',
    'network',
    'data',
    'image',
    'engine',
    'ml',
    'store',
    'formats',
    'worker',
    'session',
  ],
  App: ['ui', 'session', 'fashion'],
  main: ['App', 'ui'],
};

/** Where a library may be imported: in a part, or in one folder of it. */
const LIBRARIES: readonly { readonly name: RegExp; readonly homes: readonly string[] }[] = [
  { name: /^@tensorflow\/tfjs-vis/, homes: ['ui/charts'] },
  {
    name: /^@tensorflow\/(?!tfjs-vis)/,
    homes: ['network', 'engine', 'ml', 'store', 'formats', 'worker'],
  },
  { name: /^(vega|vega-.*)(\/|$)/, homes: ['ui/charts'] },
  { name: /^papaparse$/, homes: ['data'] },
  { name: /^comlink$/, homes: ['worker', 'session'] },
  { name: /^idb$/, homes: ['store'] },
  { name: /^(react|react-dom|@base-ui\/react|lucide-react)(\/|$)/, homes: ['ui', 'App', 'main'] },
  { name: /^zustand(\/vanilla)?$/, homes: ['session', 'ui'] },
];

/** What the page must not load at first, however long the way: only `import()` and workers bring it. */
const NOT_ON_THE_PAGE = /^(@tensorflow\/|papaparse$|vega)/;

interface Import {
  /** Path of the importing file from src, with slashes. */
  readonly file: string;
  readonly specifier: string;
  readonly kind: 'static' | 'dynamic' | 'type' | 'worker';
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.startsWith(join('engine', 'simd', 'assembly')))
  .map((file) => file.split(sep).join('/'));

const imports = files.flatMap((file) => readImports(file, readFileSync(join(SRC, file), 'utf8')));

/** Every import of a module's text. Comments are taken out first; nobody writes imports in strings. */
function readImports(file: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
  const found: Import[] = [];
  for (const [, clause = '', specifier = ''] of code.matchAll(
    /(?:^|;)\s*(?:import|export)\b([^'";]*?\bfrom\b|)\s*['"]([^'"]+)['"]/gm,
  )) {
    const isTypeOnly =
      /^\s*type\b(?!\s+from\b)/.test(clause) ||
      /^\s*\{(\s*type\b[^,}]*,?)+\s*\}\s*from$/.test(clause);
    found.push({ file, specifier, kind: isTypeOnly ? 'type' : 'static' });
  }
  for (const [, specifier = ''] of code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)) {
    found.push({ file, specifier, kind: 'dynamic' });
  }
  for (const [, specifier = ''] of code.matchAll(
    /new\s+URL\(\s*['"](\.[^'"]+\.worker\.ts)['"]\s*,\s*import\.meta\.url/g,
  )) {
    found.push({ file, specifier, kind: 'worker' });
  }
  return found;
}

/** First folder of a path from src, or the module's own name where it lies in src itself. */
function partOf(file: string): string {
  return file.replace(/[/.].*$/, '');
}

/** Path from src of what a relative import names, without a query such as `?url`. */
function resolveImport({ file, specifier }: Import): string {
  return posix.join(posix.dirname(file), specifier.replace(/\?.*$/, ''));
}

const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file);
const isRelative = ({ specifier }: Import): boolean => specifier.startsWith('.');
const tell = ({ file, specifier, kind }: Import): string => `${file} → ${specifier} (${kind})`;

describe('the plan of the house', () => {
  it('reads imports of every form', () => {
    const text = [
      "import './theme.css';",
      "import react from 'react';",
      'import {',
      '  type A,',
      '  b,',
      "} from '../b.ts';",
      "import type { C } from '../c.ts';",
      "import { type D } from '../d.ts';",
      "export { e } from './e.ts';",
      "// import f from 'f';",
      "/* import g from 'g'; */",
      "const h = await import('./h.ts');",
      "new Worker(new URL('../worker/i.worker.ts', import.meta.url), { type: 'module' });",
    ].join('\n');
    expect(
      readImports('ui/x.ts', text).map(({ specifier, kind }) => `${kind} ${specifier}`),
    ).toEqual([
      'static ./theme.css',
      'static react',
      'static ../b.ts',
      'type ../c.ts',
      'type ../d.ts',
      'static ./e.ts',
      'dynamic ./h.ts',
      'worker ../worker/i.worker.ts',
    ]);
    expect(imports.length).toBeGreaterThan(files.length / 2);
  });

  it('knows every part', () => {
    const strangers = files.map(partOf).filter((part) => !(part in DIRECTIONS));
    expect(new Set(strangers)).toEqual(new Set(['architecture']));
  });

  it('lets parts import one way only', () => {
    const breaches = imports.filter((entry) => {
      if (!isRelative(entry) || isTest(entry.file)) return false;
      const from = partOf(entry.file);
      const to = partOf(resolveImport(entry));
      return from !== to && !DIRECTIONS[from]?.includes(to);
    });
    expect(breaches.map(tell)).toEqual([]);
  });

  it('keeps relative imports inside src and with their extension', () => {
    const breaches = imports.filter(
      (entry) =>
        isRelative(entry) &&
        !isTest(entry.file) &&
        (resolveImport(entry).startsWith('..') || !/\.\w+$/.test(resolveImport(entry))),
    );
    expect(breaches.map(tell)).toEqual([]);
  });

  it('lets each library into its own parts only', () => {
    const breaches = imports.filter((entry) => {
      if (isTest(entry.file)) return false;
      const library = LIBRARIES.find(({ name }) => name.test(entry.specifier));
      return library?.homes.every((home) => !isWithin(entry.file, home)) ?? false;
    });
    expect(breaches.map(tell)).toEqual([]);
  });

  it('starts workers from the session only, helper threads of the CPU kernels aside', () => {
    const breaches = imports.filter(
      ({ file, kind }) =>
        kind === 'worker' &&
        partOf(file) !== 'session' &&
        file !== 'engine/simd/kernels.ts' &&
        !isTest(file),
    );
    expect(breaches.map(tell)).toEqual([]);
    expect(imports.filter(({ kind }) => kind === 'worker').length).toBeGreaterThan(0);
  });

  it('keeps TensorFlow.js, the parser and the charts out of the first load', () => {
    const heavy: string[] = [];
    const seen = new Set<string>();
    const walk = (file: string, path: readonly string[]): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const entry of imports) {
        if (entry.file !== file || entry.kind !== 'static') continue;
        if (NOT_ON_THE_PAGE.test(entry.specifier)) {
          heavy.push([...path, file, entry.specifier].join(' → '));
        } else if (isRelative(entry)) {
          walk(resolveImport(entry), [...path, file]);
        }
      }
    };
    walk('main.tsx', []);
    expect(heavy).toEqual([]);
    expect(seen.size).toBeGreaterThan(10);
  });
});

/** Whether a file is the part or lies in the folder, both told from src. */
function isWithin(file: string, home: string): boolean {
  return partOf(file) === home || file.startsWith(`${home}/`);
}
