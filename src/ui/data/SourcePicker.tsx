/** Owns the choice of data: the full set, the sample, or a person's own CSV files. */
import { Check, FileUp } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import type { PartName } from '../../data/dataset.ts';
import { FASHION_MNIST } from '../../fashion.ts';
import type { DataInfo, DataState } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatCount } from '../controls/figures.ts';
import { Hint } from '../controls/Hint.tsx';
import { session } from '../useSession.ts';
import styles from './SourcePicker.module.css';

export interface SourcePickerProps {
  readonly data: DataState;
  readonly info: DataInfo | null;
}

export function SourcePicker({ data, info }: SourcePickerProps) {
  const isLoading = data.phase === 'loading';
  const loading = isLoading ? data.source : null;
  const inUse = info?.source ?? null;
  const lastLabel = (info?.spec ?? FASHION_MNIST).classNames.length - 1;
  return (
    <ul className={styles.sources} aria-label="Sources of data">
      <Source title="Full" figure={60_000} isInUse={inUse === 'full'}>
        <p>
          All of Fashion-MNIST, with 10,000 test pictures. 39 MB the first time; after that it is
          here at once.
        </p>
        {inUse !== 'full' && (
          <Button
            busy={loading === 'full'}
            disabled={isLoading && loading !== 'full'}
            onClick={() => void session.loadData('full')}
          >
            Use the full set
          </Button>
        )}
      </Source>
      <Source title="Sample" figure={2000} isInUse={inUse === 'sample'}>
        <p>
          200 pictures of each class, with 500 test pictures. 1.4 MB: enough to try things, too few
          to learn well.
        </p>
        {inUse !== 'sample' && (
          <Button
            busy={loading === 'sample'}
            disabled={isLoading && loading !== 'sample'}
            onClick={() => void session.loadData('sample')}
          >
            Use the sample
          </Button>
        )}
      </Source>
      <Source
        title="Your own"
        figure={inUse === 'own' && info ? info.numTrain : null}
        isInUse={inUse === 'own'}
        hint={
          <Hint term="The form of the file">
            One picture a line: first its label, 0 to {lastLabel}, then its 784 pixels row by row,
            each from 0 (black) to 255 (white), all divided by commas. A first line with names, and
            gzip, are welcome. <a href={FASHION_MNIST.files.sample.test}>Here is an example</a>.
          </Hint>
        }
      >
        {inUse === 'own' && info ? (
          <p className={styles.files}>
            <FileLine title="Training" name={info.trainFile} />
            <FileLine title="Test" name={info.testFile} />
          </p>
        ) : (
          <p>
            Choose CSV files of the same form. Each replaces one part and never leaves this browser.
          </p>
        )}
        <div className={styles.own}>
          <OwnFileButton part="train" disabled={isLoading}>
            Training
          </OwnFileButton>
          <OwnFileButton part="test" disabled={isLoading}>
            Test
          </OwnFileButton>
        </div>
      </Source>
    </ul>
  );
}

interface SourceProps {
  readonly title: string;
  /** Training pictures; null where unknown. */
  readonly figure: number | null;
  readonly isInUse: boolean;
  readonly hint?: ReactNode;
  readonly children: ReactNode;
}

function Source({ title, figure, isInUse, hint, children }: SourceProps) {
  return (
    <li className={styles.source} data-in-use={isInUse || undefined}>
      <div className={styles.head}>
        <h3>
          {title}
          {figure !== null && <span className={styles.figure}> ({formatCount(figure)})</span>}
        </h3>
        {hint}
        {isInUse && (
          <span className={styles.mark}>
            <Check aria-hidden size={15} strokeWidth={2.5} />
            In use
          </span>
        )}
      </div>
      {children}
    </li>
  );
}

function FileLine({ title, name }: { readonly title: string; readonly name: string }) {
  return (
    <span className={styles.file}>
      {title}: <b>{name === '' ? 'none yet' : name}</b>
    </span>
  );
}

interface OwnFileButtonProps {
  readonly part: PartName;
  readonly disabled: boolean;
  readonly children: string;
}

function OwnFileButton({ part, disabled, children }: OwnFileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button
        size="small"
        icon={FileUp}
        disabled={disabled}
        onClick={() => input.current?.click()}
        aria-label={`Choose a ${part === 'train' ? 'training' : 'test'} CSV of your own`}
      >
        {children}
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        accept=".csv,.gz,text/csv,application/gzip"
        data-own-file={part}
        onChange={(event) => {
          const file = event.target.files?.[0];
          // Emptied, so that choosing the same file again, corrected, is news.
          event.target.value = '';
          if (file) void session.loadOwnData(part, file);
        }}
      />
    </>
  );
}
