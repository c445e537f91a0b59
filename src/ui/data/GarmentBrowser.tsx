/** Owns the grid of pictures: one page of one class at a time; each picture opens to its numbers. */
import { ChevronLeft, ChevronRight, Shuffle } from 'lucide-react';
import { type KeyboardEvent, lazy, Suspense, useEffect, useRef, useState } from 'react';
import type { GarmentPage, PartName } from '../../data/dataset.ts';
import { PIXELS } from '../../fashion.ts';
import type { DataInfo } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatCount } from '../controls/figures.ts';
import { Garment } from '../controls/Garment.tsx';
import { Notice } from '../controls/Notice.tsx';
import { session } from '../useSession.ts';
import styles from './GarmentBrowser.module.css';

// Comes with the first page of pictures: one of them has to be pressed first.
const PixelDialog = lazy(async () => ({
  default: (await import('./PixelDialog.tsx')).PixelDialog,
}));

/** Fills rows of 7 on a phone and of 10 elsewhere. */
const PAGE_SIZE = 70;

export interface GarmentBrowserProps {
  readonly info: DataInfo;
  readonly part: PartName;
  /** Null: all classes. */
  readonly label: number | null;
}

type Shown =
  | { readonly phase: 'waiting' }
  | { readonly phase: 'page'; readonly page: GarmentPage; readonly offset: number }
  | { readonly phase: 'failed'; readonly message: string };

export function GarmentBrowser({ info, part, label }: GarmentBrowserProps) {
  const [offset, setOffset] = useState(0);
  // A page stays until the next one is here, so that nothing jumps.
  const [shown, setShown] = useState<Shown>({ phase: 'waiting' });
  const [opened, setOpened] = useState<number | null>(null);

  // `info` is no argument of the question, but new data makes the answer another.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above.
  useEffect(() => {
    let isCurrent = true;
    session.garments({ part, label, offset, count: PAGE_SIZE }).then(
      (page) => isCurrent && setShown({ phase: 'page', page, offset }),
      (error: unknown) =>
        isCurrent &&
        setShown({
          phase: 'failed',
          message: error instanceof Error ? error.message : String(error),
        }),
    );
    return () => {
      isCurrent = false;
    };
  }, [info, part, label, offset]);

  const title = label === null ? 'All classes' : (info.spec.classNames[label] ?? '');
  if (shown.phase === 'failed') {
    return (
      <Notice tone="error" title="The pictures cannot be shown">
        {shown.message}
      </Notice>
    );
  }
  if (shown.phase === 'page' && shown.page.total === 0) {
    return (
      <section className={styles.browser} aria-label="Pictures">
        <h3>{title}</h3>
        <p className={styles.none}>
          {part === 'train'
            ? 'The training file has no such pictures.'
            : info.testFile === ''
              ? 'There is no test file yet. Choose one of your own above.'
              : 'The test file has no such pictures.'}
        </p>
      </section>
    );
  }

  const page = shown.phase === 'page' ? shown.page : null;
  const total = page?.total ?? 0;
  const numPages = Math.ceil(total / PAGE_SIZE);
  const lastOffset = Math.max(0, numPages - 1) * PAGE_SIZE;
  const first = shown.phase === 'page' ? shown.offset + 1 : 0;
  return (
    <section className={styles.browser} aria-label="Pictures">
      <div className={styles.head}>
        <h3>{title}</h3>
        <p className={styles.range} role="status">
          {page
            ? `${formatCount(first)}–${formatCount(first + page.labels.length - 1)} of ${formatCount(total)}`
            : 'Bringing the pictures.'}
        </p>
        <div className={styles.turn}>
          <Button
            size="small"
            kind="quiet"
            icon={Shuffle}
            disabled={numPages < 2}
            onClick={() => setOffset(pickOther(offset / PAGE_SIZE, numPages) * PAGE_SIZE)}
          >
            Random page
          </Button>
          <Button
            size="small"
            icon={ChevronLeft}
            aria-label="Previous page"
            disabled={offset === 0}
            onClick={() => setOffset(Math.max(0, offset - PAGE_SIZE))}
          />
          <Button
            size="small"
            icon={ChevronRight}
            aria-label="Next page"
            disabled={offset >= lastOffset}
            onClick={() => setOffset(Math.min(lastOffset, offset + PAGE_SIZE))}
          />
        </div>
      </div>
      {page ? (
        <Grid page={page} onOpen={setOpened} />
      ) : (
        <div className={styles.grid} aria-hidden>
          {Array.from({ length: PAGE_SIZE }, (_, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: blanks are all alike.
            <span key={at} className={styles.blank} />
          ))}
        </div>
      )}
      {page && (
        <Suspense>
          <PixelDialog
            page={page}
            at={opened}
            file={part === 'train' ? info.trainFile : info.testFile}
            onMove={setOpened}
            onClose={() => setOpened(null)}
          />
        </Suspense>
      )}
    </section>
  );
}

interface GridProps {
  readonly page: GarmentPage;
  readonly onOpen: (at: number) => void;
}

/** One stop for the Tab key; arrows move within. */
function Grid({ page, onOpen }: GridProps) {
  const grid = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(0);
  const numShown = page.labels.length;
  const stop = Math.min(current, numShown - 1);

  function move(event: KeyboardEvent): void {
    const tiles = [...(grid.current?.querySelectorAll('button') ?? [])];
    const top = tiles[0]?.offsetTop;
    const numInRow = tiles.filter((tile) => tile.offsetTop === top).length;
    const targets: Readonly<Record<string, number>> = {
      ArrowLeft: stop - 1,
      ArrowRight: stop + 1,
      ArrowUp: stop - numInRow,
      ArrowDown: stop + numInRow,
      Home: 0,
      End: numShown - 1,
    };
    const target = targets[event.key];
    const tile = target === undefined ? undefined : tiles[target];
    if (target === undefined) return;
    event.preventDefault();
    if (!tile) return;
    setCurrent(target);
    tile.focus();
  }

  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of pictures is no fieldset.
    <div
      ref={grid}
      role="group"
      aria-label="Press a picture to see its pixels; arrow keys move between pictures"
      className={styles.grid}
      onKeyDown={move}
    >
      {Array.from(page.rows, (row, at) => {
        const name = page.spec.classNames[page.labels[at] ?? 0] ?? '';
        return (
          <button
            key={row}
            type="button"
            className={styles.tile}
            tabIndex={at === stop ? 0 : -1}
            aria-label={`${name}, picture ${formatCount(row + 1)}`}
            title={name}
            onClick={() => {
              setCurrent(at);
              onOpen(at);
            }}
          >
            <Garment
              pixels={page.pixels.subarray(at * PIXELS, (at + 1) * PIXELS)}
              size="fill"
              label=""
            />
          </button>
        );
      })}
    </div>
  );
}

/** Another page than this one. */
function pickOther(page: number, numPages: number): number {
  const step = 1 + Math.floor(Math.random() * (numPages - 1));
  return (page + step) % numPages;
}
