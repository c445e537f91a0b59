/** PyTorch as the control: a process of pytorch.py for each number of threads, asked line by line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type GenericSchema, number, object, parse, string } from 'valibot';
import { type NetworkSpec, resolveNetwork } from '../src/network/spec.ts';
import { NUM_CLASSES } from './subjects.ts';

const Started = object({ version: string() });
const Rate = object({ rate: number() });
const Failure = object({ error: string() });

/** Sends a command, gives the answer. */
type Ask = (command: object) => Promise<unknown>;

/** Of images and filters in memory: PyTorch's own, or the one that oneDNN often prefers. */
export type Layout = 'contiguous' | 'channelsLast';

export class PyTorch {
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #ask: Ask;

  private constructor(process: ChildProcess, ask: Ask, version: string) {
    this.#process = process;
    this.#ask = ask;
    this.version = version;
  }

  /** Null where there is no Python or no PyTorch. */
  static async start(numThreads: number, layout: Layout): Promise<PyTorch | null> {
    // Debian's first: another Python in the path seldom has Debian's packages.
    for (const python of ['/usr/bin/python3', 'python3']) {
      const child = spawn(python, [join(import.meta.dirname, 'pytorch.py')], {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { ...process.env, OMP_NUM_THREADS: String(numThreads) },
      });
      const gone = new Promise<null>((resolve) => {
        child.once('error', () => resolve(null));
        child.once('exit', () => resolve(null));
      });
      child.stdin.on('error', () => {});
      const lines = createInterface({ input: child.stdout });
      const ask: Ask = async (command) => {
        const answer = Promise.race([once(lines, 'line'), gone]);
        child.stdin.write(`${JSON.stringify(command)}\n`);
        const line = await answer;
        return line === null ? { error: 'The process ended.' } : JSON.parse(String(line[0]));
      };
      const started = await ask({
        do: 'start',
        threads: numThreads,
        channelsLast: layout === 'channelsLast',
      });
      if (!('error' in Object(started))) {
        return new PyTorch(child, ask, parse(Started, started).version);
      }
    }
    return null;
  }

  /** Images a second. @throws {Error} with PyTorch's own words. */
  async rate(
    task: 'train' | 'infer',
    network: NetworkSpec,
    batch: number,
    ms: number,
  ): Promise<number> {
    const nodes = resolveNetwork(network, NUM_CLASSES).nodes.map(({ node }) => node);
    return (await this.#request({ do: task, nodes, batch, ms }, Rate)).rate;
  }

  async #request<Result>(command: object, schema: GenericSchema<unknown, Result>): Promise<Result> {
    const answer = await this.#ask(command);
    if ('error' in Object(answer)) throw new Error(`PyTorch: ${parse(Failure, answer).error}`);
    return parse(schema, answer);
  }

  stop(): void {
    this.#process.kill();
  }
}
