/**
 * Owns `npm run bench -- NAME [options]`: finds the measurement by its name and runs it. Each module
 * beside this one that exports `run` and `summary` is a measurement.
 */
import { readdirSync } from 'node:fs';

interface Measurement {
  /** One line for the list. */
  readonly summary: string;
  /** Prints its figures. */
  run(options: readonly string[]): Promise<void>;
}

const names = readdirSync(import.meta.dirname)
  .filter((file) => /^[a-z]\w*\.ts$/.test(file) && file !== 'index.ts')
  .map((file) => file.replace('.ts', ''));

async function open(name: string): Promise<Measurement | null> {
  const module: Partial<Measurement> = await import(`./${name}.ts`);
  return module.run && module.summary ? { summary: module.summary, run: module.run } : null;
}

const [name, ...options] = process.argv.slice(2);
const measurement = name !== undefined && names.includes(name) ? await open(name) : null;
if (measurement) {
  await measurement.run(options);
  // TensorFlow.js leaves timers behind.
  process.exit(0);
}
console.log('npm run bench -- NAME [options]\n');
for (const each of names) {
  const found = await open(each);
  if (found) console.log(`  ${each.padEnd(15)} ${found.summary}`);
}
process.exit(name === undefined ? 0 : 2);
