/**
 * Images of a person's own and what the current model says of them. An image is handed over once and
 * kept in the model worker under an id; after that only settings travel. Where the worker has it no
 * longer (it keeps few, and may be another one by now), it is handed over again.
 */
import * as Comlink from 'comlink';
import type { StoreApi } from 'zustand/vanilla';
import type { Picture, PictureSettings } from '../image/picture.ts';
import type { Classification } from '../ml/spec/verdict.ts';
import type { AskedImage, Lookalikes } from '../worker/model.worker.ts';
import { type Asking, createLatest } from './asking.ts';
import type { ModelHost } from './host.ts';
import { type DataSlice, dataInUse } from './state.ts';

/** Where the pixels of an image come from. What the function gives is taken over. */
export type ImageSource = File | (() => Picture);

/** Questions: they reject with an error whose message is for people. */
export interface ImageActions {
  /** Says what the image of an id is, from now on. Cheap: nothing is sent before the next question. */
  putImage(id: string, source: ImageSource): void;
  /**
   * Decodes an image file that was put.
   * @returns it for showing: upright, at most 1024 pixels long.
   */
  openImage(id: string): Promise<ImageBitmap>;
  /** Forgets an image. */
  releaseImage(id: string): void;
  /**
   * Resolves to null where a later question about the same image overtook this one, or it was
   * released. A question under way is answered in any case: one may follow another very fast.
   * @param areStepsSeen whether the steps are to come with their images: quicker without.
   */
  classify(
    id: string,
    settings?: PictureSettings,
    areStepsSeen?: boolean,
  ): Promise<Classification | null>;
  /**
   * The five training images of a class that the current model takes for most alike. Needs training
   * data. Resolves to null where a later call, another model or a run overtook this one.
   * @param pixels `[784]` bytes, as the model sees them.
   */
  lookalikes(pixels: Uint8Array, label: number): Promise<Lookalikes | null>;
}

/** Shown beside an answer. */
const NUM_LOOKALIKES = 5;

interface PutImage {
  source: ImageSource;
  /** Whether a worker has been given it as it is now. */
  isSent: boolean;
  readonly asking: Asking;
}

export function createImages(
  store: StoreApi<Pick<DataSlice, 'data'>>,
  host: ModelHost,
): ImageActions {
  const put = new Map<string, PutImage>();
  const looking = createLatest('aborts');

  function find(id: string): PutImage {
    const image = put.get(id);
    if (!image) throw new Error(`There is no image “${id}”.`);
    return image;
  }

  function ask(
    id: string,
    source: ImageSource | null,
    settings: PictureSettings | undefined,
    areStepsSeen: boolean | undefined,
    signal: AbortSignal,
  ): Promise<Classification | 'missing'> {
    // The source is asked for its pixels only now: they are as new as can be.
    return host.call(async (api, inner) => {
      const pixels = typeof source === 'function' ? source() : source;
      const asked: AskedImage = { id, source: pixels };
      const handedOver =
        pixels === null || pixels instanceof File
          ? asked
          : Comlink.transfer(asked, [pixels.data.buffer]);
      return api.classify(handedOver, settings, areStepsSeen, inner);
    }, signal);
  }

  return {
    putImage(id, source) {
      const before = put.get(id);
      if (before) Object.assign(before, { source, isSent: false });
      else put.set(id, { source, isSent: false, asking: createLatest('finishes') });
    },

    async openImage(id) {
      const image = find(id);
      const { source } = image;
      if (!(source instanceof File)) throw new Error(`The image “${id}” is not a file.`);
      const shown = await host.call((api) => api.openImage(id, source));
      image.isSent = true;
      return shown;
    },

    releaseImage(id) {
      const image = put.get(id);
      if (!image) return;
      put.delete(id);
      image.asking.abort();
      host.call((api) => api.releaseImage(id)).catch(() => {});
    },

    async classify(id, settings, areStepsSeen) {
      const image = find(id);
      return image.asking.ask(async (signal) => {
        const { source, isSent } = image;
        image.isSent = true;
        try {
          const answer = await ask(id, isSent ? null : source, settings, areStepsSeen, signal);
          if (answer !== 'missing') return answer;
          const again = await ask(id, source, settings, areStepsSeen, signal);
          if (again === 'missing') throw new Error('The image was lost on its way. Try once more.');
          return again;
        } catch (error) {
          // Whether it arrived is not known.
          image.isSent = false;
          throw error;
        }
      });
    },

    async lookalikes(pixels, label) {
      const data = dataInUse(store.getState().data);
      if (!data) throw new Error('There is no training data yet. Load it in the Data room.');
      return looking.ask((signal) =>
        host.call(
          (api, inner) =>
            api.lookalikes(
              { id: data.id, file: data.trainFile },
              pixels,
              label,
              NUM_LOOKALIKES,
              inner,
            ),
          signal,
        ),
      );
    },
  };
}
