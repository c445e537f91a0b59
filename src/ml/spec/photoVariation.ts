/**
 * The stronger of the two augmentations: training pictures changed so that they might be photos
 * or drawings brought through `image/`, whose cuts are rougher, whose garments lie as they were
 * dropped and have prints and folds that no studio shot has. Pure.
 */
import { PIXELS, SIDE } from '../../fashion.ts';

type Random = () => number;

/** Shares of the pictures that are bent, get another surface, and get another outline. */
const BENT_SHARE = 0.8;
const SURFACE_SHARE = 0.7;
const OUTLINE_SHARE = 0.35;

/** Levels (0–255) up to which a pixel counts as background. */
const EMPTY = 10;

const between = (random: Random, from: number, to: number) => from + (to - from) * random();
/** About normal, with a standard deviation of 1: the sum of four uniform numbers. */
const spread = (random: Random) => (random() + random() + random() + random() - 2) * 1.732;

/** Filled anew for every picture; the worker changes one at a time. */
const levels = new Float32Array(PIXELS);
const changed = new Float32Array(PIXELS);
const fieldA = new Float32Array(PIXELS);
const fieldB = new Float32Array(PIXELS);
/** Across and down, −1 to 1. In an array, since numbers in a closure are put on the heap each time. */
const origin = new Float64Array(2);

/**
 * Writes a changed copy of a picture: mirrored or not, bent, its surface and its outline changed,
 * each by chance. As in every picture that `image/` makes, the garment about fills the 28 pixels
 * again and about stands in the middle.
 *
 * @param source `[784]` bytes, light on black.
 * @param target `[784]` bytes; may be `source`.
 * @param random Uniform in [0, 1).
 */
export function varyLikePhoto(source: Uint8Array, target: Uint8Array, random: Random): void {
  const isMirrored = random() < 0.5;
  if (random() < BENT_SHARE) {
    bend(source, isMirrored, random);
  } else {
    for (let i = 0; i < PIXELS; i++) {
      levels[i] = source[isMirrored ? i - (i % SIDE) + SIDE - 1 - (i % SIDE) : i] as number;
    }
  }
  if (random() < SURFACE_SHARE) changeSurface(random);
  if (random() < OUTLINE_SHARE) changeOutline(random);
  for (let i = 0; i < PIXELS; i++) target[i] = Math.round(levels[i] as number);
}

// ---- shape --------------------------------------------------------------------------------------

const MAX_TURN = (10 * Math.PI) / 180;
const MAX_SHEAR = 0.1;
/**
 * Wider and lower by e to this power. Hardly ever narrower: what lies on a bed lies spread out, and
 * many a wide shirt is taken for a bag by networks that have only seen shirts on hangers.
 */
const MIN_STRETCH = -0.06;
const MAX_STRETCH = 0.35;
/** One end wider than the other, as in a photo taken at a slant. */
const MAX_TAPER = 0.08;
/** Sleeves and trouser legs spread out, or drawn in: what is far to the side moves up or down. */
const SPREAD_SHARE = 0.5;
const MIN_SPREAD = -0.3;
const MAX_SPREAD = 1;
const SPREAD_FROM = 0.4;
/** Soft dents: how far the nodes of a 4 × 4 net are moved, in half pictures. */
const NET_SIDE = 4;
const DENT = 0.05;
/** How much larger the first look at the bent garment is, so that none of it is missed. */
const ROOM = 1.35;
/**
 * How much smaller than the 28 pixels it comes out, as e to this power, and how far from the middle,
 * in half pictures: a bit of the floor that is left on the garment makes its box larger.
 */
const MIN_SHRINK = -0.03;
const MAX_SHRINK = 0.2;
const MAX_SHIFT = 0.075;

/** Bends `source` into `levels`, and fits the result to the 28 pixels. */
function bend(source: Uint8Array, isMirrored: boolean, random: Random): void {
  const turn = between(random, -MAX_TURN, MAX_TURN);
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  const shear = between(random, -MAX_SHEAR, MAX_SHEAR);
  const stretch = Math.exp(between(random, MIN_STRETCH, MAX_STRETCH));
  const taper = between(random, -MAX_TAPER, MAX_TAPER);
  const sideways = random() < SPREAD_SHARE ? between(random, MIN_SPREAD, MAX_SPREAD) : 0;
  const narrowing = 1 + 0.3 * Math.max(0, sideways);
  fillField(fieldA, NET_SIDE, DENT, random);
  fillField(fieldB, NET_SIDE, DENT, random);

  /** Writes into `origin` where in the source the place (x, y) of the result comes from. */
  const trace = (x: number, y: number) => {
    const turnedX = cos * x - sin * y;
    const turnedY = sin * x + cos * y;
    const node = nodeAt(x, y);
    const across = ((turnedX + shear * turnedY) / stretch) * (1 + taper * turnedY);
    const down = turnedY * stretch + sideways * Math.max(0, Math.abs(across) - SPREAD_FROM);
    origin[0] = (across / narrowing) * (isMirrored ? -1 : 1) + (fieldA[node] as number);
    origin[1] = down + (fieldB[node] as number);
  };

  // A first look finds out where the garment ends up, the second one fits it in.
  let left = 1;
  let right = -1;
  let top = 1;
  let bottom = -1;
  for (let i = 0; i < PIXELS; i++) {
    const x = ROOM * centreOf(i % SIDE);
    const y = ROOM * centreOf(Math.floor(i / SIDE));
    trace(x, y);
    const column = Math.floor(pixelOf(origin[0] as number));
    const row = Math.floor(pixelOf(origin[1] as number));
    if (column < 0 || row < 0 || column >= SIDE || row >= SIDE) continue;
    if ((source[row * SIDE + column] as number) <= EMPTY) continue;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (right < left) {
    levels.set(source);
    return;
  }
  const pixel = (ROOM * 2) / SIDE;
  const half = (Math.max(right - left, bottom - top) + pixel) / 2;
  const fit = half * Math.exp(between(random, MIN_SHRINK, MAX_SHRINK));
  const middleX = (left + right) / 2 + between(random, -MAX_SHIFT, MAX_SHIFT);
  const middleY = (top + bottom) / 2 + between(random, -MAX_SHIFT, MAX_SHIFT);
  for (let i = 0; i < PIXELS; i++) {
    trace(middleX + fit * centreOf(i % SIDE), middleY + fit * centreOf(Math.floor(i / SIDE)));
    changed[i] = sample(
      source,
      pixelOf(origin[0] as number) - 0.5,
      pixelOf(origin[1] as number) - 0.5,
    );
  }
  levels.set(changed);
}

/** The middle of pixel `at`, from −1 to 1. */
function centreOf(at: number): number {
  return (2 * at + 1) / SIDE - 1;
}

/** The pixel, and how far into it, of a place from −1 to 1. */
function pixelOf(place: number): number {
  return ((place + 1) * SIDE) / 2;
}

/** The nearest entry of a field for a place; places outside take the edge's. */
function nodeAt(x: number, y: number): number {
  const column = Math.max(0, Math.min(SIDE - 1, Math.floor(pixelOf(x / ROOM))));
  const row = Math.max(0, Math.min(SIDE - 1, Math.floor(pixelOf(y / ROOM))));
  return row * SIDE + column;
}

/** Bilinear, black outside. */
function sample(source: Uint8Array, x: number, y: number): number {
  const column = Math.floor(x);
  const row = Math.floor(y);
  if (column < -1 || row < -1 || column >= SIDE || row >= SIDE) return 0;
  const right = x - column;
  const down = y - row;
  const hasLeft = column >= 0;
  const hasRight = column + 1 < SIDE;
  const at = row * SIDE + column;
  let level = 0;
  if (row >= 0) {
    if (hasLeft) level += (1 - right) * (1 - down) * (source[at] as number);
    if (hasRight) level += right * (1 - down) * (source[at + 1] as number);
  }
  if (row + 1 < SIDE) {
    if (hasLeft) level += (1 - right) * down * (source[at + SIDE] as number);
    if (hasRight) level += right * down * (source[at + SIDE + 1] as number);
  }
  return level;
}

/** Random numbers on the nodes of a square net, bilinear in between. */
function fillField(field: Float32Array, side: number, strength: number, random: Random): void {
  const nodes = new Float32Array(side * side);
  for (let i = 0; i < nodes.length; i++) nodes[i] = spread(random) * strength;
  for (let y = 0; y < SIDE; y++) {
    const v = (y / (SIDE - 1)) * (side - 1);
    const row = Math.min(side - 2, Math.floor(v));
    const down = v - row;
    for (let x = 0; x < SIDE; x++) {
      const u = (x / (SIDE - 1)) * (side - 1);
      const column = Math.min(side - 2, Math.floor(u));
      const right = u - column;
      const at = row * side + column;
      const above = (nodes[at] as number) * (1 - right) + (nodes[at + 1] as number) * right;
      const below =
        (nodes[at + side] as number) * (1 - right) + (nodes[at + side + 1] as number) * right;
      field[y * SIDE + x] = above * (1 - down) + below * down;
    }
  }
}

// ---- surface ------------------------------------------------------------------------------------

/** Share of the surfaces whose texture is erased, nearly or wholly: drawings are flat. */
const FLAT_SHARE = 0.25;
const MIN_BRIGHTNESS = 0.4;
const MAX_BRIGHTNESS = 1.3;
const NOISE_SHARE = 0.4;
const MAX_NOISE = 62;
/** Folds and shadows: light and dark that changes over a fifth of the picture, or a tenth. */
const FOLDS = [
  { side: 5, share: 0.7, strength: 30 },
  { side: 11, share: 0.4, strength: 30 },
] as const;
const PRINT_SHARE = 0.25;
const MAX_PRINT = 150;
const STRIPES_SHARE = 0.15;
const MAX_STRIPES = 75;
/** A garment stays visible on its black. */
const DARKEST = 13;

/** Another cloth: contrast, brightness, grain, folds, a print or stripes. Works on `levels`. */
function changeSurface(random: Random): void {
  let sum = 0;
  let area = 0;
  for (let i = 0; i < PIXELS; i++) {
    if ((levels[i] as number) <= EMPTY) continue;
    sum += levels[i] as number;
    area += 1;
  }
  const mean = area > 0 ? sum / area : 0;
  const contrast = random() < FLAT_SHARE ? between(random, 0, 0.4) : between(random, 0.6, 1.2);
  const brightness = between(random, MIN_BRIGHTNESS, MAX_BRIGHTNESS);
  const noise = random() < NOISE_SHARE ? between(random, 0, MAX_NOISE) : 0;

  fieldA.fill(0);
  for (const { side, share, strength } of FOLDS) {
    if (random() >= share) continue;
    fillField(fieldB, side, between(random, 0, strength), random);
    for (let i = 0; i < PIXELS; i++) fieldA[i] = (fieldA[i] as number) + (fieldB[i] as number);
  }
  if (random() < PRINT_SHARE) addPrint(random);
  if (random() < STRIPES_SHARE) addStripes(random);

  for (let i = 0; i < PIXELS; i++) {
    const level = levels[i] as number;
    if (level <= EMPTY) continue;
    const cloth = (mean + (level - mean) * contrast) * brightness + (fieldA[i] as number);
    const grain = noise > 0 ? between(random, -noise, noise) : 0;
    levels[i] = Math.max(DARKEST, Math.min(255, cloth + grain));
  }
}

/** A patch with a pattern, onto `fieldA`. */
function addPrint(random: Random): void {
  const strength = between(random, -MAX_PRINT, MAX_PRINT);
  const middleX = between(random, -0.3, 0.3);
  const middleY = between(random, -0.45, 0.35);
  const halfWidth = between(random, 0.12, 0.4);
  const halfHeight = between(random, 0.12, 0.45);
  const density = between(random, -1, 1);
  fillField(fieldB, 8, 1, random);
  for (let i = 0; i < PIXELS; i++) {
    const isInside =
      Math.abs(centreOf(i % SIDE) - middleX) < halfWidth &&
      Math.abs(centreOf(Math.floor(i / SIDE)) - middleY) < halfHeight;
    if (isInside && (fieldB[i] as number) > density) fieldA[i] = (fieldA[i] as number) + strength;
  }
}

/** Stripes across, seldom down, onto `fieldA`. */
function addStripes(random: Random): void {
  const strength = between(random, 0, MAX_STRIPES);
  const frequency = between(random, 4, 16);
  const phase = between(random, 0, 2 * Math.PI);
  const isAcross = random() < 0.75;
  for (let i = 0; i < PIXELS; i++) {
    const along = centreOf(isAcross ? Math.floor(i / SIDE) : i % SIDE);
    const sign = Math.sin(along * frequency + phase) > 0 ? 1 : -1;
    fieldA[i] = (fieldA[i] as number) + sign * strength;
  }
}

// ---- outline ------------------------------------------------------------------------------------

/** Height of the hills of a random field from which a bite is taken, or a lump put on. */
const MIN_HILL = 1.2;
const MAX_HILL = 2.5;
/** Lumps hang on to the garment: within this many pixels of it. */
const LUMP_REACH = 2;
const BLUR_SHARE = 0.3;
const BLUR = 0.6;

/** What a segmentation gets wrong: bites out of the garment, lumps of background, a soft edge. */
function changeOutline(random: Random): void {
  const hill = between(random, MIN_HILL, MAX_HILL);
  const lump = between(random, 25, 230);
  fillField(fieldA, 7, 1, random);
  changed.set(levels);
  for (let i = 0; i < PIXELS; i++) {
    const height = fieldA[i] as number;
    if (height > hill) changed[i] = 0;
    else if (height < -hill - 0.2 && (levels[i] as number) <= EMPTY && isNearGarment(i)) {
      changed[i] = lump;
    }
  }
  levels.set(changed);
  if (random() >= BLUR_SHARE) return;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      let sum = 0;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) sum += levelAt(x + dx, y + dy);
      }
      changed[y * SIDE + x] = (BLUR * sum) / 9 + (1 - BLUR) * levelAt(x, y);
    }
  }
  levels.set(changed);
}

function levelAt(x: number, y: number): number {
  return x < 0 || y < 0 || x >= SIDE || y >= SIDE ? 0 : (levels[y * SIDE + x] as number);
}

function isNearGarment(i: number): boolean {
  const x = i % SIDE;
  const y = Math.floor(i / SIDE);
  for (let dy = -LUMP_REACH; dy <= LUMP_REACH; dy++) {
    for (let dx = -LUMP_REACH; dx <= LUMP_REACH; dx++) {
      if (levelAt(x + dx, y + dy) > EMPTY) return true;
    }
  }
  return false;
}
