import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Patient, watchReads } from './pulse.ts';

const MINUTE_MS = 60_000;

/** A context whose state the test sets. */
class StubContext implements Patient {
  readonly SYNC_GPU_COMMANDS_COMPLETE = 0x9117;
  readonly TIMEOUT_EXPIRED = 0x911b;
  readonly WAIT_FAILED = 0x911d;
  isLost = false;
  isBusy = false;
  numFences = 0;

  isContextLost = () => this.isLost;
  flush = () => {};
  clientWaitSync = () => (this.isBusy ? this.TIMEOUT_EXPIRED : 0x911a);

  fenceSync = (): WebGLSync => {
    this.numFences++;
    return {};
  };

  deleteSync = (fence: WebGLSync | null) => {
    if (fence) this.numFences--;
  };
}

/** A backend whose reads are answered when the test says so. */
function watched() {
  const gl = new StubContext();
  const onDead = vi.fn();
  const answers: ((value: string) => void)[] = [];
  const backend = {
    read: (_key: string) => new Promise<unknown>((resolve) => answers.push(resolve)),
  };
  watchReads(backend, gl, onDead);
  return { gl, onDead, backend, answer: () => answers.shift()?.('numbers') };
}

describe('the pulse of a WebGL context', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('passes answers on and asks the context nothing where they are quick', async () => {
    const { gl, onDead, backend, answer } = watched();
    const pending = backend.read('a');
    answer();
    expect(await pending).toBe('numbers');
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
    expect(onDead).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
    expect(gl.numFences).toBe(0);
  });

  it('tells soon where the context is lost, and once', async () => {
    const { gl, onDead, backend } = watched();
    void backend.read('a');
    void backend.read('b');
    gl.isLost = true;
    await vi.advanceTimersByTimeAsync(5000);
    expect(onDead).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
    expect(onDead).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives a busy device time, and not for ever', async () => {
    const { gl, onDead, backend } = watched();
    gl.isBusy = true;
    void backend.read('a');
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(onDead).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(onDead).toHaveBeenCalledTimes(1);
    expect(gl.numFences).toBe(0);
  });

  it('lets a slow answer come', async () => {
    const { gl, onDead, backend, answer } = watched();
    gl.isBusy = true;
    const pending = backend.read('a');
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    answer();
    expect(await pending).toBe('numbers');
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
    expect(onDead).not.toHaveBeenCalled();
    expect(gl.numFences).toBe(0);
  });

  it('does not wait for the answer of a device that has nothing to do', async () => {
    const { onDead, backend } = watched();
    void backend.read('a');
    await vi.advanceTimersByTimeAsync(15_000);
    expect(onDead).toHaveBeenCalledTimes(1);
  });
});
