/** The panel of the current model: what it is, saving it by name, taking it away. */
import { Bookmark, Download, RotateCcw } from 'lucide-react';
import { type FormEvent, useId, useState } from 'react';
import type { ModelCard } from '../../ml/spec/modelCard.ts';
import type { LibraryState, ModelState } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { Notice } from '../controls/Notice.tsx';
import { toast } from '../controls/toast.tsx';
import { session } from '../useSession.ts';
import { downloadModel } from './downloadModel.ts';
import styles from './LiveModel.module.css';
import { ModelFacts } from './ModelFacts.tsx';
import { NameInput } from './NameInput.tsx';

const ORIGINS: Readonly<Record<ModelCard['origin'], string>> = {
  shipped: 'Came with Atelier',
  trained: 'Trained in this browser',
  imported: 'Imported from a file',
};

export interface LiveModelProps {
  readonly model: ModelState;
  readonly library: LibraryState;
  /** A run is under way. */
  readonly isTraining: boolean;
  /** The live model is the one that run trains. */
  readonly isLearning: boolean;
}

export function LiveModel({ model, library, isTraining, isLearning }: LiveModelProps) {
  if (model.phase === 'loading') {
    return <p className={styles.waiting}>Waking the model…</p>;
  }
  if (model.phase === 'none') {
    return (
      <Notice
        tone={model.fault ? 'error' : 'info'}
        title="No model is live"
        action={<ShippedButton isTraining={isTraining} />}
      >
        {model.fault?.message ?? 'Train one, import one, or use the one that comes with Atelier.'}
      </Notice>
    );
  }
  const { card } = model;
  const kept =
    library.phase === 'ready' && library.models.find(({ card: { id } }) => id === card.id);
  return (
    <article className={styles.live} aria-labelledby="live-model" data-live-model={card.id}>
      <header className={styles.head}>
        <p className={styles.mark}>{isLearning ? 'Live and in training' : 'Live now'}</p>
        <h3 id="live-model" className={styles.name}>
          {card.name}
        </h3>
        <p className={styles.origin}>
          {isLearning ? 'Being trained in this browser' : ORIGINS[card.origin]}
        </p>
      </header>
      <ModelFacts card={card} bytes={kept ? kept.bytes : null} isLearning={isLearning} />
      {/* A new form for each model, so that the name offered is its own. */}
      {(!kept || kept.kind === 'latest') && library.phase === 'ready' && (
        <SaveForm key={card.id} card={card} isLatest={Boolean(kept)} isTraining={isTraining} />
      )}
      <div className={styles.actions}>
        <DownloadButton isLearning={isLearning} />
        {card.origin !== 'shipped' && <ShippedButton isTraining={isTraining} />}
      </div>
    </article>
  );
}

interface SaveFormProps {
  readonly card: ModelCard;
  readonly isLatest: boolean;
  readonly isTraining: boolean;
}

function SaveForm({ card, isLatest, isTraining }: SaveFormProps) {
  const id = useId();
  const [name, setName] = useState(card.name);
  const [isSaving, setSaving] = useState(false);

  async function save(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (isSaving) return;
    setSaving(true);
    const { ok } = await session.saveModel(name.trim());
    setSaving(false);
    if (ok) toast({ title: `Saved as “${name.trim()}”` });
  }

  return (
    <form className={styles.save} onSubmit={(event) => void save(event)}>
      <label htmlFor={id} className={styles.label}>
        Name
      </label>
      <div className={styles.saveLine}>
        <NameInput
          id={id}
          value={name}
          aria-describedby={`${id}-note`}
          onChange={(event) => setName(event.target.value)}
        />
        <Button type="submit" icon={Bookmark} busy={isSaving} disabled={isTraining}>
          Save
        </Button>
      </div>
      <p id={`${id}-note`} className={styles.note}>
        {isTraining
          ? 'A run is under way. Stop it or wait for its end to save a model.'
          : noteOn(card, isLatest)}
      </p>
    </form>
  );
}

function noteOn(card: ModelCard, isLatest: boolean): string {
  if (isLatest) {
    return 'The latest run is kept by itself until the next one. Save it by name to keep it for good.';
  }
  if (card.origin === 'shipped') {
    return 'It is here at every visit. Save a copy under a name of your own, if you like.';
  }
  return 'Not kept yet: it lasts until another model is live or the page is left.';
}

function DownloadButton({ isLearning }: { readonly isLearning: boolean }) {
  const [isExporting, setExporting] = useState(false);
  return (
    <Button
      icon={Download}
      busy={isExporting}
      onClick={() => {
        setExporting(true);
        void downloadModel().finally(() => setExporting(false));
      }}
    >
      {isLearning ? 'Download as it is now' : 'Download as a zip'}
    </Button>
  );
}

function ShippedButton({ isTraining }: { readonly isTraining: boolean }) {
  const [isLoading, setLoading] = useState(false);
  return (
    <Button
      kind="quiet"
      icon={RotateCcw}
      busy={isLoading}
      disabled={isTraining}
      onClick={() => {
        setLoading(true);
        void session.loadShippedModel().finally(() => setLoading(false));
      }}
    >
      Use Atelier’s own model
    </Button>
  );
}
