/**
 * Owns convolution over NHWC pictures with HWIO filters: forward, gradient of the input, gradient of
 * the filter. All three are matrix products on the register tiles of gemm.ts:
 *
 *   forward   y[position, o]  = Σ (tap, i)  x[position ⊕ tap, i] · w[tap, i, o]
 *   input     dx[position, i] = Σ (tap, o)  dy[position ⊖ tap, o] · w[tap, i, o]
 *   filter    dw[tap, i, o]   = Σ position  x[position ⊕ tap, i] · dy[position, o]
 *
 * Forward and input read their rows in place, through pointers; a tap that falls outside reads a row
 * of zeros. The filter gradient copies a few pictures at a time, cut into the tile's columns. Nowhere
 * does a whole im2col exist. Where winograd.ts or singleChannel.ts has a shorter way, the entries here
 * hand over to it.
 */
import {
  ACCUMULATE, ADD_BIAS, HEAD_BYTES, RELU, SEGMENT_BYTES, TILE_COLUMNS, TILE_ROWS, TILE_SCRATCH,
  columnTile, packPanel, rowTile,
} from './gemm';
import { JOB, parallel, scratch } from './parallel';
import { ConvShape } from './shape';
import {
  isSingleChannel, singleChannelFilterGradient, singleChannelForward, singleChannelScratch,
  singleChannelWorkspace,
} from './singleChannel';
import {
  winogradFilterGradient, winogradFilterGradientWorkspace, winogradForward,
  winogradForwardPays, winogradForwardWorkspace, winogradInputGradient,
  winogradInputGradientWorkspace, winogradInputPays, winogradScratch,
} from './winograd';

@unmanaged
class ConvJob extends ConvShape {
  spare: i32;
  x: usize;
  w: usize;
  bias: usize;
  y: usize;
  dy: usize;
  packed: usize;
  out: usize;
  flags: i32;
  numPanels: i32;
  numChunks: i32;
  // Filter gradient.
  partials: usize;
  dBias: usize;
  maskedDy: usize;
  rows: i32; // of a partial: taps × input channels, each tap filled up to whole tiles
}

/** Output positions in a chunk of forward or input gradient. */
const CHUNK_ROWS: i32 = 96;
const CHUNK_TILES: i32 = CHUNK_ROWS / TILE_ROWS;

/**
 * Fewer input channels than this, and a patch is copied into one row: segments this short would
 * spend more time on their pointers than on their numbers.
 */
const COPY_BELOW: i32 = 8;

// @ts-ignore: decorator
@inline
function job(): ConvJob {
  return changetype<ConvJob>(JOB);
}

// @ts-ignore: decorator
@inline
function taps(): i32 {
  return job().filterHeight * job().filterWidth;
}

/** Bytes of scratch that a thread needs for the shape at hand, whichever of the three it runs. */
export function convScratch(): usize {
  const s = job();
  const table = <usize>CHUNK_TILES * (HEAD_BYTES + <usize>taps() * SEGMENT_BYTES);
  const rows = <usize>(max(s.channels, s.outChannels) + 8) * 4 * 2;
  const patches = s.channels < COPY_BELOW
    ? <usize>CHUNK_ROWS * <usize>(taps() * s.channels) * 4
    : 0;
  const direct = TILE_SCRATCH + max(table + rows + patches, filterScratch()) + 64;
  const winograd = winogradForwardPays() || winogradInputPays() ? winogradScratch() : 0;
  return max(max(direct, winograd), isSingleChannel() ? singleChannelScratch() : 0);
}

// ---------------------------------------------------------------------------------------------
// Forward

/** Bytes of shared workspace for `convForward`. */
export function convForwardWorkspace(): usize {
  if (isSingleChannel()) return 0;
  if (winogradForwardPays()) return winogradForwardWorkspace();
  const s = job();
  return <usize>((s.outChannels + 7) >> 3) * <usize>(taps() * s.channels) * 32;
}

/** y = relu?(conv(x, w) + bias?). `bias` 0: none. */
export function convForward(
  x: usize, w: usize, bias: usize, y: usize, packed: usize, relu: i32,
): void {
  if (isSingleChannel()) {
    singleChannelForward(x, w, bias, y, relu);
    return;
  }
  if (winogradForwardPays()) {
    winogradForward(x, w, bias, y, packed, relu);
    return;
  }
  const s = job();
  s.x = x;
  s.w = w;
  s.bias = bias;
  s.y = y;
  s.packed = packed;
  s.flags = (bias ? ADD_BIAS : 0) | (relu ? RELU : 0);
  s.numPanels = (s.outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  parallel(packFilter, s.numPanels);
  const positions = s.batch * s.outHeight * s.outWidth;
  parallel(forwardChunk, (positions + CHUNK_ROWS - 1) / CHUNK_ROWS);
}

function packFilter(panel: i32): void {
  const s = job();
  const depth = taps() * s.channels;
  packPanel(
    s.w, s.outChannels, 1, depth, s.outChannels, panel,
    s.packed + <usize>panel * <usize>depth * 32,
  );
}

function forwardChunk(chunk: i32): void {
  const s = job();
  const copies = s.channels < COPY_BELOW;
  const numTaps = taps();
  const patch = numTaps * s.channels;
  const depth = copies ? patch : s.channels;
  const numSegments = copies ? 1 : numTaps;
  const tileBytes = HEAD_BYTES + <usize>numSegments * SEGMENT_BYTES;
  const table = scratch() + TILE_SCRATCH;
  const zeros = table + <usize>CHUNK_TILES * tileBytes;
  const sink = zeros + <usize>(s.channels + 8) * 4;
  const patches = sink + <usize>(s.outChannels + 8) * 4;
  memory.fill(zeros, 0, <usize>s.channels * 4);

  const positions = s.batch * s.outHeight * s.outWidth;
  const first = chunk * CHUNK_ROWS;
  const numRows = min(CHUNK_ROWS, positions - first);
  const numTiles = (numRows + TILE_ROWS - 1) / TILE_ROWS;
  let outX = first % s.outWidth;
  let outY = (first / s.outWidth) % s.outHeight;
  let image = first / (s.outWidth * s.outHeight);
  const pixelBytes = <usize>s.channels * 4;
  const rowBytes = <usize>s.width * pixelBytes;
  for (let row = 0; row < numTiles * TILE_ROWS; row++) {
    const tile = table + <usize>(row / TILE_ROWS) * tileBytes;
    const at = tile + (<usize>(row % TILE_ROWS) << 2);
    if (row >= numRows) {
      store<usize>(at, sink);
    } else {
      store<usize>(at, s.y + <usize>(first + row) * <usize>s.outChannels * 4);
    }
    const top = outY * s.strideHeight - s.padTop;
    const left = outX * s.strideWidth - s.padLeft;
    const picture = s.x + <usize>image * <usize>s.height * rowBytes;
    if (copies) {
      const to = patches + <usize>row * <usize>patch * 4;
      store<usize>(at, to, HEAD_BYTES + 4);
      if (row < numRows) copyPatch(picture, top, left, to);
    } else {
      let pointer = at + HEAD_BYTES + 4;
      for (let ky = 0; ky < s.filterHeight; ky++) {
        const inY = top + ky * s.dilationHeight;
        const rowInside = <u32>inY < <u32>s.height && row < numRows;
        for (let kx = 0; kx < s.filterWidth; kx++) {
          const inX = left + kx * s.dilationWidth;
          const inside = rowInside && <u32>inX < <u32>s.width;
          store<usize>(
            pointer, inside ? picture + <usize>inY * rowBytes + <usize>inX * pixelBytes : zeros,
          );
          pointer += SEGMENT_BYTES;
        }
      }
    }
    if (++outX == s.outWidth) {
      outX = 0;
      if (++outY == s.outHeight) {
        outY = 0;
        image++;
      }
    }
  }
  for (let t = 0; t < numTiles; t++) {
    const tile = table + <usize>t * tileBytes;
    store<i32>(tile, numSegments, 16);
    for (let segment = 0; segment < numSegments; segment++) {
      store<usize>(
        tile + HEAD_BYTES + <usize>segment * SEGMENT_BYTES, <usize>segment * <usize>depth * 32,
      );
    }
  }
  runTiles(table, tileBytes, numTiles, depth, <usize>patch * 32, s.outChannels, s.bias, s.flags);
}

/**
 * Copies the patch at (top, left) of a picture into one row, [taps][channels]; what lies outside the
 * picture is 0. May write up to three numbers more.
 */
function copyPatch(picture: usize, top: i32, left: i32, to: usize): void {
  const s = job();
  const pixelBytes = <usize>s.channels * 4;
  const rowBytes = <usize>s.width * pixelBytes;
  const isInside = top >= 0 && left >= 0 && s.dilationWidth == 1
    && top + (s.filterHeight - 1) * s.dilationHeight < s.height
    && left + s.filterWidth <= s.width;
  if (isInside) {
    let from = picture + <usize>top * rowBytes + <usize>left * pixelBytes;
    const runBytes = <usize>s.filterWidth * pixelBytes;
    for (let ky = 0; ky < s.filterHeight; ky++) {
      for (let i: usize = 0; i < runBytes; i += 16) v128.store(to + i, v128.load(from + i));
      to += runBytes;
      from += rowBytes * <usize>s.dilationHeight;
    }
    return;
  }
  for (let ky = 0; ky < s.filterHeight; ky++) {
    const inY = top + ky * s.dilationHeight;
    const rowInside = <u32>inY < <u32>s.height;
    for (let kx = 0; kx < s.filterWidth; kx++) {
      const inX = left + kx * s.dilationWidth;
      const inside = rowInside && <u32>inX < <u32>s.width;
      const from = picture + <usize>inY * rowBytes + <usize>inX * pixelBytes;
      for (let c: usize = 0; c < pixelBytes; c += 4) {
        store<f32>(to + c, inside ? load<f32>(from + c) : 0);
      }
      to += pixelBytes;
    }
  }
}

/** All tiles of a chunk against all panels; a panel stays in the cache for all tiles. */
function runTiles(
  table: usize, tileBytes: usize, numTiles: i32, depth: i32, panelBytes: usize, columns: i32,
  bias: usize, flags: i32,
): void {
  const packed = job().packed;
  for (let panel = 0; panel < job().numPanels; panel++) {
    const column = panel * TILE_COLUMNS;
    for (let t = 0; t < numTiles; t++) {
      rowTile(
        table + <usize>t * tileBytes, depth, packed + <usize>panel * panelBytes,
        <usize>column << 2, min(TILE_COLUMNS, columns - column), bias + (<usize>column << 2), flags,
      );
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Gradient of the input

/** Bytes of shared workspace for `convInputGradient`. */
export function convInputGradientWorkspace(): usize {
  if (winogradInputPays()) return winogradInputGradientWorkspace();
  const s = job();
  return <usize>((s.channels + 7) >> 3) * <usize>(taps() * s.outChannels) * 32;
}

/**
 * dx: how the loss changes with x, from dy: how it changes with y. `accumulate` not 0: added to what
 * dx holds.
 */
export function convInputGradient(
  dy: usize, w: usize, dx: usize, packed: usize, accumulate: i32,
): void {
  if (winogradInputPays()) {
    winogradInputGradient(dy, w, dx, packed, accumulate);
    return;
  }
  const s = job();
  s.dy = dy;
  s.w = w;
  s.out = dx;
  s.packed = packed;
  s.flags = accumulate ? ACCUMULATE : 0;
  s.numPanels = (s.channels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  parallel(packFilterTransposed, s.numPanels);
  let numChunks = 0;
  for (let phase = 0; phase < numPhases(); phase++) numChunks += phaseChunks(phase);
  parallel(inputChunk, numChunks);
}

function packFilterTransposed(panel: i32): void {
  const s = job();
  const panelBytes = <usize>(taps() * s.outChannels) * 32;
  for (let tap = 0; tap < taps(); tap++) {
    packPanel(
      s.w + <usize>(tap * s.channels * s.outChannels) * 4, 1, s.outChannels,
      s.outChannels, s.channels, panel,
      s.packed + <usize>panel * panelBytes + <usize>(tap * s.outChannels) * 32,
    );
  }
}

// With a stride, input positions fall into phases: those of one phase meet the same taps, so a tile
// never holds rows that need different ones.

function numPhases(): i32 {
  return job().strideHeight * job().strideWidth;
}

// @ts-ignore: decorator
@inline
function phaseHeight(phase: i32): i32 {
  const s = job();
  return max(0, (s.height - phase / s.strideWidth + s.strideHeight - 1) / s.strideHeight);
}

// @ts-ignore: decorator
@inline
function phaseWidth(phase: i32): i32 {
  const s = job();
  return max(0, (s.width - phase % s.strideWidth + s.strideWidth - 1) / s.strideWidth);
}

function phaseChunks(phase: i32): i32 {
  return (job().batch * phaseHeight(phase) * phaseWidth(phase) + CHUNK_ROWS - 1) / CHUNK_ROWS;
}

function inputChunk(index: i32): void {
  const s = job();
  let chunk = index;
  let phase = 0;
  while (chunk >= phaseChunks(phase)) {
    chunk -= phaseChunks(phase);
    phase++;
  }
  const phaseY = phase / s.strideWidth;
  const phaseX = phase % s.strideWidth;
  const rowsDown = phaseHeight(phase);
  const rowsAcross = phaseWidth(phase);
  const depth = s.outChannels;
  const tileBytes = HEAD_BYTES + <usize>taps() * SEGMENT_BYTES;
  const table = scratch() + TILE_SCRATCH;
  const zeros = table + <usize>CHUNK_TILES * tileBytes;
  const sink = zeros + <usize>(s.outChannels + 8) * 4;
  memory.fill(zeros, 0, <usize>depth * 4);

  const positions = s.batch * rowsDown * rowsAcross;
  const first = chunk * CHUNK_ROWS;
  const numRows = min(CHUNK_ROWS, positions - first);
  const numTiles = (numRows + TILE_ROWS - 1) / TILE_ROWS;
  let across = first % rowsAcross;
  let down = (first / rowsAcross) % rowsDown;
  let image = first / (rowsAcross * rowsDown);
  const pixelBytes = <usize>depth * 4;
  const rowBytes = <usize>s.outWidth * pixelBytes;
  for (let row = 0; row < numTiles * TILE_ROWS; row++) {
    const tile = table + <usize>(row / TILE_ROWS) * tileBytes;
    const at = tile + (<usize>(row % TILE_ROWS) << 2);
    const y = phaseY + down * s.strideHeight;
    const x = phaseX + across * s.strideWidth;
    store<usize>(
      at,
      row < numRows
        ? s.out + <usize>((image * s.height + y) * s.width + x) * <usize>s.channels * 4
        : sink,
    );
    const picture = s.dy + <usize>image * <usize>s.outHeight * rowBytes;
    let pointer = at + HEAD_BYTES + 4;
    let bAt = tile + HEAD_BYTES;
    let numSegments = 0;
    for (let ky = 0; ky < s.filterHeight; ky++) {
      const stepY = y + s.padTop - ky * s.dilationHeight;
      if (s.strideHeight > 1 && stepY % s.strideHeight != 0) continue;
      const outY = stepY / s.strideHeight;
      const rowInside = stepY >= 0 && outY < s.outHeight && row < numRows;
      for (let kx = 0; kx < s.filterWidth; kx++) {
        const stepX = x + s.padLeft - kx * s.dilationWidth;
        if (s.strideWidth > 1 && stepX % s.strideWidth != 0) continue;
        const outX = stepX / s.strideWidth;
        const inside = rowInside && stepX >= 0 && outX < s.outWidth;
        store<usize>(
          pointer,
          inside ? picture + <usize>outY * rowBytes + <usize>outX * pixelBytes : zeros,
        );
        store<usize>(bAt, <usize>((ky * s.filterWidth + kx) * depth) * 32);
        pointer += SEGMENT_BYTES;
        bAt += SEGMENT_BYTES;
        numSegments++;
      }
    }
    store<i32>(tile, numSegments, 16);
    if (++across == rowsAcross) {
      across = 0;
      if (++down == rowsDown) {
        down = 0;
        image++;
      }
    }
  }
  runTiles(table, tileBytes, numTiles, depth, <usize>(taps() * depth) * 32, s.channels, 0, s.flags);
}

// ---------------------------------------------------------------------------------------------
// Gradient of the filter

/** Positions a packed group should hold: long enough runs for the tile, small enough for the cache. */
const GROUP_POSITIONS: i32 = 512;

/** Partial sums over the batch; a fixed number, so that threads do not change the result. */
const MAX_PARTIALS: i32 = 16;

// The packed group is `images` whole pictures, or `bandRows` output rows of one picture.

// @ts-ignore: decorator
@inline
function groupImages(): i32 {
  const s = job();
  return max(1, min(s.batch, GROUP_POSITIONS / (s.outHeight * s.outWidth)));
}

// @ts-ignore: decorator
@inline
function bandRows(): i32 {
  const s = job();
  return max(1, min(s.outHeight, (2 * GROUP_POSITIONS) / s.outWidth));
}

/** Rows of the filter seen as a matrix, per tap; short patches are one tap of all their numbers. */
// @ts-ignore: decorator
@inline
function copiesPatches(): bool {
  return job().channels < COPY_BELOW;
}

// @ts-ignore: decorator
@inline
function tapRows(): i32 {
  return copiesPatches() ? taps() * job().channels : job().channels;
}

// @ts-ignore: decorator
@inline
function gradientTaps(): i32 {
  return copiesPatches() ? 1 : taps();
}

// @ts-ignore: decorator
@inline
function tilesPerTap(): i32 {
  return (tapRows() + TILE_ROWS - 1) / TILE_ROWS;
}

/** Height and width of the packed input of a band of `rows` output rows. */
// @ts-ignore: decorator
@inline
function packedHeight(rows: i32): i32 {
  const s = job();
  return copiesPatches()
    ? rows
    : (rows - 1) * s.strideHeight + (s.filterHeight - 1) * s.dilationHeight + 1;
}

// @ts-ignore: decorator
@inline
function packedWidth(): i32 {
  const s = job();
  return copiesPatches()
    ? s.outWidth
    : (s.outWidth - 1) * s.strideWidth + (s.filterWidth - 1) * s.dilationWidth + 1;
}

function filterScratch(): usize {
  const s = job();
  const packedX = <usize>(groupImages() * packedHeight(bandRows()) * packedWidth())
    * <usize>(tilesPerTap() * TILE_ROWS) * 4;
  const packedDy = <usize>(groupImages() * bandRows() * s.outWidth)
    * <usize>(((s.outChannels + 7) >> 3) * 8) * 4;
  const bias = <usize>(s.outChannels + 8) * 4;
  return packedX + packedDy + bias + patchScratch();
}

/** Bytes of one patch, with what its copy may write past its end: the last part of the scratch. */
// @ts-ignore: decorator
@inline
function patchScratch(): usize {
  return copiesPatches() ? <usize>(tilesPerTap() * TILE_ROWS + 4) * 4 : 0;
}

function numPartials(): i32 {
  return min(MAX_PARTIALS, job().batch);
}

// @ts-ignore: decorator
@inline
function partialFloats(): usize {
  const s = job();
  return <usize>((s.rows + 1) * s.numPanels * TILE_COLUMNS);
}

/** Bytes of shared workspace for `convFilterGradient`. */
export function convFilterGradientWorkspace(): usize {
  if (isSingleChannel()) return singleChannelWorkspace();
  if (winogradForwardPays()) return winogradFilterGradientWorkspace();
  const s = job();
  s.rows = gradientTaps() * tilesPerTap() * TILE_ROWS;
  s.numPanels = (s.outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  return <usize>numPartials() * partialFloats() * 4;
}

/**
 * dw, from the layer's input x and dy.
 *
 * Two things that also read all of dy ride along. `y` not 0: y is the layer's output after ReLU, and
 * dy counts only where y > 0; `maskedDy` not 0 receives dy so cut (it may be dy itself).
 * `dBias` not 0 receives the sum of dy over all positions.
 */
export function convFilterGradient(
  x: usize, dy: usize, dw: usize, partials: usize, y: usize, maskedDy: usize, dBias: usize,
): void {
  if (isSingleChannel()) {
    singleChannelFilterGradient(x, dy, dw, partials, y, maskedDy, dBias);
    return;
  }
  if (winogradForwardPays()) {
    winogradFilterGradient(x, dy, dw, partials, y, maskedDy, dBias);
    return;
  }
  const s = job();
  s.x = x;
  s.dy = dy;
  s.out = dw;
  s.partials = partials;
  s.y = y;
  s.maskedDy = maskedDy;
  s.dBias = dBias;
  s.rows = gradientTaps() * tilesPerTap() * TILE_ROWS;
  s.numPanels = (s.outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  s.numChunks = numPartials();
  parallel(filterChunk, s.numChunks);
  parallel(sumPartials, gradientTaps() + 1);
}

function filterChunk(chunk: i32): void {
  const s = job();
  const partial = s.partials + <usize>chunk * partialFloats() * 4;
  memory.fill(partial, 0, partialFloats() * 4);
  const first = <i32>((<i64>s.batch * chunk) / s.numChunks);
  const last = <i32>((<i64>s.batch * (chunk + 1)) / s.numChunks);
  const band = bandRows();
  const images = band < s.outHeight ? 1 : groupImages();
  for (let image = first; image < last; image += images) {
    for (let row = 0; row < s.outHeight; row += band) {
      filterGroup(partial, image, min(images, last - image), row, min(band, s.outHeight - row));
    }
  }
}

/** Adds to a partial what `numImages` pictures give in output rows [firstRow, firstRow + numRows). */
function filterGroup(partial: usize, image: i32, numImages: i32, firstRow: i32, numRows: i32): void {
  const s = job();
  const numTiles = tilesPerTap();
  const height = packedHeight(numRows);
  const width = packedWidth();
  const tileImage = <usize>(height * width) * 16;
  const tileBytes = <usize>numImages * tileImage;
  const packedX = scratch() + TILE_SCRATCH;
  const packedDy = packedX + <usize>numTiles * tileBytes;
  const positions = numImages * numRows * s.outWidth;
  const panelBytes = <usize>positions * 32;

  for (let i = 0; i < numImages; i++) {
    const to = packedX + <usize>i * tileImage;
    if (copiesPatches()) packPatches(image + i, firstRow, numRows, to, tileBytes);
    else packInput(image + i, firstRow, height, width, to, tileBytes);
    packGradient(
      image + i, firstRow, numRows, packedDy + <usize>(i * numRows * s.outWidth) * 32, panelBytes,
      partial + <usize>(s.rows * s.numPanels) * 32,
    );
  }

  const outStep = <usize>s.numPanels * 32;
  const step = <usize>(copiesPatches() ? 1 : s.strideWidth) * 16;
  const runStep = <usize>((copiesPatches() ? 1 : s.strideHeight) * width) * 16;
  for (let tap = 0; tap < gradientTaps(); tap++) {
    const ky = tap / s.filterWidth;
    const kx = tap % s.filterWidth;
    const offset = <usize>(ky * s.dilationHeight * width + kx * s.dilationWidth) * 16;
    for (let t = 0; t < numTiles; t++) {
      const a = packedX + <usize>t * tileBytes + offset;
      const out = partial + <usize>((tap * numTiles + t) * TILE_ROWS) * outStep;
      for (let panel = 0; panel < s.numPanels; panel++) {
        columnTile(
          a, step, s.outWidth, runStep, numRows, tileImage, numImages,
          packedDy + <usize>panel * panelBytes, 32,
          out + <usize>panel * 32, outStep, TILE_ROWS, TILE_COLUMNS, ACCUMULATE,
        );
      }
    }
  }
}

/** Cuts a picture, with its padding, into tiles of four channels: [tile][height][width][4]. */
function packInput(
  image: i32, firstRow: i32, height: i32, width: i32, out: usize, tileBytes: usize,
): void {
  const s = job();
  const wholeTiles = s.channels / TILE_ROWS;
  const rest = s.channels % TILE_ROWS;
  const pixelBytes = <usize>s.channels * 4;
  for (let row = 0; row < height; row++) {
    const inY = firstRow * s.strideHeight - s.padTop + row;
    const rowInside = <u32>inY < <u32>s.height;
    for (let column = 0; column < width; column++) {
      const inX = column - s.padLeft;
      let to = out + <usize>(row * width + column) * 16;
      if (!rowInside || <u32>inX >= <u32>s.width) {
        for (let t = 0; t < tilesPerTap(); t++) {
          v128.store(to, f32x4.splat(0));
          to += tileBytes;
        }
        continue;
      }
      let from = s.x + <usize>((image * s.height + inY) * s.width + inX) * pixelBytes;
      for (let t = 0; t < wholeTiles; t++) {
        v128.store(to, v128.load(from));
        from += 16;
        to += tileBytes;
      }
      if (rest) {
        v128.store(to, f32x4.splat(0));
        for (let c = 0; c < rest; c++) {
          store<f32>(to + (<usize>c << 2), load<f32>(from + (<usize>c << 2)));
        }
      }
    }
  }
}

/** Copies the patches of a picture's positions, cut into tiles of four: [tile][position][4]. */
function packPatches(image: i32, firstRow: i32, numRows: i32, out: usize, tileBytes: usize): void {
  const s = job();
  const patchBytes = <usize>(taps() * s.channels) * 4;
  const filledBytes = <usize>(tilesPerTap() * TILE_ROWS) * 4;
  const picture = s.x + <usize>(image * s.height * s.width * s.channels) * 4;
  const patch = scratch() + TILE_SCRATCH + filterScratch() - patchScratch();
  let to = out;
  for (let row = 0; row < numRows; row++) {
    const top = (firstRow + row) * s.strideHeight - s.padTop;
    for (let column = 0; column < s.outWidth; column++) {
      copyPatch(picture, top, column * s.strideWidth - s.padLeft, patch);
      for (let i = patchBytes; i < filledBytes; i += 4) store<f32>(patch + i, 0);
      let tile = to;
      for (let i: usize = 0; i < filledBytes; i += 16) {
        v128.store(tile, v128.load(patch + i));
        tile += tileBytes;
      }
      to += 16;
    }
  }
}

/**
 * Cuts a picture's dy into panels of eight channels: [panel][position][8]; on the way, drops what a
 * ReLU behind the layer holds back, and adds up the bias's gradient.
 */
function packGradient(
  image: i32, firstRow: i32, numRows: i32, out: usize, panelBytes: usize, biasSums: usize,
): void {
  const s = job();
  const positions = numRows * s.outWidth;
  const start = <usize>((image * s.outHeight + firstRow) * s.outWidth * s.outChannels) * 4;
  const dy = s.dy + start;
  const y = s.y + start;
  const masked = s.maskedDy + start;
  const pixelBytes = <usize>s.outChannels * 4;
  const zero = f32x4.splat(0);
  for (let panel = 0; panel < s.numPanels; panel++) {
    const column = panel * TILE_COLUMNS;
    const count = min(TILE_COLUMNS, s.outChannels - column);
    const sums = biasSums + (<usize>column << 2);
    let at = <usize>column << 2;
    let to = out + <usize>panel * panelBytes;
    if (count == TILE_COLUMNS) {
      let sum0 = v128.load(sums), sum1 = v128.load(sums, 16);
      for (let p = 0; p < positions; p++) {
        let low = v128.load(dy + at), high = v128.load(dy + at, 16);
        if (s.y) {
          low = v128.and(low, f32x4.gt(v128.load(y + at), zero));
          high = v128.and(high, f32x4.gt(v128.load(y + at, 16), zero));
          if (s.maskedDy) {
            v128.store(masked + at, low);
            v128.store(masked + at, high, 16);
          }
        }
        v128.store(to, low);
        v128.store(to, high, 16);
        sum0 = f32x4.add(sum0, low);
        sum1 = f32x4.add(sum1, high);
        at += pixelBytes;
        to += 32;
      }
      v128.store(sums, sum0);
      v128.store(sums, sum1, 16);
      continue;
    }
    for (let p = 0; p < positions; p++) {
      v128.store(to, zero);
      v128.store(to, zero, 16);
      for (let c = 0; c < count; c++) {
        const offset = <usize>c << 2;
        let value = load<f32>(dy + at + offset);
        if (s.y) {
          if (!(load<f32>(y + at + offset) > 0)) value = 0;
          if (s.maskedDy) store<f32>(masked + at + offset, value);
        }
        store<f32>(to + offset, value);
        store<f32>(sums + offset, load<f32>(sums + offset) + value);
      }
      at += pixelBytes;
      to += 32;
    }
  }
}

/** Adds the partials of one tap, or (index = number of taps) of the bias, in a fixed order. */
function sumPartials(tap: i32): void {
  const s = job();
  const stride = partialFloats() * 4;
  const rowBytes = <usize>s.numPanels * 32;
  const isBias = tap == gradientTaps();
  if (isBias && !s.dBias) return;
  const count = isBias ? 1 : tapRows();
  const from = s.partials
    + (isBias ? <usize>s.rows : <usize>(tap * tilesPerTap() * TILE_ROWS)) * rowBytes;
  const to = isBias ? s.dBias : s.out + <usize>(tap * tapRows() * s.outChannels) * 4;
  for (let row = 0; row < count; row++) {
    const rowFrom = from + <usize>row * rowBytes;
    const rowTo = to + <usize>(row * s.outChannels) * 4;
    let c = 0;
    for (; c + 4 <= s.outChannels; c += 4) {
      let sum = f32x4.splat(0);
      let at = rowFrom + (<usize>c << 2);
      for (let i = 0; i < s.numChunks; i++) {
        sum = f32x4.add(sum, v128.load(at));
        at += stride;
      }
      v128.store(rowTo + (<usize>c << 2), sum);
    }
    for (; c < s.outChannels; c++) {
      let sum: f32 = 0;
      let at = rowFrom + (<usize>c << 2);
      for (let i = 0; i < s.numChunks; i++) {
        sum += load<f32>(at);
        at += stride;
      }
      store<f32>(rowTo + (<usize>c << 2), sum);
    }
  }
}
