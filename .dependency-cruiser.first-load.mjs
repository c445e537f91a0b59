/**
 * What the page must not load at first, however long the way: only `import()` and workers bring it.
 * Looks at what is left of the imports once types and `import()` are taken out.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
import plan from './.dependency-cruiser.mjs';

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
  ],
  required: plan.required.filter(({ name }) => name === 'sees-imports'),
  options: {
    ...plan.options,
    // Of the compiled code.
    parser: 'acorn',
    tsPreCompilationDeps: false,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { ...plan.options.exclude, dynamic: true },
  },
};
