/** Owns what journeys through the Try room share: where things are, what is seen, how files arrive. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright/test';

export const PICTURES = join(import.meta.dirname, 'pictures');

export const tryRoom = (page: Page) => page.getByRole('region', { name: 'Try', exact: true });
export const bars = (page: Page) => tryRoom(page).locator('li[data-label]');
export const row = (page: Page, name: string) =>
  tryRoom(page)
    .getByRole('region', { name: 'Your pictures' })
    .getByRole('row')
    .filter({ hasText: name });
/** What the table says of a picture that has its answer, be it that there is none. */
export const ANSWERED = /%|Cannot say/;
export const press = (page: Page, name: string) =>
  tryRoom(page).getByRole('button', { name, exact: true }).click();

/** The 28 × 28 grey levels shown as what the model sees; null while nothing is shown. */
export function seenPixels(page: Page): Promise<number[] | null> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(
      'canvas[aria-label="The 28 by 28 pixels the model sees"]',
    );
    const data = canvas?.getContext('2d')?.getImageData(0, 0, 28, 28).data;
    return data ? [...data].filter((_, i) => i % 4 === 0) : null;
  });
}

export async function seenBox(page: Page): Promise<{ width: number; height: number }> {
  const pixels = (await seenPixels(page)) ?? [];
  const lit = pixels.flatMap((tone, i) =>
    tone > 40 ? [{ x: i % 28, y: Math.floor(i / 28) }] : [],
  );
  const extent = (values: number[]) => Math.max(...values) - Math.min(...values) + 1;
  return { width: extent(lit.map(({ x }) => x)), height: extent(lit.map(({ y }) => y)) };
}

/** The ten bars from top to bottom, in one look: answers still change while a locator is evaluated. */
export function readBars(page: Page): Promise<{ label: string; percent: number }[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('#try li[data-label]')].map((bar) => {
      const share = bar.lastElementChild?.textContent ?? '';
      const percent = share.startsWith('<') ? 0.5 : Number.parseInt(share.replace('> ', ''), 10);
      return { label: bar.dataset.label ?? '', percent };
    }),
  );
}

export interface Sent {
  readonly name: string;
  readonly base64: string;
}

export async function fileOf(name: string): Promise<Sent> {
  return { name, base64: await readFile(join(PICTURES, name), 'base64') };
}

/** Sends files to the page the way a browser does when they are dragged over it, dropped, or pasted. */
export async function send(
  page: Page,
  kind: 'dragover' | 'drop' | 'paste',
  files: readonly Sent[],
): Promise<void> {
  await page.evaluate(
    ({ kind, files }) => {
      const carried = new DataTransfer();
      for (const { name, base64 } of files) {
        const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
        carried.items.add(new File([bytes], name));
      }
      const shape = { bubbles: true, cancelable: true };
      // Far from the Try room: anywhere on the page will do.
      document
        .querySelector('header')
        ?.dispatchEvent(
          kind === 'paste'
            ? new ClipboardEvent('paste', { ...shape, clipboardData: carried })
            : new DragEvent(kind, { ...shape, dataTransfer: carried }),
        );
    },
    { kind, files },
  );
}
