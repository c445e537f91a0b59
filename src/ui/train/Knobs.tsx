/** Owns every knob of the recipe, and the way back to the defaults. */
import { RotateCcw } from 'lucide-react';
import { DEFAULT_RECIPE, KNOBS, type Recipe } from '../../ml/spec/recipe.ts';
import { Button } from '../controls/Button.tsx';
import { NumberField, SelectField } from '../controls/Field.tsx';
import { session, useSession } from '../useSession.ts';
import styles from './Knobs.module.css';

/** In the order in which `KNOBS` lists them. */
const FIELDS = Object.keys(KNOBS) as readonly (keyof Recipe)[];

export function Knobs() {
  const recipe = useSession((state) => state.recipe);
  return (
    <>
      <div className={styles.knobs}>
        {FIELDS.map((field) => (
          <KnobField key={field} field={field} recipe={recipe} />
        ))}
      </div>
      <div className={styles.reset}>
        <Button
          size="small"
          kind="quiet"
          icon={RotateCcw}
          disabled={isDefault(recipe)}
          onClick={() => session.resetRecipe()}
        >
          Back to the defaults
        </Button>
      </div>
    </>
  );
}

function isDefault(recipe: Recipe): boolean {
  return FIELDS.every((field) => recipe[field] === DEFAULT_RECIPE[field]);
}

/** A field only SGD listens to is shut while Adam is chosen. */
function isIdle(field: keyof Recipe, recipe: Recipe): boolean {
  return field === 'momentum' && recipe.optimizer !== 'sgd';
}

function KnobField(props: { readonly field: keyof Recipe; readonly recipe: Recipe }) {
  const { field, recipe } = props;
  const knob = KNOBS[field];
  const value = recipe[field];
  const shared = { label: knob.title, hint: knob.hint, disabled: isIdle(field, recipe) };
  const change = (next: Recipe[keyof Recipe]) => session.setRecipe({ [field]: next });

  switch (knob.kind) {
    case 'number':
      return (
        <NumberField
          {...shared}
          {...(knob.unit !== null && { unit: knob.unit })}
          min={knob.min}
          max={knob.max}
          step={knob.step}
          value={Number(value)}
          onChange={(next) => change(knob.isWhole ? Math.round(next) : next)}
        />
      );
    case 'choice':
      return (
        <SelectField
          {...shared}
          value={String(value)}
          options={knob.choices.map((choice) => ({ value: choice.value, label: choice.title }))}
          onChange={(next) => {
            const chosen = knob.choices.find((choice) => choice.value === next);
            if (chosen) change(chosen.value);
          }}
        />
      );
    default:
      return knob satisfies never;
  }
}
