/**
 * Owns the production server: the built page from a folder, on this machine only, with the headers
 * that a good host would send.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import sirv from 'sirv';
import { PRODUCTION_HEADERS } from './headers.ts';

export interface PageServer {
  /** Address of the page, with a trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Folder of the built page. */
  readonly folder: string;
  /** First port to try; a taken one is passed over for the next free one. 0 lets the system choose. */
  readonly port?: number;
  /** Path under which the page appears, with both slashes. Default "/". */
  readonly base?: string;
  /** Headers sent with every answer. Default: those of production. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sees each request first, and returns true where it answers it itself. For tests. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** How many ports to try before giving up. */
const NUM_PORTS = 50;

/**
 * Serves a folder on localhost.
 *
 * @throws Error where no port could be opened.
 */
export async function serve({
  folder,
  port = 0,
  base = '/',
  headers = PRODUCTION_HEADERS,
  intercept,
}: ServeOptions): Promise<PageServer> {
  const sendFile = sirv(folder, {
    // Looks at the disk for every request: a build may change the folder while the server runs.
    dev: true,
    etag: true,
    setHeaders(response, path) {
      // Names under assets/ carry a hash of their content.
      if (path.startsWith('/assets/')) {
        response.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
      }
      if (path.endsWith('.gz')) {
        // The page gunzips by itself and counts the bytes as they come: the file is sent as it is.
        response.setHeader('Content-Type', 'application/gzip');
        response.setHeader('Content-Encoding', 'identity');
      }
    },
  });

  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (intercept?.(request, response)) return;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      return;
    }
    if (!request.url?.startsWith(base)) {
      response.writeHead(404).end();
      return;
    }
    request.url = `/${request.url.slice(base.length)}`;
    sendFile(request, response, () => {
      response.writeHead(404).end();
    });
  });

  const openPort = await listen(server, port);
  return {
    url: `http://localhost:${openPort}${base}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

/** Opens the first free port from `first` on and returns it. */
async function listen(server: Server, first: number): Promise<number> {
  for (let port = first; ; port++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, 'localhost', () => {
          server.off('error', reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken || port >= first + NUM_PORTS - 1) throw error;
    }
  }
}
