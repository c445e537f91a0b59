/**
 * An earlier version of Atelier, to be measured beside this one in the same run: finds or makes its
 * checkout, compiles its kernels, and tells its own benchmark page of networks in its own words.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { number, object, optional, parse, record, string } from 'valibot';
import { isChain, type NetworkSpec, resolveNetwork } from '../src/network/spec.ts';
import type { AnyCall, BenchBrowser } from './inBrowser.ts';
import { NUM_CLASSES } from './subjects.ts';

const ROOT = join(import.meta.dirname, '..');

export interface EarlierVersion {
  /** E.g. "ce080d7". */
  readonly commit: string;
  /** Opens a page of it with the CPU engine. */
  open(numThreads: number): Promise<EarlierPage>;
  /** Removes the checkout if it was made for this run. */
  remove(): Promise<void>;
}

export interface EarlierPage {
  /** Whether that version has what the network is made of. */
  takes(network: NetworkSpec): boolean;
  /** Images a second. */
  train(network: NetworkSpec, batch: number, forMs: number): Promise<number>;
  infer(network: NetworkSpec, batch: number, forMs: number): Promise<number>;
  /** Milliseconds. */
  latency(network: NetworkSpec, numImages: number): Promise<number>;
}

/**
 * @param before A folder that holds a checkout with its node_modules, or a commit of this repository,
 *   which is then checked out to build/before-COMMIT until `remove`.
 * @throws {Error} where there is neither, or it cannot be built.
 */
export async function openEarlierVersion(
  before: string,
  browser: BenchBrowser,
): Promise<EarlierVersion> {
  const { folder, remove } = await openCheckout(before);
  try {
    const openPage = await browser.addVersion(join(folder, 'bench/page'));
    const translate = readsGraphs(folder) ? (network: NetworkSpec) => network : toLayerList;
    return {
      commit: await command(folder, 'git', ['rev-parse', '--short', 'HEAD']),
      remove,
      async open(numThreads) {
        const call = await openPage();
        await call('start', { backend: 'simd', numThreads });
        return drive(call, translate);
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

export interface Checkout {
  readonly folder: string;
  /** Removes what was made for this run; a folder that somebody gave stays. */
  remove(): Promise<void>;
}

/**
 * A checkout of an earlier version, ready to run: packages there, kernels compiled.
 *
 * @param before As for `openEarlierVersion`.
 * @throws {Error} where there is neither, or it cannot be built.
 */
export async function openCheckout(before: string): Promise<Checkout> {
  const isFolder = statSync(before, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const folder = isFolder ? resolve(before) : await checkOut(before);
  const remove = async () => {
    if (!isFolder) await removeCheckout(folder);
  };
  try {
    if (!existsSync(modulesOf(folder))) {
      throw new Error(`${folder} has no node_modules: run "npm ci" in it.`);
    }
    await command(folder, 'npm', ['run', '--silent', 'build:kernels']);
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function drive(call: AnyCall, translate: (network: NetworkSpec) => unknown | null): EarlierPage {
  const measure = async (name: string, network: NetworkSpec, ...args: readonly number[]) =>
    parse(number(), await call(name, translate(network), ...args));
  return {
    takes: (network) => translate(network) !== null,
    train: (network, batch, forMs) => measure('train', network, batch, forMs),
    infer: (network, batch, forMs) => measure('infer', network, batch, forMs),
    latency: (network, numImages) => measure('latency', network, numImages),
  };
}

// ---- checkouts --------------------------------------------------------------------------------

/** @returns the folder */
async function checkOut(name: string): Promise<string> {
  const commit = await command(ROOT, 'git', ['rev-parse', '--verify', `${name}^{commit}`]);
  const folder = join(ROOT, 'build', `before-${commit.slice(0, 12)}`);
  // A run that was broken off leaves its checkout behind.
  if (existsSync(folder)) await removeCheckout(folder);
  await command(ROOT, 'git', ['worktree', 'add', '--detach', folder, commit]);
  try {
    if (hasSamePackages(folder)) symlinkSync(join(ROOT, 'node_modules'), modulesOf(folder), 'dir');
    else await command(folder, 'npm', ['ci', '--no-audit', '--no-fund']);
  } catch (error) {
    await removeCheckout(folder);
    throw error;
  }
  return folder;
}

async function removeCheckout(folder: string): Promise<void> {
  // Git would follow no link, but leaves folders that hold one.
  rmSync(modulesOf(folder), { recursive: true, force: true });
  await command(ROOT, 'git', ['worktree', 'remove', '--force', folder]);
}

function modulesOf(folder: string): string {
  return join(folder, 'node_modules');
}

const Packages = object({
  dependencies: optional(record(string(), string()), {}),
  devDependencies: optional(record(string(), string()), {}),
});

/** Whether all packages that a checkout asks for are installed here, in the versions it asks for. */
function hasSamePackages(folder: string): boolean {
  const read = (root: string): Readonly<Record<string, string>> => {
    const text = readFileSync(join(root, 'package.json'), 'utf8');
    const { dependencies, devDependencies } = parse(Packages, JSON.parse(text));
    return { ...dependencies, ...devDependencies };
  };
  const here = read(ROOT);
  return Object.entries(read(folder)).every(([name, version]) => here[name] === version);
}

/** Runs a command. @returns what it prints @throws {Error} with what it complains of */
async function command(cwd: string, name: string, args: readonly string[]): Promise<string> {
  const child = spawn(name, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const [code] = await once(child, 'close');
  if (code === 0) return output.trim();
  throw new Error(`"${name} ${args.join(' ')}" failed in ${cwd}.\n${complaints || output}`);
}

// ---- networks in older words ------------------------------------------------------------------

/** Whether a version has networks as graphs. */
function readsGraphs(folder: string): boolean {
  return existsSync(join(folder, 'src/network/spec.ts'));
}

/** As versions without graphs have them: each layer reads the one before. */
type ListedLayer =
  | {
      readonly kind: 'conv';
      readonly filters: number;
      readonly kernel: number;
      readonly padding: 'same' | 'valid';
      readonly activation: 'relu' | 'linear';
    }
  | { readonly kind: 'dense'; readonly units: number; readonly activation: 'relu' | 'linear' }
  | { readonly kind: 'batchNorm' | 'relu' | 'maxPool' | 'globalAveragePool' }
  | { readonly kind: 'flatten' | 'dropout' };

/**
 * A network as such a list, with ReLU wherever those versions are fastest with it: in the convolution
 * even where pooling comes between, which computes the same, and in the dense layer. Null where a list
 * cannot say what the network is.
 */
export function toLayerList(spec: NetworkSpec): readonly ListedLayer[] | null {
  const network = resolveNetwork(spec, NUM_CLASSES);
  if (!isChain(network)) return null;
  const nodes = network.nodes.map(({ node }) => node);
  const layers: ListedLayer[] = [];
  for (const [index, node] of nodes.entries()) {
    switch (node.kind) {
      case 'conv': {
        const after = nodes.slice(index + 1).find(({ kind }) => kind !== 'maxPool');
        if (node.stride !== 1 || node.bias === (after?.kind === 'batchNorm')) return null;
        const { filters, size: kernel, padding } = node;
        layers.push({ kind: 'conv', filters, kernel, padding, activation: 'linear' });
        break;
      }
      case 'dense': {
        if (!node.bias) return null;
        const units = node.units === 'classes' ? NUM_CLASSES : node.units;
        layers.push({ kind: 'dense', units, activation: 'linear' });
        break;
      }
      case 'activation': {
        if (node.function !== 'relu') return null;
        const at = layers.findLastIndex(({ kind }) => kind !== 'maxPool');
        const layer = layers[at];
        if ((layer?.kind === 'conv' || layer?.kind === 'dense') && layer.activation === 'linear') {
          layers[at] = { ...layer, activation: 'relu' };
        } else layers.push({ kind: 'relu' });
        break;
      }
      case 'maxPool':
        if (node.size !== 2 || node.stride !== 2 || node.padding !== 'valid') return null;
        layers.push({ kind: 'maxPool' });
        break;
      case 'dropout':
        if (node.rate !== null) return null;
        layers.push({ kind: 'dropout' });
        break;
      case 'globalAverage':
        layers.push({ kind: 'globalAveragePool' });
        break;
      case 'batchNorm':
      case 'flatten':
        layers.push({ kind: node.kind });
        break;
      default:
        return null;
    }
  }
  return layers;
}
