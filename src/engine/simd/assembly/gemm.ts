/**
 * Owns the matrix products. Two register tiles do all the multiplying in this backend: dense layers
 * and convolutions only differ in where the tiles find their rows.
 *
 * - `rowTile`: the depth runs along memory in A (rows of a matrix, patches of an NHWC
 *   picture). Rows are found through a table of pointers, so a convolution never copies its patches
 *   (the indirect convolution of M. Dukhan, arXiv:1907.02129).
 * - `columnTile`: the depth runs across memory in A, neighbours in memory are neighbours in
 *   the output (Aᵀ·B, gradients of filters).
 *
 * B is always packed: panels of 8 columns, [ceil(n / 8)][depth][8], the last one filled with zeros.
 * Tiles are 4 × 8. x86 has 16 vector registers and V8 keeps one: 6 × 8 would need every other one,
 * spills, and measured 39 GFLOP/s where 4 × 8 gives 50 of the 64 that the machine can do. Eight sums
 * are just enough to hide the latency of the multiply-adds.
 */
import { JOB, parallel, scratch } from './parallel';

export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 8;

// What happens to a tile's sums on their way to memory.
export const ADD_BIAS: i32 = 1;
export const RELU: i32 = 2;
export const ACCUMULATE: i32 = 4;

/** Bytes of a tile's head in a row table: four output pointers, then the number of segments. */
export const HEAD_BYTES: usize = 20;
/** Bytes of a segment: where in the panel its depth starts, then four pointers to rows of A. */
export const SEGMENT_BYTES: usize = 20;

/** a·b + c: one rounding where the machine has a fused instruction for it, else two. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
export function finish(sum: v128, out: usize, bias: v128, flags: i32): void {
  let value = sum;
  if (flags & ACCUMULATE) value = f32x4.add(value, v128.load(out));
  if (flags & ADD_BIAS) value = f32x4.add(value, bias);
  if (flags & RELU) value = f32x4.max(value, f32x4.splat(0));
  v128.store(out, value);
}

/** Stores the first `count` (1 to 7) of the eight sums of a row. */
function finishPart(low: v128, high: v128, out: usize, count: i32, bias: usize, flags: i32): void {
  const part = scratch();
  v128.store(part, low);
  v128.store(part, high, 16);
  for (let i = 0; i < count; i++) {
    const at = <usize>i << 2;
    let value = load<f32>(part + at);
    if (flags & ACCUMULATE) value += load<f32>(out + at);
    if (flags & ADD_BIAS) value += load<f32>(bias + at);
    if (flags & RELU) value = max<f32>(value, 0);
    store<f32>(out + at, value);
  }
}

/** Bytes at the start of every thread's scratch that `finishPart` and the sink of rows keep. */
export const TILE_SCRATCH: usize = 64;

/**
 * One 4 × 8 tile: out[r][column … column + 7] = sum over segments and depth of a[r]·b.
 *
 * @param tile its head and segments in a row table
 * @param depth numbers in each segment
 * @param panel the packed panel of B
 * @param column byte offset of the tile in its output rows
 * @param numColumns columns that exist, 1 to 8
 * @param bias pointer to the bias of the first column, read with ADD_BIAS
 */
export function rowTile(
  tile: usize,
  depth: i32,
  panel: usize,
  column: usize,
  numColumns: i32,
  bias: usize,
  flags: i32,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);

  let segment = tile + HEAD_BYTES;
  const lastSegment = segment + <usize>load<i32>(tile, 16) * SEGMENT_BYTES;
  const depthBytes = <usize>depth << 2;
  for (; segment < lastSegment; segment += SEGMENT_BYTES) {
    let b = panel + load<usize>(segment);
    let a0 = load<usize>(segment, 4);
    let a1 = load<usize>(segment, 8);
    let a2 = load<usize>(segment, 12);
    let a3 = load<usize>(segment, 16);
    const end = a0 + depthBytes;
    while (a0 < end) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      let a = v128.load32_splat(a0);
      c00 = madd(a, b0, c00);
      c01 = madd(a, b1, c01);
      a = v128.load32_splat(a1);
      c10 = madd(a, b0, c10);
      c11 = madd(a, b1, c11);
      a = v128.load32_splat(a2);
      c20 = madd(a, b0, c20);
      c21 = madd(a, b1, c21);
      a = v128.load32_splat(a3);
      c30 = madd(a, b0, c30);
      c31 = madd(a, b1, c31);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      b += 32;
    }
  }

  const o0 = load<usize>(tile) + column;
  const o1 = load<usize>(tile, 4) + column;
  const o2 = load<usize>(tile, 8) + column;
  const o3 = load<usize>(tile, 12) + column;
  if (numColumns < TILE_COLUMNS) {
    finishPart(c00, c01, o0, numColumns, bias, flags);
    finishPart(c10, c11, o1, numColumns, bias, flags);
    finishPart(c20, c21, o2, numColumns, bias, flags);
    finishPart(c30, c31, o3, numColumns, bias, flags);
    return;
  }
  let bias0 = f32x4.splat(0), bias1 = f32x4.splat(0);
  if (flags & ADD_BIAS) {
    bias0 = v128.load(bias);
    bias1 = v128.load(bias, 16);
  }
  finish(c00, o0, bias0, flags);
  finish(c01, o0 + 16, bias1, flags);
  finish(c10, o1, bias0, flags);
  finish(c11, o1 + 16, bias1, flags);
  finish(c20, o2, bias0, flags);
  finish(c21, o2 + 16, bias1, flags);
  finish(c30, o3, bias0, flags);
  finish(c31, o3 + 16, bias1, flags);
}

/**
 * One 4 × 8 tile of Aᵀ·B: out[r][c] = sum over blocks, runs and steps of a[r]·b[c].
 *
 * A is walked in `numBlocks` blocks (pictures) of `numRuns` runs (their rows) of `runLength` steps;
 * the panel of B is read from end to end.
 *
 * @param step bytes from one number of the depth to the next in A
 * @param runStep bytes from the start of a run to the start of the next
 * @param blockStep bytes from the start of a block to the start of the next
 * @param bStep bytes from one number of the depth to the next in B
 * @param numRows rows that exist, 1 to 4
 * @param outStep bytes from one output row to the next
 */
export function columnTile(
  a: usize,
  step: usize,
  runLength: i32,
  runStep: usize,
  numRuns: i32,
  blockStep: usize,
  numBlocks: i32,
  b: usize,
  bStep: usize,
  out: usize,
  outStep: usize,
  numRows: i32,
  numColumns: i32,
  flags: i32,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (let block = 0; block < numBlocks; block++) {
    let run = a;
    for (let r = 0; r < numRuns; r++) {
      let p = run;
      const end = p + <usize>runLength * step;
      while (p < end) {
        const b0 = v128.load(b), b1 = v128.load(b, 16);
        let s = v128.load32_splat(p);
        c00 = madd(s, b0, c00);
        c01 = madd(s, b1, c01);
        s = v128.load32_splat(p, 4);
        c10 = madd(s, b0, c10);
        c11 = madd(s, b1, c11);
        s = v128.load32_splat(p, 8);
        c20 = madd(s, b0, c20);
        c21 = madd(s, b1, c21);
        s = v128.load32_splat(p, 12);
        c30 = madd(s, b0, c30);
        c31 = madd(s, b1, c31);
        p += step;
        b += bStep;
      }
      run += runStep;
    }
    a += blockStep;
  }
  if (numColumns < TILE_COLUMNS) {
    finishPart(c00, c01, out, numColumns, 0, flags);
    if (numRows > 1) finishPart(c10, c11, out + outStep, numColumns, 0, flags);
    if (numRows > 2) finishPart(c20, c21, out + outStep * 2, numColumns, 0, flags);
    if (numRows > 3) finishPart(c30, c31, out + outStep * 3, numColumns, 0, flags);
    return;
  }
  const zero = f32x4.splat(0);
  finish(c00, out, zero, flags);
  finish(c01, out + 16, zero, flags);
  if (numRows > 1) {
    finish(c10, out + outStep, zero, flags);
    finish(c11, out + outStep + 16, zero, flags);
  }
  if (numRows > 2) {
    finish(c20, out + outStep * 2, zero, flags);
    finish(c21, out + outStep * 2 + 16, zero, flags);
  }
  if (numRows > 3) {
    finish(c30, out + outStep * 3, zero, flags);
    finish(c31, out + outStep * 3 + 16, zero, flags);
  }
}

/** Rows of a block tile, and the depth that each of them has beside the others in memory. */
export const BLOCK_ROWS: i32 = 6;
export const BLOCK_DEPTH: i32 = 16;

/**
 * One 6 × 8 tile of A·B, out[6][8], of an A made for it: [depth / 16][6 rows][16], so that one
 * pointer finds all rows. (A loop over single depths: with more of them in its body V8 moves sums
 * from register to register, and a third of the speed goes.)
 */
export function blockTile(a: usize, depth: i32, b: usize, out: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  do {
    const end = a + (<usize>min(depth, BLOCK_DEPTH) << 2);
    do {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      let s = v128.load32_splat(a);
      c00 = madd(s, b0, c00);
      c01 = madd(s, b1, c01);
      s = v128.load32_splat(a, 64);
      c10 = madd(s, b0, c10);
      c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 128);
      c20 = madd(s, b0, c20);
      c21 = madd(s, b1, c21);
      s = v128.load32_splat(a, 192);
      c30 = madd(s, b0, c30);
      c31 = madd(s, b1, c31);
      s = v128.load32_splat(a, 256);
      c40 = madd(s, b0, c40);
      c41 = madd(s, b1, c41);
      s = v128.load32_splat(a, 320);
      c50 = madd(s, b0, c50);
      c51 = madd(s, b1, c51);
      a += 4;
      b += 32;
    } while (a < end);
    a += (BLOCK_ROWS - 1) * BLOCK_DEPTH * 4;
    depth -= BLOCK_DEPTH;
  } while (depth > 0);
  v128.store(out, c00);
  v128.store(out, c01, 16);
  v128.store(out, c10, 32);
  v128.store(out, c11, 48);
  v128.store(out, c20, 64);
  v128.store(out, c21, 80);
  v128.store(out, c30, 96);
  v128.store(out, c31, 112);
  v128.store(out, c40, 128);
  v128.store(out, c41, 144);
  v128.store(out, c50, 160);
  v128.store(out, c51, 176);
}

/**
 * One 4 × 8 tile of Aᵀ·B, of an A packed as [depth][4] and a B as [depth][8].
 *
 * @param outStep bytes from one output row to the next
 * @param flags ACCUMULATE or 0
 */
export function packedTile(
  a: usize, b: usize, depth: i32, out: usize, outStep: usize, flags: i32,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const end = a + (<usize>depth << 4);
  do {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let s = v128.load32_splat(a);
    c00 = madd(s, b0, c00);
    c01 = madd(s, b1, c01);
    s = v128.load32_splat(a, 4);
    c10 = madd(s, b0, c10);
    c11 = madd(s, b1, c11);
    s = v128.load32_splat(a, 8);
    c20 = madd(s, b0, c20);
    c21 = madd(s, b1, c21);
    s = v128.load32_splat(a, 12);
    c30 = madd(s, b0, c30);
    c31 = madd(s, b1, c31);
    a += 16;
    b += 32;
  } while (a < end);
  const zero = f32x4.splat(0);
  finish(c00, out, zero, flags);
  finish(c01, out + 16, zero, flags);
  finish(c10, out + outStep, zero, flags);
  finish(c11, out + outStep + 16, zero, flags);
  finish(c20, out + outStep * 2, zero, flags);
  finish(c21, out + outStep * 2 + 16, zero, flags);
  finish(c30, out + outStep * 3, zero, flags);
  finish(c31, out + outStep * 3 + 16, zero, flags);
}

/**
 * Packs columns [8·panel, 8·panel + 8) of a matrix: out[k][0 … 7], zeros beyond numColumns.
 *
 * @param rowStep floats from one depth to the next, columnStep floats from one column to the next
 */
export function packPanel(
  source: usize,
  rowStep: i32,
  columnStep: i32,
  depth: i32,
  numColumns: i32,
  panel: i32,
  out: usize,
): void {
  const first = panel * TILE_COLUMNS;
  const count = min(TILE_COLUMNS, numColumns - first);
  let from = source + (<usize>(first * columnStep) << 2);
  const step = <usize>rowStep << 2;
  if (count == TILE_COLUMNS && columnStep == 1) {
    for (let k = 0; k < depth; k++) {
      v128.store(out, v128.load(from));
      v128.store(out, v128.load(from, 16), 16);
      from += step;
      out += 32;
    }
    return;
  }
  const across = <usize>columnStep << 2;
  for (let k = 0; k < depth; k++) {
    let at = from;
    let c = 0;
    for (; c < count; c++) {
      store<f32>(out + (<usize>c << 2), load<f32>(at));
      at += across;
    }
    for (; c < TILE_COLUMNS; c++) store<f32>(out + (<usize>c << 2), 0);
    from += step;
    out += 32;
  }
}

// ---------------------------------------------------------------------------------------------
// Matrix product

@unmanaged
class MatMulJob {
  a: usize;
  b: usize;
  bias: usize;
  out: usize;
  packed: usize;
  batch: i32;
  rows: i32;
  columns: i32;
  depth: i32;
  aBatchStep: i32; // floats; 0 where one matrix serves the whole batch
  bBatchStep: i32;
  transposeA: i32;
  transposeB: i32;
  flags: i32;
  numPanels: i32;
  rowBlocks: i32;
  columnBlocks: i32;
  panelsPerBlock: i32;
}

/** Rows in a chunk: a multiple of both tiles' rows. */
const CHUNK_ROWS: i32 = 48;

/** Bytes of shared workspace for `matMul`. */
export function matMulWorkspace(batchB: i32, columns: i32, depth: i32): usize {
  return <usize>batchB * <usize>((columns + 7) >> 3) * <usize>depth * 32;
}

/**
 * out[batch][rows][columns] = A·B (+ bias[columns]), each side transposed where asked.
 * aBatchStep, bBatchStep: floats between two matrices of the batch, 0 to use one for all.
 */
export function matMul(
  a: usize,
  b: usize,
  bias: usize,
  out: usize,
  packed: usize,
  batch: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  aBatchStep: i32,
  bBatchStep: i32,
  transposeA: i32,
  transposeB: i32,
  relu: i32,
): void {
  const job = changetype<MatMulJob>(JOB);
  job.a = a;
  job.b = b;
  job.bias = bias;
  job.out = out;
  job.packed = packed;
  job.batch = batch;
  job.rows = rows;
  job.columns = columns;
  job.depth = depth;
  job.aBatchStep = aBatchStep;
  job.bBatchStep = bBatchStep;
  job.transposeA = transposeA;
  job.transposeB = transposeB;
  job.flags = (bias ? ADD_BIAS : 0) | (relu ? RELU : 0);
  const numPanels = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  job.numPanels = numPanels;
  parallel(packMatrix, (bBatchStep ? batch : 1) * numPanels);

  job.rowBlocks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
  // Few rows: cut the columns too, so that there is work for every thread.
  job.panelsPerBlock = job.rowBlocks * batch >= 16 ? numPanels : min(numPanels, 4);
  job.columnBlocks = (numPanels + job.panelsPerBlock - 1) / job.panelsPerBlock;
  parallel(matMulChunk, batch * job.rowBlocks * job.columnBlocks);
}

function packMatrix(chunk: i32): void {
  const job = changetype<MatMulJob>(JOB);
  const matrix = chunk / job.numPanels;
  const panel = chunk % job.numPanels;
  packPanel(
    job.b + ((<usize>matrix * <usize>job.bBatchStep) << 2),
    job.transposeB ? 1 : job.columns,
    job.transposeB ? job.depth : 1,
    job.depth,
    job.columns,
    panel,
    job.packed + <usize>chunk * <usize>job.depth * 32,
  );
}

function matMulChunk(chunk: i32): void {
  const job = changetype<MatMulJob>(JOB);
  const blocks = job.rowBlocks * job.columnBlocks;
  const item = chunk / blocks;
  const block = chunk % blocks;
  const firstRow = (block % job.rowBlocks) * CHUNK_ROWS;
  const lastRow = min(firstRow + CHUNK_ROWS, job.rows);
  const firstPanel = (block / job.rowBlocks) * job.panelsPerBlock;
  const lastPanel = min(firstPanel + job.panelsPerBlock, job.numPanels);
  const a = job.a + ((<usize>item * <usize>job.aBatchStep) << 2);
  const panelBytes = <usize>job.depth * 32;
  const packed =
    job.packed + (job.bBatchStep ? <usize>item * <usize>job.numPanels * panelBytes : 0);
  const outStep = <usize>job.columns << 2;
  const out = job.out + <usize>item * <usize>job.rows * outStep;

  if (job.transposeA) {
    const step = <usize>job.rows << 2;
    for (let panel = firstPanel; panel < lastPanel; panel++) {
      const column = panel * TILE_COLUMNS;
      for (let row = firstRow; row < lastRow; row += TILE_ROWS) {
        const to = out + <usize>row * outStep + (<usize>column << 2);
        columnTile(
          a + (<usize>row << 2), step, job.depth, 0, 1, 0, 1,
          packed + <usize>panel * panelBytes, 32,
          to, outStep, min(TILE_ROWS, lastRow - row),
          min(TILE_COLUMNS, job.columns - column), 0,
        );
      }
    }
    // A bias beside a transposed A is rare: a second pass.
    if (job.flags) {
      for (let row = firstRow; row < lastRow; row++) {
        for (let c = firstPanel * 8; c < min(lastPanel * 8, job.columns); c++) {
          const at = out + <usize>row * outStep + (<usize>c << 2);
          let value = load<f32>(at);
          if (job.flags & ADD_BIAS) value += load<f32>(job.bias + (<usize>c << 2));
          if (job.flags & RELU) value = max<f32>(value, 0);
          store<f32>(at, value);
        }
      }
    }
    return;
  }

  const table = scratch() + TILE_SCRATCH;
  const tileBytes = HEAD_BYTES + SEGMENT_BYTES;
  const sink = table + <usize>(CHUNK_ROWS / TILE_ROWS) * tileBytes;
  const numTiles = (lastRow - firstRow + TILE_ROWS - 1) / TILE_ROWS;
  for (let t = 0; t < numTiles; t++) {
    const tile = table + <usize>t * tileBytes;
    store<i32>(tile, 1, 16);
    store<usize>(tile, 0, HEAD_BYTES);
    for (let r = 0; r < TILE_ROWS; r++) {
      const row = firstRow + t * TILE_ROWS + r;
      const at = tile + (<usize>r << 2);
      // A row past the end computes what its neighbour does and throws it away.
      store<usize>(at, row < lastRow ? out + <usize>row * outStep : sink);
      const source = min(row, lastRow - 1);
      store<usize>(at, a + <usize>source * <usize>job.depth * 4, HEAD_BYTES + 4);
    }
  }
  for (let panel = firstPanel; panel < lastPanel; panel++) {
    const column = panel * TILE_COLUMNS;
    for (let t = 0; t < numTiles; t++) {
      rowTile(
        table + <usize>t * tileBytes, job.depth, packed + <usize>panel * panelBytes,
        <usize>column << 2, min(TILE_COLUMNS, job.columns - column),
        job.bias + (<usize>column << 2), job.flags,
      );
    }
  }
}

/** Bytes of scratch a thread needs in `matMul`. */
export function matMulScratch(columns: i32): usize {
  return TILE_SCRATCH + <usize>(CHUNK_ROWS / TILE_ROWS) * (HEAD_BYTES + SEGMENT_BYTES)
    + (<usize>columns << 2) + 64;
}

/**
 * The machine's ceiling: `rounds` × 12 independent multiply-adds on registers, no memory.
 * 96 FLOP a round. The value only keeps the work alive.
 */
export function peakLoop(rounds: i32, seed: f32): f32 {
  const x = f32x4.splat(seed), y = f32x4.splat(seed * 0.5);
  let c0 = x, c1 = y, c2 = x, c3 = y, c4 = x, c5 = y, c6 = x, c7 = y, c8 = x, c9 = y, ca = x, cb = y;
  for (let i = 0; i < rounds; i++) {
    c0 = madd(c0, y, x);
    c1 = madd(c1, y, x);
    c2 = madd(c2, y, x);
    c3 = madd(c3, y, x);
    c4 = madd(c4, y, x);
    c5 = madd(c5, y, x);
    c6 = madd(c6, y, x);
    c7 = madd(c7, y, x);
    c8 = madd(c8, y, x);
    c9 = madd(c9, y, x);
    ca = madd(ca, y, x);
    cb = madd(cb, y, x);
  }
  const sum = f32x4.add(
    f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)),
    f32x4.add(f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)), f32x4.add(f32x4.add(c8, c9), f32x4.add(ca, cb))),
  );
  return f32x4.extract_lane(sum, 0);
}
