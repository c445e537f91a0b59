/**
 * What treats every channel of an image as one: factors for each, and the global average and maximum.
 * Images are [batch][positions][channels], what belongs to a channel is [batch][channels].
 */
import { JOB, parallel } from './parallel';

@unmanaged
class ChannelJob {
  x: usize;
  dy: usize;
  factors: usize;
  winners: usize;
  to: usize;
  batch: i32;
  positions: i32;
  channels: i32;
  scale: f32;
  adds: i32;
}

// @ts-ignore: decorator
@inline
function job(): ChannelJob {
  return changetype<ChannelJob>(JOB);
}

function setSizes(batch: i32, positions: i32, channels: i32): void {
  const j = job();
  j.batch = batch;
  j.positions = positions;
  j.channels = channels;
}

/** Of the last vector of a pixel only what is the pixel's may be written. */
// @ts-ignore: decorator
@inline
function storeChannels(at: usize, value: v128, count: i32): void {
  if (count >= 4) {
    v128.store(at, value);
    return;
  }
  store<f32>(at, f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(at + 4, f32x4.extract_lane(value, 1));
  if (count > 2) store<f32>(at + 8, f32x4.extract_lane(value, 2));
}

/** y = x · factors. `adds`: y += instead. x and y may be the same. */
export function scaleChannels(
  x: usize, factors: usize, y: usize, batch: i32, positions: i32, channels: i32, adds: i32,
): void {
  const j = job();
  j.x = x;
  j.factors = factors;
  j.to = y;
  j.adds = adds;
  setSizes(batch, positions, channels);
  parallel(scaleImage, batch);
}

function scaleImage(image: i32): void {
  const j = job();
  const pixelBytes = <usize>j.channels << 2;
  const factors = j.factors + <usize>image * pixelBytes;
  let at = <usize>(image * j.positions) * pixelBytes;
  for (let position = 0; position < j.positions; position++) {
    for (let c: usize = 0; c < pixelBytes; c += 16) {
      let value = f32x4.mul(v128.load(j.x + at + c), v128.load(factors + c));
      if (j.adds) value = f32x4.add(value, v128.load(j.to + at + c));
      storeChannels(j.to + at + c, value, j.channels - <i32>(c >> 2));
    }
    at += pixelBytes;
  }
}

/** dFactors = Σ positions x · dy: the gradient of `scaleChannels` by its factors. */
export function factorGradient(
  x: usize, dy: usize, dFactors: usize, batch: i32, positions: i32, channels: i32,
): void {
  const j = job();
  j.x = x;
  j.dy = dy;
  j.to = dFactors;
  setSizes(batch, positions, channels);
  parallel(factorImage, batch);
}

function factorImage(image: i32): void {
  const j = job();
  const pixelBytes = <usize>j.channels << 2;
  for (let c: usize = 0; c < pixelBytes; c += 16) {
    let at = <usize>(image * j.positions) * pixelBytes + c;
    let sum = f32x4.splat(0);
    for (let position = 0; position < j.positions; position++) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(j.x + at), v128.load(j.dy + at)));
      at += pixelBytes;
    }
    storeChannels(j.to + <usize>image * pixelBytes + c, sum, j.channels - <i32>(c >> 2));
  }
}

/** dx = scale · dy at every position: the gradient of a global average. `adds`: dx += instead. */
export function spreadChannels(
  dy: usize, dx: usize, batch: i32, positions: i32, channels: i32, scale: f32, adds: i32,
): void {
  const j = job();
  j.dy = dy;
  j.to = dx;
  j.scale = scale;
  j.adds = adds;
  setSizes(batch, positions, channels);
  parallel(spreadImage, batch);
}

function spreadImage(image: i32): void {
  const j = job();
  const pixelBytes = <usize>j.channels << 2;
  const from = j.dy + <usize>image * pixelBytes;
  const scale = f32x4.splat(j.scale);
  let to = j.to + <usize>(image * j.positions) * pixelBytes;
  for (let position = 0; position < j.positions; position++) {
    for (let c: usize = 0; c < pixelBytes; c += 16) {
      let value = f32x4.mul(v128.load(from + c), scale);
      if (j.adds) value = f32x4.add(value, v128.load(to + c));
      storeChannels(to + c, value, j.channels - <i32>(c >> 2));
    }
    to += pixelBytes;
  }
}

/**
 * y = the greatest number of every channel; winners (i32): the first position that has it. A channel
 * without any number but NaN has its first position win.
 */
export function globalMax(
  x: usize, y: usize, winners: usize, batch: i32, positions: i32, channels: i32,
): void {
  const j = job();
  j.x = x;
  j.to = y;
  j.winners = winners;
  setSizes(batch, positions, channels);
  parallel(maxImage, batch);
}

function maxImage(image: i32): void {
  const j = job();
  const pixelBytes = <usize>j.channels << 2;
  for (let c: usize = 0; c < pixelBytes; c += 16) {
    let at = j.x + <usize>(image * j.positions) * pixelBytes + c;
    let best = v128.load(at);
    let place = i32x4.splat(0);
    for (let position = 1; position < j.positions; position++) {
      at += pixelBytes;
      const value = v128.load(at);
      const wins = f32x4.gt(value, best);
      best = v128.bitselect(value, best, wins);
      place = v128.bitselect(i32x4.splat(position), place, wins);
    }
    const to = <usize>image * pixelBytes + c;
    const left = j.channels - <i32>(c >> 2);
    storeChannels(j.to + to, best, left);
    storeChannels(j.winners + to, place, left);
  }
}

/** dx: dy at the winners, 0 elsewhere. `adds`: added to what dx has instead. */
export function globalMaxGradient(
  dy: usize, winners: usize, dx: usize, batch: i32, positions: i32, channels: i32, adds: i32,
): void {
  const j = job();
  j.dy = dy;
  j.winners = winners;
  j.to = dx;
  j.adds = adds;
  setSizes(batch, positions, channels);
  parallel(maxGradientImage, batch);
}

function maxGradientImage(image: i32): void {
  const j = job();
  const pixelBytes = <usize>j.channels << 2;
  const to = j.to + <usize>(image * j.positions) * pixelBytes;
  if (!j.adds) memory.fill(to, 0, <usize>j.positions * pixelBytes);
  for (let c: usize = 0; c < pixelBytes; c += 4) {
    const from = <usize>image * pixelBytes + c;
    const at = to + <usize>load<i32>(j.winners + from) * pixelBytes + c;
    store<f32>(at, load<f32>(at) + load<f32>(j.dy + from));
  }
}
