/**
 * Owns the browser that the tests and the headless training run in: finds one that is installed,
 * brings one where none is, and says how to launch it.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { chromium, type LaunchOptions } from 'playwright';

/** No browser could be found or brought. The message lists what was tried. */
class BrowserError extends Error {
  override readonly name = 'BrowserError';
}

const COMMANDS = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
];

/**
 * - `software`: WebGL drawn by the CPU, on every machine alike. For tests.
 * - `any`: the GPU where there is one, else as `software`. For training.
 */
export type Graphics = 'software' | 'any';

const GRAPHICS_FLAGS: Readonly<Record<Graphics, readonly string[]>> = {
  software: ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
  any: [
    '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist',
    '--enable-unsafe-webgpu',
    // Without a display, Linux reaches a GPU through Vulkan only. Where there is none, Chromium falls
    // back to software by itself.
    ...(process.platform === 'linux'
      ? ['--use-angle=vulkan', '--enable-features=Vulkan', '--disable-vulkan-surface']
      : []),
  ],
};

/** Options to launch `executablePath` headless. */
export function launchOptions(executablePath: string | null, graphics: Graphics): LaunchOptions {
  return {
    ...(executablePath === null ? {} : { executablePath }),
    headless: true,
    // Root has no sandbox to offer, and containers seldom have one either.
    chromiumSandbox: process.platform !== 'linux',
    args: [
      ...GRAPHICS_FLAGS[graphics],
      // The page trains while nobody looks at it: none of it is background work.
      '--disable-background-timer-throttling',
      '--disable-renderer-backgrounding',
      '--disable-backgrounding-occluded-windows',
      // /dev/shm is 64 MB in many containers, which crashes a page with much memory.
      '--disable-dev-shm-usage',
    ],
  };
}

/**
 * An installed Chromium or Chrome, else Playwright's own where it has been downloaded, else null.
 * `ATELIER_BROWSER` names another one.
 */
export function findBrowser(): string | null {
  const named = process.env.ATELIER_BROWSER;
  if (named) return named;
  const inPath = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .flatMap((folder) => COMMANDS.map((command) => join(folder, command)));
  const inPlace: readonly string[] =
    process.platform === 'darwin'
      ? ['/Applications', join(homedir(), 'Applications')].flatMap((folder) => [
          join(folder, 'Google Chrome.app/Contents/MacOS/Google Chrome'),
          join(folder, 'Chromium.app/Contents/MacOS/Chromium'),
          join(folder, 'Microsoft Edge.app/Contents/MacOS/Microsoft Edge'),
        ])
      : process.platform === 'win32'
        ? [
            process.env.PROGRAMFILES,
            process.env['PROGRAMFILES(X86)'],
            process.env.LOCALAPPDATA,
          ].flatMap((folder) =>
            folder === undefined
              ? []
              : [
                  join(folder, 'Google/Chrome/Application/chrome.exe'),
                  join(folder, 'Microsoft/Edge/Application/msedge.exe'),
                ],
          )
        : inPath;
  return [...inPlace, chromium.executablePath()].find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A browser that was seen to start: an installed one, else Playwright's own download, else Debian's
 * `chromium` through apt, which needs root.
 *
 * @throws BrowserError where none of them works.
 */
export async function ensureBrowser(): Promise<string> {
  const failures: string[] = [];

  const found = findBrowser();
  if (found === null) {
    failures.push('No installed Chromium, Chrome or Edge was found.');
  } else {
    const fault = await tryLaunch(found);
    if (fault === null) return found;
    failures.push(`${found} does not start: ${fault}`);
  }

  const own = chromium.executablePath();
  if (found !== own) {
    console.log('No browser that starts is installed. Downloading Chromium through Playwright …');
    const fault = (await downloadChromium()) ?? (await tryLaunch(own));
    if (fault === null) return own;
    failures.push(`Playwright's own download: ${fault}`);
  }

  if (process.platform === 'linux' && isExecutable('/usr/bin/apt-get')) {
    if (process.getuid?.() === 0) {
      console.log("Installing Debian's chromium through apt …");
      const fault = (await installDebianChromium()) ?? (await tryLaunch('/usr/bin/chromium'));
      if (fault === null) return '/usr/bin/chromium';
      failures.push(`Debian's chromium: ${fault}`);
    } else {
      failures.push("Debian's chromium was not tried: apt-get needs root.");
    }
  }

  throw new BrowserError(
    [
      'No browser works here. Tried, in order:',
      ...failures.map((failure) => `  - ${failure}`),
      'Install Chromium or Chrome, or set ATELIER_BROWSER to the path of one.',
    ].join('\n'),
  );
}

/** Null where the browser starts, else the first telling line of why not. */
async function tryLaunch(executablePath: string): Promise<string | null> {
  try {
    const browser = await chromium.launch({
      ...launchOptions(executablePath, 'software'),
      timeout: 60_000,
    });
    await browser.close();
    return null;
  } catch (error) {
    const lines = String(error).split('\n');
    return (
      lines.find((line) => /error while loading|cannot open|ENOENT/.test(line)) ??
      lines[0] ??
      ''
    )
      .replace(/^\s*-?\s*/, '')
      .trim();
  }
}

async function downloadChromium(): Promise<string | null> {
  const playwright = dirname(createRequire(import.meta.url).resolve('playwright/package.json'));
  return run(process.execPath, [join(playwright, 'cli.js'), 'install', '--no-shell', 'chromium'], {
    // Five tries of ten seconds each: a machine without a network should learn so within a minute.
    PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '10000',
  });
}

async function installDebianChromium(): Promise<string | null> {
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  // A machine whose lists are fresh needs no update, and one without a network says why below.
  await run('apt-get', ['update', '-q'], environment);
  return run('apt-get', ['install', '-yq', '--no-install-recommends', 'chromium'], environment);
}

/** Runs a command and shows its output. Null where it succeeds, else the gist of why it did not. */
function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let complaints = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      complaints += text;
    });
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      const gist = complaints.split('\n').find((line) => /^(E:|Error:)/.test(line));
      resolve(code === 0 ? null : (gist ?? `it ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
