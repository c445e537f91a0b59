/**
 * The table of operations: which kernels each kind of node calls, forward and backward, with what
 * rides along. A kind that is missing here runs by its plain definition; see plainOperation.ts.
 */
import {
  BATCH_NORM_EPSILON,
  type LayerKind,
  LEAKY_SLOPE,
  type Shape,
  sizeOf,
} from '../../network/layers.ts';
import type { NetworkNode, NodeOf } from '../../network/spec.ts';
import type { Operation } from './fusion.ts';
import type { Kernels } from './kernels.ts';
import { ACTIVATION, BINARY, PAIRING, REDUCTION } from './operations.ts';
import type { Gradients, Plan, PlannedForward, PlanOperation } from './plan.ts';
import type { PlannedBuffer } from './plannedMemory.ts';

// ---- shapes ---------------------------------------------------------------------------------

/** Height, width and channels; numbers without sides are one place. */
function sidesOf(shape: Shape | undefined): [height: number, width: number, channels: number] {
  const [first = 1, second, third] = shape ?? [];
  return second === undefined || third === undefined ? [1, 1, first] : [first, second, third];
}

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly padding: 'same' | 'valid';
}

/** What assembly/shape.ts reads, for a window that slides over images. */
function shapeWords(
  batchSize: number,
  input: Shape | undefined,
  output: Shape,
  { size, stride, padding }: Window,
): Int32Array {
  const [height, width, channels] = sidesOf(input);
  const [outHeight, outWidth, outChannels] = sidesOf(output);
  // As TensorFlow pads: what is odd goes to the bottom and the right.
  const before = (length: number, outLength: number) =>
    padding === 'same' ? Math.max(0, (outLength - 1) * stride + size - length) >> 1 : 0;
  return Int32Array.of(
    ...[batchSize, height, width, channels, outHeight, outWidth, outChannels],
    ...[size, size, stride, stride, 1, 1],
    ...[before(height, outHeight), before(width, outWidth)],
  );
}

/** Writes a shape where kernels look for it: right before their call. */
function setShape(kernels: Kernels, words: Int32Array): void {
  kernels.i32.set(words, kernels.exports.convShape() >>> 2);
}

// ---- convolution ----------------------------------------------------------------------------

/** What every convolution is planned from. Sets its shape, so that kernels can tell what they need. */
function startConv(
  plan: Plan,
  { placed, riders, inputs }: Operation<NodeOf<'conv'> | NodeOf<'depthwiseConv'>>,
) {
  const { node, inputShapes, shape, weights } = placed;
  const words = shapeWords(plan.batchSize, inputShapes[0], shape, node);
  setShape(plan.kernels, words);
  return {
    words,
    kernel: plan.weight(node.id, weights[0]?.name ?? ''),
    bias: node.bias ? plan.weight(node.id, 'bias') : null,
    relu: Number(riders.includes('relu')),
    x: plan.value(inputs[0] ?? ''),
  };
}

function planConv(plan: Plan, operation: Operation<NodeOf<'conv'>>): PlannedForward {
  const pooling = operation.riderNodes.find(({ node }) => node.kind === 'maxPool');
  if (pooling && isFirstConv(plan, operation, pooling.node as NodeOf<'maxPool'>)) {
    return planFirstConv(plan, operation, pooling.shape);
  }
  const { kernels } = plan;
  const { exports } = kernels;
  const { shape } = operation.placed;
  const { words, kernel, bias, relu, x } = startConv(plan, operation);
  plan.needWorkspace(exports.convForwardWorkspace());
  plan.needWorkspace(exports.convInputGradientWorkspace());
  plan.needWorkspace(exports.convFilterGradientWorkspace());
  kernels.ensureScratch(exports.convScratch());

  const y = plan.batchOf(shape);
  plan.call([x, y], () => {
    setShape(kernels, words);
    const { workspace } = plan;
    exports.convForward(x.address, kernel.value, bias?.value ?? 0, y.address, workspace, relu);
  });

  const backward = (gradients: Gradients, dy: PlannedBuffer, masksDy: boolean) => {
    const wantsInput = gradients.isWanted(0);
    // The filter's gradient reads all of dy, and masks it on the way for the input's.
    const masked = masksDy && wantsInput ? gradients.ownDy() : dy;
    plan.call(masksDy ? [x, y, dy, masked] : [x, dy], () => {
      setShape(kernels, words);
      exports.convFilterGradient(
        x.address,
        dy.address,
        kernel.gradient,
        plan.workspace,
        masksDy ? y.address : 0,
        masksDy && wantsInput ? masked.address : 0,
        bias?.gradient ?? 0,
      );
    });
    const dx = gradients.into(0, { canAdd: true });
    if (!dx) return;
    plan.call([masked, dx.buffer], () => {
      setShape(kernels, words);
      const { workspace } = plan;
      exports.convInputGradient(
        masked.address,
        kernel.value,
        dx.buffer.address,
        workspace,
        dx.adds,
      );
    });
    dx.done();
  };

  if (!pooling) {
    return {
      output: y,
      backward: (gradients) => backward(gradients, gradients.dy, relu === 1),
    };
  }
  const pool = planPooling(plan, pooling.node as NodeOf<'maxPool'>, y, shape, pooling.shape);
  return {
    output: pool.output,
    backward(gradients) {
      const dPooled = relu ? gradients.ownDy() : gradients.dy;
      if (relu) planMask(plan, pool.output, gradients.dy, dPooled);
      const dy = plan.batchOf(shape);
      pool.backward(dPooled, dy, 0);
      backward(gradients, dy, false);
    },
  };
}

/** Whether assembly/firstConv.ts has it: a convolution of the images, and its pooling. */
function isFirstConv(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'conv'>>,
  pool: NodeOf<'maxPool'>,
): boolean {
  const { node, inputShapes } = placed;
  const [, , channels] = sidesOf(inputShapes[0]);
  const isSuited = channels === 1 && node.size === 3 && node.stride === 1 && node.filters % 4 === 0;
  const isPlainPool = pool.size === 2 && pool.stride === 2 && pool.padding === 'valid';
  return isSuited && isPlainPool && !plan.isWanted(inputs[0] ?? '');
}

/** @param pooledShape of what comes out. */
function planFirstConv(
  plan: Plan,
  operation: Operation<NodeOf<'conv'>>,
  pooledShape: Shape,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const { words, kernel, bias, relu, x } = startConv(plan, operation);
  plan.needWorkspace(exports.firstConvWorkspace());
  kernels.ensureScratch(exports.firstConvScratch());
  const y = plan.batchOf(pooledShape);
  // A byte for each number.
  const winners = plan.buffer((batchSize * sizeOf(pooledShape)) / 4);
  plan.call([x, y, winners], () => {
    setShape(kernels, words);
    exports.firstConvForward(
      ...[x.address, kernel.value, bias?.value ?? 0, y.address, winners.address, relu],
    );
  });
  return {
    output: y,
    backward({ dy }) {
      plan.call([x, y, dy, winners], () => {
        setShape(kernels, words);
        exports.firstConvGradient(
          ...[x.address, dy.address, winners.address, kernel.gradient, plan.workspace],
          ...[relu ? y.address : 0, bias?.gradient ?? 0],
        );
      });
    },
  };
}

/** masked = dy where y, the result of a ReLU, is not 0. */
function planMask(plan: Plan, y: PlannedBuffer, dy: PlannedBuffer, masked: PlannedBuffer): void {
  plan.call([y, dy, masked], () =>
    plan.kernels.exports.activateGradient(
      ACTIVATION.relu.number,
      y.address,
      dy.address,
      masked.address,
      y.bytes / 4,
      0,
    ),
  );
}

function planDepthwiseConv(
  plan: Plan,
  operation: Operation<NodeOf<'depthwiseConv'>>,
): PlannedForward {
  const { kernels } = plan;
  const { exports } = kernels;
  const { words, kernel, bias, relu, x } = startConv(plan, operation);
  plan.needWorkspace(exports.depthwiseWorkspace());
  const y = plan.batchOf(operation.placed.shape);
  plan.call([x, y], () => {
    setShape(kernels, words);
    exports.depthwiseForward(x.address, kernel.value, bias?.value ?? 0, y.address, relu);
  });
  return {
    output: y,
    backward(gradients) {
      const dy = relu ? gradients.ownDy() : gradients.dy;
      if (relu) planMask(plan, y, gradients.dy, dy);
      plan.call([x, dy], () => {
        setShape(kernels, words);
        exports.depthwiseFilterGradient(
          x.address,
          dy.address,
          kernel.gradient,
          plan.workspace,
          bias?.gradient ?? 0,
        );
      });
      const dx = gradients.into(0);
      if (!dx) return;
      plan.call([dy, dx.buffer], () => {
        setShape(kernels, words);
        exports.depthwiseInputGradient(dy.address, kernel.value, dx.buffer.address);
      });
      dx.done();
    },
  };
}

// ---- dense ----------------------------------------------------------------------------------

function planDense(
  plan: Plan,
  { placed, riders, inputs }: Operation<NodeOf<'dense'>>,
): PlannedForward {
  const { kernels, batchSize: rows } = plan;
  const { exports } = kernels;
  const { node, inputShapes, shape } = placed;
  const depth = sizeOf(inputShapes[0] ?? []);
  const units = sizeOf(shape);
  plan.needWorkspace(exports.matMulWorkspace(1, units, depth));
  plan.needWorkspace(exports.matMulWorkspace(1, units, rows));
  plan.needWorkspace(exports.matMulWorkspace(1, depth, units));
  plan.needWorkspace(exports.reduceWorkspace(1, rows, units));
  kernels.ensureScratch(exports.matMulScratch(Math.max(units, depth)));

  const kernel = plan.weight(node.id, 'kernel');
  const bias = node.bias ? plan.weight(node.id, 'bias') : null;
  const relu = Number(riders.includes('relu'));
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(shape);
  /** out = a · b, as matMul in assembly/gemm.ts has it. */
  const multiply = (
    [a, b, biasAt, out]: readonly [number, number, number, number],
    [outRows, columns, inner]: readonly [number, number, number],
    transposes: readonly [a: 0 | 1, b: 0 | 1],
    isRelu = 0,
  ) =>
    exports.matMul(
      ...[a, b, biasAt, out, plan.workspace, 1, outRows, columns, inner, 0, 0],
      ...[...transposes, isRelu],
    );
  plan.call([x, y], () =>
    multiply(
      [x.address, kernel.value, bias?.value ?? 0, y.address],
      [rows, units, depth],
      [0, 0],
      relu,
    ),
  );
  return {
    output: y,
    backward(gradients) {
      const dy = relu ? gradients.ownDy() : gradients.dy;
      if (relu) planMask(plan, y, gradients.dy, dy);
      plan.call([x, dy], () => {
        multiply([x.address, dy.address, 0, kernel.gradient], [depth, units, rows], [1, 0]);
        if (!bias) return;
        const { workspace } = plan;
        exports.reduce(REDUCTION.Sum, dy.address, bias.gradient, workspace, 1, rows, units, 1);
      });
      const dx = gradients.into(0);
      if (!dx) return;
      plan.call([dy, dx.buffer], () =>
        multiply([dy.address, kernel.value, 0, dx.buffer.address], [rows, depth, units], [0, 1]),
      );
      dx.done();
    },
  };
}

// ---- batch normalisation --------------------------------------------------------------------

/** How assembly/normalize.ts orders ReLU and addition behind the normalisation. */
const RELU_FIRST = 1;
const RELU_LAST = 2;
/** Flags of its gradient. */
const RECOMPUTES_MASK = 1;
const ADDS_DX = 2;
const ADDS_ADDED = 4;

function planBatchNorm(
  plan: Plan,
  { placed, riders, inputs }: Operation<NodeOf<'batchNorm'>>,
): PlannedForward {
  const { exports } = plan.kernels;
  const { node, shape } = placed;
  const channels = shape.at(-1) ?? 1;
  const rows = (plan.batchSize * sizeOf(shape)) / channels;
  plan.needWorkspace(exports.normWorkspace(rows, channels));
  const gamma = plan.weight(node.id, 'gamma');
  const beta = plan.weight(node.id, 'beta');
  // The batch's own, of which the tracked ones follow.
  const mean = plan.weight(node.id, 'moving_mean').gradient;
  const variance = plan.weight(node.id, 'moving_variance').gradient;
  const mode = riders.includes('relu') ? (riders[0] === 'relu' ? RELU_FIRST : RELU_LAST) : 0;
  const x = plan.value(inputs[0] ?? '');
  const added = riders.includes('add') ? plan.value(inputs[1] ?? '') : null;
  const y = plan.batchOf(shape);
  plan.call([x, y, ...(added ? [added] : [])], () => {
    const { workspace } = plan;
    exports.channelMoments(x.address, mean, variance, workspace, rows, channels);
    exports.normalize(
      ...[x.address, mean, variance, gamma.value, beta.value, y.address, workspace],
      ...[rows, channels, BATCH_NORM_EPSILON, mode, added?.address ?? 0],
    );
  });
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const masksByOutput = mode === RELU_LAST;
      // Without a ReLU behind it, what was added has the gradient of the sum.
      if (added && !masksByOutput) gradients.pass(1, dy);
      const dAdded =
        added && masksByOutput ? gradients.into(1, { canAdd: true, inPlace: true }) : null;
      const dx = gradients.into(0, { canAdd: true, inPlace: true });
      // Nobody may want dx where the images themselves are normalised; gamma and beta still do.
      const target = dx?.buffer ?? plan.batchOf(shape);
      const flags =
        (mode === RELU_FIRST ? RECOMPUTES_MASK : 0) |
        (dx?.adds ? ADDS_DX : 0) |
        (dAdded?.adds ? ADDS_ADDED : 0);
      const uses = [x, dy, target];
      if (masksByOutput) uses.push(y);
      if (dAdded) uses.push(dAdded.buffer);
      plan.call(uses, () =>
        exports.normalizeGradient(
          ...[x.address, masksByOutput ? y.address : 0, dy.address, mean, variance, gamma.value],
          ...[target.address, gamma.gradient, beta.gradient, plan.workspace],
          ...[rows, channels, BATCH_NORM_EPSILON, beta.value, dAdded?.buffer.address ?? 0, flags],
        ),
      );
      dAdded?.done();
      dx?.done();
    },
  };
}

// ---- activations ----------------------------------------------------------------------------

function planActivation(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'activation'>>,
): PlannedForward | null {
  const { exports } = plan.kernels;
  const known: Partial<Record<string, (typeof ACTIVATION)[keyof typeof ACTIVATION]>> = ACTIVATION;
  const activation = known[placed.node.function];
  if (!activation) return null;
  const { number, gradientFrom } = activation;
  const count = plan.batchSize * sizeOf(placed.shape);
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(placed.shape);
  plan.call([x, y], () => exports.activate(number, x.address, y.address, count, LEAKY_SLOPE));
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const from = gradientFrom === 'input' ? x : y;
      const dx = gradients.into(0, { inPlace: true });
      if (!dx) return;
      plan.call([from, dy, dx.buffer], () =>
        exports.activateGradient(
          ...[number, from.address, dy.address, dx.buffer.address, count, LEAKY_SLOPE],
        ),
      );
      dx.done();
    },
  };
}

// ---- pooling --------------------------------------------------------------------------------

interface PlannedPooling {
  readonly output: PlannedBuffer;
  /** Plans dx from dy. */
  backward(dy: PlannedBuffer, dx: PlannedBuffer, adds: 0 | 1): void;
}

function planPooling(
  plan: Plan,
  node: NodeOf<'maxPool'>,
  x: PlannedBuffer,
  inputShape: Shape | undefined,
  shape: Shape,
): PlannedPooling {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const words = shapeWords(batchSize, inputShape, shape, node);
  const [height, width, channels] = sidesOf(shape);
  const y = plan.batchOf(shape);
  // A byte for each number, channels filled up to whole vectors.
  const winners = plan.buffer(batchSize * height * width * Math.ceil(channels / 4));
  plan.call([x, y, winners], () => {
    setShape(kernels, words);
    exports.maxPool(x.address, y.address, winners.address);
  });
  return {
    output: y,
    backward(dy, dx, adds) {
      plan.call([dy, winners, dx], () => {
        setShape(kernels, words);
        exports.maxPoolGradient(dy.address, winners.address, dx.address, adds);
      });
    },
  };
}

function planMaxPool(plan: Plan, { placed, inputs }: Operation<NodeOf<'maxPool'>>): PlannedForward {
  const { node, inputShapes, shape } = placed;
  const x = plan.value(inputs[0] ?? '');
  const pool = planPooling(plan, node, x, inputShapes[0], shape);
  return {
    output: pool.output,
    backward(gradients) {
      const dx = gradients.into(0, { canAdd: true });
      if (!dx) return;
      pool.backward(gradients.dy, dx.buffer, dx.adds);
      dx.done();
    },
  };
}

function planAveragePool(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'averagePool'>>,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const { node, inputShapes, shape } = placed;
  const words = shapeWords(batchSize, inputShapes[0], shape, node);
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(shape);
  plan.call([x, y], () => {
    setShape(kernels, words);
    exports.averagePool(x.address, y.address);
  });
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const dx = gradients.into(0, { canAdd: true });
      if (!dx) return;
      plan.call([dy, dx.buffer], () => {
        setShape(kernels, words);
        exports.averagePoolGradient(dy.address, dx.buffer.address, dx.adds);
      });
      dx.done();
    },
  };
}

function planGlobalAverage(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'globalAverage'>>,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const [height, width, channels] = sidesOf(placed.inputShapes[0]);
  const positions = height * width;
  const share = 1 / positions;
  plan.needWorkspace(exports.reduceWorkspace(batchSize, positions, channels));
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(placed.shape);
  plan.call([x, y], () =>
    exports.reduce(
      ...[REDUCTION.Sum, x.address, y.address, plan.workspace],
      ...[batchSize, positions, channels, share],
    ),
  );
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const dx = gradients.into(0, { canAdd: true });
      if (!dx) return;
      plan.call([dy, dx.buffer], () =>
        exports.spreadChannels(
          ...[dy.address, dx.buffer.address, batchSize, positions, channels, share, dx.adds],
        ),
      );
      dx.done();
    },
  };
}

function planGlobalMax(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'globalMax'>>,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const [height, width, channels] = sidesOf(placed.inputShapes[0]);
  const sizes = [batchSize, height * width, channels] as const;
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(placed.shape);
  const winners = plan.batchOf(placed.shape);
  plan.call([x, y, winners], () =>
    exports.globalMax(x.address, y.address, winners.address, ...sizes),
  );
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const dx = gradients.into(0, { canAdd: true });
      if (!dx) return;
      plan.call([dy, winners, dx.buffer], () =>
        exports.globalMaxGradient(
          ...[dy.address, winners.address, dx.buffer.address, ...sizes, dx.adds],
        ),
      );
      dx.done();
    },
  };
}

// ---- where branches meet --------------------------------------------------------------------

function planAdd(plan: Plan, { placed, riders, inputs }: Operation<NodeOf<'add'>>): PlannedForward {
  const { exports } = plan.kernels;
  const count = plan.batchSize * sizeOf(placed.shape);
  const [first, ...others] = inputs.map((input) => plan.value(input)) as [PlannedBuffer];
  const y = plan.batchOf(placed.shape);
  let sum = first;
  for (const other of others as PlannedBuffer[]) {
    const before = sum;
    plan.call([before, other, y], () =>
      exports.binary(
        ...[BINARY.Add, before.address, other.address, y.address, count, PAIRING.same, 1],
      ),
    );
    sum = y;
  }
  const isRelu = riders.includes('relu');
  if (isRelu) {
    plan.call([y], () => exports.activate(ACTIVATION.relu.number, y.address, y.address, count, 0));
  }
  return {
    output: y,
    backward(gradients) {
      const dy = isRelu ? gradients.ownDy() : gradients.dy;
      if (isRelu) planMask(plan, y, gradients.dy, dy);
      inputs.forEach((_, index) => {
        gradients.pass(index, dy);
      });
    },
  };
}

function planMultiply(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'multiply'>>,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const [firstShape, secondShape] = placed.inputShapes;
  const [height, width, channels] = sidesOf(placed.shape);
  const sizes = [batchSize, height * width, channels] as const;
  const count = batchSize * sizeOf(placed.shape);
  const [a, b] = inputs.map((input) => plan.value(input)) as [PlannedBuffer, PlannedBuffer];
  const y = plan.batchOf(placed.shape);
  const product = (from: PlannedBuffer, by: PlannedBuffer, to: PlannedBuffer) =>
    plan.call([from, by, to], () =>
      exports.binary(
        ...[BINARY.Multiply, from.address, by.address, to.address, count, PAIRING.same, 1],
      ),
    );
  if (firstShape?.length === secondShape?.length) {
    product(a, b, y);
    return {
      output: y,
      backward(gradients) {
        const { dy } = gradients;
        const da = gradients.into(0);
        if (da) product(dy, b, da.buffer);
        da?.done();
        const db = gradients.into(1, { inPlace: true });
        if (db) product(dy, a, db.buffer);
        db?.done();
      },
    };
  }
  const scale = (from: PlannedBuffer, to: PlannedBuffer, adds: 0 | 1) =>
    plan.call([from, b, to], () =>
      exports.scaleChannels(from.address, b.address, to.address, ...sizes, adds),
    );
  scale(a, y, 0);
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const db = gradients.into(1);
      if (db) {
        plan.call([a, dy, db.buffer], () =>
          exports.factorGradient(a.address, dy.address, db.buffer.address, ...sizes),
        );
      }
      db?.done();
      const da = gradients.into(0, { canAdd: true, inPlace: true });
      if (da) scale(dy, da.buffer, da.adds);
      da?.done();
    },
  };
}

function planConcatenate(
  plan: Plan,
  { placed, inputs }: Operation<NodeOf<'concatenate'>>,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { shape, inputShapes } = placed;
  const channels = shape.at(-1) ?? 1;
  const rows = (batchSize * sizeOf(shape)) / channels;
  const y = plan.batchOf(shape);
  /** Copies `width` numbers of each row; addresses and steps in numbers. */
  const copyRows = (from: number, fromStep: number, to: number, toStep: number, width: number) => {
    const layout = kernels.exports.copyLayout() >>> 2;
    // Three arrays of six: sizes, steps where it reads, steps where it writes.
    kernels.i32.set([rows, width, 0, 0, 0, 0, fromStep, 1, 0, 0, 0, 0, toStep, 1], layout);
    kernels.exports.stridedCopy(from * 4, to * 4, 2);
  };
  let offset = 0;
  const parts = inputShapes.map((inputShape) => {
    const width = inputShape.at(-1) ?? 1;
    offset += width;
    return { width, at: offset - width };
  });
  parts.forEach(({ width, at }, index) => {
    const x = plan.value(inputs[index] ?? '');
    plan.call([x, y], () => copyRows(x.address / 4, width, y.address / 4 + at, channels, width));
  });
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      parts.forEach(({ width, at }, index) => {
        const dx = gradients.into(index);
        if (!dx) return;
        plan.call([dy, dx.buffer], () =>
          copyRows(dy.address / 4 + at, channels, dx.buffer.address / 4, width, width),
        );
        dx.done();
      });
    },
  };
}

// ---- what moves no numbers, and dropout -----------------------------------------------------

function planNothing(plan: Plan, { inputs }: Operation): PlannedForward {
  return {
    output: plan.value(inputs[0] ?? ''),
    backward: (gradients) => gradients.pass(0, gradients.dy),
  };
}

/** A seed for each batch and node. */
function seedFor(plan: Plan, nodeId: string): () => number {
  let salt = 0x811c9dc5;
  for (const letter of nodeId) salt = Math.imul(salt ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return () => Math.imul(plan.state.seed ^ salt, 0x9e3779b1) ^ (plan.state.seed >>> 15);
}

function planDropout(plan: Plan, operation: Operation<NodeOf<'dropout'>>): PlannedForward {
  const { exports } = plan.kernels;
  const { placed, inputs } = operation;
  const rate = placed.node.rate ?? plan.dropout;
  if (rate === 0) return planNothing(plan, operation);
  const count = plan.batchSize * sizeOf(placed.shape);
  const seed = seedFor(plan, placed.node.id);
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(placed.shape);
  plan.call([x, y], () => exports.dropout(x.address, y.address, count, rate, seed()));
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const dx = gradients.into(0, { inPlace: true });
      if (!dx) return;
      // The same seed gives the same mask.
      plan.call([dy, dx.buffer], () =>
        exports.dropout(dy.address, dx.buffer.address, count, rate, seed()),
      );
      dx.done();
    },
  };
}

/** 1, as its bits. */
const ONE_BITS = 0x3f800000;

function planSpatialDropout(
  plan: Plan,
  operation: Operation<NodeOf<'spatialDropout'>>,
): PlannedForward {
  const { kernels, batchSize } = plan;
  const { exports } = kernels;
  const { placed, inputs } = operation;
  const rate = placed.node.rate ?? plan.dropout;
  if (rate === 0) return planNothing(plan, operation);
  const [height, width, channels] = sidesOf(placed.shape);
  const sizes = [batchSize, height * width, channels] as const;
  const seed = seedFor(plan, placed.node.id);
  const x = plan.value(inputs[0] ?? '');
  const y = plan.batchOf(placed.shape);
  const mask = plan.buffer(batchSize * channels);
  plan.call([x, y, mask], () => {
    exports.fill(mask.address, batchSize * channels, ONE_BITS);
    exports.dropout(mask.address, mask.address, batchSize * channels, rate, seed());
    exports.scaleChannels(x.address, mask.address, y.address, ...sizes, 0);
  });
  return {
    output: y,
    backward(gradients) {
      const { dy } = gradients;
      const dx = gradients.into(0, { canAdd: true, inPlace: true });
      if (!dx) return;
      plan.call([dy, mask, dx.buffer], () =>
        exports.scaleChannels(dy.address, mask.address, dx.buffer.address, ...sizes, dx.adds),
      );
      dx.done();
    },
  };
}

// ---------------------------------------------------------------------------------------------

export type OperationTable = {
  readonly [Kind in LayerKind]?: PlanOperation<Extract<NetworkNode, { kind: Kind }>>;
};

export const OPERATIONS: OperationTable = {
  conv: planConv,
  depthwiseConv: planDepthwiseConv,
  batchNorm: planBatchNorm,
  activation: planActivation,
  maxPool: planMaxPool,
  averagePool: planAveragePool,
  globalAverage: planGlobalAverage,
  globalMax: planGlobalMax,
  add: planAdd,
  multiply: planMultiply,
  concatenate: planConcatenate,
  flatten: planNothing,
  dropout: planDropout,
  spatialDropout: planSpatialDropout,
  dense: planDense,
};

/** What plans nodes of a kind; null where the table has nothing for it. */
export function operationOf(table: OperationTable, kind: LayerKind): PlanOperation | null {
  // Every entry plans nodes of its own kind, which the compiler cannot follow through the union.
  return (table[kind] ?? null) as PlanOperation | null;
}
