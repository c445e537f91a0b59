/**
 * A run in the model worker: trains a held model, writes on its card what becomes known, and keeps it
 * as the latest at the end of each epoch that made it better.
 */
import { countClasses, type Dataset, splitRows } from '../data/dataset.ts';
import type { BackendName } from '../engine/backends.ts';
import { buildModel } from '../ml/run/build.ts';
import { calibrateModel } from '../ml/run/calibrate.ts';
import { type TrainEvent, type TrainingControl, train } from '../ml/run/train.ts';
import { MAX_NAME_LENGTH } from '../ml/spec/modelCard.ts';
import type { Recipe } from '../ml/spec/recipe.ts';
import { type NetworkSpec, resolveNetwork } from '../network/spec.ts';
import { saveModel } from '../store/models.ts';
import { HeldModel } from './heldModel.ts';

/** Steps cross to the page at most this often, but the last of each epoch always does. */
const STEP_INTERVAL_MS = 250;

export interface RunRequest {
  /** Of the run, which its model takes over. */
  readonly id: string;
  readonly network: NetworkSpec;
  readonly recipe: Recipe;
}

/** The model that a run begins with: fresh, with a card that has no epoch yet. */
export function prepareModel(
  { id, network, recipe }: RunRequest,
  dataset: Dataset,
  dataName: string,
  backend: BackendName | null,
): HeldModel {
  const model = buildModel(resolveNetwork(network, countClasses(dataset)), recipe);
  return new HeldModel(model, {
    id,
    name: `${network.title}, ${dataName}`.slice(0, MAX_NAME_LENGTH),
    createdAt: new Date().toISOString(),
    origin: 'trained',
    network,
    numParams: model.countParams(),
    recipe,
    dataSpec: dataset.spec,
    data: null,
    history: [],
    test: null,
    trainedOn: backend,
    calibration: null,
  });
}

export interface TrainingRun {
  /** Made by `prepareModel`. */
  readonly held: HeldModel;
  readonly request: RunRequest;
  readonly dataset: Dataset;
  readonly dataName: string;
  readonly control: TrainingControl;
  onEvent(event: TrainEvent): void | Promise<void>;
  /** Hears why the model could not be kept; the run goes on. */
  onUnkept(error: unknown): void;
}

/** @throws as `train`. */
export function runTraining({
  held,
  request: { network, recipe },
  dataset,
  dataName,
  control,
  onEvent,
  onUnkept,
}: TrainingRun): Promise<void> {
  return held.use(async (model) => {
    const keep = () => saveModel(model, held.card, 'latest').then(() => {}, onUnkept);
    const calibrate = async () => {
      const split = splitRows(dataset, recipe.validationShare, recipe.seed);
      const { augment } = recipe;
      const calibration = await calibrateModel({ model, dataset, data: dataName, split, augment });
      held.card = { ...held.card, calibration };
    };
    const resolved = resolveNetwork(network, countClasses(dataset));
    let stepsPerEpoch = 1;
    let toldAtMs = 0;
    for await (const event of train({
      model,
      network: resolved,
      recipe,
      dataset,
      control,
    })) {
      if (event.kind === 'preparing') {
        const { numTrain, numValidation } = event;
        held.card = { ...held.card, data: { name: dataName, numTrain, numValidation } };
        ({ stepsPerEpoch } = event);
      } else if (event.kind === 'step') {
        const isLastOfEpoch = event.step % stepsPerEpoch === 0;
        if (!isLastOfEpoch && performance.now() - toldAtMs < STEP_INTERVAL_MS) continue;
        toldAtMs = performance.now();
      } else if (event.kind === 'epoch') {
        held.card = { ...held.card, history: [...held.card.history, event.record] };
        if (event.isBest) await keep();
      } else if (event.kind === 'finished' && held.card.history.length > 0) {
        // A run stopped in its first epoch must not take the place of the one kept before.
        await calibrate().catch((error) => console.warn('Not calibrated:', error));
        await keep();
      }
      const told = onEvent(event);
      // Events and the answer travel on ports of their own: without this the answer may be first,
      // and the page would miss that the run is over.
      if (event.kind === 'finished') await told;
    }
  });
}
