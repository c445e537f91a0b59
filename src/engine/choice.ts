/**
 * Owns which backend is best on a machine, and why, in words. Pure.
 */
import type { BackendOption } from './backends.ts';

/** Whether a renderer, as WebGL or WebGPU names it, runs on the processor. */
export function isSoftwareRenderer(renderer: string): boolean {
  return /swiftshader|llvmpipe|softpipe|microsoft basic render|software/i.test(renderer);
}

/** The available backends, best first: WebGL on a graphics card, else our own on the processor. */
export function rankBackends(options: readonly BackendOption[]): readonly BackendOption[] {
  return options
    .filter(({ available }) => available)
    .sort((a, b) => preferenceOf(a) - preferenceOf(b));
}

/** Smaller is better. WebGPU comes after the CPU's: TensorFlow.js has it for less long. */
function preferenceOf({ name, isSoftware }: BackendOption): number {
  switch (name) {
    case 'webgl':
      return isSoftware ? 4 : 0;
    case 'simd':
      return 1;
    case 'wasm':
      return 2;
    case 'webgpu':
      return isSoftware ? 5 : 3;
    case 'cpu':
      return 6;
    default:
      throw new RangeError(`Unknown backend ${name satisfies never}.`);
  }
}

/** Why `active` runs where nobody chose it, in a sentence. */
export function explainBackend(active: BackendOption, options: readonly BackendOption[]): string {
  const webgl = options.find(({ name }) => name === 'webgl');
  switch (active.name) {
    case 'webgl':
      return active.isSoftware
        ? 'WebGL runs, emulated on the processor: slow, but nothing better is there.'
        : 'WebGL runs on your graphics card.';
    case 'simd':
    case 'wasm':
      return webgl?.isSoftware
        ? `No graphics card can be used here and WebGL would be emulated on the processor; ${active.title} is many times faster.`
        : `WebGL cannot be used here, so ${active.title} runs on the processor.`;
    case 'webgpu':
      return 'WebGPU runs, since neither WebGL nor WASM does.';
    case 'cpu':
      return 'Plain JavaScript runs, since nothing faster is there.';
    default:
      throw new RangeError(`Unknown backend ${active.name satisfies never}.`);
  }
}
