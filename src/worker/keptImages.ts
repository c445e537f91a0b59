/**
 * The images that a worker keeps by their ids, so that a person's changes to how one is read need not
 * bring its pixels along. Bounded: the one used longest ago goes.
 */
import type { Picture } from '../image/picture.ts';

/** Twenty images of 1024 × 1024 are 84 MB. */
const MAX_KEPT_IMAGES = 20;

export interface KeptImages {
  /** Keeps an image, in place of the one that had this id. */
  put(id: string, picture: Picture): void;
  /** Null where it is not, or no longer, kept. */
  get(id: string): Picture | null;
  release(id: string): void;
}

export function keepImages(maxImages = MAX_KEPT_IMAGES): KeptImages {
  /** The one used last at the end. */
  const kept = new Map<string, Picture>();

  function put(id: string, picture: Picture): void {
    kept.delete(id);
    kept.set(id, picture);
    for (const oldest of kept.keys()) if (kept.size > maxImages) kept.delete(oldest);
  }

  return {
    put,
    get(id) {
      const picture = kept.get(id);
      if (!picture) return null;
      put(id, picture);
      return picture;
    },
    release(id) {
      kept.delete(id);
    },
  };
}
