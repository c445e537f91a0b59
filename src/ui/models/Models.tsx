/**
 * What is in the Models room: the current model, the models kept in this browser, and the way in for
 * model files, by choosing or by dropping them on the room.
 */
import { FolderOpen } from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { type Fault, isUnderWay, type LibraryState } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { Notice } from '../controls/Notice.tsx';
import { toast } from '../controls/toast.tsx';
import { isLiveModelLearning, session, useSession } from '../useSession.ts';
import { downloadModel } from './downloadModel.ts';
import { KeptModels } from './KeptModels.tsx';
import { LiveModel } from './LiveModel.tsx';
import styles from './Models.module.css';

export function Models() {
  const model = useSession((state) => state.model);
  const library = useSession((state) => state.library);
  const isTraining = useSession((state) => isUnderWay(state.training));
  const isLearning = useSession(isLiveModelLearning);
  const chooser = useRef<HTMLInputElement>(null);
  const room = useRef<HTMLDivElement>(null);
  const [isImporting, setImporting] = useState(false);
  const [isDropTarget, setDropTarget] = useState(false);

  async function importFiles(files: readonly File[]): Promise<void> {
    if (files.length === 0 || isImporting) return;
    setImporting(true);
    const result = await session.importModel(files);
    setImporting(false);
    if (result.ok) {
      const { card, unkept } = result.value;
      toast({
        title: unkept
          ? `“${card.name}” is live, but not kept`
          : `“${card.name}” is imported and live`,
      });
    }
    const isAllWell = result.ok && !result.value.unkept;
    if (!isAllWell && room.current && room.current.getBoundingClientRect().top < 0) {
      // What went wrong is said at the top, which on a phone is far above the button.
      room.current.scrollIntoView();
    }
  }

  function onDrop(event: DragEvent): void {
    setDropTarget(false);
    if (isTraining || !holdsModelFiles(event)) return;
    event.preventDefault();
    // Elsewhere on the page dropped files are pictures to classify.
    event.stopPropagation();
    void importFiles([...event.dataTransfer.files]);
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping has the button below as its equal
    <div
      ref={room}
      className={styles.room}
      data-drop-target={isDropTarget || undefined}
      onDragOver={(event) => {
        if (isTraining || !holdsModelFiles(event)) return;
        event.preventDefault();
        event.stopPropagation();
        setDropTarget(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
          setDropTarget(false);
        }
      }}
      onDrop={onDrop}
    >
      <FaultNotice library={library} canDownload={model.phase === 'live'} />
      <LiveModel model={model} library={library} isTraining={isTraining} isLearning={isLearning} />
      <KeptModels
        library={library}
        liveId={model.phase === 'live' ? model.card.id : null}
        isTraining={isTraining}
      />
      <div className={styles.import}>
        <input
          ref={chooser}
          type="file"
          className="unseen"
          multiple
          accept=".zip,.json,.bin"
          tabIndex={-1}
          aria-label="Model files"
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            event.target.value = '';
            void importFiles(files);
          }}
        />
        <Button
          icon={FolderOpen}
          busy={isImporting}
          disabled={isTraining}
          onClick={() => chooser.current?.click()}
        >
          Import a model
        </Button>
        <p className={styles.note}>
          A zip from Atelier, or the <code>model.json</code> and <code>.bin</code> files of a
          TensorFlow.js layers model. You can drop them anywhere in this room. Everything is checked
          before the live model gives way.
        </p>
      </div>
      {isDropTarget && (
        <div className={styles.dropVeil} aria-hidden>
          Drop to import
        </div>
      )}
    </div>
  );
}

interface FaultNoticeProps {
  readonly library: LibraryState;
  readonly canDownload: boolean;
}

function FaultNotice({ library, canDownload }: FaultNoticeProps) {
  if (library.phase === 'failed') {
    return (
      <Notice tone="warning" title="Models cannot be kept here">
        {library.fault.message}
      </Notice>
    );
  }
  if (library.phase !== 'ready' || library.fault === null) return null;
  const isStorage = library.fault.name === 'StorageError';
  const download = isStorage && canDownload;
  return (
    <Notice
      tone="error"
      title={titleOf(library.fault)}
      {...(download && {
        action: (
          <Button size="small" onClick={() => void downloadModel()}>
            Download the live model
          </Button>
        ),
      })}
    >
      {library.fault.message}
    </Notice>
  );
}

function titleOf(fault: Fault): string {
  if (fault.name === 'FormatError') return 'This model was not imported';
  if (fault.name === 'StorageError') return 'The browser’s storage did not do it';
  return 'That did not work';
}

/** Pictures are for the Try room. Names are hidden while something is dragged; types are not. */
function holdsModelFiles({ dataTransfer }: DragEvent): boolean {
  const items = [...dataTransfer.items].filter(({ kind }) => kind === 'file');
  return items.length > 0 && items.every(({ type }) => !type.startsWith('image/'));
}
