/**
 * Owns the picture files that a person has brought: decoded and classified one after the other, each
 * with its own outcome, and asked about anew when another model answers.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Classification, Picture } from '../../image/picture.ts';
import { session } from '../useSession.ts';

export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly state:
    | { readonly phase: 'waiting' }
    | {
        readonly phase: 'answered';
        readonly picture: Picture;
        readonly classification: Classification;
      }
    /** `reason` is for people. */
    | { readonly phase: 'refused'; readonly reason: string };
}

/** More at once would keep hundreds of megabytes of pixels. */
const MAX_UPLOADS = 60;

/** The session takes over the pixels it is given, so it gets a copy. */
function copyOf({ width, height, data }: Picture): Picture {
  return { width, height, data: data.slice() };
}

/**
 * @param modelId id of the model that answers; when it changes, all pictures are asked about anew
 */
export function useUploads(modelId: string | null) {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const work = useRef(Promise.resolve());

  const settle = useCallback((id: string, state: Upload['state']) => {
    setUploads((before) =>
      before.map((upload) => (upload.id === id ? { ...upload, state } : upload)),
    );
  }, []);

  /** Brings files; returns the id of the first, or null where there are none. */
  const add = useCallback(
    (files: readonly File[]): string | null => {
      const jobs = files.slice(0, MAX_UPLOADS).map((file) => ({ id: crypto.randomUUID(), file }));
      const refused: Upload[] = files.slice(MAX_UPLOADS).map((file) => ({
        id: crypto.randomUUID(),
        name: file.name,
        state: { phase: 'refused', reason: `At most ${MAX_UPLOADS} files at a time.` },
      }));
      const waiting = jobs.map(
        ({ id, file }): Upload => ({ id, name: file.name, state: { phase: 'waiting' } }),
      );
      setUploads((before) => [...waiting, ...refused, ...before].slice(0, 2 * MAX_UPLOADS));
      for (const { id, file } of jobs) {
        work.current = work.current.then(async () => settle(id, await classifyFile(file)));
      }
      return jobs[0]?.id ?? null;
    },
    [settle],
  );

  const latest = useRef(uploads);
  useEffect(() => {
    latest.current = uploads;
  });
  const answeredBy = useRef(modelId);
  useEffect(() => {
    if (modelId === null || modelId === answeredBy.current) return;
    answeredBy.current = modelId;
    for (const { id, state } of latest.current) {
      if (state.phase !== 'answered') continue;
      work.current = work.current.then(async () =>
        settle(id, await classifyDecoded(state.picture)),
      );
    }
  }, [modelId, settle]);

  const remove = useCallback((id: string) => {
    setUploads((before) => before.filter((upload) => upload.id !== id));
  }, []);
  const clear = useCallback(() => setUploads([]), []);

  return { uploads, add, remove, clear };
}

async function classifyFile(file: File): Promise<Upload['state']> {
  try {
    // Loaded with the first file: a visitor who only draws needs no decoder.
    const { decodePicture } = await import('./decode.ts');
    return await classifyDecoded(await decodePicture(file));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isTold = error instanceof Error && error.name === 'PictureError';
    return {
      phase: 'refused',
      reason: isTold ? message : `“${file.name}” could not be opened: ${message}`,
    };
  }
}

async function classifyDecoded(picture: Picture): Promise<Upload['state']> {
  try {
    const classification = await session.classifyEach(copyOf(picture));
    return { phase: 'answered', picture, classification };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { phase: 'refused', reason: `No answer: ${reason}` };
  }
}
