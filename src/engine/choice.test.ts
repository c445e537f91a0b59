import { describe, expect, it } from 'vitest';
import type { BackendName, BackendOption } from './backends.ts';
import { explainBackend, isSoftwareRenderer, rankBackends } from './choice.ts';

function option(name: BackendName, change: Partial<BackendOption> = {}): BackendOption {
  return { name, title: name, available: true, isSoftware: false, detail: '', ...change };
}

const namesOf = (options: readonly BackendOption[]) => options.map(({ name }) => name);

describe('the best backend', () => {
  it('is WebGL on a graphics card', () => {
    const all = [option('cpu'), option('wasm'), option('webgpu'), option('webgl')];
    expect(namesOf(rankBackends(all))).toEqual(['webgl', 'wasm', 'webgpu', 'cpu']);
  });

  it('is WASM where WebGL and WebGPU are emulated', () => {
    const all = [
      option('webgl', { isSoftware: true }),
      option('webgpu', { isSoftware: true }),
      option('wasm'),
      option('cpu'),
    ];
    expect(namesOf(rankBackends(all))).toEqual(['wasm', 'webgl', 'webgpu', 'cpu']);
    expect(explainBackend(option('wasm'), all)).toContain('would be emulated');
  });

  it('is never one that is not there', () => {
    const all = [option('webgl', { available: false }), option('wasm'), option('cpu')];
    expect(namesOf(rankBackends(all))).toEqual(['wasm', 'cpu']);
    expect(explainBackend(option('wasm'), all)).not.toContain('emulated');
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
