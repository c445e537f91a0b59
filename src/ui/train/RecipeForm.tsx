/** The recipe on the page: presets for most, every knob for those who want them. */
import { lazy, Suspense, useId, useState } from 'react';
import { findPreset, KNOBS, PRESETS } from '../../ml/spec/recipe.ts';
import { Disclosure } from '../controls/Disclosure.tsx';
import { later } from '../controls/later.tsx';
import { session, useSession } from '../useSession.ts';
import { ChoiceCard, ChoiceCards } from './ChoiceCards.tsx';
import styles from './RecipeForm.module.css';

const Knobs = later(async () => (await import('./Knobs.tsx')).Knobs);

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
        <Knobs />
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
