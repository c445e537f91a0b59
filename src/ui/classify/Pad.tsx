/**
 * Owns the drawing pad: what hands do, with mouse, pen, finger or keyboard, becomes strokes of the
 * drawing.
 */
import { Eraser, PaintBucket, PenLine, Redo2, Trash2, Undo2 } from 'lucide-react';
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { type Brush, createDrawing, type Drawing, type Point, SHEET_SIDE } from './drawing.ts';
import styles from './Pad.module.css';

/** Three greys of cloth; the model sees them negated. */
export const CLOTHS = [
  { name: 'Dark', tone: 48 },
  { name: 'Mid', tone: 120 },
  { name: 'Light', tone: 186 },
] as const;

const TOOLS = [
  { tool: 'pen', name: 'Pen', key: 'P', icon: PenLine },
  { tool: 'eraser', name: 'Eraser', key: 'E', icon: Eraser },
  { tool: 'fill', name: 'Fill', key: 'F', icon: PaintBucket },
] as const;

const MIN_SIZE = 6;
const MAX_SIZE = 72;
const SIZE_STEP = 6;
/** How far an arrow key goes, in pixels of the sheet: half of one of the model's pixels. */
const ARROW_STEP = 6;
const LONG_ARROW_STEP = 24;

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface PadProps {
  /** Called once, when there is a sheet to draw on. */
  readonly onReady: (drawing: Drawing) => void;
  /** Called after every change, with `isStroke` while the pen is down. */
  readonly onChange: (isStroke: boolean) => void;
  /** Stands beside the sheet, above the cloths. */
  readonly beside: ReactNode;
}

export function Pad({ onReady, onChange, beside }: PadProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const ring = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing>(null);
  const strokeOf = useRef<number | null>(null);
  const [brush, setBrush] = useState<Brush>({ tool: 'pen', size: 30, tone: CLOTHS[0].tone });
  const [steps, setSteps] = useState({ canUndo: false, canRedo: false });
  /** Where the arrow keys are; null while a pointer draws. */
  const [cursor, setCursor] = useState<Point | null>(null);
  const [isPenDown, setPenDown] = useState(false);
  const helpId = useId();
  const sizeId = useId();

  const report = useRef({ onReady, onChange });
  useEffect(() => {
    report.current = { onReady, onChange };
  });

  useLayoutEffect(() => {
    if (!canvas.current) return;
    const made = createDrawing(canvas.current, (isStroke) => {
      if (!isStroke) setSteps({ canUndo: made.canUndo(), canRedo: made.canRedo() });
      report.current.onChange(isStroke);
    });
    drawing.current = made;
    report.current.onReady(made);
  }, []);

  // ---- pointer --------------------------------------------------------------------------------

  function pointOf(event: { clientX: number; clientY: number }): Point {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || box.width === 0) return { x: 0, y: 0 };
    const scale = SHEET_SIDE / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  function onPointerDown(event: PointerEvent<HTMLCanvasElement>): void {
    // One hand draws at a time; a second finger or a second button changes nothing.
    if (strokeOf.current !== null || (event.button !== 0 && event.button !== 5)) return;
    liftPen();
    setCursor(null);
    strokeOf.current = event.pointerId;
    event.currentTarget.setPointerCapture(event.pointerId);
    // Button 5 is the eraser end of a pen.
    const tool = event.button === 5 ? 'eraser' : brush.tool;
    drawing.current?.begin(pointOf(event), { ...brush, tool });
  }

  function onPointerMove(event: PointerEvent<HTMLCanvasElement>): void {
    moveRing(event);
    if (strokeOf.current !== event.pointerId) return;
    // All the places between two frames, where the browser tells them.
    const moves = event.nativeEvent.getCoalescedEvents?.() ?? [];
    drawing.current?.extend((moves.length > 0 ? moves : [event.nativeEvent]).map(pointOf));
  }

  function onPointerEnd(event: PointerEvent<HTMLCanvasElement>): void {
    if (strokeOf.current !== event.pointerId) return;
    strokeOf.current = null;
    drawing.current?.end();
  }

  /** The outline of the brush under a mouse or a hovering pen; moved without a render. */
  function moveRing(event: PointerEvent<HTMLCanvasElement>): void {
    const { current: mark } = ring;
    if (!mark) return;
    const box = event.currentTarget.getBoundingClientRect();
    mark.style.left = `${event.clientX - box.left}px`;
    mark.style.top = `${event.clientY - box.top}px`;
    mark.dataset.shown = String(event.pointerType !== 'touch' && brush.tool !== 'fill');
  }

  // ---- keyboard -------------------------------------------------------------------------------

  function liftPen(): void {
    if (!isPenDown) return;
    setPenDown(false);
    drawing.current?.end();
  }

  function onCanvasKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = cursor ?? { x: SHEET_SIDE / 2, y: SHEET_SIDE / 2 };
    const arrow = ARROWS[event.key];
    if (arrow) {
      event.preventDefault();
      const step = event.shiftKey ? LONG_ARROW_STEP : ARROW_STEP;
      const next = {
        x: Math.max(0, Math.min(SHEET_SIDE, at.x + arrow[0] * step)),
        y: Math.max(0, Math.min(SHEET_SIDE, at.y + arrow[1] * step)),
      };
      setCursor(next);
      if (isPenDown) drawing.current?.extend([next]);
    } else if (event.key === ' ' || event.key === 'Enter') {
      event.preventDefault();
      if (event.repeat) return;
      setCursor(at);
      if (isPenDown) {
        liftPen();
      } else {
        drawing.current?.begin(at, brush);
        setPenDown(brush.tool !== 'fill');
      }
    } else if (event.key === 'Escape') {
      liftPen();
    }
  }

  function onShortcut(event: KeyboardEvent): void {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === 'z' || key === 'y') {
        event.preventDefault();
        liftPen();
        if (key === 'y' || event.shiftKey) drawing.current?.redo();
        else drawing.current?.undo();
      }
      return;
    }
    if (event.altKey) return;
    const chosen = TOOLS.find((entry) => entry.key.toLowerCase() === key);
    if (chosen) choose({ tool: chosen.tool });
    if (key === '[') resize(-SIZE_STEP);
    if (key === ']') resize(SIZE_STEP);
    if (key === 'delete') drawing.current?.clear();
  }

  function choose(change: Partial<Brush>): void {
    liftPen();
    setBrush((before) => ({ ...before, ...change }));
  }

  function resize(by: number): void {
    liftPen();
    setBrush((before) => ({
      ...before,
      size: Math.max(MIN_SIZE, Math.min(MAX_SIZE, before.size + by)),
    }));
  }

  const percent = (value: number) => `${(value / SHEET_SIDE) * 100}%`;

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: shortcuts on top of buttons that do the same
    <div className={styles.pad} onKeyDown={onShortcut}>
      <div className={styles.frame}>
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrow keys draw here, so a screen reader must pass them on */}
        <canvas
          ref={canvas}
          className={styles.sheet}
          data-testid="pad"
          tabIndex={0}
          role="application"
          aria-label="Drawing pad"
          aria-describedby={helpId}
          onPointerDown={onPointerDown}
          onPointerMove={onPointerMove}
          onPointerUp={onPointerEnd}
          onPointerCancel={onPointerEnd}
          onLostPointerCapture={onPointerEnd}
          onPointerLeave={() => {
            if (ring.current) ring.current.dataset.shown = 'false';
          }}
          onKeyDown={onCanvasKey}
          onBlur={() => {
            liftPen();
            setCursor(null);
          }}
        />
        <div
          ref={ring}
          className={styles.ring}
          style={{ width: percent(brush.size), height: percent(brush.size) }}
          aria-hidden
        />
        {cursor && (
          <div
            className={styles.cursor}
            data-down={isPenDown || undefined}
            style={{
              left: percent(cursor.x),
              top: percent(cursor.y),
              width: percent(brush.size),
              height: percent(brush.size),
            }}
            aria-hidden
          />
        )}
      </div>
      <p id={helpId} className="unseen">
        Arrow keys move, with Shift further; Space puts the pen down and lifts it; P, E and F choose
        pen, eraser and fill; brackets change the size; Control Z undoes.
      </p>
      <p className="unseen" role="status">
        {cursor && (isPenDown ? 'The pen is down.' : 'The pen is up.')}
      </p>

      <div className={styles.beside}>
        {beside}
        <fieldset className={styles.cloths} aria-label="Cloth">
          {CLOTHS.map(({ name, tone }) => (
            <button
              key={name}
              type="button"
              className={styles.tool}
              aria-pressed={brush.tone === tone}
              aria-label={`${name} cloth`}
              title={`${name} cloth`}
              onClick={() => choose({ tone, ...(brush.tool === 'eraser' && { tool: 'pen' }) })}
            >
              <span
                className={styles.swatch}
                style={{ background: `rgb(${tone} ${tone} ${tone})` }}
              />
            </button>
          ))}
        </fieldset>
      </div>

      <fieldset className={styles.tools} aria-label="Drawing tools">
        <div className={styles.group}>
          {TOOLS.map(({ tool, name, key, icon: Icon }) => (
            <button
              key={tool}
              type="button"
              className={styles.tool}
              aria-pressed={brush.tool === tool}
              aria-label={name}
              title={`${name} (${key})`}
              onClick={() => choose({ tool })}
            >
              <Icon aria-hidden size={19} />
            </button>
          ))}
        </div>
        <div className={styles.group}>
          <button
            type="button"
            className={styles.tool}
            aria-label="Undo"
            title="Undo (Ctrl Z)"
            disabled={!steps.canUndo}
            onClick={() => drawing.current?.undo()}
          >
            <Undo2 aria-hidden size={19} />
          </button>
          <button
            type="button"
            className={styles.tool}
            aria-label="Redo"
            title="Redo (Ctrl Shift Z)"
            disabled={!steps.canRedo}
            onClick={() => drawing.current?.redo()}
          >
            <Redo2 aria-hidden size={19} />
          </button>
          <button
            type="button"
            className={styles.tool}
            aria-label="Clear the pad"
            title="Clear (Delete)"
            disabled={!steps.canUndo}
            onClick={() => drawing.current?.clear()}
          >
            <Trash2 aria-hidden size={19} />
          </button>
        </div>
        <div className={styles.size}>
          <label htmlFor={sizeId}>Size</label>
          <input
            id={sizeId}
            type="range"
            min={MIN_SIZE}
            max={MAX_SIZE}
            step={1}
            value={brush.size}
            onChange={(event) => choose({ size: event.target.valueAsNumber })}
          />
        </div>
      </fieldset>
    </div>
  );
}
