import { describe, expect, it } from 'vitest';
import type { BackendName, BackendOption, Trial, Trials } from './backends.ts';
import {
  type Chances,
  candidatesOf,
  chooseCandidate,
  explainBackend,
  findFaster,
  fingerprintOf,
  isSoftwareRenderer,
  rankBackends,
} from './choice.ts';

function option(name: BackendName, change: Partial<BackendOption> = {}): BackendOption {
  return { name, title: name, available: true, isSoftware: false, detail: '', ...change };
}

const timed = (imagesPerSecond: number): Trial => ({
  outcome: 'timed',
  imagesPerSecond,
  warmUpMs: 100,
});
const failed = (message: string): Trial => ({ outcome: 'failed', message });

/** A machine with everything. */
const everything = ['webgl', 'webgpu', 'simd', 'wasm', 'cpu'].map((name) =>
  option(name as BackendName),
);
const emulated = everything.map((each) =>
  each.name === 'webgl' || each.name === 'webgpu' ? { ...each, isSoftware: true } : each,
);

const chances = (change: Partial<Chances> = {}): Chances => ({
  options: everything,
  includesWebGPU: false,
  trials: {},
  ...change,
});

const namesOf = (options: readonly BackendOption[]) => options.map(({ name }) => name);
const chosenBy = (trials: Trials, change: Partial<Chances> = {}) =>
  chooseCandidate(chances({ trials, ...change }))?.name ?? null;

describe('the candidates', () => {
  it('are WebGL on a graphics card and our own kernels', () => {
    expect(namesOf(candidatesOf(chances()))).toEqual(['webgl', 'simd']);
  });

  it('take in WebGPU where the person asked for it', () => {
    expect(namesOf(candidatesOf(chances({ includesWebGPU: true })))).toEqual([
      'webgl',
      'simd',
      'webgpu',
    ]);
  });

  it('are never emulated', () => {
    const software = chances({ options: emulated, includesWebGPU: true });
    expect(namesOf(candidatesOf(software))).toEqual(['simd']);
  });

  it('have stock WASM for our own where the browser lacks SIMD', () => {
    const options = everything.map((each) =>
      each.name === 'simd' ? { ...each, available: false } : each,
    );
    expect(namesOf(candidatesOf(chances({ options })))).toEqual(['webgl', 'wasm']);
  });
});

describe('the choice', () => {
  it('is the graphics card where it was faster', () => {
    expect(chosenBy({ webgl: timed(30_000), simd: timed(9_000) })).toBe('webgl');
  });

  it('is the processor where the graphics card was slower', () => {
    expect(chosenBy({ webgl: timed(4_000), simd: timed(9_000) })).toBe('simd');
  });

  it('is the graphics card where the difference is noise', () => {
    expect(chosenBy({ webgl: timed(9_000), simd: timed(9_500) })).toBe('webgl');
  });

  it('is the other where one failed or was not ready in time', () => {
    expect(chosenBy({ webgl: failed('It was not ready.'), simd: timed(10) })).toBe('simd');
    expect(chosenBy({ webgl: timed(10), simd: failed('No memory.') })).toBe('webgl');
  });

  it('takes figures that are none for a failure', () => {
    for (const figure of [Number.NaN, 0, -1, Number.POSITIVE_INFINITY]) {
      expect(chosenBy({ webgl: timed(figure), simd: timed(10) })).toBe('simd');
      expect(chosenBy({ webgl: timed(10), simd: timed(figure) })).toBe('webgl');
    }
  });

  it('follows the order of preference where all failed', () => {
    expect(chosenBy({ webgl: failed('a'), simd: failed('b') })).toBe('webgl');
  });

  it('is open until all candidates were tried', () => {
    expect(chosenBy({})).toBeNull();
    expect(chosenBy({ simd: timed(9_000) })).toBeNull();
    const both = { webgl: timed(4_000), simd: timed(9_000) };
    expect(chosenBy(both, { includesWebGPU: true })).toBeNull();
  });

  it('needs no trial where there is one candidate', () => {
    expect(chosenBy({}, { options: emulated })).toBe('simd');
    expect(chosenBy({ simd: failed('once') }, { options: emulated })).toBe('simd');
  });

  it('heeds WebGPU only where the person asked for it', () => {
    const trials = { webgl: timed(8_000), simd: timed(7_000), webgpu: timed(20_000) };
    expect(chosenBy(trials)).toBe('webgl');
    expect(chosenBy(trials, { includesWebGPU: true })).toBe('webgpu');
  });

  it('is never what only a person would choose, however fast it was', () => {
    const trials = { simd: timed(10), webgl: timed(90), webgpu: timed(90), wasm: timed(90) };
    expect(chosenBy(trials, { options: emulated, includesWebGPU: true })).toBe('simd');
  });

  it('is null where there is no candidate', () => {
    expect(chosenBy({}, { options: [option('cpu')] })).toBeNull();
  });
});

describe('the order in which backends are started', () => {
  it('begins with WebGL on a graphics card before any trial', () => {
    expect(namesOf(rankBackends(chances()))).toEqual(['webgl', 'simd', 'wasm', 'webgpu', 'cpu']);
  });

  it('begins with the fastest after the trials', () => {
    const trials = { webgl: timed(4_000), simd: timed(9_000) };
    expect(namesOf(rankBackends(chances({ trials })))).toEqual([
      'simd',
      'webgl',
      'wasm',
      'webgpu',
      'cpu',
    ]);
  });

  it('begins with our own where graphics are emulated', () => {
    const order = namesOf(rankBackends(chances({ options: emulated })));
    expect(order).toEqual(['simd', 'wasm', 'webgl', 'webgpu', 'cpu']);
  });

  it('has only what is there', () => {
    const options = [option('webgl', { available: false }), option('wasm'), option('cpu')];
    expect(namesOf(rankBackends(chances({ options })))).toEqual(['wasm', 'cpu']);
  });
});

describe('the reason', () => {
  it('tells what the trials showed', () => {
    const reasonOf = (trials: Trials, active: BackendName) =>
      explainBackend(option(active), chances({ trials }));
    expect(reasonOf({ webgl: timed(4_000), simd: timed(9_000) }, 'simd')).toBe(
      'When both were tried here, simd trained 2.3 times as fast as webgl.',
    );
    expect(reasonOf({ webgl: timed(9_000), simd: timed(9_100) }, 'webgl')).toContain(
      'about equally fast',
    );
    expect(reasonOf({ webgl: failed('Too slow.'), simd: timed(9) }, 'simd')).toBe(
      'webgl did not pass its trial. Too slow.',
    );
    expect(reasonOf({ webgl: failed('A.'), simd: failed('B.') }, 'webgl')).toContain('B.');
  });

  it('tells why there was nothing to try', () => {
    const onEmulated = (name: BackendName) =>
      explainBackend(option(name), chances({ options: emulated }));
    expect(onEmulated('simd')).toContain('would be emulated');
    expect(explainBackend(option('webgl'), chances())).toBe('WebGL runs on your graphics card.');
    const without = [option('webgl', { available: false }), option('simd')];
    const reason = explainBackend(option('simd'), chances({ options: without }));
    expect(reason).toContain('WebGL cannot be used');
    expect(reason).not.toContain('emulated');
  });

  it('tells of a browser without SIMD', () => {
    const options = emulated.map((each) =>
      each.name === 'simd' ? { ...each, title: 'CPU (Atelier)', available: false } : each,
    );
    expect(explainBackend(option('wasm'), chances({ options }))).toContain(
      'CPU (Atelier) needs WebAssembly SIMD, which this browser lacks',
    );
  });
});

describe('what would be faster than the engine that runs', () => {
  const trials = { webgl: timed(18_000), simd: timed(9_000) };

  it('is told with the factor', () => {
    expect(findFaster('simd', chances({ trials }))).toMatchObject({
      option: { name: 'webgl' },
      times: '2.0 times',
    });
  });

  it('is nothing where the fastest runs, where it is noise, and before the trials', () => {
    expect(findFaster('webgl', chances({ trials }))).toBeNull();
    expect(findFaster('simd', chances())).toBeNull();
    const close = { webgl: timed(9_500), simd: timed(9_000) };
    expect(findFaster('simd', chances({ trials: close }))).toBeNull();
    expect(findFaster('wasm', chances({ trials }))).toBeNull();
  });
});

describe('the fingerprint of a machine', () => {
  const machine = { numCores: 8, isIsolated: true, version: 'worker-abc.js' };
  const of = (change: object = {}, options = everything) =>
    fingerprintOf(options, { ...machine, ...change });

  it('stays while nothing changes', () => {
    expect(of()).toBe(of());
  });

  it('changes with cores, isolation, version and graphics card', () => {
    const card = everything.map((each) => ({ ...each, detail: 'Another card' }));
    const prints = [
      of(),
      of({ numCores: 4 }),
      of({ isIsolated: false }),
      of({ version: 'worker-def.js' }),
      of({}, card),
      of({}, emulated),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });
});

describe('a renderer', () => {
  it.each([
    'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)',
    'llvmpipe (LLVM 15.0.6, 256 bits)',
    'ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11 vs_5_0 ps_5_0)',
    'Apple Software Renderer',
  ])('%s is software', (renderer) => {
    expect(isSoftwareRenderer(renderer)).toBe(true);
  });

  it.each([
    'ANGLE (NVIDIA, NVIDIA GeForce RTX 3060 Direct3D11 vs_5_0 ps_5_0)',
    'Apple GPU',
    'Mesa Intel(R) UHD Graphics 620 (KBL GT2)',
    'Adreno (TM) 640',
  ])('%s is hardware', (renderer) => {
    expect(isSoftwareRenderer(renderer)).toBe(false);
  });
});
