/**
 * The thread in which models live: the engine, the current model and the run under way. A thin shell
 * around `engine/`, `image/`, `ml/`, `store/` and `formats/`; its API is exposed by Comlink, and what
 * it rejects with is for people.
 */
import * as Comlink from 'comlink';
import { hasSameClasses } from '../data/dataSpec.ts';
import { type Dataset, selectRows, splitRows } from '../data/dataset.ts';
import type { BackendName, EngineInfo, EngineWish } from '../engine/backends.ts';
import { type EngineError, startEngine } from '../engine/startEngine.ts';
import { PIXELS } from '../fashion.ts';
import { exportFileName, exportZip, importFiles } from '../formats/zip.ts';
import type { Picture, PictureSettings } from '../image/picture.ts';
import { answerPicture, classifyPicture } from '../ml/run/answer.ts';
import { calibrateModel } from '../ml/run/calibrate.ts';
import { evaluateModel } from '../ml/run/evaluate.ts';
import { createNeighbourhood, type Neighbourhood } from '../ml/run/neighbours.ts';
import { type TrainEvent, TrainingControl, TrainingError } from '../ml/run/train.ts';
import { tryTraining } from '../ml/run/trial.ts';
import type { Evaluation } from '../ml/spec/metrics.ts';
import { findHeldOut, type ModelCard } from '../ml/spec/modelCard.ts';
import type { Classification } from '../ml/spec/verdict.ts';
import * as store from '../store/models.ts';
import type { Library } from '../store/records.ts';
import './abortSignal.ts';
import { createDataSupply, type DataRef } from './dataSupply.ts';
import { type Fault, toFault } from './fault.ts';
import { HeldModel } from './heldModel.ts';
import { keepImages } from './keptImages.ts';
import { prepareModel, type RunRequest, runTraining } from './trainingRun.ts';

/** Relative to the page, as the data is. */
const SHIPPED_MODEL = 'models/shipped.zip';

/** The build puts this script in a folder below the page. */
const PAGE_URL = new URL(
  import.meta.env.DEV ? import.meta.env.BASE_URL : '../',
  self.location.href,
);

/** Training images that the current model takes for most alike to an image. */
export interface Lookalikes {
  /** `[n · 784]` bytes, the most alike first. Empty where there was nothing to compare with. */
  readonly pixels: Uint8Array;
  /** `[n]` rows of the training data. */
  readonly rows: Uint32Array;
  /** Rows of the class that were compared. */
  readonly numCompared: number;
}

/** An image that is asked about. */
export interface AskedImage {
  readonly id: string;
  /** What it is from now on: a file, or its pixels. Null: as it is kept here. */
  readonly source: File | Picture | null;
}

/** A card as it is now, and why that could not be written to storage; null where it was. */
export interface CardUpdate {
  readonly card: ModelCard;
  readonly unkept: Fault | null;
}

/** No model, no data: the page asked for what is not there. The message is for people. */
class NothingThereError extends Error {
  override readonly name = 'NothingThereError';
}

let backend: BackendName | null = null;
/** The current model. */
let live: HeldModel | null = null;
let run: TrainingControl | null = null;
/** What was found out about the current model and the training data; dropped when either changes. */
let neighbourhood: {
  readonly held: HeldModel;
  readonly dataset: Dataset;
  readonly of: Neighbourhood;
} | null = null;
let reportLost: (fault: Fault) => void = () => {};
const supply = createDataSupply();
const images = keepImages();

const api = {
  /** Chooses and starts the backend; once in the life of the worker. */
  async start(wish: EngineWish): Promise<EngineInfo> {
    const info = await startEngine(wish, (error: EngineError) => reportLost(toFault(error)));
    backend = info.active;
    return info;
  },

  /** `callback` hears when the backend dies: calls then hang for ever, so end this worker. */
  onLost(callback: (fault: Fault) => void): void {
    reportLost = callback;
  },

  /** The channel to the data worker; null once that has stopped. See `DataSupplier`. */
  connectData(port: MessagePort | null): void {
    supply.connect(port);
  },

  /**
   * Trains a network that nobody keeps for `budgetMs` after its first step, to tell how fast the
   * backend is. For a worker that does nothing else: the one of the current model would be busy.
   */
  tryTraining,

  /**
   * Trains a new model, which is the current one from the first step on, and keeps it as the latest
   * at the end of each epoch that made it better. Where the run breaks off before its first epoch is
   * over, the model before is the current one again.
   * @param onUnkept hears where the model could not be kept; the run goes on.
   * @throws an AbortError where it was stopped before it began.
   */
  async train(
    request: RunRequest,
    data: DataRef,
    onEvent: (event: TrainEvent) => void | Promise<void>,
    onUnkept: (fault: Fault) => void,
  ): Promise<ModelCard> {
    if (run) throw new TrainingError('A run is under way. Stop it before you start another.');
    const control = new TrainingControl();
    run = control;
    try {
      const { dataset, name } = await supply.take('train', data);
      if (control.isStopped) {
        throw new DOMException('The run was stopped before it began.', 'AbortError');
      }
      const before = live;
      const held = prepareModel(request, dataset, name, backend);
      live = held;
      neighbourhood = null;
      try {
        await runTraining({
          held,
          request,
          dataset,
          dataName: name,
          control,
          onEvent,
          onUnkept: (error) => onUnkept(toFault(error)),
        });
      } catch (error) {
        if (held.card.history.length === 0) live = before;
        (live === held ? before : held)?.release();
        throw error;
      }
      before?.release();
      return held.card;
    } finally {
      run = null;
    }
  },

  pause(): void {
    run?.pause();
  },

  resume(): void {
    run?.resume();
  },

  stop(): void {
    run?.stop();
  },

  /**
   * The current model on the whole test set. Its figures go on the card, also on the kept one.
   * @throws the signal's reason where it is aborted.
   */
  async evaluate(
    data: DataRef,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<CardUpdate & { readonly evaluation: Evaluation }> {
    const held = requireModel();
    const { dataset, name } = await supply.take('test', data);
    requireSameClasses(held.card, dataset);
    const evaluation = await held.use((model) =>
      evaluateModel(model, held.card.calibration, dataset, name, (done, total) => {
        signal.throwIfAborted();
        onProgress(done, total);
      }),
    );
    const { numRows, accuracy, loss } = evaluation;
    held.card = { ...held.card, test: { data: name, numRows, accuracy, loss } };
    return { evaluation, ...(await updateKeptCard(held)) };
  },

  /**
   * Calibrates the current model by the rows of the training data that it was not trained on. What is
   * found goes on the card, also on the kept one.
   * @throws the signal's reason where it is aborted.
   */
  async calibrate(
    data: DataRef,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<CardUpdate> {
    assertNoRun('calibrate this one');
    const held = requireModel();
    const { dataset, name } = await supply.take('train', data);
    requireSameClasses(held.card, dataset);
    const { recipe, name: modelName } = held.card;
    if (!recipe || findHeldOut(held.card, { name, numRows: dataset.labels.length }) !== 'known') {
      throw new NothingThereError(
        `Which rows of ${name} the model “${modelName}” was trained on is not known, so none can be trusted to be new to it.`,
      );
    }
    const split = splitRows(dataset, recipe.validationShare, recipe.seed);
    const { augment } = recipe;
    const calibration = await held.use((model) =>
      calibrateModel({ model, dataset, data: name, split, augment }, (done, total) => {
        signal.throwIfAborted();
        onProgress(done, total);
      }),
    );
    held.card = { ...held.card, calibration };
    return updateKeptCard(held);
  },

  /**
   * Decodes an image file and keeps it under an id.
   * @returns the image for the page to show: upright, at most 1024 pixels long; transferred.
   * @throws {PictureError} for whatever is wrong with the file.
   */
  async openImage(id: string, file: File): Promise<ImageBitmap> {
    const picture = await decode(file);
    images.put(id, picture);
    const bitmap = await createImageBitmap(picture);
    return Comlink.transfer(bitmap, [bitmap]);
  },

  releaseImage(id: string): void {
    images.release(id);
  },

  /**
   * Brings an image to what the model sees and classifies it. Works while a run is under way.
   * @param areStepsSeen whether the steps are to come with their images.
   * @returns 'missing' where the image came without its source and is not kept here.
   * @throws the signal's reason where it is aborted.
   */
  async classify(
    { id, source }: AskedImage,
    settings: PictureSettings | undefined,
    areStepsSeen: boolean | undefined,
    signal: AbortSignal,
  ): Promise<Classification | 'missing'> {
    if (source) images.put(id, source instanceof File ? await decode(source) : source);
    const picture = images.get(id);
    if (!picture) return 'missing';
    const held = requireModel();
    return held.use((model) =>
      classifyPicture(model, held.card.calibration, picture, { settings, areStepsSeen, signal }),
    );
  },

  /**
   * The `count` training images of a class most alike to an image, as the current model sees them.
   * @param pixels `[784]` bytes, as the model sees them.
   * @returns Null where the signal aborted, or another model or a run came between.
   */
  async lookalikes(
    data: DataRef,
    pixels: Uint8Array,
    label: number,
    count: number,
    signal: AbortSignal,
  ): Promise<Lookalikes | null> {
    const held = requireModel();
    const { dataset } = await supply.take('train', data);
    requireSameClasses(held.card, dataset);
    const isWanted = () => !signal.aborted && live === held && run === null;
    if (!isWanted()) return null;
    if (neighbourhood?.held !== held || neighbourhood.dataset !== dataset) {
      const of = await held.use(async (model) => createNeighbourhood(model, dataset));
      if (!isWanted()) return null;
      neighbourhood = { held, dataset, of };
    }
    const { of } = neighbourhood;
    const found = await held.use(() => of.nearest(pixels, label, count, isWanted));
    return found && { ...found, pixels: selectRows(dataset, found.rows).pixels };
  },

  liveCard(): ModelCard | null {
    return live?.card ?? null;
  },

  listModels(): Promise<Library> {
    return store.listModels();
  },

  /** Keeps the current model under a name. */
  async saveModel(name: string): Promise<ModelCard> {
    const held = requireModel();
    const named = { ...held.card, name: store.checkName(name) };
    await held.use((model) => store.saveModel(model, named, 'named'));
    // What became known meanwhile, figures of a test say, stays.
    held.card = { ...held.card, name: named.name };
    return held.card;
  },

  async loadModel(id: string): Promise<ModelCard> {
    assertNoRun();
    const { model, card } = await store.loadModel(id);
    return makeLive(new HeldModel(model, card));
  },

  /** The model that was current last; null where there is none. */
  async loadLast(): Promise<ModelCard | null> {
    assertNoRun();
    // At the start of the page: what was deleted on an earlier visit makes room now.
    await store.purgeDeleted().catch((error) => console.warn('Not cleared away:', error));
    const last = await store.loadLastModel();
    return last && makeLive(new HeldModel(last.model, last.card));
  },

  /** The model that comes with the page. */
  async loadShipped(): Promise<ModelCard> {
    assertNoRun();
    const response = await fetch(new URL(SHIPPED_MODEL, PAGE_URL));
    if (!response.ok) {
      throw new NothingThereError(
        `The model that comes with this page could not be fetched (${response.status} for ${SHIPPED_MODEL}). Train one of your own, or reload the page.`,
      );
    }
    const file = new File([await response.blob()], 'shipped.zip');
    const { model, card } = await importFiles([file]);
    const liveCard = makeLive(new HeldModel(model, { ...card, origin: 'shipped' }));
    await store
      .setLastUsed(null)
      .catch((error) => console.warn('Not noted for the next visit:', error));
    return liveCard;
  },

  /** Also of the current model. */
  async renameModel(id: string, name: string): Promise<void> {
    const card = await store.renameModel(id, name);
    if (live?.card.id === id) live.card = { ...live.card, name: card.name };
  },

  deleteModel(id: string): Promise<void> {
    return store.deleteModel(id);
  },

  restoreModel(id: string): Promise<void> {
    return store.restoreModel(id);
  },

  /** The current model as a zip, transferred. */
  async exportModel(): Promise<{ fileName: string; zip: Uint8Array<ArrayBuffer> }> {
    const held = requireModel();
    const { card } = held;
    const zip = await held.use((model) => exportZip(model, card));
    return Comlink.transfer({ fileName: exportFileName(card), zip }, [zip.buffer]);
  },

  /** Checked whole before the current model is replaced. Current in any case, and kept where it can be. */
  async importModel(files: readonly File[]): Promise<CardUpdate> {
    assertNoRun();
    const { model, card } = await importFiles(files);
    const held = new HeldModel(model, card);
    // Not as the latest: the run kept by itself is not to give way to a file.
    const unkept = await held
      .use(() => store.saveModel(model, card, 'named'))
      .then(() => null, toFault);
    return { card: makeLive(held), unkept };
  },

  /** The model that was current in another worker: its export, and the card it had. */
  async reviveModel(file: File, card: ModelCard): Promise<ModelCard> {
    assertNoRun();
    const { model } = await importFiles([file]);
    return makeLive(new HeldModel(model, card));
  },
};

export type ModelWorkerApi = typeof api;

/** Decoders are loaded with the first file: a visitor who only draws needs none. */
async function decode(file: File): Promise<ImageData> {
  return (await import('./decode.ts')).decodePicture(file);
}

/** Of a model that is not kept there is nothing to update. */
async function updateKeptCard({ card }: HeldModel): Promise<CardUpdate> {
  return { card, unkept: await store.updateCard(card).then(() => null, toFault) };
}

/**
 * Takes the place of the current model.
 * @throws {NothingThereError} where a run has begun meanwhile: its network is the current one.
 */
function makeLive(held: HeldModel): ModelCard {
  if (run) held.release();
  assertNoRun();
  live?.release();
  live = held;
  neighbourhood = null;
  // Compiles what the first image would otherwise wait for.
  held
    .use((model) => answerPicture(model, held.card.calibration, new Uint8Array(PIXELS)))
    .catch(() => {});
  return held.card;
}

function assertNoRun(purpose = 'bring in another model'): void {
  if (run) throw new NothingThereError(`A run is under way. Stop it before you ${purpose}.`);
}

/** Else labels of the data would mean something else to the model. */
function requireSameClasses({ name, dataSpec }: ModelCard, { spec }: Dataset): void {
  if (hasSameClasses(dataSpec, spec)) return;
  throw new NothingThereError(
    `“${name}” tells apart the ${dataSpec.classNames.length} classes of ${dataSpec.title}, and the data in use is ${spec.title}. Load data of the same classes, or a model trained on these.`,
  );
}

function requireModel(): HeldModel {
  if (!live) throw new NothingThereError('There is no model yet. Train one, or load one.');
  return live;
}

Comlink.expose(api);
