/**
 * TensorFlow.js's backends on this machine: which there are, which one runs, and the traps on
 * the way to each. Runs in the model worker; a backend is chosen once in a worker's life.
 */
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plainBinary from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simdBinary from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import {
  BACKEND_TITLES,
  type BackendName,
  type BackendOption,
  type EngineInfo,
  type EngineWish,
} from './backends.ts';
import {
  type Chances,
  excludeBackends,
  explainBackend,
  fingerprintOf,
  isSoftwareRenderer,
  rankBackends,
} from './choice.ts';
import { defaultNumThreads, kernelSupport } from './simd/kernels.ts';
import { registerSimdBackend } from './simd/register.ts';
import { registerWasmKernels } from './stock/wasmKernels.ts';
import { watchReads } from './webgl/pulse.ts';
import { registerWebGLKernels } from './webgl/tensorKernels.ts';

/** A backend could not be started. The message is for people. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** A driver that does not answer must not keep the page waiting. */
const ADAPTER_PATIENCE_MS = 3000;

/**
 * Looks at what this machine has and starts the backend: the one chosen, where it is there, else the
 * one that trained fastest when they were tried, else (before any trial) WebGL on a graphics card,
 * our own on the processor, or what is left.
 *
 * @param onLost Called when the backend dies later, a lost WebGL context say; every pending and
 *   later call to it then hangs, so end the worker. The message is for people.
 * @throws {EngineError} where the chosen one is there and does not start, or where none does.
 */
export async function startEngine(
  { choice, includesWebGPU, memory, excluded }: EngineWish,
  onLost: (error: EngineError) => void,
): Promise<EngineInfo> {
  tf.enableProdMode();
  // Before the first query of a WebGL flag, which would settle that software is refused.
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  // The threaded build starts workers from `blob:` addresses, which the page's policy forbids.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);

  const there = [probeWebGL(), await probeWebGPU(), probeSimd(), await probeWasm(), CPU];
  const fingerprint = fingerprintOf(there, {
    numCores: navigator.hardwareConcurrency,
    isIsolated: globalThis.crossOriginIsolated,
    // In a build the name of this worker's script changes with all of its code.
    version: self.location.pathname.replace(/.*\//, ''),
  });
  const options = excludeBackends(there, excluded);
  const known = { choice, options, fingerprint };
  const chosen = options.find(({ name, available }) => name === choice && available);
  if (chosen) {
    await startBackend(chosen, onLost);
    return { ...known, active: chosen.name, reason: `${chosen.title} is your choice.` };
  }

  const trials = memory?.fingerprint === fingerprint ? memory.trials : {};
  const chances: Chances = { options, includesWebGPU, trials };
  const failures: string[] = [];
  for (const option of rankBackends(chances)) {
    try {
      await startBackend(option, onLost);
      const missing = options.find(({ name }) => name === choice);
      const stopped = there.filter(
        ({ name, available }) => available && excluded.includes(name) && name !== choice,
      );
      const reasons = [
        ...(missing ? [`${missing.title}, your choice, is not available: ${missing.detail}`] : []),
        ...stopped.map(({ title }) => `${title} stopped again and again.`),
        ...failures,
        explainBackend(option, chances),
      ];
      return { ...known, active: option.name, reason: reasons.join(' ') };
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      failures.push(error.message);
    }
  }
  throw new EngineError(
    `Nothing in this browser can do the arithmetic. ${failures.join(' ')} Try a current version of Firefox, Chrome, Edge or Safari.`,
  );
}

// ---- what is there --------------------------------------------------------------------------

const CPU: BackendOption = {
  name: 'cpu',
  title: BACKEND_TITLES.cpu,
  available: true,
  isSoftware: false,
  detail: 'No WebAssembly: works everywhere, very slow.',
};

function probeWebGL(): BackendOption {
  const option = {
    name: 'webgl',
    title: BACKEND_TITLES.webgl,
    available: false,
    isSoftware: false,
  } as const;
  if (typeof OffscreenCanvas === 'undefined') {
    return { ...option, detail: 'This browser draws on a page only, not in the background.' };
  }
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return { ...option, detail: 'This browser has no WebGL 2, or it is switched off.' };
  const rendersFloats =
    gl.getExtension('EXT_color_buffer_float') ?? gl.getExtension('EXT_color_buffer_half_float');
  const unmasked = gl.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL;
  const renderer = String(gl.getParameter(unmasked ?? gl.RENDERER));
  // Browsers allow few contexts; this one has told what it had to.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  if (!rendersFloats) {
    return { ...option, detail: `${renderer} cannot calculate with fractions.` };
  }
  const isSoftware = isSoftwareRenderer(renderer);
  return { ...option, available: true, isSoftware, detail: renderer };
}

async function probeWebGPU(): Promise<BackendOption> {
  const option = {
    name: 'webgpu',
    title: BACKEND_TITLES.webgpu,
    available: false,
    isSoftware: false,
  } as const;
  if (!('gpu' in navigator) || !navigator.gpu) {
    return { ...option, detail: 'This browser does not offer WebGPU.' };
  }
  const patience = new Promise<null>((resolve) => setTimeout(resolve, ADAPTER_PATIENCE_MS, null));
  const adapter = await Promise.race([navigator.gpu.requestAdapter(), patience]).catch(() => null);
  if (!adapter) return { ...option, detail: 'This browser has WebGPU, but no adapter for it.' };
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(' ');
  return {
    ...option,
    available: true,
    isSoftware: isFallbackAdapter || isSoftwareRenderer(name),
    detail: name || 'An adapter that does not tell its name.',
  };
}

function probeSimd(): BackendOption {
  const option = { name: 'simd', title: BACKEND_TITLES.simd, isSoftware: false } as const;
  const { simd, relaxedSimd, threads } = kernelSupport();
  if (!simd) return { ...option, available: false, detail: 'This browser lacks WebAssembly SIMD.' };
  const numThreads = defaultNumThreads();
  const where = threads
    ? `on ${numThreads === 1 ? 'one core' : `${numThreads} cores`}`
    : 'on one core, since this page is not served cross-origin isolated';
  const how = relaxedSimd ? ' with fused multiply-add' : '';
  return { ...option, available: true, detail: `Kernels of our own ${where}${how}.` };
}

async function probeWasm(): Promise<BackendOption> {
  const option = { name: 'wasm', title: BACKEND_TITLES.wasm, isSoftware: false } as const;
  if (typeof WebAssembly === 'undefined') {
    return { ...option, available: false, detail: 'This browser does not run WebAssembly.' };
  }
  const hasSimd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const detail = hasSimd
    ? 'WebAssembly on one core, four numbers at a time (SIMD).'
    : 'WebAssembly on one core, one number at a time: this browser lacks SIMD.';
  return { ...option, available: true, detail };
}

// ---- starting -------------------------------------------------------------------------------

async function startBackend(
  { name, title }: BackendOption,
  onLost: (error: EngineError) => void,
): Promise<void> {
  let cause: unknown = null;
  let isStarted = false;
  try {
    await prepare(name);
    isStarted = await tf.setBackend(name);
    await tf.ready();
  } catch (error) {
    cause = error;
    isStarted = false;
  }
  if (!isStarted) {
    const why = cause instanceof Error ? ` (${cause.message})` : '';
    throw new EngineError(
      `${title} is offered here and does not start${why}. Choose another engine.`,
      { cause },
    );
  }
  await watch(name, () =>
    onLost(
      new EngineError(
        `${title} stopped working: the system took the graphics card away, or its driver failed.`,
      ),
    ),
  );
  if (name === 'webgl') await registerWebGLKernels();
}

async function prepare(name: BackendName): Promise<void> {
  switch (name) {
    case 'webgl':
      if (tf.env().getBool('IS_SAFARI')) {
        // TensorFlow.js looks for a canvas of the page there, which a worker has not.
        tf.removeBackend('webgl');
        tf.registerBackend('webgl', () => new tf.MathBackendWebGL(new OffscreenCanvas(1, 1)));
      }
      return;
    case 'webgpu':
      await import('@tensorflow/tfjs-backend-webgpu');
      return;
    case 'simd':
      await registerSimdBackend();
      return;
    case 'wasm':
      setWasmPaths({
        'tfjs-backend-wasm.wasm': plainBinary,
        'tfjs-backend-wasm-simd.wasm': simdBinary,
        // Asked for, and never used.
        'tfjs-backend-wasm-threaded-simd.wasm': simdBinary,
      });
      registerWasmKernels();
      return;
    case 'cpu':
      return;
    default:
      throw new RangeError(`Unknown backend ${name satisfies never}.`);
  }
}

async function watch(name: BackendName, onLost: () => void): Promise<void> {
  if (name === 'webgl') {
    const backend = tf.backend();
    if (backend instanceof tf.MathBackendWebGL) {
      const { gl } = backend.gpgpu;
      gl.canvas.addEventListener('webglcontextlost', onLost, { once: true });
      // Not every context that dies says so.
      if (gl instanceof WebGL2RenderingContext) watchReads(backend, gl, onLost);
    }
  } else if (name === 'webgpu') {
    const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
    const backend = tf.backend();
    if (backend instanceof WebGPUBackend) {
      void backend.device.lost.then(({ reason }) => {
        if (reason !== 'destroyed') onLost();
      });
    }
  }
}
