/**
 * Owns which backend is best on a machine, and why, in words: which ones are worth a trial, what
 * follows from the trials, and by what a machine is known again. Pure: the page imports it.
 */
import type { BackendName, BackendOption, Trials } from './backends.ts';

/** Whether a renderer, as WebGL or WebGPU names it, runs on the processor. */
export function isSoftwareRenderer(renderer: string): boolean {
  return /swiftshader|llvmpipe|softpipe|microsoft basic render|software/i.test(renderer);
}

/**
 * A backend has to be this much faster than one before it in the order of preference. Below that the
 * difference is noise, and the graphics card leaves the processor to the page and other programs.
 */
const CLEARLY_FASTER = 1.1;

/** What the choice is made from. */
export interface Chances {
  readonly options: readonly BackendOption[];
  /** Whether WebGPU takes part: only where the person asked for it. */
  readonly includesWebGPU: boolean;
  /** Of the network to be trained, as far as it was tried. */
  readonly trials: Trials;
}

/**
 * The backends worth a trial, in order of preference: WebGL on a graphics card, the better one on the
 * processor, and WebGPU on a graphics card where the person asked for it. What is emulated on the
 * processor is never among them: our own kernels run there hundreds of times as fast.
 */
export function candidatesOf({
  options,
  includesWebGPU,
}: Omit<Chances, 'trials'>): readonly BackendOption[] {
  const find = (wanted: BackendName) =>
    options.find(({ name, available, isSoftware }) => name === wanted && available && !isSoftware);
  const candidates = [find('webgl'), find('simd') ?? find('wasm')];
  if (includesWebGPU) candidates.push(find('webgpu'));
  return candidates.filter((option) => option !== undefined);
}

/**
 * The candidate to run. Where there is one, no trial is needed; where none passed its trial, the
 * order of preference decides. Null while the trial of one of several is still to come, and where
 * there is no candidate.
 */
export function chooseCandidate(chances: Chances): BackendOption | null {
  const [first, ...others] = candidatesOf(chances);
  if (!first || others.length === 0) return first ?? null;
  if ([first, ...others].some(({ name }) => !chances.trials[name])) return null;
  return others.reduce(
    (best, other) =>
      speedOf(other, chances) > CLEARLY_FASTER * speedOf(best, chances) ? other : best,
    first,
  );
}

/** Images a second in training; 0 where there is no such figure. */
function speedOf({ name }: BackendOption, { trials }: Chances): number {
  const trial = trials[name];
  if (trial?.outcome !== 'timed') return 0;
  return Number.isFinite(trial.imagesPerSecond) ? Math.max(0, trial.imagesPerSecond) : 0;
}

/** The available backends, best first, for the case that the best does not start. */
export function rankBackends(chances: Chances): readonly BackendOption[] {
  const chosen = chooseCandidate(chances);
  return chances.options
    .filter(({ available }) => available)
    .sort((a, b) => {
      if (a === chosen || b === chosen) return a === chosen ? -1 : 1;
      return preferenceOf(a) - preferenceOf(b);
    });
}

/** The options on a visit on which some backends broke down: those are not available any more. */
export function excludeBackends(
  options: readonly BackendOption[],
  names: readonly BackendName[],
): readonly BackendOption[] {
  return options.map((option) =>
    option.available && names.includes(option.name)
      ? {
          ...option,
          available: false,
          detail: 'It stopped again and again. Load the page anew to use it.',
        }
      : option,
  );
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

/** Why `active` runs where nobody chose it, in a sentence or two. */
export function explainBackend(active: BackendOption, chances: Chances): string {
  if (chooseCandidate(chances)?.name === active.name) {
    const comparisons = candidatesOf(chances)
      .filter(({ name }) => name !== active.name)
      .map((other) => compare(active, other, chances));
    if (comparisons.length > 0) return comparisons.join(' ');
  }
  const webgl = chances.options.find(({ name }) => name === 'webgl');
  const simd = chances.options.find(({ name }) => name === 'simd');
  const place = webgl?.isSoftware
    ? 'No graphics card can be used here: WebGL would be emulated on the processor.'
    : 'WebGL cannot be used here.';
  switch (active.name) {
    case 'webgl':
      return active.isSoftware
        ? 'WebGL runs, emulated on the processor: slow, but nothing better is there.'
        : 'WebGL runs on your graphics card.';
    case 'simd':
      return `${place} ${active.title} runs on the processor directly.`;
    case 'wasm':
      return simd?.available
        ? `${place} ${active.title} runs on the processor directly.`
        : `${place} ${simd?.title} needs WebAssembly SIMD, which this browser lacks, so TensorFlow.js’s own ${active.title} runs. A current browser trains several times as fast.`;
    case 'webgpu':
      return 'WebGPU runs, since neither WebGL nor WASM does.';
    case 'cpu':
      return 'Plain JavaScript runs, since nothing faster is there.';
    default:
      throw new RangeError(`Unknown backend ${active.name satisfies never}.`);
  }
}

/** How the chosen one did beside another that was tried. */
function compare(chosen: BackendOption, other: BackendOption, chances: Chances): string {
  const trial = chances.trials[other.name];
  if (trial?.outcome === 'failed') return `${other.title} did not pass its trial. ${trial.message}`;
  const ratio = speedOf(chosen, chances) / speedOf(other, chances);
  if (ratio >= CLEARLY_FASTER) {
    return `When both were tried here, ${chosen.title} trained ${formatTimes(ratio)} as fast as ${other.title}.`;
  }
  const merit = chosen.name === 'webgl' ? '; the graphics card leaves the processor free' : '';
  return `When both were tried here, ${chosen.title} and ${other.title} trained about equally fast${merit}.`;
}

/** A candidate that would train clearly faster than the backend that runs. */
export interface FasterBackend {
  readonly option: BackendOption;
  /** E.g. "1.8 times". */
  readonly times: string;
}

/** What would train faster than `active`, as far as was tried; null where nothing would. */
export function findFaster(active: BackendName, chances: Chances): FasterBackend | null {
  const running = chances.options.find(({ name }) => name === active);
  const chosen = chooseCandidate(chances);
  if (!running || !chosen || chosen === running) return null;
  const ratio = speedOf(chosen, chances) / speedOf(running, chances);
  if (!Number.isFinite(ratio) || ratio < CLEARLY_FASTER) return null;
  return { option: chosen, times: formatTimes(ratio) };
}

function formatTimes(ratio: number): string {
  return `${ratio < 9.95 ? ratio.toFixed(1) : Math.round(ratio)} times`;
}

/**
 * What the trials hold for: another graphics card, number of cores, isolation or version of the
 * kernels makes them void.
 * @param version Changes with the code that calculates.
 */
export function fingerprintOf(
  options: readonly BackendOption[],
  machine: {
    readonly numCores: number;
    readonly isIsolated: boolean;
    readonly version: string;
  },
): string {
  const backends = options.map(({ name, available, isSoftware, detail }) => [
    name,
    available,
    isSoftware,
    detail,
  ]);
  return JSON.stringify([backends, machine.numCores, machine.isIsolated, machine.version]);
}
