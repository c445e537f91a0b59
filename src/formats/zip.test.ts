import * as tf from '@tensorflow/tfjs';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FASHION_MNIST } from '../fashion.ts';
import type { CardNetwork } from '../ml/spec/modelCard.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { FormatError } from './formatError.ts';
import { makeCard, makeModel, probe } from './testing/smallModel.ts';
import { exportFileName, exportZip, importFiles, type NamedFile } from './zip.ts';

/** A JSON tree that tests may bend. */
type Json = { [key: string]: Json } & Json[];

interface Parts {
  model: Json;
  weights: Uint8Array<ArrayBuffer>;
  metadata: Json | null;
}

let numTensorsBefore = 0;

beforeEach(async () => {
  await tf.setBackend('cpu');
  numTensorsBefore = tf.memory().numTensors;
});

afterEach(() => {
  expect(tf.memory().numTensors).toBe(numTensorsBefore);
});

function file(name: string, bytes: Uint8Array<ArrayBuffer>): NamedFile {
  return { name, size: bytes.length, arrayBuffer: async () => bytes.slice().buffer };
}

async function exported(model: tf.LayersModel = makeModel(), card = makeCard()) {
  const zip = await exportZip(model, card);
  model.dispose();
  return zip;
}

/** An export whose parts `bend` may change before they are packed again. */
async function bent(bend: (parts: Parts) => void, model?: tf.LayersModel): Promise<NamedFile> {
  const files = unzipSync(await exported(model));
  const parts: Parts = {
    model: JSON.parse(new TextDecoder().decode(files['model.json'])),
    weights: Uint8Array.from(files['weights.bin'] ?? []),
    metadata: JSON.parse(new TextDecoder().decode(files['metadata.json'])),
  };
  bend(parts);
  const packed: Record<string, Uint8Array> = {
    'model.json': strToU8(JSON.stringify(parts.model)),
    'weights.bin': parts.weights,
  };
  if (parts.metadata) packed['metadata.json'] = strToU8(JSON.stringify(parts.metadata));
  return file('bent.zip', zipSync(packed));
}

const layersOf = ({ model }: Parts) => at(model, 'modelTopology', 'config', 'layers');
const specsOf = ({ model }: Parts) => at(model, 'weightsManifest', 0, 'weights');

function at(json: Json | undefined, ...path: (string | number)[]): Json {
  let value = json;
  for (const key of path) value = value?.[key as number];
  if (value === undefined) throw new Error(`Nothing at ${path.join('.')}`);
  return value;
}

async function refusal(files: NamedFile[]): Promise<string> {
  const error = await importFiles(files).then(
    ({ model }) => {
      model.dispose();
      return new Error('It was accepted.');
    },
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}

function greatestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((greatest, value, i) => Math.max(greatest, Math.abs(value - (b[i] ?? 0))), 0);
}

describe('a model that leaves and comes back', () => {
  it('predicts the same and keeps what is known of it', async () => {
    const model = makeModel();
    const before = probe(model);
    const card = makeCard();
    const zip = await exported(model, card);

    const back = await importFiles([file('atelier-evening-coat.zip', zip)]);
    expect(greatestDifference(probe(back.model), before)).toBeLessThanOrEqual(1e-6);
    expect(back.card).toEqual({
      ...card,
      id: back.card.id,
      origin: 'imported',
      numParams: back.model.countParams(),
    });
    expect(back.card.id).not.toBe(card.id);
    back.model.dispose();
  });

  it('is read by stock tf.loadLayersModel', async () => {
    const model = makeModel();
    const before = probe(model);
    const files = unzipSync(await exported(model));
    const stock = await tf.loadLayersModel(
      tf.io.fromMemory({
        ...JSON.parse(new TextDecoder().decode(files['model.json'])),
        weightSpecs: JSON.parse(new TextDecoder().decode(files['model.json'])).weightsManifest[0]
          .weights,
        weightData: Uint8Array.from(files['weights.bin'] ?? []).buffer,
      }),
    );
    expect(greatestDifference(probe(stock), before)).toBeLessThanOrEqual(1e-6);
    stock.dispose();
  });

  it('tells other classes apart than those of Fashion-MNIST', async () => {
    const classNames = Array.from({ length: 12 }, (_, label) => `kind ${label}`);
    const dataSpec = { id: 'kinds', title: 'Kinds', classNames, files: null };
    const before = makeModel(1, 12);
    const expected = probe(before);
    const zip = await exported(before, makeCard({ dataSpec }));
    const metadata = JSON.parse(new TextDecoder().decode(unzipSync(zip)['metadata.json']));
    expect(metadata.classNames).toEqual(classNames);
    expect(metadata.output.shape).toEqual([null, 12]);
    const { model, card } = await importFiles([file('kinds.zip', zip)]);
    expect(card.dataSpec).toEqual(dataSpec);
    expect(greatestDifference(probe(model), expected)).toBeLessThanOrEqual(1e-6);
    model.dispose();
  });

  it('takes its calibration along, and reads cards from before there was one', async () => {
    const { calibration } = makeCard();
    const { model, card } = await importFiles([file('model.zip', await exported())]);
    expect(card.calibration).toEqual(calibration);
    model.dispose();

    const old = await bent(({ metadata }) => {
      const card = at(metadata ?? undefined, 'card') as { calibration?: Json; network?: unknown };
      delete card.calibration;
      card.network = 'small';
      Object.assign(at(metadata ?? undefined), { version: 1 });
    });
    const back = await importFiles([old]);
    expect(back.card.calibration).toBeNull();
    back.model.dispose();

    const damaged = await bent(({ metadata }) => {
      at(metadata ?? undefined, 'card', 'calibration', 'familiarity').statistics =
        'AACA' as unknown as Json;
    });
    expect(await refusal([damaged])).toMatch(/metadata\.json does not pass its checks/);
  });

  it('says in its metadata what the numbers mean', async () => {
    const files = unzipSync(await exported());
    const metadata = JSON.parse(new TextDecoder().decode(files['metadata.json']));
    expect(metadata.classNames).toEqual(FASHION_MNIST.classNames);
    expect(metadata.input.divideBy).toBe(255);
    expect(metadata.preprocessing.join(' ')).toMatch(/negated/);
    expect(metadata.calibration.probabilities).toMatch(/temperature/);
    expect(metadata.calibration.familiarity).toMatch(/threshold/);
  });

  it('comes back as two files, in either order and under other names', async () => {
    const model = makeModel();
    const before = probe(model);
    const files = unzipSync(await exported(model));
    const json = file('coats.json', Uint8Array.from(files['model.json'] ?? []));
    const weights = file('coats.weights.bin', Uint8Array.from(files['weights.bin'] ?? []));
    for (const chosen of [
      [json, weights],
      [weights, json],
    ]) {
      const back = await importFiles(chosen);
      expect(greatestDifference(probe(back.model), before)).toBeLessThanOrEqual(1e-6);
      expect(back.card).toMatchObject({ name: 'coats', origin: 'imported', recipe: null });
      back.model.dispose();
    }
  });

  it('comes back from shards and from a folder in the archive', async () => {
    const model = makeModel();
    const before = probe(model);
    const files = unzipSync(await exported(model));
    const json = JSON.parse(new TextDecoder().decode(files['model.json']));
    json.weightsManifest[0].paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
    const weights = files['weights.bin'] ?? new Uint8Array();
    const zip = zipSync({
      'web/model.json': strToU8(JSON.stringify(json)),
      'web/group1-shard2of2.bin': weights.slice(1001),
      'web/group1-shard1of2.bin': weights.slice(0, 1001),
      '__MACOSX/web/._model.json': strToU8('not json'),
      'web/readme.txt': strToU8('hello'),
    });
    const back = await importFiles([file('keras.zip', zip)]);
    expect(greatestDifference(probe(back.model), before)).toBeLessThanOrEqual(1e-6);
    expect(back.card.name).toBe('keras');
    back.model.dispose();
  });

  it('gets a softmax where it ends in plain sums', async () => {
    const logits = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [28, 28, 1] }),
        tf.layers.dense({ units: 10, kernelInitializer: 'glorotNormal' }),
      ],
    });
    const expected = tf.tidy(() =>
      Float32Array.from(tf.softmax(tf.tensor2d(probe(logits), [10, 10])).dataSync()),
    );
    const back = await importFiles([file('logits.zip', await exported(logits))]);
    expect(greatestDifference(probe(back.model), expected)).toBeLessThanOrEqual(1e-6);
    // And again, now with the softmax among its layers.
    const zip = await exportZip(back.model, back.card);
    back.model.dispose();
    const again = await importFiles([file('again.zip', zip)]);
    expect(greatestDifference(probe(again.model), expected)).toBeLessThanOrEqual(1e-6);
    again.model.dispose();
  });

  it('is offered under a name every system takes', () => {
    expect(exportFileName(makeCard({ name: 'Évening / coat: №5 ' }))).toBe(
      'atelier-evening-coat-no5.zip',
    );
    expect(exportFileName(makeCard({ name: '外套' }))).toBe('atelier-model.zip');
  });
});

describe('a file that is refused', () => {
  it('names a layer of an unknown class', async () => {
    const zip = await bent((parts) => {
      at(layersOf(parts), 5).class_name = 'Lambda' as unknown as Json;
    });
    expect(await refusal([zip])).toMatch(/"Lambda"/);
  });

  it('refuses a nested model and a Rescaling layer', async () => {
    for (const nested of ['Sequential', 'Rescaling']) {
      const zip = await bent((parts) => {
        at(layersOf(parts), 0).class_name = nested as unknown as Json;
      });
      expect(await refusal([zip])).toContain(`"${nested}"`);
    }
  });

  it('tells the input it would need', async () => {
    const other = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [32, 32, 3] }),
        tf.layers.dense({ units: 10, activation: 'softmax' }),
      ],
    });
    expect(await refusal([await bent(() => {}, other)])).toMatch(
      /takes \[any, 32, 32, 3\].*\[any, 28, 28, 1\]/,
    );
  });

  it('tells the output it would need', async () => {
    const other = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [28, 28, 1] }),
        tf.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    expect(await refusal([await bent(() => {}, other)])).toMatch(/gives \[any, 3\].*\[any, 10\]/);
  });

  it('counts the parameters that the list of weights declares', async () => {
    const zip = await bent((parts) => {
      at(specsOf(parts), 0).shape = [5000, 5000] as unknown as Json;
    });
    expect(await refusal([zip])).toMatch(/25,\d+,\d+ parameters.*20,000,000/);
  });

  it('counts the parameters that the layers would make, before they take memory', async () => {
    const zip = await bent((parts) => {
      const dense = at(layersOf(parts), 6);
      const wide = (units: number) =>
        ({
          class_name: 'Dense',
          config: { ...at(dense, 'config'), name: `wide${units}`, units },
        }) as unknown as Json;
      layersOf(parts).splice(6, 0, wide(60_000), wide(60_001));
    });
    expect(await refusal([zip])).toMatch(/parameters or more.*20,000,000/);
  });

  it('refuses layers that blow pictures up', async () => {
    const zip = await bent((parts) => {
      const config = { name: 'up', trainable: true, size: [64, 64], data_format: 'channels_last' };
      const pool = { ...config, name: 'down', pool_size: [256, 256], strides: [256, 256] };
      layersOf(parts).splice(
        3,
        1,
        { class_name: 'UpSampling2D', config } as unknown as Json,
        { class_name: 'MaxPooling2D', config: { ...pool, padding: 'valid' } } as unknown as Json,
      );
    });
    expect(await refusal([zip])).toMatch(/"up" makes 12,845,056 values/);
  });

  it('wants every byte of the weights and none more', async () => {
    for (const change of [-4, -1, 1, 4]) {
      const zip = await bent((parts) => {
        const resized = new Uint8Array(parts.weights.length + change);
        resized.set(parts.weights.subarray(0, resized.length));
        parts.weights = resized;
      });
      expect(await refusal([zip])).toMatch(/should be [\d,]+ bytes and are/);
    }
  });

  it('refuses weights that are not finite, naming where', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const zip = await bent((parts) => {
        new DataView(parts.weights.buffer).setFloat32(parts.weights.length - 4, value, true);
      });
      expect(await refusal([zip])).toMatch(/not finite numbers \(in "batch_normalization/);
    }
  });

  it('refuses weights that belong to other layers', async () => {
    const renamed = await bent((parts) => {
      at(specsOf(parts), 0).name = 'somebody/else' as unknown as Json;
    });
    expect(await refusal([renamed])).toMatch(/do not belong to these layers/);
    const turned = await bent((parts) => {
      at(specsOf(parts), 0, 'shape').reverse();
    });
    expect(await refusal([turned])).toMatch(/do not belong to these layers/);
    const doubled = await bent((parts) => {
      at(specsOf(parts), 1).name = at(specsOf(parts), 2, 'name');
    });
    expect(await refusal([doubled])).toMatch(/Two weights are named/);
  });

  it('refuses quantised weights and other number types', async () => {
    const zip = await bent((parts) => {
      at(specsOf(parts), 0).dtype = 'int32' as unknown as Json;
    });
    expect(await refusal([zip])).toMatch(/plain float32/);
    const quantised = await bent((parts) => {
      at(specsOf(parts), 0).quantization = { dtype: 'uint8', scale: 1, min: 0 } as unknown as Json;
    });
    expect(await refusal([quantised])).toMatch(/plain float32/);
  });

  it('refuses outputs that are not probabilities', async () => {
    const sigmoid = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [28, 28, 1] }),
        tf.layers.dense({ units: 10, activation: 'sigmoid' }),
      ],
    });
    expect(await refusal([await bent(() => {}, sigmoid)])).toMatch(/not probabilities/);
  });

  it('refuses weights so large that the outputs are no numbers', async () => {
    const zip = await bent((parts) => {
      const view = new DataView(parts.weights.buffer);
      for (let i = 0; i < 36 * 4; i += 4) view.setFloat32(i, 3e38, true);
    });
    expect(await refusal([zip])).toMatch(/not probabilities/);
  });

  it('refuses keys that aim at the prototype of objects', async () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const files = unzipSync(await exported());
      const json = new TextDecoder()
        .decode(files['model.json'])
        .replace('"modelTopology": {', `"modelTopology": { "${key}": { "polluted": true },`);
      const zip = zipSync({ ...files, 'model.json': strToU8(json) });
      expect(await refusal([file('proto.zip', zip)])).toContain(`"${key}"`);
      expect({}).not.toHaveProperty('polluted');
    }
    const named = await bent((parts) => {
      at(specsOf(parts), 0).name = '__proto__' as unknown as Json;
    });
    expect(await refusal([named])).toMatch(/not the description/);
  });

  it('refuses a graph model, broken JSON and layers that do not fit', async () => {
    const graph = await bent((parts) => {
      parts.model.modelTopology = { node: [], library: {} } as unknown as Json;
    });
    expect(await refusal([graph])).toMatch(/does not describe a tf\.layers model/);

    const files = unzipSync(await exported());
    const broken = zipSync({ ...files, 'model.json': strToU8('{"modelTopology":') });
    expect(await refusal([file('broken.zip', broken)])).toMatch(/model\.json is not JSON/);

    const misfit = await bent((parts) => {
      layersOf(parts).splice(4, 1);
    });
    expect(await refusal([misfit])).toMatch(/do not fit|takes|gives|belong|run here/);
  });

  it('says which file is missing', async () => {
    const files = unzipSync(await exported());
    const json = file('model.json', Uint8Array.from(files['model.json'] ?? []));
    const weights = file('weights.bin', Uint8Array.from(files['weights.bin'] ?? []));
    expect(await refusal([json])).toMatch(/weights\.bin, which is missing/);
    expect(await refusal([weights])).toMatch(/no model\.json/);
    expect(await refusal([])).toMatch(/no model\.json/);
    expect(await refusal([json, json, weights])).toMatch(/two files named model\.json/);
  });

  it('refuses metadata of other classes or with a card that is not one', async () => {
    const digits = await bent(({ metadata }) => {
      if (metadata) metadata.classNames = [...'0123456789'] as unknown as Json;
    });
    expect(await refusal([digits])).toMatch(/0, 1, 2.*in one place and T-shirt\/top, Trouser/);
    const card = await bent(({ metadata }) => {
      at(metadata ?? undefined, 'card').createdAt = 'yesterday' as unknown as Json;
    });
    expect(await refusal([card])).toMatch(/metadata\.json does not pass/);
  });

  it('refuses what a newer version exported, and says so', async () => {
    const newer = await bent(({ metadata }) => {
      Object.assign(at(metadata ?? undefined), { version: 3, card: 'a text now' });
    });
    expect(await refusal([newer])).toMatch(/newer version of Atelier.*Reload/);
  });

  it('refuses a card whose network is not the one that the weights belong to', async () => {
    const tellNetwork = (network: CardNetwork) =>
      bent(({ metadata }) => {
        Object.assign(at(metadata ?? undefined, 'card'), { network });
      });
    const small = NETWORK_PRESETS.small.spec;
    expect(await refusal([await tellNetwork(small)])).toMatch(/9,098 parameters.*2,026/);
    const bad = { title: 'Bad', nodes: small.nodes.slice(0, 3) };
    expect(await refusal([await tellNetwork(bad)])).toMatch(/must give one number for each/);
  });

  it('does not open what is too large', async () => {
    const huge: NamedFile = {
      name: 'huge.bin',
      size: 1e9,
      arrayBuffer: () => Promise.reject(new Error('It was opened.')),
    };
    expect(await refusal([huge])).toMatch(/larger than any model/);
  });
});
