/**
 * Owns the response headers that keep the page private and let it use threads. The production
 * server, the development server and the built page all take them from here.
 */

const POLICY: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'self'"],
  'script-src': ["'self'", "'wasm-unsafe-eval'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'blob:', 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'worker-src': ["'self'"],
  'object-src': ["'none'"],
  'base-uri': ["'self'"],
};

function writePolicy(policy: typeof POLICY): string {
  return Object.entries(policy)
    .map(([directive, sources]) => `${directive} ${sources.join(' ')}`)
    .join('; ');
}

/** Everything comes from the page's own origin and nothing is evaluated from text. */
export const CONTENT_SECURITY_POLICY = writePolicy(POLICY);

/** As the policy, loosened by what React's fast refresh needs: an inline script and a socket. */
const DEVELOPMENT_POLICY = writePolicy({
  ...POLICY,
  'script-src': ["'self'", "'wasm-unsafe-eval'", "'unsafe-inline'"],
  'connect-src': ["'self'", 'ws:'],
});

const COMMON_HEADERS = {
  // Both together make the page cross-origin isolated, which threads in WebAssembly need.
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const;

export const PRODUCTION_HEADERS: Readonly<Record<string, string>> = {
  ...COMMON_HEADERS,
  // A page may not be framed; a <meta> policy cannot say so, only a header can.
  'Content-Security-Policy': `${CONTENT_SECURITY_POLICY}; frame-ancestors 'none'`,
};

export const DEVELOPMENT_HEADERS: Readonly<Record<string, string>> = {
  ...COMMON_HEADERS,
  'Content-Security-Policy': DEVELOPMENT_POLICY,
};
