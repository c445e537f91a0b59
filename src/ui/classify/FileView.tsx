/** The chosen image file as it is shown: cropped and turned by hand, beside what the model sees. */
import { Crop as CropIcon, Maximize, RotateCcw, RotateCw } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { PictureSettings } from '../../image/picture.ts';
import { ToolButton } from '../controls/ToolButton.tsx';
import { CropFrame } from './CropFrame.tsx';
import styles from './FileView.module.css';
import { turn } from './steering.ts';

export interface FileViewProps {
  readonly name: string;
  /** Upright by the file's own orientation. Null while it is being opened. */
  readonly picture: ImageBitmap | null;
  readonly settings: PictureSettings;
  readonly onSteer: (change: Partial<PictureSettings>, gesture: string) => void;
  readonly onUndo: () => void;
  /** What the model sees of it. */
  readonly seen: ReactNode;
}

export function FileView({ name, picture, settings, onSteer, onUndo, seen }: FileViewProps) {
  const [isCropping, setCropping] = useState(false);
  const { quarterTurns, crop } = settings;

  function rotate(direction: 'clockwise' | 'anticlockwise'): void {
    onSteer(turn(settings, direction), crypto.randomUUID());
  }

  return (
    <div className={styles.file}>
      <div className={styles.photoFrame}>
        {picture ? (
          <CropFrame
            picture={picture}
            quarterTurns={quarterTurns}
            name={name}
            crop={crop}
            isForFingers={isCropping}
            onCrop={(next, gesture) => onSteer({ crop: next }, gesture)}
            onUndo={onUndo}
          />
        ) : (
          <p className={styles.note}>Opening {name}…</p>
        )}
      </div>
      <div className={styles.beside}>
        {seen}
        <fieldset className={styles.tools} aria-label="Crop and turn">
          <ToolButton
            aria-pressed={isCropping}
            label="Crop"
            title="Crop: drag on the picture"
            disabled={!picture}
            onClick={() => setCropping(!isCropping)}
          >
            <CropIcon aria-hidden size={18} />
          </ToolButton>
          <ToolButton
            label="Whole picture"
            title="Whole picture"
            disabled={!crop}
            onClick={() => onSteer({ crop: null }, crypto.randomUUID())}
          >
            <Maximize aria-hidden size={18} />
          </ToolButton>
          <ToolButton
            label="Turn left"
            title="Turn left"
            disabled={!picture}
            onClick={() => rotate('anticlockwise')}
          >
            <RotateCcw aria-hidden size={18} />
          </ToolButton>
          <ToolButton
            label="Turn right"
            title="Turn right"
            disabled={!picture}
            onClick={() => rotate('clockwise')}
          >
            <RotateCw aria-hidden size={18} />
          </ToolButton>
        </fieldset>
      </div>
      {isCropping && !crop && (
        <p className={styles.hint}>Drag over the part of the picture that matters.</p>
      )}
    </div>
  );
}
