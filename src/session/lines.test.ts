import * as Comlink from 'comlink';
import { describe, expect, it } from 'vitest';
import { FASHION_MNIST } from '../fashion.ts';
import type { DataWorkerApi } from '../worker/data.worker.ts';
import { createDataSupply, type DataSupplier, type NamedData } from '../worker/dataSupply.ts';
import { openLine } from '../worker/line.ts';
import type { ModelWorkerApi } from '../worker/model.worker.ts';
import { expose } from './fixtures.ts';
import { createLines } from './lines.ts';

/** Workers with their real ends of the channel between them. */
function play() {
  const ports: MessagePort[] = [];
  const taken: NamedData[] = [];
  let numModelWorkers = 0;
  let loseData = (_message: string) => {};
  const supplier: DataSupplier = {
    copy: (_part, id) => ({
      pixels: new Uint8Array(784),
      labels: new Uint8Array(Number(id)),
      spec: FASHION_MNIST,
    }),
  };
  const lines = createLines({
    openDataLine(onLost) {
      const api: Partial<DataWorkerApi> = {
        supply: (port) => {
          ports.push(port);
          Comlink.expose(supplier, port);
        },
        garments: () => ({
          pixels: new Uint8Array(0),
          labels: new Uint8Array(0),
          spec: FASHION_MNIST,
          rows: new Uint32Array(0),
          total: 0,
        }),
      };
      const line = openLine<DataWorkerApi>(expose(api), () => {}, onLost);
      loseData = line.fail;
      return line;
    },
    openModelLine(onLost) {
      numModelWorkers++;
      const supply = createDataSupply();
      const api: Partial<ModelWorkerApi> = {
        connectData: (port) => {
          if (port) ports.push(port);
          supply.connect(port);
        },
        async calibrate(data) {
          taken.push(await supply.take('train', data));
          throw new Error('It was only to fetch the data.');
        },
      };
      return openLine<ModelWorkerApi>(expose(api), () => {}, onLost);
    },
  });
  const fetchInModelWorker = (id: string) =>
    lines
      .model()
      .call((api, signal) =>
        api.calibrate(
          { id, file: 'train.csv' },
          Comlink.proxy(() => {}),
          signal,
        ),
      )
      .catch((error: Error) => error.message);
  const close = () => {
    for (const port of ports) port.close();
  };
  return {
    lines,
    taken,
    fetchInModelWorker,
    close,
    loseData: (message: string) => loseData(message),
    numModelWorkers: () => numModelWorkers,
  };
}

describe('the lines to the workers', () => {
  it('join them: data goes from one to the other, and to each new model worker', async () => {
    const { lines, taken, fetchInModelWorker, close, numModelWorkers } = play();
    lines.data();
    await fetchInModelWorker('3');
    expect(taken.map(({ dataset }) => dataset.labels.length)).toEqual([3]);
    lines.replaceModel();
    expect(numModelWorkers()).toBe(2);
    await fetchInModelWorker('4');
    expect(taken.map(({ dataset }) => dataset.labels.length)).toEqual([3, 4]);
    close();
  });

  it('report a lost data worker on both sides, and start another when it is asked', async () => {
    const { lines, taken, fetchInModelWorker, close, loseData } = play();
    const lost: string[] = [];
    lines.whenDataLost(({ message }) => lost.push(message));
    const first = lines.data();
    await fetchInModelWorker('3');
    loseData('It died.');
    expect(lost).toEqual(['It died.']);
    expect(await fetchInModelWorker('4')).toContain('load it again');
    expect(lines.data()).not.toBe(first);
    await fetchInModelWorker('5');
    expect(taken.map(({ dataset }) => dataset.labels.length)).toEqual([3, 5]);
    close();
  });
});
