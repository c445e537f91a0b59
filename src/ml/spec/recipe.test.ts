import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RECIPE,
  describeValue,
  findPreset,
  isIdle,
  KNOBS,
  knobOf,
  learningRateAt,
  PRESETS,
  RECIPE_FIELDS,
  RecipeSchema,
} from './recipe.ts';

describe('recipes', () => {
  it.each(PRESETS)('the preset $title is valid', ({ recipe }) => {
    expect(v.parse(RecipeSchema, recipe)).toEqual(recipe);
  });

  it.each(Object.entries(KNOBS))('every bound of %s holds', (field, knob) => {
    const isValid = (value: unknown) => v.is(RecipeSchema, { ...DEFAULT_RECIPE, [field]: value });
    expect(isValid(knob.default)).toBe(true);
    expect(isValid('nonsense')).toBe(false);
    if (knob.kind === 'choice') {
      for (const { value } of knob.choices) expect(isValid(value)).toBe(true);
    }
    if (knob.kind !== 'number') return;
    expect(isValid(knob.min)).toBe(true);
    expect(isValid(knob.max)).toBe(true);
    expect(isValid(knob.min - 1e-6)).toBe(false);
    expect(isValid(knob.max + 1e-6)).toBe(false);
    expect(isValid(Number.NaN)).toBe(false);
    if (knob.isWhole) expect(isValid(knob.min + 0.5)).toBe(false);
  });

  it('a refusal names the knob and its bounds', () => {
    const result = v.safeParse(RecipeSchema, { ...DEFAULT_RECIPE, epochs: 0 });
    expect(result.issues?.[0]?.message).toBe('Epochs must be from 1 to 200.');
  });

  it('of before a knob is read as if the knob did nothing, and one without an old knob is refused', () => {
    const first = [
      'epochs batchSize optimizer learningRate schedule momentum dropout labelSmoothing',
      'validationShare augment patience seed',
    ].flatMap((fields) => fields.split(' '));
    const old = Object.fromEntries(
      Object.entries(DEFAULT_RECIPE).filter(([field]) => first.includes(field)),
    );
    expect(v.parse(RecipeSchema, old)).toEqual({
      ...old,
      nesterov: false,
      weightDecay: 0,
      gradientClip: 0,
      averaging: 0,
      erasing: 0,
      erasingArea: 0.25,
      mixing: 0,
      warmUpShare: 0.25,
      endShare: 0.001,
      batchNormMomentum: 0.9,
    });
    for (const field of first) {
      const { [field]: _, ...bare } = old;
      expect(v.is(RecipeSchema, bare), field).toBe(false);
    }
  });

  it('a knob is idle only for values that another knob can have', () => {
    for (const field of RECIPE_FIELDS) {
      for (const [other, values] of Object.entries(knobOf(field).idleIf ?? {})) {
        for (const value of values) {
          expect(v.is(RecipeSchema, { ...DEFAULT_RECIPE, [other]: value }), field).toBe(true);
          const recipe = v.parse(RecipeSchema, { ...DEFAULT_RECIPE, [other]: value });
          expect(Object.keys(KNOBS)).toContain(other);
          expect(isIdle(field, recipe), field).toBe(true);
        }
      }
    }
    const recipe = {
      ...DEFAULT_RECIPE,
      optimizer: 'sgd',
      schedule: 'oneCycle',
      erasing: 0.5,
    } as const;
    expect(RECIPE_FIELDS.filter((field) => isIdle(field, recipe))).toEqual([]);
  });

  it('are told in the words of the form', () => {
    const recipe = { ...DEFAULT_RECIPE, nesterov: true, optimizer: 'sgd', mixing: 0.2 } as const;
    const told = (['nesterov', 'optimizer', 'mixing'] as const).map((field) =>
      describeValue(field, recipe),
    );
    expect(told).toEqual(['On', 'SGD with momentum', '0.2']);
  });

  it('a preset is known by its knobs, whatever the seed', () => {
    const [quick] = PRESETS;
    expect(findPreset({ ...DEFAULT_RECIPE, seed: 99 })?.name).toBe('balanced');
    expect(quick && findPreset(quick.recipe)?.name).toBe('quick');
    expect(findPreset({ ...DEFAULT_RECIPE, momentum: 0.5 })).toBeNull();
  });
});

describe('the learning rate', () => {
  const course = (schedule: 'constant' | 'cosine' | 'oneCycle', numSteps = 101) =>
    Array.from({ length: numSteps }, (_, step) =>
      learningRateAt({ ...DEFAULT_RECIPE, learningRate: 0.1, schedule }, step, numSteps),
    );

  it('stays, where it is constant', () => {
    expect(new Set(course('constant'))).toEqual(new Set([0.1]));
  });

  it('falls from the peak to next to nothing along a cosine', () => {
    const rates = course('cosine');
    expect(rates[0]).toBeCloseTo(0.1);
    expect(rates[50]).toBeCloseTo(0.05005);
    expect(rates[100]).toBeCloseTo(0.0001);
    expect(rates).toEqual(rates.toSorted((a, b) => b - a));
  });

  it('rises for a quarter of one cycle, then falls', () => {
    const rates = course('oneCycle');
    expect(rates[0]).toBeCloseTo(0.004);
    expect(rates[25]).toBeCloseTo(0.1);
    expect(Math.max(...rates)).toBe(rates[25]);
    expect(rates[100]).toBeCloseTo(0.0001);
  });

  it('warms up and ends where the recipe says', () => {
    const recipe = { ...DEFAULT_RECIPE, learningRate: 0.1, warmUpShare: 0.5, endShare: 0.1 };
    const rates = Array.from({ length: 101 }, (_, step) => learningRateAt(recipe, step, 101));
    expect(Math.max(...rates)).toBe(rates[50]);
    expect(rates[100]).toBeCloseTo(0.01);
    expect(learningRateAt({ ...recipe, warmUpShare: 0 }, 0, 101)).toBeCloseTo(0.1);
  });

  it('is a number above 0 for a run of one step', () => {
    for (const schedule of ['constant', 'cosine', 'oneCycle'] as const) {
      expect(course(schedule, 1)[0]).toBeGreaterThan(0);
    }
  });
});
