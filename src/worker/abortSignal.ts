/**
 * Lets an AbortSignal cross to a worker: as an argument of a call, on a port of its own. Both ends
 * import this module. The port is let go when the signal aborts; `WorkerLine.call` therefore hands
 * out signals that abort when the call is over.
 */
import * as Comlink from 'comlink';

const handler: Comlink.TransferHandler<AbortSignal, MessagePort> = {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,

  serialize(signal) {
    const { port1, port2 } = new MessageChannel();
    const tell = () => port1.postMessage(null);
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { once: true });
    return [port2, [port2]];
  },

  deserialize(port) {
    const controller = new AbortController();
    port.onmessage = () => {
      controller.abort();
      // Closes the other end as well.
      port.close();
    };
    return controller.signal;
  },
};

Comlink.transferHandlers.set('AbortSignal', handler);
