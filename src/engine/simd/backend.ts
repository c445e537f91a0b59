/**
 * The CPU backend of TensorFlow.js, and where its tensors live. Floats live in the WebAssembly memory; everything else
 * (integers, booleans, strings, results of fallback kernels) stays in JavaScript arrays until a
 * native kernel asks for its address.
 *
 * The class extends the stock `cpu` backend, so that every stock kernel runs on these tensors as
 * they are: it reads `data.get(id).values`, which here is a view of the memory.
 */
import * as tf from '@tensorflow/tfjs';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { Kernels } from './kernels.ts';

export const BACKEND_NAME = 'simd';

type Values = tf.backend_util.BackendValues;
type TensorData = ReturnType<MathBackendCPU['data']['get']>;

/** One tensor's numbers: in the memory at `pointer`, or in `host` where pointer is 0. */
class Block implements TensorData {
  dtype: tf.DataType;
  refCount: number;
  pointer = 0;
  count = 0;
  host: Values | null;
  /** Of a max pool's output: which place of each window won. Freed with the block. */
  winners = 0;
  complexTensorInfos?: NonNullable<TensorData['complexTensorInfos']>;
  readonly #kernels: Kernels;

  constructor(kernels: Kernels, dtype: tf.DataType, host: Values | null, refCount: number) {
    this.#kernels = kernels;
    this.dtype = dtype;
    this.host = host;
    this.refCount = refCount;
  }

  /** For the stock kernels: good until the next native kernel. */
  get values(): Values {
    if (this.host) return this.host;
    const start = this.pointer >>> 2;
    const heap = this.dtype === 'int32' ? this.#kernels.i32 : this.#kernels.f32;
    return heap.subarray(start, start + this.count);
  }

  set values(values: Values) {
    this.host = values;
  }
}

/** A tensor together with its address. */
export interface NativeTensor extends tf.TensorInfo {
  readonly pointer: number;
}

export class SimdBackend extends MathBackendCPU {
  readonly kernels: Kernels;

  constructor(kernels: Kernels) {
    super();
    this.kernels = kernels;
  }

  override write(values: Values, shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: object,
    values: Values,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    const block = new Block(this.kernels, dtype, this.#ownCopy(values), refCount);
    block.count = tf.util.sizeFromShape(shape);
    this.data.set(dataId, block);
    // Callers may fill the same array again for the next batch: take floats over at once.
    if (dtype === 'float32' && values) this.#upload(block);
  }

  override makeTensorInfo(
    shape: number[],
    dtype: tf.DataType,
    values?: Values | string[],
  ): tf.TensorInfo {
    if (dtype !== 'float32' || !values) {
      return super.makeTensorInfo(shape, dtype, values ?? undefined);
    }
    // From a stock kernel: stays an array until a native kernel wants it.
    const dataId = {};
    const block = new Block(this.kernels, dtype, this.#ownCopy(values as Values), 1);
    block.count = tf.util.sizeFromShape(shape);
    this.data.set(dataId, block);
    return { dataId, shape, dtype };
  }

  /** Makes a tensor in the memory, not filled. */
  makeNative(shape: number[], dtype: 'float32' | 'int32' = 'float32'): NativeTensor {
    const block = new Block(this.kernels, dtype, null, 1);
    block.count = tf.util.sizeFromShape(shape);
    block.pointer = this.kernels.allocator.allocate(block.count * 4);
    const dataId = {};
    this.data.set(dataId, block);
    return { dataId, shape, dtype, pointer: block.pointer };
  }

  /** Address of a float32 or int32 tensor's numbers, which are brought into the memory first. */
  pointer(tensor: tf.TensorInfo): number {
    const block = this.#block(tensor.dataId);
    if (block.dtype !== tensor.dtype) {
      throw new Error(`Numbers stored as ${block.dtype} were handed on as ${tensor.dtype}.`);
    }
    if (!block.pointer) this.#upload(block);
    return block.pointer;
  }

  /** Keeps `bytes` for as long as a max pool's output lives: the places that won. */
  makeWinners(output: tf.TensorInfo, bytes: number): number {
    const block = this.#block(output.dataId);
    block.winners = this.kernels.allocator.allocate(bytes);
    return block.winners;
  }

  /** Address of a max pool's winners, 0 where it kept none. */
  winners(output: tf.TensorInfo): number {
    return this.#block(output.dataId).winners;
  }

  override readSync(dataId: object): Values {
    const block = this.#block(dataId);
    if (block.complexTensorInfos || block.host) return super.readSync(dataId);
    const { values } = block;
    // A copy: it must outlive the tensor and not be shared with other threads.
    return (values as Float32Array).slice();
  }

  override async read(dataId: object): Promise<Values> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const { pointer, winners } = this.#block(dataId);
    const isReleased = super.disposeData(dataId, force);
    if (isReleased) {
      if (pointer) this.kernels.allocator.free(pointer);
      if (winners) this.kernels.allocator.free(winners);
    }
    return isReleased;
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: false, reasons: [] };
  }

  override dispose(): void {
    this.kernels.dispose();
  }

  #block(dataId: object): Block {
    const block = this.data.get(dataId);
    if (!(block instanceof Block))
      throw new Error('This tensor does not belong to the CPU engine.');
    return block;
  }

  /** A stock kernel may hand out part of its input's view: that memory is not the result's own. */
  #ownCopy(values: Values): Values {
    const isView = ArrayBuffer.isView(values) && this.kernels.owns(values);
    return isView ? (values as Float32Array).slice() : values;
  }

  #upload(block: Block): void {
    const { host, count } = block;
    block.pointer = this.kernels.allocator.allocate(count * 4);
    const heap = block.dtype === 'int32' ? this.kernels.i32 : this.kernels.f32;
    if (host) heap.set(host as Float32Array, block.pointer >>> 2);
    block.host = null;
  }
}
