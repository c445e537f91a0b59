/**
 * What modules import at run time: what is left once types are compiled away. The page must not load
 * TensorFlow.js and other heavy libraries at first, however long the way: only `import()` and workers
 * bring them. Some modules may know TensorFlow.js by its types alone.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
import plan, { TESTS, typesOnly } from './.dependency-cruiser.mjs';

export default {
  forbidden: [
    {
      name: 'light-first-load',
      comment:
        'TensorFlow.js, the CSV parser and the charts come later, by import() or in a worker.',
      severity: 'error',
      from: { path: '^src/main\\.tsx$' },
      to: {
        path: '(^|node_modules/)(@tensorflow/|papaparse(/|$)|vega)',
        reachable: true,
      },
    },
    {
      name: 'contract-of-types',
      comment: 'The contract of engines imports types only.',
      severity: 'error',
      from: { path: '^src/engine/contract\\.ts$' },
      to: {},
    },
    ...typesOnly.map(({ name, folders, library }) => ({
      name: `types-only-${name}`,
      comment: 'The page may load this: import the types of the library alone.',
      severity: 'error',
      from: { path: folders },
      to: { path: library },
    })),
  ],
  required: plan.required.filter(({ name }) => name === 'sees-imports'),
  options: {
    ...plan.options,
    parser: 'acorn',
    tsPreCompilationDeps: false,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: [plan.options.exclude.path, TESTS], dynamic: true },
  },
};
