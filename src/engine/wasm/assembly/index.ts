/** The exports of the kernel module: one function a kernel, pointers in bytes, sizes in elements. */
export { initThread, serve, setScratch } from './parallel';
export { matMul, matMulScratch, matMulWorkspace, peakLoop } from './gemm';
export {
  convFilterGradient, convFilterGradientWorkspace, convForward, convForwardWorkspace,
  convInputGradient, convInputGradientWorkspace, convScratch, convShape,
} from './conv';
