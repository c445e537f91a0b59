/**
 * Owns drawings made by a program as a person might make them: the ten classes from outlines of our
 * own, with varied cut and proportions, by an unsteady hand, filled with cloth or drawn as a contour;
 * and the score of a model's answers to them.
 *
 * The outlines follow what garments look like, shoes from the side with the toe to the left, and know
 * nothing of any model. Everything is drawn without a canvas, so that it runs in Node and repeats to
 * the pixel from its seed.
 */

import { FASHION_MNIST } from '../src/fashion.ts';
import type { Picture } from '../src/image/picture.ts';
import { createRandom } from '../src/random.ts';

export type Style = 'filled' | 'outlined';

interface Point {
  readonly x: number;
  readonly y: number;
}

type Line = readonly Point[];

/** One garment on a field of 100 × 100, before a hand draws it. */
interface Sketch {
  /** Closed outlines, filled with the tone of the cloth. */
  readonly cloth: readonly Line[];
  /** Seams, fastenings, soles: open lines in another tone. */
  readonly seams: readonly Line[];
}

/** Width and height of the sheet: the pad's. */
const SHEET = 336;

// ---- chance -----------------------------------------------------------------------------------

interface Chance {
  /** Uniform in [from, to). */
  between(from: number, to: number): number;
  /** True in a share `p` of cases. */
  in(p: number): boolean;
  /** One of several. */
  of<T>(...choices: readonly [T, ...T[]]): T;
}

function chanceOf(random: () => number): Chance {
  return {
    between: (from, to) => from + random() * (to - from),
    in: (p) => random() < p,
    of: (...choices) => choices[Math.floor(random() * choices.length)] ?? choices[0],
  };
}

// ---- lines ------------------------------------------------------------------------------------

const CURVE_STEPS = 16;

/** The points along an SVG path of absolute M, L, H, V, Q, C and Z. One subpath. */
function trace(path: string): Line {
  const points: Point[] = [];
  for (const [, command = '', text = ''] of path.matchAll(/([MLHVQCZ])([^MLHVQCZ]*)/g)) {
    const numbers = (text.match(/-?\d*\.?\d+(?:e-?\d+)?/g) ?? []).map(Number);
    const at = points.at(-1) ?? { x: 0, y: 0 };
    if (command === 'H') points.push({ x: numbers[0] ?? 0, y: at.y });
    else if (command === 'V') points.push({ x: at.x, y: numbers[0] ?? 0 });
    else if (command === 'Z') points.push(points[0] ?? at);
    else {
      const [a, b, c] = Array.from({ length: numbers.length / 2 }, (_, i) => ({
        x: numbers[2 * i] ?? 0,
        y: numbers[2 * i + 1] ?? 0,
      }));
      if (!a) throw new Error(`"${command}${text}" has no point.`);
      if (!b) points.push(a);
      for (let step = 1; b && step <= CURVE_STEPS; step++) {
        points.push(onCurve(c ? [at, a, b, c] : [at, a, b], step / CURVE_STEPS));
      }
    }
  }
  return points;
}

/** De Casteljau: a point of a Bézier curve of any degree. */
function onCurve(controls: Line, t: number): Point {
  let points = controls;
  while (points.length > 1) {
    points = points.slice(1).map((to, i) => mix(points[i] ?? to, to, t));
  }
  return points[0] ?? { x: 0, y: 0 };
}

const mix = (a: Point, b: Point, t: number): Point => ({
  x: a.x + (b.x - a.x) * t,
  y: a.y + (b.y - a.y) * t,
});

const flip = (line: Line): Line => line.map(({ x, y }) => ({ x: 100 - x, y }));

/** A symmetric outline from its right half, which runs from the axis at the top to it at the bottom. */
function both(path: string): Line {
  const right = trace(path);
  return [...right, ...flip(right).toReversed()];
}

/** A line on the right and its like on the left. */
const twice = (path: string): Line[] => [trace(path), flip(trace(path))];

/** A strap: what lies within half its width of a line, as an outline. */
function strap(path: string, width: number): Line {
  const line = trace(path);
  const side = (sign: number) =>
    line.map((point, i) => {
      const before = line[i - 1] ?? point;
      const after = line[i + 1] ?? point;
      const length = Math.hypot(after.x - before.x, after.y - before.y) || 1;
      const reach = (sign * width) / 2 / length;
      return {
        x: point.x - (after.y - before.y) * reach,
        y: point.y + (after.x - before.x) * reach,
      };
    });
  return [...side(1), ...side(-1).toReversed()];
}

function button(x: number, y: number): Line {
  return trace(`M${x} ${y}L${x + 0.4} ${y}`);
}

// ---- garments ---------------------------------------------------------------------------------

interface Top {
  readonly shoulder: number;
  readonly shoulderY: number;
  readonly neck: number;
  /** How the neckline goes from the axis to the shoulder, and how deep it is. */
  readonly neckline: 'round' | 'pointed';
  readonly neckDepth: number;
  readonly sleeve: number;
  /** Of the sleeve against the vertical, in degrees. */
  readonly spread: number;
  readonly cuff: number;
  readonly armpitY: number;
  readonly chest: number;
  readonly waist: number;
  readonly hem: number;
  readonly hemY: number;
  /** How much lower the hem is in the middle. */
  readonly tail: number;
}

/** The places on a garment with sleeves that seams are drawn to, on its right. */
interface Cut {
  readonly outline: Line;
  readonly cuffOut: Point;
  readonly cuffIn: Point;
}

/** Widths are half widths from the axis. */
function cutTop(top: Top): Cut {
  const angle = (top.spread * Math.PI) / 180;
  const cuffOut = {
    x: 50 + top.shoulder + top.sleeve * Math.sin(angle),
    y: top.shoulderY + top.sleeve * Math.cos(angle),
  };
  const cuffIn = {
    x: cuffOut.x - top.cuff * Math.cos(angle),
    y: cuffOut.y + top.cuff * Math.sin(angle),
  };
  const neckY = top.shoulderY - 6;
  const low = neckY + top.neckDepth;
  const collar =
    top.neckline === 'round'
      ? `Q${50 + top.neck * 0.8} ${low} ${50 + top.neck} ${neckY}`
      : `L${50 + top.neck} ${neckY}`;
  const middle = (top.armpitY + top.hemY) / 2;
  return {
    cuffOut,
    cuffIn,
    outline: both(
      `M50 ${low}${collar}Q${50 + top.shoulder * 0.8} ${top.shoulderY - 3} ${50 + top.shoulder} ${top.shoulderY}` +
        `L${cuffOut.x} ${cuffOut.y}L${cuffIn.x} ${cuffIn.y}L${50 + top.chest} ${top.armpitY}` +
        `Q${50 + top.waist} ${middle} ${50 + top.hem} ${top.hemY}Q${50 + top.hem * 0.6} ${top.hemY + top.tail} 50 ${top.hemY + top.tail}`,
    ),
  };
}

/** The seam between body and sleeve. */
const armhole = ({ shoulder, shoulderY, chest, armpitY }: Top) =>
  twice(
    `M${50 + shoulder} ${shoulderY}Q${50 + chest - 3} ${(shoulderY + armpitY) / 2} ${50 + chest} ${armpitY}`,
  );

/** A line across both sleeves, a little above their ends. */
function cuffLines({ shoulder, shoulderY, chest, armpitY }: Top, { cuffOut, cuffIn }: Cut): Line[] {
  const out = mix(cuffOut, { x: 50 + shoulder, y: shoulderY }, 0.12);
  const inner = mix(cuffIn, { x: 50 + chest, y: armpitY }, 0.12);
  return twice(`M${out.x} ${out.y}L${inner.x} ${inner.y}`);
}

/** A row of buttons down the middle. */
function buttons(from: number, to: number, count: number, x = 50): Line[] {
  return Array.from({ length: count }, (_, i) => button(x, from + ((to - from) * i) / (count - 1)));
}

function tShirt(chance: Chance): Sketch {
  const shoulderY = 12;
  const chest = chance.between(19, 25);
  const isPointed = chance.in(0.25);
  const top: Top = {
    shoulder: chest + chance.between(3, 7),
    shoulderY,
    neck: chance.between(8, 13),
    neckline: isPointed ? 'pointed' : 'round',
    neckDepth: isPointed ? chance.between(11, 18) : chance.between(5, 12),
    sleeve: chance.between(20, 30),
    spread: chance.between(28, 58),
    cuff: chance.between(14, 19),
    armpitY: chance.between(31, 38),
    chest,
    waist: chest - chance.between(0, 3),
    hem: chest + chance.between(-1, 2),
    hemY: chance.between(84, 95),
    tail: chance.between(0, 2),
  };
  const cut = cutTop(top);
  const seams: Line[] = [];
  if (chance.in(0.4)) {
    const y = shoulderY - 6;
    seams.push(
      trace(
        `M${50 - top.neck - 2} ${y + 1}Q50 ${y + 2 * top.neckDepth + 6} ${50 + top.neck + 2} ${y + 1}`,
      ),
    );
  }
  if (chance.in(0.4)) seams.push(...armhole(top));
  return { cloth: [cut.outline], seams };
}

function trouser(chance: Chance): Sketch {
  const waist = chance.between(13, 18);
  const hip = waist + chance.between(1, 4);
  const foot = chance.between(14, 24);
  const leg = chance.between(8, 13);
  const crotch = chance.between(30, 40);
  const gap = Math.max(0.5, foot - leg);
  const cloth = [
    both(
      `M50 4H${50 + waist}Q${50 + hip} ${crotch * 0.5} ${50 + hip} ${crotch}L${50 + foot} 96H${50 + gap}L50 ${crotch}`,
    ),
  ];
  const seams: Line[] = [];
  if (chance.in(0.5)) seams.push(trace(`M${50 - waist} 10H${50 + waist}`));
  if (chance.in(0.4)) seams.push(trace(`M50 4V${crotch}`));
  if (chance.in(0.35)) {
    seams.push(...twice(`M${50 + waist * 0.5} 10Q${50 + waist * 0.6} 19 ${50 + hip} 21`));
  }
  if (chance.in(0.2)) {
    seams.push(...twice(`M${50 + hip * 0.55} 26L${50 + (foot + gap) / 2} 96`));
  }
  return { cloth, seams };
}

function pullover(chance: Chance): Sketch {
  const chest = chance.between(20, 26);
  const top: Top = {
    shoulder: chest + chance.between(2, 6),
    shoulderY: 12,
    neck: chance.between(8, 12),
    neckline: chance.in(0.15) ? 'pointed' : 'round',
    neckDepth: chance.between(3, 10),
    sleeve: chance.between(56, 72),
    spread: chance.between(6, 26),
    cuff: chance.between(9, 13),
    armpitY: chance.between(34, 42),
    chest,
    waist: chest + chance.between(-1, 2),
    hem: chest + chance.between(-2, 1),
    hemY: chance.between(82, 92),
    tail: 0,
  };
  const cut = cutTop(top);
  const seams: Line[] = [];
  if (chance.in(0.5)) {
    const y = top.hemY - 6;
    seams.push(trace(`M${50 - top.hem} ${y}H${50 + top.hem}`));
  }
  if (chance.in(0.4)) seams.push(...cuffLines(top, cut));
  if (chance.in(0.4)) {
    seams.push(
      trace(`M${50 - top.neck - 2} 7Q50 ${13 + 2 * top.neckDepth} ${50 + top.neck + 2} 7`),
    );
  }
  if (chance.in(0.25)) seams.push(...armhole(top));
  return { cloth: [cut.outline], seams };
}

function dress(chance: Chance): Sketch {
  const bust = chance.between(12, 16);
  const waist = bust - chance.between(1, 4);
  const waistY = chance.between(36, 46);
  const hem = chance.between(16, 32);
  const hemY = 96;
  const skirt = (y: number) =>
    `Q${50 + (waist + hem) / 2 + chance.between(-3, 4)} ${(y + hemY) / 2}`;
  const seams: Line[] = [];
  if (chance.in(0.4)) seams.push(trace(`M${50 - waist} ${waistY}H${50 + waist}`));
  if (chance.in(0.3)) {
    seams.push(...twice(`M${50 + waist * 0.4} ${waistY + 4}L${50 + hem * 0.45} ${hemY - 3}`));
  }
  if (chance.in(0.4)) {
    // With sleeves, short ones mostly.
    const isLong = chance.in(0.25);
    const shoulder = bust + chance.between(1, 4);
    const top: Top = {
      shoulder,
      shoulderY: 10,
      neck: chance.between(6, 9),
      neckline: chance.of('round', 'round', 'pointed'),
      neckDepth: chance.between(5, 12),
      sleeve: isLong ? chance.between(42, 54) : chance.between(11, 18),
      spread: isLong ? chance.between(8, 22) : chance.between(25, 45),
      cuff: isLong ? chance.between(6, 8) : chance.between(9, 11),
      armpitY: 26,
      chest: bust,
      waist: waist - 1,
      hem: waist,
      hemY: waistY,
      tail: 0,
    };
    const half = cutTop(top).outline;
    // Body and skirt are one piece of cloth that overlaps at the waist.
    const below = both(`M50 ${waistY - 3}H${50 + waist}${skirt(waistY)} ${50 + hem} ${hemY}H50`);
    return { cloth: [half, below], seams };
  }
  const neck = chance.between(5, 9);
  const width = chance.between(2.5, 5);
  const depth = chance.between(10, 20);
  const outline =
    `M50 ${4 + depth}Q${50 + neck} ${4 + depth} ${50 + neck} 4H${50 + neck + width}` +
    `Q${50 + neck + width} 20 ${50 + bust} 25Q${50 + bust} 32 ${50 + waist} ${waistY}` +
    `${skirt(waistY)} ${50 + hem} ${hemY}H50`;
  return { cloth: [both(outline)], seams };
}

/** Collar and lapels, or a stand-up collar, for what opens in front. */
function lapels(neck: number, y: number, depth: number): Line[] {
  return twice(`M${50 + neck} ${y}L${50 + neck + 1} ${y + depth * 0.6}L50 ${y + depth}`);
}

function coat(chance: Chance): Sketch {
  const chest = chance.between(18, 23);
  const neckDepth = chance.between(4, 12);
  const top: Top = {
    shoulder: chest + chance.between(3, 6),
    shoulderY: 11,
    neck: chance.between(7, 10),
    neckline: 'pointed',
    neckDepth,
    sleeve: chance.between(54, 68),
    spread: chance.between(6, 20),
    cuff: chance.between(9, 12),
    armpitY: chance.between(32, 39),
    chest,
    waist: chest - chance.between(0, 3),
    hem: chest + chance.between(0, 7),
    hemY: 96,
    tail: 0,
  };
  const cut = cutTop(top);
  const seams: Line[] = [];
  const opening = 5 + neckDepth + chance.between(6, 16);
  const hasLapels = chance.in(0.75);
  if (hasLapels) seams.push(...lapels(top.neck, 5, opening - 5));
  if (chance.in(0.9)) seams.push(trace(`M50 ${hasLapels ? opening : 5 + neckDepth}V96`));
  if (chance.in(0.5)) {
    seams.push(...buttons(opening + 6, chance.between(68, 84), 4, 50 + chance.between(3, 5)));
  }
  if (chance.in(0.45)) {
    const y = chance.between(60, 68);
    seams.push(...twice(`M${50 + chest * 0.45} ${y}L${50 + chest * 0.85} ${y - 2}`));
  }
  if (chance.in(0.2)) seams.push(trace(`M${50 - chest + 1} 54H${50 + chest - 1}`));
  return { cloth: [cut.outline], seams };
}

function sandal(chance: Chance): Sketch {
  const width = chance.between(5, 9);
  const seams: Line[] = [];
  if (chance.in(0.45)) {
    // With a heel: the sole climbs to the right.
    const heel = chance.between(44, 58);
    const thick = chance.between(4, 9);
    const cloth = [
      trace(
        `M4 88Q4 82 14 81C38 80 52 74 66 ${heel + 14}Q76 ${heel} 94 ${heel}V88H${94 - thick}` +
          `L${91 - thick} ${heel + 16}Q70 88 42 88Z`,
      ),
      strap(`M12 83Q20 ${chance.between(56, 62)} 34 60Q44 64 46 80`, width),
    ];
    if (chance.in(0.75)) {
      const y = heel - chance.between(18, 26);
      cloth.push(
        strap(`M91 ${heel + 3}Q94 ${heel - 10} 90 ${y}Q72 ${y - 4} 58 ${y + 5}`, width * 0.8),
      );
    }
    if (chance.in(0.35)) cloth.push(strap(`M34 62Q50 ${heel + 4} 58 ${heel - 14}`, width * 0.8));
    return { cloth, seams };
  }
  const sole = chance.between(6, 11);
  const cloth = [
    trace(
      `M4 ${86 - sole / 2}Q4 ${86 - sole} 10 ${86 - sole}Q40 ${88 - sole} 60 ${85 - sole}` +
        `Q80 ${82 - sole} 95 ${84 - sole}Q97 86 92 86H8Q4 86 4 ${86 - sole / 2}Z`,
    ),
    strap(`M12 ${88 - sole}Q18 ${chance.between(52, 60)} 30 57Q42 60 44 ${88 - sole}`, width),
  ];
  if (chance.in(0.8)) {
    const y = chance.between(46, 56);
    cloth.push(strap(`M62 ${86 - sole}Q60 ${y} 76 ${y}Q92 ${y} 92 ${85 - sole}`, width * 0.9));
  }
  if (chance.in(0.4)) cloth.push(strap(`M34 59Q50 ${chance.between(48, 54)} 66 58`, width * 0.8));
  if (chance.in(0.3)) seams.push(trace(`M6 ${87 - sole / 2}H94`));
  return { cloth, seams };
}

function shirt(chance: Chance): Sketch {
  const isShort = chance.in(0.25);
  const chest = chance.between(19, 24);
  const top: Top = {
    shoulder: chest + chance.between(3, 6),
    shoulderY: 12,
    neck: chance.between(7, 10),
    neckline: chance.in(0.7) ? 'pointed' : 'round',
    neckDepth: chance.between(3, 9),
    sleeve: isShort ? chance.between(22, 30) : chance.between(54, 68),
    spread: isShort ? chance.between(22, 45) : chance.between(8, 24),
    cuff: isShort ? chance.between(13, 16) : chance.between(8, 11),
    armpitY: chance.between(32, 39),
    chest,
    waist: chest - chance.between(0, 3),
    hem: chest + chance.between(-1, 2),
    hemY: chance.between(82, 90),
    tail: chance.in(0.5) ? chance.between(3, 7) : 0,
  };
  const cut = cutTop(top);
  const seams: Line[] = [];
  const from = 6 + top.neckDepth;
  if (chance.in(0.8)) {
    // A collar of two points.
    seams.push(
      ...twice(`M${50 + top.neck} 6L${50 + top.neck + 2} 16L50 ${from}L${50 + top.neck} 6`),
    );
  }
  if (chance.in(0.85)) seams.push(trace(`M50 ${from}V${top.hemY + top.tail}`));
  if (chance.in(0.65)) seams.push(...buttons(from + 6, top.hemY - 6, 5, 50 + chance.between(0, 2)));
  if (chance.in(0.35)) seams.push(trace(`M56 34V46H${46 + chest}V34Z`));
  if (!isShort && chance.in(0.4)) seams.push(...cuffLines(top, cut));
  return { cloth: [cut.outline], seams };
}

function sneaker(chance: Chance): Sketch {
  const toe = chance.between(58, 65);
  const tongue = chance.between(34, 44);
  const back = chance.between(36, 44);
  const dip = chance.between(46, 52);
  const mouth = chance.between(56, 64);
  const sole = chance.between(5, 9);
  const cloth = [
    trace(
      `M4 76C3 ${toe + 4} 10 ${toe} 22 ${toe - 2}C36 ${toe - 5} 46 ${tongue + 10} ${mouth - 4} ${tongue + 2}` +
        `L${mouth} ${tongue}Q${mouth + 8} ${dip} 80 ${dip}Q88 ${dip - 2} 90 ${back}H95` +
        'Q96 60 97 80H8Q4 80 4 76Z',
    ),
  ];
  const seams: Line[] = [];
  if (chance.in(0.75)) seams.push(trace(`M4 ${80 - sole}Q50 ${82 - sole} 97 ${79 - sole}`));
  if (chance.in(0.6)) {
    const count = chance.of(3, 4);
    for (let i = 0; i < count; i++) {
      const at = mix({ x: 30, y: toe - 2 }, { x: mouth - 6, y: tongue + 5 }, (i + 0.5) / count);
      seams.push(trace(`M${at.x} ${at.y}L${at.x + 6} ${at.y + 7}`));
    }
  }
  if (chance.in(0.3)) seams.push(trace(`M52 ${80 - sole}L66 ${dip + 3}`));
  if (chance.in(0.3)) seams.push(trace(`M20 ${80 - sole}Q26 ${toe + 6} 22 ${toe - 1}`));
  if (chance.in(0.3)) seams.push(trace(`M84 ${80 - sole}Q82 62 84 ${dip}`));
  return { cloth, seams };
}

function bag(chance: Chance): Sketch {
  const seams: Line[] = [];
  if (chance.in(0.2)) {
    // A clutch: no handle, a flap.
    const top = chance.between(28, 36);
    const bottom = chance.between(72, 80);
    const flap = chance.between(12, 24);
    seams.push(trace(`M5 ${top}L50 ${top + flap}L95 ${top}`));
    if (chance.in(0.6)) seams.push(button(50, top + flap + 2));
    return {
      cloth: [
        trace(
          `M8 ${top}H92Q96 ${top} 96 ${top + 4}V${bottom - 4}Q96 ${bottom} 92 ${bottom}H8Q4 ${bottom} 4 ${bottom - 4}V${top + 4}Q4 ${top} 8 ${top}Z`,
        ),
      ],
      seams,
    };
  }
  const top = chance.between(36, 48);
  const bottom = chance.between(86, 94);
  const mouth = chance.between(30, 42);
  const base = mouth + chance.between(-3, 7);
  const round = chance.between(0, 8);
  const grip = chance.between(13, 24);
  const high = top - chance.between(20, 38);
  const body = both(
    `M50 ${top}H${50 + mouth}L${50 + base} ${bottom - round}Q${50 + base} ${bottom} ${50 + base - round} ${bottom}H50`,
  );
  const handle = chance.in(0.6)
    ? `M${50 - grip} ${top + 2}C${50 - grip} ${high} ${50 + grip} ${high} ${50 + grip} ${top + 2}`
    : `M${50 - grip} ${top + 2}L${50 - grip + 3} ${high + 6}Q${50 - grip + 4} ${high} ${50 - grip + 9} ${high}H${50 + grip - 9}Q${50 + grip - 4} ${high} ${50 + grip - 3} ${high + 6}L${50 + grip} ${top + 2}`;
  if (chance.in(0.4)) {
    const flap = (bottom - top) * chance.between(0.3, 0.55);
    seams.push(
      trace(
        `M${50 - mouth} ${top}Q${50 - mouth + 6} ${top + flap} 50 ${top + flap}Q${50 + mouth - 6} ${top + flap} ${50 + mouth} ${top}`,
      ),
    );
  } else if (chance.in(0.5)) {
    seams.push(trace(`M${50 - mouth} ${top + 7}H${50 + mouth}`));
  }
  if (chance.in(0.3)) seams.push(button(50, top + 8));
  if (chance.in(0.25)) seams.push(trace(`M32 62H68V${bottom - 8}H32Z`));
  return { cloth: [body, strap(handle, chance.between(4, 8))], seams };
}

function ankleBoot(chance: Chance): Sketch {
  const front = chance.between(38, 48);
  const top = chance.between(6, 22);
  const instep = chance.between(54, 62);
  const toe = chance.between(68, 76);
  const heel = chance.between(0, 13);
  const floor = 93;
  const arch = floor - heel;
  const cloth = [
    trace(
      `M${front - chance.between(0, 3)} ${top}L94 ${top - chance.between(-2, 3)}Q91 44 95 62L96 ${floor}H${chance.between(72, 78)}` +
        `L70 ${arch}Q56 ${arch + heel * 0.5} 46 ${floor}H8Q3 ${floor} 4 ${floor - 8}` +
        `C5 ${toe} 20 ${toe - 4} 32 ${instep + 4}Q${front + 1} ${instep - 3} ${front} ${instep - 16}Z`,
    ),
  ];
  const seams: Line[] = [];
  if (chance.in(0.65))
    seams.push(trace(`M4 ${floor - 6}H48L70 ${arch - 6}L96 ${floor - heel - 6}`));
  if (chance.in(0.3)) seams.push(trace(`M60 ${top}L64 ${instep - 8}H74L79 ${top}`));
  if (chance.in(0.25)) seams.push(trace(`M${front} ${top + 7}H94`));
  if (chance.in(0.25)) {
    for (let i = 0; i < 4; i++) {
      const y = top + 9 + i * ((instep - top - 14) / 4);
      seams.push(trace(`M${front} ${y}L${front + 10} ${y + 2}`));
    }
  }
  return { cloth, seams };
}

/** In the order of the labels. */
const GARMENTS: readonly ((chance: Chance) => Sketch)[] = [
  tShirt,
  trouser,
  pullover,
  dress,
  coat,
  sandal,
  shirt,
  sneaker,
  bag,
  ankleBoot,
];

// ---- the hand ---------------------------------------------------------------------------------

/** Longest way between two points that a hand's unsteadiness is asked for, in hundredths. */
const REACH = 1.5;

function refine(line: Line): Line {
  const fine: Point[] = [];
  line.forEach((to, i) => {
    const from = line[i - 1] ?? to;
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / REACH));
    for (let step = 1; step <= steps; step++) fine.push(mix(from, to, step / steps));
  });
  return fine;
}

/** A smooth wandering around 0, of about ±1: a few sines of chance frequency and phase. */
function wander(chance: Chance, wavelength: number): (at: number) => number {
  const waves = Array.from({ length: 3 }, () => ({
    rate: (2 * Math.PI) / (wavelength * chance.between(0.6, 1.8)),
    phase: chance.between(0, 2 * Math.PI),
  }));
  return (at) => waves.reduce((sum, { rate, phase }) => sum + Math.sin(at * rate + phase), 0) / 1.7;
}

/**
 * The way a hand puts a sketch on the sheet: proportions missed, tilted, bent as a whole, trembling
 * along each line, at any size and place.
 */
function drawByHand(sketch: Sketch, chance: Chance): Sketch {
  const stretch = Math.exp(chance.between(-0.13, 0.13));
  const angle = (chance.between(-6, 6) * Math.PI) / 180;
  const bend = { x: wander(chance, 90), y: wander(chance, 90), size: chance.between(0.3, 1.6) };
  const tremble = chance.between(0.1, 0.6);

  const unsteady = (line: Line): Line => {
    const acrossX = wander(chance, 22);
    const acrossY = wander(chance, 22);
    let gone = 0;
    let before = line[0];
    return refine(line).map((point) => {
      gone += before ? Math.hypot(point.x - before.x, point.y - before.y) : 0;
      before = point;
      const x = (point.x - 50) * stretch + bend.x(point.y) * bend.size + acrossX(gone) * tremble;
      const y = point.y - 50 + bend.y(point.x) * bend.size + acrossY(gone) * tremble;
      return {
        x: x * Math.cos(angle) - y * Math.sin(angle),
        y: x * Math.sin(angle) + y * Math.cos(angle),
      };
    });
  };
  const cloth = sketch.cloth.map((line) => unsteady([...line, ...line.slice(0, 1)]));
  const seams = sketch.seams.map(unsteady);

  const all = cloth.flat();
  const xs = all.map(({ x }) => x);
  const ys = all.map(({ y }) => y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const margin = SHEET * 0.05;
  const scale = (SHEET * chance.between(0.4, 0.86)) / Math.max(right - left, bottom - top);
  const place = (size: number) => chance.between(margin, SHEET - margin - size);
  const x0 = place((right - left) * scale) - left * scale;
  const y0 = place((bottom - top) * scale) - top * scale;
  const onSheet = (line: Line): Line =>
    line.map(({ x, y }) => ({ x: x0 + x * scale, y: y0 + y * scale }));
  return { cloth: cloth.map(onSheet), seams: seams.map(onSheet) };
}

// ---- the sheet --------------------------------------------------------------------------------

const PAPER = 255;
const SUBROWS = 4;

/** Grey levels `[SHEET · SHEET]`; everything is painted with soft edges. */
type Sheet = Float32Array;

function blend(sheet: Sheet, i: number, tone: number, coverage: number): void {
  const under = sheet[i] ?? PAPER;
  sheet[i] = under + (tone - under) * Math.min(1, coverage);
}

/** Fills what an outline winds round, by the non-zero rule, as a canvas does. */
function fill(sheet: Sheet, outline: Line, tone: number): void {
  const coverage = new Float32Array(SHEET);
  for (let row = 0; row < SHEET; row++) {
    coverage.fill(0);
    for (let sub = 0; sub < SUBROWS; sub++) {
      const y = row + (sub + 0.5) / SUBROWS;
      const crossings: { x: number; turn: number }[] = [];
      outline.forEach((to, i) => {
        const from = outline[i - 1] ?? outline.at(-1) ?? to;
        if (from.y <= y === to.y <= y) return;
        const x = from.x + ((y - from.y) / (to.y - from.y)) * (to.x - from.x);
        crossings.push({ x, turn: to.y > from.y ? 1 : -1 });
      });
      crossings.sort((a, b) => a.x - b.x);
      let winding = 0;
      crossings.forEach(({ x, turn }, i) => {
        winding += turn;
        const until = crossings[i + 1]?.x ?? x;
        if (winding === 0) return;
        for (let column = Math.max(0, Math.floor(x)); column < Math.min(SHEET, until); column++) {
          const share = Math.min(until, column + 1) - Math.max(x, column);
          coverage[column] = (coverage[column] ?? 0) + share / SUBROWS;
        }
      });
    }
    for (let column = 0; column < SHEET; column++) {
      blend(sheet, row * SHEET + column, tone, coverage[column] ?? 0);
    }
  }
}

/** Draws a line with a round pen. */
function draw(sheet: Sheet, line: Line, width: number, tone: number): void {
  const coverage = new Float32Array(SHEET * SHEET);
  const reach = width / 2 + 1;
  line.forEach((to, i) => {
    const from = line[i - 1] ?? to;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const square = dx * dx + dy * dy || 1;
    const span = (a: number, b: number) =>
      [
        Math.max(0, Math.floor(Math.min(a, b) - reach)),
        Math.min(SHEET - 1, Math.ceil(Math.max(a, b) + reach)),
      ] as const;
    const [top, bottom] = span(from.y, to.y);
    const [left, right] = span(from.x, to.x);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const px = column + 0.5 - from.x;
        const py = row + 0.5 - from.y;
        const t = Math.max(0, Math.min(1, (px * dx + py * dy) / square));
        const share = width / 2 + 0.5 - Math.hypot(px - t * dx, py - t * dy);
        const at = row * SHEET + column;
        if (share > (coverage[at] ?? 0)) coverage[at] = share;
      }
    }
  });
  for (let i = 0; i < coverage.length; i++) blend(sheet, i, tone, coverage[i] ?? 0);
}

/**
 * One drawing.
 *
 * @param label of the class, 0–9
 * @param seed the same seed gives the same drawing
 * @returns 336 × 336 RGBA, dark on white paper
 */
export function drawGarment(label: number, style: Style, seed: number): Picture {
  const garment = GARMENTS[label];
  if (!garment) throw new RangeError(`There is no class ${label} to draw.`);
  const chance = chanceOf(createRandom(seed));
  const { cloth, seams } = drawByHand(garment(chance), chance);
  const sheet = new Float32Array(SHEET * SHEET).fill(PAPER);
  if (style === 'filled') {
    const tone = chance.between(25, 190);
    for (const outline of cloth) fill(sheet, outline, tone);
    // Seams stand out from the cloth: lighter on dark cloth, darker on light.
    const contrast = chance.between(45, 110);
    const seamTone = tone < 110 ? tone + contrast : Math.max(0, tone - contrast);
    const width = chance.between(2.5, 6);
    if (chance.in(0.25)) for (const outline of cloth) draw(sheet, outline, width, tone * 0.6);
    for (const seam of seams) draw(sheet, seam, width, seamTone);
  } else {
    const tone = chance.between(20, 120);
    const width = chance.between(5, 16);
    for (const line of [...cloth, ...seams]) draw(sheet, line, width, tone);
  }
  const data = new Uint8ClampedArray(sheet.length * 4);
  sheet.forEach((tone, i) => {
    data.fill(tone, i * 4, i * 4 + 3);
    data[i * 4 + 3] = 255;
  });
  return { width: SHEET, height: SHEET, data };
}

// ---- the score --------------------------------------------------------------------------------

export interface DrawingScore {
  readonly style: Style;
  /** Share of right first answers, 0–1. */
  readonly top1: number;
  readonly classes: readonly {
    readonly name: string;
    readonly top1: number;
    /** The wrong answer given most often; null where there was none. */
    readonly rival: string | null;
  }[];
}

/**
 * Has drawings of every class answered, filled ones and outlined ones.
 *
 * @param classify labels of pictures, -1 where none was given
 * @param numEach drawings of each class and style
 */
export async function scoreDrawings(
  classify: (pictures: readonly Picture[]) => Promise<readonly number[]>,
  numEach = 30,
): Promise<DrawingScore[]> {
  const scores: DrawingScore[] = [];
  for (const style of ['filled', 'outlined'] as const) {
    const classes: DrawingScore['classes'][number][] = [];
    for (const [label, name] of FASHION_MNIST.classNames.entries()) {
      const pictures = Array.from({ length: numEach }, (_, i) =>
        drawGarment(label, style, (label + 1) * 1000 + i),
      );
      const answers = await classify(pictures);
      const votes = new Map<number, number>();
      for (const answer of answers) {
        if (answer !== label) votes.set(answer, (votes.get(answer) ?? 0) + 1);
      }
      const [rival] = [...votes].sort(([, a], [, b]) => b - a)[0] ?? [];
      classes.push({
        name,
        top1: answers.filter((answer) => answer === label).length / numEach,
        rival: rival === undefined ? null : (FASHION_MNIST.classNames[rival] ?? 'no answer'),
      });
    }
    const top1 = classes.reduce((sum, entry) => sum + entry.top1, 0) / classes.length;
    scores.push({ style, top1, classes });
  }
  return scores;
}
