import type { Random } from '../random.ts';

/** What the main object of a simulated picture is; identification is reported within and across these. */
export const CATEGORIES = ['disc', 'ring', 'square', 'triangle', 'cross', 'bars'] as const;
export type Category = (typeof CATEGORIES)[number];

export interface Pictures {
  /** [count, size, size], luminance 0..1, row 0 on top. */
  readonly pixels: Float32Array;
  readonly categories: readonly Category[];
  readonly size: number;
}

/** Each pixel is the mean of this many samples squared. */
const SUPERSAMPLE = 3;

/**
 * Draws `count` pictures of one object (sometimes two) before a shaded background. Position, size, rotation and
 * luminance vary, so that no two are alike. `breathe` is called between pictures.
 */
export async function drawPictures(
  count: number,
  size: number,
  random: Random,
  breathe: () => Promise<void> | undefined = () => undefined,
): Promise<Pictures> {
  const pixels = new Float32Array(count * size * size);
  const categories: Category[] = [];
  for (let i = 0; i < count; i++) {
    await breathe();
    const category = CATEGORIES[random.integer(CATEGORIES.length)]!;
    categories.push(category);
    paint(pixels.subarray(i * size * size, (i + 1) * size * size), size, drawScene(category, random));
  }
  return { pixels, categories, size };
}

/** Luminance at (x, y), both -1..1, y up. */
type Scene = (x: number, y: number) => number;

function drawScene(category: Category, random: Random): Scene {
  const angle = random.uniform() * 2 * Math.PI;
  const base = 0.3 + 0.4 * random.uniform();
  const slope = 0.2 * random.uniform();
  let scene: Scene = (x, y) => base + slope * (x * Math.cos(angle) + y * Math.sin(angle));
  if (random.uniform() < 0.35)
    scene = place(scene, CATEGORIES[random.integer(CATEGORIES.length)]!, 0.45, base, random);
  return place(scene, category, 1, base, random);
}

/** Puts an object of clearly different luminance into the scene. */
function place(below: Scene, category: Category, scale: number, base: number, random: Random): Scene {
  const radius = scale * (0.35 + 0.3 * random.uniform());
  const centreX = 0.55 * (2 * random.uniform() - 1);
  const centreY = 0.55 * (2 * random.uniform() - 1);
  const turn = random.uniform() * 2 * Math.PI;
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  const contrast = 0.3 + 0.3 * random.uniform();
  const luminance = random.uniform() < base ? base - contrast : base + contrast;
  const inside = shapes[category];
  return (x, y) => {
    const dx = (x - centreX) / radius;
    const dy = (y - centreY) / radius;
    return inside(dx * cos + dy * sin, dy * cos - dx * sin) ? luminance : below(x, y);
  };
}

/** Is the point (in units of the object's radius) inside? */
const shapes: Record<Category, (x: number, y: number) => boolean> = {
  disc: (x, y) => x * x + y * y < 1,
  ring: (x, y) => {
    const r = x * x + y * y;
    return r < 1 && r > 0.3;
  },
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.9,
  triangle: (x, y) => y > -0.6 && Math.abs(x) < 0.6 * (1.1 - y),
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.32 && Math.max(Math.abs(x), Math.abs(y)) < 1.1,
  bars: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 1 && Math.abs(x) % 0.8 < 0.4,
};

function paint(out: Float32Array, size: number, scene: Scene): void {
  const samples = size * SUPERSAMPLE;
  for (let row = 0; row < size; row++) {
    for (let col = 0; col < size; col++) {
      let sum = 0;
      for (let i = 0; i < SUPERSAMPLE; i++) {
        for (let j = 0; j < SUPERSAMPLE; j++) {
          const x = (2 * (col * SUPERSAMPLE + j) + 1) / samples - 1;
          const y = 1 - (2 * (row * SUPERSAMPLE + i) + 1) / samples;
          sum += scene(x, y);
        }
      }
      out[row * size + col] = Math.min(1, Math.max(0, sum / SUPERSAMPLE ** 2));
    }
  }
}
