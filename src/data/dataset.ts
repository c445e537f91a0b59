/**
 * Owns what a data set is: grey pictures and their labels as bytes, the seeded split into training
 * and validation, and seeded shuffling. Knows no files and no model.
 */

/** `n` pictures. Pixels are kept as bytes (0–255) and divided by 255 only when a batch is made. */
export interface Dataset {
  /** `[n · 784]`, row by row, 0 black to 255 white. */
  readonly pixels: Uint8Array;
  /** `[n]`, 0–9. */
  readonly labels: Uint8Array;
}
