/**
 * Owns what a refused model file is called.
 */

/** A file is not one Atelier can use. The message says which check failed and what to do. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}
