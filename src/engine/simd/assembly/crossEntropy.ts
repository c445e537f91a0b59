/** The end of a training step's forward pass and the start of its backward pass, in one call. */
import { exp4 } from './elementwise';

/**
 * Mean cross-entropy of softmax(logits) against targets, both [rows, classes], each row of targets
 * summing to 1.
 *
 * `dLogits` receives the gradient of the loss against smoothed targets, (1 - smoothing) · target +
 * smoothing / classes; `figures` the loss before smoothing, in nats, and the share of rows whose
 * greatest logit is where their greatest target is (the first of several).
 */
export function crossEntropyStep(
  logits: usize, targets: usize, dLogits: usize, figures: usize, rows: i32, classes: i32,
  smoothing: f32,
): void {
  const bytes = <usize>classes << 2;
  const share: f32 = <f32>1 / <f32>rows;
  const kept: f32 = <f32>1 - smoothing;
  const spread: f32 = smoothing / <f32>classes;
  let totalLoss: f32 = 0;
  let numCorrect = 0;
  for (let row = 0; row < rows; row++) {
    const from = logits + <usize>row * bytes;
    const goal = targets + <usize>row * bytes;
    const to = dLogits + <usize>row * bytes;
    let greatest: f32 = -Infinity, mostWanted: f32 = -Infinity;
    let likeliest: usize = 0, wanted: usize = 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const logit = load<f32>(from + at), target = load<f32>(goal + at);
      if (logit > greatest) {
        greatest = logit;
        likeliest = at;
      }
      if (target > mostWanted) {
        mostWanted = target;
        wanted = at;
      }
    }
    if (likeliest == wanted) numCorrect++;
    let sum: f32 = 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const e = f32x4.extract_lane(exp4(f32x4.splat(load<f32>(from + at) - greatest)), 0);
      store<f32>(to + at, e);
      sum += e;
    }
    const logSum = greatest + <f32>Math.log(sum);
    let loss: f32 = 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const target = load<f32>(goal + at);
      loss += target * (logSum - load<f32>(from + at));
      const probability = load<f32>(to + at) / sum;
      store<f32>(to + at, (probability - (kept * target + spread)) * share);
    }
    totalLoss += loss;
  }
  store<f32>(figures, totalLoss * share);
  store<f32>(figures + 4, <f32>numCorrect * share);
}
