/** The exports of the kernel module: one function a kernel, pointers in bytes, sizes in elements. */
export { initThread, serve, setScratch } from './parallel';
export { matMul, matMulScratch, matMulWorkspace, peakLoop } from './gemm';
export {
  convFilterGradient, convFilterGradientWorkspace, convForward, convForwardWorkspace,
  convInputGradient, convInputGradientWorkspace, convScratch,
} from './conv';
export { convShape } from './shape';
export { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pool';
export { channelMoments, normalize, normalizeGradient, normWorkspace } from './normalize';
export { binary, dropout, unary } from './elementwise';
export {
  argReduce, reduce, reduceWorkspace, softmax,
} from './reduce';
export { copyLayout, fill, stridedCopy } from './copy';
export { adam, blend, sgd, squaresWorkspace, sumOfSquares } from './optimizer';
export { activate, activateGradient } from './activation';
export {
  depthwiseFilterGradient, depthwiseForward, depthwiseInputGradient, depthwiseWorkspace,
} from './depthwise';
export {
  factorGradient, globalMax, globalMaxGradient, scaleChannels, spreadChannels,
} from './channelwise';
export { crossEntropyStep } from './crossEntropy';
export {
  firstConvForward, firstConvGradient, firstConvScratch, firstConvWorkspace,
} from './firstConv';
export { mixImages, prepareImages } from './imageBatch';
