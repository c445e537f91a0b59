import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PRODUCTION_HEADERS } from './headers.ts';
import { type PageServer, serve } from './serve.ts';

const packed = gzipSync('label,pixel1\n');
let folder: string;
let server: PageServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'atelier-serve-'));
  mkdirSync(join(folder, 'assets'));
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Atelier</title>');
  writeFileSync(join(folder, 'manifest.webmanifest'), '{}');
  writeFileSync(join(folder, 'assets', 'engine-abc.wasm'), 'wasm');
  writeFileSync(join(folder, 'data', 'garments.csv.gz'), packed);
  server = await serve({ folder });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('serve', () => {
  it('sends the page and every other answer with the headers of production', async () => {
    for (const path of ['', 'assets/engine-abc.wasm', 'data/garments.csv.gz', 'nowhere']) {
      const response = await fetch(server.url + path);
      for (const [name, value] of Object.entries(PRODUCTION_HEADERS)) {
        expect(response.headers.get(name), `${name} of /${path}`).toBe(value);
      }
      await response.arrayBuffer();
    }
  });

  it('sends a packed CSV as it is, with its length', async () => {
    const response = await fetch(`${server.url}data/garments.csv.gz`);
    expect(response.headers.get('content-type')).toBe('application/gzip');
    expect(response.headers.get('content-length')).toBe(String(packed.length));
    expect(Buffer.from(await response.arrayBuffer())).toEqual(packed);
  });

  it('names the types that browsers insist on', async () => {
    const typeOf = async (path: string): Promise<string | null> => {
      const response = await fetch(server.url + path, { method: 'HEAD' });
      return response.headers.get('content-type');
    };
    expect(await typeOf('')).toBe('text/html;charset=utf-8');
    expect(await typeOf('assets/engine-abc.wasm')).toBe('application/wasm');
    expect(await typeOf('manifest.webmanifest')).toBe('application/manifest+json');
  });

  it('lets browsers keep what carries a hash in its name, and ask again for the rest', async () => {
    const cacheOf = async (path: string): Promise<string | null> =>
      (await fetch(server.url + path, { method: 'HEAD' })).headers.get('cache-control');
    expect(await cacheOf('assets/engine-abc.wasm')).toContain('immutable');
    expect(await cacheOf('')).toBe('no-cache');
  });

  it('answers what it does not have with 404, and what would change something with 405', async () => {
    expect((await fetch(`${server.url}nowhere`)).status).toBe(404);
    expect((await fetch(server.url, { method: 'POST', body: 'x' })).status).toBe(405);
  });

  it('stays in its folder', async () => {
    // fetch() would tidy the path up before sending it.
    const status = await new Promise((resolve) => {
      const { port } = new URL(server.url);
      request({ port, host: 'localhost', path: '/../../../../../../etc/passwd' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(status).toBe(404);
  });

  it('takes the next free port where one is taken', async () => {
    const taken = Number(new URL(server.url).port);
    const second = await serve({ folder, port: taken });
    try {
      expect(Number(new URL(second.url).port)).toBeGreaterThan(taken);
      expect((await fetch(second.url)).status).toBe(200);
    } finally {
      await second.close();
    }
  });

  it('serves under a sub-path and nothing outside it', async () => {
    const below = await serve({ folder, base: '/lab/atelier/' });
    try {
      expect(below.url).toMatch(/\/lab\/atelier\/$/);
      expect((await fetch(below.url)).status).toBe(200);
      expect((await fetch(new URL('/', below.url))).status).toBe(404);
    } finally {
      await below.close();
    }
  });
});
