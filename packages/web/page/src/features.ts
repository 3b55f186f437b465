import { type Features, Picture } from '@fmri2image/core';

/** How features are shown: they are no pictures, but one can see that they are there, and whether two are alike. */
export interface Shown {
  readonly height: number;
  readonly width: number;
  /** In words, for people. */
  readonly what: string;
}

/** Latents have four planes, in this grid. */
const GRID = 2;

/** A latent [4, height, width] as its four planes, all else as a heat map of its rows. */
export function shownAs(shape: readonly number[]): Shown {
  const [first = 1, second = 1, third = 1] = shape;
  if (isLatent(shape)) {
    return { height: GRID * second, width: GRID * third, what: 'the four planes of a latent' };
  }
  const width = shape.length === 1 ? first : shape.at(-1)!;
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { height: size / width, width, what: 'a heat map: a row for each token' };
}

const isLatent = (shape: readonly number[]) => shape.length === 3 && shape[0] === GRID * GRID;

/**
 * Features as grey values: mid-grey is 0, black and white lie three standard deviations from it. Each plane of a latent by
 * itself.
 */
export function featurePicture({ data, shape }: Features): Picture {
  const { height, width } = shownAs(shape);
  const planes = isLatent(shape) ? shape[0]! : 1;
  const size = data.length / planes;
  const values = new Float32Array(data.length);
  for (let plane = 0; plane < planes; plane++) {
    const own = data.subarray(plane * size, (plane + 1) * size);
    const deviation = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0) / size) || 1;
    const [row, column] = planes === 1 ? [0, 0] : [Math.floor(plane / GRID), plane % GRID];
    const ownWidth = planes === 1 ? width : shape[2]!;
    const [top, left] = [row * (height / (planes === 1 ? 1 : GRID)), column * ownWidth];
    for (let i = 0; i < size; i++) {
      const at = (top + Math.floor(i / ownWidth)) * width + left + (i % ownWidth);
      values[at] = Math.min(1, Math.max(0, 0.5 + own[i]! / (6 * deviation)));
    }
  }
  return new Picture(values, [height, width], [0, 1]);
}

/** Stages of a published model, by its kind and the parts that its checkpoint has; the first is the default. */
export function stagesOf({ kind, config }: { kind: string; config: Record<string, unknown> }): string[] {
  const groups = Array.isArray(config.groups) ? (config.groups as string[]) : [];
  if (kind === 'mindeye2')
    return ['tokens', ...['blurry', 'prior'].filter((stage) => groups.includes(stage))];
  if (kind === 'mindeye1') return ['tokens', ...(groups.includes('prior') ? ['prior'] : [])];
  return [];
}
