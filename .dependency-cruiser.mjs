/**
 * Which part of the house may import from which, and where each library is at home. Type imports
 * count like others unless a rule says otherwise. What the page loads at first is looked at apart
 * (`.dependency-cruiser.first-load.mjs`).
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

/** Where a library may be imported, and where besides for its types alone. */
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
const TESTS = '(\\.test\\.tsx?$|/testing/)';

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

const libraries = LIBRARIES.flatMap(({ name, homes, typeHomes = [] }) => {
  const rule = {
    comment: `At home in ${homes.join(', ')}${typeHomes.length ? `; its types also in ${typeHomes.join(', ')}` : ''}.`,
    severity: 'error',
  };
  return [
    {
      ...rule,
      name: `library-home-${name}`,
      from: { path: '^src/', pathNot: [inPart(...homes, ...typeHomes), TESTS] },
      to: { path: inPackage(name) },
    },
    ...(typeHomes.length
      ? [
          {
            ...rule,
            name: `library-types-only-${name}`,
            from: { path: inPart(...typeHomes), pathNot: TESTS },
            to: { path: inPackage(name), preCompilationOnly: false },
          },
        ]
      : []),
  ];
});

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
    {
      name: 'src-stands-alone',
      comment: 'scripts may import src, bench both, e2e all three; never the other way.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(scripts|bench|e2e)/' },
    },
    {
      name: 'scripts-below-bench',
      comment: 'scripts may import src, bench both, e2e all three; never the other way.',
      severity: 'error',
      from: { path: '^scripts/' },
      to: { path: '^(bench|e2e)/' },
    },
    {
      name: 'bench-below-e2e',
      comment: 'scripts may import src, bench both, e2e all three; never the other way.',
      severity: 'error',
      from: { path: '^bench/' },
      to: { path: '^e2e/' },
    },
    {
      name: 'spec-below-run',
      comment: 'ml/spec is safe for the page.',
      severity: 'error',
      from: { path: '^src/ml/spec/', pathNot: TESTS },
      to: { path: '^src/ml/run/' },
    },
    {
      name: 'contract-of-types',
      comment: 'The contract of engines imports types only.',
      severity: 'error',
      from: { path: '^src/engine/contract\\.ts$' },
      to: { preCompilationOnly: false },
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
    // TypeScript drops type imports when it compiles; here they count, and are told apart.
    tsPreCompilationDeps: 'specify',
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
