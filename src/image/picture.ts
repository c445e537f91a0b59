/**
 * Owns the types of the picture pipeline: what goes in, what the model sees, and the pictures in
 * between.
 */

/** Straight RGBA, 4 bytes a pixel, row by row. `ImageData` fits. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** One stage of the pipeline with the picture it left behind, for the page to show. */
export interface PictureStep {
  /** Stable key, e.g. "trim". */
  readonly name: string;
  /** For people, e.g. "Trim to the garment". */
  readonly title: string;
  readonly picture: Picture;
}

export type NormalizedPicture =
  | {
      readonly kind: 'garment';
      /** `[784]` bytes, light garment on black, exactly what the model sees before /255. */
      readonly pixels: Uint8Array;
      readonly steps: readonly PictureStep[];
    }
  /** Nothing stands out from the background: nothing to classify. */
  | { readonly kind: 'blank'; readonly steps: readonly PictureStep[] };

export type Classification =
  | (Extract<NormalizedPicture, { kind: 'garment' }> & {
      /** `[10]`, sums to 1, by label. */
      readonly probabilities: Float32Array;
      /** Normalising and predicting, in the worker. */
      readonly elapsedMs: number;
    })
  | Extract<NormalizedPicture, { kind: 'blank' }>;
