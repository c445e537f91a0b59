/**
 * Owns `npm start`: gets the data, builds the page, serves it on this machine and opens it.
 *
 *   npm start -- [--port 5150] [--no-open]
 */
import { spawn } from 'node:child_process';
import { BUILD_FOLDER, ensureBuild } from './build.ts';
import { ensureData } from './data.ts';
import { readOptions } from './options.ts';
import { serve } from './serve.ts';

const USAGE = 'npm start -- [--port 5150] [--no-open]';

const { values: options } = readOptions(USAGE, {
  options: {
    port: { type: 'string', default: process.env.PORT ?? '5150' },
    'no-open': { type: 'boolean', default: false },
  },
});
const port = Number(options.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`--port takes a whole number from 0 to 65535, not "${options.port}".`);
  process.exit(2);
}

const data = await ensureData();
if (!data.ok) {
  console.log(
    `\n${data.message}\n\nAtelier goes on with its sample of 2,000 garments. ` +
      'Once you have the full data, run “npm start” again and choose Full in the Data room.',
  );
}

await ensureBuild();
const server = await serve({ folder: BUILD_FOLDER, port });
console.log(`\n  Atelier is at ${server.url}\n  Ctrl-C ends it.\n`);
if (!options['no-open'] && hasDesktop()) openInBrowser(server.url);

process.once('SIGINT', () => void server.close().then(() => process.exit(0)));
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)));

function hasDesktop(): boolean {
  if (process.env.CI || !process.stdout.isTTY) return false;
  return (
    process.platform === 'darwin' ||
    process.platform === 'win32' ||
    Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)
  );
}

/** The address has been printed already: where no opener works, nothing is lost. */
function openInBrowser(url: string): void {
  const [command, args] =
    process.platform === 'darwin'
      ? (['open', [url]] as const)
      : process.platform === 'win32'
        ? (['cmd', ['/c', 'start', '', url]] as const)
        : (['xdg-open', [url]] as const);
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
