/**
 * Owns the seam between tfjs-vis and our own drawing. Vite gives this module to tfjs-vis in place of
 * the `vega-embed` package: what tfjs-vis specifies is handed to whoever owns the element, who draws
 * it without `eval` (a strict Content-Security-Policy forbids what `vega-embed` does by default) and
 * keeps one view an element instead of a new one for every draw.
 *
 * The hand-over goes through a property of the element, not through a variable of this module: the
 * dev server bundles tfjs-vis with a copy of this module of its own.
 */

/** What tfjs-vis asks to be drawn: a Vega-Lite specification, as far as we touch it. */
export interface VisSpec {
  readonly width: number;
  readonly height: number;
  readonly padding: unknown;
  readonly config: Readonly<Record<string, unknown>>;
  readonly data: VisData;
  readonly encoding: Readonly<Record<string, object>>;
  readonly layer: readonly VisLayer[];
}

export interface VisLayer {
  readonly mark: string | VisMark;
  readonly encoding?: Readonly<Record<string, object>>;
  readonly data?: VisData | undefined;
  readonly transform?: readonly object[];
}

export interface VisMark {
  readonly type: string;
  readonly [property: string]: unknown;
}

export interface VisData {
  readonly name?: string;
  readonly values: readonly Readonly<Record<string, unknown>>[];
}

/** Key under which an element keeps the function that draws it. */
export const DRAW = Symbol.for('atelier.charts.draw');

export interface Drawable extends HTMLElement {
  [DRAW]?: (spec: VisSpec) => Promise<void>;
}

/** Called by tfjs-vis as `vega-embed`'s default export. Resolves when the chart stands. */
// biome-ignore lint/style/noDefaultExport: stands in for a package that is imported by its default
export default async function embed(element: Drawable, spec: VisSpec): Promise<void> {
  const draw = element[DRAW];
  if (draw === undefined) {
    throw new Error('This element was not opened as a canvas before tfjs-vis was asked to draw.');
  }
  await draw(spec);
}
