/**
 * Owns the drawing pad: what hands do, with mouse, pen, finger or keyboard, becomes strokes of the
 * drawing.
 */
import {
  Eraser,
  FlipHorizontal,
  Lasso,
  type LucideIcon,
  PaintBucket,
  PenLine,
  Redo2,
  Shirt,
  Trash2,
  Undo2,
} from 'lucide-react';
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
import { Button } from '../controls/Button.tsx';
import { ToolButton } from '../controls/ToolButton.tsx';
import {
  type Brush,
  createDrawing,
  type Drawing,
  PAPER,
  SHEET_SIDE,
  STENCIL_MARGIN,
  STENCIL_SCALE,
  type Tool,
} from './drawing.ts';
import type { Point } from './lasso.ts';
import styles from './Pad.module.css';
import { STENCILS, type Stencil } from './stencils.ts';

/** Three greys of cloth, which the model sees negated, and the paper to cut openings with. */
const CLOTHS = [
  { name: 'Dark cloth', tone: 48 },
  { name: 'Mid cloth', tone: 120 },
  { name: 'Light cloth', tone: 186 },
  { name: 'Paper, to cut away', tone: PAPER },
] as const;

interface ToolEntry {
  readonly tool: Tool;
  readonly name: string;
  readonly key: string;
  readonly icon: LucideIcon;
  /** What the empty sheet says. */
  readonly hint: string;
}

/** The first is the one a newcomer starts with: what is drawn with it is a filled shape. */
const TOOLS: readonly [ToolEntry, ...ToolEntry[]] = [
  {
    tool: 'lasso',
    name: 'Lasso',
    key: 'L',
    icon: Lasso,
    hint: 'Draw round a garment. It fills when you let go.',
  },
  {
    tool: 'pen',
    name: 'Pen',
    key: 'P',
    icon: PenLine,
    hint: 'Draw a garment with a thick line, then fill it.',
  },
  {
    tool: 'fill',
    name: 'Fill',
    key: 'F',
    icon: PaintBucket,
    hint: 'Draw an outline first. Then press inside it.',
  },
  {
    tool: 'eraser',
    name: 'Eraser',
    key: 'E',
    icon: Eraser,
    hint: 'Nothing to erase yet.',
  },
];

const KEYBOARD_HINTS: Readonly<Record<Tool, string>> = {
  lasso: 'Arrow keys move. Space sets a corner, Enter closes the shape and fills it.',
  pen: 'Arrow keys move. Space puts the pen down and lifts it.',
  fill: 'Arrow keys move. Space fills.',
  eraser: 'Arrow keys move. Space puts the eraser down and lifts it.',
};

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
  const lasso = useRef<SVGPathElement>(null);
  const [brush, setBrush] = useState<Brush>({
    tool: TOOLS[0].tool,
    size: 30,
    tone: CLOTHS[0].tone,
    isMirrored: false,
  });
  const [sheet, setSheet] = useState({ canUndo: false, canRedo: false, isBlank: true });
  /** From the first touch of a stroke to its end: the hint is out of the way. */
  const [isDrawing, setDrawing] = useState(false);
  /** Where the arrow keys are; null while a pointer draws. */
  const [cursor, setCursor] = useState<Point | null>(null);
  /** Corners of the lasso, or 1 for a pen that is down; 0 while the keyboard draws nothing. */
  const [numPlaced, setNumPlaced] = useState(0);
  /** Lies under the drawing and is no part of it. */
  const [silhouette, setSilhouette] = useState<Stencil | null>(null);
  const [isTracing, setTracing] = useState(true);
  const helpId = useId();
  const sizeId = useId();
  const silhouettesId = useId();

  const report = useRef({ onReady, onChange });
  useEffect(() => {
    report.current = { onReady, onChange };
  });

  useLayoutEffect(() => {
    if (!canvas.current) return;
    let wasBlank = true;
    const made = createDrawing(canvas.current, {
      onChange(isStroke) {
        // First, so that the question is on its way before anything is rendered.
        report.current.onChange(isStroke);
        setDrawing(isStroke);
        if (!isStroke) {
          const isBlank = made.isBlank();
          setSheet({ canUndo: made.canUndo(), canRedo: made.canRedo(), isBlank });
          // The silhouettes make room for the answer, and are back on an empty sheet.
          if (isBlank !== wasBlank) setTracing(isBlank);
          wasBlank = isBlank;
        }
      },
      // Many times a second: without a render.
      onLasso: (path) => lasso.current?.setAttribute('d', path),
      onLaid: () => setSilhouette(null),
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

  /** The system took the finger away, for a gesture of its own: it was not meant to draw. */
  function onPointerCancel(event: PointerEvent<HTMLCanvasElement>): void {
    if (strokeOf.current !== event.pointerId) return;
    strokeOf.current = null;
    drawing.current?.cancel();
  }

  /** The outline of the brush under a mouse or a hovering pen; moved without a render. */
  function moveRing(event: PointerEvent<HTMLCanvasElement>): void {
    const { current: mark } = ring;
    if (!mark) return;
    const box = event.currentTarget.getBoundingClientRect();
    mark.style.left = `${event.clientX - box.left}px`;
    mark.style.top = `${event.clientY - box.top}px`;
    mark.dataset.shown = String(event.pointerType !== 'touch' && hasSize);
  }

  // ---- keyboard -------------------------------------------------------------------------------

  function liftPen(): void {
    if (numPlaced === 0) return;
    setNumPlaced(0);
    drawing.current?.end();
  }

  function dropGesture(): void {
    setNumPlaced(0);
    drawing.current?.cancel();
  }

  /** Space: a corner of the lasso, the pen down or up, the bucket. Enter ends what Space began. */
  function place(at: Point, isLast: boolean): void {
    setCursor(at);
    if (numPlaced > 0 && (isLast || brush.tool !== 'lasso')) {
      liftPen();
    } else if (numPlaced > 0) {
      drawing.current?.extend([at]);
      setNumPlaced(numPlaced + 1);
    } else {
      drawing.current?.begin(at, brush);
      setNumPlaced(brush.tool === 'fill' ? 0 : 1);
    }
  }

  function moveCursor(to: Point): void {
    setCursor(to);
    if (numPlaced === 0) return;
    if (brush.tool === 'lasso') drawing.current?.aim(to);
    else drawing.current?.extend([to]);
  }

  function onCanvasKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = cursor ?? { x: SHEET_SIDE / 2, y: SHEET_SIDE / 2 };
    const arrow = ARROWS[event.key];
    if (arrow) {
      event.preventDefault();
      const step = event.shiftKey ? LONG_ARROW_STEP : ARROW_STEP;
      moveCursor({
        x: Math.max(0, Math.min(SHEET_SIDE, at.x + arrow[0] * step)),
        y: Math.max(0, Math.min(SHEET_SIDE, at.y + arrow[1] * step)),
      });
    } else if (event.key === ' ' || event.key === 'Enter') {
      event.preventDefault();
      if (!event.repeat) place(at, event.key === 'Enter');
    } else if (event.key === 'Escape') {
      dropGesture();
    }
  }

  function onShortcut(event: KeyboardEvent): void {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === 'z' || key === 'y') {
        event.preventDefault();
        setNumPlaced(0);
        if (key === 'y' || event.shiftKey) drawing.current?.redo();
        else drawing.current?.undo();
      }
      return;
    }
    if (event.altKey) return;
    const chosen = TOOLS.find((entry) => entry.key.toLowerCase() === key);
    if (chosen) choose({ tool: chosen.tool });
    if (key === 'm') choose({ isMirrored: !brush.isMirrored });
    if (key === 's') setTracing(!isTracing);
    if (key === '[') resize(-SIZE_STEP);
    if (key === ']') resize(SIZE_STEP);
    if (key === 'delete') clear();
  }

  function clear(): void {
    setNumPlaced(0);
    drawing.current?.clear();
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

  function chooseCloth(tone: number): void {
    choose({ tone, ...(brush.tool === 'eraser' && { tool: TOOLS[0].tool }) });
  }

  /** Lays the silhouette down as it is, and goes on there. */
  function fillIn(stencil: Stencil): void {
    setNumPlaced(0);
    drawing.current?.stencil(stencil, brush.tone === PAPER ? CLOTHS[0].tone : brush.tone);
    canvas.current?.focus();
  }

  const hasSize = brush.tool === 'pen' || brush.tool === 'eraser';
  const cursorSize = hasSize ? brush.size : MIN_SIZE * 2;
  const hint = TOOLS.find(({ tool }) => tool === brush.tool)?.hint;
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
          onPointerCancel={onPointerCancel}
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
        <svg className={styles.guides} viewBox={`0 0 ${SHEET_SIDE} ${SHEET_SIDE}`} aria-hidden>
          {silhouette && (
            <g
              className={styles.silhouette}
              data-testid="silhouette"
              transform={`translate(${STENCIL_MARGIN} ${STENCIL_MARGIN}) scale(${STENCIL_SCALE})`}
            >
              <path d={silhouette.path} />
              {silhouette.lines !== undefined && (
                <path d={silhouette.lines} className={styles.seams} />
              )}
            </g>
          )}
          {brush.isMirrored && (
            <line
              className={styles.axis}
              data-testid="axis"
              x1={SHEET_SIDE / 2}
              x2={SHEET_SIDE / 2}
              y2={SHEET_SIDE}
            />
          )}
        </svg>
        <svg className={styles.lasso} viewBox={`0 0 ${SHEET_SIDE} ${SHEET_SIDE}`} aria-hidden>
          <path ref={lasso} fill={`rgb(${brush.tone} ${brush.tone} ${brush.tone})`} />
        </svg>
        {sheet.isBlank && !isDrawing && numPlaced === 0 && (
          <p className={styles.hint} data-testid="pad-hint" aria-hidden>
            {silhouette === null && <span className={styles.byHand}>{hint}</span>}
            <span className={styles.byKey}>{KEYBOARD_HINTS[brush.tool]}</span>
          </p>
        )}
        <div
          ref={ring}
          className={styles.ring}
          style={{ width: percent(brush.size), height: percent(brush.size) }}
          aria-hidden
        />
        {cursor && (
          <div
            className={styles.cursor}
            data-down={numPlaced > 0 || undefined}
            style={{
              left: percent(cursor.x),
              top: percent(cursor.y),
              width: percent(cursorSize),
              height: percent(cursorSize),
            }}
            aria-hidden
          />
        )}
      </div>
      <p id={helpId} className="unseen">
        {hint} {KEYBOARD_HINTS[brush.tool]} Shift moves further, Escape drops what is unfinished. L,
        P, F and E choose lasso, pen, fill and eraser; M mirrors; S shows silhouettes to trace;
        brackets change the size; Control Z undoes.
      </p>
      <p className="unseen" role="status">
        {cursor && sayCursor(cursor, brush.tool, numPlaced)}
      </p>

      <div className={styles.beside}>
        {beside}
        <fieldset className={styles.cloths} aria-label="Cloth">
          {CLOTHS.map(({ name, tone }) => (
            <ToolButton
              key={name}
              aria-pressed={brush.tone === tone}
              label={name}
              title={name}
              onClick={() => chooseCloth(tone)}
            >
              <span
                className={styles.swatch}
                data-paper={tone === PAPER || undefined}
                style={{ background: `rgb(${tone} ${tone} ${tone})` }}
              />
            </ToolButton>
          ))}
        </fieldset>
      </div>

      <fieldset className={styles.tools} aria-label="Drawing tools">
        <div className={styles.group}>
          {TOOLS.map(({ tool, name, key, icon: Icon }) => (
            <ToolButton
              key={tool}
              aria-pressed={brush.tool === tool}
              label={name}
              title={`${name} (${key})`}
              onClick={() => choose({ tool })}
            >
              <Icon aria-hidden size={19} />
            </ToolButton>
          ))}
        </div>
        <div className={styles.group}>
          <ToolButton
            label="Mirror"
            aria-pressed={brush.isMirrored}
            title="Mirror: draw both halves at once (M)"
            onClick={() => choose({ isMirrored: !brush.isMirrored })}
          >
            <FlipHorizontal aria-hidden size={19} />
          </ToolButton>
          <ToolButton
            label="Silhouettes to trace"
            aria-expanded={isTracing}
            aria-controls={silhouettesId}
            title="Silhouettes to trace (S)"
            onClick={() => setTracing(!isTracing)}
          >
            <Shirt aria-hidden size={19} />
          </ToolButton>
        </div>
        <div className={styles.group}>
          <ToolButton
            label="Undo"
            title="Undo (Ctrl Z)"
            disabled={!sheet.canUndo}
            onClick={() => drawing.current?.undo()}
          >
            <Undo2 aria-hidden size={19} />
          </ToolButton>
          <ToolButton
            label="Redo"
            title="Redo (Ctrl Shift Z)"
            disabled={!sheet.canRedo}
            onClick={() => drawing.current?.redo()}
          >
            <Redo2 aria-hidden size={19} />
          </ToolButton>
          <ToolButton
            label="Clear the pad"
            title="Clear (Delete)"
            disabled={sheet.isBlank}
            onClick={clear}
          >
            <Trash2 aria-hidden size={19} />
          </ToolButton>
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
            disabled={!hasSize}
            onChange={(event) => choose({ size: event.target.valueAsNumber })}
          />
        </div>
      </fieldset>

      <fieldset
        id={silhouettesId}
        className={styles.silhouettes}
        aria-label="Silhouettes to trace"
        hidden={!isTracing}
      >
        <div className={styles.traceHead}>
          <span>
            {silhouette ? `Trace the ${silhouette.name.toLowerCase()}` : 'Trace a silhouette'}
          </span>
          {silhouette && (
            <>
              <Button size="small" kind="quiet" onClick={() => fillIn(silhouette)}>
                Fill it in
              </Button>
              <Button size="small" kind="quiet" onClick={() => setSilhouette(null)}>
                Take it away
              </Button>
            </>
          )}
        </div>
        <div className={styles.choices}>
          {STENCILS.map((stencil) => (
            <button
              key={stencil.name}
              type="button"
              className={styles.choice}
              aria-pressed={stencil === silhouette}
              aria-label={`Trace: ${stencil.name}`}
              title={stencil.name}
              onClick={() => setSilhouette(stencil === silhouette ? null : stencil)}
            >
              <svg viewBox="-1 -1 30 30" aria-hidden="true">
                <path d={stencil.path} />
                {stencil.lines !== undefined && <path d={stencil.lines} className={styles.seams} />}
              </svg>
            </button>
          ))}
        </div>
      </fieldset>
    </div>
  );
}

/** Where the keyboard is and what it is doing there, for those who do not see it. */
function sayCursor({ x, y }: Point, tool: Tool, numPlaced: number): string {
  const share = (value: number) => Math.round((value / SHEET_SIDE) * 100);
  const place = `${share(x)} % across, ${share(y)} % down`;
  if (tool === 'fill') return `${place}.`;
  if (tool === 'lasso') {
    if (numPlaced === 0) return `${place}. No shape begun.`;
    return `${place}. ${numPlaced} ${numPlaced === 1 ? 'corner' : 'corners'} set.`;
  }
  return `${place}. The ${tool} is ${numPlaced > 0 ? 'down' : 'up'}.`;
}
