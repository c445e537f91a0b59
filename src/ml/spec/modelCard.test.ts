import { expect, it } from 'vitest';
import { FASHION_MNIST } from '../../fashion.ts';
import { NETWORK_PRESETS } from '../../network/presets.ts';
import { findHeldOut, type ModelCard } from './modelCard.ts';
import { DEFAULT_RECIPE } from './recipe.ts';

const card: ModelCard = {
  id: 'a',
  name: 'A',
  createdAt: '2026-01-01T00:00:00.000Z',
  origin: 'trained',
  network: NETWORK_PRESETS.small.spec,
  numParams: 1,
  recipe: DEFAULT_RECIPE,
  dataSpec: FASHION_MNIST,
  data: { name: 'train.csv', numTrain: 90, numValidation: 10 },
  history: [],
  test: null,
  trainedOn: null,
  calibration: null,
};

it.each<[string, Partial<ModelCard>, Parameters<typeof findHeldOut>[1], string]>([
  ['the same file', {}, { name: 'train.csv', numRows: 100 }, 'known'],
  ['another file', {}, { name: 'mine.csv', numRows: 100 }, 'otherData'],
  ['a file of the same name', {}, { name: 'train.csv', numRows: 101 }, 'otherData'],
  ['no data', {}, null, 'otherData'],
  ['no recipe', { recipe: null }, { name: 'train.csv', numRows: 100 }, 'untold'],
  ['nothing told', { data: null }, { name: 'train.csv', numRows: 100 }, 'untold'],
])('knows which rows were held out, or that it does not: %s', (_, change, training, expected) => {
  expect(findHeldOut({ ...card, ...change }, training)).toBe(expected);
});
