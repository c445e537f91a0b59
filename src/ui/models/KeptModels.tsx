/** The list of kept models: which is current, loading, renaming in place, deleting with undo. */
import { Check, Pencil, Play, Trash2, X } from 'lucide-react';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { LibraryState, NewerRecords, StoredModel } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatCount } from '../controls/figures.ts';
import { Notice } from '../controls/Notice.tsx';
import { Placeholder } from '../controls/Placeholder.tsx';
import { toast } from '../controls/toast.tsx';
import { session } from '../useSession.ts';
import styles from './KeptModels.module.css';
import { ModelFacts } from './ModelFacts.tsx';
import { NameInput } from './NameInput.tsx';

export interface KeptModelsProps {
  readonly library: LibraryState;
  readonly liveId: string | null;
  readonly isTraining: boolean;
}

export function KeptModels({ library, liveId, isTraining }: KeptModelsProps) {
  if (library.phase === 'loading') {
    return <p className="quiet">Looking for kept models…</p>;
  }
  if (library.phase === 'failed') return null;
  const { models, unreadable, newer } = library;
  return (
    <section className={styles.kept} aria-labelledby="kept-models">
      <h3 id="kept-models">Kept in this browser</h3>
      {models.length === 0 ? (
        <Placeholder>
          Nothing is kept yet. The latest run keeps itself here; save a model by name and it stays.
        </Placeholder>
      ) : (
        <ul className={styles.list}>
          {models.map((stored) => (
            <KeptModel
              key={stored.card.id}
              stored={stored}
              isLive={stored.card.id === liveId}
              isTraining={isTraining}
            />
          ))}
        </ul>
      )}
      {unreadable.map(({ id, reason }) => (
        <Notice
          key={id}
          tone="warning"
          title="A kept model cannot be read"
          action={
            <Button size="small" kind="danger" onClick={() => void session.deleteModel(id)}>
              Remove it
            </Button>
          }
        >
          It is left out of the list; the others are not touched. {reason}
        </Notice>
      ))}
      {newer && (
        <Notice tone="info" title="A newer version of Atelier was here">
          It has kept {sayNewer(newer)} in this browser. This page leaves all of that as it is and
          does not show it. Reload the page to get the newer version.
        </Notice>
      )}
    </section>
  );
}

/** E.g. "2 models, a run and your settings". */
function sayNewer({ numModels, numRuns, hasSettings }: NewerRecords): string {
  const parts = [
    ...(numModels > 0 ? [numModels === 1 ? 'a model' : `${formatCount(numModels)} models`] : []),
    ...(numRuns > 0 ? [numRuns === 1 ? 'a run' : `${formatCount(numRuns)} runs`] : []),
    ...(hasSettings ? ['your settings'] : []),
  ];
  const last = parts.at(-1) ?? '';
  return parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${last}` : last;
}

interface KeptModelProps {
  readonly stored: StoredModel;
  readonly isLive: boolean;
  readonly isTraining: boolean;
}

function KeptModel({ stored, isLive, isTraining }: KeptModelProps) {
  const { card, kind, bytes } = stored;
  const [isRenaming, setRenaming] = useState(false);
  const [isLoading, setLoading] = useState(false);
  const renameButton = useRef<HTMLButtonElement>(null);

  function endRenaming(): void {
    setRenaming(false);
    // The button returns with the next render; the keyboard goes back to it.
    requestAnimationFrame(() => renameButton.current?.focus());
  }

  async function use(): Promise<void> {
    setLoading(true);
    const { ok } = await session.loadModel(card.id);
    setLoading(false);
    if (ok) toast({ title: `“${card.name}” is live` });
  }

  async function remove(): Promise<void> {
    if (!(await session.deleteModel(card.id)).ok) return;
    toast({
      title: `Deleted “${card.name}”`,
      action: { label: 'Undo', onPress: () => void session.restoreModel(card.id) },
    });
  }

  return (
    <li className={styles.item} data-kept-model={card.id} data-live={isLive || undefined}>
      <div className={styles.head}>
        {isRenaming ? (
          <RenameForm stored={stored} onEnd={endRenaming} />
        ) : (
          <>
            <h4 className={styles.name}>{card.name}</h4>
            {isLive && (
              <span className={styles.live}>
                <Check aria-hidden size={15} strokeWidth={2.5} />
                Live
              </span>
            )}
            {kind === 'latest' && <span className={styles.latest}>Latest run</span>}
          </>
        )}
      </div>
      <ModelFacts card={card} bytes={bytes} />
      <div className={styles.actions}>
        {!isLive && (
          <Button
            size="small"
            icon={Play}
            busy={isLoading}
            disabled={isTraining}
            aria-label={`Use ${card.name}`}
            onClick={() => void use()}
          >
            Use
          </Button>
        )}
        {!isRenaming && (
          <Button
            ref={renameButton}
            size="small"
            kind="quiet"
            icon={Pencil}
            aria-label={`Rename ${card.name}`}
            onClick={() => setRenaming(true)}
          >
            Rename
          </Button>
        )}
        <Button
          size="small"
          kind="quiet"
          icon={Trash2}
          aria-label={`Delete ${card.name}`}
          onClick={() => void remove()}
        >
          Delete
        </Button>
      </div>
    </li>
  );
}

interface RenameFormProps {
  readonly stored: StoredModel;
  readonly onEnd: () => void;
}

function RenameForm({ stored, onEnd }: RenameFormProps) {
  const { id, name: oldName } = stored.card;
  const [name, setName] = useState(oldName);
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => input.current?.select(), []);

  async function rename(event: FormEvent): Promise<void> {
    event.preventDefault();
    const newName = name.trim();
    if (newName !== oldName) await session.renameModel(id, newName);
    onEnd();
  }

  return (
    <form className={styles.rename} onSubmit={(event) => void rename(event)}>
      <NameInput
        ref={input}
        aria-label={`New name of ${oldName}`}
        value={name}
        onChange={(event) => setName(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onEnd();
        }}
      />
      <Button type="submit" size="small" icon={Check}>
        Rename
      </Button>
      <Button size="small" kind="quiet" icon={X} onClick={onEnd}>
        Cancel
      </Button>
    </form>
  );
}
