/** Owns the recipe on the page: presets for most, every knob for those who want them. */
import { RotateCcw } from 'lucide-react';
import { lazy, Suspense, useId, useState } from 'react';
import { DEFAULT_RECIPE, findPreset, KNOBS, PRESETS, type Recipe } from '../../ml/recipe.ts';
import { Button } from '../controls/Button.tsx';
import { Disclosure } from '../controls/Disclosure.tsx';
import { NumberField, SelectField } from '../controls/Field.tsx';
import { session, useSession } from '../useSession.ts';
import { ChoiceCard, ChoiceCards } from './ChoiceCards.tsx';
import styles from './RecipeForm.module.css';

/** Brings the augmentation along, which the page has no other use for. */
const VariationPreview = lazy(async () => ({
  default: (await import('./VariationPreview.tsx')).VariationPreview,
}));

export function RecipeForm() {
  const recipe = useSession((state) => state.recipe);
  const group = useId();
  const preset = findPreset(recipe);
  const [isPreviewOpen, setPreviewOpen] = useState(false);
  return (
    <div className={styles.form}>
      <ChoiceCards legend="Recipe">
        {PRESETS.map(({ name, title, summary, recipe: whole }) => (
          <ChoiceCard
            key={name}
            group={group}
            title={title}
            summary={summary}
            facts={[`${whole.epochs} epochs`]}
            isChosen={preset?.name === name}
            // The seed is the person's own: no preset changes it.
            onChoose={() => session.setRecipe({ ...whole, seed: recipe.seed })}
          />
        ))}
      </ChoiceCards>
      <Disclosure title="All knobs" note={preset ? `as in “${preset.title}”` : 'your own recipe'}>
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
      </Disclosure>
      <Disclosure
        title="How the pictures are varied"
        note={KNOBS.augment.choices.find(({ value }) => value === recipe.augment)?.title}
        onToggle={setPreviewOpen}
      >
        {isPreviewOpen && (
          <Suspense>
            <VariationPreview augment={recipe.augment} />
          </Suspense>
        )}
      </Disclosure>
    </div>
  );
}

/** In the order in which `KNOBS` lists them. */
const FIELDS = Object.keys(KNOBS) as readonly (keyof Recipe)[];

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
