/** A small model, its card and pixels, for the tests of files and storage. */
import * as tf from '@tensorflow/tfjs';
import { FASHION_MNIST, PIXELS, SIDE } from '../../fashion.ts';
import type { ModelCard } from '../../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE } from '../../ml/spec/recipe.ts';

/** Conv, batch norm, pool, dense, softmax: 2,570 parameters with random values. */
export function makeModel(
  seed = 1,
  numClasses: number = FASHION_MNIST.classNames.length,
): tf.Sequential {
  const kernelInitializer = tf.initializers.glorotNormal({ seed });
  const momentInitializer = tf.initializers.randomUniform({ minval: 0.2, maxval: 2, seed });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [SIDE, SIDE, 1],
        filters: 4,
        kernelSize: 3,
        padding: 'same',
        kernelInitializer,
      }),
      tf.layers.batchNormalization({
        movingMeanInitializer: momentInitializer,
        movingVarianceInitializer: momentInitializer,
      }),
      tf.layers.reLU(),
      tf.layers.maxPooling2d({ poolSize: 4, strides: 4 }),
      tf.layers.flatten(),
      tf.layers.dropout({ rate: 0.2 }),
      tf.layers.dense({ units: numClasses, kernelInitializer, activation: 'softmax' }),
    ],
  });
}

/** `[n · classes]` outputs for `n` fixed noisy pictures. Disposes nothing but its own. */
export function probe(model: tf.LayersModel, numPictures = 10): Float32Array {
  return tf.tidy(() => {
    const pictures = tf.randomUniform([numPictures, SIDE, SIDE, 1], 0, 1, 'float32', 7);
    return Float32Array.from((model.predict(pictures) as tf.Tensor).dataSync());
  });
}

export function makeCard(change: Partial<ModelCard> = {}): ModelCard {
  return {
    id: crypto.randomUUID(),
    name: 'Evening coat',
    createdAt: '2026-11-22T08:00:00.000Z',
    origin: 'trained',
    network: { title: 'Small', nodes: null },
    numParams: 2_026,
    recipe: {
      ...DEFAULT_RECIPE,
      epochs: 2,
      batchSize: 64,
      learningRate: 0.001,
      schedule: 'constant',
      dropout: 0.2,
      augment: 'none',
      patience: 0,
      seed: 1,
    },
    dataSpec: FASHION_MNIST,
    data: { name: 'sample_train.csv.gz', numTrain: 1800, numValidation: 200 },
    history: [
      {
        epoch: 1,
        trainLoss: 1.2,
        trainAccuracy: 0.6,
        validationLoss: 1,
        validationAccuracy: 0.7,
        elapsedMs: 3000,
      },
    ],
    test: { data: 'sample_test.csv.gz', numRows: 500, accuracy: 0.71, loss: 0.9 },
    trainedOn: 'wasm',
    calibration: {
      data: 'sample_train.csv.gz',
      numRows: 200,
      temperature: 1.25,
      // The identity, and one centre at (½, ½).
      familiarity: {
        numFeatures: 2,
        numCentres: 1,
        threshold: 3,
        statistics: 'AACAPwAAAAAAAIA/AAAAPwAAAD8=',
      },
    },
    ...change,
  };
}

/** Row of pixels a data file would have, `[n · 784]` bytes. */
export function makePixels(numRows: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: numRows * PIXELS }, (_, i) => (i * 2_654_435_761) >>> 24);
}
