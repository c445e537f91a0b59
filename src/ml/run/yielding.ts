/**
 * Gives way: long work calls `nextTurn` between two pieces, so that messages waiting for the
 * worker (stop, classify) get in.
 */

/**
 * Resolves in a later task, after messages that already wait. Through a message channel: timers
 * are slowed down to a second in hidden tabs and animation frames stop there, messages do neither.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
