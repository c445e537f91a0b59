import { describe, expect, it } from 'vitest';
import { NETWORK_PRESETS } from '../network/presets.ts';
import { workloadName } from './job.ts';

const recipe = { batchSize: 64 };
const { spec } = NETWORK_PRESETS.classic;

describe('the name of a workload', () => {
  it('is the preset’s, also of a copy of it under another title', () => {
    expect(workloadName({ network: spec, recipe })).toBe('classic@64');
    const copy = { ...structuredClone(spec), title: 'Mine' };
    expect(workloadName({ network: copy, recipe })).toBe('classic@64');
  });

  it('follows from the nodes where it is no preset', () => {
    const own = { title: 'Mine', nodes: spec.nodes.slice(0, 3) };
    const other = { title: 'Mine', nodes: spec.nodes.slice(0, 4) };
    const name = workloadName({ network: own, recipe });
    expect(name).toMatch(/^[0-9a-f]{8}@64$/);
    expect(workloadName({ network: structuredClone(own), recipe })).toBe(name);
    expect(workloadName({ network: other, recipe })).not.toBe(name);
  });
});
