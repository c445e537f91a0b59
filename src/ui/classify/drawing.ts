/**
 * Owns the sheet one draws on: strokes, the lasso, the bucket, stencils, undo. Works on one canvas
 * and knows no React; the pad tells it what hands do.
 */
import { SIDE } from '../../fashion.ts';
import type { Picture } from '../../image/picture.ts';
import { fillRegion } from './fill.ts';
import * as history from './history.ts';
import { areasOf, type Point, pathOf, reflect, sizeOf } from './lasso.ts';
import type { Stencil } from './stencils.ts';

/** Width and height of the sheet in pixels: twelve for each of the 28 the model sees. */
export const SHEET_SIDE = 336;

/** Where stencils and garments lie: in the middle of the sheet, with this margin around them. */
export const STENCIL_MARGIN = 28;
/** Pixels of the sheet for each of a stencil's 28. */
export const STENCIL_SCALE = (SHEET_SIDE - 2 * STENCIL_MARGIN) / SIDE;

export type Tool = 'lasso' | 'pen' | 'eraser' | 'fill';

export interface Brush {
  readonly tool: Tool;
  /** Diameter in pixels of the sheet; of no account to the lasso and the bucket. */
  readonly size: number;
  /** Grey level, 0–255. */
  readonly tone: number;
  /** Does everything a second time, reflected in the vertical middle of the sheet. */
  readonly isMirrored: boolean;
}

/** Grey of the empty sheet. */
export const PAPER = 255;
/** A lasso round less than this many square pixels is a slip of the hand: half a model's pixel. */
const MIN_LASSO_SIZE = 72;

function grey(level: number): string {
  return `rgb(${level} ${level} ${level})`;
}

/** What a hand is in the middle of. */
type Gesture =
  | { readonly kind: 'line'; readonly brush: Brush; last: Point; middle: Point }
  | {
      readonly kind: 'lasso';
      readonly brush: Brush;
      readonly points: Point[];
      /** Where the line would go next; not one of the points yet. */
      tip: Point | null;
    };

export interface DrawingEvents {
  /** After every change of the picture, with `isStroke` while the pen is down. */
  onChange(isStroke: boolean): void;
  /** After every change of the lasso: what it would fill, as SVG path data; empty without one. */
  onLasso(path: string): void;
  /** A whole garment has been laid on the sheet: there is none left to trace. */
  onLaid(): void;
}

export interface Drawing {
  /** Puts the pen or the eraser down, begins a lasso, or empties the bucket. */
  begin(point: Point, brush: Brush): void;
  /** Goes on from the last point: the pen in a smooth curve, the lasso straight. */
  extend(points: readonly Point[]): void;
  /** Shows where the lasso would go if the next point were here. */
  aim(point: Point): void;
  /** Lifts the pen, or closes the lasso and fills it: one step of the history. */
  end(): void;
  /** Takes back what the hand is in the middle of. */
  cancel(): void;
  undo(): void;
  redo(): void;
  clear(): void;
  /** Lays a stencil on an empty sheet, filled. */
  stencil(stencil: Stencil, tone: number): void;
  /** Lays a picture of the data (`[784]`, light on black) on an empty sheet, dark on white. */
  garment(pixels: Uint8Array): void;
  /** A copy of the sheet, with what an unfinished lasso would fill. */
  picture(): Picture;
  canUndo(): boolean;
  canRedo(): boolean;
  /** Whether the sheet is empty; an unfinished stroke does not count. */
  isBlank(): boolean;
}

export function createDrawing(
  canvas: HTMLCanvasElement,
  { onChange, onLasso, onLaid }: DrawingEvents,
): Drawing {
  canvas.width = SHEET_SIDE;
  canvas.height = SHEET_SIDE;
  const found = canvas.getContext('2d', { willReadFrequently: true });
  if (!found) throw new Error('This browser gives no canvas to draw on. Reload the page.');
  const context = found;
  context.lineCap = 'round';
  context.lineJoin = 'round';

  function wipe(): void {
    context.fillStyle = grey(PAPER);
    context.fillRect(0, 0, SHEET_SIDE, SHEET_SIDE);
  }

  const read = () => context.getImageData(0, 0, SHEET_SIDE, SHEET_SIDE);
  const restore = () => context.putImageData(history.present(past), 0, 0);

  wipe();
  let past = history.startHistory(read());
  let gesture: Gesture | null = null;

  function keep(): void {
    past = history.record(past, read());
    onChange(false);
  }

  function goTo(next: history.History<ImageData>): void {
    // The first step back is out of what is not finished.
    if (gesture) {
      cancel();
      return;
    }
    if (next === past) return;
    past = next;
    restore();
    onChange(false);
  }

  /** Strokes a path, and its reflection where the brush is mirrored. */
  function strokePath({ tool, size, tone, isMirrored }: Brush, trace: () => void): void {
    context.strokeStyle = grey(tool === 'eraser' ? PAPER : tone);
    context.lineWidth = size;
    context.beginPath();
    trace();
    if (isMirrored) {
      context.setTransform(-1, 0, 0, 1, SHEET_SIDE, 0);
      trace();
      context.resetTransform();
    }
    context.stroke();
  }

  function pour(point: Point, { tone, isMirrored }: Brush): void {
    const before: Picture = read();
    let filled = before;
    for (const { x, y } of isMirrored ? [point, reflect(point, SHEET_SIDE)] : [point]) {
      filled = fillRegion(filled, x, y, tone) ?? filled;
    }
    if (filled === before) return;
    const sheet = context.createImageData(SHEET_SIDE, SHEET_SIDE);
    sheet.data.set(filled.data);
    context.putImageData(sheet, 0, 0);
    keep();
  }

  /** What the lasso would fill if it were closed now. */
  function lassoed(): readonly (readonly Point[])[] {
    if (gesture?.kind !== 'lasso') return [];
    const { points, tip, brush } = gesture;
    return areasOf(tip ? [...points, tip] : points, SHEET_SIDE, brush.isMirrored);
  }

  /** Fills what the lasso went round. Returns whether that is anything. */
  function fillLasso(): boolean {
    if (gesture?.kind !== 'lasso') return false;
    const areas = lassoed().filter((points) => sizeOf(points) >= MIN_LASSO_SIZE);
    context.fillStyle = grey(gesture.brush.tone);
    // One by one: of two that overlap, wound in opposite directions, the overlap would stay empty.
    for (const points of areas) context.fill(new Path2D(pathOf([points])));
    return areas.length > 0;
  }

  function showLasso(): void {
    const areas = lassoed();
    onLasso(pathOf(areas));
    if (areas.some((points) => points.length > 2)) onChange(true);
  }

  function cancel(): void {
    if (!gesture) return;
    const isSeen = gesture.kind === 'line' || lassoed().some((points) => points.length > 2);
    gesture = null;
    onLasso('');
    restore();
    if (isSeen) onChange(false);
  }

  return {
    begin(point, brush) {
      cancel();
      if (brush.tool === 'fill') {
        pour(point, brush);
      } else if (brush.tool === 'lasso') {
        gesture = { kind: 'lasso', brush, points: [point], tip: null };
        showLasso();
      } else {
        gesture = { kind: 'line', brush, last: point, middle: point };
        // A line of no length, round at both ends, is a dot.
        strokePath(brush, () => {
          context.moveTo(point.x, point.y);
          context.lineTo(point.x, point.y);
        });
        onChange(true);
      }
    },

    extend(points) {
      if (!gesture || points.length === 0) return;
      if (gesture.kind === 'lasso') {
        gesture.points.push(...points);
        gesture.tip = null;
        showLasso();
        return;
      }
      const { brush } = gesture;
      let { last, middle } = gesture;
      const curves = points.map((point) => {
        // From middle to middle with the point between as control: no corners between samples.
        const curve = {
          control: last,
          to: { x: (last.x + point.x) / 2, y: (last.y + point.y) / 2 },
        };
        last = point;
        return curve;
      });
      strokePath(brush, () => {
        context.moveTo(middle.x, middle.y);
        for (const { control, to } of curves) {
          context.quadraticCurveTo(control.x, control.y, to.x, to.y);
        }
      });
      middle = curves.at(-1)?.to ?? middle;
      gesture = { ...gesture, last, middle };
      onChange(true);
    },

    aim(point) {
      if (gesture?.kind !== 'lasso') return;
      gesture.tip = point;
      showLasso();
    },

    end() {
      if (!gesture) return;
      if (gesture.kind === 'lasso') {
        if (!fillLasso()) return cancel();
        gesture = null;
        onLasso('');
      } else {
        const { brush, last, middle } = gesture;
        gesture = null;
        strokePath(brush, () => {
          context.moveTo(middle.x, middle.y);
          context.lineTo(last.x, last.y);
        });
      }
      keep();
    },

    cancel,
    undo: () => goTo(history.undo(past)),
    redo: () => goTo(history.redo(past)),

    clear() {
      cancel();
      wipe();
      keep();
    },

    stencil({ path, lines }, tone) {
      cancel();
      wipe();
      context.setTransform(STENCIL_SCALE, 0, 0, STENCIL_SCALE, STENCIL_MARGIN, STENCIL_MARGIN);
      context.fillStyle = grey(tone);
      context.fill(new Path2D(path));
      if (lines !== undefined) {
        context.strokeStyle = grey((tone + PAPER) / 2);
        context.lineWidth = 0.5;
        context.stroke(new Path2D(lines));
      }
      context.resetTransform();
      keep();
      onLaid();
    },

    garment(pixels) {
      cancel();
      wipe();
      pixels.forEach((tone, i) => {
        if (tone === 0) return;
        context.fillStyle = grey(255 - tone);
        const x = STENCIL_MARGIN + (i % SIDE) * STENCIL_SCALE;
        const y = STENCIL_MARGIN + Math.floor(i / SIDE) * STENCIL_SCALE;
        context.fillRect(x, y, STENCIL_SCALE, STENCIL_SCALE);
      });
      keep();
      onLaid();
    },

    picture() {
      if (!fillLasso()) return read();
      const picture = read();
      restore();
      return picture;
    },

    canUndo: () => history.canUndo(past),
    canRedo: () => history.canRedo(past),
    isBlank: () =>
      new Uint32Array(history.present(past).data.buffer).every((rgba) => rgba === 0xffffffff),
  };
}
