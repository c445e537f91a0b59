/**
 * Owns the thread in which models live: the engine, the live model and the run under way. A thin
 * shell around `engine/`, `image/`, `ml/`, `store/` and `formats/`; its API is exposed by Comlink.
 */
import type * as tf from '@tensorflow/tfjs';
import * as Comlink from 'comlink';
import { type Dataset, selectRows, splitRows } from '../data/dataset.ts';
import type { BackendName, EngineInfo, EngineWish } from '../engine/backends.ts';
import { type EngineError, startEngine } from '../engine/engine.ts';
import { NUM_CLASSES, PIXELS } from '../fashion.ts';
import { exportFileName, exportZip, importFiles } from '../formats/zip.ts';
import { normalizePicture } from '../image/normalize.ts';
import type { Picture, PictureSettings } from '../image/picture.ts';
import { buildModel } from '../ml/run/build.ts';
import { answerPicture, calibrateModel } from '../ml/run/calibrate.ts';
import { evaluateModel } from '../ml/run/evaluate.ts';
import { createNeighbourhood, type Neighbourhood } from '../ml/run/neighbours.ts';
import { predictRows } from '../ml/run/predict.ts';
import { type TrainEvent, TrainingControl, TrainingError, train } from '../ml/run/train.ts';
import type { Evaluation } from '../ml/spec/evaluation.ts';
import { findHeldOut, MAX_NAME_LENGTH, type ModelCard } from '../ml/spec/modelCard.ts';
import type { NetworkName } from '../ml/spec/network.ts';
import type { Recipe } from '../ml/spec/recipe.ts';
import type { Classification } from '../ml/spec/verdict.ts';
import { judge } from '../ml/spec/verdict.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { resolveNetwork } from '../network/spec.ts';
import * as store from '../store/models.ts';
import type { Library } from '../store/records.ts';
import { tryTraining } from './trial.ts';

/** Relative to the page, as the data is. */
const SHIPPED_MODEL = 'models/shipped.zip';

/** The build puts this script in a folder below the page. */
const PAGE_URL = new URL(
  import.meta.env.DEV ? import.meta.env.BASE_URL : '../',
  self.location.href,
);

/** Steps cross to the page at most this often, but the last of each epoch always does. */
const STEP_INTERVAL_MS = 250;

type PartName = 'train' | 'test';

/** Training pictures that the live model takes for most alike to a picture. */
export interface Lookalikes {
  /** `[n · 784]` bytes, the most alike first. Empty where there was nothing to compare with. */
  readonly pixels: Uint8Array;
  /** `[n]` rows of the training data. */
  readonly rows: Uint32Array;
  /** Rows of the class that were compared. */
  readonly numCompared: number;
}

interface LiveModel {
  readonly model: tf.LayersModel;
  readonly card: ModelCard;
}

/** No model, no data: the page asked for what is not there. The message is for people. */
class NothingThereError extends Error {
  override readonly name = 'NothingThereError';
}

/** What goes wrong beside an answer, as the page shows it. */
interface Fault {
  readonly name: string;
  readonly message: string;
}

let backend: BackendName | null = null;
let live: LiveModel | null = null;
let run: TrainingControl | null = null;
/** Long looks at models under way, which outlast the model's being live. */
const uses = new Set<{ readonly model: tf.LayersModel; isDiscarded: boolean }>();
/** What was found out about the live model and the training data; dropped when either changes. */
let neighbourhood: {
  readonly model: tf.LayersModel;
  readonly dataset: Dataset;
  readonly of: Neighbourhood;
} | null = null;
/** Counts the questions for lookalikes: only the last one is worked on. */
let lastLook = 0;
let tellLost: (fault: Fault) => void = () => {};
const parts: { [Part in PartName]?: { readonly dataset: Dataset; readonly name: string } } = {};

const api = {
  /** Chooses and starts the backend; once in the life of the worker. */
  async start(wish: EngineWish): Promise<EngineInfo> {
    const info = await startEngine(wish, (error: EngineError) => tellLost(toFault(error)));
    backend = info.active;
    return info;
  },

  /** `callback` hears when the backend dies: calls then hang for ever, so end this worker. */
  onLost(callback: (fault: Fault) => void): void {
    tellLost = callback;
  },

  /**
   * Trains a network that nobody keeps for `budgetMs` after its first step, to tell how fast the
   * backend is. For a worker that does nothing else: the live one would be busy meanwhile.
   */
  tryTraining,

  setData(part: PartName, dataset: Dataset, name: string): void {
    parts[part] = { dataset, name };
  },

  /**
   * Trains a new model, which is live from the first step on, and keeps it as the latest at the end
   * of each epoch that made it better. Where the run breaks off before its first epoch is over, the
   * model before is live again.
   * @param onUnkept hears where the model could not be kept; the run goes on.
   */
  async train(
    request: { readonly id: string; readonly network: NetworkName; readonly recipe: Recipe },
    onEvent: (event: TrainEvent) => void | Promise<void>,
    onUnkept?: (fault: Fault) => void,
  ): Promise<ModelCard> {
    if (run) throw new TrainingError('A run is under way. Stop it before you start another.');
    const { dataset, name } = demandData('train');
    const { id, recipe } = request;
    const network = resolveNetwork(NETWORK_PRESETS[request.network].spec, NUM_CLASSES);
    const control = new TrainingControl();
    run = control;
    neighbourhood = null;
    const before = live;
    const model = buildModel(network, recipe);
    let card: ModelCard = {
      id,
      name: `${network.spec.title}, ${name}`.slice(0, MAX_NAME_LENGTH),
      createdAt: new Date().toISOString(),
      origin: 'trained',
      network: request.network,
      numParams: model.countParams(),
      recipe,
      data: null,
      history: [],
      test: null,
      trainedOn: backend,
      calibration: null,
    };
    live = { model, card };
    const keep = async () => {
      try {
        await store.saveModel(model, card, 'latest');
      } catch (error) {
        onUnkept?.(toFault(error));
      }
    };
    /** Writes on the card; a name that was given meanwhile stays. */
    const note = (news: Pick<Partial<ModelCard>, 'data' | 'history' | 'calibration'>) => {
      card = { ...card, ...news, name: live?.card.name ?? card.name };
      live = { model, card };
    };
    const calibrate = async () => {
      const split = splitRows(dataset, recipe.validationShare, recipe.seed);
      const { augment } = recipe;
      note({ calibration: await calibrateModel({ model, dataset, data: name, split, augment }) });
    };
    let stepsPerEpoch = 1;
    let toldAtMs = 0;
    try {
      for await (const event of train({ model, network, recipe, dataset, control })) {
        if (event.kind === 'preparing') {
          const { numTrain, numValidation } = event;
          note({ data: { name, numTrain, numValidation } });
          ({ stepsPerEpoch } = event);
        } else if (event.kind === 'step') {
          const isLastOfEpoch = event.step % stepsPerEpoch === 0;
          if (!isLastOfEpoch && performance.now() - toldAtMs < STEP_INTERVAL_MS) continue;
          toldAtMs = performance.now();
        } else if (event.kind === 'epoch') {
          note({ history: [...card.history, event.record] });
          if (event.isBest) await keep();
        } else if (event.kind === 'finished' && card.history.length > 0) {
          // A run stopped in its first epoch must not take the place of the one kept before.
          await calibrate().catch((error) => console.warn('Not calibrated:', error));
          await keep();
        }
        const told = onEvent(event);
        // Events and the answer travel on ports of their own: without this the answer may be first,
        // and the page would miss that the run is over.
        if (event.kind === 'finished') await told;
      }
      discard(before?.model);
      return card;
    } catch (error) {
      if (card.history.length > 0) {
        discard(before?.model);
      } else {
        model.dispose();
        live = before;
      }
      throw error;
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

  /** The live model on the whole test set. Its figures go on the card, also on the kept one. */
  async evaluate(onProgress: (done: number, total: number) => void): Promise<Evaluation> {
    const { model, card } = demandModel();
    const { dataset, name } = demandData('test');
    const evaluation = await using(model, () =>
      evaluateModel(model, card.calibration, dataset, name, onProgress),
    );
    if (live?.model === model) {
      const { data, numRows, accuracy, loss } = evaluation;
      live = { model, card: { ...live.card, test: { data, numRows, accuracy, loss } } };
      // The figures are on the live card in any case; a model that is not kept has none to update.
      await store.updateCard(live.card).catch(() => {});
    }
    return evaluation;
  },

  /**
   * Calibrates the live model by the rows of the training data that it did not learn from. What is
   * found goes on the card, also on the kept one.
   */
  async calibrate(onProgress: (done: number, total: number) => void): Promise<ModelCard> {
    assertNoRun('calibrate this one');
    const { model, card } = demandModel();
    const { dataset, name } = demandData('train');
    const { recipe } = card;
    if (!recipe || findHeldOut(card, { name, numRows: dataset.labels.length }) !== 'known') {
      throw new NothingThereError(
        `Which rows of ${name} the model “${card.name}” learnt from is not known, so none can be trusted to be new to it.`,
      );
    }
    const split = splitRows(dataset, recipe.validationShare, recipe.seed);
    const calibration = await using(model, () =>
      calibrateModel({ model, dataset, data: name, split, augment: recipe.augment }, onProgress),
    );
    if (live?.model !== model) return demandModel().card;
    live = { model, card: { ...live.card, calibration } };
    await store.updateCard(live.card).catch(() => {});
    return live.card;
  },

  /**
   * Brings a picture to what the model sees and classifies it. Works while a run is under way.
   * @param areStepsSeen whether the steps are to come with their pictures.
   */
  async classify(
    picture: Picture,
    settings?: PictureSettings,
    areStepsSeen?: boolean,
  ): Promise<Classification> {
    const startedMs = performance.now();
    const { model, card } = demandModel();
    const normalized = normalizePicture(picture, settings, areStepsSeen);
    if (normalized.kind === 'blank') {
      return { ...normalized, verdict: { kind: 'cannotSay', reason: 'blank' } };
    }
    const { pixels, doubts } = normalized;
    const { probabilities, remoteness } = await answerPicture(model, card.calibration, pixels);
    return {
      ...normalized,
      probabilities,
      verdict: judge({ probabilities, remoteness, doubts }),
      elapsedMs: performance.now() - startedMs,
    };
  },

  /**
   * The `count` training pictures of a class most alike to a picture, as the live model sees them.
   * @param pixels `[784]` bytes, as the model sees them.
   * @returns Null where a later question, another model or a run came between.
   */
  async lookalikes(pixels: Uint8Array, label: number, count: number): Promise<Lookalikes | null> {
    const { model } = demandModel();
    const { dataset } = demandData('train');
    const look = ++lastLook;
    const isWanted = () => look === lastLook && live?.model === model && run === null;
    if (!isWanted()) return null;
    if (neighbourhood?.model !== model || neighbourhood.dataset !== dataset) {
      neighbourhood = { model, dataset, of: createNeighbourhood(model, dataset) };
    }
    const { of } = neighbourhood;
    const found = await using(model, () => of.nearest(pixels, label, count, isWanted));
    return found && { ...found, pixels: selectRows(dataset, found.rows).pixels };
  },

  /** Probabilities of rows of the data, `[rows.length · 10]`, transferred. */
  async predictRows(part: PartName, rows: Uint32Array): Promise<Float32Array> {
    const probabilities = await predictRows(demandModel().model, demandData(part).dataset, rows);
    return Comlink.transfer(probabilities, [probabilities.buffer]);
  },

  liveCard(): ModelCard | null {
    return live?.card ?? null;
  },

  listModels(): Promise<Library> {
    return store.listModels();
  },

  /** Keeps the live model under a name. */
  async saveModel(name: string): Promise<ModelCard> {
    const { model, card } = demandModel();
    const named = { ...card, name: store.checkName(name) };
    await store.saveModel(model, named, 'named');
    if (live?.model === model) live = { model, card: { ...live.card, name: named.name } };
    return named;
  },

  async loadModel(id: string): Promise<ModelCard> {
    assertNoRun();
    return makeLive(await store.loadModel(id));
  },

  /** The model that was live last; null where there is none. */
  async loadLast(): Promise<ModelCard | null> {
    assertNoRun();
    // At the start of the page: what was deleted on an earlier visit makes room now.
    await store.purgeDeleted().catch(() => {});
    const last = await store.loadLastModel();
    return last && makeLive(last);
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
    const bytes = await response.blob();
    const file = new File([bytes], 'shipped.zip');
    const { model, card } = await importFiles([file]);
    const liveCard = makeLive({ model, card: { ...card, origin: 'shipped' } });
    await store.setLastUsed(null).catch(() => {});
    return liveCard;
  },

  /** Also of a model that is live. */
  async renameModel(id: string, name: string): Promise<void> {
    const card = await store.renameModel(id, name);
    if (live?.card.id === id) live = { ...live, card: { ...live.card, name: card.name } };
  },

  deleteModel(id: string): Promise<void> {
    return store.deleteModel(id);
  },

  restoreModel(id: string): Promise<void> {
    return store.restoreModel(id);
  },

  /** The live model as a zip, transferred. */
  async exportModel(): Promise<{ fileName: string; zip: Uint8Array<ArrayBuffer> }> {
    const { model, card } = demandModel();
    const zip = await exportZip(model, card);
    return Comlink.transfer({ fileName: exportFileName(card), zip }, [zip.buffer]);
  },

  /** Checked whole before the live model is replaced. */
  async importModel(files: readonly File[]): Promise<ModelCard> {
    assertNoRun();
    const imported = await importFiles(files);
    // Live in any case; kept, so that it survives a reload, where there is room. Not as the latest:
    // the run kept by itself is not to give way to a file.
    await store.saveModel(imported.model, imported.card, 'named').catch(() => {});
    return makeLive(imported);
  },

  /** Brings back a model that was live in another worker: its export, and the card it had. */
  async reviveModel(file: File, card: ModelCard): Promise<ModelCard> {
    assertNoRun();
    const { model } = await importFiles([file]);
    return makeLive({ model, card });
  },
};

export type ModelWorkerApi = typeof api;

/** Does long work on a model, which is not disposed before that is over. */
async function using<T>(model: tf.LayersModel, work: () => Promise<T>): Promise<T> {
  const use = { model, isDiscarded: false };
  uses.add(use);
  try {
    return await work();
  } finally {
    uses.delete(use);
    if (use.isDiscarded) discard(model);
  }
}

/** Disposes a model that is live no more; one in use when that is over. */
function discard(model: tf.LayersModel | undefined): void {
  if (neighbourhood?.model === model) neighbourhood = null;
  const usesOfIt = [...uses].filter((use) => use.model === model);
  if (usesOfIt.length === 0) model?.dispose();
  for (const use of usesOfIt) use.isDiscarded = true;
}

/**
 * Takes the place of the live model, which is disposed.
 * @throws {NothingThereError} where a run has begun meanwhile: its network is the live one.
 */
function makeLive({ model, card }: LiveModel): ModelCard {
  if (run) model.dispose();
  assertNoRun();
  discard(live?.model);
  live = { model, card };
  // Compiles what the first picture would otherwise wait for.
  answerPicture(model, card.calibration, new Uint8Array(PIXELS)).catch(() => {});
  return card;
}

function assertNoRun(purpose = 'bring in another model'): void {
  if (run) throw new NothingThereError(`A run is under way. Stop it before you ${purpose}.`);
}

function demandModel(): LiveModel {
  if (!live) throw new NothingThereError('There is no model yet. Train one, or load one.');
  return live;
}

function demandData(part: PartName): { readonly dataset: Dataset; readonly name: string } {
  const data = parts[part];
  if (!data) {
    const which = part === 'train' ? 'training' : 'test';
    throw new NothingThereError(`There is no ${which} data yet. Load it in the Data room.`);
  }
  return data;
}

function toFault(error: unknown): Fault {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) };
}

Comlink.expose(api);
