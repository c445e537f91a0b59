/**
 * Owns reading a folder of photos sorted into subfolders by kind, decoded by a real browser, and the
 * scoring of answers to them.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { ensureBrowser, launchOptions } from '../scripts/browser.ts';
import type { Picture } from '../src/image/picture.ts';

export interface Photo {
  /** Name of the subfolder. */
  readonly kind: string;
  readonly picture: Picture;
}

/** As the page does: upright, at most 1024 pixels long. Runs in the browser. */
async function decodeInPage([base64, longest]: readonly [string, number]) {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]), { imageOrientation: 'from-image' });
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const width = Math.round(bitmap.width * scale);
  const height = Math.round(bitmap.height * scale);
  const context = new OffscreenCanvas(width, height).getContext('2d');
  if (!context) throw new Error('The browser gives no canvas.');
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pieces: string[] = [];
  for (let i = 0; i < data.length; i += 0x8000) {
    pieces.push(String.fromCharCode(...data.subarray(i, i + 0x8000)));
  }
  return { width, height, base64: btoa(pieces.join('')) };
}

/** Every photo in the subfolders of a folder. */
export async function readPhotos(folder: string): Promise<Photo[]> {
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), 'software'));
  try {
    const page = await browser.newPage();
    const photos: Photo[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      for (const file of await readdir(join(folder, entry.name))) {
        if (!/\.(jpe?g|png|webp)$/i.test(file)) continue;
        const content = await readFile(join(folder, entry.name, file), 'base64');
        const { base64, width, height } = await page.evaluate(decodeInPage, [
          content,
          1024,
        ] as const);
        const data = new Uint8ClampedArray(Buffer.from(base64, 'base64'));
        photos.push({ kind: entry.name, picture: { width, height, data } });
      }
    }
    return photos;
  } finally {
    await browser.close();
  }
}

const UPPER_BODY = [0, 2, 4, 6];
const FOOTWEAR = [5, 7, 9];

/** Labels that count as right for a kind: exactly, and by group. Kinds not listed have no answer. */
const RIGHT: Readonly<Record<string, { fine?: readonly number[]; coarse: readonly number[] }>> = {
  't-shirt': { fine: [0], coarse: UPPER_BODY },
  pants: { fine: [1], coarse: [1] },
  dress: { fine: [3], coarse: [3] },
  outwear: { fine: [4], coarse: UPPER_BODY },
  shirt: { fine: [6], coarse: UPPER_BODY },
  longsleeve: { fine: [2, 6], coarse: UPPER_BODY },
  // Mostly pairs seen from above, unlike any training picture: reported apart.
  shoes: { coarse: FOOTWEAR },
};

export interface PhotoScore {
  readonly kind: string;
  readonly count: number;
  /** Shares 0–1; null where the kind has no exact class. */
  readonly fine: number | null;
  readonly coarse: number;
}

/** @param answers label of each photo, -1 where none was given */
export function scorePhotos(photos: readonly Photo[], answers: readonly number[]): PhotoScore[] {
  return Object.entries(RIGHT).flatMap(([kind, { fine, coarse }]) => {
    const given = answers.filter((_, i) => photos[i]?.kind === kind);
    if (given.length === 0) return [];
    const share = (right: readonly number[]) =>
      given.filter((label) => right.includes(label)).length / given.length;
    return [{ kind, count: given.length, fine: fine ? share(fine) : null, coarse: share(coarse) }];
  });
}

/** Mean over kinds, shoes apart. */
export function meanScores(scores: readonly PhotoScore[]): { fine: number; coarse: number } {
  const clothes = scores.filter(({ fine }) => fine !== null);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    fine: mean(clothes.map(({ fine }) => fine ?? 0)),
    coarse: mean(clothes.map(({ coarse }) => coarse)),
  };
}
