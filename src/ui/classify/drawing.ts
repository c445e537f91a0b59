/**
 * Owns the sheet one draws on: strokes, the bucket, stencils, undo. Works on one canvas and knows no
 * React; the pad tells it what hands do.
 */
import { SIDE } from '../../fashion.ts';
import type { Picture } from '../../image/picture.ts';
import { fillRegion } from './fill.ts';
import * as history from './history.ts';

/** Width and height of the sheet in pixels: twelve for each of the 28 the model sees. */
export const SHEET_SIDE = 336;

/** Where stencils and garments are laid: the middle of the sheet. */
const STENCIL_MARGIN = 28;

export type Tool = 'pen' | 'eraser' | 'fill';

export interface Brush {
  readonly tool: Tool;
  /** Diameter in pixels of the sheet. */
  readonly size: number;
  /** Grey level, 0–255. */
  readonly tone: number;
}

/** In pixels of the sheet, from its top left. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

const PAPER = 255;

function grey(level: number): string {
  return `rgb(${level} ${level} ${level})`;
}

export interface Drawing {
  /** Puts the pen or the eraser down, or empties the bucket. */
  begin(point: Point, brush: Brush): void;
  /** Goes on from the last point, in a smooth curve. */
  extend(points: readonly Point[]): void;
  /** Lifts the pen: one step of the history. */
  end(): void;
  undo(): void;
  redo(): void;
  clear(): void;
  /** Lays a filled outline (SVG path on a field of 28 × 28) on an empty sheet. */
  stencil(path: string, tone: number): void;
  /** Lays a picture of the data (`[784]`, light on black) on an empty sheet, dark on white. */
  garment(pixels: Uint8Array): void;
  /** A copy of the sheet. */
  picture(): Picture;
  canUndo(): boolean;
  canRedo(): boolean;
}

/**
 * @param onChange called after every change, with `isStroke` while the pen is down
 */
export function createDrawing(
  canvas: HTMLCanvasElement,
  onChange: (isStroke: boolean) => void,
): Drawing {
  canvas.width = SHEET_SIDE;
  canvas.height = SHEET_SIDE;
  const found = canvas.getContext('2d', { willReadFrequently: true });
  if (!found) throw new Error('This browser gives no canvas to draw on. Reload the page.');
  const context = found;

  function wipe(): void {
    context.fillStyle = grey(PAPER);
    context.fillRect(0, 0, SHEET_SIDE, SHEET_SIDE);
  }

  const read = () => context.getImageData(0, 0, SHEET_SIDE, SHEET_SIDE);

  wipe();
  let past = history.startHistory(read());
  let stroke: { last: Point; middle: Point } | null = null;

  function keep(): void {
    past = history.record(past, read());
    onChange(false);
  }

  function goTo(next: history.History<ImageData>): void {
    if (next === past) return;
    past = next;
    context.putImageData(history.present(past), 0, 0);
    onChange(false);
  }

  return {
    begin(point, { tool, size, tone }) {
      if (tool === 'fill') {
        const filled = fillRegion(read(), point.x, point.y, tone);
        if (!filled) return;
        const sheet = context.createImageData(SHEET_SIDE, SHEET_SIDE);
        sheet.data.set(filled.data);
        context.putImageData(sheet, 0, 0);
        keep();
        return;
      }
      context.strokeStyle = grey(tool === 'eraser' ? PAPER : tone);
      context.lineWidth = size;
      context.lineCap = 'round';
      context.lineJoin = 'round';
      stroke = { last: point, middle: point };
      // A line of no length, round at both ends, is a dot.
      context.beginPath();
      context.moveTo(point.x, point.y);
      context.lineTo(point.x, point.y);
      context.stroke();
      onChange(true);
    },

    extend(points) {
      if (!stroke || points.length === 0) return;
      context.beginPath();
      context.moveTo(stroke.middle.x, stroke.middle.y);
      for (const point of points) {
        // From middle to middle with the point between as control: no corners between samples.
        const middle: Point = {
          x: (stroke.last.x + point.x) / 2,
          y: (stroke.last.y + point.y) / 2,
        };
        context.quadraticCurveTo(stroke.last.x, stroke.last.y, middle.x, middle.y);
        stroke = { last: point, middle };
      }
      context.stroke();
      onChange(true);
    },

    end() {
      if (!stroke) return;
      context.beginPath();
      context.moveTo(stroke.middle.x, stroke.middle.y);
      context.lineTo(stroke.last.x, stroke.last.y);
      context.stroke();
      stroke = null;
      keep();
    },

    undo: () => goTo(history.undo(past)),
    redo: () => goTo(history.redo(past)),

    clear() {
      wipe();
      keep();
    },

    stencil(path, tone) {
      wipe();
      context.save();
      context.translate(STENCIL_MARGIN, STENCIL_MARGIN);
      const scale = (SHEET_SIDE - 2 * STENCIL_MARGIN) / SIDE;
      context.scale(scale, scale);
      context.fillStyle = grey(tone);
      context.fill(new Path2D(path));
      context.restore();
      keep();
    },

    garment(pixels) {
      wipe();
      const scale = (SHEET_SIDE - 2 * STENCIL_MARGIN) / SIDE;
      pixels.forEach((tone, i) => {
        if (tone === 0) return;
        context.fillStyle = grey(255 - tone);
        const x = STENCIL_MARGIN + (i % SIDE) * scale;
        const y = STENCIL_MARGIN + Math.floor(i / SIDE) * scale;
        context.fillRect(x, y, scale, scale);
      });
      keep();
    },

    picture: read,
    canUndo: () => history.canUndo(past),
    canRedo: () => history.canRedo(past),
  };
}
