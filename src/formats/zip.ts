/**
 * The model files people download and import: a zip of `model.json` and `weights.bin`, which stock
 * `tf.loadLayersModel` reads, and `metadata.json`, which says what the numbers mean.
 */
import type * as tf from '@tensorflow/tfjs';
import { strToU8, zipSync } from 'fflate';
import * as v from 'valibot';
import { FASHION_MNIST, SIDE } from '../fashion.ts';
import { RECORD_VERSION, upgradeCard } from '../ml/spec/cardUpgrades.ts';
import { type CardNetwork, type ModelCard, ModelCardSchema } from '../ml/spec/modelCard.ts';
import { MAX_PARAMS, MAX_TITLE_LENGTH, NetworkError, resolveNetwork } from '../network/spec.ts';
import { isArchive, unpack } from './archive.ts';
import { FormatError } from './formatError.ts';
import {
  countParameters,
  parseJson,
  putTogether,
  takeApart,
  WeightSpecSchema,
} from './layersModel.ts';

const MODEL_FILE = 'model.json';
const WEIGHTS_FILE = 'weights.bin';
const METADATA_FILE = 'metadata.json';
const METADATA_FORMAT = 'atelier-model';

const MAX_JSON_BYTES = 4_000_000;
/** Weights of the largest model Atelier takes, and its descriptions. */
const MAX_TOTAL_BYTES = MAX_PARAMS * 4 + 2 * MAX_JSON_BYTES;
const MAX_FILES = 1000;

/** A file as the page gets it from the person. `File` fits. */
export interface NamedFile {
  readonly name: string;
  readonly size: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}

type Contents = Map<string, Uint8Array<ArrayBuffer>>;

/** The `model.json` of TensorFlow.js. */
const ModelJsonSchema = v.object({
  modelTopology: v.looseObject({}),
  weightsManifest: v.array(
    v.object({ paths: v.array(v.string()), weights: v.array(WeightSpecSchema) }),
  ),
});

/** What tells our file from those of others. Its version is that of the card in it. */
const HeadSchema = v.object({
  format: v.literal(METADATA_FORMAT),
  version: v.pipe(v.number(), v.integer(), v.minValue(1)),
  classNames: v.unknown(),
  card: v.unknown(),
});

const MetadataSchema = v.object({
  classNames: v.array(v.string()),
  card: ModelCardSchema,
});

/** What a person or a program needs to know to feed the model elsewhere. */
function describe(card: ModelCard) {
  return {
    format: METADATA_FORMAT,
    version: RECORD_VERSION,
    classNames: card.dataSpec.classNames,
    input: {
      shape: [null, SIDE, SIDE, 1],
      layout: 'batch, row, column, channel',
      divideBy: 255,
      range: [0, 1],
      black: 0,
    },
    output: {
      shape: [null, card.dataSpec.classNames.length],
      meaning: 'The probability of each class, in the order of classNames. They sum to 1.',
    },
    preprocessing: [
      'Make the picture grey, 0 black to 255 white.',
      'Make the garment light on a black (0) background: a shop photo on white has to be negated.',
      'Trim to the garment and scale it so that its longer side is 28 pixels, the other in proportion.',
      'Centre its box on a black square of 28 by 28 pixels.',
      'Divide by 255. Pixels of Fashion-MNIST itself only need this step.',
    ],
    calibration: card.calibration && {
      probabilities:
        'The output is as the network gives it. For probabilities to rely on, raise each to the power of 1 / card.calibration.temperature and divide by their sum.',
      familiarity:
        card.calibration.familiarity &&
        'How far a picture lies from the training pictures: take the values that the last dense layer is fed, scale them to length 1 (in the app, more than 128 of them are folded to 128 first), multiply them with the lower triangular matrix of card.calibration.familiarity.statistics and take the least Euclidean distance to one of the centres that follow it. Beyond the threshold, the picture is unlike 95 % of garments held out from training.',
    },
    card,
  };
}

/**
 * The model as one zip, uncompressed for the weights, which would not shrink.
 * @returns the bytes of the archive.
 */
export async function exportZip(
  model: tf.LayersModel,
  card: ModelCard,
): Promise<Uint8Array<ArrayBuffer>> {
  const { topology, weightSpecs, weights } = await takeApart(model);
  const modelJson = {
    format: 'layers-model',
    generatedBy: 'Atelier',
    convertedBy: null,
    modelTopology: topology,
    weightsManifest: [{ paths: [WEIGHTS_FILE], weights: weightSpecs }],
  };
  // The parallel `zip` of fflate would start workers from `blob:` addresses.
  return zipSync({
    [MODEL_FILE]: toJson(modelJson),
    [WEIGHTS_FILE]: [weights, { level: 0 }],
    [METADATA_FILE]: toJson(describe(card)),
  });
}

/** The name an exported model is offered under, e.g. "atelier-my-best-coat.zip". */
export function exportFileName(card: ModelCard): string {
  const name = card.name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-|-$/g, '');
  return `atelier-${name || 'model'}.zip`;
}

/**
 * Reads a model from a zip, or from `model.json` with its weight files. Exports of TensorFlow.js
 * and its converter are read as well as our own. Everything is checked before it is built; see
 * `putTogether`.
 * @returns the model, owned by the caller, and a card with a new id and origin "imported".
 * @throws {FormatError}
 */
export async function importFiles(
  files: readonly NamedFile[],
): Promise<{ model: tf.LayersModel; card: ModelCard }> {
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  if (totalBytes > MAX_TOTAL_BYTES || files.length > MAX_FILES) {
    throw new FormatError(
      `These files are larger than any model Atelier takes (${MAX_TOTAL_BYTES / 1e6} MB).`,
    );
  }
  const contents = await readContents(files);

  const { modelTopology, weightsManifest } = parseModelJson(contents);
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  const paths = weightsManifest.flatMap(({ paths }) => paths);
  const weights = joinWeights(contents, paths);
  const metadata = parseMetadata(contents);

  const numParams = countParameters(weightSpecs);
  const { dataSpec, network } = metadata?.card ?? { dataSpec: FASHION_MNIST, network: null };
  const numClasses = dataSpec.classNames.length;
  if (network) checkNetwork(network, numClasses, numParams);
  const parts = { topology: modelTopology, weightSpecs, weights };
  const model = await putTogether(parts, numClasses);
  const own = { id: crypto.randomUUID(), origin: 'imported', numParams } as const;
  if (metadata) return { model, card: { ...metadata.card, ...own } };
  const card: ModelCard = {
    ...own,
    name: nameOf(files),
    createdAt: new Date().toISOString(),
    network: { title: model.name.slice(0, MAX_TITLE_LENGTH) || 'Unknown', nodes: null },
    recipe: null,
    dataSpec,
    data: null,
    history: [],
    test: null,
    trainedOn: null,
    calibration: null,
  };
  return { model, card };
}

/** By base name: where a file lies in its folder or archive says nothing. */
async function readContents(files: readonly NamedFile[]): Promise<Contents> {
  const contents: Contents = new Map();
  for (const file of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const entries = isArchive(bytes)
      ? unpack(bytes, file.name, { maxEntries: MAX_FILES, maxBytes: MAX_TOTAL_BYTES }, isModelFile)
      : new Map([[file.name, bytes]]);
    for (const [path, content] of entries) {
      const name = baseName(path);
      if (contents.has(name)) {
        throw new FormatError(
          `There are two files named ${name}. Choose the files of one model at a time.`,
        );
      }
      contents.set(name, content);
    }
  }
  return contents;
}

/** Left out: what macOS adds to archives, and whatever else lies beside the model. */
function isModelFile(path: string): boolean {
  return !path.startsWith('__MACOSX/') && /\.(json|bin)$/i.test(path);
}

function parseModelJson(contents: Contents): v.InferOutput<typeof ModelJsonSchema> {
  const name = contents.has(MODEL_FILE) ? MODEL_FILE : onlyJson(contents);
  if (!name) {
    throw new FormatError(
      `There is no ${MODEL_FILE} among these files. Choose a zip exported from Atelier, or the ${MODEL_FILE} of a TensorFlow.js layers model together with its .bin files.`,
    );
  }
  const json = readJson(contents, name);
  const parsed = v.safeParse(ModelJsonSchema, json);
  if (!parsed.success) {
    const where = v.getDotPath(parsed.issues[0]);
    throw new FormatError(
      `${name} is not the description of a TensorFlow.js layers model${where ? ` (at ${where})` : ''}. Its weights have to be plain float32, not quantised; save it with tf.LayersModel.save.`,
    );
  }
  return parsed.output;
}

/** A model's description under another name, where nothing else can be meant. */
function onlyJson(contents: Contents): string | null {
  const names = [...contents.keys()].filter(
    (name) => name.toLowerCase().endsWith('.json') && name !== METADATA_FILE,
  );
  return names.length === 1 ? (names[0] ?? null) : null;
}

/** Null where the files come from elsewhere. */
function parseMetadata(contents: Contents): v.InferOutput<typeof MetadataSchema> | null {
  if (!contents.has(METADATA_FILE)) return null;
  const json = readJson(contents, METADATA_FILE);
  // Teachable Machine, too, writes a file of this name.
  if (!v.is(v.object({ format: v.literal(METADATA_FORMAT) }), json)) return null;
  const head = v.safeParse(HeadSchema, json);
  if (!head.success) throw wrongMetadata(v.summarize(head.issues));
  const { version } = head.output;
  if (version > RECORD_VERSION) {
    throw new FormatError(
      `This model was exported by a newer version of Atelier. Reload the page to get that version, or leave ${METADATA_FILE} out to import the model without what is known of it.`,
    );
  }
  const card = upgradeCard(head.output.card, version);
  const { classNames: named } = head.output;
  const parsed = v.safeParse(MetadataSchema, { classNames: named, card });
  if (!parsed.success) throw wrongMetadata(v.summarize(parsed.issues));
  const { classNames, card: checked } = parsed.output;
  const expected = checked.dataSpec.classNames;
  if (
    classNames.length !== expected.length ||
    classNames.some((name, label) => name !== expected[label])
  ) {
    throw wrongMetadata(
      `it says ${classNames.join(', ')} in one place and ${expected.join(', ')} in another`,
    );
  }
  return parsed.output;
}

function wrongMetadata(reason: string): FormatError {
  return new FormatError(
    `${METADATA_FILE} does not pass its checks (${reason}). Export the model again, or leave this file out.`,
  );
}

/** The graph that the card tells must be that of the weights, as far as their number says. */
function checkNetwork(network: CardNetwork, numClasses: number, numParams: number): void {
  if (network.nodes === null) return;
  try {
    const { params } = resolveNetwork(network, numClasses);
    if (params === numParams) return;
    throw wrongMetadata(
      `its network has ${params.toLocaleString('en')} parameters and the weights are ${numParams.toLocaleString('en')}`,
    );
  } catch (error) {
    if (error instanceof NetworkError) throw wrongMetadata(error.message);
    throw error;
  }
}

/** The weight files one after the other, in the order `model.json` lists them. */
function joinWeights(contents: Contents, paths: readonly string[]): Uint8Array<ArrayBuffer> {
  const binaries = [...contents.keys()].filter((name) => name.toLowerCase().endsWith('.bin'));
  const onlyBinary = binaries.length === 1 && paths.length === 1 ? binaries[0] : undefined;
  const shards = paths.map((path) => {
    const name = contents.has(baseName(path)) ? baseName(path) : onlyBinary;
    const shard = name === undefined ? undefined : contents.get(name);
    if (!shard) {
      throw new FormatError(
        `${MODEL_FILE} names the weight file ${path}, which is missing. Choose all files of the model together.`,
      );
    }
    return shard;
  });
  const numBytes = shards.reduce((sum, { length }) => sum + length, 0);
  if (numBytes > MAX_TOTAL_BYTES) throw new FormatError('The weight files are named repeatedly.');
  const joined = new Uint8Array(numBytes);
  let position = 0;
  for (const shard of shards) {
    joined.set(shard, position);
    position += shard.length;
  }
  return joined;
}

function readJson(contents: Contents, name: string): unknown {
  const bytes = contents.get(name) ?? new Uint8Array();
  if (bytes.length > MAX_JSON_BYTES) {
    throw new FormatError(
      `${name} is ${(bytes.length / 1e6).toFixed(1)} MB; Atelier reads at most ${MAX_JSON_BYTES / 1e6} MB of description.`,
    );
  }
  return parseJson(new TextDecoder().decode(bytes), name);
}

function toJson(value: unknown): Uint8Array {
  return strToU8(JSON.stringify(value, null, 2));
}

function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** A stock model has no name of its own worth showing: the file's serves. */
function nameOf(files: readonly NamedFile[]): string {
  const first = files.find(({ name }) => !/\.bin$/i.test(name)) ?? files[0];
  return first
    ? baseName(first.name)
        .replace(/\.(zip|json)$/i, '')
        .slice(0, 80)
    : 'Imported model';
}
