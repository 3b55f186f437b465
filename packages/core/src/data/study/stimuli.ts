import { F2iError } from '../../error.ts';
import { resizePicture } from '../../image/resize.ts';
import { readPng } from '../formats/png.ts';
import { readArray } from '../formats/read_array.ts';
import { allocate, toFloat32 } from '../ndarray.ts';
import type { Folder, Source } from '../source.ts';
import type { StimulusArray, StimulusFolder, StudyManifest } from './schema.ts';
import type { Stimuli } from './study.ts';

/** A decoded picture: [height, width, channels], 0 to 1. */
export interface DecodedPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly data: Float32Array;
}

/** Decodes pictures of formats other than PNG; the command line brings one, browsers have their own. */
export type PictureCodec = (source: Source, signal?: AbortSignal) => Promise<DecodedPicture>;

/** Reads the array that holds all stimuli. */
export async function readStimulusArray(
  options: StimulusArray,
  manifest: StudyManifest,
  source: Source,
  signal?: AbortSignal,
): Promise<Stimuli> {
  const { axes, array: name } = options;
  const array = await readArray(source, { array: name, signal });
  const place = { file: source.name, field: name ?? 'stimuli' };
  if (array.shape.length !== axes.length) {
    throw new F2iError('FORMAT', 'the array does not have the stated axes', {
      ...place,
      expected: `[${axes.join(', ')}]`,
      found: `[${array.shape.join(', ')}]`,
    });
  }
  const isPictures = axes.includes('x') || axes.includes('y');
  const order = isPictures ? pictureOrder(axes, place) : featureOrder(axes, place);
  let values = permute(toFloat32(array, place), array.shape, order);
  if (isPictures) {
    values = toUnitRange(values, options.range, place);
    // Row 0 of a picture is its top.
    if (manifest.visualField?.yDirection === 'up') values = flipRows(values);
    if (options.reduce) values = blockMeans(values, options.reduce.y, options.reduce.x, place);
  }
  const count = values.shape[0]!;
  const digits = String(count - 1 + manifest.indexBase).length;
  const names = Array.from(
    { length: count },
    (_, i) => `stimulus-${String(i + manifest.indexBase).padStart(digits, '0')}`,
  );
  return isPictures
    ? { kind: 'pictures', values, names }
    : { kind: 'features', values, names, name: options.name };
}

interface Block {
  data: Float32Array;
  shape: number[];
}
interface Named {
  file: string;
  field: string;
}

function pictureOrder(axes: readonly string[], place: Named): number[] {
  const order = ['stimulus', 'y', 'x', 'channel'].map((axis) => axes.indexOf(axis)).filter((at) => at >= 0);
  const complete =
    axes.length === order.length && ['stimulus', 'x', 'y'].every((axis) => axes.includes(axis));
  if (!complete || new Set(axes).size !== axes.length) {
    throw new F2iError('FORMAT', 'pictures have the axes stimulus, x, y and at most a channel, each once', {
      ...place,
      found: axes.join(', '),
    });
  }
  return order;
}

function featureOrder(axes: readonly string[], place: Named): number[] {
  if (axes.filter((axis) => axis === 'stimulus').length !== 1 || axes.includes('channel')) {
    throw new F2iError('FORMAT', 'features have one axis stimulus, the others are feature', {
      ...place,
      found: axes.join(', '),
    });
  }
  const first = axes.indexOf('stimulus');
  return [first, ...axes.map((_, at) => at).filter((at) => at !== first)];
}

/** Row-major array with its axes in another order. */
function permute(data: Float32Array, shape: readonly number[], order: readonly number[]): Block {
  const strides = shape.map((_, axis) =>
    shape.slice(axis + 1).reduce((product, extent) => product * extent, 1),
  );
  const to = order.map((axis) => shape[axis]!);
  const out = new Float32Array(data.length);
  const index = new Array<number>(to.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let from = 0;
    for (let axis = 0; axis < to.length; axis++) from += index[axis]! * strides[order[axis]!]!;
    out[i] = data[from]!;
    for (let axis = to.length - 1; axis >= 0 && ++index[axis]! === to[axis]; axis--) index[axis] = 0;
  }
  return { data: out, shape: to };
}

function toUnitRange(
  { data, shape }: Block,
  range: readonly [number, number] | undefined,
  place: Named,
): Block {
  const [black, white] = range ?? [0, 1];
  if (!(white > black)) {
    throw new F2iError('FORMAT', 'not a range of values', {
      ...place,
      expected: '[black, white]',
      found: `[${range}]`,
    });
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new F2iError('FORMAT', 'a pixel is not a finite number', { ...place, found: `${data[bad]}` });
  return { data: data.map((value) => Math.min(1, Math.max(0, (value - black) / (white - black)))), shape };
}

function flipRows({ data, shape }: Block): Block {
  const [count, height, ...rest] = shape as [number, number, ...number[]];
  const row = rest.reduce((product, extent) => product * extent, 1);
  const out = new Float32Array(data.length);
  for (let i = 0; i < count * height; i++) {
    const from = Math.floor(i / height) * height + (height - 1 - (i % height));
    out.set(data.subarray(from * row, (from + 1) * row), i * row);
  }
  return { data: out, shape };
}

function blockMeans({ data, shape }: Block, blockY: number, blockX: number, place: Named): Block {
  const [count, height, width, channels = 1] = shape as [number, number, number, number?];
  if (height % blockY !== 0 || width % blockX !== 0) {
    throw new F2iError('FORMAT', 'the pictures cannot be divided into such blocks', {
      ...place,
      expected: `divisors of ${width} (x) and ${height} (y)`,
      found: `${blockX} and ${blockY}`,
    });
  }
  const [h, w] = [height / blockY, width / blockX];
  const sums = new Float64Array(count * h * w * channels);
  for (let i = 0; i < data.length; i++) {
    const channel = i % channels;
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / (channels * width)) % height;
    const picture = Math.floor(i / (channels * width * height));
    sums[((picture * h + Math.floor(y / blockY)) * w + Math.floor(x / blockX)) * channels + channel]! +=
      data[i]!;
  }
  return {
    data: Float32Array.from(sums, (sum) => sum / (blockX * blockY)),
    shape: shape.length === 4 ? [count, h, w, channels] : [count, h, w],
  };
}

/** Reads the pictures that trials name, each once, in the order of their first use. */
export async function readStimulusFolder(
  options: StimulusFolder,
  folder: Folder,
  names: readonly string[],
  codec: PictureCodec | undefined,
  signal?: AbortSignal,
): Promise<Stimuli> {
  const [height, width] = options.size;
  const channels = options.colour === 'rgb' ? 3 : 1;
  const length = height * width * channels;
  const data = allocate('f32', names.length * length, options.folder);
  for (const [i, name] of names.entries()) {
    const source = await folder.open(`${options.folder}/${name}`);
    const picture = await decode(source, codec, signal);
    data.set(resizePicture(picture, { height, width, channels }), i * length);
  }
  const shape = channels === 3 ? [names.length, height, width, 3] : [names.length, height, width];
  return { kind: 'pictures', values: { data, shape }, names };
}

async function decode(
  source: Source,
  codec: PictureCodec | undefined,
  signal?: AbortSignal,
): Promise<DecodedPicture> {
  if (/\.png$/i.test(source.name)) return readPng(source, signal);
  if (codec) return codec(source, signal);
  throw new F2iError('UNSUPPORTED', 'only PNG pictures are read here without a codec', { file: source.name });
}
