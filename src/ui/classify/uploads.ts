/**
 * The image files that a person has brought: opened and classified one after the other, each with its
 * own outcome and settings, and asked about anew when those or the model change. Knows no React.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { PictureSettings } from '../../image/picture.ts';
import type { Classification } from '../../ml/spec/verdict.ts';
import { createQueue } from '../../session/asking.ts';
import type { ImageActions } from '../../session/session.ts';
import { type Steering, steer, takeBack, UNSTEERED } from './steering.ts';

export interface Upload {
  /** Of the image as well. */
  readonly id: string;
  readonly file: File;
  readonly steering: Steering;
  /** `shown` is the opened image, as the worker has it. */
  readonly state:
    | { readonly phase: 'waiting' }
    | {
        readonly phase: 'answered';
        readonly shown: ImageBitmap;
        readonly classification: Classification;
      }
    /** Nobody answered, or (null) nobody was there to open it; asked again with the next model. */
    | { readonly phase: 'unanswered'; readonly shown: ImageBitmap | null; readonly reason: string }
    /** Could not be opened. `reason` is for people. */
    | { readonly phase: 'refused'; readonly reason: string };
}

/** What was taken off the list, and where it was. */
export interface Removed {
  readonly uploads: readonly Upload[];
  readonly at: number;
}

/** Where images and answers come from; tests bring their own. */
export type UploadsParts = Pick<
  ImageActions,
  'putImage' | 'openImage' | 'releaseImage' | 'classify'
>;

export interface Uploads {
  readonly store: StoreApi<readonly Upload[]>;
  /** Brings files; returns the id of the first, or null where there are none. */
  add(files: readonly File[]): string | null;
  /** Changes settings of one image; see `steer`. */
  steer(id: string, change: Partial<PictureSettings>, gesture: string): void;
  takeBack(id: string): void;
  remove(id: string): Removed;
  clear(): Removed;
  /** Puts back what was removed, where it was. */
  restore(removed: Removed): void;
  /** Asks about every image anew: another model answers. */
  askAgain(): void;
}

/** More at once would keep hundreds of megabytes of pixels. */
const MAX_UPLOADS = 60;

export function createUploads(images: UploadsParts): Uploads {
  const store = createStore<readonly Upload[]>()(() => []);
  const find = (id: string) => store.getState().find((upload) => upload.id === id);
  const change = (id: string, news: Partial<Pick<Upload, 'steering' | 'state'>>) => {
    const changed = store
      .getState()
      .map((upload) => (upload.id === id ? { ...upload, ...news } : upload));
    store.setState(changed, true);
  };

  /** Files, and images of which another model is asked, one after the other. */
  const work = createQueue();
  /** Aborts when yet another model has come: it asks about everything itself. */
  let lesson = new AbortController();

  async function open(id: string): Promise<void> {
    const upload = find(id);
    // Removed, or removed and put back, in which case another turn opens it.
    if (!upload || upload.state.phase === 'refused' || shownOf(upload)) return;
    try {
      images.putImage(id, upload.file);
      const shown = await images.openImage(id);
      await answer(id, shown);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const name = error instanceof Error ? error.name : '';
      if (name === 'WorkerLostError') {
        change(id, {
          state: { phase: 'unanswered', shown: null, reason: `No answer: ${message}` },
        });
      } else {
        const isTold = name === 'PictureError';
        const reason = isTold ? message : `“${upload.file.name}” could not be opened: ${message}`;
        change(id, { state: { phase: 'refused', reason } });
      }
    }
  }

  /** Answers on the way are shown, the last one is right. */
  async function ask(id: string): Promise<void> {
    const upload = find(id);
    const shown = upload && shownOf(upload);
    if (shown) await answer(id, shown);
    else await open(id);
  }

  async function answer(id: string, shown: ImageBitmap): Promise<void> {
    const upload = find(id);
    if (!upload) return;
    try {
      const classification = await images.classify(id, upload.steering.settings);
      // Null: a later question took its place, or the image was removed.
      if (classification) change(id, { state: { phase: 'answered', shown, classification } });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      change(id, { state: { phase: 'unanswered', shown, reason: `No answer: ${message}` } });
    }
  }

  function takeOff(isTaken: (upload: Upload) => boolean): Removed {
    const before = store.getState();
    store.setState(
      before.filter((upload) => !isTaken(upload)),
      true,
    );
    const uploads = before.filter(isTaken);
    for (const { id } of uploads) images.releaseImage(id);
    return { uploads, at: before.findIndex(isTaken) };
  }

  function steerWith(id: string, next: (steering: Steering) => Steering): void {
    const upload = find(id);
    if (!upload) return;
    change(id, { steering: next(upload.steering) });
    if (shownOf(upload)) void ask(id);
  }

  return {
    store,
    add(files) {
      const added = files.map(
        (file, at): Upload => ({
          id: crypto.randomUUID(),
          file,
          steering: UNSTEERED,
          state:
            at < MAX_UPLOADS
              ? { phase: 'waiting' }
              : { phase: 'refused', reason: `At most ${MAX_UPLOADS} files at a time.` },
        }),
      );
      store.setState([...added, ...store.getState()].slice(0, 2 * MAX_UPLOADS), true);
      for (const { id } of added) void work.ask(() => open(id));
      return added[0]?.id ?? null;
    },
    steer: (id, settings, gesture) =>
      steerWith(id, (steering) => steer(steering, settings, gesture)),
    takeBack: (id) => steerWith(id, takeBack),
    remove: (id) => takeOff((upload) => upload.id === id),
    clear: () => takeOff(() => true),
    restore({ uploads, at }) {
      const now = store.getState();
      store.setState([...now.slice(0, at), ...uploads, ...now.slice(at)], true);
      for (const upload of uploads) {
        if (upload.state.phase === 'refused') continue;
        images.putImage(upload.id, upload.file);
        // Another model may have come meanwhile.
        void work.ask(() => ask(upload.id));
      }
    },
    askAgain() {
      lesson.abort();
      lesson = new AbortController();
      for (const { id } of store.getState()) void work.ask(() => ask(id), lesson.signal);
    },
  };
}

/** The opened image; null where it is not open. */
export function shownOf({ state }: Upload): ImageBitmap | null {
  return 'shown' in state ? state.shown : null;
}
