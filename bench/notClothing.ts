/**
 * Owns the measurement of how honest a model is: whether its probabilities come true, and how much of
 * what is no garment it declines to name. The pictures of that are letters and digits in fonts, noise,
 * textures, faces and figures made of geometric shapes. Seeded, so that a measurement repeats; drawn
 * here but for the glyphs, for which a browser lends its fonts.
 */
import type * as tf from '@tensorflow/tfjs';
import { chromium } from 'playwright';
import { ensureBrowser, launchOptions } from '../scripts/browser.ts';
import { type Dataset, splitRows } from '../src/data/dataset.ts';
import { PIXELS } from '../src/fashion.ts';
import { normalizePicture } from '../src/image/normalize.ts';
import type { Picture } from '../src/image/picture.ts';
import { calibrateModel } from '../src/ml/run/calibrate.ts';
import { evaluateModel } from '../src/ml/run/evaluate.ts';
import { examine } from '../src/ml/run/features.ts';
import { type Calibration, softmaxAt } from '../src/ml/spec/calibration.ts';
import { remotenessOf } from '../src/ml/spec/familiarity.ts';
import { findHeldOut, type ModelCard } from '../src/ml/spec/modelCard.ts';
import type { Verdict } from '../src/ml/spec/verdict.ts';
import { judge } from '../src/ml/spec/verdict.ts';
import { createRandom } from '../src/random.ts';
import type { Photo } from './photos.ts';

/** Kinds that scores of unfamiliarity were chosen on; the others were first looked at in reports. */
export const DEVELOPMENT_KINDS = ['letters', 'smooth noise', 'stripes', 'shapes'] as const;
export const REPORT_KINDS = ['digits', 'white noise', 'checks', 'plaid', 'faces'] as const;
export type NotClothingKind = (typeof DEVELOPMENT_KINDS)[number] | (typeof REPORT_KINDS)[number];

export interface NotClothing {
  readonly kind: string;
  readonly picture: Picture;
}

/** Edge of the pictures in pixels. */
const SIDE_PX = 160;

type Random = () => number;
type Color = readonly [number, number, number];
/** A picture as a function of the place, both coordinates 0–1. */
type Paint = (x: number, y: number) => Color;
/** Whether a place belongs to a figure. */
type Figure = (x: number, y: number) => boolean;

const between = (random: Random, least: number, most: number) => least + random() * (most - least);

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new RangeError('There is nothing to pick from.');
  return value;
}

/** Sheet and ink far enough apart to be told by eye, on paper as often as on the dark. */
function drawColors(random: Random): { sheet: Color; ink: Color } {
  const near = (level: number, spread: number): Color => {
    const tint = () => Math.max(0, Math.min(255, level + between(random, -spread, spread)));
    return [tint(), tint(), tint()];
  };
  const light = near(between(random, 215, 245), 10);
  const dark = near(between(random, 30, 110), 30);
  return random() < 0.75 ? { sheet: light, ink: dark } : { sheet: dark, ink: light };
}

const SAMPLES = [
  [0.25, 0.25],
  [0.75, 0.25],
  [0.25, 0.75],
  [0.75, 0.75],
] as const;

/** Renders with four samples a pixel. */
function render(paint: Paint): Picture {
  const data = new Uint8ClampedArray(SIDE_PX * SIDE_PX * 4);
  for (let row = 0; row < SIDE_PX; row++) {
    for (let column = 0; column < SIDE_PX; column++) {
      let [red, green, blue] = [0, 0, 0];
      for (const [dx, dy] of SAMPLES) {
        const color = paint((column + dx) / SIDE_PX, (row + dy) / SIDE_PX);
        red += color[0] / SAMPLES.length;
        green += color[1] / SAMPLES.length;
        blue += color[2] / SAMPLES.length;
      }
      data.set([red, green, blue, 255], (row * SIDE_PX + column) * 4);
    }
  }
  return { width: SIDE_PX, height: SIDE_PX, data };
}

/** Grey or coloured noise with grains of one size; `isSmooth` blends from grain to grain. */
function noise(random: Random, isSmooth: boolean): Paint {
  const grains = Math.round(isSmooth ? between(random, 3, 12) : between(random, 20, 160));
  const isColored = random() < 0.5;
  const values: Color[] = Array.from({ length: (grains + 1) ** 2 }, () => {
    const grey = random() * 255;
    return isColored ? [random() * 255, random() * 255, random() * 255] : [grey, grey, grey];
  });
  const at = (column: number, row: number) => values[row * (grains + 1) + column] ?? [0, 0, 0];
  return (x, y) => {
    const column = Math.floor(x * grains);
    const row = Math.floor(y * grains);
    if (!isSmooth) return at(column, row);
    const right = x * grains - column;
    const down = y * grains - row;
    const blend = (channel: 0 | 1 | 2) =>
      (at(column, row)[channel] * (1 - right) + at(column + 1, row)[channel] * right) * (1 - down) +
      (at(column, row + 1)[channel] * (1 - right) + at(column + 1, row + 1)[channel] * right) *
        down;
    return [blend(0), blend(1), blend(2)];
  };
}

/** A texture that fills the picture, or a swatch of it on a plain sheet. */
function texture(random: Random, kind: 'stripes' | 'checks' | 'plaid'): Paint {
  const { sheet, ink } = drawColors(random);
  const [turn, period, duty] = [
    random() * Math.PI,
    between(random, 0.04, 0.25),
    between(random, 0.3, 0.7),
  ];
  const band = (along: number) => along / period - Math.floor(along / period) < duty;
  const pattern: Paint = (x, y) => {
    const u = x * Math.cos(turn) + y * Math.sin(turn);
    const v = y * Math.cos(turn) - x * Math.sin(turn);
    if (kind === 'stripes') return band(u) ? ink : sheet;
    if (kind === 'checks') return band(u) === band(v) ? ink : sheet;
    const depth = (Number(band(u)) + Number(band(v))) / 2;
    const mix = (channel: 0 | 1 | 2) => sheet[channel] * (1 - depth) + ink[channel] * depth;
    return [mix(0), mix(1), mix(2)];
  };
  if (random() < 0.5) return pattern;
  const swatch = random() < 0.5 ? ellipse(0.5, 0.5, 0.35, 0.35) : rectangle(0.2, 0.2, 0.8, 0.8);
  const under = drawColors(random).sheet;
  return (x, y) => (swatch(x, y) ? pattern(x, y) : under);
}

function ellipse(x0: number, y0: number, rx: number, ry: number): Figure {
  return (x, y) => ((x - x0) / rx) ** 2 + ((y - y0) / ry) ** 2 <= 1;
}

function rectangle(left: number, top: number, right: number, bottom: number): Figure {
  return (x, y) => x >= left && x <= right && y >= top && y <= bottom;
}

/** Even–odd rule. */
function polygon(corners: readonly (readonly [number, number])[]): Figure {
  return (x, y) => {
    let isInside = false;
    corners.forEach(([x1, y1], i) => {
      const [x2, y2] = corners[(i + 1) % corners.length] ?? [x1, y1];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) isInside = !isInside;
    });
    return isInside;
  };
}

/** A polygon or star of `numTips` tips; `depth` is the inner radius as a share of the outer. */
function star(
  x0: number,
  y0: number,
  radius: number,
  numTips: number,
  depth: number,
  turn: number,
) {
  return polygon(
    Array.from({ length: 2 * numTips }, (_, i) => {
      const angle = turn + (i * Math.PI) / numTips;
      const reach = radius * (i % 2 === 0 ? 1 : depth);
      return [x0 + reach * Math.cos(angle), y0 + reach * Math.sin(angle)] as const;
    }),
  );
}

/** One plain figure, off the centre; half of them a little wider than high or the reverse. */
function shape(random: Random): Paint {
  const { sheet, ink } = drawColors(random);
  const [x0, y0] = [between(random, 0.4, 0.6), between(random, 0.4, 0.6)];
  const radius = between(random, 0.2, 0.38);
  const turn = random() * Math.PI;
  const flat = between(random, 0.5, 1);
  const figure = pick<() => Figure>(random, [
    () => ellipse(x0, y0, radius, radius * flat),
    () => {
      const [outer, inner] = [
        ellipse(x0, y0, radius, radius),
        ellipse(x0, y0, radius * 0.6, radius * 0.6),
      ];
      return (x, y) => outer(x, y) && !inner(x, y);
    },
    () => star(x0, y0, radius, 3, 0.5, turn),
    () => star(x0, y0, radius, 5, 0.4, turn),
    () => star(x0, y0, radius, 8, 0.75, turn),
    () => star(x0, y0, radius, 6, Math.cos(Math.PI / 6), turn),
    // A cross, and an arrow.
    () => {
      const arm = radius * 0.35;
      const [across, down] = [
        rectangle(x0 - radius, y0 - arm, x0 + radius, y0 + arm),
        rectangle(x0 - arm, y0 - radius, x0 + arm, y0 + radius),
      ];
      return (x, y) => across(x, y) || down(x, y);
    },
    () => {
      const corners: readonly (readonly [number, number])[] = [
        [-1, -0.3],
        [0.2, -0.3],
        [0.2, -0.8],
        [1, 0],
        [0.2, 0.8],
        [0.2, 0.3],
        [-1, 0.3],
      ];
      return polygon(
        corners.map(([u, v]) => [
          x0 + radius * (u * Math.cos(turn) - v * Math.sin(turn)),
          y0 + radius * (u * Math.sin(turn) + v * Math.cos(turn)),
        ]),
      );
    },
  ])();
  return (x, y) => (figure(x, y) ? ink : sheet);
}

/** A head with eyes, a nose or none, and a mouth; some with ears, some drawn as an outline. */
function face(random: Random): Paint {
  const { sheet, ink } = drawColors(random);
  const skin: Color = drawColors(random).ink;
  const [rx, ry] = [between(random, 0.25, 0.38), between(random, 0.3, 0.42)];
  const head = ellipse(0.5, 0.5, rx, ry);
  const brim = ellipse(0.5, 0.5, rx - 0.03, ry - 0.03);
  const isOutline = random() < 0.3;
  const hasEars = random() < 0.5;
  const hasNose = random() < 0.6;
  const [eyeX, eyeY, eye] = [
    rx * between(random, 0.35, 0.5),
    0.5 - ry * between(random, 0.15, 0.4),
    between(random, 0.03, 0.07),
  ];
  const eyes: Figure = (x, y) =>
    ellipse(0.5 - eyeX, eyeY, eye, eye)(x, y) || ellipse(0.5 + eyeX, eyeY, eye, eye)(x, y);
  const mouthY = 0.5 + ry * between(random, 0.25, 0.5);
  const [mouthX, bend] = [rx * between(random, 0.35, 0.6), between(random, -0.08, 0.08)];
  const mouth: Figure = (x, y) => {
    const along = (x - 0.5) / mouthX;
    return Math.abs(along) <= 1 && Math.abs(y - mouthY - bend * (1 - along ** 2)) < 0.02;
  };
  const nose = polygon([
    [0.5, 0.46],
    [0.46, 0.56],
    [0.54, 0.56],
  ]);
  const ears: Figure = (x, y) =>
    ellipse(0.5 - rx, 0.5, 0.07, 0.09)(x, y) || ellipse(0.5 + rx, 0.5, 0.07, 0.09)(x, y);
  // Features are of the sheet's colour, or the ink's where the head is but a line.
  return (x, y) => {
    const isFeature = eyes(x, y) || mouth(x, y) || (hasNose && nose(x, y));
    if (isOutline) return isFeature || (head(x, y) && !brim(x, y)) ? ink : sheet;
    if (head(x, y)) return isFeature ? sheet : skin;
    return hasEars && ears(x, y) ? skin : sheet;
  };
}

interface Glyph {
  readonly sign: string;
  readonly font: string;
  readonly sheet: string;
  readonly ink: string;
  readonly x: number;
  readonly y: number;
}

/** Generic families and the common names behind them; a browser without one takes the nearest. */
const FONTS = ['serif', 'sans-serif', 'monospace', 'Georgia', 'Arial', 'Verdana', 'cursive'];

function drawGlyph(random: Random, signs: string): Glyph {
  const { sheet, ink } = drawColors(random);
  const css = (color: Color) => `rgb(${color.map(Math.round).join(' ')})`;
  const weight = pick(random, ['normal', 'bold', 'italic', 'italic bold']);
  return {
    sign: pick(random, [...signs]),
    font: `${weight} ${Math.round(between(random, 60, 140))}px ${pick(random, FONTS)}`,
    sheet: css(sheet),
    ink: css(ink),
    x: between(random, 0.4, 0.6),
    y: between(random, 0.4, 0.6),
  };
}

/** Runs in the browser: the pixels of each glyph, base64. */
function renderGlyphs([glyphs, side]: readonly [readonly Glyph[], number]): string[] {
  const context = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('The browser gives no canvas.');
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  return glyphs.map(({ sign, font, sheet, ink, x, y }) => {
    context.fillStyle = sheet;
    context.fillRect(0, 0, side, side);
    context.fillStyle = ink;
    context.font = font;
    context.fillText(sign, x * side, y * side);
    const { data } = context.getImageData(0, 0, side, side);
    const pieces: string[] = [];
    for (let i = 0; i < data.length; i += 0x8000) {
      pieces.push(String.fromCharCode(...data.subarray(i, i + 0x8000)));
    }
    return btoa(pieces.join(''));
  });
}

/**
 * Pictures of the kinds, `count` of each.
 *
 * @param seed Another one gives other pictures of the same kinds.
 */
export async function makeNotClothing(
  kinds: readonly NotClothingKind[],
  count: number,
  seed: number,
): Promise<NotClothing[]> {
  const browser = await chromium.launch(launchOptions(await ensureBrowser(), 'software'));
  try {
    const page = await browser.newPage();
    const made: NotClothing[] = [];
    for (const kind of kinds) {
      const random = createRandom(seed);
      const painted = (paint: () => Paint) => Array.from({ length: count }, () => render(paint()));
      const written = async (signs: string) => {
        const glyphs = Array.from({ length: count }, () => drawGlyph(random, signs));
        const rendered = await page.evaluate(renderGlyphs, [glyphs, SIDE_PX] as const);
        return rendered.map((base64) => ({
          width: SIDE_PX,
          height: SIDE_PX,
          data: new Uint8ClampedArray(Buffer.from(base64, 'base64')),
        }));
      };
      const picturesOf = async (): Promise<Picture[]> => {
        switch (kind) {
          case 'letters':
            return written('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz');
          case 'digits':
            return written('0123456789');
          case 'white noise':
            return painted(() => noise(random, false));
          case 'smooth noise':
            return painted(() => noise(random, true));
          case 'stripes':
          case 'checks':
          case 'plaid':
            return painted(() => texture(random, kind));
          case 'shapes':
            return painted(() => shape(random));
          case 'faces':
            return painted(() => face(random));
          default:
            return kind satisfies never;
        }
      };
      for (const picture of await picturesOf()) made.push({ kind, picture });
    }
    return made;
  } finally {
    await browser.close();
  }
}

export interface HonestyRequest {
  readonly model: tf.LayersModel;
  readonly card: ModelCard;
  readonly test: Dataset;
  /** Brings the training file; asked for only where the model has no calibration of its own. */
  readonly readTraining: () => Promise<{ readonly dataset: Dataset; readonly name: string }>;
  /** Photos to look at as well; none where there are none. */
  readonly photos: readonly Photo[];
}

/** Of another seed than the score was chosen with. */
const REPORT_SEED = 202;
const NUM_OF_KIND = 200;

/** Prints calibration before and after, and what is declined, kind by kind. */
export async function reportHonesty(request: HonestyRequest): Promise<void> {
  const { model, card, test, photos } = request;
  const calibration = card.calibration ?? (await calibrateHere(request));
  if (!calibration) {
    console.log('\nThe model is not calibrated, and its held-out rows are not known.');
    return;
  }
  const evaluation = await evaluateModel(model, calibration, test, 'test');
  const { reliability, calibrated } = evaluation;
  console.log(
    [
      `\nCalibration, by ${calibration.numRows} held-out rows${card.calibration ? '' : ', made here: the file has none'}`,
      `  temperature ${calibration.temperature.toFixed(3)}`,
      `  calibration error on ${evaluation.numRows} test images ${reliability.error.toFixed(4)} before, ${calibrated?.reliability.error.toFixed(4)} after`,
    ].join('\n'),
  );
  if (!calibration.familiarity) {
    console.log('  The network gives no features to tell what is no garment by.');
    return;
  }
  const onTest: PictureVerdict[] = [];
  for (let at = 0; at < test.pixels.length; at += PIXELS) {
    onTest.push(await verdictOn(model, calibration, test.pixels.subarray(at, at + PIXELS), []));
  }
  const ascending = (score: keyof Scores) =>
    onTest.map(({ scores }) => scores[score]).sort((a, b) => a - b);
  const known: Known = {
    remoteness: ascending('remoteness'),
    energy: ascending('energy'),
    logit: ascending('logit'),
  };

  console.log(
    `
Declined as unlike the training data, at the model's own threshold and at the one that keeps 95 % of
the test images. AUROC against these: of our score, of energy, of the greatest logit. Then what is said
in all. * the kinds that the score was chosen on, with other seeds.

  kind                      n declined at 95 %    ours  energy   logit     sure  leaning  cannot say`,
  );
  printRow('test images', onTest, known);
  const kinds = [...REPORT_KINDS, ...DEVELOPMENT_KINDS];
  const made = await makeNotClothing(kinds, NUM_OF_KIND, REPORT_SEED);
  const all: PictureVerdict[] = [];
  for (const kind of kinds) {
    const verdicts = await verdictsOn(model, calibration, made, kind);
    all.push(...verdicts);
    const isChosenOn = DEVELOPMENT_KINDS.some((each) => each === kind);
    printRow(isChosenOn ? `${kind} *` : kind, verdicts, known);
  }
  printRow('not clothing, all', all, known);
  const names = [...new Set(photos.map(({ kind }) => kind))];
  const clothes: PictureVerdict[] = [];
  for (const kind of names) {
    const verdicts = await verdictsOn(model, calibration, photos, kind);
    if (kind !== 'hat' && kind !== 'shoes') clothes.push(...verdicts);
    printRow(`photos: ${kind}`, verdicts, known);
  }
  if (clothes.length > 0) printRow('photos: clothes, all', clothes, known);
}

/** Null where the rows that the model did not learn from are not known. */
async function calibrateHere(request: HonestyRequest): Promise<Calibration | null> {
  const { model, card, readTraining } = request;
  const { dataset, name } = await readTraining();
  const { recipe } = card;
  const isKnown = findHeldOut(card, { name, numRows: dataset.labels.length }) === 'known';
  if (!recipe || !isKnown) return null;
  const split = splitRows(dataset, recipe.validationShare, recipe.seed);
  return calibrateModel({ model, dataset, data: name, split, augment: recipe.augment });
}

/** Scores that grow with unfamiliarity, all infinite for a picture in which nothing stands out. */
interface Scores {
  /** Ours. */
  readonly remoteness: number;
  /** Liu et al., "Energy-based Out-of-distribution Detection", 2020. */
  readonly energy: number;
  /** The greatest logit, negative. Hendrycks et al., 2022. */
  readonly logit: number;
}

interface PictureVerdict {
  readonly scores: Scores;
  readonly kind: Verdict['kind'];
}

const ENDLESS = Number.POSITIVE_INFINITY;
const BLANK: PictureVerdict = {
  scores: { remoteness: ENDLESS, energy: ENDLESS, logit: ENDLESS },
  kind: 'cannotSay',
};

async function verdictOn(
  model: tf.LayersModel,
  calibration: Calibration,
  pixels: Uint8Array,
  doubts: Parameters<typeof judge>[0]['doubts'],
): Promise<PictureVerdict> {
  const insight = await examine(
    model,
    Float32Array.from(pixels, (pixel) => pixel / 255),
  );
  const remoteness =
    insight && calibration.familiarity && remotenessOf(calibration.familiarity, insight.features);
  if (!insight || remoteness === null) throw new Error('The network gives no features.');
  const { kind } = judge({
    probabilities: softmaxAt(insight.logits, calibration.temperature, insight.logits.length),
    remoteness,
    doubts,
  });
  const logit = Math.max(...insight.logits);
  const sum = insight.logits.reduce((total, each) => total + Math.exp(each - logit), 0);
  return { scores: { remoteness, energy: -logit - Math.log(sum), logit: -logit }, kind };
}

async function verdictsOn(
  model: tf.LayersModel,
  calibration: Calibration,
  pictures: readonly NotClothing[],
  kind: string,
): Promise<PictureVerdict[]> {
  const verdicts: PictureVerdict[] = [];
  for (const { picture } of pictures.filter((each) => each.kind === kind)) {
    const normalized = normalizePicture(picture);
    verdicts.push(
      normalized.kind === 'blank'
        ? BLANK
        : await verdictOn(model, calibration, normalized.pixels, normalized.doubts),
    );
  }
  return verdicts;
}

/** Scores of the test images, ascending. */
type Known = { readonly [Name in keyof Scores]: readonly number[] };

function printRow(name: string, verdicts: readonly PictureVerdict[], known: Known): void {
  const share = (isOne: (verdict: PictureVerdict) => boolean) =>
    `${((verdicts.filter(isOne).length / verdicts.length) * 100).toFixed(1)} %`;
  const keeping = known.remoteness[Math.ceil(0.95 * known.remoteness.length) - 1] ?? 1;
  const kind = (wanted: Verdict['kind']) => share((verdict) => verdict.kind === wanted);
  const area = (score: keyof Scores) =>
    areaUnderCurve(
      known[score],
      verdicts.map(({ scores }) => scores[score]),
    ).toFixed(3);
  const cells = [
    [name.padEnd(22), 22],
    [String(verdicts.length), 5],
    [share(({ scores }) => scores.remoteness > 1), 9],
    [share(({ scores }) => scores.remoteness > keeping), 8],
    [area('remoteness'), 8],
    [area('energy'), 8],
    [area('logit'), 8],
    [kind('sure'), 9],
    [kind('leaning'), 9],
    [kind('cannotSay'), 12],
  ] as const;
  console.log(`  ${cells.map(([text, width]) => text.padStart(width)).join('')}`);
}

/** How often one of the others scores higher than a test image does; 0.5 where it is all the same. */
function areaUnderCurve(known: readonly number[], others: readonly number[]): number {
  const sum = others.reduce((total, score) => {
    const isFrom = (from: (value: number) => boolean) => {
      const first = known.findIndex(from);
      return first === -1 ? known.length : first;
    };
    return total + isFrom((value) => value >= score) + isFrom((value) => value > score);
  }, 0);
  return sum / 2 / known.length / others.length;
}
