/** Images of a batch, bytes as the data has them, changed and made into what a network reads. */
import { JOB, parallel } from './parallel';

@unmanaged
class ImageJob {
  bytes: usize;
  changes: usize;
  from: usize;
  partners: usize;
  shares: usize;
  to: usize;
  side: i32;
}

/** What happens to one image; see `ImageChange` in contract.ts. */
@unmanaged
class Change {
  isMirrored: i32;
  right: i32;
  down: i32;
  left: i32;
  top: i32;
  width: i32; // 0: nothing is erased
  height: i32;
  fill: i32;
}

const CHANGE_BYTES: usize = 32;

// @ts-ignore: decorator
@inline
function job(): ImageJob {
  return changetype<ImageJob>(JOB);
}

/**
 * out[image] = its bytes / 255, [side][side], mirrored, moved and erased as `changes` says: 8 i32 an
 * image, or 0 where all are taken as they are.
 */
export function prepareImages(bytes: usize, changes: usize, out: usize, count: i32, side: i32): void {
  const j = job();
  j.bytes = bytes;
  j.changes = changes;
  j.to = out;
  j.side = side;
  parallel(prepareImage, count);
}

function prepareImage(image: i32): void {
  const j = job();
  const side = j.side;
  const size = <usize>(side * side);
  const from = j.bytes + <usize>image * size;
  const to = j.to + <usize>image * size * 4;
  const change = changetype<Change>(j.changes + <usize>image * CHANGE_BYTES);
  const scale: f32 = 255;
  if (!j.changes) {
    for (let i: usize = 0; i < size; i++) store<f32>(to + (i << 2), <f32>load<u8>(from + i) / scale);
    return;
  }
  const isMirrored = change.isMirrored != 0;
  for (let y = 0; y < side; y++) {
    const fromY = y - change.down;
    const line = from + <usize>(fromY * side);
    for (let x = 0; x < side; x++) {
      const movedX = x - change.right;
      const fromX = isMirrored ? side - 1 - movedX : movedX;
      let value = 0;
      if (<u32>(x - change.left) < <u32>change.width && <u32>(y - change.top) < <u32>change.height) {
        value = change.fill;
      } else if (<u32>fromX < <u32>side && <u32>fromY < <u32>side) {
        value = load<u8>(line + <usize>fromX);
      }
      store<f32>(to + (<usize>(y * side + x) << 2), <f32>value / scale);
    }
  }
}

/** out[image] = share · from[image] + (1 - share) · from[partner]. `out` is not `from`. */
export function mixImages(
  from: usize, partners: usize, shares: usize, out: usize, count: i32, side: i32,
): void {
  const j = job();
  j.from = from;
  j.partners = partners;
  j.shares = shares;
  j.to = out;
  j.side = side;
  parallel(mixImage, count);
}

function mixImage(image: i32): void {
  const j = job();
  const bytes = <usize>(j.side * j.side) << 2;
  const own = j.from + <usize>image * bytes;
  const partner = j.from + <usize>load<u32>(j.partners + (<usize>image << 2)) * bytes;
  const to = j.to + <usize>image * bytes;
  const share = load<f32>(j.shares + (<usize>image << 2));
  const rest: f32 = <f32>1 - share;
  // Images have a multiple of four pixels.
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(to + at, f32x4.add(
      f32x4.mul(v128.load(own + at), f32x4.splat(share)),
      f32x4.mul(v128.load(partner + at), f32x4.splat(rest)),
    ));
  }
}
