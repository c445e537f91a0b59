/**
 * The types of the picture pipeline: what goes in, what a person may change on the way, what
 * the model sees, and the pictures in between.
 */

/** Straight RGBA, 4 bytes a pixel, row by row. `ImageData` fits. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** A rectangle in shares (0–1) of a picture's edges. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The steps of the pipeline in their order. */
export const STEP_NAMES = [
  'picture',
  'garment',
  'tones',
  'fill',
  'fit',
  'sharpen',
  'levels',
] as const;

export type StepName = (typeof STEP_NAMES)[number];

/** What a person may change. `DEFAULT_SETTINGS` leaves everything to the pipeline. */
export interface PictureSettings {
  /** Clockwise, after the file's own orientation. */
  readonly quarterTurns: 0 | 1 | 2 | 3;
  /** The part of the turned picture that is worked on; null for all of it. */
  readonly crop: Crop | null;
  /**
   * How far from the background's colour a pixel may be and still belong to it, as a multiple
   * (0.25–4) of what the pipeline estimates. On grey and coloured paper, how sure a pixel of the
   * garment must be.
   */
  readonly tolerance: number;
  /** Whether dark becomes light: as the pipeline finds, always, or never. */
  readonly negate: 'auto' | 'always' | 'never';
  /**
   * Steps left out. Without 'garment' the whole picture counts as garment; without 'fit' it is
   * squashed to 28 × 28 as it is; 'picture' and 'tones' cannot be left out.
   */
  readonly off: readonly StepName[];
}

export const DEFAULT_SETTINGS: PictureSettings = {
  quarterTurns: 0,
  crop: null,
  tolerance: 1,
  negate: 'auto',
  off: [],
};

/** One stage of the pipeline with the picture it left behind, for the page to show. */
export interface PictureStep {
  readonly name: StepName;
  /** For people, e.g. "Trim to the garment". */
  readonly title: string;
  /** 'idle': there was nothing for it to do. */
  readonly state: 'on' | 'off' | 'idle';
  /** Null where nobody looks at the steps. */
  readonly picture: Picture | null;
}

/** Why the pipeline's own result is to be trusted less. */
export type Doubt =
  /** The background is no plain sheet: a floor, folds, a room. */
  | 'busyBackground'
  /** The garment runs out of the picture on every side, or nothing was left of the background. */
  | 'noBorder'
  /** Little stands out from the background. */
  | 'faint'
  /** What stands out is too small for a garment to be recognised. */
  | 'tiny';

export type NormalizedPicture =
  | {
      readonly kind: 'garment';
      /** `[784]` bytes, light garment on black, exactly what the model sees before /255. */
      readonly pixels: Uint8Array;
      readonly doubts: readonly Doubt[];
      readonly steps: readonly PictureStep[];
    }
  /** Nothing stands out from the background: nothing to classify. */
  | { readonly kind: 'blank'; readonly steps: readonly PictureStep[] };
