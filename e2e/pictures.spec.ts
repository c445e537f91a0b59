/**
 * Journeys with pictures of one's own: the steps that lead to what the model sees, cropping and
 * turning by hand, many files at once, and the training pictures that look alike.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Locator, Page } from 'playwright/test';
import { FASHION_MNIST } from '../src/fashion.ts';
import { chooseNetwork, expect, openApp, openWithSample, test, waitForState } from './fixtures.ts';
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

const frame = (page: Page) => page.getByTestId('crop-frame');
const step = (page: Page, name: string) => tryRoom(page).locator(`[data-step="${name}"]`);
const lookalikes = (page: Page) =>
  tryRoom(page).getByRole('region', { name: 'Most alike in the training data' });
const table = (page: Page) => tryRoom(page).getByRole('table');

/** What the model sees and what it says. */
async function look(page: Page) {
  return { seen: await seenPixels(page), says: await readBars(page) };
}

async function dropPhoto(page: Page): Promise<void> {
  await send(page, 'drop', [await fileOf('dress-on-floor.jpg')]);
  await expect(bars(page)).toHaveCount(10);
}

/** From and to in shares of the shown picture. */
async function drag(page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const box = await frame(page).boundingBox();
  if (!box) throw new Error('There is no picture to drag on.');
  const at = ([x, y]: [number, number]) => [box.x + x * box.width, box.y + y * box.height] as const;
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 5 });
  await page.mouse.up();
}

/** Ten files: what is refused, and a name that a spreadsheet would take for a formula, among them. */
async function dropTen(page: Page): Promise<void> {
  const [dress, trouser, pullover, photo, none] = await Promise.all(
    [
      'dress.png',
      'trouser-orientation-6.jpg',
      'pullover.webp',
      'dress-on-floor.jpg',
      'not-a-picture.jpg',
    ].map(fileOf),
  );
  if (!dress || !trouser || !pullover || !photo || !none) throw new Error('A file is missing.');
  const copies = [2, 3, 10].map((n) => ({ ...pullover, name: `pullover ${n}.webp` }));
  const odd = { ...dress, name: '=HYPERLINK("a,b").png' };
  const last = { ...trouser, name: 'zz.jpg' };
  await send(page, 'drop', [none, dress, trouser, pullover, photo, ...copies, odd, last]);
  await expect(row(page, 'zz.jpg')).toContainText(ANSWERED);
}

test('a step left out changes the answer, and taken in again brings it back', async ({ page }) => {
  await openApp(page);
  await dropPhoto(page);
  // Open by itself where there is room and one picture.
  await expect(tryRoom(page).locator('[data-step]')).toHaveCount(7);
  await expect(step(page, 'fill')).toContainText('Nothing to do here');
  const before = await look(page);

  const fit = tryRoom(page).getByRole('switch', { name: 'Trim and fit' });
  await fit.click();
  await expect(step(page, 'fit')).toContainText('Left out');
  await expect.poll(() => look(page)).not.toEqual(before);
  expect((await look(page)).says).not.toEqual(before.says);
  await expect(tryRoom(page).getByText('1 changed')).toBeVisible();
  await fit.click();
  await expect.poll(() => look(page)).toEqual(before);
  await expect(tryRoom(page).getByText('7 steps')).toBeVisible();

  await step(page, 'tones').getByText('Keep', { exact: true }).click();
  const tolerance = tryRoom(page).getByLabel('How much counts as background');
  await tolerance.fill('1');
  await expect(tolerance).toHaveAttribute('aria-valuetext', '2.00 times what is estimated');
  await expect(tryRoom(page).getByText('2 changed')).toBeVisible();
  await expect.poll(() => look(page)).not.toEqual(before);
  await press(page, 'Undo');
  await expect(tryRoom(page).getByText('1 changed')).toBeVisible();
  await press(page, 'Reset to automatic');
  await expect.poll(() => look(page)).toEqual(before);
  // Undone as well: the reset.
  await press(page, 'Undo');
  await expect(step(page, 'tones').getByRole('radio', { name: 'Keep' })).toBeChecked();
});

test('the steps of a drawing can be changed as well', async ({ page }) => {
  await openApp(page);
  await press(page, 'Trace: Trouser');
  await press(page, 'Fill it in');
  await expect(bars(page)).toHaveCount(10);
  const before = await seenBox(page);
  expect(before.height).toBe(28);
  await tryRoom(page).getByText('How the picture got there').click();
  // Their pictures come only now: while the steps are shut, a drawing is answered without.
  await expect(tryRoom(page).locator('[data-step] canvas')).toHaveCount(7);
  await press(page, 'Turn right');
  await expect.poll(() => seenBox(page)).toEqual({ width: before.height, height: before.width });
  await step(page, 'tones').getByText('Keep', { exact: true }).click();
  await press(page, 'Reset to automatic');
  await expect.poll(() => seenBox(page)).toEqual(before);
});

declare global {
  interface Window {
    /** Questions to the model worker: how many, how many at once at most, the last one's tolerance. */
    questions: { asked: number; pending: number; mostPending: number; tolerance: number };
  }
}

/** Listens in on what is asked of the model worker (messages of Comlink). */
function countQuestions(): void {
  const questions = { asked: 0, pending: 0, mostPending: 0, tolerance: 0 };
  window.questions = questions;
  window.Worker = class extends Worker {
    private readonly ids = new Set<unknown>();

    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      // First of all that listen: an answer counts before it leads to the next question.
      this.addEventListener('message', ({ data }) => {
        if (this.ids.delete(data.id)) questions.pending -= 1;
      });
    }

    override postMessage(message: unknown, options?: Transferable[] | StructuredSerializeOptions) {
      const { id, path, argumentList } = message as {
        id?: unknown;
        path?: string[];
        argumentList?: { value?: { tolerance?: number } }[];
      };
      if (path?.[0] === 'classify') {
        this.ids.add(id);
        questions.asked += 1;
        questions.pending += 1;
        questions.mostPending = Math.max(questions.mostPending, questions.pending);
        questions.tolerance = argumentList?.[1]?.value?.tolerance ?? 0;
      }
      super.postMessage(message, options as StructuredSerializeOptions);
    }
  };
}

for (const what of ['drawing', 'photo'] as const) {
  test(`the slider of the background is followed live on a ${what}, and nothing piles up`, async ({
    page,
  }) => {
    await page.addInitScript(countQuestions);
    await openApp(page);
    if (what === 'photo') {
      await dropPhoto(page);
    } else {
      await press(page, 'Trace: Trouser');
      await press(page, 'Fill it in');
      await expect(bars(page)).toHaveCount(10);
    }
    if (what === 'drawing') await tryRoom(page).getByText('How the picture got there').click();
    const slider = step(page, 'garment').getByRole('slider');
    await expect(slider).toBeVisible();
    await expect.poll(() => page.evaluate(() => window.questions.pending)).toBe(0);

    // From end to end, five positions a frame, which no worker keeps up with.
    const { numMoves, numAsked } = await slider.evaluate(async (input: HTMLInputElement) => {
      const before = window.questions.asked;
      const setValue = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set;
      const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      let moves = 0;
      for (let doublings = -2; doublings < 2; doublings += 0.1) {
        if (moves % 5 === 0) await nextFrame();
        setValue?.call(input, String(doublings));
        input.dispatchEvent(new Event('input', { bubbles: true }));
        moves += 1;
      }
      return { numMoves: moves, numAsked: window.questions.asked - before };
    });
    expect(numAsked).toBeGreaterThan(1);
    expect(numAsked).toBeLessThan(numMoves);
    await expect.poll(() => page.evaluate(() => window.questions.pending)).toBe(0);
    const { mostPending, tolerance } = await page.evaluate(() => window.questions);
    expect(mostPending).toBe(1);
    expect(Math.log2(tolerance)).toBeCloseTo(Number(await slider.inputValue()), 1);
  });
}

test('a mouse crops, moves and resizes; turning takes the crop along', async ({ page }) => {
  await openApp(page);
  await dropPhoto(page);
  const before = await look(page);
  await expect(frame(page)).toHaveAccessibleName(/the whole picture/);

  await drag(page, [0.25, 0.04], [0.75, 0.8]);
  await expect(frame(page)).toHaveAccessibleName(
    /: (50|49) % of the width and 76 % of the height, from 25 % left and 4 % top/,
  );
  await expect.poll(() => look(page)).not.toEqual(before);
  await expect(step(page, 'picture')).toContainText('Cropped');

  // By its inside to the left, then by its right edge.
  await drag(page, [0.5, 0.4], [0.45, 0.4]);
  await expect(frame(page)).toHaveAccessibleName(/from (20|19) % left and 4 % top/);
  await drag(page, [0.7, 0.4], [0.9, 0.4]);
  await expect(frame(page)).toHaveAccessibleName(/: (70|69) % of the width and 76 % of the height/);

  await press(page, 'Turn right');
  await expect(frame(page)).toHaveAccessibleName(
    /: 76 % of the width and (70|69) % of the height, from 20 % left and (20|19) % top/,
  );
  await expect(step(page, 'picture')).toContainText('Turned right, cropped');
  await press(page, 'Turn left');
  await press(page, 'Undo');
  await press(page, 'Undo');
  // The three drags are undone one by one.
  for (const left of [/: (50|49) % of the width.*from (20|19) % left/, /from 25 % left/]) {
    await press(page, 'Undo');
    await expect(frame(page)).toHaveAccessibleName(left);
  }
  await press(page, 'Whole picture');
  await expect.poll(() => look(page)).toEqual(before);
});

test('a picture is turned by quarters', async ({ page }) => {
  await openApp(page);
  await send(page, 'drop', [await fileOf('trouser-orientation-6.jpg')]);
  await expect(bars(page)).toHaveCount(10);
  const { width, height } = await seenBox(page);
  expect(height).toBe(28);
  await press(page, 'Turn right');
  await expect.poll(() => seenBox(page)).toEqual({ width: height, height: width });
  await press(page, 'Turn right');
  // Upside down: the legs are up.
  const middle = async (y: number) => (await seenPixels(page))?.[y * 28 + 14] ?? 0;
  await expect.poll(() => middle(25)).toBeGreaterThan(100);
  expect(await middle(3)).toBeLessThan(40);
});

test('the keyboard alone brings a picture, crops it, steers it and takes the table away', async ({
  page,
}) => {
  await openApp(page);
  const tabTo = async (target: Locator, key = 'Tab') => {
    for (let i = 0; i < 80; i++) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press(key);
    }
    await expect(target).toBeFocused();
  };
  const choose = tryRoom(page).getByRole('button', { name: 'Choose pictures' });
  // Asked for well before the key: the browser is told in passing, and a chooser opened before it
  // knows is lost.
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('pad').focus();
  await tabTo(choose);
  await page.keyboard.press('Enter');
  await (await chooser).setFiles(join(PICTURES, 'dress-on-floor.jpg'));
  await expect(bars(page)).toHaveCount(10);
  const before = await look(page);

  await tabTo(frame(page), 'Shift+Tab');
  for (let i = 0; i < 10; i++) await page.keyboard.press('Shift+ArrowLeft');
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
  await expect(frame(page)).toHaveAccessibleName(
    /: 80 % of the width and 100 % of the height, from 10 % left and 0 % top/,
  );
  await expect.poll(() => look(page)).not.toEqual(before);
  await page.keyboard.press('Control+z');
  await expect(frame(page)).toHaveAccessibleName(/the whole picture/);
  await page.keyboard.press('Shift+ArrowUp');
  await expect(frame(page)).toHaveAccessibleName(/98 % of the height/);
  await page.keyboard.press('Delete');
  await expect.poll(() => look(page)).toEqual(before);

  await tabTo(tryRoom(page).getByRole('switch', { name: 'Sharpen' }));
  await page.keyboard.press('Space');
  await expect(step(page, 'sharpen')).toContainText('Left out');
  await expect.poll(() => look(page)).not.toEqual(before);

  await tabTo(tryRoom(page).getByRole('button', { name: 'Download CSV' }));
  const download = page.waitForEvent('download');
  await page.keyboard.press('Enter');
  expect((await download).suggestedFilename()).toBe('atelier-pictures.csv');
  await tabTo(tryRoom(page).getByRole('button', { name: 'Remove dress-on-floor.jpg' }));
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('pad')).toBeVisible();
});

test('a picture is pasted from the clipboard', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openApp(page);
  const { base64 } = await fileOf('dress.png');
  await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
    const picture = new Blob([bytes], { type: 'image/png' });
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
  }, base64);
  await page.keyboard.press('Control+v');
  await expect(bars(page)).toHaveCount(10);
  await expect(row(page, 'image.png')).toContainText(ANSWERED);
});

test('ten files at once: a table that is sorted, taken away as CSV, and put back', async ({
  page,
}) => {
  await openApp(page);
  await dropTen(page);
  // A row of headings on top.
  await expect(table(page).getByRole('row')).toHaveCount(11);
  await expect(row(page, 'not-a-picture.jpg').getByRole('alert')).toContainText('is not a picture');
  // The first that could be opened is shown.
  await expect(tryRoom(page).getByRole('img', { name: 'dress.png' })).toBeVisible();

  const names = () => table(page).locator('tbody [title]').allTextContents();
  await press(page, 'Name');
  await expect.poll(async () => (await names())[0]).toBe('=HYPERLINK("a,b").png');
  expect((await names()).filter((name) => name.startsWith('pullover '))).toEqual([
    'pullover 2.webp',
    'pullover 3.webp',
    'pullover 10.webp',
  ]);
  await press(page, 'Confidence');
  await press(page, 'Confidence');
  await expect(table(page).getByRole('columnheader', { name: 'Confidence' })).toHaveAttribute(
    'aria-sort',
    'descending',
  );
  // What has no answer, for whatever reason, comes last.
  const rows = await table(page).locator('tbody tr').allTextContents();
  const areAnswered = rows.map((text) => text.includes('%'));
  expect(areAnswered).toEqual(areAnswered.toSorted((a, b) => Number(b) - Number(a)));
  expect(areAnswered.at(-1)).toBe(false);

  const downloading = page.waitForEvent('download');
  await press(page, 'Download CSV');
  const csv = await readFile(await (await downloading).path(), 'utf8');
  const lines = csv.trimEnd().split('\r\n');
  expect(lines).toHaveLength(11);
  expect(lines[0]).toBe(
    `file,answer,confidence,${FASHION_MNIST.classNames.join(',')},in words,doubts,steps changed by hand,error`,
  );
  const dress = lines.find((line) => line.startsWith('dress.png,'))?.split(',') ?? [];
  const shares = dress.slice(3, 13).map(Number);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
  expect(Number(dress[2])).toBe(Math.max(...shares));
  expect(dress[1]).toBe(FASHION_MNIST.classNames[shares.indexOf(Math.max(...shares))]);
  expect(csv).toContain('"\'=HYPERLINK(""a,b"").png",');
  expect(csv).toMatch(/^not-a-picture\.jpg,{16}"“not-a-picture.jpg” is not a picture/m);

  await row(page, 'pullover 3.webp').getByRole('button').first().click();
  await expect(tryRoom(page).getByRole('img', { name: 'pullover 3.webp' })).toBeInViewport();
  const before = await names();
  await press(page, 'Remove pullover 3.webp');
  await expect(row(page, 'pullover 3.webp')).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect.poll(names).toEqual(before);
  await expect(tryRoom(page).getByRole('img', { name: 'pullover 3.webp' })).toBeVisible();

  await press(page, 'Remove all');
  await expect(table(page)).toHaveCount(0);
  await expect(page.getByTestId('pad')).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await expect.poll(async () => (await names()).toSorted()).toEqual(before.toSorted());
});

test('settings stay with their picture', async ({ page }) => {
  await openApp(page);
  await send(page, 'drop', [await fileOf('dress.png'), await fileOf('pullover.webp')]);
  await expect(row(page, 'pullover.webp')).toContainText(ANSWERED);
  // Closed by itself where the table of many comes first.
  await expect(step(page, 'fit')).toBeHidden();
  await tryRoom(page).getByText('How the picture got there').click();
  const upright = await look(page);
  await press(page, 'Turn right');
  await expect(row(page, 'dress.png')).toContainText('Changed by hand');
  await expect.poll(() => look(page)).not.toEqual(upright);
  const turned = await look(page);
  await row(page, 'pullover.webp').getByRole('button').first().click();
  await expect(step(page, 'picture')).toContainText('As it came');
  await row(page, 'dress.png').getByRole('button').first().click();
  await expect(step(page, 'picture')).toContainText('Turned right');
  await expect.poll(() => look(page)).toEqual(turned);
});

test('the training pictures most alike are shown once there is data', async ({ page }) => {
  await openApp(page);
  await dropPhoto(page);
  const link = tryRoom(page).getByRole('link', { name: 'training data' });
  await expect(link).toHaveAttribute('href', '#data');
  await page.evaluate(() => window.atelier.loadData('sample'));
  const first = (await readBars(page))[0]?.label;
  const name = FASHION_MNIST.classNames[Number(first)] ?? '';
  const found = lookalikes(page).getByRole('img', { name: `labelled ${name}` });
  await expect(found).toHaveCount(5);
  await expect(link).toHaveCount(0);
  await expect(lookalikes(page).getByRole('img', { name: 'Yours' })).toBeVisible();

  // Not while a network learns, and by the eyes of the new one after that.
  await chooseNetwork(page, 'small');
  await page.evaluate(() => {
    window.atelier.setRecipe({ epochs: 1, patience: 0 });
    void window.atelier.train(window.atelier.formJob());
  });
  await expect(tryRoom(page).getByText(/^Once the run is over/)).toBeVisible();
  await waitForState(page, (state) => state.training.phase === 'finished');
  await expect(lookalikes(page).locator('li[data-row]')).toHaveCount(5);
});

test('a training picture on the pad is its own nearest', async ({ page }) => {
  await openWithSample(page);
  // A sneaker of the data, as a picture of the page's own size: the pipeline leaves it as it is.
  const { row: rowInData, base64 } = await page.evaluate(async () => {
    const garments = await window.atelier.garments({
      part: 'train',
      label: 7,
      offset: 3,
      count: 1,
    });
    const canvas = new OffscreenCanvas(280, 280);
    const context = canvas.getContext('2d');
    if (!context) throw new Error('The browser gives no canvas.');
    garments.pixels.forEach((pixel, i) => {
      context.fillStyle = `rgb(${pixel} ${pixel} ${pixel})`;
      context.fillRect((i % 28) * 10, Math.floor(i / 28) * 10, 10, 10);
    });
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    return {
      row: garments.rows[0],
      base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')),
    };
  });
  await send(page, 'drop', [{ name: 'sneaker.png', base64 }]);
  await expect(lookalikes(page).locator('li[data-row]').first()).toHaveAttribute(
    'data-row',
    String(rowInData),
  );
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test('a finger scrolls over the picture, and crops once that is asked for', async ({ page }) => {
    await openApp(page);
    await dropPhoto(page);
    await expect(step(page, 'fit')).toBeHidden();
    const touch = await page.context().newCDPSession(page);
    const swipe = async () => {
      await frame(page).scrollIntoViewIfNeeded();
      const box = await frame(page).boundingBox();
      if (!box) throw new Error('There is no picture to crop.');
      const at = (share: number) => [
        { x: box.x + share * box.width, y: box.y + share * box.height },
      ];
      await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(0.2) });
      for (const share of [0.4, 0.6, 0.7]) {
        await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(share) });
      }
      await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    };
    await swipe();
    await expect(frame(page)).toHaveAccessibleName(/the whole picture/);
    await press(page, 'Crop');
    await expect(tryRoom(page).getByText('Drag over the part')).toBeVisible();
    await swipe();
    await expect(frame(page)).toHaveAccessibleName(/50 % of the width and 50 % of the height/);

    await tryRoom(page).getByText('How the picture got there').click();
    await expect(step(page, 'levels')).toBeVisible();
    await dropTen(page);
    const widest = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(widest).toBeLessThanOrEqual(390);
  });
});

for (const scheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in changed steps, a crop and a full table, ${scheme}`, async ({
    page,
  }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await openWithSample(page);
    await dropPhoto(page);
    await drag(page, [0.2, 0.05], [0.8, 0.8]);
    await tryRoom(page).getByRole('switch', { name: 'Sharpen' }).click();
    await expect(tryRoom(page).getByText('2 changed')).toBeVisible();
    await expect(lookalikes(page).locator('li[data-row]')).toHaveCount(5);
    await dropTen(page);
    await row(page, 'dress-on-floor.jpg').last().getByRole('button').first().click();
    await tryRoom(page).getByText('How the picture got there').click();
    await expect(step(page, 'levels')).toBeVisible();
    const { violations } = await new AxeBuilder({ page }).include('#try').analyze();
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(
      grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`),
    ).toEqual([]);
  });
}
