/**
 * Owns the production build as the other scripts use it: where it lies, and whether it is current.
 */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '..');

/** Folder of the build. `ATELIER_BUILD` names another one, which is then taken as it is. */
export const BUILD_FOLDER = resolve(ROOT, process.env.ATELIER_BUILD ?? 'dist');

/** Everything the build is made of. */
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts', 'package-lock.json', 'scripts'];

/** Builds the page unless the last build is younger than everything it is made of. */
export async function ensureBuild(): Promise<void> {
  if (process.env.ATELIER_BUILD !== undefined || isBuildCurrent()) return;
  console.log('Building the page …');
  // Loaded only here: the tests want nothing of this module but the folder's name.
  const { build } = await import('vite');
  await build({ root: ROOT, configFile: join(ROOT, 'vite.config.ts'), logLevel: 'warn' });
}

function isBuildCurrent(): boolean {
  const builtMs = statSync(join(BUILD_FOLDER, 'index.html'), { throwIfNoEntry: false })?.mtimeMs;
  return (
    builtMs !== undefined && SOURCES.every((source) => youngestMs(join(ROOT, source)) < builtMs)
  );
}

/** Latest change of a file, or of a folder and all that is in it. A folder changes when a file goes. */
function youngestMs(path: string): number {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return 0;
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => youngestMs(join(path, name))));
}
