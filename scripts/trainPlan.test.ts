import { describe, expect, it } from 'vitest';
import { DEFAULT_RECIPE, PRESETS } from '../src/ml/spec/recipe.ts';
import { HELP, readPlan, UsageError } from './trainPlan.ts';

describe('readPlan', () => {
  it('does what the Train button does where nothing is said', () => {
    expect(readPlan([])).toEqual({
      network: 'classic',
      recipe: DEFAULT_RECIPE,
      backend: 'auto',
      data: 'full',
      out: 'build/classic',
    });
  });

  it('takes every knob, over those of the preset', () => {
    const thorough = PRESETS.find(({ name }) => name === 'thorough');
    const plan = readPlan(
      '--network small --preset thorough --epochs 3 --batch-size 128 --learning-rate 1e-3 --optimizer sgd --schedule cosine --validation-share 0.2 --augment none --seed 0 --backend wasm --data sample --out here'.split(
        ' ',
      ),
    );
    expect(plan).toEqual({
      network: 'small',
      recipe: {
        ...thorough?.recipe,
        epochs: 3,
        batchSize: 128,
        learningRate: 0.001,
        optimizer: 'sgd',
        schedule: 'cosine',
        validationShare: 0.2,
        augment: 'none',
        seed: 0,
      },
      backend: 'wasm',
      data: 'sample',
      out: 'here',
    });
  });

  it('switches on by name and off by "no"', () => {
    const nesterov = (...args: string[]) => {
      const plan = readPlan(args);
      return plan !== 'help' && plan.recipe.nesterov;
    };
    expect(nesterov('--nesterov')).toBe(true);
    expect(nesterov('--no-nesterov')).toBe(false);
  });

  it.each([
    [['--epochs', '0'], '--epochs'],
    [['--no-epochs'], '--no-epochs'],
    [['--weight-decay', '-1'], '--weight-decay'],
    [['--nesterov=1'], '--nesterov'],
    [['--cutmix', '1'], '--cutmix'],
    [['--epochs', '2.5'], 'whole number'],
    [['--epochs', ''], '--epochs'],
    [['--learning-rate', 'fast'], '--learning-rate'],
    [['--optimizer', 'lion'], '"adam" or "sgd"'],
    [['--network', 'vast'], 'small, classic, deep'],
    [['--data', 'mine'], 'full, sample'],
    [['--depth', '3'], '--depth'],
    [['--seed'], '--seed'],
    [['classic'], 'classic'],
  ])('refuses %j and says why', (args, reason) => {
    expect(() => readPlan(args)).toThrow(UsageError);
    expect(() => readPlan(args)).toThrow(reason);
  });

  it('lists every knob', () => {
    expect(readPlan(['--help'])).toBe('help');
    expect(HELP).toContain('--batch-size N');
    expect(HELP).toContain('--augment NAME');
    expect(HELP).toContain('--weight-decay N');
    expect(HELP).toContain('--no-nesterov');
    expect(HELP).toContain('quick, balanced, thorough');
  });
});
