/** Owns the Data room: which data is in use, how it is spread over the classes, and its pictures. */
import { useId, useState } from 'react';
import type { PartName } from '../../data/dataset.ts';
import { dataInUse } from '../../session/state.ts';
import { formatCount } from '../controls/figures.ts';
import { Placeholder } from '../controls/Placeholder.tsx';
import { Room } from '../controls/Room.tsx';
import { useSession } from '../useSession.ts';
import { ClassList } from './ClassList.tsx';
import styles from './DataRoom.module.css';
import { GarmentBrowser } from './GarmentBrowser.tsx';
import { LoadReport } from './LoadReport.tsx';
import { SourcePicker } from './SourcePicker.tsx';

export function DataRoom() {
  const data = useSession((state) => state.data);
  const info = dataInUse(data);
  const [part, setPart] = useState<PartName>('train');
  const [label, setLabel] = useState<number | null>(null);
  const counts = part === 'train' ? info?.trainCounts : info?.testCounts;

  return (
    <Room
      id="data"
      title="Data"
      lede="Fashion-MNIST: shop photographs of garments, brought down to 28 by 28 grey pixels and sorted into ten classes. It is read and checked here, in this browser, and goes nowhere else."
    >
      <SourcePicker data={data} info={info} />
      <LoadReport data={data} />
      {info && counts ? (
        <div className={styles.inUse}>
          <PartSwitch
            part={part}
            numTrain={info.numTrain}
            numTest={info.numTest}
            onChange={setPart}
          />
          <div className={styles.pictures}>
            <ClassList
              part={part}
              classNames={info.spec.classNames}
              counts={counts}
              label={label}
              onChange={setLabel}
            />
            {/* Other data, another part, another class: the browser begins anew, on page one. */}
            <GarmentBrowser
              key={`${info.trainFile}|${info.testFile}|${info.numTrain}|${info.numTest}|${part}|${label}`}
              info={info}
              part={part}
              label={label}
            />
          </div>
        </div>
      ) : (
        <Placeholder>
          {data.phase === 'loading'
            ? 'The pictures will be here in a moment.'
            : 'No pictures are loaded yet. Choose a set above to look at it first, or go straight to Train, which brings the full set by itself.'}
        </Placeholder>
      )}
    </Room>
  );
}

interface PartSwitchProps {
  readonly part: PartName;
  readonly numTrain: number;
  readonly numTest: number;
  readonly onChange: (part: PartName) => void;
}

function PartSwitch({ part, numTrain, numTest, onChange }: PartSwitchProps) {
  const name = useId();
  const parts = [
    { value: 'train', title: 'Training', count: numTrain },
    { value: 'test', title: 'Test', count: numTest },
  ] as const;
  return (
    <fieldset className={styles.parts}>
      <legend className="unseen">Pictures to look at</legend>
      {parts.map(({ value, title, count }) => (
        <label key={value} className={styles.part}>
          <input
            type="radio"
            name={name}
            checked={part === value}
            onChange={() => onChange(value)}
            className="unseen"
          />
          <span className={styles.partCount}>{formatCount(count)}</span>{' '}
          <span className={styles.partTitle}>
            {title} {count === 1 ? 'picture' : 'pictures'}
          </span>
        </label>
      ))}
      <p className={styles.partNote}>
        {part === 'train'
          ? 'The model learns from these; a tenth of them, or as many as the recipe says, is held out to watch how well it does.'
          : 'Never shown while learning. They tell how the finished model does on garments it has not met.'}
      </p>
    </fieldset>
  );
}
