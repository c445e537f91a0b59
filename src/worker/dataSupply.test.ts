import * as Comlink from 'comlink';
import { afterEach, describe, expect, it } from 'vitest';
import { FASHION_MNIST } from '../fashion.ts';
import { createDataSupply, type DataSupplier } from './dataSupply.ts';

const openPorts: MessagePort[] = [];
afterEach(() => {
  for (const port of openPorts.splice(0)) port.close();
});

/** A port to a data worker that answers so. */
function play(copy: DataSupplier['copy'] | (() => Promise<never>)): MessagePort {
  const { port1, port2 } = new MessageChannel();
  openPorts.push(port1, port2);
  Comlink.expose({ copy }, port1);
  return port2;
}

const dataset = { pixels: new Uint8Array(784), labels: new Uint8Array(1), spec: FASHION_MNIST };

describe('the supply of data', () => {
  it('fetches each part once, and anew when other data is in use', async () => {
    const asked: string[] = [];
    const supply = createDataSupply();
    supply.connect(
      play((part, id) => {
        asked.push(`${part} ${id}`);
        return dataset;
      }),
    );
    const first = await supply.take('train', { id: '1', file: 'train.csv' });
    expect(first).toMatchObject({
      name: 'train.csv',
      dataset: { labels: new Uint8Array(1), spec: FASHION_MNIST },
    });
    expect(await supply.take('train', { id: '1', file: 'train.csv' })).toBe(first);
    await supply.take('test', { id: '1', file: 'test.csv' });
    await supply.take('train', { id: '2', file: 'mine.csv' });
    expect(asked).toEqual(['train 1', 'test 1', 'train 2']);
  });

  it('passes on why data cannot be had, and asks again next time', async () => {
    let isThere = false;
    const supply = createDataSupply();
    supply.connect(
      play(() => {
        if (!isThere) throw new Error('Other data came into use just now.');
        return dataset;
      }),
    );
    const data = { id: '1', file: 'train.csv' };
    await expect(supply.take('train', data)).rejects.toThrow('Other data came into use');
    isThere = true;
    expect((await supply.take('train', data)).name).toBe('train.csv');
  });

  it('leaves no question open when the data worker stops, and keeps what it has', async () => {
    const supply = createDataSupply();
    const data = { id: '1', file: 'train.csv' };
    supply.connect(play(() => dataset));
    await supply.take('train', data);
    supply.connect(play(() => new Promise<never>(() => {})));
    const pending = supply.take('test', data);
    supply.connect(null);
    await expect(pending).rejects.toThrow('load it again');
    await expect(supply.take('test', data)).rejects.toThrow('load it again');
    expect((await supply.take('train', data)).name).toBe('train.csv');
  });
});
