/** Owns what is said of a load: how far it is, why it failed and the way on, what came of it. */
import { RotateCcw, X } from 'lucide-react';
import { FASHION_MNIST } from '../../fashion.ts';
import type { DataState } from '../../session/state.ts';
import { Button } from '../controls/Button.tsx';
import { formatBytes, formatCount, formatDuration } from '../controls/figures.ts';
import { Notice } from '../controls/Notice.tsx';
import { session } from '../useSession.ts';
import styles from './LoadReport.module.css';

export function LoadReport({ data }: { readonly data: DataState }) {
  switch (data.phase) {
    case 'idle':
      return null;
    case 'loading':
      return <Progress data={data} />;
    case 'failed':
      return <Failure data={data} />;
    case 'ready':
      return (
        <>
          {data.note && <Notice tone="info">{data.note}</Notice>}
          <p className={styles.done} role="status">
            {data.info.source === 'own' ? '' : `${data.info.trainFile}, ${data.info.testFile}: `}
            {data.info.fromCache
              ? `brought from this browser’s own storage and verified in ${formatDuration(data.info.elapsedMs)}.`
              : `every cell read and checked in ${formatDuration(data.info.elapsedMs)}.`}
          </p>
        </>
      );
    default:
      return data satisfies never;
  }
}

type Loading = Extract<DataState, { phase: 'loading' }>;

function Progress({ data }: { readonly data: Loading }) {
  const { loadedBytes, totalBytes, rows, attempt, file } = data;
  const isMeasured = totalBytes !== null && totalBytes > 0 && data.stage !== 'keep';
  return (
    <section className={styles.progress} aria-label="Loading data">
      <div className={styles.text}>
        {/* Spoken when the stage changes, not at every byte. */}
        <p role="status" className={styles.stage}>
          {describeStage(data)}
          {attempt > 1 && <span className={styles.attempt}> Try {attempt}.</span>}
        </p>
        <p className={styles.figures}>
          {isMeasured && `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`}
          {!isMeasured && loadedBytes > 0 && formatBytes(loadedBytes)}
          {rows > 0 && `${loadedBytes > 0 ? ' · ' : ''}${formatCount(rows)} pictures`}
        </p>
      </div>
      <progress
        className={styles.bar}
        aria-label={file === '' ? 'Data' : file}
        {...(isMeasured ? { value: loadedBytes, max: totalBytes } : {})}
      />
      <Button size="small" kind="quiet" icon={X} onClick={() => session.cancelLoading()}>
        Cancel
      </Button>
    </section>
  );
}

function describeStage({ stage, source, file, attempt }: Loading): string {
  const order =
    source === 'own'
      ? ''
      : FASHION_MNIST.files[source].train.endsWith(file)
        ? ' Training pictures, file 1 of 2.'
        : ' Test pictures, file 2 of 2.';
  switch (stage) {
    case 'cache':
      return file === '' ? 'Beginning.' : `Looking in this browser’s storage.${order}`;
    case 'fetch':
      return `${attempt > 1 ? 'The connection dropped; fetching anew.' : 'Fetching and checking.'}${order}`;
    case 'parse':
      return source === 'own' ? `Reading and checking ${file}.` : `Checking.${order}`;
    case 'keep':
      return `Keeping a copy for your next visit.${order}`;
    default:
      return stage satisfies never;
  }
}

type Failed = Extract<DataState, { phase: 'failed' }>;

function Failure({ data: { source, fault, previous } }: { readonly data: Failed }) {
  return (
    <Notice
      tone="error"
      title={source === 'own' ? 'This file cannot be used' : 'The data could not be loaded'}
      action={
        source !== 'own' && (
          <Button size="small" icon={RotateCcw} onClick={() => void session.loadData(source)}>
            Retry
          </Button>
        )
      }
    >
      <p className={styles.fault}>{fault.message}</p>
      {previous && (
        <p>
          Nothing has changed: the {formatCount(previous.numTrain)} training and{' '}
          {formatCount(previous.numTest)} test pictures from before are still in use.
        </p>
      )}
    </Notice>
  );
}
