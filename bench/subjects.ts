/** The networks that speed and memory are measured on. Read by the page, too. */
import { NETWORK_PRESETS } from '../src/network/presets.ts';
import { INPUT, type NetworkSpec } from '../src/network/spec.ts';

/** Of all that is measured here. Speed does not depend on what the classes are. */
export const NUM_CLASSES = 10;

export interface Subject {
  /** As options name it. */
  readonly name: string;
  readonly spec: NetworkSpec;
}

/** The net of the published comparisons: 15.8 MFLOP an image, forward and backward. */
const NET_S: NetworkSpec = {
  title: 'Net S',
  nodes: [
    conv('conv1', INPUT, 32),
    relu('relu1', 'conv1'),
    pool('pool1', 'relu1'),
    conv('conv2', 'pool1', 64),
    relu('relu2', 'conv2'),
    pool('pool2', 'relu2'),
    { id: 'flatten', kind: 'flatten', from: ['pool2'] },
    { id: 'hidden', kind: 'dense', from: ['flatten'], units: 128, bias: true },
    relu('relu3', 'hidden'),
    { id: 'logits', kind: 'dense', from: ['relu3'], units: 'classes', bias: true },
  ],
};

function conv(id: string, from: string, filters: number) {
  const window = { size: 3, stride: 1, padding: 'valid' } as const;
  return { id, kind: 'conv', from: [from], filters, ...window, bias: true } as const;
}

function relu(id: string, from: string) {
  return { id, kind: 'activation', from: [from], function: 'relu' } as const;
}

function pool(id: string, from: string) {
  return { id, kind: 'maxPool', from: [from], size: 2, stride: 2, padding: 'valid' } as const;
}

/** Net S, then the presets from the least work to the most. */
export const SUBJECTS: readonly Subject[] = [
  { name: 'netS', spec: NET_S },
  ...Object.values(NETWORK_PRESETS).map(({ name, spec }) => ({ name, spec })),
];
