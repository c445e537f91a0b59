/**
 * Loads the drawing code, once. tfjs-vis and Vega are large and come as a chunk of their own when the
 * first chart is drawn.
 */
import type { Canvas } from './charts.ts';

let studio: Promise<typeof import('./studio.ts')> | undefined;

function loadStudio(): Promise<typeof import('./studio.ts')> {
  studio ??= import('./studio.ts').catch((error: unknown) => {
    studio = undefined; // A later call tries again.
    throw error;
  });
  return studio;
}

/** Fetches the drawing code ahead of the first draw. */
export function preloadStudio(): void {
  // A failure shows at the first draw.
  loadStudio().catch(() => {});
}

/**
 * Opens an element for drawing, loading the drawing code first where need be. The element must hold
 * nothing else. Rejects where the code cannot be fetched.
 */
export async function openCanvas(element: HTMLElement): Promise<Canvas> {
  return (await loadStudio()).openCanvas(element);
}
