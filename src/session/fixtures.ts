/** Owns what the tests of the session share: a model, and lines to workers that are played. */
import * as Comlink from 'comlink';
import { afterEach } from 'vitest';
import { FASHION_MNIST } from '../fashion.ts';
import type { ModelCard } from '../ml/spec/modelCard.ts';
import { DEFAULT_RECIPE } from '../ml/spec/recipe.ts';
import { NETWORK_PRESETS } from '../network/presets.ts';

export const card: ModelCard = {
  id: 'run-1',
  name: 'A model',
  createdAt: '2026-01-01T00:00:00.000Z',
  origin: 'trained',
  network: NETWORK_PRESETS.small.spec,
  numParams: 10,
  recipe: DEFAULT_RECIPE,
  dataSpec: FASHION_MNIST,
  data: null,
  history: [],
  test: null,
  trainedOn: 'wasm',
  calibration: null,
};

const openPorts: MessagePort[] = [];
afterEach(() => {
  for (const port of openPorts.splice(0)) port.close();
});

/** The page's end of a line to a worker that answers with `api`; closed after the test. */
export function expose(api: object): MessagePort {
  const { port1, port2 } = new MessageChannel();
  Comlink.expose(api, port1);
  openPorts.push(port1, port2);
  return port2;
}
