/**
 * A list of draws that is planned once and repeated: values and their gradients, where in memory they
 * are, and what is added up where a graph forks.
 *
 * Neither activations nor sums at forks are draws: an activation is done by whoever writes its output,
 * and whoever writes a gradient last adds what the other readers gave and goes back through the
 * activation.
 */
import type { ActivationName, Sink } from './activations.ts';
import {
  type Device,
  type ProgramSpec,
  type Target,
  type Texture,
  WebGLDeviceError,
} from './device.ts';
import { passGradient } from './elementwise.ts';
import type { Layout, Volume } from './volume.ts';

/** Textures of a plan are not to take more than this: the tab is not alone on the device. */
export const MAX_BYTES = 1.5 * 2 ** 30;

/** What a value came through, and the volume that the gradient follows from: see `Sink`. */
export interface Mask {
  readonly activation: ActivationName;
  readonly by: Volume;
}

/** What a node made. */
export interface Value {
  readonly volume: Volume;
  /** Whether weights before it wait for the gradient. */
  readonly needsGradient: boolean;
  readonly mask: Mask | null;
  /** Readers that have not given their part of the gradient, as far as planned. */
  numDue: number;
  /** The sum of the parts so far. */
  gradient: Volume | null;
}

/** Where a volume lies. */
type Room = Pick<Volume, 'texture' | 'target'>;

interface Stage {
  readonly output: Value;
  /** Plans the draws backward; gives each input that needs a gradient its part once. */
  readonly backward: (gradient: Volume) => void;
}

type Textures = () => readonly (Texture | WebGLTexture)[];
type Uniforms = () => Readonly<Record<string, number>>;

export class DrawPlan {
  readonly device: Device;
  readonly #textures = new Set<Texture>();
  readonly #targets = new Set<Target>();
  readonly #rooms = new Map<Texture, Room>();
  /** Free again further on in the plan. */
  #spare: Room[] = [];
  /** How many hold a gradient that several share. */
  readonly #numHolders = new Map<Texture, number>();
  readonly #draws: (() => void)[] = [];
  readonly #stages: Stage[] = [];

  constructor(device: Device) {
    this.device = device;
  }

  /** Does all that was planned. */
  run(): void {
    for (const draw of this.#draws) draw();
  }

  dispose(): void {
    for (const { texture, target } of this.#rooms.values()) {
      this.device.freeTarget(target);
      this.device.freeTexture(texture);
    }
    for (const target of this.#targets) this.device.freeTarget(target);
    for (const texture of this.#textures) this.device.freeTexture(texture);
  }

  // ---- values and gradients -------------------------------------------------------------------

  /** A stage whose `output` follows from `inputs`. Planned forward by the caller. */
  addStage(
    inputs: readonly Value[],
    output: {
      readonly volume: Volume;
      readonly mask?: Mask | null;
      /** Whether it has weights of its own to train. */
      readonly isTrained?: boolean;
    },
    backward: Stage['backward'],
  ): Value {
    const { volume, mask = null, isTrained = false } = output;
    const needsGradient = isTrained || inputs.some((input) => input.needsGradient);
    for (const input of inputs) if (input.needsGradient) input.numDue++;
    const value: Value = { volume, needsGradient, mask, numDue: 0, gradient: null };
    this.#stages.push({ output: value, backward });
    return value;
  }

  /** Plans a draw that writes a part of the gradient by a value, where it needs one. */
  contribute(
    value: Value,
    makeSpec: (sink: Sink) => ProgramSpec,
    textures: Textures,
    uniforms?: Uniforms,
  ): void {
    if (!value.needsGradient) return;
    value.numDue--;
    const others = value.gradient;
    const mask = value.numDue === 0 ? value.mask : null;
    const volume = this.makeVolume(value.volume.layout);
    const sink = { isSum: others !== null, activation: mask?.activation ?? null };
    const more = [...(others ? [others.texture] : []), ...(mask ? [mask.by.texture] : [])];
    this.draw(makeSpec(sink), volume.target, () => [...textures(), ...more], uniforms);
    if (others) this.#release(others);
    this.#numHolders.set(volume.texture, 1);
    value.gradient = volume;
  }

  /** Gives a gradient as it is to a value: without a draw, where nothing is to be done to it. */
  share(value: Value, gradient: Volume): void {
    if (!value.needsGradient) return;
    if (value.gradient || (value.numDue === 1 && value.mask)) {
      this.contribute(
        value,
        (sink) => passGradient(value.volume.layout, sink),
        () => [gradient.texture],
      );
      return;
    }
    value.numDue--;
    value.gradient = { ...gradient, layout: value.volume.layout };
    const { texture } = gradient;
    this.#numHolders.set(texture, (this.#numHolders.get(texture) ?? 0) + 1);
  }

  #release({ texture }: Volume): void {
    const numHolders = (this.#numHolders.get(texture) ?? 0) - 1;
    this.#numHolders.set(texture, numHolders);
    if (numHolders === 0) this.#spareTexture(texture);
  }

  #spareTexture(texture: Texture): void {
    const room = this.#rooms.get(texture);
    if (room) this.#spare.push(room);
  }

  /** Plans all stages backward, from the last one, whose gradient is there. */
  planBackward(): void {
    for (const { output, backward } of this.#stages.toReversed()) {
      const { gradient } = output;
      if (gradient) {
        backward(gradient);
        this.#release(gradient);
      } else if (output.needsGradient) {
        throw new Error('A value whose gradient is needed was given none.');
      }
      this.#spareTexture(output.volume.texture);
    }
    this.#spare = [];
  }

  // ---- memory ---------------------------------------------------------------------------------

  makeVolume(layout: Layout): Volume {
    const { textureWidth, textureHeight } = layout;
    return { ...this.#take(textureWidth, textureHeight), layout };
  }

  /** A layered texture for what `use` plans, which is free again after that. */
  withScratch(width: number, height: number, use: (room: Room) => void): void {
    const room = this.#take(width, height);
    use(room);
    this.#spare.push(room);
  }

  #take(width: number, height: number): Room {
    const index = this.#spare.findIndex(
      ({ texture }) => texture.width === width && texture.height === height,
    );
    const [spare] = index < 0 ? [] : this.#spare.splice(index, 1);
    if (spare) return spare;
    if (this.device.numBytes > MAX_BYTES) {
      throw new WebGLDeviceError('The network takes too much memory with this batch size.');
    }
    const texture = this.device.makeTexture('layered', width, height);
    const room = { texture, target: this.device.makeTarget([texture]) };
    this.#rooms.set(texture, room);
    return room;
  }

  makeFlat(width: number, height: number): Texture {
    const texture = this.device.makeTexture('flat', width, height);
    this.#textures.add(texture);
    return texture;
  }

  makeTarget(textures: readonly [Texture, ...Texture[]]): Target {
    const target = this.device.makeTarget(textures);
    this.#targets.add(target);
    return target;
  }

  // ---- draws ----------------------------------------------------------------------------------

  /** Adds a draw. What it reads is asked for each time. */
  draw(spec: ProgramSpec, target: Target, textures: Textures, uniforms?: Uniforms): void {
    const program = this.device.program(spec);
    this.#draws.push(() => {
      const handles = textures().map((texture) => ('handle' in texture ? texture.handle : texture));
      this.device.draw(program, handles, target, uniforms?.());
    });
  }

  /** Adds anything else that a step does at this place. */
  call(work: () => void): void {
    this.#draws.push(work);
  }
}
