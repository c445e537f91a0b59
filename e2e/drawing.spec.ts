/**
 * Journeys on the drawing pad: lasso, pen, bucket and eraser by mouse, finger and keyboard; mirrored;
 * over a silhouette; and what is taken back.
 */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright/test';
import { expect, openApp, test } from './fixtures.ts';
import { bars, press, readBars, seenBox, seenPixels, tryRoom } from './tryRoom.ts';

const pad = (page: Page) => page.getByTestId('pad');
const blank = (page: Page) => tryRoom(page).getByTestId('blank');
const hint = (page: Page) => page.getByTestId('pad-hint');

/** Points in shares of the pad's edge, 0–1. */
type Path = readonly (readonly [number, number])[];

const TROUSER: Path = [
  [0.34, 0.08],
  [0.66, 0.08],
  [0.72, 0.92],
  [0.56, 0.92],
  [0.5, 0.36],
  [0.44, 0.92],
  [0.28, 0.92],
  [0.34, 0.08],
];

/** The right half of it; neither end quite on the axis. */
const HALF_TROUSER: Path = [
  [0.53, 0.08],
  [0.66, 0.08],
  [0.72, 0.92],
  [0.56, 0.92],
  [0.52, 0.36],
];

const FRAME: Path = [
  [0.3, 0.2],
  [0.7, 0.2],
  [0.7, 0.8],
  [0.3, 0.8],
  [0.3, 0.2],
];

/** A path made smaller, into the bottom right corner. */
const small = (path: Path): Path => path.map(([x, y]) => [0.68 + x * 0.3, 0.68 + y * 0.3]);

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

/** Whether every pixel of the sheet is paper. */
function isSheetEmpty(page: Page): Promise<boolean> {
  return pad(page).evaluate((canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) throw new Error('The pad is no canvas.');
    const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
    return data?.every((value) => value === 255) ?? false;
  });
}

/** Waits until a class is the first answer. */
async function expectAnswer(page: Page, label: number): Promise<void> {
  await expect.poll(async () => (await readBars(page))[0]?.label).toBe(String(label));
}

const TROUSER_LABEL = 1;
const DRESS_LABEL = 3;

test('a drawing is answered, and shown as the model sees it, while it is drawn', async ({
  page,
}) => {
  await openApp(page);
  await expect(blank(page)).toBeVisible();
  await expect(hint(page)).toContainText('It fills when you let go.');
  await expect(bars(page)).toHaveCount(0);

  await penDown(page, TROUSER.slice(0, 4));
  // Before the button is released: the upper part, and then what has been added.
  await expect(bars(page)).toHaveCount(10);
  await expect(hint(page)).toHaveCount(0);
  const early = await seenPixels(page);
  const box = await pad(page).boundingBox();
  if (!box) throw new Error('The pad is not on the page.');
  for (const [x, y] of TROUSER.slice(4)) {
    await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 5 });
  }
  // The hand rests: what is seen is what it has drawn up to here.
  await expect.poll(() => seenPixels(page)).not.toEqual(early);
  await expectAnswer(page, TROUSER_LABEL);
  // What the lasso would fill is shown over the sheet, and is on it once it is closed.
  expect(await isSheetEmpty(page)).toBe(true);
  await page.mouse.up();
  expect(await greyAt(page, 0.4, 0.2)).toBeLessThan(80);
  expect(await greyAt(page, 0.5, 0.8)).toBe(255);

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

test('a lasso is taken back and done again; size and place make no difference', async ({
  page,
}) => {
  await openApp(page);
  // A press without a way is no shape.
  await stroke(page, [[0.5, 0.5]]);
  await expect(tryRoom(page).getByRole('button', { name: 'Undo' })).toBeDisabled();

  await stroke(page, TROUSER);
  await expectAnswer(page, TROUSER_LABEL);
  await press(page, 'Undo');
  expect(await isSheetEmpty(page)).toBe(true);
  await expect(blank(page)).toBeVisible();
  await press(page, 'Redo');
  expect(await greyAt(page, 0.4, 0.2)).toBeLessThan(80);
  await expectAnswer(page, TROUSER_LABEL);
  const large = await seenBox(page);

  await press(page, 'Clear the pad');
  await stroke(page, small(TROUSER));
  await expectAnswer(page, TROUSER_LABEL);
  await expect.poll(async () => (await seenBox(page)).height).toBe(28);
  expect(Math.abs((await seenBox(page)).width - large.width)).toBeLessThanOrEqual(2);

  // Paper cuts out of what is there.
  await press(page, 'Clear the pad');
  await stroke(page, FRAME);
  await press(page, 'Paper, to cut away');
  await stroke(page, [
    [0.4, 0.4],
    [0.6, 0.4],
    [0.6, 0.6],
    [0.4, 0.6],
  ]);
  expect(await greyAt(page, 0.5, 0.5)).toBe(255);
  expect(await greyAt(page, 0.35, 0.5)).toBeLessThan(80);
});

test('mirrored, everything is drawn twice and taken back at once', async ({ page }) => {
  await openApp(page);
  await press(page, 'Mirror');
  await expect(page.getByTestId('axis')).toHaveCount(1);
  // The axis is over the sheet, not on it.
  expect(await isSheetEmpty(page)).toBe(true);

  await stroke(page, HALF_TROUSER);
  expect(await greyAt(page, 0.63, 0.7)).toBeLessThan(80);
  expect(await greyAt(page, 0.37, 0.7)).toBeLessThan(80);
  // Both ends were led onto the axis: no gap between the halves.
  expect(await greyAt(page, 0.5, 0.2)).toBeLessThan(80);
  await expectAnswer(page, TROUSER_LABEL);
  await press(page, 'Undo');
  expect(await isSheetEmpty(page)).toBe(true);

  await press(page, 'Pen');
  await stroke(page, [
    [0.8, 0.2],
    [0.8, 0.8],
  ]);
  expect(await greyAt(page, 0.2, 0.5)).toBeLessThan(80);
  await press(page, 'Eraser');
  await stroke(page, [
    [0.1, 0.5],
    [0.3, 0.5],
  ]);
  expect(await greyAt(page, 0.8, 0.5)).toBe(255);
  await press(page, 'Undo');
  await press(page, 'Mid cloth');
  await press(page, 'Fill');
  await stroke(page, [[0.8, 0.5]]);
  expect(await greyAt(page, 0.2, 0.5)).toBe(120);

  await pad(page).focus();
  await page.keyboard.press('m');
  await expect(page.getByTestId('axis')).toHaveCount(0);
});

test('a silhouette lies under the drawing and never reaches the model', async ({ page }) => {
  await openApp(page);
  await press(page, 'Trace: Dress');
  await expect(page.getByTestId('silhouette')).toBeVisible();
  expect(await isSheetEmpty(page)).toBe(true);
  await expect(blank(page)).toBeVisible();

  // Trousers over the silhouette of a dress are trousers, pixel for pixel as without it, but for the
  // fraction of a pixel by which the sheet has moved on the page meanwhile.
  const MOST_APART = 4;
  await stroke(page, TROUSER);
  await expectAnswer(page, TROUSER_LABEL);
  const traced = await seenPixels(page);
  await press(page, 'Silhouettes to trace');
  await press(page, 'Take it away');
  await expect(page.getByTestId('silhouette')).toHaveCount(0);
  await press(page, 'Clear the pad');
  await stroke(page, TROUSER);
  await expect
    .poll(async () => {
      const again = await seenPixels(page);
      return Math.max(...(traced ?? []).map((level, i) => Math.abs(level - (again?.[i] ?? 0))));
    })
    .toBeLessThanOrEqual(MOST_APART);

  await press(page, 'Clear the pad');
  await press(page, 'Trace: Dress');
  await press(page, 'Fill it in');
  // Nothing is left to trace.
  await expect(page.getByTestId('silhouette')).toHaveCount(0);
  await expectAnswer(page, DRESS_LABEL);
  await expect.poll(async () => (await seenBox(page)).height).toBe(28);
  await expect(pad(page)).toBeFocused();
});

test('pen, fill and eraser do what they say, and are undone', async ({ page }) => {
  await openApp(page);
  await press(page, 'Pen');
  await stroke(page, FRAME);
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

test('the keyboard alone draws with lasso and pen, and fills in a silhouette', async ({ page }) => {
  await openApp(page);
  const press = async (key: string, times = 1) => {
    for (let i = 0; i < times; i++) await page.keyboard.press(key);
  };
  await pad(page).focus();
  await press('m');
  await expect(hint(page)).toContainText('Space sets a corner, Enter closes the shape');

  // Half a pair of trousers, corner by corner, from the middle of the sheet.
  await press('Shift+ArrowUp', 6);
  await press('Space');
  await press('Shift+ArrowRight', 2);
  await press('Space');
  await press('ArrowRight', 3);
  await press('Shift+ArrowDown', 12);
  await press('Space');
  await press('Shift+ArrowLeft', 2);
  await press('Space');
  await press('ArrowLeft', 3);
  await press('Shift+ArrowUp', 8);
  await expect(tryRoom(page).getByText('50 % across, 36 % down. 4 corners set.')).toBeAttached();
  await press('Enter');
  expect(await greyAt(page, 0.6, 0.7)).toBeLessThan(80);
  expect(await greyAt(page, 0.4, 0.7)).toBeLessThan(80);
  expect(await greyAt(page, 0.5, 0.7)).toBe(255);
  await expectAnswer(page, TROUSER_LABEL);

  // What is not finished is dropped, and the drawing stays.
  await press('Space');
  await press('Shift+ArrowRight', 3);
  await press('Escape');
  await expect(tryRoom(page).getByRole('button', { name: 'Redo' })).toBeDisabled();
  expect(await greyAt(page, 0.6, 0.7)).toBeLessThan(80);

  await press('Delete');
  await press('m');
  await press('p');
  await press('Space');
  await press('Shift+ArrowDown', 3);
  await press('Space');
  await press('Shift+ArrowRight', 2);
  // Down while the pen was down; not to the right, once it was lifted.
  expect(await greyAt(page, 0.71, 0.5)).toBeLessThan(80);
  expect(await greyAt(page, 0.85, 0.57)).toBe(255);

  await press('Delete');
  await tryRoom(page).getByRole('button', { name: 'Trace: Dress' }).focus();
  await press('Enter');
  await tryRoom(page).getByRole('button', { name: 'Fill it in' }).focus();
  await press('Enter');
  await expectAnswer(page, DRESS_LABEL);
});

test('a finger draws with the lasso on a phone', async ({ browser, guard, server }) => {
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
  const at = ([x, y]: readonly [number, number]) => [
    { x: box.x + x * box.width, y: box.y + y * box.height },
  ];
  const draw = async ([first, ...rest]: Path, ending: 'touchEnd' | 'touchCancel') => {
    if (!first) return;
    let from = first;
    await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(first) });
    for (const to of rest) {
      for (const share of [0.5, 1]) {
        const between = [
          from[0] + (to[0] - from[0]) * share,
          from[1] + (to[1] - from[1]) * share,
        ] as const;
        await touch.send('Input.dispatchTouchEvent', {
          type: 'touchMove',
          touchPoints: at(between),
        });
      }
      from = to;
    }
    await touch.send('Input.dispatchTouchEvent', { type: ending, touchPoints: [] });
  };
  const scrolledBefore = await page.evaluate(() => window.scrollY);
  // A touch that the system takes away leaves nothing.
  await draw(FRAME, 'touchCancel');
  await expect.poll(() => isSheetEmpty(page)).toBe(true);
  await expect(tryRoom(page).getByRole('button', { name: 'Undo' })).toBeDisabled();

  await draw(TROUSER, 'touchEnd');
  await expectAnswer(page, TROUSER_LABEL);
  expect(await greyAt(page, 0.4, 0.2)).toBeLessThan(80);
  // The finger drew, it did not scroll.
  expect(await page.evaluate(() => window.scrollY)).toBe(scrolledBefore);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);

  await press(page, 'Clear the pad');
  await press(page, 'Trace: Bag');
  // What a finger has to hit is 40 pixels wide and high at least.
  const tight = await pad(page).evaluate((canvas) =>
    [...(canvas.parentElement?.parentElement?.querySelectorAll('button, input') ?? [])]
      .map((target) => ({
        name: target.getAttribute('aria-label') ?? target.textContent,
        box: target.getBoundingClientRect(),
      }))
      .filter(({ box: { width, height } }) => Math.min(width, height) < 40)
      .map(({ name }) => name),
  );
  expect(tight).toEqual([]);
  await context.close();
});

for (const scheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious around the pad, ${scheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await openApp(page);
    await press(page, 'Trace: Ankle boot');
    await press(page, 'Mirror');
    const { violations } = await new AxeBuilder({ page }).include('#try').analyze();
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(
      grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`),
    ).toEqual([]);
  });
}
