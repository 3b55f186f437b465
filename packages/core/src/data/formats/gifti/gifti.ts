import { F2iError } from '../../../error.ts';
import { allocate, type ElementType, elementCount, type NdArray } from '../../ndarray.ts';
import { bytesSource, readText, type Source } from '../../source.ts';
import { gunzip, isGzipFile } from '../gzip.ts';
import { toRowMajor } from '../npy.ts';
import { decodeData, type GiftiEncoding, mostElements } from './decode.ts';
import { xmlEvents } from './xml.ts';

/** An array of a GIFTI file: values or labels of the vertices of a surface, or the surface itself. */
export interface GiftiArray {
  /** `NIFTI_INTENT_TIME_SERIES`, `NIFTI_INTENT_LABEL`, `NIFTI_INTENT_POINTSET`, ... */
  readonly intent: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly encoding: GiftiEncoding;
  readonly littleEndian: boolean;
  readonly columnMajor: boolean;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface Gifti {
  readonly source: Source;
  readonly version: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** Names of labels by their keys, where the file has a table of them. */
  readonly labels: ReadonlyMap<number, string>;
  readonly arrays: readonly GiftiArray[];
  /** An array by its number, from 0; row-major whatever the order in the file. */
  read(index: number, signal?: AbortSignal): Promise<NdArray>;
}

const DATA_TYPES: Readonly<Record<string, ElementType>> = {
  NIFTI_TYPE_UINT8: 'u8',
  NIFTI_TYPE_INT8: 'i8',
  NIFTI_TYPE_UINT16: 'u16',
  NIFTI_TYPE_INT16: 'i16',
  NIFTI_TYPE_UINT32: 'u32',
  NIFTI_TYPE_INT32: 'i32',
  NIFTI_TYPE_UINT64: 'u64',
  NIFTI_TYPE_INT64: 'i64',
  NIFTI_TYPE_FLOAT32: 'f32',
  NIFTI_TYPE_FLOAT64: 'f64',
};

/** Texts are read as a whole: what engines hold in one string. */
const LONGEST_TEXT = 2 ** 29 - 25;
const MAXIMUM_ARRAYS = 1 << 16;

/** Whether the text begins as a GIFTI file does. */
export function isGifti(start: Uint8Array): boolean {
  const text = new TextDecoder().decode(start);
  return /^\s*</.test(text) && /<GIFTI[\s>]/.test(text);
}

/**
 * Opens a file of the "GIFTI Surface Data Format" (version 1.0, 2011; https://www.nitrc.org/projects/gifti), `.gii`. It
 * is text, which is read as a whole; numbers are decoded when they are asked for.
 *
 * @throws FORMAT; UNSUPPORTED for data in external files
 */
export async function openGifti(source: Source, signal?: AbortSignal): Promise<Gifti> {
  const file = source.name;
  const text = await textOf(source, signal);
  const { version, metadata, labels, arrays, texts } = parse(text, file);
  return {
    source,
    version,
    metadata,
    labels,
    arrays,
    async read(index, readSignal) {
      const array = arrays[index];
      if (!array) {
        const expected = `0 to ${arrays.length - 1}`;
        throw new F2iError('INVALID_ARGUMENT', 'no such array', { file, expected, found: `${index}` });
      }
      const { dtype, shape, columnMajor } = array;
      const place = { file, field: `array ${index}` };
      const count = elementCount(shape)!;
      const data = await decodeData(texts[index]!, { ...array, count }, place, readSignal);
      return { dtype, shape, data: columnMajor ? toRowMajor(data, dtype, shape, file) : data };
    },
  };
}

/**
 * One array, or all of them, one row each, where they are alike: a time series has an array a volume.
 *
 * @param array number of the array, from 0
 * @throws USAGE where the arrays differ and none is named
 */
export async function readGifti(source: Source, array?: string, signal?: AbortSignal): Promise<NdArray> {
  const gifti = await openGifti(source, signal);
  const { arrays } = gifti;
  const [first] = arrays;
  if (array !== undefined || !first || arrays.length === 1) {
    const index =
      array === undefined || !/^\d+$/.test(array) ? (array === undefined ? 0 : -1) : Number(array);
    if (arrays[index]) return gifti.read(index, signal);
    throw new F2iError('FORMAT', 'no such array', {
      file: source.name,
      field: array,
      expected: arrays.length > 0 ? `a number from 0 to ${arrays.length - 1}` : 'an array in the file',
    });
  }
  const alike = ({ dtype, shape, intent }: GiftiArray) =>
    dtype === first.dtype && shape.join() === first.shape.join() && intent === first.intent;
  if (!arrays.every(alike)) {
    throw new F2iError('USAGE', 'its arrays differ: name the one to read', {
      file: source.name,
      expected: arrays
        .map(({ intent, shape }, i) => `${i} (${intent} [${shape.join(', ')}])`)
        .slice(0, 12)
        .join(', '),
    });
  }
  const { dtype, shape } = first;
  const each = elementCount(shape)!;
  const data = allocate(dtype, each * arrays.length, source.name);
  for (let i = 0; i < arrays.length; i++) {
    const { data: row } = await gifti.read(i, signal);
    (data as Float64Array).set(row as Float64Array, i * each);
  }
  return { dtype, shape: [arrays.length, ...shape], data };
}

async function textOf(source: Source, signal?: AbortSignal): Promise<string> {
  const compressed = await isGzipFile(source, signal);
  if (source.size > LONGEST_TEXT) {
    throw new F2iError('UNSUPPORTED', 'a text too long to be read as a whole', {
      file: source.name,
      expected: `at most ${LONGEST_TEXT} bytes`,
      found: `${source.size}`,
    });
  }
  if (!compressed) return readText(source, signal);
  const bytes = await gunzip(source, { limit: LONGEST_TEXT, signal });
  return readText(bytesSource(bytes, source.name), signal);
}

interface Parsed {
  version: string;
  readonly metadata: Map<string, string>;
  readonly labels: Map<number, string>;
  readonly arrays: GiftiArray[];
  /** Encoded numbers of each array. */
  readonly texts: string[];
}

function parse(text: string, file: string): Parsed {
  const found: Parsed = { version: '', metadata: new Map(), labels: new Map(), arrays: [], texts: [] };
  let stated: string | undefined;
  const path: string[] = [];
  let attributes: ReadonlyMap<string, string> = new Map();
  let array:
    | { attributes: ReadonlyMap<string, string>; metadata: Map<string, string>; text?: string }
    | undefined;
  let label: ReadonlyMap<string, string> = new Map();
  let pieces: string[] = [];
  let key = '';
  for (const event of xmlEvents(text, file)) {
    if (event.kind === 'text') {
      pieces.push(event.text);
      continue;
    }
    const { name } = event;
    if (event.kind === 'open') {
      path.push(name);
      attributes = event.attributes;
      pieces = [];
      if (path.length === 1) {
        if (name !== 'GIFTI')
          throw new F2iError('FORMAT', 'not a GIFTI file', { file, expected: '<GIFTI>', found: `<${name}>` });
        found.version = attributes.get('Version') ?? '';
        stated = attributes.get('NumberOfDataArrays');
      }
      if (name === 'DataArray' && path.length === 2) array = { attributes, metadata: new Map() };
      if (name === 'Label') label = attributes;
      continue;
    }
    const content = pieces.length === 1 ? pieces[0]! : pieces.join('');
    const where = path.join(' ');
    path.pop();
    pieces = [];
    if (name === 'Name') key = content.trim();
    else if (where === 'GIFTI MetaData MD Value') found.metadata.set(key, content.trim());
    else if (where === 'GIFTI DataArray MetaData MD Value') array!.metadata.set(key, content.trim());
    else if (where === 'GIFTI LabelTable Label') addLabel(found.labels, label, content, file);
    else if (where === 'GIFTI DataArray Data') {
      if (array!.text !== undefined) {
        throw new F2iError('FORMAT', 'two <Data> in one array', {
          file,
          field: `array ${found.arrays.length}`,
        });
      }
      array!.text = content;
    } else if (where === 'GIFTI DataArray') {
      const field = `array ${found.arrays.length}`;
      if (found.arrays.length >= MAXIMUM_ARRAYS) {
        throw new F2iError('UNSUPPORTED', `more than ${MAXIMUM_ARRAYS} arrays`, { file });
      }
      const described = describeArray(array!.attributes, array!.metadata, array!.text, { file, field });
      found.arrays.push(described);
      found.texts.push(array!.text!);
    }
  }
  if (stated !== `${found.arrays.length}`) {
    throw new F2iError('FORMAT', 'another number of arrays than stated', {
      file,
      field: 'NumberOfDataArrays',
      expected: stated ?? 'a number',
      found: `${found.arrays.length}`,
    });
  }
  return found;
}

function addLabel(
  labels: Map<number, string>,
  attributes: ReadonlyMap<string, string>,
  name: string,
  file: string,
): void {
  // Early files call the key an index.
  const text = attributes.get('Key') ?? attributes.get('Index');
  if (text === undefined || !/^-?\d{1,10}$/.test(text) || labels.has(Number(text))) {
    throw new F2iError('FORMAT', 'a label without a key of its own', {
      file,
      field: `LabelTable: ${name.trim().slice(0, 80)}`,
      expected: 'a whole number, once',
      found: text?.slice(0, 40) ?? 'none',
    });
  }
  labels.set(Number(text), name.trim());
}

function describeArray(
  attributes: ReadonlyMap<string, string>,
  metadata: ReadonlyMap<string, string>,
  text: string | undefined,
  { file, field }: { file: string; field: string },
): GiftiArray {
  const fail = (attribute: string, message: string, expected: string, found: unknown): never => {
    throw new F2iError('FORMAT', message, {
      file,
      field: `${field}: ${attribute}`,
      expected,
      found: `${found}`,
    });
  };
  const oneOf = <T>(attribute: string, known: Readonly<Record<string, T>>): T => {
    const value = attributes.get(attribute);
    if (value !== undefined && Object.hasOwn(known, value)) return known[value]!;
    return fail(attribute, 'not a value that it can take', Object.keys(known).join(', '), value ?? 'none');
  };
  if (attributes.get('Encoding') === 'ExternalFileBinary') {
    throw new F2iError(
      'UNSUPPORTED',
      'the numbers lie in another file; convert it so that one file holds all',
      {
        file,
        field: `${field}: Encoding`,
        found: attributes.get('ExternalFileName')?.slice(0, 200) ?? 'ExternalFileBinary',
      },
    );
  }
  const encoding = oneOf<GiftiEncoding>('Encoding', {
    ASCII: 'ASCII',
    Base64Binary: 'Base64Binary',
    GZipBase64Binary: 'GZipBase64Binary',
  });
  const dtype = oneOf('DataType', DATA_TYPES);
  const columnMajor = oneOf('ArrayIndexingOrder', { RowMajorOrder: false, ColumnMajorOrder: true });
  // Texts have no order of bytes.
  const isText = encoding === 'ASCII' && !attributes.has('Endian');
  const littleEndian = isText || oneOf('Endian', { LittleEndian: true, BigEndian: false });
  const whole = (attribute: string, least: number, most: number): number => {
    const value = attributes.get(attribute) ?? '';
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    return fail(attribute, 'not a number that it can be', `${least} to ${most}`, value || 'none');
  };
  const rank = whole('Dimensionality', 1, 6);
  const shape = Array.from({ length: rank }, (_, axis) => whole(`Dim${axis}`, 0, 2 ** 31 - 1));
  if (text === undefined) return fail('Data', 'an array without data', '<Data>', 'none');
  const count = elementCount(shape) ?? Number.POSITIVE_INFINITY;
  const most = mostElements(text, encoding, dtype);
  if (count > most) {
    fail(
      'Data',
      'more elements than the text can hold',
      `${count} for [${shape.join(', ')}]`,
      `${Math.floor(most)} at most`,
    );
  }
  return {
    intent: attributes.get('Intent') ?? '',
    dtype,
    shape,
    encoding,
    littleEndian,
    columnMajor,
    metadata,
  };
}
