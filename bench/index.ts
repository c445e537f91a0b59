/**
 * `npm run bench -- NAME [options]`: finds the measurement by its name and runs it. Each module beside
 * this one that exports `run` and `summary` is a measurement; `help` lists its options.
 */
import { readdirSync } from 'node:fs';
import { OptionError } from './options.ts';

interface Measurement {
  /** One line for the list. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help?: string;
  /** Prints its figures; sets `process.exitCode` where they are not as they must be. */
  run(options: readonly string[]): Promise<void>;
}

const names = readdirSync(import.meta.dirname)
  .filter((file) => /^[a-z]\w*\.ts$/.test(file) && file !== 'index.ts')
  .map((file) => file.replace('.ts', ''));

async function open(name: string): Promise<Measurement | null> {
  const module: Partial<Measurement> = await import(`./${name}.ts`);
  const { run, summary, help } = module;
  return run && summary ? { summary, run, ...(help === undefined ? {} : { help }) } : null;
}

function isAboutOptions(error: unknown): error is Error {
  if (error instanceof OptionError) return true;
  return error instanceof Error && 'code' in error && /^ERR_PARSE_ARGS/.test(String(error.code));
}

const [name, ...options] = process.argv.slice(2);
const measurement = name !== undefined && names.includes(name) ? await open(name) : null;
if (measurement && options.includes('--help')) {
  console.log(measurement.help ?? measurement.summary);
} else if (measurement) {
  try {
    await measurement.run(options);
  } catch (error) {
    if (!isAboutOptions(error)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
} else {
  console.log('npm run bench -- NAME [options]; NAME --help lists the options\n');
  for (const each of names) {
    const found = await open(each);
    if (found) console.log(`  ${each.padEnd(15)} ${found.summary}`);
  }
  process.exitCode = name === undefined || name === '--help' ? 0 : 2;
}
// TensorFlow.js leaves timers behind.
process.exit();
