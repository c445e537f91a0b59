/** Owns how the chosen picture file is shown: cropped and turned by hand, beside what the model sees. */
import { Crop as CropIcon, Maximize, RotateCcw, RotateCw } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import type { Picture, PictureSettings } from '../../image/picture.ts';
import { turnPicture } from '../../image/turn.ts';
import { ToolButton } from '../controls/ToolButton.tsx';
import { CropFrame } from './CropFrame.tsx';
import styles from './FileView.module.css';
import { turn } from './steering.ts';

export interface FileViewProps {
  readonly name: string;
  /** Null while it is being opened. */
  readonly picture: Picture | null;
  readonly settings: PictureSettings;
  readonly onSteer: (change: Partial<PictureSettings>, gesture: string) => void;
  readonly onUndo: () => void;
  /** What the model sees of it. */
  readonly seen: ReactNode;
}

export function FileView({ name, picture, settings, onSteer, onUndo, seen }: FileViewProps) {
  const [isCropping, setCropping] = useState(false);
  const { quarterTurns, crop } = settings;
  const turned = useMemo(
    () => picture && turnPicture(picture, quarterTurns),
    [picture, quarterTurns],
  );

  function rotate(direction: 'clockwise' | 'anticlockwise'): void {
    onSteer(turn(settings, direction), crypto.randomUUID());
  }

  return (
    <div className={styles.file}>
      <div className={styles.photoFrame}>
        {turned ? (
          <CropFrame
            picture={turned}
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
            disabled={!turned}
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
            disabled={!turned}
            onClick={() => rotate('anticlockwise')}
          >
            <RotateCcw aria-hidden size={18} />
          </ToolButton>
          <ToolButton
            label="Turn right"
            title="Turn right"
            disabled={!turned}
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
