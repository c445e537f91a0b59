/**
 * Owns the list of licences that travels with the built page: every package of which something is in
 * the page, its workers or its styles, with the text of its licence.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly text: string | null;
}

/**
 * Makes the two plugins that write `fileName`: one for the page's bundle and one for each worker's,
 * which Vite bundles apart.
 */
export function licences(fileName: string): { page(): Plugin; worker(): Plugin } {
  const folders = new Set<string>();
  const collect = (moduleIds: Iterable<string>): void => {
    for (const id of moduleIds) {
      const folder = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
      if (folder !== undefined) folders.add(folder);
    }
  };
  return {
    page: () => ({
      name: 'atelier:licences',
      apply: 'build',
      // Workers are bundled when the page's bundle comes upon them, which is over by now.
      generateBundle() {
        collect(this.getModuleIds());
        this.emitFile({ type: 'asset', fileName, source: write([...folders].map(readPackage)) });
      },
    }),
    worker: () => ({
      name: 'atelier:licences-of-workers',
      generateBundle() {
        collect(this.getModuleIds());
      },
    }),
  };
}

function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Record<string, unknown>;
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  return {
    name: String(name),
    version: String(version),
    license: typeof license === 'string' ? license : 'see its repository',
    text: file === undefined ? null : readFileSync(join(folder, file), 'utf8').trim(),
  };
}

function write(packages: readonly Package[]): string {
  const sections = packages
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, license, text }) =>
      [`## ${name} ${version}`, '', license, ...(text === null ? [] : ['', text])].join('\n'),
    );
  return `# Licences\n\nOf everything that others wrote and that is part of this page.\n\n${sections.join('\n\n')}\n`;
}
