/**
 * Journeys through the Try room: drawing with mouse, finger and keyboard; pictures dropped, pasted and
 * chosen; and what is refused.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright/test';
import { expect, openApp, openWithSample, test } from './fixtures.ts';
import {
  ANSWERED,
  bars,
  fileOf,
  PICTURES,
  press,
  readBars,
  row,
  seenBox,
  seenPixels,
  send,
  tryRoom,
} from './tryRoom.ts';

const pad = (page: Page) => page.getByTestId('pad');
const blank = (page: Page) => tryRoom(page).getByTestId('blank');

/** Points in shares of the pad's edge, 0–1. */
type Path = readonly (readonly [number, number])[];

async function penDown(page: Page, path: Path): Promise<void> {
  await pad(page).scrollIntoViewIfNeeded();
  const box = await pad(page).boundingBox();
  if (!box) throw new Error('The pad is not on the page.');
  const [first, ...rest] = path.map(
    ([x, y]) => [box.x + x * box.width, box.y + y * box.height] as const,
  );
  if (!first) return;
  await page.mouse.move(...first);
  await page.mouse.down();
  for (const point of rest) await page.mouse.move(...point, { steps: 5 });
}

async function stroke(page: Page, path: Path): Promise<void> {
  await penDown(page, path);
  await page.mouse.up();
}

const BODY: Path = [
  [0.3, 0.2],
  [0.7, 0.2],
  [0.7, 0.8],
  [0.3, 0.8],
  [0.3, 0.2],
];

/** The grey of the sheet at a place, 0–255. */
function greyAt(page: Page, x: number, y: number): Promise<number> {
  return pad(page).evaluate(
    (canvas, [left, top]) => {
      if (!(canvas instanceof HTMLCanvasElement)) throw new Error('The pad is no canvas.');
      const data = canvas
        .getContext('2d')
        ?.getImageData(left * canvas.width, top * canvas.height, 1, 1).data;
      return data?.[0] ?? -1;
    },
    [x, y] as const,
  );
}

test('a drawing is answered with ten probabilities and the pixels the model sees', async ({
  page,
}) => {
  await openApp(page);
  await expect(blank(page)).toBeVisible();
  await expect(bars(page)).toHaveCount(0);

  await penDown(page, BODY);
  // Before the pen is lifted.
  await expect(bars(page)).toHaveCount(10);
  await page.mouse.up();

  // The answer to the last bit of the stroke may still be on its way.
  await expect(async () => {
    const rows = await readBars(page);
    expect(rows).toHaveLength(10);
    const [first = 0, second = 0, third = 0, ...rest] = rows.map(({ percent }) => percent);
    expect(first).toBeGreaterThanOrEqual(second);
    expect(second).toBeGreaterThanOrEqual(third);
    expect(third).toBeGreaterThanOrEqual(Math.max(...rest));
    expect(new Set(rows.map(({ label }) => label)).size).toBe(10);
  }).toPass({ timeout: 15_000 });

  // Fills the long side and is light on black, though it was drawn dark on white.
  await expect.poll(async () => (await seenBox(page)).height).toBe(28);
  await expect.poll(async () => (await seenPixels(page))?.[0]).toBe(0);

  await tryRoom(page).getByText('How the picture got there').click();
  await expect(tryRoom(page).locator('[data-step="levels"]')).toBeVisible();

  await press(page, 'Clear the pad');
  await expect(blank(page)).toBeVisible();
  await expect(bars(page)).toHaveCount(0);
});

test('undo, redo, eraser and fill do what they say', async ({ page }) => {
  await openApp(page);
  await stroke(page, BODY);
  expect(await greyAt(page, 0.3, 0.5)).toBeLessThan(80);
  expect(await greyAt(page, 0.5, 0.5)).toBe(255);

  await press(page, 'Fill');
  await stroke(page, [[0.5, 0.5]]);
  expect(await greyAt(page, 0.5, 0.5)).toBeLessThan(80);
  expect(await greyAt(page, 0.1, 0.1)).toBe(255);

  await press(page, 'Eraser');
  await stroke(page, [
    [0.1, 0.5],
    [0.9, 0.5],
  ]);
  expect(await greyAt(page, 0.5, 0.5)).toBe(255);

  await press(page, 'Undo');
  expect(await greyAt(page, 0.5, 0.5)).toBeLessThan(80);
  await pad(page).focus();
  await page.keyboard.press('Control+z');
  expect(await greyAt(page, 0.5, 0.5)).toBe(255);
  expect(await greyAt(page, 0.3, 0.5)).toBeLessThan(80);
  await page.keyboard.press('Control+Shift+z');
  expect(await greyAt(page, 0.5, 0.5)).toBeLessThan(80);
  await press(page, 'Redo');
  expect(await greyAt(page, 0.5, 0.5)).toBe(255);
  await expect(tryRoom(page).getByRole('button', { name: 'Redo' })).toBeDisabled();
});

test('the keyboard alone draws, and starts from a stencil', async ({ page }) => {
  await openApp(page);
  await pad(page).focus();
  await page.keyboard.press('Space');
  for (let i = 0; i < 5; i++) await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Space');
  await page.keyboard.press('Shift+ArrowRight');
  await expect(bars(page)).toHaveCount(10);
  // Down from the middle while the pen was down; not to the right, once it was lifted.
  expect(await greyAt(page, 0.5, 0.75)).toBeLessThan(80);
  expect(await greyAt(page, 0.57, 0.82)).toBe(255);

  await page.keyboard.press('Delete');
  const dress = tryRoom(page).getByRole('button', { name: 'Stencil: Dress' });
  await dress.focus();
  await page.keyboard.press('Enter');
  await expect(bars(page)).toHaveCount(10);
  expect((await seenBox(page)).height).toBe(28);
});

test('noise is declined, in words that a screen reader says as well; so is a blank sheet', async ({
  page,
}) => {
  await openApp(page);
  await send(page, 'drop', [await fileOf('noise.png')]);
  const answer = tryRoom(page).getByTestId('answer');
  await expect(answer).toHaveText(/^Cannot say: /);
  await expect(
    tryRoom(page)
      .getByRole('status')
      .filter({ hasText: /^Cannot say: / }),
  ).toHaveText(await answer.innerText());
  await expect(row(page, 'noise.png')).toContainText('Cannot say');
  // What it would be if it had to be something stays to be seen.
  await expect(bars(page)).toHaveCount(10);

  await press(page, 'Back to the pad');
  await stroke(page, BODY);
  await press(page, 'Clear the pad');
  await expect(blank(page)).toBeVisible();
  await expect(
    tryRoom(page).getByRole('status').filter({ hasText: 'Cannot say: nothing stands out' }),
  ).toHaveCount(1);
});

test('a garment of the test set is laid on the pad with its label', async ({ page }) => {
  await openWithSample(page);
  await press(page, 'Test garment');
  await expect(bars(page)).toHaveCount(10);
  await expect(tryRoom(page).getByText(/From the test set, where it is labelled/)).toBeVisible();
});

test('pictures dropped anywhere are answered one by one, and what is none is named', async ({
  page,
}) => {
  await openApp(page);
  const files = await Promise.all(
    ['dress.png', 'trouser-orientation-6.jpg', 'not-a-picture.jpg', 'pullover.webp'].map(fileOf),
  );
  await send(page, 'dragover', files);
  await expect(page.getByText('Drop pictures to classify them')).toBeVisible();
  await send(page, 'drop', files);
  await expect(page.getByText('Drop pictures to classify them')).toHaveCount(0);

  await expect(row(page, 'pullover.webp')).toContainText(ANSWERED);
  await expect(row(page, 'not-a-picture.jpg').getByRole('alert')).toContainText(
    '“not-a-picture.jpg” is not a picture. Atelier reads PNG, JPEG, WebP, GIF and AVIF.',
  );
  // The first is shown in place of the pad.
  await expect(tryRoom(page).getByRole('img', { name: 'dress.png' })).toBeVisible();
  await expect(bars(page)).toHaveCount(10);

  // Stored lying, with the note to turn it: seen upright, the legs down.
  await row(page, 'trouser-orientation-6.jpg').getByRole('button').first().click();
  await expect(tryRoom(page).getByRole('img', { name: 'trouser-orientation-6.jpg' })).toBeVisible();
  const box = await seenBox(page);
  expect(box.height).toBe(28);
  expect(box.width).toBeLessThan(20);
  const seen = (await seenPixels(page)) ?? [];
  const middle = (y: number) => seen[y * 28 + 14] ?? 0;
  expect(middle(3)).toBeGreaterThan(100);
  expect(middle(25)).toBeLessThan(40);

  await press(page, 'Back to the pad');
  await expect(pad(page)).toBeVisible();
  await press(page, 'Remove all');
  await expect(tryRoom(page).getByRole('region', { name: 'Your pictures' })).toHaveCount(0);
});

test('a picture is pasted, and one is chosen', async ({ page }) => {
  await openApp(page);
  await send(page, 'paste', [await fileOf('dress.png')]);
  await expect(row(page, 'dress.png')).toContainText(ANSWERED);
  await tryRoom(page).getByLabel('Picture files').setInputFiles(join(PICTURES, 'pullover.webp'));
  await expect(row(page, 'pullover.webp')).toContainText(ANSWERED);
});

test('what is too large, of another kind or damaged is refused in words; the page goes on', async ({
  page,
}) => {
  await openApp(page);
  const png = await readFile(join(PICTURES, 'dress.png'));
  const huge = Buffer.from(png);
  // The header claims 6000 × 6000.
  huge.writeUInt32BE(6000, 16);
  huge.writeUInt32BE(6000, 20);
  const mimeType = 'image/png';
  const tiff = Buffer.from('49492a000800000000000000000000', 'hex');
  await tryRoom(page)
    .getByLabel('Picture files')
    .setInputFiles([
      { name: 'huge.png', mimeType, buffer: huge },
      { name: 'heavy.png', mimeType, buffer: Buffer.concat([png, Buffer.alloc(20_000_000)]) },
      { name: 'half.png', mimeType, buffer: png.subarray(0, 200) },
      { name: 'scan.tiff', mimeType: 'image/tiff', buffer: tiff },
      { name: 'dress.png', mimeType, buffer: png },
    ]);
  await expect(row(page, 'huge.png').getByRole('alert')).toContainText(
    '36.0 megapixels (6000 × 6000)',
  );
  await expect(row(page, 'heavy.png').getByRole('alert')).toContainText('the limit is 20 MB');
  await expect(row(page, 'half.png').getByRole('alert')).toContainText('damaged');
  await expect(row(page, 'scan.tiff').getByRole('alert')).toBeVisible();
  await expect(row(page, 'dress.png')).toContainText(ANSWERED);
});

test('a finger draws on a phone', async ({ browser, guard, server }) => {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    baseURL: server.url,
  });
  guard.watch(context);
  const page = await context.newPage();
  await openApp(page);
  await pad(page).scrollIntoViewIfNeeded();
  const box = await pad(page).boundingBox();
  if (!box) throw new Error('The pad is not on the page.');
  const touch = await context.newCDPSession(page);
  const at = (x: number, y: number) => [{ x: box.x + x * box.width, y: box.y + y * box.height }];
  const scrolledBefore = await page.evaluate(() => window.scrollY);
  await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(0.5, 0.2) });
  for (const y of [0.3, 0.5, 0.7, 0.8]) {
    await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(0.5, y) });
  }
  await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await expect(bars(page)).toHaveCount(10);
  expect(await greyAt(page, 0.5, 0.75)).toBeLessThan(80);
  // The finger drew, it did not scroll.
  expect(await page.evaluate(() => window.scrollY)).toBe(scrolledBefore);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await context.close();
});

for (const scheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in a full Try room, ${scheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await openApp(page);
    await send(page, 'drop', [await fileOf('dress.png'), await fileOf('not-a-picture.jpg')]);
    await expect(row(page, 'not-a-picture.jpg').getByRole('alert')).toBeVisible();
    await expect(bars(page)).toHaveCount(10);
    await tryRoom(page).getByText('How the picture got there').click();
    const { violations } = await new AxeBuilder({ page }).include('#try').analyze();
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(
      grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`),
    ).toEqual([]);
  });
}
