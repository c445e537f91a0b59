/** Owns the words for what makes an answer doubtful before any model is asked. Pure. */
import type { Doubt } from '../../image/picture.ts';

export interface DoubtWords {
  /** In two or three words. */
  readonly short: string;
  readonly what: string;
  readonly advice: string;
}

const OF_PHOTOS: { readonly [Each in Doubt]: DoubtWords } = {
  busyBackground: {
    short: 'Busy background',
    what: 'The background is busy.',
    advice: 'Crop to the garment, or lay it on a plain sheet of another colour.',
  },
  noBorder: {
    short: 'No margin',
    what: 'There is no background round the garment to tell it by.',
    advice: 'Take the photo from further away, so that a margin shows on every side.',
  },
  faint: {
    short: 'Hardly stands out',
    what: 'The garment hardly stands out from its background.',
    advice: 'Lay it on a sheet of another colour, or let less count as background below.',
  },
  tiny: {
    short: 'Very small',
    what: 'What was found is very small.',
    advice: 'Crop to the garment, so that nothing else is taken for it.',
  },
};

const OF_DRAWINGS: { readonly [Each in Doubt]: DoubtWords } = {
  busyBackground: {
    short: 'No margin',
    what: 'The drawing reaches the edges of the sheet.',
    advice: 'Leave a white margin round it.',
  },
  noBorder: {
    short: 'No margin',
    what: 'The whole sheet is covered.',
    advice: 'Leave a white margin round the garment.',
  },
  faint: { short: 'Very pale', what: 'The drawing is very pale.', advice: 'Take a darker cloth.' },
  tiny: { short: 'Very small', what: 'The drawing is very small.', advice: 'Draw it larger.' },
};

/** What is doubtful, and what a person can do about it. */
export function sayDoubt(doubt: Doubt, about: 'photo' | 'drawing'): DoubtWords {
  return (about === 'photo' ? OF_PHOTOS : OF_DRAWINGS)[doubt];
}
