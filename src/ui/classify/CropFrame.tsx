/**
 * Cropping by hand on the shown image: a rectangle that mouse, pen, finger and arrow keys draw, move
 * and resize.
 */
import { type KeyboardEvent, type PointerEvent, useEffect, useId, useRef, useState } from 'react';
import type { Crop, PictureSettings } from '../../image/picture.ts';
import styles from './CropFrame.module.css';
import {
  between,
  describeCrop,
  type Grip,
  gripAt,
  moveCrop,
  resizeCrop,
  type Spot,
  unlessWhole,
  WHOLE,
} from './crop.ts';
import { PictureCanvas, turnedSize } from './PictureCanvas.tsx';

export interface CropFrameProps {
  readonly picture: ImageBitmap;
  readonly quarterTurns: PictureSettings['quarterTurns'];
  readonly name: string;
  /** On the turned image. */
  readonly crop: Crop | null;
  /** Whether a finger crops; otherwise it scrolls the page. A mouse and a pen always crop. */
  readonly isForFingers: boolean;
  /** All changes of one drag, and of the keys pressed in a row, come with the same gesture. */
  readonly onCrop: (crop: Crop | null, gesture: string) => void;
  readonly onUndo: () => void;
}

/** How near an edge a pointer has hold of it, in CSS pixels. */
const REACH = 10;
const FINGER_REACH = 22;
/** A shorter way is no drag but a hand that trembles. */
const MIN_DRAG = 6;
/** What an arrow key does, as a share of the edge. */
const KEY_STEP = 0.02;

const ARROWS: Readonly<Record<string, Spot>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

const HANDLES = [
  [-1, -1],
  [0, -1],
  [1, -1],
  [-1, 0],
  [1, 0],
  [-1, 1],
  [0, 1],
  [1, 1],
] as const;

interface Drag {
  readonly pointerId: number;
  readonly gesture: string;
  readonly from: Spot;
  readonly before: Crop | null;
  /** Null: a new rectangle is drawn. */
  readonly grip: Grip | null;
  hasMoved: boolean;
}

let numGestures = 0;
const newGesture = () => `crop ${++numGestures}`;

export function CropFrame({
  picture,
  quarterTurns,
  name,
  crop,
  isForFingers,
  onCrop,
  onUndo,
}: CropFrameProps) {
  const frame = useRef<HTMLDivElement>(null);
  const drag = useRef<Drag>(null);
  const keyGesture = useRef('');
  const [isDragging, setDragging] = useState(false);
  /** Told to screen readers after a key. */
  const [told, setTold] = useState('');
  const helpId = useId();

  // Asked for by a button: the keyboard goes along.
  const wasForFingers = useRef(isForFingers);
  useEffect(() => {
    if (isForFingers && !wasForFingers.current) frame.current?.focus();
    wasForFingers.current = isForFingers;
  }, [isForFingers]);

  // ---- pointer --------------------------------------------------------------------------------

  function spotOf(event: PointerEvent<HTMLDivElement>): Spot & { readonly reach: Spot } {
    const box = event.currentTarget.getBoundingClientRect();
    const near = event.pointerType === 'touch' ? FINGER_REACH : REACH;
    return {
      x: (event.clientX - box.left) / box.width,
      y: (event.clientY - box.top) / box.height,
      reach: { x: near / box.width, y: near / box.height },
    };
  }

  function onPointerDown(event: PointerEvent<HTMLDivElement>): void {
    if (drag.current || event.button !== 0) return;
    if (event.pointerType === 'touch' && !isForFingers) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const from = spotOf(event);
    drag.current = {
      pointerId: event.pointerId,
      gesture: newGesture(),
      from,
      before: crop,
      grip: crop && gripAt(crop, from, from.reach),
      hasMoved: false,
    };
  }

  function onPointerMove(event: PointerEvent<HTMLDivElement>): void {
    const at = spotOf(event);
    const { current: held } = drag;
    if (held?.pointerId !== event.pointerId) {
      event.currentTarget.style.cursor = cursorOf(crop && gripAt(crop, at, at.reach));
      return;
    }
    const by = { x: at.x - held.from.x, y: at.y - held.from.y };
    const box = event.currentTarget.getBoundingClientRect();
    if (!held.hasMoved && Math.hypot(by.x * box.width, by.y * box.height) < MIN_DRAG) return;
    held.hasMoved = true;
    setDragging(true);
    onCrop(dragged(held, at, by), held.gesture);
  }

  function onPointerEnd(event: PointerEvent<HTMLDivElement>): void {
    if (drag.current?.pointerId !== event.pointerId) return;
    drag.current = null;
    setDragging(false);
  }

  // ---- keyboard -------------------------------------------------------------------------------

  function onKeyDown(event: KeyboardEvent<HTMLDivElement>): void {
    const { key } = event;
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === 'z') {
      event.preventDefault();
      onUndo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[key];
    if (arrow) {
      event.preventDefault();
      const by = { x: arrow.x * KEY_STEP, y: arrow.y * KEY_STEP };
      const before = crop ?? WHOLE;
      const next = event.shiftKey ? resizeCrop(before, { x: 1, y: 1 }, by) : moveCrop(before, by);
      keyGesture.current ||= newGesture();
      onCrop(unlessWhole(next), keyGesture.current);
      setTold(tell(unlessWhole(next)));
    } else if (key === 'Delete' || key === 'Backspace') {
      event.preventDefault();
      if (crop) onCrop(null, newGesture());
      setTold(tell(null));
    } else if (key === 'Escape' && drag.current) {
      const { before, gesture } = drag.current;
      drag.current = null;
      setDragging(false);
      onCrop(before, gesture);
    }
  }

  const percent = (share: number) => `${share * 100}%`;
  const { width, height } = turnedSize(picture, quarterTurns);
  const isWide = width >= height;

  return (
    <>
      <div
        ref={frame}
        className={styles.frame}
        style={{
          aspectRatio: `${width} / ${height}`,
          [isWide ? 'width' : 'height']: '100%',
        }}
        data-fingers={isForFingers || undefined}
        data-testid="crop-frame"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys crop here, so a screen reader must pass them on
        tabIndex={0}
        aria-label={`Crop of ${name}: ${tell(crop)}`}
        aria-describedby={helpId}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerEnd}
        onPointerCancel={onPointerEnd}
        onLostPointerCapture={onPointerEnd}
        onKeyDown={onKeyDown}
        onBlur={() => {
          keyGesture.current = '';
        }}
      >
        <PictureCanvas
          picture={picture}
          quarterTurns={quarterTurns}
          label={name}
          className={styles.picture}
        />
        {crop && (
          <div
            className={styles.crop}
            data-dragging={isDragging || undefined}
            style={{
              left: percent(crop.left),
              top: percent(crop.top),
              width: percent(crop.width),
              height: percent(crop.height),
            }}
            aria-hidden
          >
            {HANDLES.map(([x, y]) => (
              <span
                key={`${x} ${y}`}
                className={styles.handle}
                style={{ left: percent((x + 1) / 2), top: percent((y + 1) / 2) }}
              />
            ))}
          </div>
        )}
      </div>
      <p id={helpId} className="unseen">
        Arrow keys move the crop, with Shift they change its size; Delete goes back to the whole
        picture; Control Z undoes.
      </p>
      <p className="unseen" role="status">
        {told}
      </p>
    </>
  );
}

/** What a drag has made of the crop. */
function dragged({ from, before, grip }: Drag, at: Spot, by: Spot): Crop | null {
  if (grip === null || before === null) return unlessWhole(between(from, at));
  return unlessWhole(grip === 'inside' ? moveCrop(before, by) : resizeCrop(before, grip, by));
}

function tell(crop: Crop | null): string {
  return crop ? describeCrop(crop) : 'the whole picture';
}

function cursorOf(grip: Grip | null): string {
  if (grip === null) return 'crosshair';
  if (grip === 'inside') return 'move';
  if (grip.x === 0) return 'ns-resize';
  if (grip.y === 0) return 'ew-resize';
  return grip.x === grip.y ? 'nwse-resize' : 'nesw-resize';
}
