import { zipSync } from 'fflate';
import { bytesSource, type Source } from '../../src/index.ts';

/** Pieces of pickles (protocol 2, as torch.save writes them), put together by hand so that tests can write wrong ones. */
export type Pickle = readonly number[];

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];
const u32 = (value: number): number[] => [value, value >>> 8, value >>> 16, value >>> 24].map((x) => x & 255);

export const op = (code: number | string, ...rest: readonly Pickle[]): Pickle => [
  typeof code === 'string' ? code.charCodeAt(0) : code,
  ...rest.flat(),
];
export const NONE = op('N');
export const FALSE = op(0x89);
export const text = (value: string): Pickle => op('X', u32(utf8(value).length), utf8(value));
/** LONG1: whole numbers of any size and sign. */
export function int(value: number): Pickle {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (let i = 0; i < 9; i++, rest >>= 8n) bytes.push(Number(rest & 255n));
  return op(0x8a, [bytes.length], bytes);
}
export const name = (module: string, what: string): Pickle => op('c', utf8(`${module}\n${what}\n`));
export const tuple = (...items: Pickle[]): Pickle => [...op('('), ...items.flat(), ...op('t')];
export const list = (...items: Pickle[]): Pickle => [...op(']'), ...op('('), ...items.flat(), ...op('e')];
export const call = (what: Pickle, ...args: Pickle[]): Pickle => [...what, ...tuple(...args), ...op('R')];
export const dict = (...pairs: [Pickle, Pickle][]): Pickle => [
  ...op('}'),
  ...op('('),
  ...pairs.flat(2),
  ...op('u'),
];
export const state = (entries: Record<string, Pickle>): Pickle =>
  dict(...Object.entries(entries).map(([key, value]): [Pickle, Pickle] => [text(key), value]));

export interface StorageSpec {
  type?: string;
  key?: string;
  length: number;
}
export const storage = ({ type = 'FloatStorage', key = '0', length }: StorageSpec): Pickle => [
  ...tuple(text('storage'), name('torch', type), text(key), text('cpu'), int(length)),
  ...op('Q'),
];
export interface TensorSpec {
  storage?: StorageSpec;
  offset?: number;
  shape: number[];
  strides?: number[];
}
export function tensor({ storage: of, offset = 0, shape, strides }: TensorSpec): Pickle {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const steps = strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return call(
    name('torch._utils', '_rebuild_tensor_v2'),
    storage(of ?? { length: count }),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...steps.map(int)),
    FALSE,
    call(name('collections', 'OrderedDict')),
  );
}
export const whole = (...body: Pickle[]): Uint8Array =>
  Uint8Array.from([0x80, 2, ...body.flat(), '.'.charCodeAt(0)]);

/** An archive as torch.save writes it, its files stored. */
export function archive(
  pickle: Uint8Array,
  storages: Record<string, Uint8Array> = {},
  more: Record<string, Uint8Array> = {},
): Uint8Array {
  const data = Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes] as const);
  const files = { 'archive/data.pkl': pickle, ...Object.fromEntries(data), ...more };
  return zipSync(files, { level: 0, mtime: new Date(2020, 1, 1) });
}

export const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
export const source = (bytes: Uint8Array): Source => bytesSource(bytes, 'a.pth');
