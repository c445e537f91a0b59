/** Every knob of the recipe, those seldom turned under "More", and the way back to the defaults. */
import { RotateCcw } from 'lucide-react';
import {
  DEFAULT_RECIPE,
  isIdle,
  knobOf,
  RECIPE_FIELDS,
  type Recipe,
  type RecipeField,
} from '../../ml/spec/recipe.ts';
import { Button } from '../controls/Button.tsx';
import { Disclosure } from '../controls/Disclosure.tsx';
import { NumberField, SelectField, ToggleField } from '../controls/Field.tsx';
import { session, useSession } from '../useSession.ts';
import styles from './Knobs.module.css';

const ADVANCED_FIELDS = RECIPE_FIELDS.filter((field) => knobOf(field).isAdvanced);
const MAIN_FIELDS = RECIPE_FIELDS.filter((field) => !knobOf(field).isAdvanced);

export function Knobs() {
  const recipe = useSession((state) => state.recipe);
  const changed = ADVANCED_FIELDS.filter((field) => !isDefault(recipe, field));
  return (
    <>
      <KnobFields fields={MAIN_FIELDS} recipe={recipe} />
      <div className={styles.more}>
        <Disclosure title="More" note={changed.length === 0 ? null : `${changed.length} changed`}>
          <KnobFields fields={ADVANCED_FIELDS} recipe={recipe} />
        </Disclosure>
      </div>
      <div className={styles.reset}>
        <Button
          size="small"
          kind="quiet"
          icon={RotateCcw}
          disabled={RECIPE_FIELDS.every((field) => isDefault(recipe, field))}
          onClick={() => session.resetRecipe()}
        >
          Back to the defaults
        </Button>
      </div>
    </>
  );
}

interface FieldsProps {
  readonly fields: readonly RecipeField[];
  readonly recipe: Recipe;
}

function KnobFields({ fields, recipe }: FieldsProps) {
  return (
    <div className={styles.knobs}>
      {fields.map((field) => (
        <KnobField key={field} field={field} recipe={recipe} />
      ))}
    </div>
  );
}

function isDefault(recipe: Recipe, field: RecipeField): boolean {
  return recipe[field] === DEFAULT_RECIPE[field];
}

function KnobField(props: { readonly field: RecipeField; readonly recipe: Recipe }) {
  const { field, recipe } = props;
  const knob = knobOf(field);
  const value = recipe[field];
  const shared = { label: knob.title, hint: knob.hint, disabled: isIdle(field, recipe) };
  const change = (next: number | string | boolean) => session.setRecipe({ [field]: next });

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
          onChange={change}
        />
      );
    case 'toggle':
      return <ToggleField {...shared} value={value === true} onChange={change} />;
    default:
      return knob satisfies never;
  }
}
