/**
 * Journeys of pictures into the Try room: from the test set, dropped, pasted and chosen; and what is
 * refused.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, openApp, openWithSample, test } from './fixtures.ts';
import {
  ANSWERED,
  bars,
  fileOf,
  PICTURES,
  press,
  row,
  seenBox,
  seenPixels,
  send,
  tryRoom,
} from './tryRoom.ts';

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
  await press(page, 'Trace: Trouser');
  await press(page, 'Fill it in');
  await expect(bars(page)).toHaveCount(10);
  await press(page, 'Clear the pad');
  await expect(tryRoom(page).getByTestId('blank')).toBeVisible();
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
  await expect(page.getByTestId('pad')).toBeVisible();
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

test('a file that was not opened is told of beside the pad, until one draws', async ({ page }) => {
  await openApp(page);
  const notice = tryRoom(page).getByText('This file was not opened');
  await send(page, 'drop', [await fileOf('not-a-picture.jpg')]);
  await expect(notice).toBeVisible();
  await expect(tryRoom(page).getByTestId('pad')).toBeVisible();
  await press(page, 'Trace: Trouser');
  await press(page, 'Fill it in');
  await expect(bars(page)).toHaveCount(10);
  await expect(notice).toHaveCount(0);
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
