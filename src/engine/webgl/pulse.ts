/**
 * Notices that a WebGL context has died without an event: a driver that was reset, or one that
 * hangs, may leave every read unanswered for ever. Reads that take long are looked after.
 */

/** What is asked of a context. */
export type Patient = Pick<
  WebGL2RenderingContext,
  | 'isContextLost'
  | 'fenceSync'
  | 'clientWaitSync'
  | 'deleteSync'
  | 'flush'
  | 'SYNC_GPU_COMMANDS_COMPLETE'
  | 'TIMEOUT_EXPIRED'
  | 'WAIT_FAILED'
>;

/** Between two looks at a read that has no answer yet. */
const LOOK_MS = 5_000;
/**
 * Looks until a device that still has work counts as hanging: two minutes. An emulated one may take many
 * seconds for a batch, and a compiler as long for a large shader. Looks and not time: a machine that was
 * asleep has not been hanging.
 */
const MAX_LOOKS = 24;
/** Looks that a read may stay unanswered after the device has done all its work. */
const MAX_IDLE_LOOKS = 3;

/**
 * Looks after the reads of a backend.
 *
 * @param backend Its `read` is replaced by one that does the same and is looked after.
 * @param onDead Called once, where a read will not be answered any more.
 */
export function watchReads<Key>(
  backend: { read(key: Key): Promise<unknown> },
  gl: Patient,
  onDead: () => void,
): void {
  const read = backend.read.bind(backend);
  let isDead = false;
  const tell = () => {
    if (!isDead) onDead();
    isDead = true;
  };
  backend.read = async (key) => {
    const answer = read(key);
    const stop = lookAfter(gl, tell);
    return answer.finally(stop);
  };
}

/** @returns ends it: the answer has come. */
function lookAfter(gl: Patient, onDead: () => void): () => void {
  let numLooks = 0;
  let numIdleLooks = 0;
  let fence: WebGLSync | null = null;
  const stop = () => {
    clearInterval(timer);
    gl.deleteSync(fence);
  };
  const timer = setInterval(() => {
    numLooks++;
    // The read has given its work to the device before the first look, so the fence is behind it.
    if (!fence && !gl.isContextLost()) {
      fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
      gl.flush();
    }
    const state = fence ? gl.clientWaitSync(fence, 0, 0) : gl.WAIT_FAILED;
    if (state !== gl.TIMEOUT_EXPIRED) numIdleLooks++;
    const isOver =
      gl.isContextLost() ||
      state === gl.WAIT_FAILED ||
      numLooks >= MAX_LOOKS ||
      numIdleLooks >= MAX_IDLE_LOOKS;
    if (!isOver) return;
    stop();
    onDead();
  }, LOOK_MS);
  return stop;
}
