/**
 * Makes the picture files that the journeys drop on the page, from the page's own stencils, and one of
 * noise. Run when they are to change, and commit what comes out:
 *
 *   npx tsx e2e/pictures/make.ts
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { ensureBrowser, launchOptions } from '../../scripts/browser.ts';
import { STENCILS } from '../../src/ui/classify/stencils.ts';

interface Scene {
  readonly path: string;
  readonly type: 'image/png' | 'image/jpeg' | 'image/webp';
  readonly cloth: string;
  readonly ground: string;
  /** Upright size; lying pictures are stored turned by a quarter. */
  readonly width: number;
  readonly height: number;
  readonly isLying: boolean;
}

/** Runs in the browser; returns the encoded file in base64. */
async function encode({ path, type, cloth, ground, width, height, isLying }: Scene) {
  const canvas = isLying ? new OffscreenCanvas(height, width) : new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('The browser gives no canvas.');
  if (isLying) {
    // A quarter turn to the left, which orientation 6 takes back.
    context.translate(0, width);
    context.rotate(-Math.PI / 2);
  }
  context.fillStyle = ground;
  context.fillRect(0, 0, width, height);
  context.fillStyle = cloth;
  context.translate(width * 0.2, height * 0.1);
  const scale = Math.min((width * 0.7) / 28, (height * 0.75) / 28);
  context.scale(scale, scale);
  context.fill(new Path2D(path));
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type })).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}

/** Runs in the browser; grey grains of one pixel, in base64. Repeats for its seed. */
async function encodeNoise([side, seed]: readonly [number, number]) {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('The browser gives no canvas.');
  const image = context.createImageData(side, side);
  let state = seed;
  for (let i = 0; i < image.data.length; i += 4) {
    // A linear congruential generator, of "Numerical Recipes"; its high bits are random enough.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const grey = state >>> 24;
    image.data.set([grey, grey, grey, 255], i);
  }
  context.putImageData(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
}

/**
 * Runs in the browser: a garment with folds and a shadow on a wooden floor, a box beside it; as a JPEG
 * in base64.
 */
async function encodePhoto(path: string) {
  const canvas = new OffscreenCanvas(480, 640);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('The browser gives no canvas.');
  for (let plank = 0; plank < 8; plank++) {
    const grain = context.createLinearGradient(plank * 60, 0, plank * 60 + 60, 0);
    grain.addColorStop(0, plank % 2 === 0 ? '#c9a77c' : '#c2a076');
    grain.addColorStop(0.97, plank % 2 === 0 ? '#c0a075' : '#ccab82');
    grain.addColorStop(1, '#a98a61');
    context.fillStyle = grain;
    context.fillRect(plank * 60, 0, 60, 640);
  }
  context.fillStyle = '#20407a';
  context.fillRect(12, 500, 110, 120);
  context.save();
  context.shadowColor = 'rgb(40 25 10 / 45%)';
  context.shadowBlur = 14;
  context.shadowOffsetX = 6;
  context.shadowOffsetY = 8;
  const cloth = context.createLinearGradient(120, 0, 420, 0);
  for (let fold = 0; fold <= 10; fold++) {
    cloth.addColorStop(fold / 10, fold % 2 === 0 ? '#6d1a38' : '#842246');
  }
  context.fillStyle = cloth;
  context.translate(130, 40);
  context.scale(11, 16);
  context.fill(new Path2D(path));
  context.restore();
  const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** An EXIF segment that says nothing but the orientation. */
function exifSegment(orientation: number): Buffer {
  const tiff = Buffer.from([
    ...Buffer.from('Exif\0\0'),
    ...Buffer.from('MM\0*'),
    ...[0, 0, 0, 8],
    // One entry: tag 0x0112, a short, one of them, its value; no further directory.
    ...[0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
  ]);
  const length = tiff.length + 2;
  return Buffer.concat([Buffer.from([0xff, 0xe1, length >> 8, length & 255]), tiff]);
}

function stencil(name: string): string {
  const found = STENCILS.find((each) => each.name === name);
  if (!found) throw new Error(`There is no stencil ${name}.`);
  return found.path;
}

const browser = await chromium.launch(launchOptions(await ensureBrowser(), 'software'));
const page = await browser.newPage();
const draw = async (scene: Scene) => Buffer.from(await page.evaluate(encode, scene), 'base64');
const folder = import.meta.dirname;

await writeFile(
  join(folder, 'dress.png'),
  await draw({
    path: stencil('Dress'),
    type: 'image/png',
    cloth: '#7a2040',
    ground: '#f4f1ea',
    width: 160,
    height: 200,
    isLying: false,
  }),
);
const lying = await draw({
  path: stencil('Trouser'),
  type: 'image/jpeg',
  cloth: '#2a3a66',
  ground: '#e8e6e0',
  width: 150,
  height: 220,
  isLying: true,
});
await writeFile(
  join(folder, 'trouser-orientation-6.jpg'),
  // Right behind the start-of-image marker.
  Buffer.concat([lying.subarray(0, 2), exifSegment(6), lying.subarray(2)]),
);
await writeFile(
  join(folder, 'pullover.webp'),
  await draw({
    path: stencil('Pullover'),
    type: 'image/webp',
    cloth: '#d8d2c4',
    ground: '#3a4a3c',
    width: 200,
    height: 180,
    isLying: false,
  }),
);
await writeFile(
  join(folder, 'dress-on-floor.jpg'),
  Buffer.from(await page.evaluate(encodePhoto, stencil('Dress')), 'base64'),
);
const noise = await page.evaluate(encodeNoise, [32, 4] as const);
await writeFile(join(folder, 'noise.png'), Buffer.from(noise, 'base64'));
await writeFile(join(folder, 'not-a-picture.jpg'), 'A shopping list: one coat, two pullovers.\n');
await browser.close();
