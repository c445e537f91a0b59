/**
 * The model worker's end of the channel to the data worker: fetches the parts of the data in use,
 * each once, so that the page never holds them.
 */
import type * as Comlink from 'comlink';
import type { Dataset } from '../data/dataset.ts';
import { openLine, type WorkerLine } from './line.ts';

export type PartName = 'train' | 'test';

/** What the data worker answers on the channel. */
export interface DataSupplier {
  /**
   * A copy of a part of the data in use, transferred. Empty where there is none.
   * @param id of the data that is meant.
   * @throws where other data is in use by now.
   */
  copy(part: PartName, id: string): Dataset;
}

/** Data as the page speaks of it. */
export interface DataRef {
  /** Of `DataInfo`. */
  readonly id: string;
  /** Name of the file of the part that is meant. */
  readonly file: string;
}

export interface NamedData {
  readonly dataset: Dataset;
  readonly name: string;
}

export interface DataSupply {
  /** Another data worker has taken the place of the one before; null: it stopped. */
  connect(port: MessagePort | null): void;
  /** @throws where the part cannot be had; the message is for people. */
  take(part: PartName, data: DataRef): Promise<NamedData>;
}

export function createDataSupply(): DataSupply {
  let line: WorkerLine<DataSupplier> | null = null;
  const held = new Map<PartName, NamedData & { readonly id: string }>();
  return {
    connect(port) {
      // What is asked of a worker that stopped would never be answered.
      line?.fail('The data is gone from memory; load it again.');
      line =
        port &&
        openLine<DataSupplier>(
          port as Comlink.Endpoint,
          () => port.close(),
          () => {},
        );
    },

    async take(part, { id, file }) {
      const before = held.get(part);
      if (before?.id === id) return before;
      if (!line) throw new Error('The data is gone from memory; load it again.');
      const dataset = await line.call((source) => source.copy(part, id));
      const taken = { id, dataset, name: file };
      held.set(part, taken);
      return taken;
    },
  };
}
