/** What is trained: a value that needs no form, so that it may wait in a queue. */
import { crc32 } from '../formats/crc32.ts';
import type { Recipe } from '../ml/spec/recipe.ts';
import { findNetworkPreset } from '../network/presets.ts';
import type { NetworkSpec } from '../network/spec.ts';

export interface TrainJob {
  readonly network: NetworkSpec;
  readonly recipe: Recipe;
  /**
   * 'inUse': what is loaded; where that is nothing the full set, and where that is not there the
   * sample. A source by name: that one, loaded first where another is in use.
   */
  readonly data: 'inUse' | 'full' | 'sample';
}

/** What the speed of an engine depends on. */
export type Workload = Pick<TrainJob, 'network' | 'recipe'>;

/** Names by which trials are known; a network is compared with the presets once. */
const names = new WeakMap<NetworkSpec, string>();

/** Names what trials hold for, e.g. "classic@128", or "5f1c09aa@128" for a network of one's own. */
export function workloadName({
  network,
  recipe,
}: Pick<TrainJob, 'network'> & { readonly recipe: Pick<Recipe, 'batchSize'> }): string {
  let name = names.get(network);
  if (name === undefined) {
    const text = new TextEncoder().encode(JSON.stringify(network.nodes));
    name = findNetworkPreset(network)?.name ?? crc32(text).toString(16).padStart(8, '0');
    names.set(network, name);
  }
  return `${name}@${recipe.batchSize}`;
}
