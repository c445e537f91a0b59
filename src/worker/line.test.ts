import * as Comlink from 'comlink';
import { afterEach, describe, expect, it } from 'vitest';
import { openLine } from './line.ts';

const openPorts: MessagePort[] = [];
afterEach(() => {
  for (const port of openPorts.splice(0)) port.close();
});

/** A worker whose work goes on until its signal aborts, and a line to it. */
function play() {
  const { port1, port2 } = new MessageChannel();
  openPorts.push(port1, port2);
  const signals: AbortSignal[] = [];
  const api = {
    untilAborted: (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        signals.push(signal);
        if (signal.aborted) resolve('aborted');
        signal.addEventListener('abort', () => resolve('aborted'));
      }),
    quick(signal: AbortSignal) {
      signals.push(signal);
      return 'done';
    },
    never: () => new Promise<string>(() => {}),
  };
  Comlink.expose(api, port1);
  const lost: string[] = [];
  const line = openLine<typeof api>(
    port2,
    () => port2.close(),
    ({ message }) => lost.push(message),
  );
  return { line, signals, lost };
}

describe('a line to a worker', () => {
  it('carries an abort to the work itself', async () => {
    const { line, signals } = play();
    const controller = new AbortController();
    const answer = line.call((api, signal) => api.untilAborted(signal), controller.signal);
    await expect.poll(() => signals.length).toBe(1);
    expect(signals[0]?.aborted).toBe(false);
    controller.abort();
    expect(await answer).toBe('aborted');
  });

  it('carries an abort that came before the call', async () => {
    const { line } = play();
    const call = line.call((api, signal) => api.untilAborted(signal), AbortSignal.abort());
    expect(await call).toBe('aborted');
  });

  it('lets go of the signal once the call is over', async () => {
    const { line, signals } = play();
    expect(await line.call((api, signal) => api.quick(signal))).toBe('done');
    await expect.poll(() => signals[0]?.aborted).toBe(true);
  });

  it('rejects pending and later calls when the worker is lost, and tells once', async () => {
    const { line, lost } = play();
    const pending = line.call((api) => api.never());
    line.fail('It died.');
    line.fail('It died again.');
    await expect(pending).rejects.toThrow('It died.');
    await expect(line.call((api) => api.never())).rejects.toThrow('It died.');
    await line.idle();
    expect(lost).toEqual(['It died.']);
  });

  it('is idle when no call is under way', async () => {
    const { line } = play();
    await line.idle();
    const pending = line.call((api) => api.never());
    const log: string[] = [];
    const idle = line.idle().then(() => log.push('idle'));
    log.push('busy');
    line.end();
    await expect(pending).rejects.toThrow('was ended');
    await idle;
    expect(log).toEqual(['busy', 'idle']);
  });
});
