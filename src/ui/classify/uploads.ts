/**
 * Owns the picture files that a person has brought: opened and classified one after the other, each
 * with its own outcome and settings, and asked about anew when those or the model change. Knows no
 * React.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Picture, PictureSettings } from '../../image/picture.ts';
import type { Classification } from '../../ml/spec/verdict.ts';
import { type Steering, steer, takeBack, UNSTEERED } from './steering.ts';

export interface Upload {
  readonly id: string;
  /** Of the file. */
  readonly name: string;
  readonly steering: Steering;
  readonly state:
    | { readonly phase: 'waiting'; readonly file: File }
    | {
        readonly phase: 'answered';
        readonly picture: Picture;
        readonly classification: Classification;
      }
    /** Opened, but nobody answered; asked again with the next model. `reason` is for people. */
    | { readonly phase: 'unanswered'; readonly picture: Picture; readonly reason: string }
    /** Could not be opened. `reason` is for people. */
    | { readonly phase: 'refused'; readonly reason: string };
}

/** What was taken off the list, and where it was. */
export interface Removed {
  readonly uploads: readonly Upload[];
  readonly at: number;
}

/** Where pictures and answers come from; tests bring their own. */
export interface UploadsParts {
  /** @throws PictureError where the file is not to be opened */
  open(file: File): Promise<Picture>;
  /** May keep the picture's pixels. */
  classify(picture: Picture, settings: PictureSettings): Promise<Classification>;
}

export interface Uploads {
  readonly store: StoreApi<readonly Upload[]>;
  /** Brings files; returns the id of the first, or null where there are none. */
  add(files: readonly File[]): string | null;
  /** Changes settings of one picture; see `steer`. */
  steer(id: string, change: Partial<PictureSettings>, gesture: string): void;
  takeBack(id: string): void;
  remove(id: string): Removed;
  clear(): Removed;
  /** Puts back what was removed, where it was. */
  restore(removed: Removed): void;
  /** Asks about every picture anew: another model answers. */
  askAgain(): void;
}

/** More at once would keep hundreds of megabytes of pixels. */
const MAX_UPLOADS = 60;

export function createUploads({ open, classify }: UploadsParts): Uploads {
  const store = createStore<readonly Upload[]>()(() => []);
  const find = (id: string) => store.getState().find((upload) => upload.id === id);
  const change = (id: string, news: Partial<Pick<Upload, 'steering' | 'state'>>) => {
    const changed = store
      .getState()
      .map((upload) => (upload.id === id ? { ...upload, ...news } : upload));
    store.setState(changed, true);
  };

  /** Files, and pictures of which another model is asked, one after the other. */
  let work = Promise.resolve();
  /** How often another model came. */
  let lesson = 0;
  /** Pictures with a question under way; true where they have changed since it was asked. */
  const asked = new Map<string, boolean>();

  async function openFile(id: string): Promise<void> {
    const upload = find(id);
    // Removed, or removed and put back, in which case another turn opens it.
    if (upload?.state.phase !== 'waiting') return;
    try {
      const picture = await open(upload.state.file);
      change(id, { state: await answer(picture, upload.steering.settings) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const isTold = error instanceof Error && error.name === 'PictureError';
      const reason = isTold ? message : `“${upload.name}” could not be opened: ${message}`;
      change(id, { state: { phase: 'refused', reason } });
    }
  }

  /** One question about a picture at a time; answers on the way are shown, the last one is right. */
  async function ask(id: string): Promise<void> {
    if (asked.has(id)) {
      asked.set(id, true);
      return;
    }
    do {
      asked.set(id, false);
      const upload = find(id);
      if (!upload || !('picture' in upload.state)) break;
      const state = await answer(upload.state.picture, upload.steering.settings);
      change(id, { state });
    } while (asked.get(id));
    asked.delete(id);
  }

  async function answer(picture: Picture, settings: PictureSettings): Promise<Upload['state']> {
    try {
      const { width, height, data } = picture;
      const classification = await classify({ width, height, data: data.slice() }, settings);
      return { phase: 'answered', picture, classification };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { phase: 'unanswered', picture, reason: `No answer: ${message}` };
    }
  }

  function enqueue(task: () => Promise<void>): void {
    work = work.then(task);
  }

  function takeOff(isTaken: (upload: Upload) => boolean): Removed {
    const before = store.getState();
    store.setState(
      before.filter((upload) => !isTaken(upload)),
      true,
    );
    return { uploads: before.filter(isTaken), at: before.findIndex(isTaken) };
  }

  return {
    store,
    add(files) {
      const added = files.map(
        (file, at): Upload => ({
          id: crypto.randomUUID(),
          name: file.name,
          steering: UNSTEERED,
          state:
            at < MAX_UPLOADS
              ? { phase: 'waiting', file }
              : { phase: 'refused', reason: `At most ${MAX_UPLOADS} files at a time.` },
        }),
      );
      store.setState([...added, ...store.getState()].slice(0, 2 * MAX_UPLOADS), true);
      for (const { id } of added) enqueue(() => openFile(id));
      return added[0]?.id ?? null;
    },
    steer(id, settings, gesture) {
      const upload = find(id);
      if (!upload) return;
      change(id, { steering: steer(upload.steering, settings, gesture) });
      void ask(id);
    },
    takeBack(id) {
      const upload = find(id);
      if (!upload) return;
      change(id, { steering: takeBack(upload.steering) });
      void ask(id);
    },
    remove: (id) => takeOff((upload) => upload.id === id),
    clear: () => takeOff(() => true),
    restore({ uploads, at }) {
      const now = store.getState();
      store.setState([...now.slice(0, at), ...uploads, ...now.slice(at)], true);
      for (const { id, state } of uploads) {
        // Another model may have come meanwhile.
        enqueue(() => (state.phase === 'waiting' ? openFile(id) : ask(id)));
      }
    },
    askAgain() {
      const mine = ++lesson;
      for (const { id } of store.getState()) {
        // A later lesson has put every picture in line again.
        enqueue(async () => (mine === lesson ? ask(id) : undefined));
      }
    },
  };
}
