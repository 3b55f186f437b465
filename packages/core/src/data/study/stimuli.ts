import { F2iError } from '../../error.ts';
import { resizePicture } from '../../image/resize.ts';
import { readPng } from '../formats/png.ts';
import { readArray } from '../formats/read_array.ts';
import { allocate, toFloat32 } from '../ndarray.ts';
import type { Folder, Source } from '../source.ts';
import { relativePath } from '../source.ts';
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

/** Stimuli, and what is odd about them, in words. */
export interface LoadedStimuli {
  readonly stimuli: Stimuli;
  readonly warnings: readonly string[];
}

/** Reads the array that holds all stimuli. */
export async function readStimulusArray(
  options: StimulusArray,
  manifest: StudyManifest,
  source: Source,
  signal?: AbortSignal,
): Promise<LoadedStimuli> {
  const warnings: string[] = [];
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
    values = toUnitRange(values, options.range, place, warnings);
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
  const stimuli: Stimuli = isPictures
    ? { kind: 'pictures', values, names }
    : { kind: 'features', values, names, name: options.name };
  return { stimuli, warnings };
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
  warnings: string[],
): Block {
  const [black, white] = range ?? [0, 1];
  if (!(white > black)) {
    throw new F2iError('FORMAT', 'not a range of values', {
      ...place,
      expected: '[black, white], the first less than the second',
      found: `[${range}]`,
    });
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new F2iError('FORMAT', 'a pixel is not a finite number', { ...place, found: `${data[bad]}` });
  warnings.push(...oddRange(data, black, white, range !== undefined, place.file));
  return { data: data.map((value) => Math.min(1, Math.max(0, (value - black) / (white - black)))), shape };
}

/** A range that is not that of the data leaves pictures without contrast, or cuts most of it off. */
function oddRange(
  data: Float32Array,
  black: number,
  white: number,
  isStated: boolean,
  file: string,
): string[] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of data) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const [dark, light] = [least, most].map((value) => (value - black) / (white - black)) as [number, number];
  const outcome =
    light < 0.05
      ? 'come out nearly black'
      : dark > 0.95
        ? 'come out nearly white'
        : dark < -1 || light > 2
          ? 'lose what lies outside'
          : undefined;
  if (outcome === undefined || data.length === 0) return [];
  const stated = isStated
    ? `stimuli.range is [${black}, ${white}]`
    : 'stimuli.range is not stated, so [0, 1]';
  const actual = [least, most].map((value) => Number(value.toPrecision(4))).join(' to ');
  return [`${file}: its values go from ${actual}, but ${stated}: the pictures ${outcome}`];
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

/** A picture that trials name, and where they name it first. */
export interface WantedPicture {
  readonly name: string;
  readonly file: string;
  readonly field: string;
}

/** Reads the pictures that trials name, each once, in the order of their first use. */
export async function readStimulusFolder(
  options: StimulusFolder,
  folder: Folder,
  wanted: readonly WantedPicture[],
  manifest: string,
  codec: PictureCodec | undefined,
  signal?: AbortSignal,
): Promise<LoadedStimuli> {
  const [height, width] = options.size;
  const channels = options.colour === 'rgb' ? 3 : 1;
  const length = height * width * channels;
  const data = allocate('f32', wanted.length * length, options.folder);
  const stretched: string[] = [];
  for (const [i, picture] of wanted.entries()) {
    const source = await openPicture(options.folder, folder, wanted, picture, manifest);
    const decoded = await decode(source, codec, signal);
    const aspect = decoded.width / decoded.height / (width / height);
    if (Math.max(aspect, 1 / aspect) > 1.1) {
      stretched.push(`${picture.name} has ${decoded.height} x ${decoded.width}`);
    }
    data.set(resizePicture(decoded, { height, width, channels }), i * length);
  }
  const shape = channels === 3 ? [wanted.length, height, width, 3] : [wanted.length, height, width];
  const warnings =
    stretched.length === 0
      ? []
      : [
          `stimuli.size [${height}, ${width}] stretches ${stretched.length} of ${wanted.length} pictures: ${stretched[0]} (height x width)`,
        ];
  return {
    stimuli: { kind: 'pictures', values: { data, shape }, names: wanted.map(({ name }) => name) },
    warnings,
  };
}

/** Opens a picture; a missing one is the fault of the table that names it, or of the folder that the manifest names. */
async function openPicture(
  path: string,
  folder: Folder,
  wanted: readonly WantedPicture[],
  { name, file, field }: WantedPicture,
  manifest: string,
): Promise<Source> {
  const inside = relativePath(`${path}/${name}`, file, field);
  try {
    return await folder.open(inside);
  } catch (cause) {
    if (!(cause instanceof F2iError) || cause.code !== 'IO') throw cause;
    const present = new Set(await folder.list());
    if (present.has(inside)) throw cause;
    const prefix = `${relativePath(path)}/`;
    const pictures = [...present].flatMap((at) => (at.startsWith(prefix) ? [at.slice(prefix.length)] : []));
    if (pictures.length === 0) {
      throw new F2iError('IO', `${path}: no such folder in ${folder.name}, or it is empty`, {
        file: manifest,
        field: 'stimuli.folder',
        cause,
      });
    }
    const missing = wanted.filter((picture) => !present.has(relativePath(`${path}/${picture.name}`))).length;
    const count = `${missing} of ${wanted.length} pictures ${missing === 1 ? 'is' : 'are'} missing`;
    // Most often only the extension lacks, or is another. Names a few letters apart are other pictures.
    const stem = (at: string) => at.replace(/\.[a-z]+$/i, '').toLowerCase();
    const meant =
      pictures.find((at) => at.startsWith(`${name}.`)) ?? pictures.find((at) => stem(at) === stem(name));
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    throw new F2iError('IO', `${path}/${name}: no such file; ${count}${hint}`, { file, field, cause });
  }
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
