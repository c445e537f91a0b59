/**
 * Evaluates a model on labelled images; what follows from the predictions is in `spec/metrics.ts`.
 */
import type * as tf from '@tensorflow/tfjs';
import { countClasses, type Dataset } from '../../data/dataset.ts';
import { type Calibration, measureReliability, softmaxAt, toLogits } from '../spec/calibration.ts';
import { remotenessOf } from '../spec/familiarity.ts';
import { type Evaluation, judgePredictions } from '../spec/metrics.ts';
import { examineRows } from './features.ts';
import { predictRows } from './predict.ts';

/**
 * Evaluates a model on every row of a data set. Measures only: neither model nor calibration change.
 *
 * @param data Name of the file the rows came from.
 * @param onProgress Hears after each batch; ends the evaluation by throwing.
 */
export async function evaluateModel(
  model: tf.LayersModel,
  calibration: Calibration | null,
  dataset: Dataset,
  data: string,
  onProgress?: (done: number, total: number) => void,
): Promise<Evaluation> {
  const startedMs = performance.now();
  const rows = Uint32Array.from(dataset.labels, (_, row) => row);
  const numClasses = countClasses(dataset);
  const tell = (done: number) => onProgress?.(done, rows.length);
  const { familiarity = null } = calibration ?? {};
  let logits: Float32Array = new Float32Array(rows.length * numClasses);
  let numRefused: number | null = null;
  if (familiarity) {
    let numRemote: number | null = 0;
    const isWhole = await examineRows(model, dataset, rows, (insight, from) => {
      logits.set(insight.logits, from * numClasses);
      const { features, numFeatures } = insight;
      for (let at = 0; at < features.length && numRemote !== null; at += numFeatures) {
        const remoteness = remotenessOf(familiarity, features.subarray(at, at + numFeatures));
        if (remoteness === null) numRemote = null;
        else if (remoteness > 1) numRemote++;
      }
      tell(from + features.length / numFeatures);
    });
    if (isWhole) numRefused = numRemote;
  }
  if (numRefused === null) logits = toLogits(await predictRows(model, dataset, rows, tell));

  const { labels } = dataset;
  const { classNames } = dataset.spec;
  const asGiven = softmaxAt(logits, 1, numClasses);
  const figures = judgePredictions(asGiven, labels, numClasses);
  const reliability = measureReliability(asGiven, labels);
  if (!calibration) {
    return {
      data,
      classNames,
      ...figures,
      reliability,
      calibrated: null,
      elapsedMs: since(startedMs),
    };
  }
  const { temperature } = calibration;
  const probabilities = softmaxAt(logits, temperature, numClasses);
  return {
    data,
    classNames,
    ...figures,
    confidence: judgePredictions(probabilities, labels, numClasses).confidence,
    reliability,
    calibrated: {
      temperature,
      reliability: measureReliability(probabilities, labels),
      numRefused,
    },
    elapsedMs: since(startedMs),
  };
}

function since(startedMs: number): number {
  return performance.now() - startedMs;
}
