/**
 * Which part of the house may import from which, and where each library is at home. Type imports
 * count like others. What is left of the imports at run time has rules of its own
 * (`.dependency-cruiser.compiled.mjs`).
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */

/** Parts of src from the ground up: each may import from the levels before its own, not from beside it. */
const LAYERS = [
  ['fashion', 'random'],
  ['network'],
  ['data', 'image', 'engine'],
  ['ml'],
  ['formats'],
  ['store'],
  ['worker'],
  ['session'],
  ['ui'],
  ['App'],
  ['main'],
];

/** Where a library may be imported; in the homes of its types, for these alone. */
const LIBRARIES = [
  { name: '@tensorflow/tfjs-vis', homes: ['ui/charts'] },
  {
    name: '@tensorflow/(?!tfjs-vis)[^/]+',
    homes: ['engine', 'ml/run', 'store', 'formats', 'worker'],
    typeHomes: ['network', 'ml/spec'],
  },
  { name: 'vega[^/]*', homes: ['ui/charts'] },
  { name: 'papaparse', homes: ['data'] },
  { name: 'comlink', homes: ['worker', 'session'] },
  { name: 'idb', homes: ['store'] },
  { name: '(react|react-dom|@base-ui/react|lucide-react)', homes: ['ui', 'App', 'main'] },
  { name: 'zustand', homes: ['session', 'ui'] },
];

/** Tests, and what only they import, take what they need from anywhere in src. */
export const TESTS = '(\\.test\\.tsx?$|/testing/)';

/** Files of a part or folder of src: `src/ui/…`, `src/App.tsx`. */
const inPart = (...parts) => `^src/(${parts.join('|')})[/.]`;

/** A package as it is resolved (`node_modules/…`), or as it is named where it was not. */
const inPackage = (name) => `(^|node_modules/)(@types/)?${name}(/|$)`;

const directions = LAYERS.flatMap((layer, level) =>
  layer.map((part) => ({
    name: `directions-${part}`,
    comment: `src/${part} imports from itself and from parts below it only.`,
    severity: 'error',
    from: { path: inPart(part), pathNot: TESTS },
    to: { path: '^src/', pathNot: inPart(part, ...LAYERS.slice(0, level).flat()) },
  })),
);

/** Folders from the ground up: scripts may import src, bench both, e2e all three. */
const FOLDERS = ['src', 'scripts', 'bench', 'e2e'];

const folders = FOLDERS.slice(0, -1).map((folder, level) => ({
  name: `${folder}-below-${FOLDERS[level + 1]}`,
  comment: 'scripts may import src, bench both, e2e all three; never the other way.',
  severity: 'error',
  from: { path: `^${folder}/` },
  to: { path: `^(${FOLDERS.slice(level + 1).join('|')})/` },
}));

const libraries = LIBRARIES.map(({ name, homes, typeHomes = [] }) => ({
  name: `library-home-${name}`,
  comment: `At home in ${[...homes, ...typeHomes].join(', ')}.`,
  severity: 'error',
  from: { path: '^src/', pathNot: [inPart(...homes, ...typeHomes), TESTS] },
  to: { path: inPackage(name) },
}));

/** What a rule on compiled code needs: the folders that may know a library by its types alone. */
export const typesOnly = LIBRARIES.flatMap(({ name, typeHomes }) =>
  typeHomes ? [{ name, folders: inPart(...typeHomes), library: inPackage(name) }] : [],
);

export default {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'Move what both need to a module below both.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'The other rules are blind to what cannot be found.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'known-part',
      comment: 'A part of src that has no place in LAYERS yet.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: inPart(...LAYERS.flat()) },
    },
    ...directions,
    ...libraries,
    ...folders,
    {
      name: 'spec-below-run',
      comment: 'ml/spec is safe for the page.',
      severity: 'error',
      from: { path: '^src/ml/spec/', pathNot: TESTS },
      to: { path: '^src/ml/run/' },
    },
    {
      name: 'engines-apart',
      comment: 'An engine knows none of the others but stock, which it falls back on.',
      severity: 'error',
      from: { path: '^src/engine/([^/]+)/', pathNot: TESTS },
      to: { path: '^src/engine/[^/]+/', pathNot: '^src/engine/($1|stock)/' },
    },
    {
      name: 'ml-names-no-engine',
      comment: 'Whichever engine trains, ml asks src/engine for it.',
      severity: 'error',
      from: { path: '^src/(ml|formats|store)/', pathNot: TESTS },
      to: { path: '^src/engine/[^/]+/' },
    },
    {
      name: 'testing-in-tests',
      comment: 'What is made for tests is imported by tests, scripts and benchmarks.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { path: TESTS },
    },
  ],
  required: [
    {
      name: 'sees-imports',
      comment: 'Where the parser sees nothing, no other rule can fail.',
      severity: 'error',
      module: { path: '^src/main\\.tsx$' },
      to: { path: '^src/App\\.tsx$' },
    },
    {
      name: 'sees-type-imports',
      comment: 'Where the parser sees nothing, no other rule can fail.',
      severity: 'error',
      module: { path: '^src/engine/contract\\.ts$' },
      to: { path: '^src/network/' },
    },
  ],
  options: {
    parser: 'tsc',
    // Type imports count, which compiling would drop.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    // AssemblyScript, which is compiled by itself.
    exclude: { path: '^src/engine/simd/assembly/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'browser', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
