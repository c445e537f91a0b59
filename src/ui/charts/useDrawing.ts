/** Owns the tie between a React component and a drawn chart. */
import { type RefObject, useEffect, useRef, useState } from 'react';
import { type Canvas, DRAW_INTERVAL_MS } from './charts.ts';
import { openCanvas } from './loadStudio.ts';
import { type Pace, pace } from './pace.ts';

/**
 * Draws `wish` into the element and again whenever it changes by identity, at the pace that
 * `pace.ts` sets. Null draws nothing and leaves what stands. `draw` must be stable.
 *
 * @returns whether the last draw failed, usually because the drawing code could not be fetched
 */
export function useDrawing<Wish>(
  element: RefObject<HTMLElement | null>,
  wish: Wish | null,
  draw: (canvas: Canvas, wish: Wish) => Promise<void>,
): boolean {
  const [hasFailed, setFailed] = useState(false);
  const drawing = useRef<Pace<Wish>>(null);

  useEffect(() => {
    // An element of its own for each mount: the last draw of the mount before may still be under way.
    const stage = document.createElement('div');
    stage.style.position = 'relative';
    // Vega labels its marks for nobody in particular; the components say in words what is drawn.
    stage.ariaHidden = 'true';
    element.current?.append(stage);
    let canvas: Canvas | null = null;
    const own = pace<Wish>(
      async (next) => {
        canvas ??= await openCanvas(stage);
        await draw(canvas, next);
        setFailed(false);
      },
      DRAW_INTERVAL_MS,
      (error) => {
        console.error('A chart could not be drawn:', error);
        setFailed(true);
      },
    );
    drawing.current = own;
    return () => {
      own.end(() => canvas?.close());
      stage.remove();
    };
  }, [element, draw]);

  useEffect(() => {
    if (wish !== null) drawing.current?.push(wish);
  }, [wish]);

  return hasFailed;
}

/** Width of an element in whole pixels, followed as it changes; 0 before it is laid out. */
export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
