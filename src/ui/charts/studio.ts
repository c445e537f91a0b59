/**
 * Draws charts: tfjs-vis says what a chart is made of, we dress its specification in
 * the page's look and draw it with Vega, expressions interpreted instead of compiled, so that no
 * `unsafe-eval` is needed. Loaded when the first chart is drawn (`loadStudio.ts`).
 *
 * tfjs-vis is imported by its two renderers: its index would bring all of TensorFlow.js along.
 */
import { confusionMatrix } from '@tensorflow/tfjs-vis/dist/render/confusion_matrix';
import { linechart } from '@tensorflow/tfjs-vis/dist/render/linechart';
import { parse, type TooltipHandler, View } from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile, type TopLevelSpec } from 'vega-lite';
import { type Canvas, type LineChart, MAX_POINTS, type MatrixChart } from './charts.ts';
import { align, wholeTicks } from './series.ts';
import styles from './studio.module.css';
import { DRAW, type Drawable, type VisLayer, type VisMark, type VisSpec } from './vegaEmbed.ts';

/** Of a line chart's horizontal axis, about. */
const MAX_X_TICKS = 6;

/** Pixels around a matrix: room for half a stroke. */
const MATRIX_PADDING = 1;

export function openCanvas(element: Drawable): Canvas {
  let view: View | null = null;
  let standing = '';
  let dress: (spec: VisSpec) => VisSpec = (spec) => spec;
  const tooltip = openTooltip(element);

  element[DRAW] = async (plain) => {
    const spec = dress(plain);
    const frame = frameOf(spec);
    if (view !== null && frame === standing) {
      // The same chart with new figures: a tenth of the time of a chart made anew, and the pointer's
      // tooltip stays.
      view.width(spec.width).height(spec.height);
      for (const [name, values] of namedData(spec)) view.data(name, values);
      await view.runAsync();
      return;
    }
    view?.finalize();
    standing = '';
    // tfjs-vis is written against the installed Vega-Lite; our `VisSpec` names only what we touch.
    const { spec: vegaSpec } = compile(spec as unknown as TopLevelSpec);
    view = new View(parse(vegaSpec, undefined, { ast: true }), {
      expr: expressionInterpreter,
      renderer: 'svg',
      container: element,
      hover: true,
      tooltip: tooltip.show,
    });
    await view.runAsync();
    standing = frame;
  };

  return {
    async lines(chart) {
      const { xs, ys } = align(
        chart.lines.map((line) => line.points),
        MAX_POINTS,
      );
      dress = (spec) => dressLines(spec, chart, xs, element);
      await linechart(
        element,
        {
          // tfjs-vis numbers the points of the first series and uses these numbers for all: the real
          // positions are put back in `dressLines`. NaN leaves a line undrawn there.
          values: ys.map((column) => column.map((y, x) => ({ x, y: y ?? Number.NaN }))),
          series: chart.lines.map((line) => line.title),
        },
        {
          width: chart.width,
          height: chart.height,
          xLabel: chart.xTitle,
          seriesColors: chart.lines.map((line) => line.color),
          zoomToFit: true,
          fontSize: 12,
        },
      );
    },

    async matrix(chart) {
      dress = (spec) => dressMatrix(spec, chart, element);
      await confusionMatrix(
        element,
        {
          values: chart.counts.map((row) => [...row]),
          tickLabels: [...chart.labels],
        },
        {
          width: chart.width,
          height: chart.height,
          xLabel: 'What it was taken for',
          yLabel: 'What it is',
          // Shade the confusions only: beside some 900 right ones a hundred wrong ones would vanish.
          shadeDiagonal: false,
          fontSize: chart.fontSize,
        },
      );
      if (view === null) throw new Error('tfjs-vis drew no confusion matrix.');
      const [left, top] = view.origin();
      return {
        left: left + MATRIX_PADDING,
        top: top + MATRIX_PADDING,
        width: view.width(),
        height: view.height(),
      };
    },

    close() {
      view?.finalize();
      view = null;
      delete element[DRAW];
      element.replaceChildren();
    },
  };
}

/** All of a specification but its size and its (named) data: where this stays, the view can stay. */
function frameOf(spec: VisSpec): string {
  return JSON.stringify({ ...spec, width: 0, height: 0 }, (key, value: unknown) =>
    key === 'values' ? undefined : value,
  );
}

function namedData(spec: VisSpec): readonly (readonly [name: string, values: object[]])[] {
  return [spec.data, ...spec.layer.map((layer) => layer.data)].flatMap((data) =>
    data?.name === undefined ? [] : [[data.name, [...data.values]] as const],
  );
}

/** Puts the real positions back, and gives each line its dash and markers. */
function dressLines(
  spec: VisSpec,
  chart: LineChart,
  xs: readonly number[],
  element: Element,
): VisSpec {
  const lines = spec.layer.filter((layer) => markOf(layer).type === 'line');
  const others = spec.layer.filter((layer) => markOf(layer).type !== 'line');
  return {
    ...spec,
    padding: { top: 6, right: 8, bottom: 6, left: 2 },
    config: { ...spec.config, ...lookOf(element) },
    data: {
      name: 'points',
      values: spec.data.values.map((value, index) => ({ ...value, x: xs[index] })),
    },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: chart.xTitle,
        scale: { domain: [...chart.xDomain], nice: false },
        axis: { format: 'd', values: wholeTicks(chart.xDomain, MAX_X_TICKS), grid: false },
      },
      tooltip: [
        { field: 'x', type: 'quantitative', title: chart.xTitle, format: '.2~f' },
        ...chart.lines.map((line) => ({
          field: line.title,
          type: 'quantitative',
          format: chart.yTooltipFormat,
        })),
      ],
    },
    layer: [
      ...lines.map((layer, index) => ({
        mark: {
          ...markOf(layer),
          strokeWidth: 2,
          strokeJoin: 'round',
          strokeDash: [...(chart.lines[index]?.dash ?? [])],
        },
        encoding: {
          ...layer.encoding,
          y: {
            ...layer.encoding?.y,
            title: null,
            axis: { format: chart.yFormat, tickCount: 5 },
            scale: { zero: false, nice: true },
          },
          // The page has a legend of its own, which shows dash and marker as well.
          color: { ...layer.encoding?.color, legend: null },
        },
      })),
      {
        data: {
          name: 'markers',
          values: chart.lines.flatMap(({ points, color, marker }) =>
            marker === null
              ? []
              : points
                  .filter((point) => Number.isFinite(point.y))
                  .map(({ x, y }) => ({ x, y, color, shape: marker })),
          ),
        },
        mark: { type: 'point', filled: true, size: 40, opacity: 1, tooltip: null },
        encoding: {
          y: { field: 'y', type: 'quantitative', title: null, scale: { zero: false, nice: true } },
          color: { field: 'color', type: 'nominal', scale: null },
          shape: { field: 'shape', type: 'nominal', scale: null },
        },
      },
      // The rule that follows the pointer.
      ...others.map(({ data: _, ...layer }) => layer),
    ],
  };
}

/** Shades by opacity, so that the colours are the page's and change with its theme by themselves. */
function dressMatrix(spec: VisSpec, chart: MatrixChart, element: Element): VisSpec {
  const greatest = Math.max(
    1,
    ...chart.counts.flatMap((row, actual) => row.filter((_, taken) => taken !== actual)),
  );
  return {
    ...spec,
    padding: MATRIX_PADDING,
    data: { ...spec.data, name: 'cells' },
    config: { ...spec.config, ...lookOf(element, chart.fontSize) },
    encoding: {
      x: {
        ...spec.encoding.x,
        axis: { labelAngle: -45, labelOverlap: false, labelPadding: 6, titlePadding: 10 },
      },
      y: { ...spec.encoding.y, axis: { labelPadding: 6, titlePadding: 10 } },
    },
    layer: spec.layer.map((layer) => {
      const { type } = markOf(layer);
      if (type === 'text') {
        return {
          ...layer,
          // A matrix of zeros reads badly: what never happened stays empty.
          transform: [{ filter: 'datum.count > 0' }],
          mark: { ...markOf(layer), fontSize: chart.fontSize, fill: 'var(--ink)' },
        };
      }
      const isDiagonal = 'fill' in markOf(layer);
      return {
        ...layer,
        mark: isDiagonal
          ? { type: 'rect', fill: 'var(--surface-raised)', stroke: 'var(--line)' }
          : { type: 'rect', stroke: 'var(--line)' },
        encoding: isDiagonal
          ? { ...layer.encoding }
          : {
              ...layer.encoding,
              color: { value: 'var(--heat)' },
              fillOpacity: {
                field: 'scaleCount',
                type: 'quantitative',
                legend: null,
                // Square root: single confusions show beside a hundred.
                scale: { type: 'sqrt', domain: [0, greatest], range: [0, 1] },
              },
            },
      };
    }),
  };
}

function markOf(layer: VisLayer): VisMark {
  return typeof layer.mark === 'string' ? { type: layer.mark } : layer.mark;
}

/** Vega's configuration in the page's colours. SVG takes custom properties wherever a colour goes. */
function lookOf(element: Element, fontSize = 12): VisSpec['config'] {
  const font = getComputedStyle(element).fontFamily;
  const text = {
    labelFont: font,
    titleFont: font,
    labelFontSize: fontSize,
    titleFontSize: fontSize,
    titleFontWeight: 500,
    labelColor: 'var(--ink-muted)',
    titleColor: 'var(--ink-muted)',
  };
  return {
    background: 'transparent',
    axis: {
      ...text,
      domainColor: 'var(--line-strong)',
      gridColor: 'var(--line)',
      ticks: false,
      labelPadding: 8,
      titlePadding: 8,
    },
    axisY: { domain: false },
    text: { font },
    view: { stroke: 'transparent' },
  };
}

/** A small table of the figures under the pointer. Plain text only, whatever the data say. */
function openTooltip(element: HTMLElement): { readonly show: TooltipHandler } {
  const table = document.createElement('div');
  table.className = styles.tooltip ?? '';
  return {
    show(_handler, event, _item, value: unknown) {
      if (typeof value !== 'object' || value === null) {
        table.remove();
        return;
      }
      table.replaceChildren(
        ...Object.entries(value)
          .filter(([, figure]) => figure !== 'NaN' && figure !== 'null')
          .flatMap(([name, figure]) => [cell(name), cell(String(figure))]),
      );
      const frame = element.getBoundingClientRect();
      const left = event.clientX - frame.left;
      table.style.top = `${event.clientY - frame.top + 16}px`;
      table.style.left = `${Math.min(left + 16, frame.width - 150)}px`;
      element.append(table);
    },
  };
}

function cell(text: string): HTMLElement {
  const span = document.createElement('span');
  span.textContent = text;
  return span;
}
