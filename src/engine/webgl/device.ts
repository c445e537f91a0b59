/**
 * Drawing in TensorFlow.js's WebGL context beside TensorFlow.js: programs, textures and draws
 * with several outputs, which its own programs do not have. TensorFlow.js sets all the state it needs
 * before each of its draws, and so does this; neither has to clean up after the other.
 */
import * as tf from '@tensorflow/tfjs';

/** The device cannot do what a kernel needs, or a shader does not compile. */
export class WebGLDeviceError extends Error {
  override readonly name = 'WebGLDeviceError';
}

/**
 * What a sampler of a shader reads: the four layers of one texture, a flat one, a flat one of whole
 * numbers, or bytes (as 0–1 in `.r`) in layers.
 */
export type SamplerKind = 'layered' | 'flat' | 'integers' | 'bytes';
export type UniformKind = 'float' | 'int' | 'uint';

export interface ProgramSpec {
  /** For error messages. */
  readonly name: string;
  readonly samplers: Readonly<Record<string, SamplerKind>>;
  readonly uniforms?: Readonly<Record<string, UniformKind>>;
  /** Colours written at once, as `out0` to `out3`. */
  readonly numOutputs: number;
  /** GLSL ES 3.00 after the declarations, with `main`. */
  readonly body: string;
}

/** RGBA numbers: float32, or float16 where the device renders no more; int32; or bytes. */
export interface Texture {
  readonly kind: SamplerKind;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly handle: WebGLTexture;
}

/** Where a draw writes, and which part of it. */
export interface Target {
  readonly framebuffer: WebGLFramebuffer;
  /** Columns and rows from `x`, `y`; fragments outside are not drawn. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Program {
  readonly spec: ProgramSpec;
  readonly handle: WebGLProgram;
  readonly shader: WebGLShader;
  /** Set at the first draw: asking earlier would wait for the compiler. */
  locations: Map<string, WebGLUniformLocation | null> | null;
}

/** The first draw of the program has not happened yet, and may not have to wait. */
export type ProgramId = Program;

const NUM_LAYERS = 4;
/** Every WebGL 2 device has textures of this side. */
const MAX_SIDE = 2048;
const POLL_MS = 4;

const GLSL_SAMPLERS: Readonly<Record<SamplerKind, string>> = {
  layered: 'sampler2DArray',
  flat: 'sampler2D',
  integers: 'isampler2D',
  bytes: 'sampler2DArray',
};

const VERTEX_SHADER = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const devices = new WeakMap<tf.MathBackendWebGL, Device>();

export class Device {
  readonly backend: tf.MathBackendWebGL;
  /** Longest side of a texture. */
  readonly maxSide: number;
  readonly #gl: WebGL2RenderingContext;
  readonly #vertexArray: WebGLVertexArrayObject;
  readonly #vertexShader: WebGLShader;
  readonly #scratch: WebGLFramebuffer;
  readonly #programs = new Map<string, Program>();
  readonly #isHalf: boolean;
  #numBytes = 0;

  private constructor(backend: tf.MathBackendWebGL, gl: WebGL2RenderingContext) {
    this.backend = backend;
    this.#gl = gl;
    // Not `backend.floatPrecision()`, which says 16 of every device that renders float32.
    this.#isHalf = !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');
    this.maxSide = Math.max(MAX_SIDE, gl.getParameter(gl.MAX_TEXTURE_SIZE));
    this.#vertexArray = gl.createVertexArray();
    this.#scratch = gl.createFramebuffer();
    this.#vertexShader = this.#compile(gl.VERTEX_SHADER, VERTEX_SHADER);
  }

  /** Of the backend in charge. */
  static current(): Device | null {
    return Device.of(tf.backend());
  }

  /** Of TensorFlow.js's WebGL backend, if it has WebGL 2; of other backends null. */
  static of(backend: unknown): Device | null {
    if (!(backend instanceof tf.MathBackendWebGL)) return null;
    const known = devices.get(backend);
    if (known) return known;
    const gl: unknown = backend.gpgpu.gl;
    if (!(gl instanceof WebGL2RenderingContext)) return null;
    const device = new Device(backend, gl);
    devices.set(backend, device);
    return device;
  }

  /** Bytes of all textures made here and not freed. */
  get numBytes(): number {
    return this.#numBytes;
  }

  /** Whether numbers are kept in 16 bits. */
  get isHalf(): boolean {
    return this.#isHalf;
  }

  // ---- textures -------------------------------------------------------------------------------

  makeTexture(kind: 'layered' | 'flat' | 'integers', width: number, height: number): Texture {
    const gl = this.#gl;
    const [format, bytesPerTexel] =
      kind === 'integers' ? [gl.RGBA32I, 16] : this.#isHalf ? [gl.RGBA16F, 8] : [gl.RGBA32F, 16];
    const numLayers = kind === 'layered' ? NUM_LAYERS : 1;
    return this.#allocate(kind, format, bytesPerTexel, [width, height, numLayers]);
  }

  /**
   * One byte a texel.
   * @throws {WebGLDeviceError} Also where the device says that it has no memory left. Waits for it.
   */
  makeByteTexture(width: number, height: number, numLayers: number): Texture {
    const gl = this.#gl;
    if (numLayers > gl.getParameter(gl.MAX_ARRAY_TEXTURE_LAYERS)) {
      throw new WebGLDeviceError(`This device has no textures of ${numLayers} layers.`);
    }
    // What went wrong before is not this texture's.
    this.hasRunOut();
    const texture = this.#allocate('bytes', gl.R8, 1, [width, height, numLayers]);
    if (!this.hasRunOut()) return texture;
    this.freeTexture(texture);
    throw new WebGLDeviceError(`The device has no memory for ${texture.bytes} bytes.`);
  }

  /** Whether memory was lacking since this was asked last. Waits for the device. */
  hasRunOut(): boolean {
    const gl = this.#gl;
    let hasRunOut = false;
    for (let error = gl.getError(); error !== gl.NO_ERROR; error = gl.getError()) {
      hasRunOut ||= error === gl.OUT_OF_MEMORY;
    }
    return hasRunOut;
  }

  #allocate(
    kind: SamplerKind,
    format: GLenum,
    bytesPerTexel: number,
    [width, height, numLayers]: readonly [number, number, number],
  ): Texture {
    if (Math.max(width, height) > this.maxSide) {
      throw new WebGLDeviceError(
        `A texture of ${width} × ${height} does not fit: this device ends at ${this.maxSide}.`,
      );
    }
    const gl = this.#gl;
    const handle = gl.createTexture();
    const target = this.#bindTarget(kind);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(target, handle);
    if (target === gl.TEXTURE_2D) gl.texStorage2D(target, 1, format, width, height);
    else gl.texStorage3D(target, 1, format, width, height, numLayers);
    gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(target, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(target, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    const bytes = width * height * numLayers * bytesPerTexel;
    this.#numBytes += bytes;
    return { kind, width, height, bytes, handle };
  }

  #bindTarget(kind: SamplerKind): GLenum {
    const isArray = kind === 'layered' || kind === 'bytes';
    return isArray ? this.#gl.TEXTURE_2D_ARRAY : this.#gl.TEXTURE_2D;
  }

  /** Fills a flat texture: four numbers a texel, row by row. Does not wait. */
  upload({ handle, width, height }: Texture, values: Float32Array | Int32Array): void {
    const gl = this.#gl;
    const [format, type] =
      values instanceof Int32Array ? [gl.RGBA_INTEGER, gl.INT] : [gl.RGBA, gl.FLOAT];
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, handle);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, format, type, values);
  }

  /** Fills a part of one layer of a texture of bytes, row by row. Does not wait. */
  uploadBytes(
    { handle }: Texture,
    part: {
      readonly x: number;
      readonly y: number;
      readonly layer: number;
      readonly width: number;
      readonly height: number;
    },
    bytes: Uint8Array,
  ): void {
    const gl = this.#gl;
    const { x, y, layer, width, height } = part;
    const target = gl.TEXTURE_2D_ARRAY;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(target, handle);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texSubImage3D(target, 0, x, y, layer, width, height, 1, gl.RED, gl.UNSIGNED_BYTE, bytes);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
  }

  freeTexture(texture: Texture): void {
    this.#gl.deleteTexture(texture.handle);
    this.#numBytes -= texture.bytes;
  }

  /** The texture of a tensor and its size, with a number a texel in `.r`, row by row. */
  textureOf(tensor: tf.TensorInfo): { handle: WebGLTexture; width: number; height: number } {
    const { backend } = this;
    backend.uploadToGPU(tensor.dataId);
    const data = backend.texData.get(tensor.dataId);
    if (data.isPacked) throw new WebGLDeviceError('The tensor has four numbers a texel.');
    if (!data.texture || !data.texShape) throw new WebGLDeviceError('The tensor has no texture.');
    const [height, width] = data.texShape;
    return { handle: data.texture.texture, width, height };
  }

  /** Blocks until the device has made the tensor. */
  waitFor(tensor: tf.TensorInfo): void {
    const gl = this.#gl;
    const texture = this.backend.texData.get(tensor.dataId).texture?.texture;
    if (!texture) return;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#scratch);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    // Other waits answer only when this task is over.
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.FLOAT, new Float32Array(4));
  }

  // ---- targets --------------------------------------------------------------------------------

  /** To write all four layers of one texture, or one flat texture after the other, at once. */
  makeTarget(textures: readonly [Texture, ...Texture[]]): Target {
    const gl = this.#gl;
    const [first] = textures;
    const framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    const attachments: GLenum[] = [];
    if (first.kind === 'layered') {
      for (let layer = 0; layer < NUM_LAYERS; layer++) {
        const attachment = gl.COLOR_ATTACHMENT0 + layer;
        gl.framebufferTextureLayer(gl.FRAMEBUFFER, attachment, first.handle, 0, layer);
        attachments.push(attachment);
      }
    } else {
      textures.forEach(({ handle }, index) => {
        const attachment = gl.COLOR_ATTACHMENT0 + index;
        gl.framebufferTexture2D(gl.FRAMEBUFFER, attachment, gl.TEXTURE_2D, handle, 0);
        attachments.push(attachment);
      });
    }
    gl.drawBuffers(attachments);
    return { framebuffer, x: 0, y: 0, width: first.width, height: first.height };
  }

  freeTarget(target: Target): void {
    this.#gl.deleteFramebuffer(target.framebuffer);
  }

  // ---- programs -------------------------------------------------------------------------------

  /** Hands the program to the compiler and does not wait for it. Equal ones are made once. */
  program(spec: ProgramSpec): ProgramId {
    const source = fragmentSource(spec);
    const known = this.#programs.get(source);
    if (known) return known;
    const gl = this.#gl;
    const handle = gl.createProgram();
    const shader = this.#compile(gl.FRAGMENT_SHADER, source);
    gl.attachShader(handle, this.#vertexShader);
    gl.attachShader(handle, shader);
    gl.linkProgram(handle);
    const program: Program = { spec, handle, shader, locations: null };
    this.#programs.set(source, program);
    return program;
  }

  #compile(type: GLenum, source: string): WebGLShader {
    const gl = this.#gl;
    const shader = gl.createShader(type);
    if (!shader) throw new WebGLDeviceError('WebGL stopped working.');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    return shader;
  }

  /** Resolves when the compiler is done with all programs so far; other work goes on meanwhile. */
  async compiled(): Promise<void> {
    const gl = this.#gl;
    const parallel = gl.getExtension('KHR_parallel_shader_compile');
    if (!parallel) return;
    for (const { handle } of this.#programs.values()) {
      while (
        !gl.isContextLost() &&
        !gl.getProgramParameter(handle, parallel.COMPLETION_STATUS_KHR)
      ) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }

  #locate(program: Program): Map<string, WebGLUniformLocation | null> {
    const gl = this.#gl;
    const { spec, handle, shader } = program;
    if (!gl.getProgramParameter(handle, gl.LINK_STATUS) && !gl.isContextLost()) {
      const log = gl.getShaderInfoLog(shader) || gl.getProgramInfoLog(handle);
      throw new WebGLDeviceError(`The shader ${spec.name} does not compile: ${log}`);
    }
    const names = [...Object.keys(spec.samplers), ...Object.keys(spec.uniforms ?? {})];
    const locations = new Map(names.map((name) => [name, gl.getUniformLocation(handle, name)]));
    // biome-ignore lint/correctness/useHookAtTopLevel: WebGL's, not React's.
    gl.useProgram(handle);
    Object.keys(spec.samplers).forEach((name, unit) => {
      gl.uniform1i(locations.get(name) ?? null, unit);
    });
    program.locations = locations;
    return locations;
  }

  /**
   * Draws every texel of the target.
   * @param textures One a sampler, in the order of the program's; none may be part of the target.
   */
  draw(
    program: ProgramId,
    textures: readonly WebGLTexture[],
    target: Target,
    uniforms: Readonly<Record<string, number>> = {},
  ): void {
    const gl = this.#gl;
    const { spec } = program;
    const locations = program.locations ?? this.#locate(program);
    // biome-ignore lint/correctness/useHookAtTopLevel: WebGL's, not React's.
    gl.useProgram(program.handle);
    gl.bindVertexArray(this.#vertexArray);
    Object.values(spec.samplers).forEach((kind, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(this.#bindTarget(kind), textures[unit] ?? null);
    });
    for (const [name, kind] of Object.entries(spec.uniforms ?? {})) {
      const location = locations.get(name) ?? null;
      const value = uniforms[name] ?? 0;
      if (kind === 'float') gl.uniform1f(location, value);
      else if (kind === 'int') gl.uniform1i(location, value);
      else gl.uniform1ui(location, value);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.framebuffer);
    gl.viewport(target.x, target.y, target.width, target.height);
    gl.scissor(target.x, target.y, target.width, target.height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /**
   * Draws a new tensor, a number a texel.
   * @param makeProgram Is told the width of the tensor's texture: number i is at (i % width, i / width).
   */
  drawTensor(
    shape: number[],
    makeProgram: (width: number) => ProgramSpec,
    textures: readonly WebGLTexture[],
    uniforms: Readonly<Record<string, number>> = {},
  ): tf.TensorInfo {
    const gl = this.#gl;
    const tensor = this.backend.makeTensorInfo(shape, 'float32');
    const { handle, width, height } = this.textureOf(tensor);
    const framebuffer = this.#scratch;
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, handle, 0);
    this.draw(
      this.program(makeProgram(width)),
      textures,
      { framebuffer, x: 0, y: 0, width, height },
      uniforms,
    );
    return tensor;
  }

  /** As `drawTensor`, for its numbers. Waits for the device. */
  async readTensor(
    shape: number[],
    makeProgram: (width: number) => ProgramSpec,
    textures: readonly WebGLTexture[],
  ): Promise<Float32Array> {
    const info = this.drawTensor(shape, makeProgram, textures);
    const tensor = tf.engine().makeTensorFromTensorInfo(info);
    const numbers = await tensor.data<'float32'>();
    tensor.dispose();
    return numbers;
  }
}

function fragmentSource({ samplers, uniforms = {}, numOutputs, body }: ProgramSpec): string {
  const lines = [
    '#version 300 es',
    'precision highp float;',
    'precision highp int;',
    'precision highp sampler2D;',
    'precision highp sampler2DArray;',
    'precision highp isampler2D;',
    ...Object.entries(samplers).map(([name, kind]) => `uniform ${GLSL_SAMPLERS[kind]} ${name};`),
    ...Object.entries(uniforms).map(([name, kind]) => `uniform ${kind} ${name};`),
    ...Array.from(
      { length: numOutputs },
      (_, index) => `layout(location = ${index}) out vec4 out${index};`,
    ),
    body,
  ];
  return lines.join('\n');
}
