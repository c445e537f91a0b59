/**
 * Owns how one kernel call becomes work for many threads.
 *
 * A kernel writes its arguments into the job block, then calls `parallel(chunk, numChunks)`: the
 * chunk function runs once for every index below numChunks, on whichever thread is free. Chunks
 * never share output, and how a kernel cuts its work does not depend on the number of threads: so
 * one thread and sixteen give the same bits.
 *
 * Every thread is an instance of this same module over one shared memory. Function table indices
 * are therefore the same in all of them, and a job is handed over as an index.
 */

/** Where the block lies that all threads share; static data starts behind it (--memoryBase). */
const CONTROL: usize = 1024;

// The ticket: generation in the upper half, chunks still to be taken in the lower half. Taking a
// chunk is one compare-and-swap of both, so a thread that wakes late can never take a chunk of a
// job that it has not seen.
const TICKET: usize = CONTROL;
/** Chunks finished in this generation. */
const FINISHED: usize = CONTROL + 64;
/** Threads asleep on GENERATION. */
const SLEEPERS: usize = CONTROL + 128;
const GENERATION: usize = CONTROL + 132;
/** 1 while the calling thread sleeps on FINISHED. */
const CALLER_SLEEPS: usize = CONTROL + 136;
const NUM_CHUNKS: usize = CONTROL + 192;
const FUNCTION: usize = CONTROL + 196;
const SCRATCH: usize = CONTROL + 200;
const SCRATCH_BYTES: usize = CONTROL + 204;

/** Arguments of the running job; each kernel lays its own class over it. */
export const JOB: usize = CONTROL + 256;

/**
 * How long a thread looks for work before it sleeps, in looks (about 100 µs). Between two kernels
 * of a training step lie 5 to 30 µs of JavaScript; waking a sleeper costs about 50 µs.
 */
const NUM_LOOKS: i32 = 60000;

// Of this instance: which thread it is, how many there are, and whether it may sleep.
let thread: i32 = 0;
let numThreads: i32 = 1;
let maySleep: bool = false;

/** Says which thread this instance is. The caller is thread 0; a page's main thread may not sleep. */
export function initThread(index: i32, count: i32, mayBlock: bool): void {
  thread = index;
  numThreads = count;
  maySleep = mayBlock;
}

/** Gives the threads `bytes` bytes of scratch each, thread after thread from `base`. */
export function setScratch(base: usize, bytes: usize): void {
  store<usize>(SCRATCH, base);
  store<usize>(SCRATCH_BYTES, bytes);
}

/** This thread's own scratch memory. */
export function scratch(): usize {
  return load<usize>(SCRATCH) + <usize>thread * load<usize>(SCRATCH_BYTES);
}

/** Runs `chunk(0) … chunk(numChunks - 1)`, in any order, and returns when all are done. */
export function parallel(chunk: (index: i32) => void, numChunks: i32): void {
  if (!ASC_FEATURE_THREADS || numThreads == 1 || numChunks == 1) {
    for (let i = 0; i < numChunks; i++) chunk(i);
    return;
  }
  store<i32>(NUM_CHUNKS, numChunks);
  store<u32>(FUNCTION, chunk.index);
  atomic.store<i32>(FINISHED, 0);
  const generation = atomic.load<i32>(GENERATION) + 1;
  atomic.store<i64>(TICKET, (<i64>generation << 32) | <i64>numChunks);
  atomic.store<i32>(GENERATION, generation);
  if (atomic.load<i32>(SLEEPERS) > 0) atomic.notify(GENERATION, numThreads);

  takeChunks();

  let looks = 0;
  while (atomic.load<i32>(FINISHED) < numChunks) {
    if (++looks < NUM_LOOKS || !maySleep) continue;
    atomic.store<i32>(CALLER_SLEEPS, 1);
    const finished = atomic.load<i32>(FINISHED);
    if (finished < numChunks) atomic.wait<i32>(FINISHED, finished, 1000000);
    atomic.store<i32>(CALLER_SLEEPS, 0);
  }
}

/** The life of a helper thread: looks for chunks, sleeps, never returns. */
export function serve(): void {
  if (!ASC_FEATURE_THREADS) return;
  for (;;) {
    const generation = atomic.load<i32>(GENERATION);
    takeChunks();
    let looks = 0;
    while (atomic.load<i32>(GENERATION) == generation) {
      if (++looks < NUM_LOOKS) continue;
      atomic.add<i32>(SLEEPERS, 1);
      atomic.wait<i32>(GENERATION, generation, -1);
      atomic.sub<i32>(SLEEPERS, 1);
    }
  }
}

function takeChunks(): void {
  for (;;) {
    const ticket = atomic.load<i64>(TICKET);
    const remaining = <i32>ticket;
    if (remaining == 0) return;
    if (atomic.cmpxchg<i64>(TICKET, ticket, ticket - 1) != ticket) continue;
    // From here to FINISHED the job cannot change under us.
    const numChunks = load<i32>(NUM_CHUNKS);
    call_indirect<void>(load<u32>(FUNCTION), numChunks - remaining);
    atomic.add<i32>(FINISHED, 1);
    if (atomic.load<i32>(CALLER_SLEEPS) != 0) atomic.notify(FINISHED, 1);
  }
}
