/**
 * Measures how fast each network trains on the `wasm` backend, in Node: forward, backward and
 * optimizer step, on one core, without data, validation and page.
 *
 *   npx tsx bench/trainingSpeed.ts [batchSize] [seconds]
 *
 * Processor time is what counts on a machine that does other things too; wall time is printed
 * beside it.
 */
import * as tf from '@tensorflow/tfjs';
import { startWasmInNode } from '../src/engine/wasmInNode.ts';
import { buildModel } from '../src/ml/build.ts';
import { applyInTraining, crossEntropy } from '../src/ml/forward.ts';
import { describeNetwork, NETWORKS } from '../src/ml/network.ts';
import { createOptimizer } from '../src/ml/optimizer.ts';
import { DEFAULT_RECIPE } from '../src/ml/recipe.ts';

const batchSize = Number(process.argv[2] ?? DEFAULT_RECIPE.batchSize);
const seconds = Number(process.argv[3] ?? 5);

/** Of this process, in ms. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

await startWasmInNode();
console.log(`Training on wasm, one core, batches of ${batchSize}, Node ${process.version}`);
console.log('network    images/s (processor)  images/s (wall)  million multiply-adds/image');
for (const { name, layers } of Object.values(NETWORKS)) {
  const model = buildModel(name, DEFAULT_RECIPE);
  const weights = model.trainableWeights;
  const optimizer = createOptimizer(weights, DEFAULT_RECIPE);
  const x = tf.randomUniform<tf.Rank.R4>([batchSize, 28, 28, 1], 0, 1, 'float32', 1);
  const repeats = Math.ceil(batchSize / 10);
  const targets = tf.tidy(() =>
    tf.slice2d(tf.tile(tf.eye(10), [repeats, 1]), [0, 0], [batchSize, 10]),
  );
  const step = () =>
    tf.tidy(() => {
      const { grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
        const { logits } = applyInTraining(layers, values, x, DEFAULT_RECIPE.dropout, Math.random);
        return crossEntropy(logits, targets);
      })(weights.map((weight) => weight.read()));
      optimizer.step(grads, 1e-3);
    });
  for (let warmUp = 0; warmUp < 3; warmUp++) step();

  const wallStart = performance.now();
  const start = processorTime();
  let numSteps = 0;
  for (; performance.now() - wallStart < 1000 * seconds; numSteps++) step();
  const speed = (ms: number) => Math.round((1000 * numSteps * batchSize) / ms);
  console.log(
    [
      name.padEnd(9),
      String(speed(processorTime() - start)).padStart(22),
      String(speed(performance.now() - wallStart)).padStart(16),
      (describeNetwork(name).multiplyAdds / 1e6).toFixed(2).padStart(28),
    ].join(' '),
  );
  tf.dispose([x, targets]);
  optimizer.dispose();
  model.dispose();
}
